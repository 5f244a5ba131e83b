//! Read models: rows that are folded from recorded events, and can be thrown away and folded anew.
//!
//! - [`Projection`]: what a read model is made of
//! - [`runner`]: how it keeps up, as a state machine whose driver reads and saves

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
    /// The name under which its rows are stored. It never changes.
    fn name(&self) -> &'static str;

    /// The number of the layout of its rows and of the rules by which they follow from events. When
    /// either changes, it is raised: rows with another number are dropped, and folded again. The row
    /// under [`runner::SHAPE_KEY`] holds it.
    fn shape(&self) -> u32;

    /// The keys of the rows that folding a page looks at, as far as that can be told from the rows read so
    /// far. It is asked until it names no more.
    fn reads(&self, _page: &Page<'_>, _rows: &Rows) -> Vec<Vec<u8>> {
        Vec::new()
    }

    /// Changes the rows by the events of a page.
    fn fold(&self, page: &Page<'_>, rows: &mut Rows);
}

/// Some events of the store that are read together, and where their streams are after them.
#[derive(Debug, Default)]
pub struct Log {
    events: Vec<Recorded>,
    /// For each stream the indices of its events, streams in the order of their first event.
    streams: Vec<(StreamId, Vec<usize>)>,
    known: HashMap<StreamId, Known>,
}

impl Log {
    /// Events in the order of the store, without knowledge of where their streams are.
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

    /// Adds where streams are, as of their last event here or a later one.
    #[must_use]
    pub fn with(self, known: HashMap<StreamId, Known>) -> Self {
        Self { known, ..self }
    }

    /// The streams of the events, each with its events.
    pub fn streams(&self) -> impl Iterator<Item = (&StreamId, Vec<&Recorded>)> {
        self.after(Position(0)).streams()
    }

    /// The position of the last event; 0 if there are none.
    pub fn end(&self) -> Position {
        self.events.last().map_or(Position(0), |last| last.position)
    }

    /// The events after a position.
    pub fn after(&self, position: Position) -> Page<'_> {
        Page { log: self, after: position }
    }
}

/// The events that a projection has not folded yet and now folds together.
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

    /// The same events stream by stream; each stream has at least one.
    pub fn streams(&self) -> impl Iterator<Item = (&'a StreamId, Vec<&'a Recorded>)> + use<'a> {
        let (log, after) = (self.log, self.after);
        let streams = log.streams.iter().map(move |(stream, places)| {
            let events = places.iter().filter_map(|place| log.events.get(*place));
            (stream, events.filter(|recorded| recorded.position > after).collect::<Vec<_>>())
        });
        streams.filter(|(_, events)| !events.is_empty())
    }

    /// The standing of a stream, as of its last event in the page or a later one; none if it is of an unknown kind.
    pub fn known(&self, stream: &StreamId) -> Option<&'a Known> {
        self.log.known.get(stream)
    }
}

/// The rows that folding a page works on: as they are stored, and as they are changed.
#[derive(Debug, Default)]
pub struct Rows(BTreeMap<Vec<u8>, Row>);

#[derive(Debug, Default)]
struct Row {
    /// The stored bytes, once they were read; the inner option is none if there is no such row.
    kept: Option<Option<Vec<u8>>>,
    /// The new bytes, if the row was changed; the inner option is none if it is removed.
    new: Option<Option<Vec<u8>>>,
}

impl Rows {
    /// Whether it is known what is stored under a key.
    pub fn is_read(&self, key: &[u8]) -> bool {
        self.0.get(key).is_some_and(|row| row.kept.is_some())
    }

    /// The bytes of a row as it is now; none if there is no such row, or it was neither read nor set.
    pub fn get(&self, key: &[u8]) -> Option<&[u8]> {
        let row = self.0.get(key)?;
        row.new.as_ref().or(row.kept.as_ref())?.as_deref()
    }

    /// Sets the bytes of a row.
    pub fn set(&mut self, key: Vec<u8>, bytes: Vec<u8>) {
        self.0.entry(key).or_default().new = Some(Some(bytes));
    }

    /// Removes the row with that key.
    pub fn remove(&mut self, key: Vec<u8>) {
        self.0.entry(key).or_default().new = Some(None);
    }

    /// Takes in what is stored under a key.
    pub fn read(&mut self, key: Vec<u8>, bytes: Option<Vec<u8>>) {
        self.0.entry(key).or_default().kept = Some(bytes);
    }

    /// The changes to save, without rows that stay as they were.
    fn into_changes(self) -> Vec<ViewChange> {
        let changed = self.0.into_iter().filter(|(_, row)| row.new != row.kept);
        changed.filter_map(|(key, row)| Some(ViewChange { key, bytes: row.new? })).collect()
    }
}
