use super::super::in_answer;
use super::*;
use crate::events::ids::RunId;
use crate::workflow::definition::Definition;
use crate::workflow::parse::{Known, parse};
use crate::workflow::scope::Scope;

fn first() -> Step {
    let file = "name: w\nsteps:\n  - {id: a, agent: x, prompt: P, timeout: 5s, retry: {attempts: 4}, phase: p, on_error: continue, env: {E: e}, compensate: {run: u}, if: 'true'}";
    Step::clone(&parse(file, "w.yaml", &Known::default()).unwrap().definition.steps[0])
}

fn handoff(context: &str) -> Handoff {
    let reason = "it is about {{ names }}".to_owned();
    Handoff { to: AgentName::new("y"), reason, context: Json::parse(context).unwrap() }
}

fn link<'a>(step: &'a Step, handoff: &'a Handoff, answer: &'a Json, chain: &'a [AgentName]) -> Link<'a> {
    let work = Work {
        with: Json::parse("{\"n\": 10000000000000000000000, \"t\": \"{{ a }}\"}").unwrap(),
        prompt: Some("do {{ this }} and {{{that}}}".to_owned()),
        env: [("E".to_owned(), "{{e".to_owned())].into(),
        cwd: Some("sub/{{d}}".to_owned()),
        ..Work::default()
    };
    Link { step, is_handed: false, is_part: false, work, answer, chain, to: &handoff.to, handoff }
}

fn nothing() -> Scope {
    Scope {
        input: Json::null(),
        run: RunId::parse("r").unwrap(),
        env: BTreeMap::new(),
        steps: BTreeMap::new(),
        context: BTreeMap::new(),
        contexts: BTreeMap::new(),
        item: None,
        round: None,
        answer: None,
        undone: None,
    }
}

fn rendered(step: &Step) -> Work {
    let step = serde_json::to_string(step).unwrap();
    let definition = Definition::from_json(&format!("{{\"name\": \"h\", \"steps\": [{step}]}}"));
    definition.unwrap().steps[0].work(&nothing()).unwrap()
}

#[test]
fn nothing_in_what_the_next_agent_is_told_is_rendered_not_even_braces() {
    let (step, handoff) = (first(), handoff("{\"key_data\": {\"{{k\": [\"{{ x }}\", 1.50]}}"));
    let answer = Json::parse("{\"stdout\": \"made {{ it }}\"}").unwrap();
    let chain = [AgentName::new("x")];
    let next = link(&step, &handoff, &answer, &chain).next(StepId::grown("handoff")).unwrap();
    assert_eq!(next.agent(), Some(AgentName::new("y")));
    let work = rendered(&next);
    let told: HandedWork = serde_json::from_str(work.with.text()).unwrap();
    assert_eq!(told.task.as_deref(), Some("do {{ this }} and {{{that}}}"));
    assert_eq!(told.input.text(), "{\"n\":10000000000000000000000,\"t\":\"{{ a }}\"}");
    assert_eq!(told.context.text(), "{\"key_data\":{\"{{k\":[\"{{ x }}\",1.50]}}");
    assert_eq!(told.reason, "it is about {{ names }}");
    assert_eq!(told.handoff.chain, ["x", "y"].map(AgentName::new));
    assert_eq!(told.work[0].output.as_ref().unwrap().text(), "{\"stdout\":\"made {{ it }}\"}");
    assert_eq!((work.env["E"].as_str(), work.cwd.as_deref()), ("{{e", Some("sub/{{d}}")));
    let prompt = work.prompt.unwrap();
    assert!(
        prompt.starts_with("do {{ this }} and {{{that}}}\n\n## Handed over to you\n\n`x` hands"),
        "{prompt}"
    );
    assert!(prompt.contains("`x` answered:\n\nmade {{ it }}\n"), "{prompt}");
    assert!(prompt.contains("- key_data: {\"{{k\": [\"{{ x }}\", 1.50]}\n"), "{prompt}");
}

#[test]
fn the_next_step_is_tried_as_the_first_is_and_leaves_the_rest_to_the_whole() {
    let (step, handoff) = (first(), handoff("{\"a\":1}"));
    let answer = Json::null();
    let next = link(&step, &handoff, &answer, &[]).next(StepId::grown("handoff")).unwrap();
    assert_eq!((next.timeout, &next.retry, next.on_error), (step.timeout, &step.retry, step.on_error));
    assert_eq!(next.phase, step.phase);
    assert!(next.compensate.is_none() && next.nothing_to_undo && next.condition.is_none());
}

#[test]
fn a_chain_tells_what_each_did_and_its_first_task() {
    let (step, handoff) = (first(), handoff("{\"a\":1}"));
    let text = "done\n```\nHANDOFF DECLARATION:\nTo: y\nReason: r\nContext:\n- a: b\n```\n";
    let answer = Json::from(&serde_json::json!({"text": text, "n": 1}));
    assert_eq!(in_answer(&answer).len(), 1);
    let chain = [AgentName::new("x")];
    let second = link(&step, &handoff, &answer, &chain).next(StepId::grown("handoff")).unwrap();
    let (answer, chain) = (Json::parse("\"seen\"").unwrap(), ["x", "y"].map(AgentName::new));
    let work = rendered(&second);
    let third = Link { work, is_handed: true, ..link(&second, &handoff, &answer, &chain) };
    let third = rendered(&third.next(StepId::grown("handoff")).unwrap());
    let told: HandedWork = serde_json::from_str(third.with.text()).unwrap();
    assert_eq!(told.task.as_deref(), Some("do {{ this }} and {{{that}}}"));
    let work = serde_json::to_value(&told.work).unwrap();
    let meant = serde_json::json!([{"agent": "x", "output": {"text": "done\n", "n": 1}}, {"agent": "y", "output": "seen"}]);
    assert_eq!(work, meant, "without the declaration, which an agent that quotes it would make again");
    assert!(!third.prompt.unwrap().contains("HANDOFF"));
}

#[test]
fn what_is_long_or_deep_is_told_in_short() {
    let (step, handoff) = (first(), handoff("{\"a\":1}"));
    let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
    for answer in [deep, format!("\"{}\"", "x".repeat(OUTPUT_BYTES_TOLD))] {
        let answer = Json::parse(&answer).unwrap();
        let next = link(&step, &handoff, &answer, &[]).next(StepId::grown("handoff")).unwrap();
        let told: HandedWork = serde_json::from_str(rendered(&next).with.text()).unwrap();
        let summary = told.work[0].summary.as_ref().unwrap();
        assert!(told.work[0].output.is_none() && summary.chars().count() <= CHARS_TOLD + 1);
    }
}
