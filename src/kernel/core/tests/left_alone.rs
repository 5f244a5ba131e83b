//! What a process cannot go on with, because it lacks what that needs, or because another stream does not answer.

use super::*;

/// One that a process is to go on with that lacks what it needs: what a dead process performed is open, and a timer.
fn lacking(driving: Driving) -> Fed {
    let mut fed = Fed::new(driving);
    fed.lacks = true;
    assert_eq!(fed.outputs(), ["load"]);
    fed
}

#[test]
fn nothing_is_recorded_or_begins_where_what_it_needs_is_not_there() {
    let mut fed = lacking(PINNED);
    assert_eq!(fed.load(&[2, 3, 5]), ["left_alone", "show"]);
    assert_eq!(fed.decide(Input::Tick), [""; 0], "no timer goes off, and nothing counts as lost");
    assert!(fed.core.left_alone().is_some() && !fed.core.driving().is_driven());
    assert_eq!(fed.decide(DRIVE), ["show", "left_alone", "show"], "whoever asks again is told again");
    // Whoever wants something of it is answered, and after that nothing begins.
    assert_eq!(fed.decide(ask(Ask::Count(1), "ada")), ["append"]);
    assert_eq!(fed.decide(Input::Appended), ["show", "reply ada 4"]);
    fed.lacks = false;
    assert_eq!(fed.decide(DRIVE), ["show", "driven true", "perform 3", "wake Some(5)", "show", "clear [2]"]);
    assert!(fed.core.left_alone().is_none());
}

#[test]
fn a_command_that_drives_what_is_there_begins_nothing_either() {
    let mut fed = lacking(Driving::Nobody);
    fed.load(&[]);
    let drives =
        |command| Input::Command { command, envelope: Envelope::default(), drives: true, reply: Some("ada") };
    fed.lacks = false;
    fed.decide(ask(Ask::Count(1), "bob"));
    fed.decide(Input::Appended);
    fed.lacks = true;
    assert_eq!(fed.decide(drives(Ask::Open(vec![3]))), ["append"]);
    assert_eq!(fed.decide(Input::Appended), ["reply ada 2", "left_alone", "show"]);
    assert_eq!(fed.core.in_flight(), 0);
}

#[test]
fn what_is_lent_and_left_alone_is_put_away() {
    let mut fed = lacking(UNTIL_IDLE);
    assert_eq!(fed.load(&[3]), ["left_alone", "show"]);
    fed.core.go_if_over(fed.clocks());
    assert_eq!(fed.outputs(), ["passivate"]);
}

#[test]
fn what_waits_for_an_answer_that_does_not_come_is_left_alone_and_still_takes_what_is_asked() {
    let mut fed = Fed::driving(&[3, 2]);
    let why = Problem::new(Code::AgentLacking, "another stream does not go on");
    assert_eq!(fed.decide(Input::LeaveAlone(why)), ["driven false", "left_alone", "show"]);
    assert_eq!(fed.core.in_flight(), 1, "what runs goes on, and is heard");
    assert_eq!(fed.decide(Input::Settled { effect: 2, command: Some(Ask::Done(2)) }), ["append"]);
    assert_eq!(fed.decide(Input::Appended), ["close 2", "show"]);
    assert_eq!(fed.decide(ask(Ask::Count(1), "ada")), ["append"]);
    assert_eq!(fed.decide(Input::Appended), ["show", "reply ada 4"]);
}
