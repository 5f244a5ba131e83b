//! The results of parsing files: a definition, or problems with their code, place and hint.

use super::*;
use crate::events::problem::Class;

mod bad;
mod deep;
mod docs;
mod good;
mod limits;
mod orchestration;
mod plans;
mod sagas;
mod suites;

fn read(text: &str) -> Result<Parsed, Vec<Problem>> {
    parse(
        text,
        "release.yaml",
        &Known { env: &["HOME".to_owned()], fallback_attempts: 2, ..Known::default() },
    )
}

/// The only problem that a text has.
#[track_caller]
fn only(text: &str) -> Problem {
    let mut problems = read(text).expect_err(text);
    assert_eq!(problems.len(), 1, "{text}\n{problems:#?}");
    problems.remove(0)
}

#[track_caller]
fn good(text: &str) -> Definition {
    match read(text) {
        Ok(parsed) => parsed.definition,
        Err(problems) => panic!("{text}\n{problems:#?}"),
    }
}
