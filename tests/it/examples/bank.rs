//! The bank of `transfer.yaml`, and what must hold of it whatever happens.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::Sandbox;

/// What is on each account in the beginning, in cents.
const OPENING: i64 = 100_000;

/// All that lies in a bank.
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
    /// Reads that of a sandbox.
    pub(crate) fn read(sandbox: &Sandbox) -> Self {
        Self::read_in(&sandbox.tmp())
    }

    /// Reads that in a folder for temporary files. Nothing is in a bank that is not there yet.
    pub(crate) fn read_in(tmp: &Path) -> Self {
        let bank = folder(tmp);
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

    /// Mends what fails on purpose.
    pub(crate) fn mend(sandbox: &Sandbox) {
        fs::write(folder(&sandbox.tmp()).join("mended"), "").unwrap();
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

    /// The runs that have booked anything.
    pub(crate) fn runs(&self) -> BTreeSet<&str> {
        self.booked().map(|entry| entry.run.as_str()).collect()
    }

    /// Checks that no cent came or went: what is on the accounts and what is in flight is what there was; a transfer is of
    /// that amount, whole or not at all, and none arrives before it has left; nothing is booked twice.
    pub(crate) fn check(&self, amount: i64) {
        self.audit(amount).unwrap_or_else(|wrong| panic!("{wrong}: {self:#?}"));
    }

    /// As [`Bank::check`], for who says it otherwise.
    pub(crate) fn audit(&self, amount: i64) -> Result<(), String> {
        let mut in_flight = 0;
        for run in self.runs() {
            let (taken, brought) = self.moved(run);
            if ![(0, 0), (amount, 0), (amount, amount)].contains(&(taken, brought)) {
                return Err(format!("`{run}` took {taken} and brought {brought}"));
            }
            in_flight += taken - brought;
        }
        let on_accounts: i64 = self.accounts.keys().map(|account| self.balance(account)).sum();
        let opened = OPENING * i64::try_from(self.accounts.len()).unwrap();
        let keys: BTreeSet<_> = self.booked().map(|entry| &entry.key).collect();
        if on_accounts + in_flight != opened {
            Err(format!("of {opened} there are {on_accounts} on accounts and {in_flight} in flight"))
        } else if self.accounts.keys().any(|account| self.balance(account) < 0) {
            Err("an account is overdrawn".to_owned())
        } else if keys.len() != self.booked().count() {
            Err("something is booked twice".to_owned())
        } else {
            Ok(())
        }
    }

    /// The entries of runs.
    fn booked(&self) -> impl Iterator<Item = &Entry> {
        self.accounts.values().flatten().filter(|entry| entry.run != "-")
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

fn folder(tmp: &Path) -> PathBuf {
    tmp.join(format!("reenact-bank-{}", rustix::process::getuid().as_raw()))
}

fn lines(file: &Path) -> Vec<String> {
    fs::read_to_string(file).unwrap_or_default().lines().map(str::to_owned).collect()
}
