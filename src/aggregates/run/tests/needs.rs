//! The agents that what is left of a run needs.

use super::play::{Play, order};
use super::*;

fn needs(play: &Play) -> Vec<&str> {
    play.state().needs().into_iter().map(AgentName::as_str).collect()
}

const STEPS: &str = "name: w\nsteps:
  - {id: a, agent: first, compensate: {agent: undoes-first}}
  - {id: nap, sleep: 1s}
  - {id: each, for_each: '[1, 2]', agent: each, compensate: {agent: undoes-each}}
  - {id: c, workflow: child.yaml}
  - {id: last, agent: last, fallback: {agent: stands-in}, compensate: {agent: undoes-last}}";

#[test]
fn a_run_needs_those_that_do_what_is_not_done_and_then_those_that_undo_what_is() {
    let mut play = Play::eager(STEPS);
    assert_eq!(needs(&play), ["each", "first", "last"], "nobody that only a failure wants");
    play.complete("a", "1");
    assert_eq!(needs(&play), ["each", "last"]);
    play.sleep(Duration::from_secs(1));
    play.complete_all(&["each[0]", "each[1]", "c"]);
    assert_eq!(needs(&play), ["last"]);
    let no = || Failure::new(Code::FunctionFailed, "no").class(Class::Validation);
    play.fail("last", no());
    assert_eq!(needs(&play), ["stands-in"], "who does it instead of who has failed");
    let mut cancelled = Play::start(STEPS);
    cancelled.ask(Ask::Cancel { order: order(), rollback: false });
    assert_eq!(needs(&cancelled), [""; 0], "what ends starts nothing");
    while play.state().status() == RunStatus::Running {
        match play.attempts().is_empty() {
            true => play.sleep(Duration::from_secs(60)),
            false => play.fail("last", no()),
        };
    }
    assert_eq!(needs(&play), ["undoes-each", "undoes-first"]);
    play.complete("c", "1");
    play.complete_all(&["each[0]", "each[1]"]);
    assert_eq!(needs(&play), ["undoes-first"]);
    play.complete("a", "1");
    assert_eq!((play.result().0, needs(&play)), (RunStatus::Compensated, Vec::new()));
}
