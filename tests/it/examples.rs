//! The examples do what they are there to show.

mod agents_page;
mod bank;
mod chains_page;
mod clerk;
mod conversations_page;
#[path = "../../examples/embed.rs"]
mod embed;
mod fan_out;
mod goals_page;
mod hang;
mod long_sleep;
mod notice;
mod order;
#[path = "../../examples/own_test.rs"]
#[allow(dead_code)] // Its `main` is for `cargo run --example`.
mod own_test;
mod readme;
mod release;
mod review;
mod sales;
#[path = "../../examples/service.rs"]
#[allow(dead_code)] // Its `main` is for `cargo run --example`.
mod service;
mod swarm;
mod told;
mod transfer;
mod tutorial;

pub(crate) use bank::Bank;
pub(crate) use notice::Board;

use std::path::Path;

use crate::support::{Sandbox, copy_folder};

/// Where the examples are.
const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");

/// A sandbox with the examples in its work folder.
pub(crate) fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    copy_folder(Path::new(EXAMPLES), &sandbox.work("examples"));
    sandbox
}

#[test]
fn every_example_is_valid() {
    let files = std::fs::read_dir(EXAMPLES).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == "yaml")).collect();
    assert!(!files.is_empty());
    let sandbox = Sandbox::new();
    for file in files {
        let found = sandbox.json(0, &["validate", file.to_str().unwrap()]);
        assert_eq!(found["files"][0]["warnings"].as_array().map(Vec::len), Some(0), "{found}");
    }
}
