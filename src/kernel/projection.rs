//! Read models: rows that are folded from recorded events, and can be thrown away and folded anew.
//!
//! - [`Projection`]: what one is made of
//! - [`runner`]: how it keeps up, as a machine that somebody drives who reads and saves

pub mod runner;

use std::collections::{BTreeMap, HashMap};

use super::standing::Known;
use crate::events::commit::Recorded;
use crate::events::ids::{Position, StreamId};
use crate::events::rows::ViewChange;

/// Rows that follow from recorded events.
///
/// Its methods are pure. What a fold looks at is in the page and in rows that it asked for.
pub trait Projection: Send + Sync {
    /// Under which name its rows are kept. It never changes.
    fn name(&self) -> &'static str;

    /// The number of the shape of its rows and of the rules by which they follow from events. When either changes, it is
    /// raised: rows of another number are dropped, and folded anew. The row under [`runner::SHAPE_KEY`] holds it.
    fn shape(&self) -> u32;

    /// The rows that folding a page looks at, as far as it can tell from those that were read so far. It is asked until
    /// there are no others.
    fn reads(&self, _page: &Page<'_>, _rows: &Rows) -> Vec<Vec<u8>> {
        Vec::new()
    }

    /// Changes the rows by what happened.
    fn fold(&self, page: &Page<'_>, rows: &mut Rows);
}

/// Events of the store as they are read at once, and where their streams are after them.
#[derive(Debug, Default)]
pub struct Log {
    events: Vec<Recorded>,
    /// Of each stream, in the order in which they come.
    streams: Vec<(StreamId, Vec<usize>)>,
    known: HashMap<StreamId, Known>,
}

impl Log {
    /// Events in the order of the store, of which nothing else is known.
    pub fn new(events: Vec<Recorded>) -> Self {
        let (mut streams, mut places) = (Vec::<(StreamId, Vec<usize>)>::new(), HashMap::new());
        for (number, recorded) in events.iter().enumerate() {
            let stream = &recorded.header.stream;
            let place = *places.entry(stream.clone()).or_insert(streams.len());
            match streams.get_mut(place) {
                Some((_, of)) => of.push(number),
                None => streams.push((stream.clone(), vec![number])),
            }
        }
        Self { events, streams, known: HashMap::new() }
    }

    /// Notes where streams are, as of their last event here or a later one.
    #[must_use]
    pub fn with(self, known: HashMap<StreamId, Known>) -> Self {
        Self { known, ..self }
    }

    /// The streams of the events, with those of each.
    pub fn streams(&self) -> impl Iterator<Item = (&StreamId, Vec<&Recorded>)> {
        self.after(Position(0)).streams()
    }

    /// The position of the last event; 0 without any.
    pub fn end(&self) -> Position {
        self.events.last().map_or(Position(0), |last| last.position)
    }

    /// What comes after a position.
    pub fn after(&self, position: Position) -> Page<'_> {
        Page { log: self, after: position }
    }
}

/// The events that a projection has not folded yet, as many as are folded at once.
#[derive(Debug, Clone, Copy)]
pub struct Page<'a> {
    log: &'a Log,
    after: Position,
}

impl<'a> Page<'a> {
    /// The events, in the order of the store.
    pub fn events(&self) -> impl Iterator<Item = &'a Recorded> + use<'a> {
        let after = self.after;
        self.log.events.iter().filter(move |recorded| recorded.position > after)
    }

    /// The same, stream by stream: of each there is an event at least.
    pub fn streams(&self) -> impl Iterator<Item = (&'a StreamId, Vec<&'a Recorded>)> + use<'a> {
        let (log, after) = (self.log, self.after);
        let streams = log.streams.iter().map(move |(stream, places)| {
            let events = places.iter().filter_map(|place| log.events.get(*place));
            (stream, events.filter(|recorded| recorded.position > after).collect::<Vec<_>>())
        });
        streams.filter(|(_, events)| !events.is_empty())
    }

    /// Where a stream is, as of its last event in the page or a later one; none if it is of a kind that nobody here knows.
    pub fn known(&self, stream: &StreamId) -> Option<&'a Known> {
        self.log.known.get(stream)
    }
}

/// The rows that a page is about: those that were read, and what they become.
#[derive(Debug, Default)]
pub struct Rows(BTreeMap<Vec<u8>, Row>);

#[derive(Debug, Default)]
struct Row {
    /// What is kept, if it was read.
    kept: Option<Option<Vec<u8>>>,
    /// What it becomes, if it was changed.
    new: Option<Option<Vec<u8>>>,
}

impl Rows {
    /// Whether it is known what is kept under a key.
    pub fn is_read(&self, key: &[u8]) -> bool {
        self.0.get(key).is_some_and(|row| row.kept.is_some())
    }

    /// A row as it is by now; none if there is no such row, or it was neither read nor set.
    pub fn get(&self, key: &[u8]) -> Option<&[u8]> {
        let row = self.0.get(key)?;
        row.new.as_ref().or(row.kept.as_ref())?.as_deref()
    }

    /// Sets a row.
    pub fn set(&mut self, key: Vec<u8>, bytes: Vec<u8>) {
        self.0.entry(key).or_default().new = Some(Some(bytes));
    }

    /// Takes a row away.
    pub fn remove(&mut self, key: Vec<u8>) {
        self.0.entry(key).or_default().new = Some(None);
    }

    /// Notes what is kept under a key.
    pub fn read(&mut self, key: Vec<u8>, bytes: Option<Vec<u8>>) {
        self.0.entry(key).or_default().kept = Some(bytes);
    }

    /// What is to be saved: nothing of rows that are what they were.
    fn into_changes(self) -> Vec<ViewChange> {
        let changed = self.0.into_iter().filter(|(_, row)| row.new != row.kept);
        changed.filter_map(|(key, row)| Some(ViewChange { key, bytes: row.new? })).collect()
    }
}
