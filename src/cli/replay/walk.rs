//! The place of somebody who walks through the past of a stream: its events, which of them is looked at, and the state as it
//! was then.

use super::tell::{self, Row};
use crate::api::protocol::{HistoryLine, State};
use crate::events::ids::Version;

/// How many digits a version can have.
const DIGITS_MAX: usize = 20;

/// Where somebody is in the past of a stream.
pub(super) struct Walk {
    rows: Vec<Row>,
    /// The row that is looked at.
    cursor: usize,
    /// The state that was asked for last: as of the event that is looked at, once that was answered.
    state: State,
    /// The number that is being typed.
    typed: String,
    /// Words for whoever looks, until the next key.
    note: Option<&'static str>,
}

impl Walk {
    /// At the event whose state is known. No other event is.
    pub(super) fn new(state: State) -> Self {
        Self { rows: Vec::new(), cursor: 0, state, typed: String::new(), note: None }
    }

    /// Adds the next event.
    pub(super) fn add(&mut self, line: &HistoryLine) {
        // What is told twice, because its teller went in the middle, is known.
        if self.rows.last().is_none_or(|last| last.version < line.version) {
            self.rows.push(tell::row(line));
        }
    }

    /// Goes to the event whose state is known.
    pub(super) fn go_to_state(&mut self) {
        self.go_to(self.state.event.version);
    }

    /// The first event that is not known, if there is one.
    pub(super) fn missing(&self) -> Option<Version> {
        let next = self.rows.last().map_or(Version(1), |last| last.version.next());
        (next <= self.state.newest).then_some(next)
    }

    /// The version whose state is looked at and not known.
    pub(super) fn wanted(&self) -> Option<Version> {
        self.row().map(|row| row.version).filter(|version| *version != self.state.event.version)
    }

    /// The state that was asked for.
    pub(super) fn answered(&mut self, state: State) {
        self.state = state;
    }

    pub(super) fn rows(&self) -> &[Row] {
        &self.rows
    }

    pub(super) fn cursor(&self) -> usize {
        self.cursor
    }

    /// The event that is looked at.
    pub(super) fn row(&self) -> Option<&Row> {
        self.rows.get(self.cursor)
    }

    pub(super) fn state(&self) -> &State {
        &self.state
    }

    pub(super) fn note(&self) -> Option<&'static str> {
        self.note
    }

    pub(super) fn typed(&self) -> &str {
        &self.typed
    }

    /// A key was pressed: what was said is read by now.
    pub(super) fn hear(&mut self) {
        self.note = None;
    }

    /// So many rows further down, or up.
    pub(super) fn step(&mut self, by: isize) {
        self.go(self.cursor.saturating_add_signed(by));
    }

    /// To a row, or the last.
    pub(super) fn go(&mut self, row: usize) {
        self.cursor = row.min(self.rows.len().saturating_sub(1));
    }

    fn go_to(&mut self, version: Version) {
        let row = self.rows.partition_point(|row| row.version < version);
        self.go(row);
    }

    /// To the next failure. Behind the last one comes the first.
    pub(super) fn next_failure(&mut self) {
        let after = (self.cursor + 1..self.rows.len()).chain(0..=self.cursor);
        let found = self.find_failure(after);
        self.go_to_failure(found, found.is_some_and(|found| found < self.cursor), "first failure again");
    }

    /// To the failure before. Before the first one comes the last.
    pub(super) fn failure_before(&mut self) {
        let before = (0..self.cursor).rev().chain((self.cursor..self.rows.len()).rev());
        let found = self.find_failure(before);
        self.go_to_failure(found, found.is_some_and(|found| found > self.cursor), "last failure again");
    }

    fn find_failure(&self, mut order: impl Iterator<Item = usize>) -> Option<usize> {
        order.find(|place| self.rows.get(*place).is_some_and(|row| row.is_failure))
    }

    fn go_to_failure(&mut self, found: Option<usize>, went_round: bool, round: &'static str) {
        self.note = match found {
            None => Some("nothing failed"),
            Some(found) if found == self.cursor => Some("the only failure"),
            Some(_) => went_round.then_some(round),
        };
        self.cursor = found.unwrap_or(self.cursor);
    }

    /// A digit of the version to go to.
    pub(super) fn digit(&mut self, digit: char) {
        if self.typed.len() < DIGITS_MAX {
            self.typed.push(digit);
        }
    }

    pub(super) fn erase(&mut self) {
        self.typed.pop();
    }

    pub(super) fn stop_typing(&mut self) {
        self.typed.clear();
    }

    /// Goes to the version that was typed, or the nearest that there is. Answers whether one was.
    pub(super) fn go_to_typed(&mut self) -> bool {
        let typed = std::mem::take(&mut self.typed);
        if typed.is_empty() {
            return false;
        }
        self.go_to(Version(typed.parse().unwrap_or(u64::MAX)));
        true
    }
}
