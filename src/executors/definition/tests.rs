use serde_json::json;

use super::*;

const PUBLISHER: &str = "\
---
name: publisher
description: Publishes a file to the package index
executor: subprocess
command: [\"bin/publish\", \"--quiet\"]
tools: [search, read_file]
temperature: 0.3
handoffs: [security_reviewer, Tester]
concurrency: 4
color: red
fallback: {agent: manual_publisher, prompt_suffix: \" Only publish.\"}
criticality: high
---

# Publisher

Publish it.
";

fn problem(text: &str) -> Problem {
    AgentDefinition::parse(text, "agents/a.md").unwrap_err()
}

fn with(key: &str) -> String {
    format!("---\nname: a\ndescription: b\n{key}\n---\n")
}

#[test]
fn empty_lines_before_the_front_matter_hide_nothing() {
    let (agent, _) = AgentDefinition::parse(
        "\n  \n---\nname: ada\ndescription: Thinks\ncommand: [cat]\n---\nThink.",
        "a.md",
    )
    .unwrap();
    assert_eq!((agent.name.as_str(), &*agent.system_prompt), ("ada", "Think."));
    let bad = AgentDefinition::parse("\n---\nname: [\n---\n", "a.md").unwrap_err();
    assert!(bad.at.is_some_and(|at| at.line >= 3), "lines count from the first of the file");
    let (bare, _) = AgentDefinition::parse("\n---\n# Ada", "ada.md").unwrap();
    assert_eq!(&*bare.description, "Ada", "a line below which nothing ends is a line");
}

#[test]
fn a_file_with_front_matter_is_read_whole() {
    let (agent, warnings) = AgentDefinition::parse(PUBLISHER, "agents/publisher.md").unwrap();
    assert_eq!(agent.name, AgentName::new("publisher"));
    assert_eq!(agent.executor, ExecutorKind::Subprocess);
    assert_eq!(agent.command, ["bin/publish", "--quiet"]);
    assert_eq!(agent.slots(), 4);
    assert_eq!(agent.system_prompt, "# Publisher\n\nPublish it.");
    let fallback = agent.fallback.as_ref().unwrap();
    assert_eq!(fallback.agent, AgentName::new("manual_publisher"));
    assert_eq!(fallback.prompt_suffix.as_deref(), Some(" Only publish."));
    assert_eq!(agent.criticality, Some(Criticality::High));
    let handoffs = ["security_reviewer", "Tester"].map(AgentName::new);
    assert_eq!(agent.handoffs.as_deref(), Some(&handoffs[..]));
    assert_eq!(agent.settings["tools"], json!(["search", "read_file"]));
    assert_eq!(agent.settings["temperature"], json!(0.3));
    assert_eq!(agent.unknown, BTreeMap::from([("color".to_owned(), json!("red"))]));
    let [warning] = warnings.as_slice() else { panic!("{warnings:?}") };
    let at = warning.at.as_ref().unwrap();
    assert_eq!((warning.code, at.file.as_str(), at.line), (Code::UnknownAgentKey, "agents/publisher.md", 10));
    assert_eq!(agent.check_usable(), Ok(()));
}

#[test]
fn what_is_recorded_reads_back() {
    let (agent, _) = AgentDefinition::parse(PUBLISHER, "publisher.md").unwrap();
    let json = serde_json::to_string(&agent).unwrap();
    assert_eq!(serde_json::from_str::<AgentDefinition>(&json).unwrap(), agent);
}

#[test]
fn the_agents_to_which_one_may_hand_over_are_a_list_or_a_text_and_may_be_none_at_all() {
    let parse = |key: &str| AgentDefinition::parse(&with(key), "a.md").unwrap().0.handoffs;
    assert_eq!(parse("handoffs: 'b, c d'"), Some(vec![AgentName::new("b"), AgentName::new("c d")]));
    assert_eq!(parse("handoffs: []"), Some(Vec::new()));
    assert_eq!(parse("rate: 10/s"), None);
}

#[test]
fn windows_line_ends_and_a_byte_order_mark_are_no_matter() {
    let text = format!("\u{feff}{}", PUBLISHER.replace('\n', "\r\n"));
    let (agent, _) = AgentDefinition::parse(&text, "publisher.md").unwrap();
    assert_eq!(agent.command, ["bin/publish", "--quiet"]);
    assert!(agent.system_prompt.ends_with("Publish it."));
}

#[test]
fn a_bare_file_is_named_after_itself_and_described_by_its_first_heading() {
    let text = "```\n# no heading\n```\n#no heading either\n\n## DNS Specialist\n\n---\nname: no front matter\n---\n";
    let (agent, warnings) = AgentDefinition::parse(text, "agents/dns_specialist_agent.md").unwrap();
    assert_eq!(agent.name, AgentName::new("dns_specialist_agent"));
    assert_eq!(agent.description, "DNS Specialist");
    assert_eq!(agent.executor, ExecutorKind::Llm);
    assert!(agent.system_prompt.starts_with("```") && warnings.is_empty());
    let (nameless, _) = AgentDefinition::parse("Just do it.", "doer.md").unwrap();
    assert_eq!((nameless.description.as_str(), nameless.handoffs), ("doer", None));
    let (tester, _) =
        AgentDefinition::parse("## Handoffs\n- `tester`\n- `writer`\n", "tester_agent.md").unwrap();
    assert_eq!(tester.handoffs, Some(vec![AgentName::new("writer")]), "nobody hands over to itself");
}

#[test]
fn name_and_description_are_required_in_front_matter() {
    assert_eq!(problem("---\nname: a\n---\n").message, "`description` is missing");
    assert_eq!(problem("---\ndescription: a\n---\n").message, "`name` is missing");
    assert_eq!(problem("---\n# nothing\n---\n").message, "`name` is missing");
}

#[test]
fn what_a_key_does_not_take_is_refused_with_its_place() {
    for (key, message) in [
        ("command: bin/publish --quiet", "`command` is `\"bin/publish --quiet\"`: give it the program"),
        ("command: []", "`command` is `[]`"),
        ("command: [1]", "`command` is `[1]`"),
        ("concurrency: 0", "`concurrency` is `0`: give it a whole number from 1"),
        ("concurrency: many", "`concurrency` is"),
        ("fallback: b", "`fallback` is `\"b\"`: give it a map"),
        ("fallback: {agent: b, retry: 3}", "`fallback` is `{\"agent\":\"b\",\"retry\":3}`: give it a map"),
        ("fallback: {agent: ''}", "`fallback` is `{\"agent\":\"\"}`: give it a map"),
        ("fallback: {agent: Shell}", "`fallback` is `{\"agent\":\"Shell\"}`: no agent can be stood in for"),
        ("criticality: urgent", "`criticality` is `\"urgent\"`: one of critical, high, medium, low"),
        ("handoffs: 3", "`handoffs` is `3`: give it the names of agents"),
        ("handoffs: [a, 3]", "`handoffs` is `[\"a\",3]`: give it the names of agents"),
        ("handoffs: 'a,,b'", "`handoffs` is `\"a,,b\"`: give it the names of agents"),
        ("handoffs: [a, Shell]", "`handoffs` is `[\"a\",\"Shell\"]`: `Shell` is built in"),
        ("temperature: 3", "`temperature` is `3`: give it a number from 0 to 2"),
        ("max_tokens: 0", "`max_tokens` is `0`: give it a whole number from 1"),
        ("model: 3", "`model` is `3`: give it a text"),
        ("executor: subproces", "`executor` is `\"subproces\"`: did you mean `subprocess`?"),
        (
            "executor: magic",
            "`executor` is `\"magic\"`: one of function, subprocess, llm, external, scripted",
        ),
    ] {
        let problem = problem(&with(key));
        assert!(problem.message.starts_with(message), "{problem}");
        assert_eq!((problem.code, problem.at.unwrap().line), (Code::BadAgent, 4));
    }
}

#[test]
fn front_matter_that_is_no_yaml_or_does_not_end_is_refused_with_its_place() {
    let broken = problem("---\nname: a\ndescription: [b\n---\n");
    assert_eq!(broken.code, Code::BadAgent);
    assert!(broken.message.starts_with("the front matter is not YAML: "), "{broken}");
    assert!(broken.at.unwrap().line >= 3);
    assert_eq!(problem("---\nname: a\n").message, "the front matter does not end");
    assert!(problem(&with("name: again")).message.contains("duplicate"), "{}", problem(&with("name: again")));
    assert!(problem("---\n- a\n---\n").message.contains("front matter"));
}

#[test]
fn each_executor_does_steps_if_it_has_what_it_works_with() {
    for kind in ExecutorKind::OF_FILES {
        let command = if kind == ExecutorKind::Subprocess { "\ncommand: x" } else { "" };
        let (mut agent, _) =
            AgentDefinition::parse(&with(&format!("executor: {kind}{command}")), "a.md").unwrap();
        agent.script = (kind == ExecutorKind::Scripted).then(Script::default);
        assert_eq!(agent.check_usable(), Ok(()), "{kind}");
    }
    for kind in ["subprocess", "scripted"] {
        let (lacks, _) = AgentDefinition::parse(&with(&format!("executor: {kind}")), "a.md").unwrap();
        assert_eq!(lacks.check_usable().unwrap_err().code, Code::BadAgent, "{kind}");
    }
    assert_eq!(AgentDefinition::shell().check_usable(), Ok(()));
}

#[test]
fn what_an_agent_has_to_work_with_says_how_it_works_and_must_not_contradict_its_executor() {
    let parse = |keys: &str| AgentDefinition::parse(&with(keys), "a.md").unwrap().0;
    assert_eq!(parse("command: x").executor, ExecutorKind::Subprocess);
    assert_eq!(parse("script: x.yaml").executor, ExecutorKind::Scripted);
    assert_eq!(parse("model: x").executor, ExecutorKind::Llm);
    for keys in [
        "executor: llm\ncommand: x",
        "command: x\nexecutor: llm",
        "executor: subprocess\ncommand: x\nscript: x.yaml",
        "command: x\nscript: x.yaml",
        "executor: function\nstream: true",
        "executor: function\nscript: x.yaml",
    ] {
        let refused = parse(keys).check_usable().unwrap_err();
        assert_eq!(refused.code, Code::BadAgent, "{keys}");
        assert!(refused.message.contains("has no use for it"), "{keys}: {refused}");
    }
}

/// Other tools take all behind the first colon for a text, and write such files themselves.
#[test]
fn texts_with_colons_are_taken_as_they_stand_with_a_warning() {
    let says = "Use it when a text is ready. Examples: <example>user: 'is it #1?'\\n</example>";
    let text = format!(
        "---\nname: editor\ndescription: {says}\ntools: Read, Grep # two\ncommand: [echo, hello]\n---\nEdit.\n"
    );
    let (agent, warnings) = AgentDefinition::parse(&text, "agents/editor.md").unwrap();
    assert_eq!((agent.description.as_str(), agent.command.len()), (says, 2));
    assert_eq!(agent.settings["tools"], json!(["Read", "Grep"]), "a comment is one");
    let [warning] = warnings.as_slice() else { panic!("{warnings:?}") };
    assert_eq!((warning.code, warning.at.as_ref().unwrap().line), (Code::LooseFrontMatter, 3));
    // What is good YAML is read as YAML, and what is wrong otherwise stays wrong.
    let (agent, warnings) = AgentDefinition::parse(&with("expertise: a # b"), "a.md").unwrap();
    assert_eq!((&agent.settings["expertise"], warnings.len()), (&json!(["a"]), 0));
    assert_eq!(problem("---\nname: a\ndescription: b: c\ntools: [d\n---\n").code, Code::BadAgent);
    assert_eq!(problem("---\nname: a\ndescription: b: c\nname: d\n---\n").code, Code::BadAgent);
}

#[test]
fn what_an_attempt_uses_at_most_is_read_exactly() {
    let (agent, _) =
        AgentDefinition::parse(&with("budget: {calls: 2, tokens: 8000, usd: 0.05}"), "a.md").unwrap();
    let budget = AttemptBudget { calls: Some(2), tokens: Some(8_000), usd_nanos: Some(50_000_000) };
    assert_eq!(agent.budget, Some(budget));
    let recorded: AttemptBudget = serde_json::from_value(agent.recorded().value()["budget"].clone()).unwrap();
    assert_eq!(recorded, budget, "as a run reads it again");
    for (key, says) in [
        ("budget: {}", "give it a map, as in {calls: 2, tokens: 8000, usd: 0.05}"),
        ("budget: 5", "give it a map"),
        ("budget: {eur: 5}", "`\"eur\"`: give it a map"),
        ("budget: {calls: 0}", "`calls` takes a whole number from 1 to 4294967295"),
        ("budget: {tokens: -8}", "`tokens` takes a whole number from 1"),
        ("budget: {usd: -0.05}", "it is less than zero"),
        ("budget: {usd: 5 EUR}", "it is no amount of US dollars"),
        ("budget: {usd: 0.0000000001}", "it is finer than a billionth"),
        ("budget: {usd: 123456789.123456789}", "put an amount of so many digits in quotes"),
        ("budget: {usd: true}", "`usd` takes an amount in US dollars"),
    ] {
        let message = problem(&with(key)).message;
        assert!(message.contains(says), "{key}: {message}");
    }
    let quoted = AgentDefinition::parse(&with("budget: {usd: '123456789.123456789'}"), "a.md").unwrap().0;
    assert_eq!(quoted.budget.unwrap().usd_nanos, Some(123_456_789_123_456_789));
}

#[test]
fn what_an_agent_is_as_a_tool_and_may_call_is_read_and_recorded() {
    let keys = "tools: Read, Grep\napprove: [write, 'git_*']\nmax_turns: 30\ncompensate: undoer\n\
                input: {type: object, required: [path], properties: {path: {type: string}}}";
    let (agent, warnings) = AgentDefinition::parse(&with(keys), "a.md").unwrap();
    assert_eq!(warnings, []);
    assert_eq!(agent.tools().collect::<Vec<_>>(), ["Read", "Grep"]);
    assert_eq!((agent.approve.len(), agent.max_turns), (2, Some(30)));
    assert_eq!(agent.compensate, Some(AgentName::new("undoer")));
    let recorded: AgentDefinition = serde_json::from_str(agent.recorded().text()).unwrap();
    assert_eq!(recorded, agent);
    for (key, says) in [
        ("input: 7", "give it a JSON Schema of an object"),
        ("input: {type: string}", "give it a JSON Schema of an object"),
        ("input: {type: object, required: 7}", "no JSON Schema"),
        ("approve: {a: 1}", "give it a list of texts"),
        ("approve: ['[a']", "unclosed character class"),
        ("max_turns: 0", "a whole number from 1 to"),
        ("compensate: shell", "nothing that is built in undoes calls"),
        ("irreversible: perhaps", "`true` or `false`"),
        ("executor: tool", "one of function, subprocess"),
    ] {
        let problem = problem(&with(key));
        assert_eq!(problem.code, Code::BadAgent);
        assert!(problem.message.contains(says), "{key}: {problem}");
    }
    let both = AgentDefinition::parse(&with("irreversible: true\ncompensate: undoer"), "a.md").unwrap().0;
    assert!(both.check_usable().unwrap_err().message.contains("has a `compensate`"));
}

// Runs name definitions by their hashes: a key that is not given leaves no trace.
#[test]
fn a_definition_without_them_is_recorded_as_it_was() {
    let (agent, _) = AgentDefinition::parse(&with("tools: [search, read_file]"), "a.md").unwrap();
    let recorded = agent.recorded().value();
    let keys: Vec<_> = recorded.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["name", "description", "executor", "settings"]);
    assert_eq!(recorded["settings"], json!({"tools": ["search", "read_file"]}));
}
