//! The next few of those that are due, in memory.

use std::collections::{BTreeSet, HashMap};

use crate::actors::hosting::attentions::{Due, Kind};
use crate::events::ids::StreamId;
use crate::events::time::Timestamp;

/// How many entries are held at most, of all that there may be.
const ENTRIES_MAX: usize = 2_048;

/// All that is due up to a moment and not in motion: what comes later is read when that moment has come.
pub(super) struct Window {
    entries: BTreeSet<Due>,
    of: HashMap<StreamId, (Timestamp, Kind)>,
    /// How many of the entries go on by themselves.
    own: usize,
    /// Whether one that does was left out, because it is due later than this knows.
    own_left_out: bool,
    /// From when on there may be more than is known here.
    upto: Option<Timestamp>,
}

impl Default for Window {
    /// One that knows nothing yet.
    fn default() -> Self {
        Self { upto: Some(Timestamp(0)), ..Self::whole() }
    }
}

impl Window {
    /// One that knows of everything that is inserted, as long as there is room.
    pub(super) fn whole() -> Self {
        Self { entries: BTreeSet::new(), of: HashMap::new(), own: 0, own_left_out: false, upto: None }
    }

    /// Adds a stream, or changes when it is due. What is due later than this knows is left out.
    pub(super) fn insert(&mut self, due: Due, kind: Kind) {
        self.remove(&due.stream);
        if !self.reaches(due.at) {
            self.own_left_out |= kind == Kind::Own;
            return;
        }
        self.own += usize::from(kind == Kind::Own);
        self.of.insert(due.stream.clone(), (due.at, kind));
        self.entries.insert(due);
        if self.entries.len() > ENTRIES_MAX {
            self.halve();
        }
    }

    /// Leaves out the later half.
    fn halve(&mut self) {
        while self.entries.len() > ENTRIES_MAX / 2 {
            let Some(last) = self.entries.last().cloned() else { return };
            self.own_left_out |= matches!(self.of.get(&last.stream), Some((_, Kind::Own)));
            self.remove(&last.stream);
            self.upto = Some(last.at);
        }
    }

    /// Takes a stream out.
    pub(super) fn remove(&mut self, stream: &StreamId) {
        if let Some((at, kind)) = self.of.remove(stream) {
            self.entries.remove(&Due { at, stream: stream.clone() });
            self.own -= usize::from(kind == Kind::Own);
        }
    }

    /// Takes out the first that is due.
    pub(super) fn pop(&mut self, now: Timestamp) -> Option<StreamId> {
        let stream = self.entries.first().filter(|first| first.at <= now)?.stream.clone();
        self.remove(&stream);
        Some(stream)
    }

    /// Whether it knows of all that is due at that moment.
    pub(super) fn reaches(&self, at: Timestamp) -> bool {
        self.upto.is_none_or(|upto| at < upto)
    }

    /// Whether there may be somebody due whom it does not know.
    pub(super) fn is_used_up(&self, now: Timestamp) -> bool {
        !self.reaches(now) && self.entries.first().is_none_or(|first| first.at > now)
    }

    /// Forgets how far it knows: whoever is due is read again.
    pub(super) fn begin_anew(&mut self) {
        self.upto = Some(Timestamp(0));
    }

    /// Whether it holds a stream that goes on by itself.
    pub(super) fn has_own(&self) -> bool {
        self.own > 0
    }

    /// Whether there was such a stream that it had no room for.
    pub(super) fn has_left_out_own(&self) -> bool {
        self.own_left_out
    }

    /// When it is to be looked at again.
    pub(super) fn wakes_at(&self) -> Option<Timestamp> {
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
        assert!(Window::default().is_used_up(Timestamp(5)));
        assert!(!Window::whole().is_used_up(Timestamp(5)));
    }

    #[test]
    fn what_is_due_comes_in_order_and_never_early() {
        let mut window = Window::whole();
        for (at, number) in [(30, 0), (10, 1), (20, 2)] {
            window.insert(due(at, number), Kind::Own);
        }
        let text = |stream: Option<StreamId>| stream.map(|stream| stream.to_string());
        assert_eq!(text(window.pop(Timestamp(9))), None);
        assert_eq!(text(window.pop(Timestamp(25))).as_deref(), Some("test/r1"));
        assert_eq!(text(window.pop(Timestamp(25))).as_deref(), Some("test/r2"));
        assert_eq!(text(window.pop(Timestamp(25))), None);
        assert_eq!((window.wakes_at(), window.has_own()), (Some(Timestamp(30)), true));
    }

    #[test]
    fn a_full_window_leaves_out_what_is_later_and_says_from_when_on() {
        let mut window = Window::whole();
        for number in 0..10 * ENTRIES_MAX {
            window.insert(due(number as i64, number), Kind::Own);
            assert!(window.entries.len() <= ENTRIES_MAX);
        }
        let known = window.entries.len();
        assert_eq!(window.upto, Some(Timestamp(known as i64)));
        for number in 0..known {
            assert!(!window.is_used_up(Timestamp(i64::MAX)), "{number}");
            assert!(window.pop(Timestamp(i64::MAX)).is_some());
        }
        assert!(window.is_used_up(Timestamp(i64::MAX)) && !window.has_own());
    }

    #[test]
    fn a_run_that_sleeps_longer_than_thousands_wait_for_people_is_not_forgotten() {
        let mut window = Window::whole();
        window.insert(due(i64::MAX, 0), Kind::Own);
        for number in 1..=2 * ENTRIES_MAX {
            window.insert(due(number as i64, number), Kind::Expiry);
        }
        assert!(!window.has_own() && window.has_left_out_own());
        assert!(window.wakes_at().is_some_and(|at| at < Timestamp(i64::MAX)), "it is looked for in time");
    }

    #[test]
    fn a_run_whose_time_changes_is_there_once() {
        let mut window = Window::whole();
        window.insert(due(10, 1), Kind::Own);
        window.insert(due(5, 1), Kind::Expiry);
        assert_eq!(window.wakes_at(), Some(Timestamp(5)));
        assert!(window.pop(Timestamp(20)).is_some() && window.pop(Timestamp(20)).is_none());
        assert!(!window.has_own());
    }
}
