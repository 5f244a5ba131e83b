//! What a turn of a conversation costs, in bytes on the way to the disk and in memory, however many there were before.

use reenact::api::engine::conversations::{ConversationHandle, Role, TurnGiven, Window};
use reenact::prelude::*;

use crate::support::Sandbox;

const WINDOW: Window =
    Window { tokens: 4_000, compress_above: 3_200, target: 2_000, summary: 400, keep_last: 8 };

/// Set in the process that is measured: the data folder.
const MEASURED: &str = "REENACT_TEST_CONVERSATION_MEMORY";

fn turn(number: usize) -> TurnGiven {
    let (behind, shard) = (number * 7 % 100, number % 64);
    let role = if number.is_multiple_of(2) { Role::User } else { Role::Assistant };
    TurnGiven::new(
        role,
        format!(
            "Turn {number}: the replica in Oslo is {behind} seconds behind, and shard {shard} moves to Bergen. Is that right?"
        ),
    )
}

async fn say(talk: &ConversationHandle, from: usize, upto: usize) {
    let turns: Vec<TurnGiven> = (from..upto).map(turn).collect();
    for some in turns.chunks(100) {
        talk.add(some.to_vec()).await.unwrap();
    }
}

/// Bytes of the events of the store, by what proves it.
fn event_bytes(sandbox: &Sandbox) -> u64 {
    sandbox.json(0, &["verify"])["event_bytes"].as_u64().unwrap()
}

/// The exact cost of all that is stored, content beside events, is measured where it is decided: `tests/grows.rs` of the aggregate.
#[test]
fn the_stream_grows_by_the_same_for_a_turn_at_ten_at_a_hundred_and_at_a_thousand() {
    let sandbox = Sandbox::new();
    let (mut before, mut costs) = (0, Vec::new());
    for (from, upto) in [(0, 10), (10, 100), (100, 1_000)] {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let engine = Engine::open(sandbox.data()).start().await.unwrap();
            say(&engine.conversation("talk").unwrap().window(WINDOW), from, upto).await;
            engine.shut_down().await.unwrap();
        });
        let bytes = event_bytes(&sandbox);
        costs.push((bytes - before) / (upto - from) as u64);
        before = bytes;
    }
    assert!(costs.iter().all(|bytes| *bytes < 250), "{costs:?}");
    assert!(costs[2] <= costs[1] + costs[1] / 20, "{costs:?}");
}

#[cfg(target_os = "linux")]
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Not a test of its own, but what the test below runs in another process.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_process_that_is_measured() {
    let Some(folder) = std::env::var_os(MEASURED) else { return };
    let engine = Engine::open(folder).start().await.unwrap();
    let talk = engine.conversation("talk").unwrap().window(WINDOW);
    say(&talk, 0, 2_000).await;
    let before = resident_kib();
    say(&talk, 2_000, 10_000).await;
    let grew = resident_kib().saturating_sub(before);
    assert_eq!(talk.show().await.unwrap().turns, 10_000);
    // What is read and written goes through caches that have bounds of their own: 8 MiB of content, and pages of the store.
    assert!(grew < 40 * 1024, "8,000 turns more cost {grew} KiB");
    engine.shut_down().await.unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn ten_thousand_turns_take_no_more_memory_than_two_thousand() {
    let sandbox = Sandbox::new();
    let mut process = std::process::Command::new(std::env::current_exe().unwrap());
    process
        .args(["conversations::costs::the_process_that_is_measured", "--exact"])
        .env(MEASURED, sandbox.data());
    let output = process.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
