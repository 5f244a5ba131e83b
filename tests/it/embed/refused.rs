//! What a program does wrong, it is told as a type with a code.

use reenact::events::problem::Class;
use reenact::prelude::*;

use super::kit::{GATED, Turnstile, current_thread};

fn refusal(engine: reenact::api::engine::builder::Builder) -> Problem {
    current_thread(async { engine.start().await.err().expect("it starts") })
}

async fn nothing() -> Result<(), Failure> {
    Ok(())
}

#[test]
fn a_name_that_is_registered_twice_is_refused_in_whatever_spelling() {
    let problem = refusal(Engine::in_memory().function("pay", nothing).function("pay", nothing));
    assert_eq!((problem.code, problem.message.as_str()), (Code::AgentTwice, "`pay` is registered twice"));
    let undo = |_: Undo<u8>| nothing();
    let problem =
        refusal(Engine::in_memory().function("Pay-Out", nothing).compensation("pay_out_agent", undo));
    assert_eq!(problem.code, Code::AgentTwice, "{problem}");
    assert!(problem.message.contains("Pay-Out"), "{problem}");
}

#[test]
fn what_is_built_in_or_no_name_cannot_be_registered() {
    for name in ["shell", "Workflow", "", "a\nb"] {
        assert_eq!(refusal(Engine::in_memory().function(name, nothing)).code, Code::BadAgent, "{name}");
    }
}

#[test]
fn an_input_or_an_answer_that_does_not_fit_fails_the_step_and_is_never_tried_again() {
    current_thread(async {
        let engine = Engine::in_memory()
            .function("count", |number: u8| async move { Ok::<_, Failure>(number) })
            .function("keys", || async {
                Ok::<_, Failure>(std::collections::BTreeMap::from([((1, 2), "no text")]))
            });
        let engine = engine.start().await.unwrap();
        let step = |agent: &str| {
            RunSpec::text(format!("steps: [{{id: a, agent: {agent}, with: many, retry: {{attempts: 3}}}}]"))
        };
        for (agent, code) in [("count", Code::FunctionInput), ("keys", Code::FunctionFailed)] {
            let run = engine.run(step(agent)).await.unwrap();
            let Outcome::Failed(why) = run.outcome().await.unwrap() else { panic!("it does not fit") };
            assert_eq!(why.code, code, "{why}");
            if code == Code::FunctionInput {
                assert_eq!(why.class, Class::Validation);
                assert_eq!(run.status().await.unwrap().steps[0].attempts, 1);
            }
        }
    });
}

#[test]
fn a_run_that_is_not_there_is_told_by_whatever_is_asked_of_it() {
    current_thread(async {
        let engine = Turnstile::new().added_to(Engine::in_memory()).start().await.unwrap();
        let there = engine.run(RunSpec::text(GATED).id("alpha").unwrap()).await.unwrap();
        // The beginning of an id is enough for people, and not for a handle.
        for id in ["beta", "al"] {
            let run = engine.handle(&RunId::parse(id).unwrap());
            let refused = [
                run.outcome().await.map(drop),
                run.status().await.map(drop),
                run.pause().await.map(drop),
                run.signal("go", &1).await.map(drop),
                run.rollback_plan(None).await.map(drop),
                run.transcript("a", None).await.map(drop),
                run.events().next().await.unwrap().map(drop),
            ];
            for (place, refused) in refused.into_iter().enumerate() {
                assert_eq!(refused.unwrap_err().code, Code::UnknownRun, "{id} {place}");
            }
        }
        assert_eq!(
            engine.handle(&RunId::parse("beta").unwrap()).history(Version(0), 9).await.unwrap_err().code,
            Code::UnknownRun
        );
        assert_eq!(there.status().await.unwrap().status.text(), "running");
        assert_eq!(engine.find("al").await.unwrap().id().as_str(), "alpha");
    });
}

#[test]
fn an_outcome_that_is_awaited_while_the_engine_shuts_down_is_told_so_and_so_is_all_that_is_asked_later() {
    let (folder, gate) = (tempfile::tempdir().unwrap(), Turnstile::new());
    current_thread(async {
        let config = reenact::config::Config {
            shutdown: reenact::config::Shutdown { grace: std::time::Duration::ZERO },
            ..reenact::config::Config::built_in().unwrap()
        };
        let engine = gate.added_to(Engine::open(folder.path())).config(config).start().await.unwrap();
        let run = engine.run(RunSpec::text(GATED)).await.unwrap();
        let (outcome, down) = tokio::join!(run.outcome(), engine.shut_down());
        down.unwrap();
        assert_eq!(outcome.unwrap_err().code, Code::ShuttingDown);
        engine.shut_down().await.unwrap();
        for refused in [
            run.outcome().await.map(drop),
            run.status().await.map(drop),
            run.pause().await.map(drop),
            run.events().next().await.unwrap().map(drop),
            engine.run(RunSpec::text(GATED)).await.map(drop),
            engine.find("last").await.map(drop),
        ] {
            assert_eq!(refused.unwrap_err().code, Code::ShuttingDown);
        }
        // Nothing of it is lost.
        let engine = gate.added_to(Engine::open(folder.path())).start().await.unwrap();
        gate.open();
        let outcome = engine.handle(run.id()).outcome().await.unwrap();
        assert_eq!(outcome.output::<usize>().unwrap(), 2, "the second call");
        engine.shut_down().await.unwrap();
    });
}
