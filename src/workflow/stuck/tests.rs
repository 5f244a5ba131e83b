//! Which answers are the same, and what a work is told.

use super::*;

fn same(one: &str, other: &str) -> bool {
    let hash = |text: &str| fingerprint(&Json::parse(text).unwrap());
    hash(one) == hash(other)
}

#[test]
fn white_space_capitals_and_the_order_of_keys_make_no_other_answer_and_all_else_does() {
    for (one, other) in [
        (r#""Not  yet.""#, r#""not yet.\n""#),
        (r#"{"a": 1, "b": ["X y"]}"#, r#"{"b":["x  Y"],"a":1}"#),
        (r#"{"stdout": "same\nlines"}"#, r#"{"stdout": "same lines"}"#),
        ("null", " null "),
    ] {
        assert!(same(one, other), "{one} {other}");
    }
    for (one, other) in [
        (r#""3 of 10""#, r#""4 of 10""#),
        (r#""at 12:00""#, r#""at 12:01""#),
        (r#"{"n": 1}"#, r#"{"n": 2}"#),
        (r#"["a", "b"]"#, r#"["b", "a"]"#),
        (r#"["a", "b"]"#, r#"["a,b"]"#),
        (r#"["a", ["b"]]"#, r#"[["a"], "b"]"#),
        (r#""1""#, "1"),
        (r#"{"A": 1}"#, r#"{"a": 1}"#),
        ("null", r#""null""#),
    ] {
        assert!(!same(one, other), "{one} {other}");
    }
}

#[test]
fn an_answer_of_empty_texts_says_nothing() {
    for empty in ["null", r#""""#, r#"" \n""#, r#"{"stdout": ""}"#, "[]", "{}"] {
        assert!(says_nothing(&Json::parse(empty).unwrap()), "{empty}");
    }
    for said in ["0", "false", r#"{"stdout": "x"}"#, "[0]"] {
        assert!(!says_nothing(&Json::parse(said).unwrap()), "{said}");
    }
}

#[test]
fn guidance_stands_behind_the_prompt_and_is_taken_out_again() {
    for prompt in [None, Some("do it".to_owned())] {
        let answer = Json::parse(r#"{"stdout": "try {{ another }} way"}"#).unwrap();
        let guidance = Guidance { by: AgentName::new("boss"), seen: "it went round".to_owned(), answer };
        let work = Work { prompt, ..Work::default() };
        let mut guided = work.clone();
        guide(&mut guided, guidance);
        let told = guided.prompt.clone().unwrap();
        assert!(told.starts_with(work.prompt.as_deref().unwrap_or_default()), "{told}");
        assert!(
            told.contains("it went round")
                && told.ends_with("`boss` was asked, and says:\n\ntry {{ another }} way\n")
        );
        assert_eq!(unguided(guided), work);
    }
}
