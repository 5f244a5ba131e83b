//! What is due by which clock, when somebody sets the wall clock.

use super::*;

/// A core that performs a task, and waits for five seconds to pass, and for the wall clock to show
/// 105 seconds after noon.
fn waiting() -> Fed {
    Fed::driving(&[3, 5, 105])
}

const HOUR_US: i64 = 3_600_000_000;

#[test]
fn what_is_to_last_so_long_goes_off_after_so_long_however_the_wall_clock_is_set() {
    for set_by_us in [-HOUR_US, HOUR_US] {
        let mut fed = Fed::driving(&[5]);
        fed.wall_set_by_us = set_by_us;
        fed.now = later(4);
        assert_eq!(fed.decide(Input::Tick), ["wake Some(5)"], "it is not early");
        fed.now = later(5);
        assert_eq!(fed.decide(Input::Tick), ["append"], "nor late");
    }
}

#[test]
fn what_expires_goes_off_when_the_wall_clock_says_so() {
    let mut fed = waiting();
    fed.now = later(4);
    fed.wall_set_by_us = HOUR_US;
    assert_eq!(fed.decide(Input::Tick), ["wake Some(5)", "append"], "it has expired");
    let mut fed = waiting();
    fed.wall_set_by_us = -HOUR_US;
    fed.now = later(110);
    assert_eq!(fed.decide(Input::Tick), ["wake None wall Some(105)", "append"], "the other one went off");
    fed.decide(Input::Appended);
    fed.now = later(3_704);
    assert_eq!(fed.decide(Input::Tick), ["wake None wall Some(105)"], "its clock says a second less");
    fed.now = later(3_705);
    assert_eq!(fed.decide(Input::Tick), ["append"]);
}

#[test]
fn what_has_expired_by_a_clock_that_was_then_set_back_is_waited_on() {
    let mut fed = waiting();
    fed.wall_set_by_us = HOUR_US;
    assert_eq!(fed.feed(Input::Tick), ["wake Some(5)"]);
    // Before that is decided, somebody puts it right.
    fed.wall_set_by_us = 0;
    assert!(fed.core.wants_to_decide());
    fed.borrow();
    assert_eq!(fed.outputs(), ["wake Some(5) wall Some(105)", "show"]);
    fed.now = later(105);
    assert_eq!(fed.decide(Input::Tick), ["append"]);
}

#[test]
fn what_a_process_before_left_is_due_by_the_clock_that_the_next_one_began_with() {
    let mut fed = Fed::new(PINNED);
    fed.outputs();
    // The one before wrote down noon and five seconds by a clock that was an hour ahead.
    fed.now = Timestamp(NOON.0 - HOUR_US);
    assert_eq!(fed.load(&[5]), ["driven true", "wake Some(5)", "show"]);
    fed.now = later(4);
    assert_eq!(fed.decide(Input::Tick), ["wake Some(5)"]);
    fed.now = later(5);
    assert_eq!(fed.decide(Input::Tick), ["append"]);
}

#[test]
fn it_is_known_since_when_it_is_driven_also_if_it_was_put_away_meanwhile() {
    let stream = StreamId::new(Counter::KIND, "fed");
    let kept =
        HostCore::<Counter, &str>::new(stream, PINNED, NOON, Now::at(later(60)), Duration::from_secs(30));
    assert_eq!(kept.driven_since(), NOON);
    let mut fed = Fed::with(Driving::Nobody, &[9]);
    let drive = |since, residency| Input::Drive { residency, since };
    fed.feed(drive(later(1), Residency::UntilIdle));
    assert_eq!(fed.core.driven_since(), later(1));
    fed.feed(drive(later(2), Residency::Pinned));
    assert_eq!(fed.core.driven_since(), later(1), "it was driven already");
    fed.feed(Input::LetGo);
    fed.feed(drive(later(3), Residency::Pinned));
    assert_eq!(fed.core.driven_since(), later(3));
    // Somebody else wrote to it: for a while it was not this process that drove it.
    fed.decide(ask(Ask::Open(vec![0]), "ada"));
    fed.now = later(4);
    fed.feed(conflict());
    fed.load(&[9]);
    assert_eq!(fed.core.driven_since(), later(4));
}
