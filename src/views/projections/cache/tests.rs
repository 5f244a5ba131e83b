use std::collections::BTreeMap;

use super::ledger::Ledger;
use super::*;
use crate::testing::Dice;

const MAX: u64 = 1_000;

/// Rows as a store has them.
#[derive(Default)]
struct Stored(BTreeMap<Vec<u8>, Vec<u8>>);

impl Stored {
    /// As a runner folds a page: rows are read until no more are wanted.
    fn fold(&mut self, changes: impl Fn() -> Vec<Change>) {
        let mut rows = Rows::default();
        for _ in 0..1_000 {
            let mut ledger = Ledger::new(&rows, MAX);
            changes().into_iter().for_each(|change| ledger.take(change));
            let missing = ledger.missing();
            if missing.is_empty() {
                let mut ledger = Ledger::new(&rows, MAX);
                changes().into_iter().for_each(|change| ledger.take(change));
                for (key, bytes) in ledger.changes() {
                    match bytes {
                        Some(bytes) => drop(self.0.insert(key, bytes)),
                        None => drop(self.0.remove(&key)),
                    }
                }
                return;
            }
            for key in missing {
                let bytes = self.0.get(&key).cloned();
                rows.read(key, bytes);
            }
        }
        panic!("it wants rows for ever");
    }

    /// The keys of what counts, the one that was used last first.
    fn counting(&self) -> Vec<(u8, u64)> {
        let row = |key: &[u8]| self.0.get(key).cloned();
        let sum: Sum = row(META).map(|bytes| from_bytes(&bytes).unwrap()).unwrap_or_default();
        let entries = self.0.iter().filter(|(key, _)| key[0] == ENTRY);
        let entries = entries.map(|(key, bytes)| (key[1], from_bytes::<KeptRow>(bytes).unwrap()));
        let counts = |row_: &KeptRow| {
            let of_agent = row(&agent_key(&row_.agent)).map(|bytes| from_bytes::<AgentSum>(&bytes).unwrap());
            sum.counts(row_.number, of_agent.as_ref())
        };
        let mut all: Vec<_> = entries.filter(|(_, row)| counts(row)).collect();
        all.sort_by_key(|(_, row)| std::cmp::Reverse(row.number));
        all.into_iter().map(|(key, row)| (key, row.hits)).collect()
    }
}

#[derive(Debug, Clone, Copy)]
enum Op {
    Keep(u8, u64),
    Take(u8),
    Clear(Option<u8>),
}

fn agent(key: u8) -> AgentName {
    AgentName::new(["ada", "bob", "cyd"][key as usize % 3])
}

fn change(op: Op, version: u64) -> Change {
    let hash = |key: u8| Hash([key; 32]);
    let at = Timestamp(version as i64);
    match op {
        Op::Keep(key, size_bytes) => {
            let row = KeptRow {
                agent: agent(key),
                run: RunId::parse("r").unwrap(),
                step: StepId::grown("s"),
                version: Version(version),
                at,
                ttl_us: None,
                size_bytes,
                hits: 0,
                used_at: at,
                number: 0,
            };
            Change::Kept(hash(key), Box::new(row))
        }
        Op::Take(key) => Change::Taken(hash(key), at),
        Op::Clear(of) => Change::Cleared(of.map(agent)),
    }
}

/// The same, in the plainest way: a list, the one that was used last first.
fn expect(all: &mut Vec<(u8, u64, u64)>, op: Op) {
    match op {
        Op::Keep(key, size) => {
            all.retain(|(other, ..)| *other != key);
            all.insert(0, (key, size, 0));
            while all.iter().map(|(_, size, _)| size).sum::<u64>() > MAX {
                all.pop();
            }
        }
        Op::Take(key) => {
            if let Some(place) = all.iter().position(|(other, ..)| *other == key) {
                let (key, size, hits) = all.remove(place);
                all.insert(0, (key, size, hits + 1));
            }
        }
        Op::Clear(None) => all.clear(),
        Op::Clear(Some(of)) => all.retain(|(key, ..)| agent(*key) != agent(of)),
    }
}

#[test]
fn whatever_is_kept_taken_and_cleared_counts_as_in_a_plain_list_in_pages_of_any_size() {
    for seed in 0..300 {
        let mut dice = Dice::of(seed);
        let (mut stored, mut expected, mut version) = (Stored::default(), Vec::new(), 0);
        for _ in 0..40 {
            let page: Vec<Op> = (0..1 + dice.below(12))
                .map(|_| match dice.below(12) {
                    0..=5 => Op::Keep(dice.below(12) as u8, 1 + dice.below(450) as u64),
                    6..=9 => Op::Take(dice.below(12) as u8),
                    10 => Op::Clear(Some(dice.below(3) as u8)),
                    _ => Op::Clear(None),
                })
                .collect();
            page.iter().for_each(|op| expect(&mut expected, *op));
            let from = version;
            version += page.len() as u64;
            stored.fold(|| (from..).zip(&page).map(|(version, op)| change(*op, version)).collect());
            let plain: Vec<_> = expected.iter().map(|(key, _, hits)| (*key, *hits)).collect();
            assert_eq!(stored.counting(), plain, "seed {seed}");
            let rows = stored.0.keys().filter(|key| key[0] != b'a').count();
            assert!(rows <= 3 * 12 + 1 + 2 * 12, "seed {seed}: {rows} rows are left");
        }
    }
}

#[test]
fn what_is_larger_than_all_may_be_does_not_stay() {
    let mut stored = Stored::default();
    stored.fold(|| vec![change(Op::Keep(1, 10), 1), change(Op::Keep(2, MAX + 1), 2)]);
    assert_eq!(stored.counting(), []);
    stored.fold(|| vec![change(Op::Keep(3, MAX), 3)]);
    assert_eq!(stored.counting(), [(3, 0)]);
}
