//! A full disk stops the store, says so, and loses nothing that was acknowledged.
//!
//! A limit on the size of files stands for the disk: a shell sets it, and has the signal that comes with it ignored,
//! so that writing fails as it does when there is no room.

use std::io::Write;
use std::path::Path;
use std::process::Command;

use reenact::events::ids::{Position, StreamId, Version};
use reenact::events::json::Blob;
use reenact::store::conformance::kit::{commit, head_after, inconsistency, noise, stream};
use reenact::store::sled::{SledOptions, SledStore};
use reenact::store::{AppendError, EventStore, Head};

/// Set in the process that meets the limit: the store's folder.
const FOLDER: &str = "REENACT_TEST_FULL_DISK";

/// Set if it fills the disk with blobs that are files.
const LONG_BLOBS: &str = "REENACT_TEST_FULL_DISK_BLOBS";

/// The limit in units of 512 bytes: 3 MB.
const LIMIT: &str = "6000";

fn filled() -> StreamId {
    stream("filled")
}

/// Appends commits of 20 KB until one is not acknowledged.
async fn fill(store: &SledStore, blob_bytes: Option<usize>) -> (Option<Head>, AppendError) {
    let mut head = None;
    for number in 0.. {
        let next = commit(&filled(), head, &[noise(number, 20_000)]).unwrap();
        let after = head_after(&next);
        // The first ones fit.
        let length = blob_bytes.filter(|_| number >= 5).unwrap_or(70_000);
        let blobs = blob_bytes.map(|_| Blob::new(noise(number, length)));
        match store.append(next, blobs.into_iter().collect()).await {
            Ok(_) => head = Some(after),
            Err(error) => return (head, error),
        }
    }
    unreachable!()
}

/// Not a test of its own, but what the tests below run in another process.
#[tokio::test]
async fn the_process_that_meets_a_full_disk() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let store = SledStore::open(Path::new(&folder), SledOptions::default()).unwrap();
    let blob_bytes = std::env::var_os(LONG_BLOBS).map(|_| 4_000_000);
    let (head, error) = fill(&store, blob_bytes).await;
    assert!(matches!(error, AppendError::Failed(_)), "{error}");
    // Even what would fit is refused from now on.
    let small = commit(&stream("another"), None, &["small"]).unwrap();
    assert!(matches!(store.append(small, Vec::new()).await, Err(AppendError::Failed(_))));
    let saved = store.save_view("view", Position(1), Vec::new()).await;
    assert!(matches!(saved, Err(AppendError::Failed(_))));
    // What was acknowledged, and nothing else, can still be read.
    assert_eq!(store.head(&filled()).await.unwrap(), head);
    let version = head.unwrap().version;
    let read = store.read_all(Position(0), usize::MAX).await.unwrap();
    assert_eq!(read.len() as u64, version.0);
    writeln!(std::io::stdout().lock(), "\nacknowledged {version}").unwrap();
    assert!(matches!(store.close().await, Err(AppendError::Failed(_))));
}

/// Fills the disk in another process; answers the last version that was acknowledged.
fn fill_elsewhere(folder: &Path, long_blobs: bool) -> Version {
    let mut process = Command::new("sh");
    process.args(["-c", r#"trap "" XFSZ; ulimit -f "$1"; shift; exec "$@""#, "sh", LIMIT]);
    process.arg(std::env::current_exe().unwrap());
    process.args(["full_disk::the_process_that_meets_a_full_disk", "--exact", "--nocapture"]);
    process.env(FOLDER, folder);
    if long_blobs {
        process.env(LONG_BLOBS, "1");
    }
    let output = process.output().unwrap();
    let (said, complained) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}{complained}");
    let version = said.lines().find_map(|line| line.strip_prefix("acknowledged "));
    Version(version.unwrap().parse().unwrap())
}

async fn goes_on_after_room_was_made(folder: &Path, acknowledged: Version) {
    let store = SledStore::open(folder, SledOptions::default()).unwrap();
    assert_eq!(store.damage(), None);
    let head = store.head(&filled()).await.unwrap();
    assert!(head.unwrap().version >= acknowledged, "an acknowledged event is lost");
    assert_eq!(inconsistency(&store).await.unwrap(), None);
    let next = commit(&filled(), head, &["there is room again"]).unwrap();
    store.append(next, Vec::new()).await.unwrap();
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_full_disk_stops_the_store_and_loses_nothing_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let acknowledged = fill_elsewhere(folder.path(), false);
    assert!(acknowledged.0 > 10, "the limit was met at once: {acknowledged}");
    goes_on_after_room_was_made(folder.path(), acknowledged).await;
}

#[tokio::test]
async fn a_blob_that_finds_no_room_stops_the_store_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let acknowledged = fill_elsewhere(folder.path(), true);
    assert_eq!(acknowledged, Version(5));
    let blobs = std::fs::read_dir(folder.path().join("blobs")).unwrap();
    assert_eq!(blobs.count(), 5, "what was begun was not removed");
    goes_on_after_room_was_made(folder.path(), acknowledged).await;
}
