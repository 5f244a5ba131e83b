//! The read model of what needs attention, and when: of each stream, as its own fold says.
//!
//! Under `d` are streams that go on by themselves, by the steady clock; under `e` those that wait for people and would do
//! something if nobody answered, by the wall clock: each by the time (8 bytes, 0 for now) and its name. Some are under both.
//! Under `k` and its name are the times under which each of them is found. Who starts with a hundred thousand streams reads
//! a page of this, and loads none that has nothing to do.

use std::sync::Arc;

use crate::events::commit::Recorded;
use crate::events::ids::{Hash, Position, StreamId, Version};
use crate::events::limits::VIEW_KEY_BYTES_MAX;
use crate::events::time::Timestamp;
use crate::kernel::Attention;
use crate::kernel::projection::{Page, Projection, Rows};
use crate::kernel::standing::Known;
use crate::store::ViewRow;
use crate::views::projector::{Projector, ViewError};

const VIEW: &str = "attentions";

/// The side that has to act next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It goes on by itself.
    Own,
    /// It waits for people; if nobody answers in time, that is an answer too.
    Expiry,
}

impl Kind {
    /// Both kinds, those that go on by themselves first.
    pub const ALL: [Self; 2] = [Self::Own, Self::Expiry];

    const fn prefix(self) -> u8 {
        match self {
            Self::Own => b'd',
            Self::Expiry => b'e',
        }
    }
}

/// A stream that needs attention.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Due {
    /// The time at which it does; 0 means now.
    pub at: Timestamp,
    /// The stream that does.
    pub stream: StreamId,
}

/// The prefix of the keys under which it is found where a stream is due.
const KEY: u8 = b'k';

/// As much as fits into each key. A longer name has its hash there, and stands in the row.
const NAME_BYTES_MAX: usize = VIEW_KEY_BYTES_MAX - PLACE_BYTES;

/// A stream's name as it stands in keys, and in the row.
fn name(stream: &StreamId) -> (Vec<u8>, Vec<u8>) {
    let bytes = stream.as_str().as_bytes();
    match bytes.len() {
        ..=NAME_BYTES_MAX => (bytes.to_vec(), Vec::new()),
        _ => (Hash::of(bytes).0.to_vec(), bytes.to_vec()),
    }
}

impl Due {
    /// The times at which a stream that needs this is due, each with the side that acts then.
    pub fn of(stream: &StreamId, attention: &Attention) -> impl Iterator<Item = (Kind, Self)> + use<> {
        let (due, stream) = (attention.due(), stream.clone());
        let moments = [(Kind::Own, due.steady), (Kind::Expiry, due.wall)];
        moments
            .into_iter()
            .filter_map(move |(kind, at)| Some((kind, Self { at: at?, stream: stream.clone() })))
    }

    fn key(&self, kind: Kind) -> Vec<u8> {
        [place(kind, self.at).as_slice(), &name(&self.stream).0].concat()
    }

    fn read(row: &ViewRow, kind: Kind) -> Option<Self> {
        let (at, name) = row.key.strip_prefix(&[kind.prefix()])?.split_first_chunk::<8>()?;
        let at = Timestamp(i64::try_from(u64::from_be_bytes(*at)).ok()?);
        let name = if row.bytes.is_empty() { name } else { &row.bytes };
        let (kind, id) = std::str::from_utf8(name).ok()?.split_once('/')?;
        Some(Self { at, stream: StreamId::new(kind, id) })
    }
}

/// How long the beginning of a key is, before a stream's name.
const PLACE_BYTES: usize = 1 + size_of::<u64>();

/// The place of a stream that is due then in the order of a kind: the beginning of its key.
fn place(kind: Kind, at: Timestamp) -> [u8; PLACE_BYTES] {
    let mut place = [kind.prefix(); PLACE_BYTES];
    let at = u64::try_from(at.0).unwrap_or(0).to_be_bytes();
    place.iter_mut().skip(1).zip(at).for_each(|(byte, of_time)| *byte = of_time);
    place
}

/// The read model of what needs attention, and when.
pub struct Attentions {
    projector: Arc<Projector>,
}

impl Attentions {
    /// What this projector keeps up, among others: [`AttentionRows`] is one of its projections.
    pub fn new(projector: Arc<Projector>) -> Self {
        Self { projector }
    }

    /// Folds all that is durable by now and saves it.
    ///
    /// # Errors
    /// When the store cannot be read, or rows cannot be saved.
    pub async fn catch_up(&self) -> Result<(), ViewError> {
        self.projector.catch_up().await
    }

    /// Folds as much as is needed to tell what follows from all up to a position.
    ///
    /// # Errors
    /// As for [`Attentions::catch_up`].
    pub async fn at_least(&self, position: Position) -> Result<(), ViewError> {
        self.projector.at_least(position).await
    }

    /// At most `limit` streams of a kind that need attention, the most urgent first, from the one after `after`: as of the last
    /// [`Attentions::catch_up`].
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn due(&self, kind: Kind, after: Option<&Due>, limit: usize) -> Result<Vec<Due>, ViewError> {
        let after = after.map_or_else(|| vec![kind.prefix()], |due| due.key(kind));
        let rows = self.projector.store().view_rows(VIEW, Some(&after), limit).await?;
        Ok(rows.iter().map_while(|row| Due::read(row, kind)).collect())
    }
}

/// The rows of all streams that need attention.
pub struct AttentionRows;

impl Projection for AttentionRows {
    fn name(&self) -> &'static str {
        VIEW
    }

    fn shape(&self) -> u32 {
        2
    }

    fn reads(&self, page: &Page<'_>, _rows: &Rows) -> Vec<Vec<u8>> {
        let streams =
            page.streams().filter(|(stream, events)| page.known(stream).is_some() && !begins(events));
        streams.map(|(stream, _)| key_of(stream)).collect()
    }

    fn fold(&self, page: &Page<'_>, rows: &mut Rows) {
        for (stream, _) in page.streams() {
            let Some(attention) = page.known(stream).map(Known::attention) else { continue };
            let (key, name) = (key_of(stream), name(stream));
            let before = rows.get(&key).map(<[u8]>::to_vec).unwrap_or_default();
            let now: Vec<u8> =
                Due::of(stream, &attention).flat_map(|(kind, due)| place(kind, due.at)).collect();
            if before == now {
                continue;
            }
            for place in before.chunks_exact(PLACE_BYTES) {
                rows.remove([place, &name.0].concat());
            }
            for place in now.chunks_exact(PLACE_BYTES) {
                rows.set([place, &name.0].concat(), name.1.clone());
            }
            if now.is_empty() {
                rows.remove(key);
            } else {
                rows.set(key, now);
            }
        }
    }
}

fn begins(events: &[&Recorded]) -> bool {
    events.first().is_some_and(|first| first.version == Version(1))
}

/// The key under which it is found where a stream is due.
fn key_of(stream: &StreamId) -> Vec<u8> {
    [&[KEY], name(stream).0.as_slice()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{Own, People};

    #[test]
    fn who_is_due_is_read_from_the_key_in_the_order_of_time() {
        let names = ["a", &"x".repeat(NAME_BYTES_MAX - 5), &"x".repeat(NAME_BYTES_MAX - 4), &"x".repeat(507)];
        let mut keys = Vec::new();
        for at in [0, 1, 255, 256, i64::MAX] {
            for id in names {
                let due = Due { at: Timestamp(at), stream: StreamId::new("test", id) };
                let row = ViewRow { key: due.key(Kind::Own), bytes: name(&due.stream).1 };
                assert!(
                    row.key.len() <= VIEW_KEY_BYTES_MAX && key_of(&due.stream).len() <= VIEW_KEY_BYTES_MAX
                );
                assert_eq!(Due::read(&row, Kind::Own).as_ref(), Some(&due));
                assert_eq!(Due::read(&row, Kind::Expiry), None);
                keys.push((at, row.key));
            }
        }
        keys.sort_by(|a, b| a.1.cmp(&b.1));
        assert!(keys.is_sorted_by_key(|(at, _)| *at));
    }

    #[test]
    fn what_goes_on_by_itself_and_waits_for_people_is_due_by_each_clock() {
        let until = People::Until(Some(Timestamp(5)));
        let due = |attention: Attention| {
            Due::of(&StreamId::new("test", "r"), &attention)
                .map(|(kind, due)| (kind, due.at.0))
                .collect::<Vec<_>>()
        };
        let both = Attention { own: Own::At(Timestamp(9)), people: until, ..Attention::default() };
        assert_eq!(due(both), [(Kind::Own, 9), (Kind::Expiry, 5)]);
        let now = Attention { own: Own::Now, people: until, ..Attention::default() };
        assert_eq!(due(now), [(Kind::Own, 0)]);
        let people = Attention { people: until, ..Attention::default() };
        assert_eq!(due(people), [(Kind::Expiry, 5)]);
        let ever = Attention { people: People::Until(None), ..Attention::default() };
        assert_eq!(due(ever), []);
    }
}
