//! A command with an id that is sent again: its sender was not answered, and does not know
//! whether it was decided.

use super::toy::{Ask, Counter, NOON};
use super::*;
use crate::events::ids::CommandId;
use crate::kernel::fold::TAIL_EVENTS_MIN;

const ID: CommandId = CommandId(*b"the very command");

fn envelope(id: CommandId) -> Envelope {
    Envelope { id: Some(id), ..Envelope::default() }
}

fn hosted() -> Hosted<Counter> {
    Hosted::new(StreamId::new(Counter::KIND, "repeated"), (), NOON)
}

fn sent(command: Ask, id: CommandId, reply: &'static str) -> Input<Counter, &'static str> {
    Input::Command { command, envelope: envelope(id), drives: false, reply: Some(reply) }
}

/// The process dies before each of its outputs, also between the commit and its answer. The sender then
/// asks the next one.
#[test]
fn it_is_decided_once_whenever_the_process_dies() {
    let mut stored_unanswered = 0;
    for nth in 0.. {
        let mut host = hosted();
        host.ask(Ask::Count(1), false).unwrap();
        host.die_before(nth);
        let first = host.send(Ask::Count(1), envelope(ID), false).unwrap();
        let is_dead = host.is_dead();
        stored_unanswered += usize::from(is_dead && host.head().version == Version(2));
        host.crash();
        let again = host.send(Ask::Count(1), envelope(ID), false).unwrap();
        assert_eq!(again, Some(Ok(Version(2))), "output {nth}");
        host.ask(Ask::Count(1), false).unwrap();
        let later = host.send(Ask::Count(1), envelope(ID), false).unwrap();
        assert_eq!(later, Some(Ok(Version(2))), "it is answered as it was then");
        assert_eq!(host.history().len(), 3);
        if !is_dead {
            assert_eq!(first, again);
            break;
        }
    }
    assert!(stored_unanswered > 0, "the process never died between the commit and its answer");
}

#[test]
fn two_that_wait_for_one_commit_are_one() {
    let mut fed = Fed::with(Driving::Nobody, &[]);
    assert_eq!(fed.decide(ask(Ask::Count(1), "ada")), ["append"]);
    fed.feed(sent(Ask::Count(1), ID, "bob"));
    fed.feed(sent(Ask::Count(1), ID, "bob again"));
    fed.decide(Input::Appended);
    let outputs = fed.decide(Input::Appended);
    assert_eq!(outputs, ["show", "reply bob 2", "reply bob again 2"]);
    assert_eq!(fed.commits.iter().map(Commit::count).collect::<Vec<_>>(), [1, 1]);
}

/// What was answered once is true whatever becomes of the commit with which the answer is told again.
#[test]
fn it_is_answered_the_same_also_where_what_is_decided_with_it_is_not_stored() {
    let mut fed = Fed::with(Driving::Nobody, &[]);
    fed.decide(sent(Ask::Count(1), ID, "ada"));
    fed.decide(Input::Appended);
    fed.decide(ask(Ask::Count(1), "bob"));
    fed.feed(sent(Ask::Count(1), ID, "ada again"));
    fed.feed(ask(Ask::Count(1), "cid"));
    fed.decide(Input::Appended);
    let outputs = fed.feed(conflict());
    assert_eq!(outputs, ["reply ada again 1", "refuse cid Busy", "load"]);
}

/// Also one that was refused in a commit that stored what others asked.
#[test]
fn a_rejection_is_decided_anew() {
    let mut fed = Fed::with(Driving::Nobody, &[]);
    fed.decide(ask(Ask::Count(1), "ada"));
    fed.feed(ask(Ask::End, "bob"));
    fed.feed(sent(Ask::Count(1), ID, "cid"));
    assert_eq!(fed.decide(Input::Appended), ["show", "reply ada 1", "append"]);
    assert_eq!(fed.feed(Input::Appended), ["show", "reply bob 2", "refuse cid UnknownRun"]);
    assert_eq!(fed.decide(sent(Ask::Count(1), ID, "cid again")), ["show", "refuse cid again UnknownRun"]);
    // What had ended it is not stored after all, where it is loaded now.
    fed.core.phase = Phase::Loading;
    fed.load(&[]);
    assert_eq!(fed.decide(sent(Ask::Count(1), ID, "cid at last")), ["append"]);
}

#[test]
fn a_snapshot_knows_what_was_answered_before_it() {
    let mut host = hosted();
    host.send(Ask::Count(1), envelope(ID), false).unwrap();
    host.ask(Ask::Count(TAIL_EVENTS_MIN), false).unwrap();
    assert!(host.take_trail().contains(&"snapshot"));
    host.ask(Ask::Count(1), false).unwrap();
    host.crash();
    let again = host.send(Ask::Count(1), envelope(ID), false).unwrap();
    assert_eq!(again, Some(Ok(Version(1))));
    assert_eq!(host.history().len() as u64, TAIL_EVENTS_MIN + 2);
}

/// Each decision of a commit says what its own command was, and with what it came.
#[test]
fn a_commit_of_several_decisions_says_of_each_on_what_it_was_made() {
    let mut fed = Fed::with(Driving::Nobody, &[]);
    fed.decide(ask(Ask::Count(1), "ada"));
    fed.feed(sent(Ask::Count(2), ID, "bob"));
    fed.feed(ask(Ask::Done(7), "cid"));
    fed.feed(ask(Ask::Count(3), "dan"));
    fed.decide(Input::Appended);
    let commit = fed.commits.last().unwrap();
    let ids: Vec<_> = commit.decisions.iter().map(|decision| decision.id).collect();
    assert_eq!(ids, [Some(ID), None], "what nothing came of is not recorded");
    let of: Vec<_> = commit.events.iter().map(|event| event.decision).collect();
    assert_eq!(of, [0, 0, 1, 1, 1]);
    assert_eq!(Commit::from_bytes(&commit.to_bytes().unwrap()).unwrap(), *commit);
}
