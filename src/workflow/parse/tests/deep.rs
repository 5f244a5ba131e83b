//! The bounds on depth hold where little stack is left: in a debug build, on a thread that has half of what
//! the smallest thread has that anything runs on.

use std::thread;

use super::*;
use crate::events::json::{DEPTH_MAX, Json};
use crate::events::problem::Code;
use crate::workflow::parse::{PlanScope, plan};
use crate::workflow::schema::Schema;
use crate::workflow::scope::Scope;
use crate::workflow::template::{Expression, RenderError, Template};

/// Threads of tokio, of actix and of tests have 2 MiB.
const STACK_BYTES: usize = 1024 * 1024;

fn on_a_small_stack(test: impl FnOnce() + Send + 'static) {
    thread::Builder::new().stack_size(STACK_BYTES).spawn(test).unwrap().join().unwrap();
}

fn lists(depth: usize) -> String {
    format!("{}1{}", "[".repeat(depth), "]".repeat(depth))
}

fn maps(depth: usize) -> String {
    format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth))
}

fn scope(input: &str) -> Scope {
    let input = Json::parse(input).unwrap();
    Scope {
        context: Default::default(),
        contexts: Default::default(),
        item: Some((0, Json::parse(&input.text().replace('1', "1.0")).unwrap())),
        input,
        run: crate::events::ids::RunId::parse("r").unwrap(),
        env: Default::default(),
        steps: Default::default(),
        round: None,
        answer: None,
        undone: None,
    }
}

/// Expressions that passed `validate` overflowed the stack of the thread that read them again, and with it
/// every run of the process, at each start.
#[test]
fn the_deepest_expression_of_every_kind_is_compiled_evaluated_and_dropped() {
    on_a_small_stack(|| {
        for (before, middle, after) in [
            ("(", "1", ")"),
            ("[", "1", "]"),
            ("{'a':", "1", "}"),
            ("-", "1", ""),
            ("not ", "1", ""),
            ("input[", "1", "]"),
            ("range(", "1", ")"),
            ("", "1", "|string"),
            ("", "input", ".y"),
            ("", "input", "[0]"),
            ("", "input", "['y']"),
            ("", "input", "()"),
            ("", "1", " is odd"),
            ("1 and ", "1", ""),
            ("0 or ", "1", ""),
            ("1 if 0 else ", "1", ""),
            ("", "1", " if 1"),
            ("1**", "1", ""),
            ("1|default(", "1", ")"),
            ("dict(y=", "dict()", ")"),
            ("1 is odd [", "1", "]"),
            ("1 + (", "1", ")"),
            ("1 == (", "1", ")"),
            ("1 + ", "1", ""),
            ("'a' ~ ", "1", ""),
            ("1 < ", "1", ""),
            ("input + ", "input", ""),
            ("[input] + ", "input", ""),
            ("[", "input", "]|batch(1)|list"),
        ] {
            let source = |times: usize| format!("{}{middle}{}", before.repeat(times), after.repeat(times));
            let times = [899].into_iter().chain((1..=121).rev());
            let deepest = times.filter_map(|times| Expression::parse(&source(times)).ok()).next().unwrap();
            let scope = scope(&lists(DEPTH_MAX));
            let _ = deepest.evaluate(&scope);
            let _ = deepest.is_true(&scope);
            assert!(Expression::parse(&source(5_000)).is_err(), "{before}{middle}{after}");
        }
    });
}

#[test]
fn the_deepest_json_is_walked_wherever_json_is_walked() {
    on_a_small_stack(|| {
        for deep in [lists(DEPTH_MAX), maps(DEPTH_MAX)] {
            let json = Json::read(&deep).unwrap();
            assert!(!json.value().is_null());
            let scope = scope(&deep);
            for source in [
                "input == item",
                "[input] == [item]",
                "input in [item, 1]",
                "[input, item]|sort",
                "[input, item]|unique",
                "input|string",
                "[input]|tojson",
                "input|tojson|fromjson",
                "input ~ item",
                "[[input]]|groupby('0')",
                "'%s'|format(input)",
                "{'a': input} == {'a': item}",
                "[input]|join",
                "[1.10, input]|min",
                "input < item",
            ] {
                match Expression::parse(source).unwrap().evaluate(&scope) {
                    Ok(_) | Err(RenderError::Failed(_)) => {}
                    Err(other) => panic!("{source}: {other:?}"),
                }
            }
            for file in ["input.yaml", "input.json"] {
                assert_eq!(data(&deep, file).unwrap(), json);
            }
            let template =
                Template::from_json(&Json::parse(&deep.replace('1', "\"{{ index }}\"")).unwrap()).unwrap();
            assert_eq!(template.render(&scope).unwrap().text(), deep.replace('1', "0"));
            let around = Template::from_json(&Json::parse("[\"{{ input }}\"]").unwrap()).unwrap();
            let RenderError::Failed(says) = around.render(&scope).unwrap_err() else { panic!() };
            assert!(says.contains("deeper than 100 levels"), "{says}");
        }
        for deeper in [lists(DEPTH_MAX + 1), maps(127), lists(128), maps(129), lists(100_000), maps(100_000)]
        {
            assert!(Json::read(&deeper).is_err());
            // YAML that deep its reader takes for damaged.
            let code = data(&deeper, "input.yaml").unwrap_err().code;
            assert!(code == Code::TooDeep || (deeper.len() > 1_000 && code == Code::NotYaml));
            assert_eq!(data(&deeper, "input.json").unwrap_err().code, Code::TooDeep);
            let recorded = Json::parse(&deeper).unwrap();
            assert!(Template::from_json(&recorded).is_err());
            let _ = recorded.value();
            let _ = Expression::parse("[input, item]|tojson|length").unwrap().evaluate(&scope(&deeper));
        }
    });
}

#[test]
fn the_deepest_file_and_the_deepest_plan_are_read() {
    on_a_small_stack(|| {
        for (file, deep) in ["w.yaml", "w.json"]
            .into_iter()
            .flat_map(|file| [lists, maps].map(|deep| (file, deep(DEPTH_MAX - 4))))
        {
            let text =
                format!("{{\"steps\": [{{\"id\": \"a\", \"agent\": \"x\", \"with\": {{\"d\": {deep}}}}}]}}");
            let parsed = parse(&text, file, &Known::default()).unwrap();
            let recorded = parsed.definition.to_json();
            assert_eq!(Definition::from_json(recorded.text()).unwrap(), parsed.definition);
            let deeper = text.replace(&deep, &format!("[{deep}]"));
            let problem = parse(&deeper, file, &Known::default()).unwrap_err().remove(0);
            assert_eq!((problem.code, problem.at.unwrap().line), (Code::TooDeep, 1), "{file}");
            let scope = PlanScope {
                env: &[],
                fallback_attempts: 1,
                contexts: &std::collections::BTreeMap::new(),
                steps: &|_| false,
            };
            let steps = text.split_once(": ").unwrap().1.strip_suffix('}').unwrap();
            assert!(plan(steps, &scope).is_ok());
            assert_eq!(plan(&lists(DEPTH_MAX + 1), &scope).unwrap_err().code, Code::BadPlan);
        }
    });
}

#[test]
fn the_deepest_schema_is_checked_and_checks() {
    on_a_small_stack(|| {
        for (before, after) in [
            ("{\"items\":", "}"),
            ("{\"not\":", "}"),
            ("{\"anyOf\":[", "]}"),
            ("{\"allOf\":[", "]}"),
            ("{\"properties\":{\"a\":", "}}"),
            ("{\"if\":true,\"then\":", "}"),
        ] {
            let levels = (DEPTH_MAX - 1) / (before.matches(['{', '[']).count());
            let text = format!("{}{{\"type\":\"integer\"}}{}", before.repeat(levels), after.repeat(levels));
            let schema = Schema::new(Json::read(&text).unwrap());
            schema.check().unwrap();
            for input in [lists(levels), maps(levels)] {
                let _ = crate::workflow::input::check_input(Some(&schema), &Json::read(&input).unwrap());
            }
        }
    });
}

/// What an older version recorded may be deeper than what is accepted now: only the step
/// that evaluates it fails.
#[test]
fn a_recorded_expression_that_is_too_deep_fails_only_who_evaluates_it() {
    on_a_small_stack(|| {
        let deep = format!("{}1", "-".repeat(5_000));
        let text = good(
            "steps: [{id: a, run: x, if: input.CONDITION}, {id: b, agent: y, with: '{{ input.CONDITION }}'}]",
        );
        let recorded = text.to_json().text().replace("input.CONDITION", &deep);
        let definition = Definition::from_json(&recorded).unwrap();
        assert_eq!(definition.to_json().text(), recorded);
        let [a, b] = [0, 1].map(|place| definition.steps.get(place).unwrap().clone());
        let scope = scope("1");
        for why in [a.condition.as_ref().unwrap().is_true(&scope).unwrap_err(), b.work(&scope).unwrap_err()] {
            assert!(why.to_string().contains("nested deeper than 59 levels"), "{why}");
        }
    });
}
