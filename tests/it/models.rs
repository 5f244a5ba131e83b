//! Agents that are models, asked over both formats: `failures` what goes wrong with a call, `crashes` what a process that dies
//! leaves, `settings` how models are configured and named, `tools` what they have done by tools, `plans` that they plan, `clients` that the provider of
//! these tests is one to the providers' own clients.

mod clients;
mod conversations;
mod crashes;
mod failures;
mod plans;
mod settings;
mod tools;

use std::process::Command;

use serde_json::{Value, json};

use crate::support::provider::{Does, KEY, Provider, TOKENS, USUAL};
use crate::support::{Ended, Sandbox, wait_until};

/// Both formats, by what the configuration calls them.
const KINDS: [&str; 2] = ["openai", "anthropic"];

/// An agent that is a model, and a step for it.
const WRITER: &str = "---\nname: writer\ndescription: Writes\n---\nYou write short texts.\n";
const ONE: &str = "name: one\non_failure: stop\nsteps:\n  - {id: draft, agent: writer, prompt: 'Write about {{ input.topic }}.', with: {words: 3}}\n";

/// A machine with a model of a provider that speaks this format.
struct Machine {
    sandbox: Sandbox,
    provider: Provider,
}

impl Machine {
    fn new(kind: &str) -> Self {
        Self::with(kind, "")
    }

    /// The same, with more in its configuration.
    fn with(kind: &str, more: &str) -> Self {
        let (sandbox, provider) = (Sandbox::new(), Provider::new());
        sandbox.write("agents/writer.md", WRITER);
        sandbox.write("one.yaml", ONE);
        sandbox.configure(&format!("{}{more}", provider.configuration(kind)));
        Self { sandbox, provider }
    }

    /// The binary with these arguments, and the key.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.sandbox.command(arguments);
        command.env("LOCAL_KEY", KEY);
        command
    }

    fn reenact(&self, arguments: &[&str]) -> Ended {
        self.sandbox.start(self.command(arguments)).wait()
    }

    /// Runs the one step, which ends with that code: the report of the run.
    fn one(&self, code: i32, further: &[&str]) -> Value {
        self.run(code, &[&["one.yaml", "--input", "topic=tea", "--id", "r"], further].concat())
    }

    fn run(&self, code: i32, arguments: &[&str]) -> Value {
        let ended = self.reenact(&[&["--json", "run"], arguments].concat());
        assert_eq!(ended.code(), Some(code), "{ended}");
        ended.json()
    }

    /// The calls that are recorded of a run.
    fn calls(&self, run: &str) -> Vec<Value> {
        let ended = self.reenact(&["--json", "history", run, "--type", "model_called", "--full"]);
        assert_eq!(ended.code(), Some(0), "{ended}");
        ended.json_lines().into_iter().map(|event| event["data"].clone()).collect()
    }
}

/// What the calls of a test cost, in billionths of a dollar: by the prices of `Provider::configuration`.
fn cost(calls: u64) -> u64 {
    let (input, cached, output) = TOKENS;
    // 0.5, 0.05 and 2.0 USD per million tokens.
    calls * ((input - cached) * 500 + cached * 50 + output * 2_000)
}

#[test]
fn a_model_does_a_step_and_all_of_the_call_is_recorded() {
    for kind in KINDS {
        let machine = Machine::new(kind);
        let report = machine.one(0, &[]);
        assert_eq!(report["steps"][0]["output"], json!({ "stdout": USUAL }), "{kind}");
        assert_eq!(report["steps"][0]["summary"], USUAL, "{kind}");
        let (input, cached, output) = TOKENS;
        let usd = cost(1) as f64 / 1e9;
        let usage = json!({ "calls": 1, "input_tokens": input, "output_tokens": output, "usd": usd });
        assert_eq!((&report["usage"], &report["steps"][0]["usage"]), (&usage, &usage), "{kind}");
        let [call] = machine.calls("r").try_into().unwrap();
        let of_call = |key: &str| call[key].clone();
        assert_eq!(of_call("provider"), "local");
        assert_eq!((of_call("model"), of_call("id")), ("small".into(), "small-1".into()));
        assert_eq!(
            (of_call("turn"), of_call("attempt"), of_call("step")),
            (1.into(), 1.into(), "draft".into())
        );
        assert_eq!(
            of_call("tokens"),
            json!({ "input": input, "output": output, "cached": cached }),
            "{kind}"
        );
        assert_eq!(of_call("usd_nanos"), cost(1));
        assert_eq!(of_call("system"), "You write short texts.");
        assert_eq!(of_call("request_id"), "req_stream");
        let [asked] = of_call("messages").as_array().unwrap().clone().try_into().unwrap();
        assert_eq!(asked["role"], "user");
        assert_eq!(asked["content"][0], json!({ "type": "text", "text": "Write about tea." }));
        assert!(asked["content"][1]["text"].as_str().unwrap().contains("{\"words\":3}"), "{asked}");
        let said = json!({ "role": "assistant", "content": [{ "type": "text", "text": USUAL }] });
        assert_eq!(of_call("answer"), said);
        assert!(of_call("latency_us").as_u64().unwrap() >= of_call("first_us").as_u64().unwrap());
        // It stands in the commit of what the attempt came to.
        let types: Vec<_> = machine.sandbox.history("r").iter().map(|event| event["type"].clone()).collect();
        let at = types.iter().position(|kind| kind == "model_called").unwrap();
        assert_eq!(types[at + 1], "step_completed");
    }
}

#[test]
fn each_format_is_asked_as_its_provider_wants_it() {
    let machine = Machine::new("openai");
    machine.one(0, &["--set", "agents.writer.temperature=0.3", "--set", "agents.writer.max_tokens=50"]);
    let [body] = machine.provider.bodies().try_into().unwrap();
    assert_eq!(body["messages"][0], json!({ "role": "system", "content": "You write short texts." }));
    assert_eq!(body["messages"][1]["role"], "user");
    assert!(body["messages"][1]["content"].as_str().unwrap().starts_with("Write about tea."));
    assert_eq!((&body["model"], &body["max_tokens"]), (&json!("small-1"), &json!(50)));
    assert_eq!((&body["temperature"], &body["stream"]), (&json!(0.3), &json!(true)));
    let machine = Machine::new("anthropic");
    machine.one(0, &[]);
    let [body] = machine.provider.bodies().try_into().unwrap();
    assert_eq!(body["system"], "You write short texts.");
    assert_eq!(body["messages"][0]["content"][0]["text"], "Write about tea.");
    assert!(body["max_tokens"].as_u64().unwrap() > 0 && body.get("temperature").is_none(), "{body}");
    assert_eq!(machine.provider.header("anthropic-version").as_deref(), Some("2026-10-21"));
    let bearer = format!("Bearer {KEY}");
    assert_eq!(machine.provider.header("authorization").as_deref(), Some(&*bearer));
    // The newer version takes no temperature, the one before does.
    machine
        .run(0, &["one.yaml", "--input", "topic=tea", "--id", "s", "--set", "agents.writer.temperature=0.3"]);
    assert_eq!(machine.provider.header("anthropic-version").as_deref(), Some("2023-06-01"));
    assert_eq!(machine.provider.bodies()[1]["temperature"], 0.3);
}

#[test]
fn what_a_model_answers_means_what_it_would_from_any_agent() {
    for kind in KINDS {
        let machine = Machine::new(kind);
        machine.sandbox.write(
            "two.yaml",
            "name: two\nsteps:\n  - {id: a, agent: writer, prompt: Go}\n  - {id: b, agent: writer, prompt: 'It is {{ steps.a.output.n }}'}\n",
        );
        let text = "CONTEXT colour=\"green\"\nPROGRESS: 40 half\n{\"n\": 12345678901234567890, \"summary\": \"Done.\"}\n";
        machine.provider.then([Does::says(text), Does::SaysAtOnce("as a whole".to_owned())]);
        let report = machine.run(0, &["two.yaml", "--id", "r"]);
        assert_eq!(report["steps"][0]["output"]["n"].to_string(), "12345678901234567890", "{kind}");
        assert_eq!(report["steps"][0]["summary"], "Done.");
        assert_eq!(report["steps"][1]["output"]["stdout"], "as a whole", "{kind}");
        let second = &machine.provider.bodies()[1].to_string();
        assert!(second.contains("It is 12345678901234567890") && second.contains("green"), "{second}");
    }
}

#[test]
fn an_answer_that_does_not_fit_its_schema_is_mended_a_few_times_and_each_call_is_counted() {
    const WORKFLOW: &str = "name: shaped\non_failure: stop\nsteps:\n  - id: draft\n    agent: writer\n    prompt: Give a number\n    \
        schema: {type: object, required: [n], properties: {n: {type: integer}}}\n";
    for kind in KINDS {
        let machine = Machine::new(kind);
        machine.sandbox.write("shaped.yaml", WORKFLOW);
        machine
            .provider
            .then([Does::says("{\"n\": \"three\"}"), Does::says("Sure!\n```json\n{\"n\": 3}\n```\n")]);
        let report = machine.run(0, &["shaped.yaml", "--id", "mended"]);
        assert_eq!(report["steps"][0]["output"], json!({ "n": 3 }), "{kind}");
        assert_eq!((&report["usage"]["calls"], &report["steps"][0]["attempts"]), (&json!(2), &json!(1)));
        let calls = machine.calls("mended");
        assert_eq!(calls.len(), 2);
        // The second says only what is new in it.
        assert_eq!((calls[1]["turn"].clone(), calls[1]["system"].clone()), (2.into(), Value::Null));
        assert_eq!(calls[1]["messages"].as_array().unwrap().len(), 1);
        assert!(
            calls[1]["messages"][0]["content"][0]["text"].as_str().unwrap().contains("`output.n`"),
            "{kind}"
        );
        // The model sees all of it.
        let [first, second] = machine.provider.bodies().try_into().unwrap();
        let count = |body: &Value| body["messages"].as_array().unwrap().len();
        assert_eq!(count(&second), count(&first) + 2, "{second}");
        let shape = match kind {
            "openai" => first["response_format"]["json_schema"]["schema"]["required"][0].clone(),
            _ => json!(if first["system"].as_str().unwrap().contains("\"required\":[\"n\"]") {
                "n"
            } else {
                ""
            }),
        };
        assert_eq!(shape, "n", "{first}");
        machine.provider.then(vec![Does::says("no number"); 3]);
        let report = machine.run(1, &["shaped.yaml", "--id", "hopeless"]);
        assert_eq!(report["error"]["code"], "RE-3024", "{report}");
        assert_eq!(report["usage"]["calls"], 3, "once, and two repairs: {kind}");
    }
}

#[test]
fn text_streams_into_the_log_while_it_comes_and_the_transcript_shows_the_conversation() {
    for kind in KINDS {
        let machine = Machine::with(kind, "[shutdown]\ngrace = '50ms'\n");
        machine.provider.then([Does::HangsWithin("It was a dark and stormy night")]);
        let running =
            machine.sandbox.start(machine.command(&["run", "one.yaml", "--input", "topic=tea", "--id", "r"]));
        let log = || machine.reenact(&["--json", "logs", "r"]).stdout;
        wait_until("what has come so far is in the log", || log().contains("stormy"));
        running.interrupt();
        assert_eq!(running.wait().code(), Some(130));
        wait_until("the connection is closed", || machine.provider.left() == 1);
        assert_eq!(machine.reenact(&["resume", "r"]).code(), Some(0));
        let transcript = machine.sandbox.json(0, &["transcript", "r", "draft"]);
        assert_eq!(transcript["stdout"], USUAL, "{transcript}");
        assert_eq!(transcript["prompt"], "Write about tea.");
        let calls = transcript["calls"].as_array().unwrap();
        assert_eq!(calls[0]["system"], "You write short texts.");
        assert_eq!(calls[0]["answer"]["content"][0]["text"], USUAL);
        let shown = machine.reenact(&["transcript", "r", "draft"]);
        for part in ["You write short texts.", "Write about tea.", USUAL, "small"] {
            assert!(shown.stdout.contains(part), "{part}: {shown}");
        }
    }
}

#[test]
fn what_a_model_cost_is_shown_where_runs_are_shown() {
    let machine = Machine::new("openai");
    let ended = machine.reenact(&["run", "one.yaml", "--input", "topic=tea", "--id", "r"]);
    let shown = |ended: &Ended| format!("{}{}", ended.stdout, ended.stderr);
    let said = "1 call, 12 tokens in, 7 out, $0.0000182";
    assert!(shown(&ended).contains(said), "{ended}");
    for arguments in [&["status", "r"][..], &["list", "-v"]] {
        let ended = machine.reenact(arguments);
        assert!(shown(&ended).contains(said), "{ended}");
    }
    // A run that asks nobody says nothing of it.
    machine.sandbox.write("plain.yaml", "steps: [{id: a, run: 'true'}]");
    let ended = machine.reenact(&["run", "plain.yaml"]);
    assert!(!shown(&ended).contains("call"), "{ended}");
}

/// Others keep the whole conversation with each turn, so that a long one takes the square of its length.
#[test]
fn a_conversation_takes_room_by_its_length_and_not_by_its_square() {
    const WORKFLOW: &str = "name: shaped\non_failure: stop\nsteps:\n  - {id: draft, agent: writer, prompt: Give a number, schema: {type: integer}}\n";
    let bytes = |turns: u32| {
        let machine = Machine::with("anthropic", &format!("[llm]\nrepairs = {}\n", turns - 1));
        machine.sandbox.write("shaped.yaml", WORKFLOW);
        let answers = (0..turns)
            .map(|turn| Does::Says(format!("turn {turn:03}: {}", "no number, but many words. ".repeat(40))));
        machine.provider.then(answers);
        let report = machine.run(1, &["shaped.yaml", "--id", "r"]);
        assert_eq!(report["usage"]["calls"], turns, "{report}");
        let asked = machine.provider.bodies().last().unwrap()["messages"].as_array().unwrap().len();
        assert_eq!(asked, 2 * turns as usize - 1, "the model sees all of it");
        let verified = machine.sandbox.json(0, &["verify"]);
        let stored = verified["event_bytes"].as_u64().unwrap();
        let said: usize = machine.calls("r").iter().map(|call| call.to_string().len()).sum();
        (said as u64, stored)
    };
    let (ten, hundred) = (bytes(10), bytes(100));
    assert!(hundred.0 < 11 * ten.0 && hundred.1 < 11 * ten.1, "{ten:?} {hundred:?}");
}
