//! What a turn costs, however many there were before: bytes that are stored, and bytes of the state.

use super::*;
use crate::events::ids::{StreamId, Version};
use crate::kernel::Draft;
use crate::kernel::{Decided, Moment, Recording};
use crate::testing::MemoryBlobs;

/// A conversation whose bytes are counted.
struct Counted {
    state: Conversation,
    stream: StreamId,
    version: Version,
    blobs: MemoryBlobs,
    /// Bytes of events, of what is recorded of commands, and of blobs.
    stored: usize,
    compressions: usize,
}

impl Counted {
    fn say(&mut self, turns: Vec<NewTurn>, window: Window) {
        let compression = leaving(&self.state, &turns, &window, &self.blobs).unwrap().map(Leaving::extracted);
        let ask = add(turns, window, compression);
        let now = Timestamp(0);
        let moment = Moment { now, wall: now, blobs: &self.blobs, seed: 0, grants: None, driven_since: now };
        let mut draft = Draft::new(&mut self.state, &self.stream, self.version, now);
        Conversation::decide(&mut draft, ask.clone(), &moment).unwrap();
        let form = Conversation::record(ask, &mut Recording::new(&mut draft, 0)).unwrap().unwrap();
        let Decided { events, blobs, illegal, .. } = draft.finish();
        assert_eq!(illegal, None);
        self.version = self.version.plus(events.len() as u64);
        self.compressions += events.iter().filter(|event| event.kind() == "conversation_compressed").count();
        let events: usize = events.iter().map(|event| event.encode().unwrap().len()).sum();
        self.stored += events + form.payload.len() + blobs.iter().map(|blob| blob.bytes.len()).sum::<usize>();
        blobs.iter().for_each(|blob| self.blobs.keep(blob));
    }
}

/// Turns of some 200 bytes, no two of which are the same.
fn spoken(number: usize) -> NewTurn {
    let text = format!(
        "Turn {number}: the replica of the database in Oslo is {} seconds behind, and we decided to move shard {} to Bergen \
         before the {}th of May, unless Ada says otherwise. Is that right?",
        number * 7 % 100,
        number % 64,
        1 + number % 28
    );
    turn(Role::User, &text)
}

#[test]
fn a_turn_costs_the_same_at_ten_at_a_hundred_and_at_a_thousand_and_the_state_is_no_larger_at_ten_thousand() {
    let window = Window { tokens: 2_000, compress_above: 1_600, target: 1_000, summary: 200, keep_last: 4 };
    let (blobs, stream) = (MemoryBlobs::default(), StreamId::new("conversation", "talk"));
    let state = Conversation::default();
    let mut talk = Counted { state, stream, version: Version(0), blobs, stored: 0, compressions: 0 };
    let (mut before, mut costs, mut sizes) = (0, Vec::new(), Vec::new());
    for (from, upto) in [(0, 10), (10, 100), (100, 1_000), (1_000, 10_000)] {
        (from..upto).for_each(|number| talk.say(vec![spoken(number)], window));
        costs.push((talk.stored - before) / (upto - from));
        before = talk.stored;
        sizes.push(talk.state.snapshot().unwrap().len());
    }
    // Ten turns fit in, so that they cost what their events do. All others cost a place in the archive and a part of a summary, too.
    let [ten, hundred, thousand, ten_thousand] = costs[..] else { unreachable!() };
    assert!(ten < 200 && hundred < 520 && thousand < 580, "{costs:?}");
    assert!(ten_thousand <= thousand * 51 / 50, "{costs:?}");
    assert!(talk.compressions > 500, "{}", talk.compressions);
    let [_, _, at_thousand, at_ten_thousand] = sizes[..] else { unreachable!() };
    assert!(at_ten_thousand <= at_thousand + at_thousand / 2 && at_ten_thousand < 16 * 1_024, "{sizes:?}");
}
