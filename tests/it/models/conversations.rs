//! Models that go on with a conversation: what they are told of it, and what is recorded of that.

use serde_json::{Value, json};

use super::{KINDS, Machine};
use crate::support::provider::Does;

const TWO: &str = "name: two\nsteps:\n  - {id: a, agent: writer, prompt: 'Why is it red?', conversation: review}\n  \
    - {id: b, agent: writer, prompt: 'And now?', conversation: review}\n";

/// What a provider was asked, as one text for each message, whatever its format.
fn messages(body: &Value) -> Vec<String> {
    let text = |content: &Value| match content {
        Value::String(text) => text.clone(),
        parts => {
            let parts = parts.as_array().into_iter().flatten();
            parts.filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join("|")
        }
    };
    let told =
        |message: &Value| format!("{}: {}", message["role"].as_str().unwrap(), text(&message["content"]));
    let system = body["system"].as_str().map(|system| format!("system: {system}"));
    let all = body["messages"].as_array().unwrap().iter().map(told);
    system.into_iter().chain(all).collect()
}

#[test]
fn a_model_is_told_the_conversation_before_the_prompt_of_its_step() {
    for kind in KINDS {
        let machine = Machine::new(kind);
        machine.sandbox.write("two.yaml", TWO);
        let add = |text: &str, role: &str| {
            machine.sandbox.json(0, &["conversation", "add", "review", text, "--role", role]);
        };
        add("Be brief.", "system");
        add("The linker failed.", "tool");
        machine.provider.then([Does::says("Because of the linker."), Does::says("Green.")]);
        machine.run(0, &["two.yaml", "--id", "r"]);
        let asked = messages(&machine.provider.bodies()[1]);
        let wanted = [
            "system: You write short texts.\n\nBe brief.",
            "user: A program answered:\nThe linker failed.",
            "user: Why is it red?",
            "assistant: Because of the linker.",
            "user: And now?",
        ];
        assert_eq!(asked, wanted, "{kind}");
        // What was said before stands in the run by its turns, and not once more with each call.
        let calls = machine.sandbox.events("r", "model_called");
        assert_eq!(calls[1]["data"]["messages"].as_array().unwrap().len(), 1, "{kind}");
        let turns = machine.sandbox.json(0, &["conversation", "turns", "review"]);
        let last = turns["turns"].as_array().unwrap().last().unwrap().clone();
        assert_eq!(
            (&last["role"], &last["name"], &last["content"]),
            (&json!("assistant"), &json!("writer"), &json!("Green."))
        );
    }
}
