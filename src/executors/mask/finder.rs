//! Finds any of many values in bytes: by the algorithm of Wu and Manber, *A Fast Algorithm for Multi-Pattern Searching* (1994).
//!
//! It looks at the last three bytes of a window that is as long as the shortest value. Those bytes are most often in the
//! beginning of no value, and then the window moves on by nearly its length. An automaton, which looks at each byte, takes
//! five times as long for a hundred values.

use std::sync::Arc;

/// A value, and what is put in its place.
#[derive(Clone)]
pub(super) struct Pattern {
    pub(super) bytes: Vec<u8>,
    pub(super) mask: Arc<str>,
}

/// How many bytes are looked at together.
const BLOCK_BYTES: usize = 3;

/// By how many of its bits the place of a block in a table is known: tables of 16 KiB, which stay in the nearest cache.
const PLACE_BITS: u32 = 14;

/// Finds the leftmost value, and of those that begin there the longest.
pub(super) struct Finder {
    /// In the order of their bytes, none twice, none shorter than a block.
    patterns: Vec<Pattern>,
    /// How far the window can move where it ends with a block, at the place of that block. With 0 a value may stand there.
    shifts: Vec<u8>,
    /// Whether a value begins with a block, at the place of that block.
    begins: Vec<bool>,
    /// The lengths of the shortest and of the longest value, in bytes.
    shortest: usize,
    longest: usize,
}

impl Finder {
    /// A finder of these; none if there are none. Of values that are the same the first counts.
    pub(super) fn of(mut patterns: Vec<Pattern>) -> Option<Self> {
        patterns.retain(|pattern| pattern.bytes.len() >= BLOCK_BYTES);
        patterns.sort_by(|one, other| one.bytes.cmp(&other.bytes));
        patterns.dedup_by(|later, earlier| later.bytes == earlier.bytes);
        let lengths = || patterns.iter().map(|pattern| pattern.bytes.len());
        let (longest, shortest) = (lengths().max()?, lengths().min()?.min(usize::from(u8::MAX)));
        let furthest = u8::try_from(shortest + 1 - BLOCK_BYTES).unwrap_or(u8::MAX);
        let mut shifts = vec![furthest; 1 << PLACE_BITS];
        let mut begins = vec![false; 1 << PLACE_BITS];
        for pattern in &patterns {
            let window = pattern.bytes.get(..shortest).unwrap_or_default();
            for (block, left) in window.windows(BLOCK_BYTES).zip((0..furthest).rev()) {
                let shift = place(block).and_then(|place| shifts.get_mut(place));
                shift.into_iter().for_each(|shift| *shift = left.min(*shift));
            }
            let first =
                pattern.bytes.get(..BLOCK_BYTES).and_then(place).and_then(|place| begins.get_mut(place));
            first.into_iter().for_each(|begins| *begins = true);
        }
        Some(Self { patterns, shifts, begins, shortest, longest })
    }

    /// What it finds.
    pub(super) fn patterns(&self) -> &[Pattern] {
        &self.patterns
    }

    /// Where the first value begins that is there from `at` on, and which it is.
    pub(super) fn find(&self, bytes: &[u8], mut at: usize) -> Option<(usize, &Pattern)> {
        loop {
            let end = at + self.shortest;
            let shift = *self.shifts.get(place(bytes.get(end - BLOCK_BYTES..end)?)?)?;
            if shift > 0 {
                at += usize::from(shift);
            } else if let Some(found) = self.at_beginning_of(bytes.get(at..)?) {
                return Some((at, found));
            } else {
                at += 1;
            }
        }
    }

    /// The longest value with which these bytes begin.
    fn at_beginning_of(&self, bytes: &[u8]) -> Option<&Pattern> {
        let block = bytes.get(..BLOCK_BYTES)?;
        let of_block = |pattern: &&Pattern| pattern.bytes.starts_with(block);
        let from = self.patterns.partition_point(|pattern| *pattern.bytes < *block);
        // One that another begins with stands before it.
        let all = self.patterns.get(from..)?.iter().take_while(of_block);
        all.filter(|pattern| bytes.starts_with(&pattern.bytes)).last()
    }

    /// Where, from `at` on, the first bytes stand that may become a value with what comes after them; the end if there are none.
    fn open(&self, bytes: &[u8], at: usize) -> usize {
        let from = at.max((bytes.len() + 1).saturating_sub(self.longest));
        let is_open = |at: &usize| bytes.get(*at..).is_some_and(|rest| self.may_become_one(rest));
        (from..bytes.len()).find(is_open).unwrap_or(bytes.len())
    }

    /// Whether a value begins with these bytes and is longer.
    fn may_become_one(&self, bytes: &[u8]) -> bool {
        let may_begin = |place: usize| self.begins.get(place).copied();
        if bytes.get(..BLOCK_BYTES).and_then(place).and_then(may_begin) == Some(false) {
            return false;
        }
        let from = self.patterns.partition_point(|pattern| *pattern.bytes <= *bytes);
        self.patterns.get(from).is_some_and(|pattern| pattern.bytes.starts_with(bytes))
    }

    /// Puts bytes into `out` with each value replaced, and answers how many of them: all, or, where more bytes follow, those
    /// of which it is known what they are.
    pub(super) fn replace(&self, bytes: &[u8], more_follow: bool, out: &mut Vec<u8>) -> usize {
        let open = |at| if more_follow { self.open(bytes, at) } else { bytes.len() };
        let (mut at, mut until) = (0, open(0));
        // What begins at or after `until` may turn out to begin earlier, or to be longer.
        while let Some((found, pattern)) = self.find(bytes, at).filter(|(found, _)| *found < until) {
            out.extend_from_slice(bytes.get(at..found).unwrap_or_default());
            out.extend_from_slice(pattern.mask.as_bytes());
            at = found + pattern.bytes.len();
            if at > until {
                until = open(at);
            }
        }
        out.extend_from_slice(bytes.get(at..until).unwrap_or_default());
        until
    }
}

/// The place of a block in a table: its product with the golden ratio of 32 bits, of which the high bits depend on all of it.
fn place(block: &[u8]) -> Option<usize> {
    let [first, second, third] = *block.first_chunk()?;
    let product = u32::from_le_bytes([first, second, third, 0]).wrapping_mul(0x9E37_79B1);
    Some((product >> (u32::BITS - PLACE_BITS)) as usize)
}
