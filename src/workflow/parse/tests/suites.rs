//! `docs/ci.md` says what the code does.

use super::super::suite::{keys, suite};

const DOCS: &str = include_str!("../../../../docs/ci.md");

#[test]
fn every_test_file_of_the_docs_is_one_and_every_key_is_told() {
    let examples = DOCS.split("```yaml\n").skip(1).filter_map(|rest| Some(rest.split_once("```")?.0));
    let files: Vec<_> = examples.filter(|example| example.starts_with("workflow:")).collect();
    assert!(!files.is_empty());
    for file in files {
        suite(file, "docs/ci.md").unwrap_or_else(|problems| panic!("{file}\n{problems:#?}"));
    }
    for key in keys() {
        assert!(DOCS.contains(&format!("`{key}")), "{key}");
    }
}
