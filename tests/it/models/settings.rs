//! How models and providers are configured, and how agents and people name them.

use serde_json::{Value, json};

use super::{Machine, ONE, WRITER};
use crate::support::Sandbox;
use crate::support::provider::Provider;

/// What is refused before anything starts.
fn refused(machine: &Machine, arguments: &[&str]) -> Value {
    let all = [&["--json", "run", "one.yaml", "--input", "topic=tea"], arguments].concat();
    let ended = machine.reenact(&all);
    assert_eq!(ended.code(), Some(2), "{ended}");
    assert_eq!(machine.provider.calls(), 0, "{ended}");
    assert_eq!(machine.sandbox.json(0, &["list"])["runs"], json!([]));
    ended.json()["error"].clone()
}

fn hint(error: &Value) -> &str {
    error["hint"].as_str().unwrap_or_default()
}

#[test]
fn a_model_or_a_provider_that_is_not_there_is_named_with_the_nearest() {
    let machine = Machine::new("openai");
    for (arguments, code, near) in [
        (&["--model", "smal"][..], "RE-2102", "`small`"),
        (&["--model", "quik"], "RE-2102", "`quick`"),
        (&["--provider", "lokal"], "RE-2103", "`local`"),
        (&["--set", "agents.writer.model=smalll"], "RE-2102", "`small`"),
        (&["--set", "agents.writer.temprature=1"], "RE-5001", "`temperature`"),
        (&["--set", "agents.writer.temperature=9"], "RE-5001", ""),
        (&["--set", "writer.model=small"], "RE-1001", "agents.NAME.KEY"),
    ] {
        let error = refused(&machine, arguments);
        assert_eq!(error["code"], code, "{arguments:?}: {error}");
        assert!(hint(&error).contains(near), "{arguments:?}: {error}");
    }
}

#[test]
fn an_agent_without_a_model_asks_the_default_one_or_that_of_the_run() {
    let more = "[providers.second]\nkind = 'anthropic'\nbase_url = 'SECOND'\napi_key_env = 'LOCAL_KEY'\n\
                [models.large]\nprovider = 'second'\nid = 'large-1'\nprice = { input = 1, output = 1 }\n";
    let second = Provider::new();
    let machine = Machine::with("openai", &more.replace("SECOND", &second.url("anthropic")));
    let asked = |run: &str, further: &[&str]| {
        let all = [&["one.yaml", "--input", "topic=tea", "--id", run], further].concat();
        machine.run(0, &all);
        let [call] = machine.calls(run).try_into().unwrap();
        (call["provider"].clone(), call["model"].clone(), call["id"].clone())
    };
    let (local, small) = (json!("local"), json!("small"));
    assert_eq!(asked("a", &[]), (local.clone(), small.clone(), json!("small-1")));
    assert_eq!(asked("b", &["--model", "quick"]).1, small, "an alias is the model");
    assert_eq!(asked("c", &["--model", "large"]), (json!("second"), json!("large"), json!("large-1")));
    assert_eq!(asked("d", &["--provider", "second"]), (json!("second"), small.clone(), json!("small-1")));
    assert_eq!(asked("e", &["--set", "agents.writer.model=large"]).1, json!("large"));
    machine.sandbox.write("agents/writer.md", WRITER.replace("name: writer", "name: writer\nmodel: inherit"));
    assert_eq!(asked("f", &[]).1, small);
    assert_eq!(asked("g", &["--model", "large"]).1, json!("large"));
    // One that names its model keeps to it.
    machine.sandbox.write(
        "agents/writer.md",
        WRITER.replace("name: writer", "name: writer\nmodel: quick\ntemperature: 0.5\nmax_tokens: 9"),
    );
    assert_eq!(asked("h", &["--model", "large"]).1, small);
    let body = machine.provider.bodies().last().unwrap().clone();
    assert_eq!((&body["temperature"], &body["max_tokens"]), (&json!(0.5), &json!(9)));
    assert_eq!(second.calls(), 4);
}

#[test]
fn nothing_starts_without_a_model_or_without_its_key() {
    let machine = Machine::new("openai");
    let configuration = machine.provider.configuration("openai");
    machine.sandbox.configure(&configuration.replace("default_model = 'small'\n", ""));
    let error = refused(&machine, &[]);
    assert_eq!(error["code"], "RE-2101", "{error}");
    assert!(hint(&error).contains("default_model") && error["at"]["line"].is_u64(), "{error}");
    machine.sandbox.configure(&configuration.replace("LOCAL_KEY", "OTHER_KEY"));
    let error = refused(&machine, &[]);
    assert_eq!(error["code"], "RE-2104", "{error}");
    assert!(error["message"].as_str().unwrap().contains("`OTHER_KEY`"), "{error}");
    // To check a file needs no key.
    assert_eq!(machine.reenact(&["validate", "one.yaml"]).code(), Some(0));
    // An agent that nobody names does not matter.
    machine.sandbox.configure("");
    machine.sandbox.write("plain.yaml", "steps: [{id: a, run: 'true'}]");
    assert_eq!(machine.reenact(&["run", "plain.yaml"]).code(), Some(0));
}

#[test]
fn what_is_wrong_with_the_configuration_is_told_before_anything_starts() {
    let sandbox = Sandbox::new();
    sandbox.write("one.yaml", "steps: [{id: a, run: 'true'}]");
    let provider = "[providers.p]\nkind = 'openai'\nbase_url = 'http://127.0.0.1:9'\n";
    let model = "[models.m]\nprovider = 'p'\n";
    let good = "price = {input = 0.15, output = 0.6}\n";
    for (text, says) in [
        (format!("{provider}{model}"), "`models.m` has no `price.input`"),
        (format!("{provider}{model}price = {{input = 1}}\n"), "`models.m` has no `price.output`"),
        (format!("{provider}{model}price = {{input = -1, output = 1}}\n"), "`models.m.price.input` is `-1`"),
        (
            format!("{provider}{model}price = {{input = 1, output = 99999}}\n"),
            "`models.m.price.output` is `99999`",
        ),
        (
            format!("{provider}{model}price = {{input = nan, output = 1}}\n"),
            "`models.m.price.input` is `nan`",
        ),
        (format!("{provider}{model}price = 3\n"), "`models.m.price` is `3`"),
        (format!("{provider}{model}price = {{in = 1}}\n"), "unknown key `models.m.price.in`"),
        (format!("{provider}[models.m]\n{good}"), "`models.m` has no `provider`"),
        (
            format!("{provider}[models.m]\nprovider = 'q'\n{good}"),
            "`models.m.provider`: no provider is called `q`",
        ),
        (format!("{provider}{model}{good}windw = 3\n"), "unknown key `models.m.windw`"),
        (format!("{provider}{model}{good}window = 0\n"), "`models.m.window` is `0`"),
        (format!("{provider}{model}{good}max_output = -5\n"), "`models.m.max_output` is `-5`"),
        (
            format!("{provider}{model}{good}aliases = ['n']\n[models.n]\nprovider = 'p'\n{good}"),
            "`n` is a name of the models",
        ),
        ("[providers.p]\nbase_url = 'http://x'\n".to_owned(), "`providers.p` has no `kind`"),
        ("[providers.p]\nkind = 'openai'\n".to_owned(), "`providers.p` has no `base_url`"),
        ("[providers.p]\nkind = 'gemini'\n".to_owned(), "`providers.p.kind` is `\"gemini\"`"),
        ("[providers.p]\nbase_url = 'ftp://x'\n".to_owned(), "`providers.p.base_url` is"),
        ("[providers.p]\nbase_url = 'http://u:s3cret@x'\n".to_owned(), "`providers.p.base_url` is"),
        ("[providers.p]\napi_key = 'sk-1'\n".to_owned(), "unknown key `providers.p.api_key`"),
        ("[llm]\nfirst = 3\n".to_owned(), "`llm.first` is `3`"),
        ("[llm]\nrepairs = -1\n".to_owned(), "`llm.repairs` is `-1`"),
    ] {
        sandbox.write("c.toml", &text);
        let ended = sandbox.reenact(&["--json", "--config", "c.toml", "run", "one.yaml"]);
        assert_eq!(ended.code(), Some(2), "{text}: {ended}");
        let error = &ended.json()["error"];
        assert_eq!(error["code"], "RE-5001", "{text}");
        assert!(error["message"].as_str().unwrap().starts_with(says), "{text}: {error}");
        assert!(!ended.stdout.contains("s3cret"), "{ended}");
    }
    sandbox.write("c.toml", format!("{provider}{model}{good}"));
    assert_eq!(sandbox.reenact(&["--config", "c.toml", "run", "one.yaml"]).code(), Some(0));
}

/// A clone would have the user's key sent to whomever its author likes.
#[test]
fn where_a_folder_sends_keys_counts_only_when_somebody_said_so() {
    let machine = Machine::new("openai");
    let elsewhere = Provider::new();
    machine.sandbox.write(
        "reenact.toml",
        machine
            .provider
            .configuration("openai")
            .replace(&machine.provider.url("openai"), &elsewhere.url("openai")),
    );
    let ended = machine.reenact(&["--json", "run", "one.yaml", "--input", "topic=tea"]);
    assert_eq!((ended.code(), ended.json()["error"]["code"].clone()), (Some(2), "RE-5002".into()), "{ended}");
    assert_eq!(machine.reenact(&["list"]).code(), Some(0), "who only looks is not kept from it");
    assert_eq!(elsewhere.calls() + machine.provider.calls(), 0);
}

#[test]
fn the_doctor_looks_at_providers_without_asking_a_model() {
    let machine = Machine::new("openai");
    let checks = |machine: &Machine| {
        let ended = machine.reenact(&["--json", "doctor"]);
        let all = ended.json()["checks"].as_array().unwrap().clone();
        all.into_iter()
            .filter(|check| check["name"].as_str().unwrap().starts_with("provider"))
            .collect::<Vec<_>>()
    };
    let [check] = checks(&machine).try_into().unwrap();
    assert_eq!(
        (check["name"].clone(), check["state"].clone()),
        ("provider local".into(), "good".into()),
        "{check}"
    );
    assert_eq!(machine.provider.calls(), 0);
    let nobody = machine
        .provider
        .configuration("openai")
        .replace(&machine.provider.url("openai"), "http://127.0.0.1:9/v1");
    machine.sandbox.configure(&nobody);
    let [check] = checks(&machine).try_into().unwrap();
    assert_eq!(check["state"], "warning", "{check}");
    assert!(check["says"].as_str().unwrap().contains("127.0.0.1:9"), "{check}");
    machine.sandbox.configure(&machine.provider.configuration("openai").replace("LOCAL_KEY", "NOT_SET"));
    let [check] = checks(&machine).try_into().unwrap();
    assert_eq!(check["state"], "wrong", "{check}");
    assert!(check["says"].as_str().unwrap().contains("NOT_SET"), "{check}");
}

#[test]
fn an_agent_of_another_tool_asks_a_model_of_ours() {
    let machine = Machine::new("openai");
    // Without front matter, and with keys of another tool.
    machine.sandbox.write("agents/dns_specialist_agent.md", "# DNS Specialist Agent\n\nYou know names.\n");
    machine.sandbox.write(
        ".claude/agents/checker.md",
        "---\nname: checker\ndescription: Checks\nmodel: quick\ncolor: blue\n---\nYou check.\n",
    );
    machine.sandbox.write("one.yaml", ONE.replace("writer", "dns_specialist"));
    machine.one(0, &[]);
    assert_eq!(machine.calls("r")[0]["system"], "# DNS Specialist Agent\n\nYou know names.");
    machine.sandbox.write("one.yaml", ONE.replace("writer", "checker"));
    machine.run(0, &["one.yaml", "--input", "topic=tea", "--id", "s"]);
    assert_eq!(machine.calls("s")[0]["model"], "small");
}
