//! The past of a long run: no version is far from the next.

use reenact::prelude::*;

use super::{SIZES, Terminal, newest};
use crate::support::Sandbox;

/// Items of a run of more than 10,000 events.
const ITEMS: usize = 3_400;

#[test]
fn ten_thousand_events_are_walked_through_without_waiting() {
    let sandbox = Sandbox::new();
    let items: Vec<String> = (0..ITEMS).map(|item| item.to_string()).collect();
    let file = format!("name: wide\nsteps: [{{id: each, agent: quick, for_each: [{}]}}]", items.join(", "));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let quick = || async { Ok::<_, Failure>("done") };
        let engine = Engine::open(sandbox.data()).function("quick", quick).start().await.unwrap();
        let run = engine.run(RunSpec::text(&file).id("r").unwrap()).await.unwrap();
        assert!(matches!(run.outcome().await.unwrap(), Outcome::Completed(_)));
        engine.shut_down().await.unwrap();
    });
    let newest = newest(&sandbox);
    assert!(newest > 10_000, "{newest}");
    let mut terminal = Terminal::start(&sandbox, SIZES[0], &["replay", "r"]);
    terminal.shows(&format!("version {newest} of {newest}"));
    let mut to = |keys: &str, version: u64| {
        terminal.press(keys);
        terminal.shows(&format!("at version {version}:"));
    };
    to("g", 1);
    to("G", newest);
    to("5000\r", 5_000);
    for version in (4_960..5_000).rev() {
        to("k", version);
    }
    for version in 4_961..5_000 {
        to("j", version);
    }
    to(&"k".repeat(900), 4_099);
    terminal.press("q");
    assert_eq!(terminal.ends().0, Some(0));
}
