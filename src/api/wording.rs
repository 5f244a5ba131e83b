//! The words of the command line for what can be done: its verbs and its options stand here, whatever room it is that
//! knows what helps.

use std::borrow::Cow;
use std::path::Path;

use super::folder::RUNS;
use super::protocol::{AgentTurned, HistoryLine, Planned, Recorded, VerifyReport};
use crate::actors::pages::Pages;
use crate::events::ids::RunId;
use crate::events::problem::{Document, Late, Look, Problem, Remedies, Remedy};
use crate::events::run::Resolution;
use crate::views::command_line;
use crate::views::presenters::report::RunReport;
use crate::views::presenters::stream::StreamReport;
use crate::views::presenters::transcript::AttemptReport;
use crate::views::presenters::ways::{Act, Invocation};
use crate::views::presenters::why::WhyReport;

/// Stands for a run that is not known.
const SOME_RUN: &str = "RUN";

/// How somebody else answers than the user of the operating system.
const WHO: &str = "; --by says who answers";

/// The words behind the program's name that do this with a run.
pub fn command(run: &RunId, act: &Act) -> Vec<String> {
    words(run.as_str(), act)
}

/// The words of something that can be done, behind the program's name.
pub fn words_of(invocation: &Invocation) -> Cow<'_, [String]> {
    match invocation {
        Invocation::Act { run, act } => command(run, act).into(),
        Invocation::Words(words) => words.into(),
    }
}

/// The place of the pages of a data folder's runs, which name commands of the command line.
pub(super) fn pages(data: &Path) -> Pages {
    Pages { folder: data.join(RUNS).into(), wording: command }
}

fn words(run: &str, act: &Act) -> Vec<String> {
    let words: Vec<&str> = match act {
        Act::StartChanged { file, input, tags } => {
            let mut words = vec!["run".to_owned(), file.clone()];
            let input = input.clone().unwrap_or_else(|| vec!["…".to_owned()]);
            words.extend(input.into_iter().flat_map(|given| ["--input".to_owned(), given]));
            let tags = tags.iter().map(|(key, value)| format!("{key}={value}"));
            words.extend(tags.flat_map(|tag| ["--tag".to_owned(), tag]));
            return words;
        }
        Act::Look => vec!["status", run],
        Act::LookAtHistory => vec!["history", run],
        Act::LookAtTranscript(step) => vec!["transcript", run, step.as_str()],
        Act::LookAtUndoing(step) => vec!["transcript", run, step.as_str(), "--undo"],
        Act::LookAtWhy => vec!["why", run],
        Act::LookAtBudget => vec!["budget", "show", run],
        Act::Resume => vec!["resume", run],
        Act::Unpause => vec!["unpause", run],
        Act::Pause => vec!["pause", run],
        Act::Retry => vec!["retry", run],
        Act::Cancel => vec!["cancel", run],
        Act::RollBack => vec!["rollback", run],
        Act::RollBackTo(step) => vec!["rollback", run, "--to", step.as_str()],
        Act::Resolve { step, how } => {
            let how = match how {
                Resolution::Retry => "--retry",
                Resolution::Done => "--done",
                Resolution::Skip => "--skip",
            };
            vec!["rollback", "resolve", run, step.as_str(), how, "--reason", "…"]
        }
        Act::Approve { request, hash, change, by } => {
            let change = change.iter().flat_map(|change| ["--set", change.as_str()]);
            let by = by.iter().flat_map(|by| ["--by", by]);
            ["approve", run, request.as_str(), "--hash", hash].into_iter().chain(change).chain(by).collect()
        }
        Act::Check { request, points } => {
            let points: Vec<String> = points.iter().map(u32::to_string).collect();
            let words = ["approve", run, request.as_str(), "--check"].map(str::to_owned);
            return words.into_iter().chain([points.join(",")]).collect();
        }
        Act::Reject(request) => vec!["reject", run, request.as_str(), "--reason", "…"],
    };
    words.into_iter().map(str::to_owned).collect()
}

/// How the command line was called, so that the commands that it names do as well.
#[derive(Debug, Clone, Default)]
pub struct Call {
    /// The data folder, if an option named it.
    pub data: Option<String>,
}

impl Call {
    /// A command as it is typed.
    pub fn command<T: AsRef<str>>(&self, words: impl IntoIterator<Item = T>) -> String {
        let data = self.data.iter().flat_map(|data| ["--data".to_owned(), data.clone()]);
        command_line(data.chain(words.into_iter().map(|word| word.as_ref().to_owned())))
    }

    /// The remedies in a line, one after the other.
    pub fn hint(&self, remedies: &Remedies) -> String {
        let run = remedies.run.as_ref().map_or(SOME_RUN, RunId::as_str);
        let said = remedies.all.iter().map(|remedy| self.say(run, remedy));
        said.collect::<Vec<_>>().join("; ")
    }

    /// What to do instead of what is too late for a run that has begun.
    fn leave_out(&self, run: &str, late: &Late) -> String {
        let command = |words: &[&str]| format!("`{}`", self.command(words));
        match late {
            Late::Tags => "leave --tag out: a run keeps the tags that it began with".to_owned(),
            Late::Until(until) => {
                format!("leave --until out: {} pauses it there", command(&["resume", run, "--until", until]))
            }
            Late::UntilEnded => "leave --until out: it has ended".to_owned(),
            Late::Duration => "leave --timeout out: a run keeps the limit that it began with".to_owned(),
            Late::Parallel => "leave --parallel out: a run keeps the limit that it began with".to_owned(),
            Late::Cache => "leave --no-cache out: a run keeps what it began with".to_owned(),
            Late::OnlyRecorded => format!(
                "leave --detach out to see it through, or look at it with {}",
                command(&["status", run])
            ),
        }
    }

    fn say(&self, run: &str, remedy: &Remedy) -> String {
        let call = |words: &[&str]| format!("`{}`", self.command(words));
        let by = |act: &Act, does: &str| format!("`{}` {does}", self.command(words(run, act)));
        match remedy {
            Remedy::Plain(text) => text.to_string(),
            Remedy::ReadHelp => "see `reenact VERB --help`".to_owned(),
            Remedy::Read(document) => read(*document).to_owned(),
            Remedy::AnotherId => "choose another --id, or leave it out".to_owned(),
            Remedy::LeaveOut(late) => self.leave_out(run, late),
            Remedy::GiveInput(name) => format!("give it: `--input {name}=…`"),
            Remedy::GiveReason => "say it with --reason".to_owned(),
            Remedy::RaiseDuration => "raise `limits.duration` or --timeout".to_owned(),
            Remedy::RaiseBudget => by(&Act::LookAtBudget, "shows what is used, and how a limit is raised"),
            Remedy::NameFolder => "name a folder with --data or REENACT_DATA".to_owned(),
            Remedy::OwnFolder => "`--data DIR` names a data folder of your own".to_owned(),
            Remedy::Trust(folder) => {
                let folder = folder.as_deref().unwrap_or("DIR");
                format!("{} lets it be run", call(&["trust", folder]))
            }
            Remedy::Verify => format!("{} names the first bad position", call(&["verify"])),
            Remedy::LookAtRuns => format!("{} shows the runs", call(&["list"])),
            Remedy::LookAtRun(look) => by(&Act::Look, shows(*look)),
            Remedy::LookAtHistory(look) => by(&Act::LookAtHistory, shows(*look)),
            Remedy::LookAtTranscript(step) => {
                by(&Act::LookAtTranscript(step.clone()), "shows all that it wrote")
            }
            Remedy::LookAtUndoing(step) => by(&Act::LookAtUndoing(step.clone()), "shows all that it wrote"),
            Remedy::LookAtWhy => by(&Act::LookAtWhy, "shows what led to it"),
            Remedy::LookAtStream(stream) => {
                format!("{} {}", call(&["history", stream]), shows(Look::Versions))
            }
            Remedy::UnpauseAgent => {
                format!("{} lets it take work again", call(&["agents", "unpause", "NAME"]))
            }
            Remedy::Unpause => by(&Act::Unpause, "lets it go on"),
            Remedy::Resume => by(&Act::Resume, "sees it through"),
            Remedy::RecordExpiry => by(&Act::Resume, "records that, and goes on"),
            Remedy::Retry => by(&Act::Retry, "tries again what failed"),
            Remedy::RetryAll => {
                format!("leave --step out: {}", by(&Act::Retry, "tries again all that failed"))
            }
            Remedy::GoForward => by(&Act::Retry, "goes forward again"),
            Remedy::Pause => by(&Act::Pause, "stops it for a while"),
            Remedy::Cancel => by(&Act::Cancel, "leaves all as it is"),
            Remedy::RollBack => by(&Act::RollBack, "undoes what was done"),
            Remedy::RollBackRest => by(&Act::RollBack, "undoes the rest too"),
            Remedy::RollBackAll => format!("without --to {}", by(&Act::RollBack, "undoes everything")),
            Remedy::RollBackTo(step) => by(&Act::RollBackTo(step.clone()), "undoes what came after it"),
            Remedy::DoAgainFrom { kept, step } => by(
                &Act::RollBackTo(kept.clone()),
                &format!("goes back before `{step}`, all of which is done anew from there"),
            ),
            Remedy::KeepWhole(step) => format!("roll back to `{step}`"),
            Remedy::ResolveCompensation(step) => {
                let resolve = self.command(["rollback", "resolve", run, step.as_str()]);
                format!("settle it with `{resolve} --retry|--skip|--done --reason R`")
            }
            Remedy::AwaitEnd => "wait until it has ended".to_owned(),
            Remedy::StartAnother => "start another run".to_owned(),
            Remedy::DoAnew => "a new run does it again".to_owned(),
            Remedy::NothingRuns => "nothing of it runs".to_owned(),
            Remedy::AskOneOf(names) => format!("one of these has to: {}{WHO}", names.join(", ")),
            Remedy::MoreGrants(left) => more_grants(*left),
            Remedy::CountFromOne => "they are numbered from 1".to_owned(),
            Remedy::Tick { request, points } => {
                let tick = Act::Check { request: request.clone(), points: points.clone() };
                format!("look at each, then {}", by(&tick, "ticks them"))
            }
        }
    }
}

fn more_grants(left: u32) -> String {
    let has = if left == 1 { "has" } else { "have" };
    format!("{left} more {has} to grant it{WHO}")
}

const fn read(document: Document) -> &'static str {
    match document {
        Document::Workflows => "docs/workflows.md says what a workflow file may hold",
        Document::Chains => "docs/chains.md says what a Markdown chain may hold",
        Document::Agents => "docs/agents.md says what its definition may hold",
        Document::Budgets => "docs/budgets.md says what may be spent, and how it is reported",
        Document::Limits => "docs/limits.md says how long what may be",
        Document::Goals => "docs/goals.md says what a plan of tasks may be",
        Document::Handoffs => "docs/handoffs.md says how agents hand over, and to whom",
        Document::Contexts => "docs/contexts.md says what contexts, keys and locks are called",
        Document::Conversations => "docs/conversations.md says what conversations and turns may hold",
        Document::Messages => "docs/messages.md says how messages and topics are written",
        Document::Models => "docs/models.md says how models and their providers are configured",
        Document::Tools => "docs/tools.md says what tools take, do and answer",
        Document::Routing => "docs/routing.md says what rules, cases and contexts may hold",
        Document::Configuration => "config/default.toml explains every key",
    }
}

const fn shows(look: Look) -> &'static str {
    match look {
        Look::Status => "shows where it is",
        Look::Steps => "lists its steps",
        Look::StepsDone => "shows which are",
        Look::Stuck => "shows what is stuck",
        Look::Done => "shows what it did",
        Look::Waits => "lists what it waits for",
        Look::Asked => "names its page and its hash",
        Look::Attempts => "shows its steps and their attempts",
        Look::Outputs => "shows them",
        Look::Why => "shows why",
        Look::Commands => "names the commands",
        Look::Versions => "lists its versions",
        Look::Fate => "shows what became of it",
    }
}

/// Something that is told, and holds what helps as data until the command line has worded it.
pub trait Worded {
    /// Puts words in the place of all such data. Without problems in it there is none.
    fn word(&mut self, _call: &Call) {}
}

impl Worded for Problem {
    fn word(&mut self, call: &Call) {
        self.remedies = call.hint(&self.remedies).into();
    }
}

impl Worded for RunReport {
    fn word(&mut self, call: &Call) {
        let of_steps = self.steps.iter_mut().filter_map(|step| step.error.as_mut());
        of_steps.chain(self.error.as_mut()).for_each(|error| error.word(call));
        let start = self.start_changed.iter_mut();
        for invocation in self.ways.iter_mut().map(|way| &mut way.command).chain(start) {
            if let Invocation::Act { run, act } = invocation {
                *invocation = Invocation::Words(command(run, act));
            }
        }
    }
}

impl Worded for AttemptReport {
    fn word(&mut self, call: &Call) {
        self.error.iter_mut().for_each(|error| error.word(call));
    }
}

impl Worded for AgentTurned {}
impl Worded for Recorded {}
impl Worded for HistoryLine {}
impl Worded for Planned {}
impl Worded for StreamReport {}
impl Worded for VerifyReport {}
impl Worded for WhyReport {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::ids::StepId;
    use crate::events::problem::Code;

    fn of_run(all: Vec<Remedy>) -> Remedies {
        Remedies { run: Some(RunId::parse("r").unwrap()), ..all.into() }
    }

    #[test]
    fn what_helps_is_a_command_to_copy() {
        let call = Call::default();
        for (remedy, hint) in [
            (Remedy::Unpause, "`reenact unpause r` lets it go on"),
            (Remedy::Resume, "`reenact resume r` sees it through"),
            (Remedy::RecordExpiry, "`reenact resume r` records that, and goes on"),
            (Remedy::Retry, "`reenact retry r` tries again what failed"),
            (Remedy::RetryAll, "leave --step out: `reenact retry r` tries again all that failed"),
            (Remedy::GoForward, "`reenact retry r` goes forward again"),
            (Remedy::Pause, "`reenact pause r` stops it for a while"),
            (Remedy::Cancel, "`reenact cancel r` leaves all as it is"),
            (Remedy::RollBack, "`reenact rollback r` undoes what was done"),
            (Remedy::RollBackRest, "`reenact rollback r` undoes the rest too"),
            (Remedy::RollBackAll, "without --to `reenact rollback r` undoes everything"),
            (
                Remedy::RollBackTo(StepId::grown("RUN")),
                "`reenact rollback r --to RUN` undoes what came after it",
            ),
            (
                Remedy::DoAgainFrom { kept: StepId::grown("a"), step: StepId::grown("b") },
                "`reenact rollback r --to a` goes back before `b`, all of which is done anew from there",
            ),
            (
                Remedy::ResolveCompensation(StepId::grown("f[0]")),
                "settle it with `reenact rollback resolve r 'f[0]' --retry|--skip|--done --reason R`",
            ),
            (Remedy::LookAtRun(Look::Stuck), "`reenact status r` shows what is stuck"),
            (Remedy::LookAtHistory(Look::Fate), "`reenact history r` shows what became of it"),
            (
                Remedy::AskOneOf(vec!["ada".into(), "ben".into()]),
                "one of these has to: ada, ben; --by says who answers",
            ),
            (
                Remedy::LeaveOut(Late::Until("ship it".into())),
                "leave --until out: `reenact resume r --until 'ship it'` pauses it there",
            ),
            (Remedy::GiveInput("to.host".to_owned()), "give it: `--input to.host=…`"),
        ] {
            assert_eq!(call.hint(&of_run(vec![remedy])), hint);
        }
    }

    #[test]
    fn several_stand_behind_each_other_and_name_the_data_folder_that_was_named() {
        let call = Call { data: Some("my data".to_owned()) };
        let both = of_run(vec![Remedy::AwaitEnd, Remedy::RollBack]);
        let hint = "wait until it has ended; `reenact --data 'my data' rollback r` undoes what was done";
        assert_eq!(call.hint(&both), hint);
        let mut problem = Problem::new(Code::Conflicting, "no").hint(both);
        problem.word(&call);
        assert_eq!(serde_json::to_value(&problem).unwrap()["hint"], hint);
    }

    #[test]
    fn a_run_that_nobody_knows_is_a_placeholder() {
        let hint = Call::default().hint(&Remedies::of(Code::NoSuchStep.remedies()));
        assert_eq!(hint, "`reenact status RUN` lists its steps");
    }
}
