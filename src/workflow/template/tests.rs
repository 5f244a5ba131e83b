use std::collections::BTreeMap;

use super::*;
use crate::events::ids::{RunId, StepId};
use crate::workflow::scope::{StepReferences, StepView};

fn id(text: &str) -> StepId {
    StepId::parse(text).unwrap()
}

fn done(output: Option<&str>) -> StepView {
    let status = if output.is_some() { "completed" } else { "skipped" };
    StepView { status, attempts: 1, output: output.map(|text| Json::parse(text).unwrap()) }
}

fn scope() -> Scope {
    let steps = BTreeMap::from([
        (
            id("a"),
            done(Some(
                r#"{"n":7,"big":123456789012345678901234567890123456789012,"list":[1,{"x":"y"}],"price":1.10}"#,
            )),
        ),
        (id("a-b"), done(Some("\"hyphen\""))),
        (id("none"), done(None)),
    ]);
    Scope {
        input: Json::parse(r#"{"version":"1.2","flag":true,"nothing":null,"names":["x","y z"]}"#).unwrap(),
        run: RunId::parse("r1").unwrap(),
        env: BTreeMap::from([("HOME".to_owned(), "/home/me".to_owned())]),
        steps,
        context: BTreeMap::new(),
        contexts: BTreeMap::new(),
        item: Some((3, Json::parse("{\"file\":\"f.txt\"}").unwrap())),
        round: None,
        answer: None,
        undone: None,
    }
}

fn render(source: &str) -> Result<String, RenderError> {
    let template = Template::from_json(&Json::of(source).unwrap()).unwrap();
    template.render(&scope()).map(|json| json.text().to_owned())
}

#[test]
fn a_whole_expression_keeps_its_type_and_others_become_text() {
    for (source, expected) in [
        ("plain", r#""plain""#),
        ("{{ steps.a.output.n }}", "7"),
        ("{{ steps.a.output.n + 1 }}", "8"),
        ("{{ steps.a.output.list }}", r#"[1,{"x":"y"}]"#),
        ("v{{ input.version }}", r#""v1.2""#),
        ("{{ input.flag }}!", r#""true!""#),
        ("{{ input.nothing }}", "null"),
        ("[{{ input.nothing }}]", r#""[null]""#),
        ("{{ steps['a-b'].output }}", r#""hyphen""#),
        ("l={{ steps.a.output.list }}", r#""l=[1,{\"x\":\"y\"}]""#),
        ("{{ '{{' }} {% x %}", r#""{{ {% x %}""#),
        ("{{ item.file }}/{{ index }}/{{ run.id }}/{{ env.HOME }}", r#""f.txt/3/r1//home/me""#),
        ("{{ [1, 'a', none, {'k': input.flag}] }}", r#"[1,"a",null,{"k":true}]"#),
        ("{{ steps.a.output.list[-1].x }}", r#""y""#),
        ("{{ steps.a.output == steps.a.output and [1,2] == '[1, 2]' | fromjson }}", "true"),
        ("{{ input.names | join(',') }}", r#""x,y z""#),
        ("{{ steps.a.output.list | tojson }}", r#""[1,{\"x\":\"y\"}]""#),
        ("{{ steps.none.status }}", r#""skipped""#),
        ("{{ steps.none.output | default('d') }}", r#""d""#),
        ("{{ steps.none.output is defined }}", "false"),
        ("{{ 'a' ~ true ~ none }}", r#""aTrueNone""#),
        ("{{ 'a' ~ steps.a.output.list }}", r#""a[1,{\"x\":\"y\"}]""#),
        ("{{ 1e3 }} {{ 0.5 }}", r#""1000.0 0.5""#),
    ] {
        assert_eq!(render(source).as_deref(), Ok(expected), "{source}");
    }
}

#[test]
fn numbers_keep_their_digits_where_they_are_passed_on() {
    let whole =
        r#"{"n":7,"big":123456789012345678901234567890123456789012,"list":[1,{"x":"y"}],"price":1.10}"#;
    assert_eq!(render("{{ steps.a.output }}").unwrap(), whole);
    assert_eq!(render("{{ steps.a.output.big }}").unwrap(), "123456789012345678901234567890123456789012");
    assert_eq!(
        render("n: {{ steps.a.output.big }}").unwrap(),
        "\"n: 123456789012345678901234567890123456789012\""
    );
    assert_eq!(
        render("{{ {'b': steps.a.output.big} }}").unwrap(),
        "{\"b\":123456789012345678901234567890123456789012}"
    );
    assert!(render("{{ steps.a.output.big + 1 }}").is_err(), "arithmetic that would lose digits");
}

#[test]
fn what_is_not_defined_is_an_error_and_never_an_empty_text() {
    for (source, told) in [
        ("{{ input.nope }}", "`input.nope` is not defined"),
        ("x{{ input.nope }}", "`input.nope` is not defined"),
        ("{{ nope }}", "`nope` is not defined"),
        ("{{ input.nope.deeper }}", "a part of it is not defined"),
        ("{{ steps.a.output.nope }}", "`steps.a.output.nope` is not defined"),
        ("{{ steps.unknown.output }}", "a part of it is not defined"),
        ("{{ env.PATH }}", "`env.PATH` is not defined"),
        ("{{ 0.0 * (1e308 * 10) }}", "no number that JSON has"),
        ("{{ 1 / 0 }}", ""),
        ("{{ {1: 2} }}", "keys must be texts"),
        ("{{ input.nope == 1 }}", "`input.nope` is not defined"),
        ("{{ 'x' if input.nope else 'y' }}", "`input.nope` is not defined"),
        ("{{ [input.nope] }}", "`input.nope` is not defined"),
        ("{{ [] | first }}", "its value is not defined"),
    ] {
        match render(source) {
            Err(RenderError::Failed(why)) => assert!(why.contains(told), "{source}: {why}"),
            other => panic!("{source}: {other:?}"),
        }
    }
}

#[test]
fn a_missing_output_is_told_from_an_unknown_name() {
    let missing = Err(RenderError::NoOutput(id("none")));
    for source in [
        "{{ steps.none.output }}",
        "x{{ steps.none.output }}",
        "{{ steps.none.output.field }}",
        "{{ steps.none.output ~ input.version }}",
        "{{ steps.none.output + 1 }}",
        "{{ steps.none['output'] | upper }}",
        "{{ steps.none.output == 1 }}",
        "{{ steps[steps.none.status | replace('skipped', 'none')].output ~ '' }}",
        "{{ steps.none.output ~ input.nope }}",
    ] {
        assert_eq!(render(source), missing, "{source}");
    }
    let guarded = "{{ steps.none.output | default('x') ~ input.nope }}";
    assert!(matches!(render(guarded), Err(RenderError::Failed(_))));
    assert_eq!(render("{{ steps.none.output == 1 if steps.none.output is defined else 2 }}").unwrap(), "2");
    assert_eq!(render("{{ 'version' in input and not 'nope' in input }}").unwrap(), "true");
}

#[test]
fn conditions_are_strict_too() {
    let truth = |source: &str| Expression::parse(source).unwrap().is_true(&scope());
    assert_eq!(truth("input.flag"), Ok(true));
    assert_eq!(truth("input.nothing"), Ok(false));
    assert_eq!(truth("steps.none.output"), Err(RenderError::NoOutput(id("none"))));
    assert!(matches!(truth("input.nope"), Err(RenderError::Failed(_))));
    assert!(matches!(truth("not input.nope"), Err(RenderError::Failed(_))));
}

#[test]
fn an_expression_that_never_ends_runs_out_of_fuel() {
    let deep = format!("{}1", "range(100000) | map('abs') | list | length + ".repeat(3));
    assert!(Expression::parse(&deep).unwrap().evaluate(&scope()).is_ok());
}

#[test]
fn references_are_exact_where_names_are_written() {
    let steps = |source: &str| Expression::parse(source).unwrap().references().steps.clone();
    let these = |ids: &[&str]| StepReferences::These(ids.iter().map(|text| id(text)).collect());
    assert_eq!(steps("input.x"), these(&[]));
    assert_eq!(steps("steps.a.output ~ steps['a-b'].status"), these(&["a", "a-b"]));
    assert_eq!(steps("steps.a.output[1:]"), these(&["a"]));
    assert_eq!(steps("steps[input.x].output"), StepReferences::All);
    assert_eq!(steps("steps | length"), StepReferences::All);
    assert_eq!(steps("steps['f[0]'].output"), StepReferences::These([id("f").item(0)].into()));
}

#[test]
fn a_template_is_its_source() {
    for source in [
        r#"{"a":[1,"{{ input.version }}",{"b":null}],"c":"{{ 1 }} x"}"#,
        r#"[123456789012345678901234567890,"x",{}]"#,
        r#""{{ steps.a.output }}""#,
        "[]",
    ] {
        let spaced = source.replace(',', " , ");
        let template: Template = serde_json::from_str(&spaced).unwrap();
        assert_eq!(serde_json::to_string(&template).unwrap(), source);
        assert_eq!(template, serde_json::from_str::<Template>(source).unwrap());
        assert_eq!(template.is_constant(), !source.contains("{{"));
    }
}

proptest::proptest! {
    /// The marks that make lookups strict are put into the source: they must not change what parses.
    #[test]
    fn strictness_changes_no_syntax(parts in proptest::collection::vec(0..26_usize, 1..12)) {
        const WORDS: [&str; 26] = [
            "steps", ".", "a", "['x']", "[", "]", "input", " + ", " ~ ", "(", ")", "1", " | ", "default", " is ",
            "defined", " not ", " in ", " if ", " else ", ",", "{", "}", ": ", "'s'", "=",
        ];
        let source: String = parts.iter().filter_map(|part| WORDS.get(*part)).copied().collect();
        let mut engine = minijinja::Environment::empty();
        engine.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
        proptest::prop_assert_eq!(Expression::parse(&source).is_ok(), engine.compile_expression(&source).is_ok(), "{}", source);
    }
}

#[test]
fn json_made_to_overflow_the_stack_is_passed_on_but_not_looked_into() {
    let deep = format!("{}1{}", "[".repeat(20_000), "]".repeat(20_000));
    let scope =
        Scope { input: Json::parse(&deep).unwrap(), item: Some((0, Json::parse(&deep).unwrap())), ..scope() };
    let value =
        |source: &str| Expression::parse(source).unwrap().evaluate(&scope).map(|json| json.text().to_owned());
    assert_eq!(value("input").as_ref(), Ok(&deep));
    assert_eq!(value(&format!("input{} | length", "[0]".repeat(90))), Ok("1".to_owned()));
    let told = value(&format!("input{}", "[0]".repeat(110))).unwrap_err().to_string();
    assert!(told.contains("nested deeper than 100"), "{told}");
    assert_eq!(value("input == item"), Ok("false".to_owned()));
}
