use super::*;
use crate::workflow::definition::{Does, Step};
use crate::workflow::parse::Parsed;

mod bad;
mod round_trip;

const HARBOUR: &str = include_str!("../../../tests/fixtures/chains/harbour.md");
const LIGHTHOUSE: &str = include_str!("../../../tests/fixtures/chains/lighthouse.md");

fn partly(text: &str) -> Partly {
    read(text, "chain.md", &Known::default())
}

fn parsed(text: &str) -> Parsed {
    let partly = partly(text);
    partly.read.unwrap_or_else(|| panic!("{:#?}", partly.problems))
}

fn prompt(step: &Step) -> String {
    let Does::Agent { prompt: Some(prompt), .. } = &step.does else { panic!("{step:?}") };
    match Json::of(prompt).unwrap().value() {
        serde_json::Value::String(text) => text,
        other => panic!("{other}"),
    }
}

fn with(step: &Step) -> serde_json::Value {
    let Does::Agent { with: Some(with), .. } = &step.does else { panic!("{step:?}") };
    Json::of(with).unwrap().value()
}

/// A chain of one subtask whose prompt is this.
fn of_prompt(prompt: &str) -> String {
    format!(
        "# T\n### Subtask 1: One\n**Agent**: a\n**Input**:\n- `name`: who\n- `list`: what\n**Prompt**:\n{prompt}\n"
    )
}

/// The places and codes of warnings.
fn told(problems: &[Problem]) -> Vec<(u64, &'static str)> {
    problems.iter().map(|problem| (problem.at.as_ref().unwrap().line, problem.code.text())).collect()
}

#[test]
fn the_newer_form_is_a_workflow() {
    let parsed = parsed(HARBOUR);
    let [survey, plan] = &*parsed.definition.steps else { panic!() };
    assert_eq!(parsed.definition.name, "Harbour Survey → Dredging Plan - Prompt Chain");
    assert!(parsed.definition.description.as_ref().unwrap().starts_with("**Problem**"));
    assert_eq!((survey.id.as_str(), plan.id.as_str()), ("subtask_1", "subtask_2"));
    assert_eq!(survey.agent().unwrap().as_str(), "Harbour Pilot");
    assert_eq!(plan.agent().unwrap().as_str(), "Dredging Planner");
    assert_eq!((survey.needs.len(), plan.needs.as_slice()), (0, std::slice::from_ref(&survey.id)));

    let told = prompt(survey);
    assert!(told.contains("- Harbour: {{ input.harbour }}\n"), "{told}");
    assert!(told.contains("and {braces} of no variable stay"), "{told}");
    assert!(
        told.contains(
            "   ```json\n   {\"berth\": \"north\", \"depth_m\": {\"low\": 7, \"high\": 8}}\n   ```"
        )
    );
    assert!(told.ends_with("`berths`, `obstacles` and `surveyed_on`."), "{told}");
    let told = prompt(plan);
    assert!(told.contains("{{ steps.subtask_1.output.berths.north.depth_m | needed }} m."), "{told}");
    assert!(told.contains("{{ steps.subtask_1.output.obstacles[0] | needed }}"), "{told}");
    let with = with(plan);
    assert_eq!(with["berths"], "{{ steps.subtask_1.output.berths | needed }}");
    assert_eq!(with["budget"], "{{ input.budget }}");

    let schema = survey.schema.as_ref().unwrap();
    assert_eq!(schema["required"], serde_json::json!(["berths", "obstacles", "surveyed_on"]));
    let north = &schema["properties"]["berths"]["properties"]["north"];
    assert_eq!(north["properties"]["depth_m"]["type"], serde_json::json!(["number", "null"]));
    assert!(north.get("required").is_none() && north["properties"]["remarks"].get("type").is_none());
    assert_eq!(schema["properties"]["obstacles"]["items"]["type"], serde_json::json!(["string", "null"]));
    assert_eq!(plan.schema.as_ref().unwrap()["properties"]["cost"]["type"], "number");

    let input = parsed.definition.input.as_ref().unwrap().value();
    assert_eq!(input["required"], serde_json::json!(["budget", "harbour", "vessels"]));
    assert_eq!(input["properties"]["with_sonar"]["default"], true);
    let output = Json::of(parsed.definition.output.as_ref().unwrap()).unwrap();
    assert_eq!(output.value(), "{{ steps.subtask_2.output | default(none) }}");
    assert_eq!(parsed.places, [(12, 1), (60, 1)]);
    assert_eq!(parsed.warnings, []);
}

#[test]
fn the_older_form_is_a_workflow() {
    let partly = partly(LIGHTHOUSE);
    let parsed = partly.read.unwrap();
    let [look, cause, log] = &*parsed.definition.steps else { panic!() };
    assert_eq!(parsed.definition.version.as_deref(), Some("2.1"));
    assert_eq!(
        parsed.definition.description.as_deref(),
        Some("From a dark lamp to a log that says why it was dark.")
    );
    let told_first = prompt(look);
    assert!(
        told_first.contains(
            "- Wind: {{ input.weather.wind | needed }}, fog: {{ input.weather.fog[0] | needed }}\n"
        )
    );
    assert!(
        told_first.contains("- Seen by: {{ input.seen_by }}\n"),
        "an input that is only used: {told_first}"
    );
    assert!(told_first.ends_with('}'), "{told_first}");
    assert!(prompt(cause).contains("({{ steps.subtask_1.output.severity.level | needed }})"));
    let handoffs: Vec<_> = cause.handoffs.iter().flatten().map(AgentName::as_str).collect();
    assert_eq!((cause.agent().unwrap().as_str(), handoffs), ("Keeper Agent", vec!["Electrician"]));
    assert_eq!(look.handoffs, None);

    let told_last = prompt(log);
    assert!(told_last.contains("```markdown\n# Log of {{ input.outage_id }}\n"), "{told_last}");
    assert!(told_last.contains("**Severity**: {{ '{{' }}severity_in_words}}\n"), "{told_last}");
    assert!(told_last.contains("```text\nlamp --x-- fuse\n```\n"), "{told_last}");
    assert!(told_last.ends_with("- `HH:MM` before every line"), "{told_last}");
    assert_eq!(log.needs.iter().map(|id| id.as_str()).collect::<Vec<_>>(), ["subtask_1", "subtask_2"]);
    assert_eq!(with(log)["subtask_2_output"], "{{ steps.subtask_2.output | needed }}");
    assert_eq!(log.schema, None);

    let input = parsed.definition.input.as_ref().unwrap().value();
    assert_eq!(input["required"], serde_json::json!(["lamps", "outage_id", "seen_by", "weather"]));
    assert_eq!(input["properties"]["lamps"]["examples"], serde_json::json!([["main", "reserve"]]));
    let output = Json::of(parsed.definition.output.as_ref().unwrap()).unwrap().value();
    assert_eq!(
        output["level"],
        "{{ ((steps.subtask_1.output | default({})).severity | default({})).level | default(none) }}"
    );
    assert_eq!(
        (&output["outage"], &output["closed"]),
        (&"{{ input.outage_id | default(none) }}".into(), &true.into())
    );
    // The older form shows no example of what is answered.
    assert_eq!(told(&parsed.warnings)[0], (29, "RE-1125"));
    let names: Vec<_> = partly.subtasks.iter().map(|subtask| subtask.name.as_str()).collect();
    assert_eq!(names, ["First Look", "Cause", "Log"]);
    assert_eq!(partly.subtasks[1].inputs, ["subtask_1_output", "outage_id"]);
    assert_eq!(partly.subtasks[1].outputs, ["cause", "evidence"]);
}

#[test]
fn braces_that_hold_no_variable_stay_as_they_are() {
    for (written, source) in [
        ("{name}", "{{ input.name }}"),
        ("{{name}}", "{{ input.name }}"),
        ("{{ name }}", "{{ input.name }}"),
        ("{{{name}}}", "{{ '{' }}{{ input.name }}}"),
        ("{ name }", "{ name }"),
        ("{name", "{name"),
        ("{{name}", "{{ '{' }}{{ input.name }}"),
        ("{nam}", "{nam}"),
        ("{{nam}}", "{{ '{{' }}nam}}"),
        ("{\"a\": {\"b\": {name}}}", "{\"a\": {\"b\": {{ input.name }}}}"),
        ("{{\"a\": 1}}", "{{ '{{' }}\"a\": 1}}"),
        ("{name.a-b.0[1]}", "{{ input.name.a-b'][0][1] | needed }}"),
        ("{%x%} {#y#} ${name}", "{%x%} {#y#} ${{ input.name }}"),
        ("{{% raw %}}", "{{ '{{' }}% raw %}}"),
        ("{list}{name}", "{{ input.list }}{{ input.name }}"),
        ("{subtask_9_output} {input} {steps.a}", "{subtask_9_output} {input} {steps.a}"),
        ("{{{{", "{{ '{{{{' }}"),
        ("}} {{}} {", "}} {{ '{{' }}}} {"),
    ] {
        let parsed = parsed(&of_prompt(&format!("```\n{written}\n```")));
        let source = source.replace(".a-b']", "['a-b']");
        assert_eq!(prompt(&parsed.definition.steps[0]), source, "{written}");
    }
}

#[test]
fn what_stays_is_told_to_the_agent_as_it_is_written() {
    let written = "{{ nam }} {{{name}}} {\"a\": {{name}}} {{{{ '{{' }} {{%";
    let parsed = parsed(&of_prompt(&format!("```\n{written}\n```")));
    let scope = crate::workflow::scope::Scope {
        input: Json::parse(r#"{"name": "N", "list": []}"#).unwrap(),
        run: crate::events::ids::RunId::parse("r").unwrap(),
        env: BTreeMap::new(),
        steps: BTreeMap::new(),
        context: BTreeMap::new(),
        contexts: BTreeMap::new(),
        item: None,
        round: None,
        answer: None,
        undone: None,
    };
    let work = parsed.definition.steps[0].work(&scope).unwrap();
    assert_eq!(work.prompt.as_deref(), Some("{{ nam }} {N} {\"a\": N} {{{{ '{{' }} {{%"));
}

#[test]
fn a_prompt_is_a_block_a_line_or_what_stands_below() {
    for (written, read) in [
        ("```text\na\n```", "a"),
        ("~~~\na\n```\nb\n~~~", "a\n```\nb"),
        ("````\na\n```\nb\n```json\n{}\n```\n````", "a\n```\nb\n```json\n{}\n```"),
        ("  ```\n  a\n    b\n  ```", "a\n  b"),
        ("first {name}\nsecond\n\n**Note**: no", "first {{ input.name }}\nsecond\n\n**Note**: no"),
        ("```\na\r\nb\n```\r", "a\nb"),
    ] {
        let parsed = parsed(&of_prompt(written));
        assert_eq!(prompt(&parsed.definition.steps[0]), read, "{written}");
    }
    let on_the_line =
        of_prompt("").replace("**Prompt**:\n", "**Prompt:** Greet {name}.\nBe kind.\n\nThis is not read.\n");
    assert_eq!(prompt(&parsed(&on_the_line).definition.steps[0]), "Greet {{ input.name }}.\nBe kind.");
}

#[test]
fn variables_are_named_in_all_their_forms() {
    let text = "### Subtask 3: A\n**Agent**: a\n**Output**: `one`, `two`\n**Prompt**: p {six}\n\
        ## Subtask 5 - B\n- **Agents**: `b` + c (for the rest)\n- **Inputs**:\n  * `one`, `six`: both\n  \
        1. Outputs from Subtask 3 (`two`)\n  - Output of Subtask 3\n  - `opt` (optional): maybe\n  \
        - `list` (default: [\"a\", \"b)\"]): some\n  - `word` (default: plain): w\n\
        **Output**:\n- `done`: whether\n- so much\n**Prompt**: p {one} {two} {subtask_3_output} {opt} {list} {word} {six}\n";
    let partly = partly(text);
    let parsed = partly.read.unwrap_or_else(|| panic!("{:#?}", partly.problems));
    let [a, b] = &*parsed.definition.steps else { panic!() };
    assert_eq!((a.id.as_str(), b.agent().unwrap().as_str()), ("subtask_3", "b"));
    assert_eq!(b.handoffs, Some(vec![AgentName::new("c")]));
    let inputs = &partly.subtasks[1].inputs;
    assert_eq!(*inputs, ["one", "six", "two", "subtask_3_output", "opt", "list", "word"]);
    assert_eq!(partly.subtasks[1].outputs, ["done"]);
    assert_eq!(with(b)["one"], "{{ steps.subtask_3.output.one | needed }}");
    assert_eq!(with(b)["subtask_3_output"], "{{ steps.subtask_3.output | needed }}");
    let input = parsed.definition.input.unwrap();
    let properties = &input.value()["properties"];
    assert_eq!(input.value()["required"], serde_json::json!(["six"]));
    assert_eq!(properties["opt"]["default"], serde_json::Value::Null);
    assert_eq!(properties["list"]["default"], serde_json::json!(["a", "b)"]));
    assert_eq!(properties["word"]["default"], "plain");
    assert_eq!(parsed.definition.name, "chain");
}

#[test]
fn a_name_means_what_the_newest_subtask_before_answers() {
    let one = |number: u32, output: &str| {
        format!(
            "### Subtask {number}: S\n**Agent**: a\n**Output Variables**: {output}\n**Prompt**: {{x}} {{y}}\n"
        )
    };
    let text = [
        "# T\n## Inputs\n- `x`: given\n- `y`: given\n".to_owned(),
        one(1, "x"),
        one(2, "`y`, x"),
        one(3, "z"),
    ];
    let parsed = parsed(&text.concat());
    let prompts: Vec<_> = parsed.definition.steps.iter().map(|step| prompt(step)).collect();
    assert_eq!(prompts[0], "{{ input.x }} {{ input.y }}");
    assert_eq!(prompts[1], "{{ steps.subtask_1.output.x | needed }} {{ input.y }}");
    assert_eq!(prompts[2], "{{ steps.subtask_2.output.x | needed }} {{ steps.subtask_2.output.y | needed }}");
    // Each of the names that mean two things is told of.
    let ambiguous = parsed.warnings.iter().filter(|warning| warning.message.contains("from here on")).count();
    assert_eq!(ambiguous, 3, "{:#?}", parsed.warnings);
}

#[test]
fn dots_stand_for_what_an_example_leaves_out() {
    let text = of_prompt("p {name} {list}").replace(
        "**Prompt**",
        "**Output**:\n```json\n{\"inventory\": {...}, \"rows\": [ … ], \"text\": \"{...}\"}\n```\n**Prompt**",
    );
    let parsed = parsed(&text);
    let schema = parsed.definition.steps[0].schema.as_ref().unwrap();
    assert_eq!(schema["properties"]["inventory"], serde_json::json!({"type": "object"}));
    assert_eq!(schema["properties"]["rows"], serde_json::json!({"type": "array"}));
    assert_eq!(schema["properties"]["text"]["type"], "string");
}
