//! The rows of answers as they are changed: which count, which go first, and which rows have to be read to know that.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Change, KeptRow};
use crate::events::codec::{from_bytes, to_bytes};
use crate::events::ids::{AgentName, Hash};
use crate::kernel::projection::Rows;

/// The key of the row that holds the sum of all.
pub(super) const META: &[u8] = b"m";

/// The prefixes of keys.
pub(super) const ENTRY: u8 = b'e';
pub(super) const AGENT: u8 = b'a';
const ORDER: u8 = b'o';

/// How many rows are asked for at once where the first of the order are wanted.
const AT_ONCE: u64 = 64;

/// How many rows of answers that do not count go with each event: more than an event makes.
const SWEPT: usize = 4;

/// All answers together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sum {
    /// The number from which on there may be rows in the order.
    first: u64,
    /// The number of what is kept or taken next.
    next: u64,
    /// How many bytes those have that count.
    bytes: u64,
    /// Those with a smaller number do not count.
    cleared: u64,
}

/// The answers of one agent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct AgentSum {
    bytes: u64,
    /// Those with a smaller number do not count.
    cleared: u64,
    /// What did not count of all when this was summed up.
    of_all: u64,
}

impl Sum {
    /// Whether what was kept or taken with that number counts still.
    pub(super) fn counts(&self, number: u64, of_agent: Option<&AgentSum>) -> bool {
        number >= self.cleared && of_agent.is_none_or(|of_agent| number >= of_agent.cleared)
    }
}

pub(super) fn entry_key(key: &Hash) -> Vec<u8> {
    [&[ENTRY], key.0.as_slice()].concat()
}

pub(super) fn agent_key(agent: &AgentName) -> Vec<u8> {
    [&[AGENT], agent.key().as_bytes()].concat()
}

fn order_key(number: u64) -> Vec<u8> {
    [&[ORDER], number.to_be_bytes().as_slice()].concat()
}

/// Rows with their changes. Where a row is wanted that was not read, that is noted, and what follows from it is left out: then it is
/// done once more with that row.
pub(super) struct Ledger<'r> {
    rows: &'r Rows,
    bytes_max: u64,
    changed: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    missing: Vec<Vec<u8>>,
}

impl<'r> Ledger<'r> {
    pub(super) fn new(rows: &'r Rows, bytes_max: u64) -> Self {
        Self { rows, bytes_max, changed: BTreeMap::new(), missing: Vec::new() }
    }

    /// The keys of rows that have to be read before it can be said what becomes of the rows.
    pub(super) fn missing(self) -> Vec<Vec<u8>> {
        self.missing
    }

    /// The rows that are changed; none of what is removed.
    pub(super) fn changes(self) -> BTreeMap<Vec<u8>, Option<Vec<u8>>> {
        self.changed
    }

    pub(super) fn take(&mut self, change: Change) {
        let mut sum: Sum = self.get(META).unwrap_or_default();
        match change {
            Change::Kept(key, row) => self.keep(&mut sum, &key, *row),
            Change::Taken(key, at) => {
                if let Some(row) = self.counting(&sum, &key) {
                    self.changed.insert(order_key(row.number), None);
                    let row = KeptRow { number: sum.next, hits: row.hits + 1, used_at: at, ..row };
                    self.put(&mut sum, &key, &row);
                }
            }
            Change::Cleared(None) => (sum.cleared, sum.bytes) = (sum.next, 0),
            Change::Cleared(Some(agent)) => {
                let of_agent = self.of_agent(&sum, &agent);
                sum.bytes = sum.bytes.saturating_sub(of_agent.bytes);
                let of_agent = AgentSum { bytes: 0, cleared: sum.next, ..of_agent };
                self.set(agent_key(&agent), &of_agent);
            }
        }
        // What has to be read first may change all that follows.
        if self.missing.is_empty() {
            self.sweep(&mut sum);
        }
        self.set(META.to_vec(), &sum);
    }

    fn keep(&mut self, sum: &mut Sum, key: &Hash, row: KeptRow) {
        if let Some(old) = self.get::<KeptRow>(&entry_key(key)) {
            self.leave_out(sum, &old);
        }
        let row = KeptRow { number: sum.next, ..row };
        self.add(sum, &row.agent, row.size_bytes);
        self.put(sum, key, &row);
    }

    /// The answer under a key, if it counts.
    fn counting(&mut self, sum: &Sum, key: &Hash) -> Option<KeptRow> {
        let row: KeptRow = self.get(&entry_key(key))?;
        let of_agent = self.of_agent(sum, &row.agent);
        Some(row).filter(|row| sum.counts(row.number, Some(&of_agent)))
    }

    fn put(&mut self, sum: &mut Sum, key: &Hash, row: &KeptRow) {
        self.set(entry_key(key), row);
        self.changed.insert(order_key(row.number), Some(key.0.to_vec()));
        sum.next += 1;
    }

    fn of_agent(&mut self, sum: &Sum, agent: &AgentName) -> AgentSum {
        let known: AgentSum = self.get(&agent_key(agent)).unwrap_or_default();
        // What was taken away of all is its as well.
        let bytes = if known.of_all < sum.cleared { 0 } else { known.bytes };
        AgentSum { bytes, of_all: sum.cleared, ..known }
    }

    fn add(&mut self, sum: &mut Sum, agent: &AgentName, bytes: u64) {
        let of_agent = self.of_agent(sum, agent);
        sum.bytes = sum.bytes.saturating_add(bytes);
        self.set(agent_key(agent), &AgentSum { bytes: of_agent.bytes.saturating_add(bytes), ..of_agent });
    }

    /// An answer goes: it counts no more, and is not in the order.
    fn leave_out(&mut self, sum: &mut Sum, row: &KeptRow) {
        let of_agent = self.of_agent(sum, &row.agent);
        if sum.counts(row.number, Some(&of_agent)) {
            sum.bytes = sum.bytes.saturating_sub(row.size_bytes);
            let bytes = of_agent.bytes.saturating_sub(row.size_bytes);
            self.set(agent_key(&row.agent), &AgentSum { bytes, ..of_agent });
        }
        self.changed.insert(order_key(row.number), None);
    }

    /// Takes away what nobody took for longest until the rest is not too much, and some of what does not count.
    fn sweep(&mut self, sum: &mut Sum) {
        let mut swept = 0;
        while sum.first < sum.next && self.missing.is_empty() {
            let order = order_key(sum.first);
            if !self.is_known(&order) {
                let until = sum.next.min(sum.first.saturating_add(AT_ONCE));
                let wanted = (sum.first..until).map(order_key).filter(|key| !self.is_known(key));
                let wanted: Vec<_> = wanted.collect();
                self.missing.extend(wanted);
                return;
            }
            let key = self.bytes(&order).and_then(|key| <[u8; 32]>::try_from(key).ok()).map(Hash);
            let Some(key) = key else {
                sum.first += 1;
                continue;
            };
            let row: Option<KeptRow> = self.get(&entry_key(&key));
            let of_agent = row.as_ref().map(|row| self.of_agent(sum, &row.agent));
            if !self.missing.is_empty() {
                return;
            }
            let counts = row.as_ref().is_some_and(|row| sum.counts(row.number, of_agent.as_ref()));
            if counts && sum.bytes <= self.bytes_max || !counts && swept >= SWEPT {
                return;
            }
            swept += 1;
            if let Some(row) = row.filter(|row| row.number == sum.first) {
                self.leave_out(sum, &row);
                self.changed.insert(entry_key(&key), None);
            }
            self.changed.insert(order, None);
            sum.first += 1;
        }
    }

    fn is_known(&self, key: &[u8]) -> bool {
        self.changed.contains_key(key) || self.rows.is_read(key) || self.rows.get(key).is_some()
    }

    fn bytes(&self, key: &[u8]) -> Option<&[u8]> {
        match self.changed.get(key) {
            Some(changed) => changed.as_deref(),
            None => self.rows.get(key),
        }
    }

    fn get<T: for<'a> Deserialize<'a>>(&mut self, key: &[u8]) -> Option<T> {
        if !self.is_known(key) {
            self.missing.push(key.to_vec());
            return None;
        }
        self.bytes(key).and_then(|bytes| from_bytes(bytes).ok())
    }

    fn set<T: Serialize>(&mut self, key: Vec<u8>, row: &T) {
        if let Ok(bytes) = to_bytes(row) {
            self.changed.insert(key, Some(bytes));
        }
    }
}
