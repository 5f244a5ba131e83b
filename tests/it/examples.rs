//! The examples do what they are there to show.

use crate::support::Sandbox;

#[test]
fn every_example_is_valid() {
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");
    let files = std::fs::read_dir(examples).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == "yaml")).collect();
    assert!(!files.is_empty());
    let sandbox = Sandbox::new();
    for file in files {
        let found = sandbox.json(0, &["validate", file.to_str().unwrap()]);
        assert_eq!(found["files"][0]["warnings"].as_array().map(Vec::len), Some(0), "{found}");
    }
}
