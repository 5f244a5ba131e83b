use super::*;

#[test]
fn what_serde_json_reads_is_read_and_nothing_else() {
    for text in [
        "0",
        "-0",
        "1.50",
        "1E+5",
        "1e400",
        "-12e-3",
        "true",
        "null",
        "\"\"",
        "\"a\\u00e9\\n\\ud83d\\ude00\"",
        "[]",
        "{}",
        " [1 , 2]\n",
        "{\"a\":[{}],\"b\":{\"a\":1}}",
        "[[],[[]],{\"x\":[]}]",
        "[0,null,false]",
    ] {
        assert_eq!(read(text).unwrap(), text.trim(), "{text}");
    }
    for text in [
        "",
        " ",
        "01",
        "02134",
        "+1",
        ".5",
        "1.",
        "1e",
        "-",
        "--1",
        "0x1F",
        "1_000",
        "NaN",
        "Infinity",
        "tru",
        "truex",
        "'a'",
        "\"a",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\ud800\"",
        "\"\\ud800\\u0041\"",
        "\"\\udc00\"",
        "\"\\u+123\"",
        "\"a\nb\"",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[1",
        "[}",
        "{]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "{\"a\":1 \"b\":2}",
        "{} {}",
        "1 2",
        "// x\n1",
        "[1] x",
        "{\"a\":1",
        "\u{feff}1",
        "{1:2}",
    ] {
        assert!(read(text).is_err(), "{text}");
        assert!(serde_json::from_str::<serde_json::Value>(text).is_err(), "{text}");
    }
}

#[test]
fn a_key_that_stands_twice_is_named_with_its_place() {
    for (text, says) in [
        (r#"{"to":1,"to":2}"#, "the key `to` stands twice in one object (character 9)"),
        (r#"{"to":1,"t\u006f":2}"#, "the key `to` stands twice in one object (character 9)"),
        (
            r#"{"a":[1,{"b":{"x":1,"x":1}}]}"#,
            "the key `x` stands twice in the object at `a[1].b` (character 21)",
        ),
        ("{\"a\":1,\n \"a\":2}", "the key `a` stands twice in one object (line 2, column 2)"),
    ] {
        assert_eq!(read(text).unwrap_err().to_string(), says);
        assert!(made(text).is_ok());
    }
    let many: String = (0..100).map(|key| format!("\"{key}\":0,")).collect();
    assert!(read(&format!("{{{many}\"x\":0}}")).is_ok());
    assert!(read(&format!("{{{many}\"7\":0}}")).is_err());
    assert!(read(r#"[{"a":1},{"a":{"a":1}}]"#).is_ok(), "one key in several objects is none twice");
}

#[test]
fn the_deepest_that_is_read_is_the_bound() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(read(&nested(DEPTH_MAX)).is_ok());
    for depth in [DEPTH_MAX + 1, 127, 128, 129, 1_000_000] {
        assert_eq!(read(&nested(depth)).unwrap_err().why, Why::TooDeep);
        assert_eq!(made(&nested(depth)).unwrap_err().why, Why::TooDeep);
    }
}

#[test]
fn a_number_beyond_all_floats_does_not_hide_the_rest() {
    let text = r#"{"a":[-1e400,1e-400,1.5],"1e400":"\\\"1e400","b":1E999}"#;
    let value: serde_json::Value = serde_json::from_str(&within_range(text)).unwrap();
    let expected = serde_json::json!({"a": [f64::MIN, 0.0, 1.5], "1e400": "\\\"1e400", "b": f64::MAX});
    assert_eq!(value, expected);
}

#[test]
fn what_is_wrong_is_said_in_our_words() {
    for (text, says) in [
        ("[1,]", "a value is missing before `]` (character 4)"),
        ("{\"zip\": 02134}", "`02134` is no number of JSON: a text needs double quotes (character 9)"),
        ("{\n  \"a\": 1 // one\n}", "`,` or `}` is missing before `/` (line 2, column 10)"),
        ("{\"a\":1,}", "a key in double quotes is missing before `}` (character 8)"),
        ("", "a value is missing before the end (character 1)"),
        ("{} x", "`x` stands behind the end of the JSON (character 4)"),
    ] {
        assert_eq!(read(text).unwrap_err().to_string(), says);
    }
}
