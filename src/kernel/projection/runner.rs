//! Keeping a projection up to date: up to where it has come, what it reads, and what it saves.
//!
//! The machine says what it wants, and is told the result. Its driver reads and saves, decides nothing, and
//! may stop at any point: rows and the position that they are folded to are saved together, so the next
//! driver goes on there.

use std::collections::BTreeSet;

use super::{Log, Projection, Rows};
use crate::events::ids::Position;
use crate::events::rows::ViewChange;

/// The key of the row that holds the number of the rows' layout, as decimal digits.
pub const SHAPE_KEY: &[u8] = b"s";

/// The thing that a runner needs of its driver next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Want {
    /// The position up to which rows were saved, and the row under [`SHAPE_KEY`]: tell [`Runner::found`].
    Place,
    /// Keys of any of its rows: tell [`Runner::leftover`].
    Leftover,
    /// Events after this position, in the order of the store: tell [`Runner::page`].
    Events(Position),
    /// These rows: tell [`Runner::row`] of each.
    Rows(Vec<Vec<u8>>),
    /// Save these changes together with that position, all or nothing: tell [`Runner::saved`]. They
    /// are handed over once.
    Save(Position, Vec<ViewChange>),
    /// Nothing: it has reached its target, or what it handed over is not saved yet.
    Nothing,
}

/// A projection on its way to a position.
pub struct Runner<'a> {
    projection: &'a dyn Projection,
    target: Position,
    phase: Phase,
}

enum Phase {
    /// It is not known yet up to where it has come.
    Lost,
    /// Rows of another layout are removed, before anything else.
    Clearing,
    /// Everything up to `position` is folded and saved. `rows` were read for the next page, and `missing` are
    /// still to be read.
    At { position: Position, rows: Rows, missing: BTreeSet<Vec<u8>> },
    /// These changes are to be saved.
    Changed(Save),
    /// The changes are being saved.
    Saving { position: Position, is_clearing: bool },
}

struct Save {
    position: Position,
    changes: Vec<ViewChange>,
    /// Whether more rows of another layout may be left.
    is_clearing: bool,
}

impl Phase {
    fn at(position: Position) -> Self {
        Self::At { position, rows: Rows::default(), missing: BTreeSet::new() }
    }
}

impl<'a> Runner<'a> {
    /// Brings a projection at least to the position `target`. It stays where it is while its driver
    /// has no more events.
    pub fn new(projection: &'a dyn Projection, target: Position) -> Self {
        Self { projection, target, phase: Phase::Lost }
    }

    /// The name under which the rows are stored.
    pub fn name(&self) -> &'static str {
        self.projection.name()
    }

    /// The thing that it needs of its driver next.
    pub fn wants(&mut self) -> Want {
        match &mut self.phase {
            Phase::Lost => Want::Place,
            Phase::Clearing => Want::Leftover,
            Phase::At { position, .. } if *position >= self.target => Want::Nothing,
            Phase::At { position, missing, .. } if missing.is_empty() => Want::Events(*position),
            Phase::At { missing, .. } => Want::Rows(missing.iter().cloned().collect()),
            Phase::Changed(Save { position, changes, is_clearing }) => {
                let (position, changes, is_clearing) = (*position, std::mem::take(changes), *is_clearing);
                self.phase = Phase::Saving { position, is_clearing };
                Want::Save(position, changes)
            }
            Phase::Saving { .. } => Want::Nothing,
        }
    }

    /// Takes in the position that its rows were saved for, and the number of their layout.
    pub fn found(&mut self, position: Position, shape: Option<&[u8]>) {
        let is_of_this_shape = shape == Some(self.shape().as_slice());
        self.phase = if is_of_this_shape { Phase::at(position) } else { Phase::Clearing };
    }

    /// Takes in keys of rows that are left; empty if none are left.
    pub fn leftover(&mut self, keys: Vec<Vec<u8>>) {
        let is_clearing = !keys.is_empty();
        let mut changes: Vec<_> = keys.into_iter().map(|key| ViewChange { key, bytes: None }).collect();
        if !is_clearing {
            changes.push(ViewChange { key: SHAPE_KEY.to_vec(), bytes: Some(self.shape()) });
        }
        self.phase = Phase::Changed(Save { position: Position(0), changes, is_clearing });
    }

    /// Folds a page, or notes which rows it needs for that: once it was told them, it wants the events again.
    /// Events that are folded already are passed over.
    pub fn page(&mut self, log: &Log) {
        let Phase::At { position, rows, missing } = &mut self.phase else { return };
        let page = log.after(*position);
        if log.end() > *position {
            let reads = self.projection.reads(&page, rows).into_iter();
            *missing = reads.filter(|key| !rows.is_read(key)).collect();
            if missing.is_empty() {
                self.projection.fold(&page, rows);
                let (position, changes) = (log.end(), std::mem::take(rows).into_changes());
                self.phase = Phase::Changed(Save { position, changes, is_clearing: false });
            }
        }
    }

    /// Takes in what is stored under a key that it wanted; none if nothing is.
    pub fn row(&mut self, key: Vec<u8>, bytes: Option<Vec<u8>>) {
        if let Phase::At { rows, missing, .. } = &mut self.phase {
            missing.remove(&key);
            rows.read(key, bytes);
        }
    }

    /// The changes that it wanted to save are saved.
    pub fn saved(&mut self) {
        match self.phase {
            Phase::Saving { is_clearing: true, .. } => self.phase = Phase::Clearing,
            Phase::Saving { position, .. } => self.phase = Phase::at(position),
            _ => {}
        }
    }

    fn shape(&self) -> Vec<u8> {
        self.projection.shape().to_string().into_bytes()
    }
}
