//! An event in a sentence.

mod outside;

use std::fmt::Write;

use super::past::{Past, Used, has_failed};
use super::turns;
use crate::aggregates::run::Node;
use crate::events::ids::{AgentName, KeyVersion, StepId, TimerId, Version};
use crate::events::json::Payload;
use crate::events::problem::Code;
use crate::events::run::{
    AnswerSource, AttemptStarted, Because, CacheHit, ChildEnded, ContextChanged, ConversationAwaited,
    ConversationRead, Handling, MessageGiven, MessageHandled, MessageSent, Purpose, RequestRouted,
    Resolution, RollbackCause, RunEvent, RunStarted, SkipReason, StepAdded, StepCompleted, StepFailed,
    StepKind, StepSkipped,
};
use crate::events::text::{shortened, shortened_lines};
use crate::events::time::{Timestamp, format_duration};
use crate::views::for_shell;
use crate::workflow::work::{Command, Work};

/// How much of a value is told, in characters.
const VALUE_CHARS_MAX: usize = 160;

/// How much of what went wrong is told, in characters.
const MESSAGE_CHARS_MAX: usize = 1_000;

/// How much of a command or a prompt is told, in characters.
const WORK_CHARS_MAX: usize = 400;

/// How many of the items are named without which a fan-out answered.
const ITEMS_NAMED_MAX: usize = 8;

/// The step that an event is about, and the event in a sentence.
pub(super) fn says(past: &Past<'_>, event: &RunEvent, at: Timestamp) -> (Option<StepId>, String) {
    let of = |step: &StepId, says: String| (Some(step.clone()), says);
    let of_run = |says: String| (None, says);
    match event {
        RunEvent::RunStarted(began) => of_run(run_began(began)),
        RunEvent::RequestRouted(routed) => of_run(request_routed(routed)),
        RunEvent::StepAdded(added) => of(&added.step, joined(added)),
        RunEvent::AttemptStarted(_)
        | RunEvent::AttemptFailed(_)
        | RunEvent::AttemptLost(_)
        | RunEvent::RetryScheduled(_)
        | RunEvent::FallbackEngaged(_) => tried(past, event),
        RunEvent::StepCompleted(done) => of(&done.step, completed(past, done)),
        RunEvent::StepSkipped(skipped) => of(&skipped.step, left_out(skipped)),
        RunEvent::StepFailed(failed) => of(&failed.step, step_failed(failed)),
        RunEvent::StepCancelled(cancelled) => {
            of(&cancelled.step, format!("`{}` was cancelled", cancelled.step))
        }
        RunEvent::TimerSet(set) => of(&set.step, format!("`{}` sleeps until {}", set.step, moment(set.at))),
        RunEvent::TimerFired(fired) if fired.timer == TimerId::duration() => of_run(time_over(past)),
        RunEvent::SignalAwaited(awaited) => {
            let until = until(awaited.expires);
            let (step, name) = (&awaited.step, &awaited.name);
            of(step, format!("`{step}` waits for the signal `{name}` since {}{until}", moment(at)))
        }
        RunEvent::SignalReceived(came) => {
            of_run(format!("{} sent the signal `{}`: {}", came.by, came.name, value(past, &came.data)))
        }
        RunEvent::CacheHit(hit) => of(&hit.step, taken(hit)),
        RunEvent::ContextChanged(changed) => of(&changed.step, written(past, changed)),
        RunEvent::ContextAwaited(_)
        | RunEvent::ContextRead(_)
        | RunEvent::LockRequested(_)
        | RunEvent::ConversationAwaited(_)
        | RunEvent::ConversationRead(_) => shared(past, event, at),
        RunEvent::HandoffDeclared(_) | RunEvent::Escalated(_) | RunEvent::RepairAsked(_) => {
            to_another(past, event)
        }
        RunEvent::MessageSent(_) | RunEvent::MessageGiven(_) | RunEvent::MessageHandled(_) => {
            of_messages(past, event)
        }
        RunEvent::AgentAwaited(awaited) => {
            of_run(format!("the agent {} is paused, and waited for since {}", awaited.agent, moment(at)))
        }
        RunEvent::ChildRested(rested) => {
            of(&rested.step, format!("the run of `{}`, {}, waits itself", rested.step, rested.run))
        }
        RunEvent::BudgetExhausted(lacks) => of(&lacks.step, lacks.says()),
        RunEvent::ChildEnded(ended) => of(&ended.step, child_ended(ended)),
        RunEvent::ApprovalRequested(_)
        | RunEvent::ApprovalGranted(_)
        | RunEvent::ApprovalRefused(_)
        | RunEvent::ApprovalExpired(_) => outside::people(past, event, at),
        RunEvent::TaskOffered(_)
        | RunEvent::TaskTaken(_)
        | RunEvent::TaskProgressed(_)
        | RunEvent::TaskLapsed(_) => outside::of_task(event, at),
        RunEvent::CompensationStarted(_)
        | RunEvent::StepCompensated(_)
        | RunEvent::CompensationFailed(_)
        | RunEvent::CompensationResolved(_) => undone(past, event),
        _ => (None, of_the_run(past, event)),
    }
}

/// What became of undoing a step.
fn undone(past: &Past<'_>, event: &RunEvent) -> (Option<StepId>, String) {
    let of = |step: &StepId, says: String| (Some(step.clone()), says);
    match event {
        RunEvent::CompensationStarted(opened) => of(
            &opened.step,
            format!("it was the turn of `{}` to be undone, by {}", opened.step, opened.agent),
        ),
        RunEvent::StepCompensated(undone) => of(&undone.step, format!("`{}` was undone", undone.step)),
        RunEvent::CompensationFailed(failed) => {
            let (step, wrong) = (&failed.step, wrong(failed.code, &failed.message));
            of(step, format!("`{step}` cannot be undone, {wrong}"))
        }
        RunEvent::CompensationResolved(settled) => {
            let how = match settled.how {
                Resolution::Retry => "is to be undone once more",
                Resolution::Skip => "stays as it is",
                Resolution::Done => "was undone by hand",
            };
            let (step, by) = (&settled.step, &settled.by);
            of(step, format!("{by} said that `{step}` {how}: {}", message(&settled.reason)))
        }
        _ => (None, of_the_run(past, event)),
    }
}

/// What a step wants of shared contexts and of its conversation, and what it has read.
fn shared(past: &Past<'_>, event: &RunEvent, at: Timestamp) -> (Option<StepId>, String) {
    match event {
        RunEvent::ContextAwaited(awaited) => {
            let step = &awaited.step;
            (Some(step.clone()), format!("`{step}` reads shared contexts since {}", moment(at)))
        }
        RunEvent::ContextRead(read) => {
            let (step, key, context) = (&read.step, &read.key, &read.context);
            let says = match read.version {
                KeyVersion(0) => format!("`{step}` found no `{key}` in the context `{context}`"),
                version => {
                    let value = value(past, &read.value);
                    format!("`{step}` read `{key}` of the context `{context}` (version {version}): {value}")
                }
            };
            (Some(step.clone()), says)
        }
        RunEvent::LockRequested(requested) => {
            let (step, lock, context) = (&requested.step, &requested.lock, &requested.context);
            let since = moment(at);
            let says =
                format!("`{step}` waits for the lock `{lock}` of the context `{context}` since {since}");
            (Some(step.clone()), says)
        }
        RunEvent::ConversationAwaited(ConversationAwaited { step, conversation }) => {
            let says = format!("`{step}` waits for the conversation `{conversation}` since {}", moment(at));
            (Some(step.clone()), says)
        }
        RunEvent::ConversationRead(ConversationRead { step, conversation, version, .. }) => {
            let says = match version {
                Version(0) => format!("`{step}` found nothing said in the conversation `{conversation}`"),
                _ => format!(
                    "`{step}` was told what was at hand of the conversation `{conversation}` (version {version})"
                ),
            };
            (Some(step.clone()), says)
        }
        _ => (None, of_the_run(past, event)),
    }
}

/// What agents say to each other.
fn of_messages(past: &Past<'_>, event: &RunEvent) -> (Option<StepId>, String) {
    match event {
        RunEvent::MessageSent(sent) => (Some(sent.step.clone()), message_sent(past, sent)),
        RunEvent::MessageGiven(MessageGiven { step, number, receiver, .. }) => {
            (Some(step.clone()), format!("`{step}` was given message {number} while it ran, for {receiver}"))
        }
        RunEvent::MessageHandled(done) => (Some(done.step.clone()), handled(done)),
        _ => (None, of_the_run(past, event)),
    }
}

/// An agent hands over, is stuck and another is asked, or is asked once more itself.
fn to_another(past: &Past<'_>, event: &RunEvent) -> (Option<StepId>, String) {
    match event {
        RunEvent::HandoffDeclared(told) => {
            let (step, from, to) = (&told.step, &told.from, &told.to);
            let says = format!("{from} handed over to {to} in `{step}`: {}", message(&told.reason));
            (Some(step.clone()), says)
        }
        RunEvent::Escalated(asked) => {
            let (step, to, seen) = (&asked.step, &asked.to, message(&asked.seen));
            (Some(step.clone()), format!("{to} was asked about `{step}`, which is stuck: {seen}"))
        }
        RunEvent::RepairAsked(asked) => {
            let (step, refused) = (&asked.step, message(&asked.refused));
            (Some(step.clone()), format!("`{step}` was asked to mend its plan: {refused}"))
        }
        _ => (None, of_the_run(past, event)),
    }
}

fn written(past: &Past<'_>, changed: &ContextChanged) -> String {
    let ContextChanged { step, key, version, value: written, .. } = changed;
    format!("`{step}` wrote `{key}` into the context (version {version}): {}", value(past, written))
}

fn handled(done: &MessageHandled) -> String {
    match done.delivery {
        Some(_) => format!("`{}` handled message {}", done.receiver, done.number),
        None => format!("`{}` handled message {} for {}", done.step, done.number, done.receiver),
    }
}

/// A message, with whom it is for and what it says.
fn message_sent(past: &Past<'_>, sent: &MessageSent) -> String {
    let MessageSent { number, kind, to, step, .. } = sent;
    let says = value(past, &sent.body);
    match (&sent.by, sent.causation) {
        (Some(by), Some(again)) => {
            format!("{by} had message {again} sent again to {to}, as {number}: {says}")
        }
        _ if sent.delivery.is_some() => {
            format!("`{}` sent message {number} ({kind}) to {to}: {says}", sent.from)
        }
        _ => format!("`{step}` sent message {number} ({kind}) to {to}: {says}"),
    }
}

/// What was tried, and how that went.
fn tried(past: &Past<'_>, event: &RunEvent) -> (Option<StepId>, String) {
    let of = |step: &StepId, says: String| (Some(step.clone()), says);
    match event {
        RunEvent::AttemptStarted(began) => of(&began.step, attempt_began(past, began)),
        RunEvent::AttemptFailed(failed) => {
            let what = attempt(&failed.step, failed.purpose, failed.attempt);
            of(&failed.step, format!("{what} failed, {}", wrong(failed.code, &failed.message)))
        }
        RunEvent::AttemptLost(lost) => {
            let how = if lost.interrupted { "was stopped" } else { "died" };
            let what = attempt(&lost.step, lost.purpose, lost.attempt);
            of(&lost.step, format!("{what} was lost: the process that made it {how}"))
        }
        RunEvent::RetryScheduled(retry) => {
            let what = done_or_undone(retry.purpose);
            of(&retry.step, format!("`{}` is to be {what} again at {}", retry.step, moment(retry.at)))
        }
        RunEvent::FallbackEngaged(to) => {
            let (step, from, to) = (&to.step, &to.from, &to.to);
            of(step, format!("`{step}` went from agent {from}, which had failed for good, to {to}"))
        }
        _ => (None, String::new()),
    }
}

/// What happened to the run as a whole.
fn of_the_run(past: &Past<'_>, event: &RunEvent) -> String {
    match event {
        RunEvent::RunCompleted(done) => {
            let lesser = if done.degraded { ", with something left out or done in a lesser way" } else { "" };
            match &done.error {
                Some(error) => {
                    format!(
                        "the run completed, and its output cannot be told, {}",
                        wrong(error.code, &error.message)
                    )
                }
                None => format!("the run completed{lesser}: {}", value(past, &done.output)),
            }
        }
        RunEvent::RunFailed(failed) => {
            format!("the run failed{}, {}", inside(failed.step.as_ref()), wrong(failed.code, &failed.message))
        }
        RunEvent::RunStuck(stuck) => {
            format!("the run is stuck{}, {}", inside(stuck.step.as_ref()), wrong(stuck.code, &stuck.message))
        }
        RunEvent::RunCompensated(_) => "what the run did was undone".to_owned(),
        RunEvent::RunCancelled(_) => "the run was cancelled".to_owned(),
        RunEvent::RunPaused(paused) => {
            format!("{} paused the run{}", paused.by, because(paused.reason.as_deref()))
        }
        RunEvent::CancelRequested(cancel) => {
            let undone = if cancel.rollback { ", to be undone" } else { "" };
            format!("{} cancelled the run{undone}{}", cancel.by, because(cancel.reason.as_deref()))
        }
        RunEvent::RollbackStarted(rollback) => {
            let what = match &rollback.to {
                Some(to) => format!("what came after `{to}` began to be undone"),
                None => "what was done began to be undone".to_owned(),
            };
            match &rollback.cause {
                RollbackCause::Failure { step, code, message, .. } => {
                    format!("{what}, for a failure{}, {}", inside(step.as_ref()), wrong(*code, message))
                }
                RollbackCause::Cancel => format!("{what}, as the run was cancelled"),
                RollbackCause::Request { by, reason } => {
                    format!("{what}, as {by} wanted{}", because(reason.as_deref()))
                }
            }
        }
        // No other is ever looked for.
        _ => "something happened".to_owned(),
    }
}

/// Says how many attempts before one ended without success, that one among them.
pub(super) fn count_earlier(says: &mut String, event: &RunEvent, count: u32) {
    let before = says.split(" (before it").next().unwrap_or_default().to_owned();
    let others = if count == 1 { "another" } else { "others" };
    let last = match event {
        RunEvent::AttemptFailed(failed) => wrong(failed.code, &failed.message),
        _ => "lost".to_owned(),
    };
    *says =
        format!("{before} (before it {count} {others}; the first: {})", shortened(&last, VALUE_CHARS_MAX));
}

/// What was decided about a request, and for whom.
fn request_routed(routed: &RequestRouted) -> String {
    let RequestRouted { domain, category, complexity, confidence, strategy, agents, .. } = routed;
    let agents: Vec<String> = agents
        .iter()
        .take(ITEMS_NAMED_MAX)
        .map(|agent| format!("{} {}", agent.name, agent.score.number()))
        .collect();
    let fits =
        if agents.is_empty() { "nobody fits".to_owned() } else { format!("who fits: {}", agents.join(", ")) };
    let sure = confidence.percent();
    format!(
        "the request was taken for {category} about {domain}, complexity {complexity}, {sure} % sure; {fits}; {strategy}"
    )
}

fn run_began(began: &RunStarted) -> String {
    match &began.parent {
        Some(parent) => format!("the run began with what `{}` of run {} gave it", parent.step, parent.run),
        None => format!("the run of `{}` began", began.workflow),
    }
}

fn joined(added: &StepAdded) -> String {
    match (added.because, &added.inside) {
        (Because::Plan, Some(planner)) => {
            format!("the plan that `{planner}` answered added `{}`", added.step)
        }
        _ => format!("nothing of `{}` has begun", added.step),
    }
}

fn attempt_began(past: &Past<'_>, began: &AttemptStarted) -> String {
    let AttemptStarted { step, purpose, attempt: number, agent, .. } = began;
    let mut says = format!("{} began{}", attempt(step, *purpose, *number), by(agent));
    if let Some(work) = past.work(&began.input) {
        let command = command(&work);
        if !command.is_empty() {
            let _ = write!(says, ": {}", shortened_lines(command.trim_end(), WORK_CHARS_MAX));
        }
    }
    let used = past.used(step, *purpose);
    if !used.is_empty() {
        let used: Vec<String> = used.iter().map(used_value).collect();
        let _ = write!(says, " (used {})", used.join(", "));
    }
    says
}

fn used_value(used: &Used) -> String {
    match &used.value {
        Some(value) => format!("{} = {value}", used.path),
        None => used.path.clone(),
    }
}

/// What is done, as it was rendered: a command, a prompt, arguments.
pub fn command(work: &Work) -> String {
    match (&work.run, &work.prompt) {
        (Some(Command::Shell(text)), _) => text.clone(),
        (Some(Command::List(words)), _) => {
            words.iter().map(|word| for_shell(word)).collect::<Vec<_>>().join(" ")
        }
        (None, Some(prompt)) => prompt.clone(),
        (None, None) if work.with.is_null() => String::new(),
        (None, None) => work.with.text().to_owned(),
    }
}

fn completed(past: &Past<'_>, done: &StepCompleted) -> String {
    let lesser = if done.degraded { ", in a lesser way" } else { "" };
    let without = past.node(&done.step).and_then(|node| without(past, node)).unwrap_or_default();
    if let Some(wanted) = past.node(&done.step).and_then(|node| turns::wanted(past, node)) {
        return wanted;
    }
    let how = if done.cached { "took an earlier answer:" } else { "answered" };
    format!("`{}` {how}{lesser}{without} {}", done.step, value(past, &done.output))
}

fn taken(CacheHit { step, source, .. }: &CacheHit) -> String {
    let AnswerSource { run, step: of, version } = source;
    format!("`{step}` took what `{of}` of run {run} had answered, at its version {version}")
}

/// The items without which a fan-out answered; none where all have answered.
fn without(past: &Past<'_>, node: &Node) -> Option<String> {
    let is_fan_out = matches!(node.added.kind, StepKind::FanOut { .. });
    let failed = past
        .inside(node)
        .filter(|item| is_fan_out && has_failed(item))
        .map(|item| format!("`{}`", item.id()));
    let failed: Vec<String> = failed.collect();
    let named = failed.get(..ITEMS_NAMED_MAX).unwrap_or(&failed).join(", ");
    let more = match failed.len().saturating_sub(ITEMS_NAMED_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    (!failed.is_empty()).then(|| format!(", without {named}{more}, which failed,"))
}

fn left_out(skipped: &StepSkipped) -> String {
    let why = match skipped.reason {
        SkipReason::Condition | SkipReason::Dependency => "",
        SkipReason::Failure => "it failed, which is tolerated: ",
    };
    format!("`{}` was left out: {why}{}", skipped.step, message(&skipped.message))
}

fn step_failed(failed: &StepFailed) -> String {
    let what = match failed.handling {
        Handling::Tolerated => ", which is tolerated",
        Handling::Fails => "",
        Handling::FailsFast => ", and what ran was stopped",
    };
    format!("`{}` failed for good{what}, {}", failed.step, wrong(failed.code, &failed.message))
}

fn child_ended(ended: &ChildEnded) -> String {
    format!("the run of `{}`, {}, ended {}", ended.step, ended.run, ended.status)
}

fn time_over(past: &Past<'_>) -> String {
    let limit = past.run.about().and_then(|about| about.started.duration_limit_us);
    let limit =
        limit.map(|limit| format!(", which is {}", format_duration(std::time::Duration::from_micros(limit))));
    format!("the time of the run was over{}", limit.unwrap_or_default())
}

fn attempt(step: &StepId, purpose: Purpose, number: u32) -> String {
    match purpose {
        Purpose::Do => format!("attempt {number} at `{step}`"),
        Purpose::Compensate => format!("attempt {number} at undoing `{step}`"),
    }
}

const fn done_or_undone(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Do => "done",
        Purpose::Compensate => "undone",
    }
}

fn by(agent: &AgentName) -> String {
    format!(", by {agent}")
}

fn inside(step: Option<&StepId>) -> String {
    step.map(|step| format!(" in `{step}`")).unwrap_or_default()
}

fn because(reason: Option<&str>) -> String {
    reason.map(|reason| format!(": {}", message(reason))).unwrap_or_default()
}

fn until(expires: Option<Timestamp>) -> String {
    expires.map(|at| format!(", until {}", moment(at))).unwrap_or_default()
}

fn wrong(code: Code, text: &str) -> String {
    format!("{code}: {}", message(text))
}

/// A message on one line.
fn message(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    shortened(&lines.join(" / "), MESSAGE_CHARS_MAX).into_owned()
}

/// A value, as JSON; where it cannot be read, that.
fn value(past: &Past<'_>, payload: &Payload) -> String {
    match past.blobs.json(payload) {
        Ok(json) => shortened(json.text(), VALUE_CHARS_MAX).into_owned(),
        Err(_) => "(what cannot be read)".to_owned(),
    }
}

/// To the second.
fn moment(at: Timestamp) -> String {
    let text = at.to_string();
    text.split_once('.').map_or(text.clone(), |(seconds, _)| format!("{seconds}Z"))
}
