//! What an open store costs in memory.

#![cfg(target_os = "linux")]

use std::process::Command;

use reenact::store::sled::{SledOptions, SledStore};

/// Set in the process that is measured.
const MEASURED: &str = "REENACT_TEST_MEMORY";

/// Resident memory that is no file's. The pages of the program itself, of which a debug build has many, are no cost of a
/// store.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Not a test of its own, but what the test below runs in another process.
#[test]
fn the_process_that_is_measured() {
    if std::env::var_os(MEASURED).is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let before = resident_kib();
    let store = SledStore::open(folder.path(), SledOptions::default()).unwrap();
    let cost = resident_kib() - before;
    drop(store);
    assert!(cost < 4 * 1024, "opening an empty store costs {cost} KiB");
}

/// sled has 21 MB of histograms that nobody fills. Left to itself it writes zeros to all of them.
#[test]
fn an_empty_store_costs_a_few_megabytes() {
    let mut process = Command::new(std::env::current_exe().unwrap());
    process.args(["memory::the_process_that_is_measured", "--exact"]).env(MEASURED, "1");
    let output = process.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
