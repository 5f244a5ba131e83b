//! Functions send each other messages, and handle them with the attempts at their steps.

use reenact::prelude::*;
use serde::{Deserialize, Serialize};

use super::kit::current_thread;
use crate::support::Sandbox;

#[derive(Serialize, Deserialize)]
struct Quote {
    item: String,
    euros: u32,
}

const DEAL: &str = "
name: deal
steps:
  - {id: ask, agent: buyer}
  - {id: offer, agent: seller, retry: {attempts: 2, initial: 1ms}}
  - {id: decide, agent: buyer}
output: '{{ steps.decide.output }}'
";

#[test]
fn a_function_answers_what_another_asked_it_and_what_an_attempt_sent_that_failed_is_not_sent() {
    let sandbox = Sandbox::new();
    current_thread(async {
        let buyer = |call: FunctionCall| async move {
            if let [answer] = call.messages() {
                let quote: Quote = answer.read()?;
                return Ok(format!("{} for {} euros", quote.item, quote.euros));
            }
            let ask = Outgoing::to("seller", MessageKind::Request).correlation("tea").body("tea")?;
            call.send(ask.priority(Priority::High));
            Ok::<_, Failure>("asked".to_owned())
        };
        let seller = |call: FunctionCall| async move {
            let [asked] = call.messages() else { return Err(Failure::validation("it is asked once")) };
            let quote = Quote { item: asked.read()?, euros: call.task.attempt };
            let answer =
                Outgoing::to(asked.from.as_str(), MessageKind::Response).type_name("Quote").body(&quote)?;
            call.send(answer.correlation(asked.correlation.as_deref().unwrap_or_default()));
            if call.task.attempt == 1 { Err(Failure::transient("not yet")) } else { Ok(()) }
        };
        let engine = Engine::open(sandbox.data());
        let engine = engine.function("buyer", move |_: serde_json::Value, call: FunctionCall| buyer(call));
        let engine = engine.function("seller", move |_: serde_json::Value, call: FunctionCall| seller(call));
        let engine = engine.start().await.unwrap();
        let run = engine.run(RunSpec::text(DEAL).id("d").unwrap()).await.unwrap();
        assert_eq!(run.outcome().await.unwrap().output::<String>().unwrap(), "tea for 2 euros");
        engine.shut_down().await.unwrap();
    });
    let shown = sandbox.reenact(&["--json", "messages", "d"]).json_lines();
    let told: Vec<_> = shown.iter().map(|message| (&message["state"], &message["causation"])).collect();
    assert_eq!(told, [(&"handled".into(), &serde_json::Value::Null), (&"handled".into(), &"d/1".into())]);
    assert_eq!(shown[1]["type_name"], "Quote");
}
