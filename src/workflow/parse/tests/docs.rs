//! `docs/workflows.md` says what the code does.

use super::*;
use crate::workflow::expression::{FILTERS, FUNCTIONS, TESTS};

const DOCS: &str = include_str!("../../../../docs/workflows.md");

#[test]
fn every_example_of_the_docs_is_a_workflow() {
    let examples: Vec<_> =
        DOCS.split("```yaml\n").skip(1).filter_map(|rest| Some(rest.split_once("```")?.0)).collect();
    assert!(examples.len() >= 6);
    for example in examples {
        let parsed = read(example).unwrap_or_else(|problems| panic!("{example}\n{problems:#?}"));
        assert_eq!(parsed.warnings, [], "{example}");
    }
}

#[test]
fn the_docs_list_every_key() {
    let of_files = [&KEYS, &defaults::KEYS, &LIMITS, &steps::KEYS, &retry::KEYS, &saga::KEYS, &repeat::KEYS];
    for key in of_files
        .iter()
        .chain(&[&tiers::KEYS, &phases::KEYS, &tasks::KEYS, &cache::KEYS])
        .flat_map(|keys| keys.names())
    {
        assert!(DOCS.contains(&format!("`{key}`")), "{key}");
    }
}

#[test]
fn the_docs_list_every_filter_test_and_function() {
    let listed = |begin: &str| {
        let list = DOCS.split(begin).nth(1).and_then(|rest| rest.split('`').nth(1)).unwrap();
        list.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    let is_word = |name: &&str| name.chars().all(|c| c.is_ascii_alphabetic());
    let words =
        |names: &'static [&str]| names.iter().filter(|name| is_word(name)).copied().collect::<Vec<_>>();
    assert_eq!(listed("\nFilters: "), words(FILTERS));
    assert_eq!(listed("\nTests (`x is …`): "), words(TESTS));
    assert_eq!(listed("\nFunctions: "), words(FUNCTIONS));
}
