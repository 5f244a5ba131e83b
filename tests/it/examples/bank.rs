//! The bank of `transfer.yaml`, and what must hold of it whatever happens.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::Sandbox;

/// What is on each account in the beginning, in cents.
const OPENING: i64 = 100_000;

/// All that lies in the bank of a sandbox.
#[derive(Debug, PartialEq)]
pub(crate) struct Bank {
    accounts: BTreeMap<String, Vec<Entry>>,
    /// What the clearing house was told, a line each.
    pub(crate) clearing: Vec<String>,
    /// What people were written, a line each.
    pub(crate) letters: Vec<String>,
}

#[derive(Debug, PartialEq)]
struct Entry {
    amount: i64,
    run: String,
    step: String,
    key: String,
}

impl Bank {
    /// Reads it. Nothing is in a bank that is not there yet.
    pub(crate) fn read(sandbox: &Sandbox) -> Self {
        let bank = Self::folder(sandbox);
        let mut accounts = BTreeMap::new();
        for account in fs::read_dir(bank.join("accounts")).into_iter().flatten().map(Result::unwrap) {
            let name = account.file_name().into_string().unwrap();
            // What was being written when somebody was killed counts for nothing.
            if !name.ends_with(".new") {
                accounts.insert(name, lines(&account.path()).iter().map(|line| Entry::parse(line)).collect());
            }
        }
        Self { accounts, clearing: lines(&bank.join("clearing")), letters: lines(&bank.join("letters")) }
    }

    fn folder(sandbox: &Sandbox) -> PathBuf {
        sandbox.tmp().join(format!("reenact-bank-{}", rustix::process::getuid().as_raw()))
    }

    /// Mends what fails on purpose.
    pub(crate) fn mend(sandbox: &Sandbox) {
        fs::write(Self::folder(sandbox).join("mended"), "").unwrap();
    }

    /// What is on an account.
    pub(crate) fn balance(&self, account: &str) -> i64 {
        self.accounts[account].iter().map(|entry| entry.amount).sum()
    }

    /// What a run has taken from an account, and what it has brought to one, without what it has booked back.
    pub(crate) fn moved(&self, run: &str) -> (i64, i64) {
        let of = |step: &str| -> i64 {
            let entries = self.accounts.values().flatten();
            entries.filter(|entry| entry.run == run && entry.step == step).map(|entry| entry.amount).sum()
        };
        (-of("withdraw"), of("deposit"))
    }

    /// Checks that no cent came or went: what is on the accounts and what is in flight is what there was; a transfer is of
    /// that amount, whole or not at all, and none arrives before it has left; nothing is booked twice.
    pub(crate) fn check(&self, amount: i64) {
        let entries = || self.accounts.values().flatten();
        let runs: BTreeSet<_> = entries().map(|entry| entry.run.as_str()).filter(|run| *run != "-").collect();
        let mut in_flight = 0;
        for run in runs {
            let (taken, brought) = self.moved(run);
            let whole = [(0, 0), (amount, 0), (amount, amount)];
            assert!(
                whole.contains(&(taken, brought)),
                "`{run}` took {taken} and brought {brought}: {self:#?}"
            );
            in_flight += taken - brought;
        }
        let on_accounts: i64 = self.accounts.keys().map(|account| self.balance(account)).sum();
        let opened = OPENING * i64::try_from(self.accounts.len()).unwrap();
        assert_eq!(on_accounts + in_flight, opened, "{self:#?}");
        assert!(self.accounts.keys().all(|account| self.balance(account) >= 0), "overdrawn: {self:#?}");
        let booked = entries().filter(|entry| entry.run != "-");
        let keys: BTreeSet<_> = booked.clone().map(|entry| &entry.key).collect();
        assert_eq!(keys.len(), booked.count(), "booked twice: {self:#?}");
    }
}

impl Entry {
    fn parse(line: &str) -> Self {
        match line.split(' ').collect::<Vec<_>>().as_slice() {
            [amount, run, step, key] => Self {
                amount: amount.parse().unwrap(),
                run: (*run).to_owned(),
                step: (*step).to_owned(),
                key: (*key).to_owned(),
            },
            _ => panic!("`{line}` is no entry"),
        }
    }
}

fn lines(file: &Path) -> Vec<String> {
    fs::read_to_string(file).unwrap_or_default().lines().map(str::to_owned).collect()
}
