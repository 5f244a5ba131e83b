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
