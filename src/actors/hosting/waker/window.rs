//! The next few of those that are due, in memory.

use std::collections::{BTreeSet, HashMap};

use crate::actors::hosting::attentions::{Due, Kind};
use crate::events::ids::StreamId;
use crate::events::time::Timestamp;
use crate::kernel::{self, Now};

/// How many entries of a kind are held at most, of all that there may be.
const ENTRIES_MAX: usize = 2_048;

/// All that is due up to a moment of each clock and not in motion: what comes later is read when that moment has come.
#[derive(Default)]
pub(super) struct Window {
    /// Streams that go on by themselves: by the steady clock.
    own: Row,
    /// Streams that wait for people no longer: by the wall clock.
    expiry: Row,
}

/// Those of one kind.
struct Row {
    entries: BTreeSet<Due>,
    of: HashMap<StreamId, Timestamp>,
    /// The time from which on there may be more than is known here; none if all is known.
    upto: Option<Timestamp>,
    /// Whether one was left out, because it is due later than this knows.
    left_out: bool,
}

impl Default for Row {
    /// One that knows nothing yet.
    fn default() -> Self {
        Self { upto: Some(Timestamp(0)), ..Self::whole() }
    }
}

impl Window {
    /// One that knows of everything that is inserted, as long as there is room.
    pub(super) fn whole() -> Self {
        Self { own: Row::whole(), expiry: Row::whole() }
    }

    /// Adds a stream, or changes when it is due. What is due later than this knows is left out.
    pub(super) fn insert(&mut self, due: Due, kind: Kind) {
        self.row_mut(kind).insert(due);
    }

    /// Takes a stream out.
    pub(super) fn remove(&mut self, stream: &StreamId) {
        self.own.remove(stream);
        self.expiry.remove(stream);
    }

    /// Takes out the first that is due.
    pub(super) fn pop(&mut self, now: Now) -> Option<StreamId> {
        let stream = self.own.first_due(now.steady).or_else(|| self.expiry.first_due(now.wall))?;
        self.remove(&stream);
        Some(stream)
    }

    /// Whether it knows of all of a kind that is due at that moment.
    pub(super) fn reaches(&self, at: Timestamp, kind: Kind) -> bool {
        match kind {
            Kind::Own => self.own.reaches(at),
            Kind::Expiry => self.expiry.reaches(at),
        }
    }

    /// Whether there may be somebody due whom it does not know.
    pub(super) fn is_used_up(&self, now: Now) -> bool {
        self.own.is_used_up(now.steady) || self.expiry.is_used_up(now.wall)
    }

    /// Forgets how far it knows: whoever is due is read again.
    pub(super) fn begin_anew(&mut self) {
        self.own.upto = Some(Timestamp(0));
        self.expiry.upto = Some(Timestamp(0));
    }

    /// Whether it holds a stream that goes on by itself.
    pub(super) fn has_own(&self) -> bool {
        !self.own.entries.is_empty()
    }

    /// Whether there was such a stream that it had no room for.
    pub(super) fn has_left_out_own(&self) -> bool {
        self.own.left_out
    }

    /// When it is to be looked at again.
    pub(super) fn wakes_at(&self) -> kernel::Due {
        kernel::Due { steady: self.own.wakes_at(), wall: self.expiry.wakes_at() }
    }

    fn row_mut(&mut self, kind: Kind) -> &mut Row {
        match kind {
            Kind::Own => &mut self.own,
            Kind::Expiry => &mut self.expiry,
        }
    }
}

impl Row {
    fn whole() -> Self {
        Self { entries: BTreeSet::new(), of: HashMap::new(), upto: None, left_out: false }
    }

    fn insert(&mut self, due: Due) {
        self.remove(&due.stream);
        if !self.reaches(due.at) {
            self.left_out = true;
            return;
        }
        self.of.insert(due.stream.clone(), due.at);
        self.entries.insert(due);
        if self.entries.len() > ENTRIES_MAX {
            self.halve();
        }
    }

    /// Leaves out the later half.
    fn halve(&mut self) {
        while self.entries.len() > ENTRIES_MAX / 2 {
            let Some(last) = self.entries.last().cloned() else { return };
            self.remove(&last.stream);
            (self.upto, self.left_out) = (Some(last.at), true);
        }
    }

    fn remove(&mut self, stream: &StreamId) {
        if let Some(at) = self.of.remove(stream) {
            self.entries.remove(&Due { at, stream: stream.clone() });
        }
    }

    fn first_due(&self, now: Timestamp) -> Option<StreamId> {
        self.entries.first().filter(|first| first.at <= now).map(|first| first.stream.clone())
    }

    fn reaches(&self, at: Timestamp) -> bool {
        self.upto.is_none_or(|upto| at < upto)
    }

    fn is_used_up(&self, now: Timestamp) -> bool {
        !self.reaches(now) && self.first_due(now).is_none()
    }

    fn wakes_at(&self) -> Option<Timestamp> {
        self.entries.first().map(|first| first.at).into_iter().chain(self.upto).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(at: i64, number: usize) -> Due {
        Due { at: Timestamp(at), stream: StreamId::new("test", &format!("r{number}")) }
    }

    #[test]
    fn a_window_that_knows_nothing_is_used_up_at_once() {
        assert!(Window::default().is_used_up(Now::at(Timestamp(5))));
        assert!(!Window::whole().is_used_up(Now::at(Timestamp(5))));
    }

    #[test]
    fn what_is_due_comes_in_order_and_never_early() {
        let mut window = Window::whole();
        for (at, number) in [(30, 0), (10, 1), (20, 2)] {
            window.insert(due(at, number), Kind::Own);
        }
        let text = |stream: Option<StreamId>| stream.map(|stream| stream.to_string());
        assert_eq!(text(window.pop(Now::at(Timestamp(9)))), None);
        assert_eq!(text(window.pop(Now::at(Timestamp(25)))).as_deref(), Some("test/r1"));
        assert_eq!(text(window.pop(Now::at(Timestamp(25)))).as_deref(), Some("test/r2"));
        assert_eq!(text(window.pop(Now::at(Timestamp(25)))), None);
        assert_eq!((window.wakes_at().steady, window.has_own()), (Some(Timestamp(30)), true));
    }

    #[test]
    fn a_full_window_leaves_out_what_is_later_and_says_from_when_on() {
        let mut window = Window::whole();
        for number in 0..10 * ENTRIES_MAX {
            window.insert(due(number as i64, number), Kind::Own);
            assert!(window.own.entries.len() <= ENTRIES_MAX);
        }
        let known = window.own.entries.len();
        assert_eq!(window.own.upto, Some(Timestamp(known as i64)));
        assert!(window.has_left_out_own());
        for number in 0..known {
            assert!(!window.is_used_up(Now::at(Timestamp(i64::MAX))), "{number}");
            assert!(window.pop(Now::at(Timestamp(i64::MAX))).is_some());
        }
        assert!(window.is_used_up(Now::at(Timestamp(i64::MAX))) && !window.has_own());
    }

    #[test]
    fn a_run_that_sleeps_longer_than_thousands_wait_for_people_is_not_forgotten() {
        let mut window = Window::whole();
        window.insert(due(i64::MAX, 0), Kind::Own);
        for number in 1..=2 * ENTRIES_MAX {
            window.insert(due(number as i64, number), Kind::Expiry);
        }
        assert!(window.has_own());
        assert!(
            window.wakes_at().wall.is_some_and(|at| at < Timestamp(i64::MAX)),
            "they are looked for in time"
        );
    }

    #[test]
    fn a_run_whose_time_changes_is_there_once() {
        let mut window = Window::whole();
        window.insert(due(10, 1), Kind::Own);
        window.insert(due(7, 1), Kind::Own);
        window.insert(due(5, 1), Kind::Expiry);
        let (steady, wall) = (Some(Timestamp(7)), Some(Timestamp(5)));
        assert_eq!(window.wakes_at(), kernel::Due { steady, wall });
        assert!(window.pop(Now::at(Timestamp(20))).is_some() && window.pop(Now::at(Timestamp(20))).is_none());
        assert!(!window.has_own());
    }

    #[test]
    fn who_waits_for_people_is_due_by_the_wall_clock_and_all_others_by_the_steady_one() {
        let mut window = Window::whole();
        window.insert(due(10, 1), Kind::Own);
        window.insert(due(10, 2), Kind::Expiry);
        let now = |steady, wall| Now { steady: Timestamp(steady), wall: Timestamp(wall) };
        assert!(window.pop(now(9, 9)).is_none());
        assert_eq!(window.pop(now(10, 9)), Some(due(0, 1).stream));
        assert!(window.pop(now(100, 9)).is_none(), "the wall clock was set back");
        assert_eq!(window.pop(now(100, 10)), Some(due(0, 2).stream));
    }
}
