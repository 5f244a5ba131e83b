//! How long it goes on, and from when on.

use super::*;

#[test]
fn a_command_that_drives_what_is_there_takes_it_over() {
    let mut fed = Fed::with(Driving::Nobody, &[2, 9]);
    let (command, envelope) = (Ask::Count(1), Envelope::default());
    let command = Input::Command { command, envelope, drives: true, reply: Some("ada") };
    assert_eq!(fed.decide(command), ["append"]);
    let taken_over = ["reply ada 3", "driven true", "wake Some(9)", "show", "clear [2]"];
    assert_eq!(fed.decide(Input::Appended), taken_over);
}

/// A run that rested was driven, asked its child, and rested again before the message was brought. It was brought for nobody,
/// so the child did not ask its own: what that had to tell was lost with the process before.
#[test]
fn what_is_said_is_said_for_who_drives_it_though_it_rests_again_at_once() {
    let mut fed = Fed::with(Driving::Nobody, &[4]);
    fed.core.feed(DRIVE, Now::at(NOON));
    fed.borrow();
    let mut performed = Vec::new();
    while let Some(output) = fed.core.output() {
        if let Output::Perform { effect, residency } = output {
            performed.push((effect.0, residency));
        }
    }
    assert_eq!((performed, fed.core.driving()), (vec![(4, Some(Residency::Pinned))], Driving::Nobody));
}

/// Whoever had looked at a run and then let it go on was told that it rests before it was taken over, where that took another
/// thread: what people had not answered in time was left for the next process.
#[test]
fn what_is_to_go_on_is_not_seen_to_rest_before_it_was_taken_over() {
    let mut fed = Fed::new(Driving::Nobody);
    fed.outputs();
    assert!(fed.load(&[105]).contains(&"show".to_owned()) && fed.core.is_at_rest());
    fed.now = later(200);
    fed.core.feed(DRIVE, fed.clocks());
    assert_eq!((fed.outputs(), fed.core.is_at_rest()), (vec!["show".to_owned()], false));
    fed.borrow();
    assert!(!fed.core.is_at_rest(), "what is due is decided first");
    // The same while a commit is on its way.
    let mut fed = Fed::with(Driving::Nobody, &[105]);
    fed.decide(ask(Ask::Count(1), "ada"));
    fed.core.feed(DRIVE, fed.clocks());
    assert_eq!((fed.outputs(), fed.core.is_at_rest()), (vec!["show".to_owned()], false));
}
