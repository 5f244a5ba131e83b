//! What a turn of a conversation costs where there are few before it and where there are many, its window being full most of the time.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anyhow::{Result, ensure};
use reenact::api::engine::conversations::{Role, TurnGiven, Window};
use reenact::events::conversation::ConversationEvent;
use reenact::prelude::Engine;
use reenact::store::sled::{SledOptions, SledStore};
use reenact::store::verify::verify;

use crate::figures::Figures;

const WINDOW: Window =
    Window { tokens: 4_000, compress_above: 3_200, target: 2_000, summary: 400, keep_last: 8 };

/// Adds what a turn takes, and what it leaves in the store, each from the last number of turns to the next; one turn a commit.
pub(crate) async fn measure(figures: &mut Figures, dir: &Path, turns: [usize; 3]) -> Result<()> {
    let folder = tempfile::tempdir_in(dir)?;
    let (mut from, mut stored) = (0, 0);
    let names = [("few_us", "few_bytes"), ("more_us", "more_bytes"), ("many_us", "many_bytes")];
    for ((us, bytes), upto) in names.into_iter().zip(turns) {
        let engine = Engine::open(folder.path()).start().await?;
        let talk = engine.conversation("talk")?.window(WINDOW);
        let since = Instant::now();
        for number in from..upto {
            talk.add(vec![turn(number)]).await?;
        }
        let took = since.elapsed();
        engine.shut_down().await?;
        let now = stored_bytes(folder.path()).await?;
        let added = (upto - from) as f64;
        figures.add("conversation", us, took.as_secs_f64() * 1e6 / added);
        figures.add("conversation", bytes, (now - stored) as f64 / added);
        (from, stored) = (upto, now);
    }
    Ok(())
}

fn turn(number: usize) -> TurnGiven {
    let (behind, shard) = (number * 7 % 100, number % 64);
    let text = format!(
        "Turn {number}: the replica of the database in Oslo is {behind} seconds behind, and we decided to move shard {shard} to \
         Bergen before the end of May, unless Ada says otherwise. Is that right?"
    );
    TurnGiven::new(if number.is_multiple_of(2) { Role::User } else { Role::Assistant }, text)
}

/// The length of all that is stored: commits, and the content that they refer to.
async fn stored_bytes(folder: &Path) -> Result<u64> {
    let store = SledStore::open(folder, SledOptions::default())?;
    let content = AtomicU64::new(0);
    let references = |event: ConversationEvent| {
        let blobs = event.blobs();
        content.fetch_add(blobs.iter().map(|blob| blob.size_bytes).sum(), Ordering::Relaxed);
        blobs
    };
    let report =
        verify(&store, |recorded| recorded.decode().map(references).map_err(|error| error.to_string()))
            .await?;
    ensure!(report.problems.is_empty(), "the store is damaged: {:?}", report.problems);
    Ok(report.event_bytes + content.load(Ordering::Relaxed))
}
