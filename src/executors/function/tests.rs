use std::sync::Arc;

use serde_json::json;
use tokio::sync::watch;

use super::*;
use crate::events::ids::{Fence, RunId, StepId};
use crate::events::problem::Class;
use crate::events::run::Purpose;
use crate::executors::mask::Masks;
use crate::executors::{AgentDefinition, ExecutorKind, Executors, Stop, subprocess};
use crate::workflow::work::Work;

fn task(with: &serde_json::Value) -> Task {
    Task {
        run: RunId::parse("r1").unwrap(),
        step: StepId::parse("s").unwrap(),
        attempt: 1,
        generation: 1,
        fence: Fence(1),
        idempotency_key: "key".into(),
        purpose: Purpose::Do,
        agent: AgentName::new("adder"),
        work_folder: Arc::from("/"),
        work: Work { with: Json::from(with), ..Work::default() },
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

struct Held {
    stop: watch::Sender<Option<Stop>>,
    progress: watch::Receiver<Progress>,
}

fn context() -> (Context, Held) {
    let (stop, stopped) = watch::channel(None);
    let (progress, seen) = watch::channel(Progress::default());
    (Context::new(stopped, progress), Held { stop, progress: seen })
}

fn only<F, R, O>(function: F) -> Arc<dyn Executor>
where
    F: Fn(FunctionCall) -> R + Send + Sync + 'static,
    R: Future<Output = Result<O, Failure>> + Send + 'static,
    O: Serialize,
{
    let functions = Functions::default();
    functions.register("adder", function);
    functions.executor(&AgentName::new("adder")).unwrap()
}

#[tokio::test]
async fn what_a_function_answers_is_the_output() {
    let executor = only(async |call: FunctionCall| {
        call.progress(200, "adding");
        let (left, right): (i64, i64) = call.input()?;
        Ok(json!({ "sum": left + right }))
    });
    let (context, held) = context();
    let output = executor.execute(task(&json!([2, 3])), context).await.unwrap();
    assert_eq!(output.output.text(), r#"{"sum":5}"#);
    assert_eq!(held.progress.borrow().percent, 100);
}

#[tokio::test]
async fn a_failure_keeps_its_class() {
    let executor = only(async |_| {
        Err::<(), _>(Failure::new(Code::FunctionFailed, "no network").class(Class::Transient))
    });
    let failure = executor.execute(task(&json!(null)), context().0).await.unwrap_err();
    assert_eq!((failure.class, failure.message.as_str()), (Class::Transient, "no network"));
}

#[tokio::test]
async fn input_that_does_not_fit_is_never_tried_again() {
    let executor = only(async |call: FunctionCall| call.input::<u32>());
    let failure = executor.execute(task(&json!("three")), context().0).await.unwrap_err();
    assert_eq!((failure.code, failure.class), (Code::FunctionInput, Class::Validation));
}

#[tokio::test]
async fn a_function_that_is_told_to_stop_is_dropped() {
    let (entered, mut inside) = watch::channel(false);
    let executor = only(move |_| {
        entered.send_replace(true);
        std::future::pending::<Result<(), Failure>>()
    });
    let (context, held) = context();
    let attempt = tokio::spawn(async move { executor.execute(task(&json!(null)), context).await });
    inside.wait_for(|inside| *inside).await.unwrap();
    held.stop.send_replace(Some(Stop::TimedOut));
    let end = tokio::time::timeout(std::time::Duration::from_secs(60), attempt).await.expect("it goes on");
    assert_eq!(end.unwrap(), Err(Failure::stopped(Stop::TimedOut)));
}

#[test]
fn functions_are_found_in_every_spelling_and_a_later_one_replaces() {
    let functions = Functions::default();
    functions.register("dns-specialist", async |_| Ok(1));
    functions.register("DNS specialist", async |_| Ok(2));
    assert_eq!(functions.names(), [AgentName::new("DNS specialist")]);
    assert!(functions.executor(&AgentName::new("dns_specialist_agent")).is_ok());
    let problem = functions.executor(&AgentName::new("dns-spezialist")).err().unwrap();
    assert_eq!(
        (problem.code, &*problem.remedies.plain()),
        (Code::UnknownFunction, "did you mean `DNS specialist`?")
    );
}

#[tokio::test]
async fn a_function_that_says_nothing_leaves_no_transcript() {
    let executor = only(async |_: FunctionCall| Ok(1));
    let output = executor.execute(task(&json!(null)), context().0).await.unwrap();
    assert_eq!(output.transcript, None);
}

#[tokio::test]
async fn what_a_function_was_asked_and_said_is_kept_also_when_it_is_stopped() {
    let executor = only(async |call: FunctionCall| {
        call.say("thinking");
        call.say("still thinking");
        std::future::pending::<Result<(), Failure>>().await
    });
    let (context, held) = context();
    let mut asked = task(&json!(null));
    asked.work.prompt = Some("think".to_owned());
    let mut attempt = executor.execute(asked, context);
    assert!(attempt.as_mut().now_or_never().is_none());
    held.stop.send_replace(Some(Stop::TimedOut));
    let failure = attempt.await.unwrap_err();
    let said: Transcript = serde_json::from_str(failure.transcript.unwrap().text()).unwrap();
    assert_eq!(said.prompt.as_deref(), Some("think"));
    assert_eq!(said.stdout, Written::Text("thinking\nstill thinking\n".to_owned()));
}

#[test]
fn what_a_function_says_has_a_bound() {
    let mut said = Said::default();
    (0..3).for_each(|_| said.push(&"x".repeat(OUTPUT_BYTES_MAX / 2)));
    assert_eq!((said.kept.len(), said.cut), (OUTPUT_BYTES_MAX, OUTPUT_BYTES_MAX as u64 / 2 + 3));
}

/// It tells what it was not to tell in each way that it has.
#[tokio::test]
async fn what_a_function_tells_is_masked() {
    let executors = Executors {
        subprocess: Arc::new(subprocess::Options {
            masks: Masks::default().and([("TOKEN", &b"s3cret"[..])]),
            ..subprocess::Options::default()
        }),
        ..Executors::default()
    };
    executors.functions.register("teller", async |call: FunctionCall| {
        call.progress(50, "with s3cret");
        call.say("said s3cret");
        tokio::task::yield_now().await;
        match call.task.step.as_str() {
            "panics" => panic!("no s3cret"),
            "fails" => Err(Failure::validation("bad s3cret")),
            _ => Ok(json!({ "s3cret": ["s3cret"] })),
        }
    });
    let definition = AgentDefinition {
        executor: ExecutorKind::Function,
        ..AgentDefinition::named(AgentName::new("teller"))
    };
    let executor = executors.of(&definition).unwrap();
    let call = async |step: &str| {
        let (context, held) = context();
        let task = Task { step: StepId::parse(step).unwrap(), ..task(&json!({})) };
        let result = executor.execute(task, context).await;
        assert_eq!(held.progress.borrow().text, "with [TOKEN]");
        let told = format!("{result:?}");
        assert!(!told.contains("s3cret"), "{told}");
        result
    };
    let output = call("answers").await.unwrap();
    assert_eq!(output.output.value(), json!({ "[TOKEN]": ["[TOKEN]"] }));
    assert!(output.transcript.unwrap().text().contains("said [TOKEN]"));
    assert_eq!(call("fails").await.unwrap_err().message, "bad [TOKEN]");
    assert_eq!(call("panics").await.unwrap_err().message, "it panicked: no [TOKEN]");
}
