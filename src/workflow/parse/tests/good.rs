use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::events::ids::RunId;
use crate::events::json::Json;
use crate::workflow::definition::{Does, Items, OnError, Retry, RetryPolicy};
use crate::workflow::scope::Scope;
use crate::workflow::work::{Command, Work};

fn scope() -> Scope {
    Scope {
        input: Json::parse(r#"{"version":"1 2","files":["a b","c"]}"#).unwrap(),
        run: RunId::parse("r1").unwrap(),
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

fn work(step: &str) -> Work {
    let definition = good(&format!("steps:\n  - id: a\n    {step}\n"));
    definition.steps.first().unwrap().work(&scope()).unwrap()
}

const WHOLE: &str = r#"
name: release
description: Build and publish
version: 1.10
input:
  type: object
  properties: {version: {type: string}, files: {type: array}}
defaults: {timeout: 5m, retry: {attempts: 4, jitter: 0}, on_error: retry_then_skip, env: {LEVEL: 1, MODE: on}}
limits: {parallel: 16, lost: 5}
steps:
  - id: build
    run: ["make", "dist", 1.10, yes, "{{ input.version }}"]
  - id: nap
    sleep: 1h30m
  - id: tag
    needs: [build]
    run: git tag v{{ input.version }}
    timeout: 10s
    retry: {policy: fixed, initial: 500ms}
    on_error: fail_fast
    cwd: "{{ run.id }}"
    env: {MODE: off}
    if: "{{ steps.build.status == 'completed' }}"
  - id: copy-all
    agent: Copier
    with: {file: "{{ item }}", n: 123456789012345678901234567890, at: 1.10}
    prompt: Copy {{ item }}, number {{ index }}
    for_each: input.files
    max_parallel: 2
    retry: {policy: none}
output: {tagged: "{{ steps['copy-all'].output }}", all: "{{ steps | length }}"}
"#;

#[test]
fn every_key_is_read() {
    let parsed = read(WHOLE).unwrap();
    let definition = &parsed.definition;
    assert_eq!((definition.name.as_str(), definition.version.as_deref()), ("release", Some("1.10")));
    assert_eq!((definition.limits.parallel, definition.limits.lost), (Some(16), Some(5)));
    let [build, nap, tag, copy] = &*definition.steps else { panic!() };

    let four = Retry { attempts: 4, jitter: 0.0, ..Retry::default() };
    assert_eq!(build.retry, Some(four.clone()));
    assert_eq!((build.timeout, build.on_error), (Some(Duration::from_secs(300)), OnError::RetryThenSkip));
    let words = ["make", "dist", "1.10", "yes", "1 2"].map(str::to_owned).to_vec();
    assert_eq!(build.work(&scope()).unwrap().run, Some(Command::List(words)));

    assert_eq!(nap.does, Does::Sleep(Duration::from_secs(5400)));
    assert_eq!((nap.timeout, &nap.retry, nap.env.len(), nap.agent()), (None, &None, 0, None));
    assert_eq!(nap.needs, std::slice::from_ref(&build.id));

    let fixed = Retry { policy: RetryPolicy::Fixed, initial: Duration::from_millis(500), ..four };
    assert_eq!(tag.retry, Some(fixed));
    assert_eq!((tag.timeout, tag.on_error), (Some(Duration::from_secs(10)), OnError::FailFast));
    let done = tag.work(&scope()).unwrap();
    assert_eq!(done.run, Some(Command::Shell("git tag v'1 2'".to_owned())));
    assert_eq!(done.cwd.as_deref(), Some("r1"));
    assert_eq!(
        done.env,
        BTreeMap::from([("LEVEL".to_owned(), "1".to_owned()), ("MODE".to_owned(), "off".to_owned())])
    );
    assert_eq!(tag.condition.as_ref().unwrap().source(), "steps.build.status == 'completed'");
    assert_eq!(tag.needs, nap.needs);

    assert_eq!(copy.retry.as_ref().unwrap().attempts, 1);
    let items: Vec<_> = copy.items(&scope()).unwrap().iter().map(|item| item.text().to_owned()).collect();
    assert_eq!(items, ["\"a b\"", "\"c\""]);
    let item = Scope { item: Some((1, Json::parse("\"c\"").unwrap())), ..scope() };
    let done = copy.work(&item).unwrap();
    assert_eq!(done.with.text(), r#"{"file":"c","n":123456789012345678901234567890,"at":1.10}"#);
    assert_eq!(done.prompt.as_deref(), Some("Copy c, number 1"));
    assert_eq!(copy.for_each.as_ref().unwrap().max_parallel, Some(2));

    let NamedAgent { agent, step, role, at, .. } = parsed.agents.first().unwrap();
    assert_eq!((agent.as_str(), step.as_str(), at.line, at.column), ("Copier", "copy-all", 25, 12));
    assert_eq!(*role, AgentRole::Does);
    let warnings: Vec<_> = parsed.warnings.iter().map(|warning| warning.message.as_str()).collect();
    assert_eq!(warnings, ["`on_error: fail_fast` does not use `retry`"]);
}

#[test]
fn json_is_read_as_yaml() {
    let definition =
        good(r#"{"name": "j", "steps": [{"id": "a", "run": ["x", "y"]}, {"id": "b", "sleep": "1s"}]}"#);
    assert_eq!(definition.steps.len(), 2);
}

#[test]
fn a_workflow_without_a_name_is_called_after_its_file() {
    assert_eq!(good("steps: [{id: a, run: x}]").name, "release");
    assert_eq!(good("name: 12\nsteps: [{id: a, run: x}]").name, "12");
}

#[test]
fn values_in_shell_texts_are_quoted_and_in_lists_are_not() {
    assert_eq!(
        work("run: x {{ input.files }} {{ input.version | raw }}").run,
        Some(Command::Shell("x 'a b' 'c' 1 2".into()))
    );
    assert_eq!(work("run: \"{{ input.files }}\"").run, Some(Command::Shell("'a b' 'c'".into())));
    let list = Command::List(vec!["x".into(), "[\"a b\",\"c\"]".into(), "-v1 2".into()]);
    assert_eq!(work("run: [x, '{{ input.files }}', '-v{{ input.version }}']").run, Some(list));
    assert_eq!(
        work("run: 'echo {% if %} ${#x} {{ ''{{'' }}'").run,
        Some(Command::Shell("echo {% if %} ${#x} '{{'".into()))
    );
}

#[test]
fn a_zero_byte_reaches_no_program() {
    for step in [
        "run: [x, \"{{ '\\0' }}\"]",
        "run: \"x {{ '\\0' }}\"",
        "run: x\n    env: {A: \"\\0\"}",
        "run: x\n    cwd: \"a\\0\"",
    ] {
        let definition = good(&format!("steps:\n  - id: a\n    {step}\n"));
        assert!(definition.steps.first().unwrap().work(&scope()).is_err(), "{step}");
    }
}

#[test]
fn conditions_and_lists_are_read_in_each_of_their_forms() {
    for condition in ["true", "'true'", "\"{{ true }}\"", "1 == 1", "input.version is defined"] {
        let definition = good(&format!("steps:\n  - id: a\n    run: x\n    if: {condition}\n"));
        let condition = definition.steps.first().unwrap().condition.clone().unwrap();
        assert_eq!(condition.is_true(&scope()), Ok(true));
    }
    let definition =
        good("steps:\n  - id: a\n    run: x {{ item }}\n    for_each: [1, '{{ input.version }}', {k: no}]\n");
    let step = definition.steps.first().unwrap();
    assert!(matches!(step.for_each.as_ref().unwrap().items, Items::List(_)));
    let items: Vec<_> = step.items(&scope()).unwrap().iter().map(|item| item.text().to_owned()).collect();
    assert_eq!(items, ["1", "\"1 2\"", "{\"k\":\"no\"}"]);
    let not_a_list = good("steps:\n  - id: a\n    run: x\n    for_each: input.version\n");
    assert!(not_a_list.steps.first().unwrap().items(&scope()).is_err());
}

#[test]
fn anchors_and_merge_keys_are_what_they_stand_for() {
    let definition = good(
        "defaults: {retry: &r {attempts: 5}}\nsteps:\n  - &s {id: a, run: x, retry: *r}\n  - {<<: *s, id: b}\n",
    );
    let attempts: Vec<_> =
        definition.steps.iter().map(|step| step.retry.as_ref().unwrap().attempts).collect();
    assert_eq!(attempts, [5, 5]);
    assert_eq!(
        definition.step(&StepId::parse("b").unwrap()).unwrap().does,
        definition.steps.first().unwrap().does
    );
}

#[test]
fn a_step_of_a_fan_out_may_be_named() {
    good("steps:\n  - {id: a, run: x, for_each: [1]}\n  - {id: b, run: \"y {{ steps['a[0]'].output }}\"}\n");
}

#[test]
fn a_recorded_definition_reads_as_it_was() {
    let definition = good(WHOLE);
    let json = definition.to_json();
    let again = Definition::from_json(json.text()).unwrap();
    assert_eq!((&again, again.to_json()), (&definition, json));
    assert_eq!(Definition::from_json("{\"from\": \"the future\"}").unwrap_err().code, Code::RunParked);
}

fn retry() -> impl Strategy<Value = Retry> {
    let policy = prop_oneof![
        Just(RetryPolicy::None),
        Just(RetryPolicy::Fixed),
        Just(RetryPolicy::Linear),
        Just(RetryPolicy::Exponential)
    ];
    (policy, 1..99_u32, 0..10_u64.pow(15), 0..100_u32, prop::collection::vec(1..255_i32, 0..3)).prop_map(
        |(policy, attempts, micros, hundredths, exit_codes)| Retry {
            policy,
            attempts,
            initial: Duration::from_micros(micros),
            max: Duration::from_micros(micros + 1),
            multiplier: 1.0 + f64::from(hundredths),
            jitter: f64::from(hundredths) / 100.0,
            exit_codes,
            messages: vec!["busy \"now\"".to_owned()],
        },
    )
}

proptest! {
    #[test]
    fn canonical_json_reads_as_it_was_written(
        retry in prop::option::of(retry()),
        micros in 0..10_u64.pow(15),
        text in "[ -~äß\u{1F600}]{0,20}",
        number in any::<i64>(),
    ) {
        let mut definition = good(WHOLE);
        definition.description = Some(text.clone());
        let mut step = definition.steps.first().unwrap().as_ref().clone();
        let source = Json::of(&serde_json::json!([text.replace("{{", ""), number, {"k": "{{ input.x ~ 'ü' }}"}])).unwrap();
        step.does = Does::Agent {
            agent: AgentName::new(&text),
            with: Some(Template::from_json(&source).unwrap()),
            prompt: None,
        };
        step.retry = retry;
        step.timeout = Some(Duration::from_micros(micros));
        definition.steps = vec![step].into();
        let json = definition.to_json();
        let again = Definition::from_json(json.text()).unwrap();
        prop_assert_eq!(&again, &definition);
        prop_assert_eq!(again.to_json(), json);
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,80}") {
        let _ = read(&text);
    }

    #[test]
    fn no_step_makes_the_reader_panic(rest in "[a-z{}\\[\\]:'\"|>&*!%#\\-+ ,\n.$`()\\\\<]{0,60}") {
        let _ = read(&format!("steps:\n  - id: a\n    run: {rest}\n    if: {rest}\n"));
        let _ = read(&format!("steps:\n  - id: a\n    run: |\n      {}\n", rest.replace('\n', "\n      ")));
        let _ = read(&format!("steps:\n  - id: a\n    run: x\n    compensate:\n      run: {rest}\n      when: {rest}\n"));
        let _ = read(&format!("steps:\n  - id: a\n    run: x\n    compensate: {rest}\n    irreversible: {rest}\n"));
    }

    #[test]
    fn no_change_of_a_good_file_makes_the_reader_panic(at in 0..WHOLE.len(), length in 0..12_usize, new in "\\PC{0,4}") {
        let mut text = WHOLE.to_owned();
        text.replace_range(at..(at + length).min(text.len()), &new);
        let _ = read(&text);
    }
}

/// `02134`, a code, became 2134.0; a long integer became a float; `1_000` and `0x1F` became what
/// YAML takes them for.
#[test]
fn what_is_no_number_of_json_is_a_text_and_what_is_one_keeps_its_digits() {
    let text = "[02134, 007, 0x1F, 0o17, 0b1, 1_000, .5, 5., +1, .inf, -.INF, .nan, 12:30, 1e5, 1E400, -0, 1.10, 0123456789012345678901, 123456789012345678901, -12, 0, yes, '1', \"2\", true, ~]";
    let expected = concat!(
        r#"["02134","007","0x1F","0o17","0b1","1_000",".5","5.","+1",".inf","-.INF",".nan","12:30",1e5,1E400,-0,1.10,"#,
        r#""0123456789012345678901",123456789012345678901,-12,0,"yes","1","2",true,null]"#
    );
    assert_eq!(data(text, "input.yaml").unwrap().text(), expected);
    let aliases = data("{a: &x 02134, b: *x, c: &y 1.10, d: *y, ä: &z [1.50], e: *z}", "x.yaml").unwrap();
    assert_eq!(aliases.text(), r#"{"a":"02134","b":"02134","c":1.10,"d":1.10,"ä":[1.50],"e":[1.50]}"#);
    let definition =
        good(&format!("steps: [{{id: a, agent: x, with: {text}, for_each: {text}}}]\noutput: {text}"));
    assert_eq!(definition.output.as_ref().unwrap().render(&scope()).unwrap().text(), expected);
    assert_eq!(
        definition.steps.first().unwrap().items(&scope()).unwrap().first().unwrap().text(),
        "\"02134\""
    );
    let schema =
        good("input: {properties: {a: {default: 1.10}, b: {default: 02134}}}\nsteps: [{id: a, run: x}]");
    assert_eq!(
        Json::of(&schema.input).unwrap().text(),
        r#"{"properties":{"a":{"default":1.10},"b":{"default":"02134"}}}"#
    );
}

#[test]
fn a_file_called_json_is_read_as_json() {
    let read = |text: &str| parse(text, "w.json", &Known::default());
    let definition =
        read("{\n  \"steps\": [\n    {\"id\": \"a\", \"run\": [\"x\", 1.10]}\n  ]\n}").unwrap().definition;
    assert_eq!(
        definition.steps.first().unwrap().work(&scope()).unwrap().run,
        Some(Command::List(vec!["x".to_owned(), "1.10".to_owned()]))
    );
    for (text, code, line, column, says) in [
        ("{\n  // no\n}", Code::NotJson, 2, 3, "a key in double quotes is missing before `/`"),
        (
            "{\"steps\": [{\"id\": \"a\", \"run\": \"x\"},]}",
            Code::NotJson,
            1,
            36,
            "a value is missing before `]`",
        ),
        ("steps: []", Code::NotJson, 1, 1, "a value is missing"),
        ("{\"name\": 1,\n \"name\": 2}", Code::DuplicateKey, 2, 2, "the key `name` stands twice"),
        (
            "{\"steps\": [{\"id\": \"a\", \"env\": {\"A\": 1, \"A\": 2}}]}",
            Code::DuplicateKey,
            1,
            40,
            "at `steps[0].env`",
        ),
        ("{\"steps\": [\n  {\"id\": \"ä\\\"\", \"rnu\": \"x\"}]}", Code::UnknownKey, 2, 17, "`rnu`"),
    ] {
        let problems = read(text).unwrap_err();
        let problem = problems
            .iter()
            .find(|problem| problem.code == code)
            .unwrap_or_else(|| panic!("{text}: {problems:?}"));
        let at = problem.at.as_ref().unwrap();
        assert_eq!((at.line, at.column, at.file.as_str()), (line, column, "w.json"), "{text}: {problem:?}");
        assert!(problem.message.contains(says), "{text}: {problem:?}");
    }
}

#[test]
fn an_input_that_may_be_the_text_false_is_warned_of_where_it_decides() {
    let warned = |input: &str, condition: &str| {
        let text = format!("{input}\nsteps: [{{id: a, run: x, if: \"{condition}\"}}]");
        let warnings = read(&text).unwrap().warnings;
        warnings.iter().map(|problem| problem.code).collect::<Vec<_>>()
    };
    let typed = |kind: &str| format!("input: {{properties: {{deploy: {{type: {kind}}}, other: {{}}}}}}");
    for (input, condition) in [
        (String::new(), "input.deploy"),
        (typed("string"), "input.deploy"),
        (typed("[string, 'null']"), "not input.deploy"),
        (typed("boolean"), "input.deploy and input.other"),
        (typed("boolean"), "1 == 2 or (input.other)"),
    ] {
        assert_eq!(warned(&input, condition), [Code::TextFalse], "{input}: {condition}");
    }
    for (input, condition) in [
        (typed("boolean"), "input.deploy"),
        (typed("integer"), "input.deploy"),
        (String::new(), "input.deploy == 'true'"),
        (String::new(), "'x' in input.deploy"),
        (String::new(), "input.deploy | length"),
        (String::new(), "input.deploy is defined"),
    ] {
        assert_eq!(warned(&input, condition), [], "{input}: {condition}");
    }
}
