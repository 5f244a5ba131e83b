//! Promise 1: what was acknowledged survives a power cut.
//!
//! A process appends under load, with a library preloaded that keeps an image of what was synced
//! (`tests/shim/power_cut.c`), and prints each commit that was acknowledged. It is killed at a random moment. Then the
//! image is opened, not the files that the process left, and every acknowledged event must be there.

#![cfg(target_os = "linux")]

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant, SystemTime};

use reenact::events::commit::Recorded;
use reenact::events::ids::{Hash, StreamId, Version};
use reenact::events::json::{Blob, BlobRef};
use reenact::store::conformance::kit::{Note, commit, head_after, noise, stream};
use reenact::store::sled::{SledOptions, SledStore};
use reenact::store::verify::verify;
use reenact::store::{EventStore, ViewChange};

/// Set in the process that will lose power: the store's folder.
const FOLDER: &str = "REENACT_TEST_POWER_CUT";

/// How many tasks append at once.
const WRITERS: usize = 24;

/// Of some commits an event is longer than any value in the tree, or refers to a blob: one in the tree, one that is a
/// file. The event's text names the blob, for the audit.
fn event_of(writer: usize, number: u64) -> (Vec<u8>, Vec<Blob>) {
    let seed = writer as u64 * 1_000_003 + number;
    let size = match seed % 20 {
        0 => 100_000,
        1..=3 => 3_000,
        4..=5 => return ([b"long ".as_slice(), &noise(seed, 10_000)].concat(), Vec::new()),
        _ => return (format!("short {number}").into_bytes(), Vec::new()),
    };
    let blob = Blob::new(noise(seed, size));
    (format!("blob {} {size}", blob.reference.hash).into_bytes(), vec![blob])
}

/// The blobs that an event of [`event_of`] refers to.
fn blobs_of(event: &Recorded) -> Result<Vec<BlobRef>, String> {
    let Note(text) = event.decode().map_err(|error| error.to_string())?;
    let Some(rest) = text.strip_prefix(b"blob ") else { return Ok(Vec::new()) };
    let text = String::from_utf8_lossy(rest);
    let (hash, size) = text.split_once(' ').ok_or("an event that nobody wrote")?;
    let hash = Hash::from_hex(hash).ok_or("a hash that nobody wrote")?;
    Ok(vec![BlobRef { hash, size_bytes: size.parse().map_err(|_| "a size that nobody wrote")? }])
}

/// Appends to its own stream until the power goes.
async fn write(store: Arc<SledStore>, writer: usize) {
    let stream = stream(&format!("writer-{writer}"));
    let mut head = store.head(&stream).await.unwrap();
    loop {
        let number = head.map_or(0, |head| head.version.0);
        let (text, blobs) = event_of(writer, number);
        let next = commit(&stream, head, &[text, b"second".to_vec()]).unwrap();
        let after = head_after(&next);
        store.append(next, blobs).await.unwrap();
        // Only now: what is printed is what a caller was told.
        writeln!(std::io::stdout().lock(), "\nacknowledged {stream} {} {}", after.version, after.hash)
            .unwrap();
        head = Some(after);
        if number.is_multiple_of(8) {
            let position = *store.committed().borrow();
            let row = ViewChange { key: stream.as_str().into(), bytes: Some(position.0.to_string().into()) };
            store.save_view("positions", position, vec![row]).await.unwrap();
        }
    }
}

/// Not a test of its own, but what the test below runs in another process.
#[test]
fn the_process_that_loses_power() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        // Few, so that the index is saved all the time.
        let options = SledOptions { checkpoint_commits: 40, ..SledOptions::default() };
        let store = Arc::new(SledStore::open(Path::new(&folder), options).unwrap());
        let writers = (0..WRITERS).map(|writer| write(Arc::clone(&store), writer));
        futures_util::future::join_all(writers).await;
    });
}

/// The moment at which a process is killed.
enum Moment {
    /// So long after it started: perhaps before the store is made.
    AfterStart(Duration),
    /// So long after its first answer.
    AfterAnswer(Duration),
}

/// What a disk holds: the files, and what the shim keeps of them.
struct Disk {
    root: PathBuf,
    image: PathBuf,
}

impl Disk {
    fn empty(folder: &Path) -> Self {
        let disk = Self { root: folder.join("root"), image: folder.join("image") };
        for folder in [&disk.root, &disk.image.join("inodes"), &disk.image.join("tree")] {
            fs::create_dir_all(folder).unwrap();
        }
        disk
    }

    /// The power is back: there is what the image has, and all of it is durable.
    fn with_what_was_synced(&self, folder: &Path) -> Self {
        let next = Self::empty(folder);
        next.adopt(&self.image.join("tree"), &next.root, &next.image.join("tree"));
        next
    }

    fn adopt(&self, from: &Path, root: &Path, tree: &Path) {
        for entry in fs::read_dir(from).unwrap() {
            let (entry, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
            let (file, kept) = (root.join(&name), tree.join(&name));
            if entry.is_dir() {
                fs::create_dir(&file).unwrap();
                fs::create_dir(&kept).unwrap();
                self.adopt(&entry, &file, &kept);
            } else {
                fs::copy(&entry, &file).unwrap();
                let inode = self.image.join("inodes").join(fs::metadata(&file).unwrap().ino().to_string());
                fs::copy(&entry, &inode).unwrap();
                fs::hard_link(&inode, &kept).unwrap();
            }
        }
    }

    /// Runs the process and kills it; answers the last commit of each stream that it printed as acknowledged.
    fn run_and_cut(&self, shim: &Path, moment: &Moment) -> HashMap<StreamId, Vec<(Version, Hash)>> {
        let start = Instant::now();
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["power_cut::the_process_that_loses_power", "--exact", "--nocapture"])
            .env(FOLDER, self.root.join("store"))
            .env("LD_PRELOAD", shim)
            .env("SHIM_ROOT", &self.root)
            .env("SHIM_IMAGE", &self.image)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = lines_of(&mut process);
        let mut acknowledged: HashMap<_, Vec<_>> = HashMap::new();
        let mut read = |line: String| {
            let words: Vec<_> = line.split(' ').collect();
            if let ["acknowledged", stream, version, hash] = words.as_slice() {
                let (kind, id) = stream.split_once('/').unwrap();
                let version = Version(version.parse().unwrap());
                let hash = Hash::from_hex(hash).unwrap();
                acknowledged.entry(StreamId::new(kind, id)).or_default().push((version, hash));
                return true;
            }
            false
        };
        let end = match moment {
            Moment::AfterStart(length) => start + *length,
            Moment::AfterAnswer(length) => {
                while !read(lines.recv().expect("the process ended before its first answer")) {}
                Instant::now() + *length
            }
        };
        while let Ok(line) = lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
            read(line);
        }
        process.kill().unwrap();
        process.wait().unwrap();
        // What it had printed by then it had been told.
        lines.into_iter().for_each(|line| {
            read(line);
        });
        acknowledged
    }
}

/// The whole lines that a process prints.
fn lines_of(process: &mut Child) -> Receiver<String> {
    let (sender, lines) = channel();
    let mut output = BufReader::new(process.stdout.take().unwrap());
    std::thread::spawn(move || {
        let mut line = String::new();
        // A line without its end was cut off.
        while output.read_line(&mut line).is_ok_and(|length| length > 0) && line.ends_with('\n') {
            let whole = std::mem::take(&mut line);
            if sender.send(whole.trim_end().to_owned()).is_err() {
                return;
            }
        }
    });
    lines
}

/// Opens what is on the disk and looks for all that was ever acknowledged; answers how many events there are.
async fn audit(store: &Path, acknowledged: &HashMap<StreamId, Vec<(Version, Hash)>>) -> u64 {
    let store = SledStore::open(store, SledOptions::default()).unwrap();
    assert_eq!(store.damage(), None);
    for (stream, events) in acknowledged {
        let stored = store.read_stream(stream, Version(0), usize::MAX).await.unwrap();
        for (version, hash) in events {
            let event = stored.get(version.0 as usize - 1);
            let event = event
                .unwrap_or_else(|| panic!("version {version} of {stream} was acknowledged, and is lost"));
            assert_eq!((event.version, event.event.hash), (*version, *hash), "{stream}");
        }
    }
    let report = verify(&store, blobs_of).await.unwrap();
    assert_eq!(report.problems, []);
    let saved = store.view_position("positions").await.unwrap();
    assert!(saved <= *store.committed().borrow(), "a read model is ahead of the events");
    store.close().await.unwrap();
    report.events
}

fn build_shim(folder: &Path) -> PathBuf {
    let (source, shim) =
        (Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/shim/power_cut.c"), folder.join("shim.so"));
    let built = Command::new("cc")
        .args(["-O1", "-shared", "-fPIC", "-o"])
        .arg(&shim)
        .arg(source)
        .arg("-ldl")
        .status();
    assert!(built.expect("this test needs a C compiler, `cc`").success());
    shim
}

/// A few bits that differ from run to run.
fn chance(upto: u64) -> u64 {
    let nanos = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos() as u64;
    (nanos.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20) % upto
}

/// Cuts the power again and again, each time going on with what the last time left. Answers how many events the
/// disk has in the end.
async fn cut_in_a_row(folder: &Path, shim: &Path, moments: impl IntoIterator<Item = Moment>) -> u64 {
    let mut acknowledged: HashMap<_, Vec<_>> = HashMap::new();
    let mut disk = Disk::empty(&folder.join("0"));
    let mut events = 0;
    for (round, moment) in moments.into_iter().enumerate() {
        // Every other time a process dies before, and the power stays: what it had not synced is still there.
        let deaths = (round % 2 == 1).then_some(Moment::AfterAnswer(Duration::from_millis(chance(60))));
        for (stream, told) in deaths.iter().flat_map(|moment| disk.run_and_cut(shim, moment)) {
            acknowledged.entry(stream).or_default().extend(told);
        }
        for (stream, told) in disk.run_and_cut(shim, &moment) {
            acknowledged.entry(stream).or_default().extend(told);
        }
        let audited = disk.with_what_was_synced(&folder.join(format!("audit-{round}")));
        events = audit(&audited.root.join("store"), &acknowledged).await;
        disk = disk.with_what_was_synced(&folder.join(format!("{}", round + 1)));
    }
    let told: usize = acknowledged.values().map(Vec::len).sum();
    assert!(events >= 2 * told as u64);
    events
}

#[tokio::test]
async fn an_acknowledged_event_survives_a_power_cut() {
    let folder = tempfile::tempdir().unwrap();
    let shim = build_shim(folder.path());
    let moments = (0..6).map(|_| Moment::AfterAnswer(Duration::from_millis(20 + chance(400))));
    let events = cut_in_a_row(folder.path(), &shim, moments).await;
    assert!(events > 1_000, "only {events} events: that was no load");
}

/// A process was killed after it had renamed a blob's file and before it synced the folder. The next one finds the
/// file, and must not take it for durable.
#[tokio::test]
async fn a_blob_that_a_dead_process_left_unsynced_survives_a_power_cut() {
    let folder = tempfile::tempdir().unwrap();
    let shim = build_shim(folder.path());
    let disk = Disk::empty(folder.path());
    let (_, blobs) = event_of(0, 0);
    let left = disk.root.join("store/blobs");
    fs::create_dir_all(&left).unwrap();
    fs::write(left.join(blobs[0].reference.hash.to_string()), &blobs[0].bytes).unwrap();
    let acknowledged = disk.run_and_cut(&shim, &Moment::AfterAnswer(Duration::from_millis(100)));
    assert!(acknowledged.contains_key(&stream("writer-0")), "the blob was not used");
    let after = disk.with_what_was_synced(&folder.path().join("after"));
    audit(&after.root.join("store"), &acknowledged).await;
}

#[tokio::test]
async fn a_power_cut_while_the_store_is_made_leaves_one_that_opens() {
    let folder = tempfile::tempdir().unwrap();
    let shim = build_shim(folder.path());
    for round in 0..12 {
        // Starting the process alone takes a few milliseconds.
        let moments = [Moment::AfterStart(Duration::from_millis(2 + 4 * round + chance(4)))];
        let folder = folder.path().join(round.to_string());
        cut_in_a_row(&folder, &shim, moments.into_iter().chain([Moment::AfterAnswer(Duration::ZERO)])).await;
    }
}
