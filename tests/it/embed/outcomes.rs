//! What comes of runs, as types.

use reenact::prelude::*;
use reenact::views::presenters::outcome::Completed;

use super::kit::{Turnstile, current_thread, recorded};

const TWO: &str = "steps: [{id: a, agent: gated}, {id: b, agent: gated}]";

/// What comes of such a workflow, in an engine that can do, refuse and fail to undo.
async fn outcome(workflow: &str) -> (Engine, RunHandle, Outcome) {
    let engine = Engine::in_memory()
        .function("do", || async { Ok::<_, Failure>(1) })
        .function("refuse", || async {
            Err::<(), _>(Failure::new(Code::FunctionFailed, "no").class(Class::Validation))
        })
        .start()
        .await
        .unwrap();
    let run = engine.run(RunSpec::text(format!("name: w\n{workflow}"))).await.unwrap();
    let outcome = run.outcome().await.unwrap();
    (engine, run, outcome)
}

#[test]
fn a_run_that_completes_has_an_output_and_says_whether_it_is_degraded() {
    current_thread(async {
        let (_engine, _, good) =
            outcome("steps: [{id: a, agent: do}]\noutput: ['{{ steps.a.output }}', 2]").await;
        assert!(good.is_good());
        assert_eq!(good.output::<(u32, u32)>().unwrap(), (1, 2));
        let misfit = good.output::<String>().unwrap_err();
        assert_eq!(misfit.code, Code::OutputMisfit, "{misfit}");

        let (_engine, _, lesser) = outcome("steps: [{id: a, agent: refuse, optional: true}]").await;
        let Outcome::Completed(Completed { degraded: true, error: None, .. }) = &lesser else {
            panic!("{lesser:?}")
        };
        assert!(!lesser.is_good());
        lesser.output::<()>().unwrap();
    });
}

#[test]
fn a_long_output_is_whole() {
    current_thread(async {
        let text = "x".repeat(100_000);
        let engine =
            Engine::in_memory().function("echo", |text: String| async move { Ok::<_, Failure>(text) });
        let engine = engine.start().await.unwrap();
        let spec = RunSpec::text(
            "steps: [{id: e, agent: echo, with: '{{ input }}'}]\noutput: '{{ steps.e.output }}'",
        );
        let run = engine.run(spec.input(&text).unwrap()).await.unwrap();
        assert_eq!(run.outcome().await.unwrap().output::<String>().unwrap(), text);
    });
}

#[test]
fn a_run_that_fails_says_why_and_goes_on_when_it_is_retried() {
    current_thread(async {
        let (_engine, run, failed) = outcome("steps: [{id: a, agent: refuse}]\non_failure: stop").await;
        let Outcome::Failed(why) = &failed else { panic!("{failed:?}") };
        assert_eq!((why.code, why.message.as_str()), (Code::FunctionFailed, "no"));
        assert_eq!(failed.output::<u32>().unwrap_err(), *why);
        run.retry(None).await.unwrap();
        assert!(matches!(run.outcome().await.unwrap(), Outcome::Failed(_)));
        assert_eq!(run.status().await.unwrap().steps[0].attempts, 2);
        run.rollback(None).await.unwrap();
        assert!(matches!(run.outcome().await.unwrap(), Outcome::Compensated(None)));
    });
}

#[test]
fn a_run_that_cannot_be_undone_is_stuck_until_somebody_settles_it() {
    current_thread(async {
        let stuck = "steps:
  - {id: a, agent: do, compensate: {agent: refuse}}
  - {id: b, agent: refuse}";
        let (_engine, run, stuck) = outcome(stuck).await;
        assert!(
            matches!(&stuck, Outcome::Stuck(why) if why.step.as_ref().unwrap().as_str() == "a"),
            "{stuck:?}"
        );
        let unreasoned = run.resolve("a", reenact::events::run::Resolution::Done).await.unwrap_err();
        assert_eq!(unreasoned.code, Code::Usage);
        run.clone().because("by hand").resolve("a", reenact::events::run::Resolution::Done).await.unwrap();
        assert!(matches!(run.outcome().await.unwrap(), Outcome::Compensated(Some(_))));
    });
}

#[test]
fn a_run_that_people_are_asked_about_waits_and_goes_on_by_itself_when_they_answer() {
    current_thread(async {
        let asks = "steps: [{id: a, agent: do, approve: before}]\noutput: '{{ steps.a.output }}'";
        let (_engine, run, waiting) = outcome(asks).await;
        let Outcome::Waiting(waits) = &waiting else { panic!("{waiting:?}") };
        assert_eq!((waits[0].kind.as_str(), waits[0].step.as_str()), ("approval", "a"));
        assert_eq!(waiting.output::<u32>().unwrap_err().code, Code::NotCompleted);
        run.clone().by("ada").approve("a").await.unwrap();
        // Nobody waits for its outcome.
        assert_eq!(recorded(&run, "approval_granted").await["by"], "ada");
        recorded(&run, "run_completed").await;

        let (_engine, run, _) = outcome(asks).await;
        run.reject("a", "not today").await.unwrap();
        let Outcome::Failed(why) = run.outcome().await.unwrap() else { panic!("it was refused") };
        assert!(why.message.contains("not today"), "{why}");
    });
}

#[test]
fn a_run_is_paused_goes_on_and_is_cancelled() {
    current_thread(async {
        let gate = Turnstile::new();
        let engine = gate.added_to(Engine::in_memory()).start().await.unwrap();
        let spec = RunSpec::text(TWO).until("a");
        let run = engine.run(spec).await.unwrap();
        gate.open();
        assert!(matches!(run.outcome().await.unwrap(), Outcome::Paused { rolled_back_to: None }));
        run.unpause().await.unwrap();
        run.clone().because("enough").cancel().await.unwrap();
        let cancelled = run.outcome().await.unwrap();
        assert!(matches!(cancelled, Outcome::Cancelled), "{cancelled:?}");
        assert_eq!(recorded(&run, "cancel_requested").await["reason"], "enough");

        let run = engine.run(RunSpec::text(TWO)).await.unwrap();
        recorded(&run, "attempt_started").await;
        run.pause().await.unwrap();
        gate.open();
        assert!(matches!(run.outcome().await.unwrap(), Outcome::Paused { .. }));
        run.cancel_with_rollback().await.unwrap();
        let undone = run.outcome().await.unwrap();
        assert!(matches!(undone, Outcome::Compensated(None)), "{undone:?}");
    });
}
