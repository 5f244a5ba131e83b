//! Functions that hand over, and how often who did.

use reenact::prelude::*;
use reenact::workflow::handoff::HandedWork;
use serde_json::{Value, json};

use super::kit::current_thread;

const FILE: &str =
    "name: w\nsteps: [{id: s, agent: first, with: {n: 1}, prompt: count}]\noutput: '{{ steps.s.output }}'";

async fn engine() -> Engine {
    let engine = Engine::in_memory()
        .function("first", |given: Value, call: FunctionCall| async move {
            let n = given["n"].as_i64().unwrap_or_default();
            match n {
                0 => call.hand_off("second", " ", &json!({"n": n}))?,
                _ => call.hand_off(
                    "Second-Agent",
                    "it counts on",
                    &json!({"n": n + 1, "deep": {"list": [1.50]}}),
                )?,
            }
            Ok::<_, Failure>("one")
        })
        .function("second", |told: HandedWork| async move {
            assert_eq!(told.task.as_deref(), Some("count"));
            assert_eq!(told.work[0].output.as_ref().map(|output| output.text()), Some("\"one\""));
            assert_eq!(told.context.text(), "{\"n\":2,\"deep\":{\"list\":[1.5]}}");
            Ok::<_, Failure>(told.context.value()["n"].as_i64())
        });
    engine.start().await.unwrap()
}

async fn counts_on(engine: &Engine) {
    let run = engine.run(RunSpec::text(FILE)).await.unwrap();
    assert_eq!(run.outcome().await.unwrap().output::<u32>().unwrap(), 2);
}

#[test]
fn a_function_hands_over_what_it_knows_as_it_is() {
    current_thread(async {
        let engine = engine().await;
        counts_on(&engine).await;
        let refused = engine.run(RunSpec::text(FILE.replace("n: 1", "n: 0"))).await.unwrap();
        let Outcome::Failed(failed) = refused.outcome().await.unwrap() else { panic!("it has no reason") };
        assert_eq!(failed.code, Code::BadHandoff, "{failed:?}");
    });
}

#[test]
fn how_often_who_handed_over_to_whom_is_counted_over_all_runs() {
    current_thread(async {
        let engine = engine().await;
        assert_eq!(engine.handoffs().await.unwrap(), []);
        for _ in 0..3 {
            counts_on(&engine).await;
        }
        let counted = engine.handoffs().await.unwrap();
        let [row] = counted.as_slice() else { panic!("{counted:?}") };
        assert_eq!((row.from.as_str(), row.to.as_str(), row.count), ("first", "second", 3));
        assert_eq!(row.last_reason, "it counts on");
        engine.run(RunSpec::text(FILE)).await.unwrap().outcome().await.unwrap();
        assert_eq!(
            engine.handoffs().await.unwrap()[0].count,
            4,
            "what was counted before is not counted again"
        );
    });
}
