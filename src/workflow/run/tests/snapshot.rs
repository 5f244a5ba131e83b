use std::time::Duration;

use super::play::{Play, order};
use crate::events::ids::Hash;
use crate::events::problem::{Class, Code};
use crate::events::run::Resolution;
use crate::testing::given;
use crate::workflow::run::snapshot::{SCHEMA, read, write};
use crate::workflow::run::{Ask, Run, RunStatus};
use crate::workflow::work::Failure;

/// A run in which most of what can happen on the way forward happens. There is never more than one timer, for maps have
/// no order.
fn forward() -> Play {
    let mut play = Play::start_with(
        r#"
name: forward
steps:
  - {id: skipped, run: "true", if: input.never}
  - {id: tried, run: "false", retry: {attempts: 2, initial: 1s, jitter: 0}, on_error: retry_then_skip, needs: []}
  - {id: each, for_each: [1, 2, 3], max_parallel: 2, run: "echo {{ item }}", needs: []}
  - {id: nap, sleep: 1h, needs: [tried, each]}
  - {id: fails, run: "false", on_error: continue}
  - {id: last, run: "true"}
"#,
        r#"{"never": false}"#,
        16,
    );
    let failure = || Failure::new(Code::ExitUnknown, "no").class(Class::Transient);
    play.fail("tried", failure());
    play.sleep(Duration::from_secs(2));
    play.fail("tried", failure());
    for item in ["each[0]", "each[1]", "each[2]"] {
        play.recover();
        play.complete(item, "{\"x\": 1}");
    }
    play.sleep(Duration::from_secs(3600));
    play.fail("fails", failure());
    play.complete("last", "null");
    assert!(play.state().status().has_ended(), "{:?}", play.state());
    play
}

/// A run that is paused, undone, stuck, settled, and undone again.
fn back() -> Play {
    let mut play = Play::start_until(
        r#"
name: back
steps:
  - {id: first, run: "true", compensate: {run: undo}}
  - {id: second, run: "true", compensate: {run: undo, when: attempted, retry: {attempts: 2, initial: 1s, jitter: 0}}}
  - {id: third, run: "false", compensate: {run: undo}}
"#,
        "first",
    );
    let failure = |class| Failure::new(Code::ExitUnknown, "no").class(class);
    play.complete("first", "1");
    play.ask(Ask::Unpause(order()));
    play.complete("second", "{\"x\": 2}");
    play.fail("third", failure(Class::Validation));
    play.ask(Ask::Go);
    play.fail("second", failure(Class::Transient));
    play.sleep(Duration::from_secs(2));
    play.fail("second", failure(Class::Transient));
    assert_eq!(play.state().status(), RunStatus::Stuck);
    play.resolve("second", Resolution::Done);
    play.ask(Ask::Go);
    play.complete("first", "null");
    assert_eq!(play.state().status(), RunStatus::Compensated);
    play
}

/// The hash of all snapshots of both histories, one after each event.
const HASH: &str = "2935d5ad54a5e717db3f2f749d52b8eeb94ce17908ad769c258eb5cc93dfd4ef";

/// Whoever changes the shape of the state, or the rules of the fold, learns it here.
#[test]
fn a_snapshot_of_another_shape_has_another_schema_number() {
    let mut all = Vec::new();
    for play in [forward(), back()] {
        let mut folded = given::<Run>("run/r");
        for (event, at) in play.log.iter().zip(&play.times) {
            folded = folded.at(*at).events([event.clone()]);
            all.extend(write(folded.state()).unwrap());
        }
    }
    let hash = Hash::of(&all).to_string();
    assert_eq!(hash, HASH, "what snapshots hold has changed: raise SCHEMA (now {SCHEMA}), then replace HASH");
}

#[test]
fn bytes_that_are_no_snapshot_are_an_error() {
    let bytes = write(forward().state()).unwrap();
    assert!(read(&bytes[..bytes.len() - 1]).is_err());
    assert!(read(&[bytes.as_slice(), &[0]].concat()).is_err());
    assert!(read(&[]).is_err());
}
