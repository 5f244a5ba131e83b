//! Answers that were written down before, given in place of a model or a program.

use std::sync::Arc;

use async_trait::async_trait;

use super::subprocess::{mask, protocol};
use super::{Context, Executor, Failure, Output, Stop, Task, now};
use crate::events::ids::AgentName;
use crate::events::problem::Code;
use crate::events::time::Timestamp;
use crate::workflow::script::{Says, Script, ScriptQuery, ScriptedAnswer};
use crate::workflow::work::{Transcript, Written};

/// How many characters of a prompt a failure quotes.
const QUOTED_CHARS_MAX: usize = 80;

/// Gives the answers that a script holds.
#[derive(Debug, Clone)]
pub struct ScriptedExecutor {
    script: Arc<Script>,
}

impl ScriptedExecutor {
    /// An executor for an agent with this script.
    pub fn new(script: Script) -> Self {
        Self { script: Arc::new(script) }
    }

    /// Whether the script has an answer for this attempt.
    pub(super) fn answers(&self, task: &Task) -> bool {
        self.script.answer(&query(task)).is_some()
    }
}

#[async_trait]
impl Executor for ScriptedExecutor {
    async fn execute(&self, task: Task, context: Context) -> Result<Output, Failure> {
        let prompt = task.work.prompt.as_deref();
        let answer = self.script.answer(&query(&task)).ok_or_else(|| no_answer(&task))?;
        let started_at = now();
        let result = match delayed(answer, &context).await {
            Ok(()) => says(answer, &task.agent, &context).and_then(|(output, stdout)| match &task.turn {
                Some(turn) => Ok((turn.answered(output)?, stdout)),
                None => Ok((output, stdout)),
            }),
            Err(why) => Err(Failure::stopped(why)),
        };
        let transcript = |stdout| Some(transcript(prompt, stdout, started_at).to_json());
        match result {
            Ok((output, stdout)) => Ok(Output { transcript: transcript(stdout), ..output }),
            Err(failure) => Err(Failure { transcript: transcript(String::new()), ..failure }),
        }
    }
}

fn query(task: &Task) -> ScriptQuery<'_> {
    let (step, agent, prompt) = (&task.step, &task.agent, task.work.prompt.as_deref());
    ScriptQuery { step, agent, attempt: task.attempt, purpose: task.purpose, prompt }
}

async fn delayed(answer: &ScriptedAnswer, context: &Context) -> Result<(), Stop> {
    if answer.delay().is_zero() {
        return Ok(());
    }
    tokio::select! {
        biased;
        () = tokio::time::sleep(answer.delay()) => Ok(()),
        why = context.stopped() => Err(why),
    }
}

/// What an answer says, and the text of it that a program would have written.
fn says(answer: &ScriptedAnswer, agent: &AgentName, context: &Context) -> Result<(Output, String), Failure> {
    match &answer.says {
        Says::Output(output) => Ok((Output { output: output.clone(), ..Output::default() }, String::new())),
        Says::Stdout(text) => {
            let said = mask::of_text(text).map_err(|much| much.failure(agent))?;
            let progress = said.lines().filter_map(|line| protocol::progress(line.as_bytes()));
            progress.for_each(|shown| drop(context.progress.send_replace(shown)));
            Ok((protocol::output(said.as_bytes())?, said))
        }
        Says::Fail { class, message } => {
            Err(Failure::new(Code::ScriptedFailure, message.clone()).class(*class))
        }
    }
}

fn transcript(prompt: Option<&str>, stdout: String, started_at: Timestamp) -> Transcript {
    let stdout = Written::Text(stdout);
    let prompt = prompt.map(str::to_owned);
    Transcript { prompt, stdout, started_at, ended_at: now(), ..Transcript::default() }
}

fn no_answer(task: &Task) -> Failure {
    let Task { agent, step, attempt, purpose, work, .. } = task;
    let prompt = match work.prompt.as_deref() {
        Some(prompt) => {
            let start: String = prompt.chars().take(QUOTED_CHARS_MAX).collect();
            let more = if start.len() < prompt.len() { "…" } else { "" };
            format!(", prompt `{}{more}`", start.escape_debug())
        }
        None => String::new(),
    };
    let purpose = purpose.text();
    let message = format!(
        "the script of agent `{agent}` has no answer that fits: step `{step}`, attempt {attempt}, purpose {purpose}{prompt}"
    );
    Failure::new(Code::NoAnswer, message)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tokio::sync::watch;

    use super::*;
    use crate::events::ids::{Fence, RunId, StepId};
    use crate::events::problem::Class;
    use crate::events::run::Purpose;
    use crate::executors::Progress;
    use crate::workflow::parse::script;
    use crate::workflow::work::Work;

    fn executor(text: &str) -> ScriptedExecutor {
        ScriptedExecutor::new(script(text, "script.yaml").unwrap())
    }

    fn task(step: &str, attempt: u32, prompt: Option<&str>) -> Task {
        Task {
            run: RunId::parse("r").unwrap(),
            step: StepId::grown(step),
            attempt,
            generation: 1,
            fence: Fence(1),
            idempotency_key: "key".into(),
            purpose: Purpose::Do,
            agent: AgentName::new("mock"),
            work_folder: "/".into(),
            work: Work { prompt: prompt.map(str::to_owned), ..Work::default() },
            compensates: None,
            context: Default::default(),
            contexts: Default::default(),
            conversation: None,
            locks: Default::default(),
            messages: Vec::new(),
            schema: None,
            turn: None,
            nth: 1,
            within: None,
        }
    }

    fn context() -> (Context, watch::Sender<Option<Stop>>, watch::Receiver<Progress>) {
        let (stop, stopped) = watch::channel(None);
        let (progress, seen) = watch::channel(Progress::default());
        (Context::new(stopped, progress), stop, seen)
    }

    #[tokio::test]
    async fn what_is_written_for_stdout_means_what_it_would_from_a_program() {
        let script = "- stdout: |\n    ARTIFACT: a.txt\n    PROGRESS: 40 half\n    {\"n\": 1}\n";
        let (context, _stop, progress) = context();
        let output = executor(script).execute(task("a", 1, Some("go")), context).await.unwrap();
        assert_eq!((output.output.text(), output.artifacts), ("{\"n\": 1}", vec!["a.txt".to_owned()]));
        assert_eq!(progress.borrow().percent, 40);
        let said: Transcript = serde_json::from_str(output.transcript.unwrap().text()).unwrap();
        assert_eq!(said.prompt.as_deref(), Some("go"));
        assert!(said.stdout.bytes().starts_with(b"ARTIFACT"));
    }

    #[tokio::test]
    async fn a_failure_has_the_class_that_is_written() {
        let script = "- {attempt: 1, fail: {class: transient, message: not yet}}\n- output: 7\n";
        let failure = executor(script).execute(task("a", 1, None), context().0).await.unwrap_err();
        assert_eq!((failure.class, failure.message.as_str()), (Class::Transient, "not yet"));
        assert_eq!(failure.code, Code::ScriptedFailure);
        let output = executor(script).execute(task("a", 2, None), context().0).await.unwrap();
        assert_eq!(output.output.text(), "7");
    }

    #[tokio::test]
    async fn what_the_script_does_not_know_is_told_by_name() {
        let long = "please ".repeat(50);
        let failure =
            executor("- {step: b, output: 1}").execute(task("c[0]", 3, Some(&long)), context().0).await;
        let failure = failure.unwrap_err();
        assert_eq!((failure.code, failure.class), (Code::NoAnswer, Class::Validation));
        for word in ["`mock`", "`c[0]`", "attempt 3", "purpose do", "`please please", "…`"] {
            assert!(failure.message.contains(word), "{word}: {}", failure.message);
        }
        assert!(failure.message.len() < 250);
    }

    #[tokio::test]
    async fn an_answer_that_takes_time_can_be_stopped() {
        let executor = executor("- {attempt: 1, delay: 1h, output: 1}\n- {delay: 1ms, output: 2}");
        let (first, stop, _) = context();
        let mut attempt = executor.execute(task("a", 1, None), first);
        assert!(attempt.as_mut().now_or_never().is_none());
        stop.send_replace(Some(Stop::TimedOut));
        assert_eq!(attempt.await.unwrap_err().code, Code::TimedOut);
        let output = executor.execute(task("a", 2, None), context().0).await.unwrap();
        assert_eq!(output.output.text(), "2");
    }
}
