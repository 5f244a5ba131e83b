//! Read models in memory.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use super::{AppendError, ViewChange, ViewRow, admission};
use crate::events::ids::Position;

/// The read models, by name.
#[derive(Debug, Default, Clone)]
pub(super) struct Views(HashMap<&'static str, View>);

#[derive(Debug, Default, Clone)]
struct View {
    position: Position,
    rows: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Views {
    pub(super) fn position(&self, view: &str) -> Position {
        self.0.get(view).map_or(Position(0), |view| view.position)
    }

    pub(super) fn row(&self, view: &str, key: &[u8]) -> Option<Vec<u8>> {
        self.0.get(view).and_then(|view| view.rows.get(key)).cloned()
    }

    pub(super) fn rows(&self, view: &str, after: Option<&[u8]>, limit: usize) -> Vec<ViewRow> {
        let Some(view) = self.0.get(view) else { return Vec::new() };
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let later = view.rows.range::<[u8], _>((from, Bound::Unbounded)).take(limit);
        later.map(|(key, bytes)| ViewRow { key: key.clone(), bytes: bytes.clone() }).collect()
    }

    pub(super) fn save(
        &mut self,
        view: &'static str,
        position: Position,
        rows: Vec<ViewChange>,
    ) -> Result<(), AppendError> {
        admission::check_rows(&rows)?;
        let view = self.0.entry(view).or_default();
        view.position = position;
        for ViewChange { key, bytes } in rows {
            match bytes {
                Some(bytes) => view.rows.insert(key, bytes),
                None => view.rows.remove(&key),
            };
        }
        Ok(())
    }
}
