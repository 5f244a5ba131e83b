use serde_json::json;

use super::*;

fn schema() -> Value {
    json!({
        "type": "object",
        "required": ["version"],
        "additionalProperties": false,
        "properties": {
            "version": {"type": "string"},
            "count": {"type": "integer", "minimum": 1, "default": 3},
            "ratio": {"type": "number"},
            "force": {"type": "boolean"},
            "files": {"type": "array", "items": {"type": "string"}},
            "label": {"type": ["string", "null"]},
            "limit": {"type": ["integer", "null"]},
            "target": {
                "type": "object",
                "default": {},
                "properties": {"host": {"default": "localhost"}, "port": {"type": "integer"}}
            },
            "absent": {"type": "object", "properties": {"x": {"default": 1}}}
        }
    })
}

fn arguments(list: &[&str]) -> Result<Value, Vec<Problem>> {
    let list: Vec<String> = list.iter().map(|argument| (*argument).to_owned()).collect();
    input_from_arguments(Some(&Schema::from(&schema())), None, &list)
}

fn input_from_arguments(
    schema: Option<&Schema>,
    file: Option<Value>,
    arguments: &[String],
) -> Result<Value, Vec<Problem>> {
    let file = file.as_ref().map(Json::from);
    super::input_from_arguments(schema, file, arguments).map(|input| input.value())
}

fn check_input(schema: Option<&Value>, input: &Value) -> Result<Value, Vec<Problem>> {
    let schema = schema.map(Schema::from);
    super::check_input(schema.as_ref(), &Json::from(input)).map(|input| input.value())
}

fn check_schema(schema: &Value) -> Result<(), String> {
    Schema::from(schema).check()
}

#[test]
fn text_becomes_what_the_schema_declares() {
    for (argument, expected) in [
        ("version=1.10", json!({"version": "1.10"})),
        ("version=", json!({"version": ""})),
        ("version=a=b", json!({"version": "a=b"})),
        ("count=7", json!({"count": 7})),
        ("count=18446744073709551615", json!({"count": u64::MAX})),
        ("ratio=1.5", json!({"ratio": 1.5})),
        ("ratio=3", json!({"ratio": 3})),
        ("ratio=.5", json!({"ratio": 0.5})),
        ("force=true", json!({"force": true})),
        ("files=[\"a\", \"b\"]", json!({"files": ["a", "b"]})),
        ("label=null", json!({"label": "null"})),
        ("limit=null", json!({"limit": null})),
        ("limit=5", json!({"limit": 5})),
        ("target={\"port\": 1}", json!({"target": {"port": 1}})),
        ("target.port=8080", json!({"target": {"port": 8080}})),
        ("target.host=8080", json!({"target": {"host": "8080"}})),
        ("other=5", json!({"other": "5"})),
        ("version:=5", json!({"version": 5})),
        ("other.deep:={\"x\": [1]}", json!({"other": {"deep": {"x": [1]}}})),
    ] {
        assert_eq!(arguments(&[argument]), Ok(expected), "{argument}");
    }
}

#[test]
fn later_arguments_win_over_earlier_ones_and_over_the_file() {
    let file = json!({"version": "file", "target": {"host": "h", "port": 1}});
    let list = ["version=a".to_owned(), "target.port=2".to_owned(), "version=b".to_owned()];
    let input = input_from_arguments(Some(&Schema::from(&schema())), Some(file), &list).unwrap();
    assert_eq!(input, json!({"version": "b", "target": {"host": "h", "port": 2}}));
}

#[test]
fn arguments_that_are_none_are_all_told() {
    for argument in
        ["version", "=x", "a..b=x", ":=1", "version:=x", "count=many", "force=yes", "files=a", "ratio=NaN"]
    {
        let problems = arguments(&[argument]).unwrap_err();
        assert_eq!(problems.len(), 1, "{argument}");
        assert!(
            problems.iter().all(|problem| problem.code == Code::BadInput && !problem.remedies.all.is_empty()),
            "{argument}"
        );
    }
    assert_eq!(arguments(&["version", "count=x", "version=ok"]).unwrap_err().len(), 2);
    let through_text = arguments(&["version=x", "version.deep=y"]).unwrap_err();
    assert!(
        through_text.first().unwrap().message.contains("`version`, which is no object"),
        "{through_text:?}"
    );
    let file = Some(json!([1]));
    assert!(input_from_arguments(None, file, &["a=b".to_owned()]).is_err());
}

#[test]
fn defaults_are_filled_in_at_every_depth() {
    let filled = check_input(Some(&schema()), &json!({"version": "1"})).unwrap();
    assert_eq!(filled, json!({"version": "1", "count": 3, "target": {"host": "localhost"}}));
    let given = json!({"version": "1", "count": 9, "target": {"host": "h"}, "absent": {}});
    let filled = check_input(Some(&schema()), &given).unwrap();
    assert_eq!(filled, json!({"version": "1", "count": 9, "target": {"host": "h"}, "absent": {"x": 1}}));
    assert_eq!(check_input(None, &json!({"any": 1})), Ok(json!({"any": 1})));
}

#[test]
fn what_does_not_fit_is_named_by_its_path() {
    for (input, message, hint) in [
        (json!({}), "`input.version` is missing", ""),
        (json!({"version": 1}), "`input.version` must be of type string, and is 1", ""),
        (json!({"version": "1", "conut": 1}), "`input.conut` is not an input of this workflow", "`count`"),
        (json!({"version": "1", "zzz": 1}), "`input.zzz` is not an input", "its inputs are `version`"),
        (json!({"version": "1", "count": 0}), "`input.count`: 0 is less than the minimum of 1", ""),
        (json!({"version": "1", "files": ["a", 2]}), "`input.files[1]` must be of type string, and is 2", ""),
        (json!({"version": "1", "limit": "x"}), "`input.limit` must be of type", ""),
        (json!({"version": "1", "target": {"port": "x"}}), "`input.target.port` must be of type integer", ""),
        (json!([1]), "`input` must be of type object, and is [1]", ""),
    ] {
        let problems = check_input(Some(&schema()), &input).unwrap_err();
        let [problem] = problems.as_slice() else { panic!("{input}: {problems:#?}") };
        assert!(problem.message.contains(message), "{input}: {}", problem.message);
        assert!(problem.remedies.plain().contains(hint), "{input}: {problem:?}");
        assert_eq!(problem.code, Code::BadInput);
    }
    assert_eq!(check_input(Some(&schema()), &json!({"x": 1, "y": 2})).unwrap_err().len(), 3);
    let missing = check_input(Some(&schema()), &json!({})).unwrap_err();
    assert_eq!(missing[0].remedies, Remedy::GiveInput("version".to_owned()).into());
}

#[test]
fn an_input_that_is_not_known_is_told_with_the_nearest_and_all_that_are() {
    for (name, known, said) in [
        ("verison", &["version", "dry"][..], "did you mean `version`? Its inputs are `version`, `dry`"),
        ("verison", &["version"], "did you mean `version`?"),
        ("nope", &["version", "dry"], "its inputs are `version`, `dry`"),
        ("nope", &["version"], "its only input is `version`"),
        ("nope", &[], "no input is known there: leave it out"),
    ] {
        assert_eq!(instead_of_input(name, known), said);
    }
    let many: Vec<String> = (0..50).map(|number| format!("input_{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert!(instead_of_input("nope", &many).ends_with("`input_19`, and 30 more"));
}

/// What is typed again gives the same, whatever it is.
#[test]
fn an_input_comes_back_from_the_arguments_that_say_it() {
    let schema = Schema::from(&schema());
    for input in [
        json!({"version": "1.10", "count": 3}),
        json!({"version": "it's = a:b\n$x", "files": ["a", "b c"], "force": true, "ratio": 1.5}),
        json!({"version": "", "target": {"host": "localhost", "port": 7}, "limit": null}),
    ] {
        let filled = super::check_input(Some(&schema), &Json::from(&input)).unwrap();
        let arguments = arguments_of(Some(&schema), &filled).unwrap();
        assert!(!arguments.iter().any(|argument| argument.contains('\n') || argument.starts_with("count")));
        let again = super::input_from_arguments(Some(&schema), None, &arguments).unwrap();
        let again = super::check_input(Some(&schema), &again).unwrap();
        assert_eq!(again.value(), filled.value(), "{arguments:?}");
    }
    for unsaid in
        [json!({"a.b": 1}), json!({"a=": 1}), json!({"a:": 1}), json!([1]), json!({"a": "x".repeat(2_000)})]
    {
        assert_eq!(arguments_of(None, &Json::from(&unsaid)), None, "{unsaid}");
    }
}

#[test]
fn a_long_value_does_not_fill_the_message() {
    let problems =
        check_input(Some(&schema()), &json!({"version": "x".repeat(10_000), "count": "y".repeat(10_000)}));
    assert!(problems.unwrap_err().iter().all(|problem| problem.message.len() < 200));
}

#[test]
fn a_schema_fetches_nothing() {
    for schema in [json!({"$ref": "https://example.invalid/s.json"}), json!({"$ref": "file:///etc/passwd"})] {
        assert!(check_schema(&schema).is_err(), "{schema}");
    }
    assert!(check_schema(&json!({"$defs": {"x": {"type": "string"}}, "$ref": "#/$defs/x"})).is_ok());
}

/// `--input price:=1.10` became 1.1, and a number of more than 64 bits a float.
#[test]
fn numbers_keep_their_digits() {
    let list =
        ["price:=1.10", "ratio=1E5", "big=123456789012345678901234567890", "a.b:=[1.50, 1e400]", "text=1.10"];
    let list: Vec<String> = list.iter().map(|argument| (*argument).to_owned()).collect();
    let schema = json!({"properties": {"ratio": {"type": "number"}, "big": {"type": "integer"}, "text": {"type": "string"}}});
    let schema = Schema::from(&schema);
    let file = Json::read(r#"{"kept": 1.000, "a": {"c": 2.0}}"#).unwrap();
    let input = super::input_from_arguments(Some(&schema), Some(file), &list).unwrap();
    let expected = concat!(
        r#"{"kept":1.000,"a":{"c":2.0,"b":[1.50, 1e400]},"price":1.10,"ratio":1E5,"#,
        r#""big":123456789012345678901234567890,"text":"1.10"}"#
    );
    assert_eq!(input.text(), expected);
    let defaults =
        Schema::new(Json::read(r#"{"properties": {"rate": {"type": "number", "default": 1.10}}}"#).unwrap());
    let filled = super::check_input(Some(&defaults), &Json::read(r#"{"x": 2.50}"#).unwrap()).unwrap();
    assert_eq!(filled.text(), r#"{"x":2.50,"rate":1.10}"#);
    let given = Json::read(r#"{ "rate": 3.0 }"#).unwrap();
    assert_eq!(super::check_input(Some(&defaults), &given).unwrap(), given);
    let beyond = Json::read(r#"{ "rate": 1e999 }"#).unwrap();
    assert_eq!(super::check_input(Some(&defaults), &beyond).unwrap(), beyond);
}

#[test]
fn an_argument_with_a_key_twice_is_refused() {
    let problems = arguments(&[r#"other:={"a": [{"to": 1, "to": 2}]}"#]).unwrap_err();
    let problem = problems.first().unwrap();
    assert!(
        problem.message.contains("`other`") && problem.message.contains("the key `to` stands twice"),
        "{problem:?}"
    );
    assert!(problem.message.contains("`a[0]`"), "{problem:?}");
}

/// A schema that leads back to itself overflowed the stack of the thread that checked a value, and one that
/// doubles at each of its levels checked it for ever.
#[test]
fn a_schema_that_checks_one_value_for_ever_is_refused() {
    let doubling: serde_json::Map<String, Value> = (0..40)
        .map(|n| (format!("d{n}"), json!({"allOf": [{"$ref": format!("#/$defs/d{}", n + 1)}, {"$ref": format!("#/$defs/d{}", n + 1)}]})))
        .chain([("d40".to_owned(), json!({"type": "string"}))])
        .collect();
    for schema in [
        json!({"$ref": "#"}),
        json!({"allOf": [{"$ref": "#"}]}),
        json!({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"not": {"$ref": "#/$defs/a"}}}, "properties": {"x": {"$ref": "#/$defs/a"}}}),
        json!({"$anchor": "me", "if": {"$ref": "#me"}}),
        json!({"$defs": doubling, "$ref": "#/$defs/d0"}),
        json!({"pattern": "(a{1000}){1000}"}),
    ] {
        assert!(check_schema(&schema).is_err(), "{schema}");
    }
    let tree = json!({"type": "object", "properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}}});
    assert!(check_schema(&tree).is_ok());
    assert!(check_input(Some(&tree), &json!({"left": {"right": {}}})).is_ok());
    let slow = json!({"properties": {"x": {"pattern": "^(?=(a+)+b)(a+)+$"}}});
    assert!(check_input(Some(&slow), &json!({"x": "a".repeat(50)})).is_err());
}
