//! Opening a store: what must be synced before recovery reads it, and what is made anew from the commits.

use std::fs::{self, File};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sled::{Batch, Db};

use super::index::{Extent, Index};
use super::layout::{self, FIRST_FORMAT_NUMBER, FORMAT, FORMAT_NUMBER, INDEX, INDEXED, VIEW_POSITIONS};
use super::mark::Mark;
use super::read::{Commits, is_damage, key_at, read_error};
use super::{Durability, SledOptions};
use crate::events::ids::Position;
use crate::events::problem::Code;
use crate::files::{self, NotPlain};
use crate::store::ReadError;

/// Why a store could not be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Another process, or another handle in this one, has it open.
    #[error("the store in {folder} is open elsewhere")]
    Held {
        /// The store's folder, as it was named.
        folder: String,
    },
    /// The files cannot be made, opened or read.
    #[error("the store in {folder} cannot be opened: {what}")]
    Unreadable {
        /// The store's folder, as it was named.
        folder: String,
        /// What the system says about it.
        what: String,
    },
    /// Something in the folder is a link, or not a file of a store at all. Nothing was opened through it.
    #[error("the store in {folder} is not used: {what}")]
    NotPlain {
        /// The store's folder, as it was named.
        folder: String,
        /// What was found there, with its path.
        what: String,
    },
    /// The files are not what was written: not even reading is possible.
    #[error("the store in {folder} is damaged: {what}")]
    Damaged {
        /// The store's folder, as it was named.
        folder: String,
        /// What is wrong with the files.
        what: String,
    },
    /// Another version wrote it, with a layout that this one does not know.
    #[error(
        "the store in {folder} has the format {format}, this version knows formats up to {FORMAT_NUMBER}"
    )]
    UnknownFormat {
        /// The store's folder, as it was named.
        folder: String,
        /// The number of the layout that was found.
        format: u64,
    },
}

impl OpenError {
    /// The code under which people are told of it.
    pub const fn code(&self) -> Code {
        match self {
            Self::Held { .. } => Code::StoreHeld,
            Self::Unreadable { .. } => Code::StoreUnreadable,
            Self::NotPlain { .. } => Code::StoreNotPlain,
            Self::Damaged { .. } => Code::StoreDamaged,
            Self::UnknownFormat { .. } => Code::StoreFormat,
        }
    }

    pub(super) fn unreadable(folder: &Path, error: &dyn std::fmt::Display) -> Self {
        Self::Unreadable { folder: folder.display().to_string(), what: error.to_string() }
    }

    pub(super) fn of_io(folder: &Path, error: &io::Error) -> Self {
        if NotPlain::is_why(error) {
            return Self::NotPlain { folder: folder.display().to_string(), what: error.to_string() };
        }
        Self::unreadable(folder, error)
    }

    fn damaged(folder: &Path, what: impl Into<String>) -> Self {
        Self::Damaged { folder: folder.display().to_string(), what: what.into() }
    }

    fn of_sled(folder: &Path, error: &sled::Error) -> Self {
        let text = error.to_string();
        match error {
            sled::Error::Corruption { .. } => Self::damaged(folder, "its log cannot be read"),
            // sled has no kind of its own for this.
            sled::Error::Io(_) if text.contains("could not acquire lock") => {
                Self::Held { folder: folder.display().to_string() }
            }
            error if is_damage(error) => Self::damaged(folder, text),
            _ => Self::unreadable(folder, &text),
        }
    }

    fn of_read(folder: &Path, error: &ReadError) -> Self {
        match error {
            ReadError::Damaged { .. } => Self::damaged(folder, error.to_string()),
            _ => Self::unreadable(folder, error),
        }
    }
}

/// sled's own folder, in the store's.
pub(super) const EVENTS: &str = "events";

/// The folder of long blobs, in the store's.
pub(super) const BLOBS: &str = "blobs";

/// The folder of snapshots, in the store's.
pub(super) const SNAPSHOTS: &str = "snapshots";

/// The true path of a store's folder, which may be named by a link.
pub(super) fn true_path(folder: &Path) -> Result<PathBuf, OpenError> {
    files::true_path(folder).map_err(|error| OpenError::of_io(folder, &error))
}

/// sled's file, in its folder.
const DATA: &str = "db";

/// sled's settings, in its folder.
const SETTINGS: &str = "conf";

/// An opened store, and what was found in it.
pub(super) struct Opened {
    pub(super) db: Db,
    /// sled's data file, which the writer syncs.
    pub(super) file: File,
    /// The path of that file.
    pub(super) data_path: PathBuf,
    /// The number of its layout.
    pub(super) format: u64,
    pub(super) index: Index,
    /// The position of the last event.
    pub(super) last: Position,
    /// The position of the last event that there ever was: if it is beyond `last`, the
    /// events between are lost.
    pub(super) reached: Position,
    pub(super) mark: Mark,
    /// Whether `reached` is what the mark says.
    pub(super) marked: bool,
    /// The first damage among the commits that the index did not cover.
    pub(super) damage: Option<ReadError>,
}

/// Opens the tree, and brings index and read models in step with the commits.
pub(super) fn open(folder: &Path, options: &SledOptions) -> Result<Opened, OpenError> {
    open_events(folder, folder.join(EVENTS), options)
}

/// Opens the store in `folder`, with sled's own folder at `events`.
fn open_events(folder: &Path, events: PathBuf, options: &SledOptions) -> Result<Opened, OpenError> {
    let unreadable = |error: io::Error| OpenError::of_io(folder, &error);
    prepare_folders(folder, options.durability).map_err(unreadable)?;
    // sled opens its files by itself, through links too.
    files::check_all(&events).map_err(unreadable)?;
    let (mark, marked) = Mark::open(folder).map_err(unreadable)?;
    clear_unfinished(&events).map_err(unreadable)?;
    if let Some(long) = too_long(&events).map_err(unreadable)? {
        return Err(OpenError::damaged(
            folder,
            format!("its file `{long}` is too long to be what was written"),
        ));
    }
    // Recovery acts on what it reads, and what it reads may so far be in memory only.
    sync_files(&events, options.durability).map_err(unreadable)?;
    let db = open_tree(folder, &events, options)?;
    let format = check_format(folder, &db)?;
    let recovered = catch_unwind(AssertUnwindSafe(|| recover(&db)))
        .map_err(|_| OpenError::damaged(folder, "its file makes recovery panic"))?;
    let (index, last, damage) = recovered.map_err(|error| OpenError::of_read(folder, &error))?;
    // Recovery has written too: a new snapshot of sled's page table. It replaces parts of the file that sled
    // overwrites from now on, so its name must not be lost.
    db.flush().map_err(|error| OpenError::of_sled(folder, &error))?;
    sync_files(&events, options.durability).map_err(unreadable)?;
    // sled makes files that everybody may read.
    files::check_all(&events).map_err(unreadable)?;
    let data_path = events.join(DATA);
    let file = files::read(&data_path).map_err(unreadable)?;
    let lost = (marked > last).then(|| ReadError::Damaged {
        position: last.next(),
        what: format!("the events up to position {marked} are missing"),
    });
    let (reached, damage) = (last.max(marked), damage.or(lost));
    Ok(Opened {
        db,
        file,
        data_path,
        format,
        index,
        last,
        reached,
        mark,
        marked: marked > Position(0),
        damage,
    })
}

/// The folder, in the store's, into which a store is copied to see what of it can be read.
const SALVAGE: &str = "salvage";

/// Opens a copy of a store that sled does not open: without sled's snapshots, so that it reads its log from
/// the beginning up to where that is damaged, and without its settings, which sled makes anew. The copy is
/// removed when the second value is dropped.
pub(super) fn salvage(folder: &Path, options: &SledOptions) -> Result<(Opened, Salvage), OpenError> {
    let unreadable = |error: io::Error| OpenError::of_io(folder, &error);
    let copy = Salvage(folder.join(SALVAGE));
    let _ = fs::remove_dir_all(&copy.0);
    files::folder(&copy.0).map_err(unreadable)?;
    files::copy(&folder.join(EVENTS).join(DATA), &copy.0.join(DATA)).map_err(unreadable)?;
    let mut opened = open_events(folder, copy.0.clone(), options)?;
    // Without a mark it is not known how far the store came.
    let position = if opened.marked { Position(0) } else { opened.last.next() };
    let what = format!("the log is damaged; of its events all up to position {} can be read", opened.last);
    opened.damage.get_or_insert(ReadError::Damaged { position, what });
    Ok((opened, copy))
}

/// A copy of a store, which is removed when this is dropped.
#[derive(Debug)]
pub(super) struct Salvage(PathBuf);

impl Drop for Salvage {
    fn drop(&mut self) {
        // What is left behind is removed by the next salvage.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// How long a lock is waited for. When a handle is dropped, sled's threads may still hold a part of
/// it for a moment.
const HELD_PATIENCE: Duration = Duration::from_millis(250);

pub(super) fn open_tree(folder: &Path, events: &Path, options: &SledOptions) -> Result<Db, OpenError> {
    let config = || sled::Config::new().path(events).cache_capacity(options.cache_bytes).flush_every_ms(None);
    let start = Instant::now();
    loop {
        // sled panics on some damage.
        let opened = catch_unwind(AssertUnwindSafe(|| config().open()))
            .map_err(|_| OpenError::damaged(folder, "its file makes recovery panic"))?;
        match opened.map_err(|error| OpenError::of_sled(folder, &error)) {
            Err(OpenError::Held { .. }) if start.elapsed() < HELD_PATIENCE => {
                std::thread::sleep(Duration::from_millis(5));
            }
            opened => return opened,
        }
    }
}

/// Makes the folders that are missing. Those that exist are synced too: the process that made them
/// may have died before.
fn prepare_folders(folder: &Path, durability: Durability) -> io::Result<()> {
    let missing: Vec<_> = folder.ancestors().take_while(|ancestor| !ancestor.exists()).collect();
    files::folders(folder)?;
    for name in [EVENTS, BLOBS, SNAPSHOTS] {
        files::folder(&folder.join(name))?;
        files::tighten(&folder.join(name))?;
    }
    let made = missing.iter().filter_map(|made| made.parent());
    for synced in made.chain(folder.parent()).chain([folder, &folder.join(BLOBS)]) {
        sync(if synced.as_os_str().is_empty() { Path::new(".") } else { synced }, durability)?;
    }
    Ok(())
}

/// Removes what a process that was killed had begun to write, and what sled 0.34 would take for whole: a
/// snapshot of its page table before it has its name (sled looks for `snap.*`, this one among them), and the
/// settings of a store that does not exist yet, which are not written in one piece.
fn clear_unfinished(events: &Path) -> io::Result<()> {
    let data = events.join(DATA);
    if !data.exists() {
        return match fs::remove_file(events.join(SETTINGS)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
    }
    let file = File::open(data)?;
    // Held by a process that lives, nothing of it is left over.
    if file.try_lock().is_err() {
        return Ok(());
    }
    for entry in fs::read_dir(events)? {
        let path = entry?.path();
        if path.extension().is_some_and(|kind| kind == "generating") {
            fs::remove_file(path)?;
        }
    }
    file.unlock()
}

/// The name of a file beside sled's data that is longer than sled would ever make it: sled reads
/// those whole into memory.
fn too_long(events: &Path) -> io::Result<Option<String>> {
    /// Far more than the settings and the page table of a small store take, in bytes.
    const ALWAYS_BYTES: u64 = 1024 * 1024;
    let data_bytes = match fs::metadata(events.join(DATA)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        metadata => metadata?.len(),
    };
    for entry in fs::read_dir(events)? {
        let entry = entry?;
        let name = entry.file_name();
        if name != DATA && entry.metadata()?.len() > data_bytes.max(ALWAYS_BYTES) {
            return Ok(Some(name.to_string_lossy().into_owned()));
        }
    }
    Ok(None)
}

/// Syncs the files of sled's folder, then their names.
fn sync_files(events: &Path, durability: Durability) -> io::Result<()> {
    for entry in fs::read_dir(events)? {
        let path = entry?.path();
        sync(&path, durability)?;
    }
    sync(events, durability)
}

fn sync(path: &Path, durability: Durability) -> io::Result<()> {
    match durability {
        Durability::Power => File::open(path)?.sync_all(),
        Durability::Process => Ok(()),
    }
}

/// Writes the number of the layout into a new store, or checks the one that is there; answers it.
fn check_format(folder: &Path, db: &Db) -> Result<u64, OpenError> {
    let found = db.get(FORMAT).map_err(|error| OpenError::of_sled(folder, &error))?;
    let Some(found) = found else {
        let first = db.iter().next().transpose().map_err(|error| OpenError::of_sled(folder, &error))?;
        if first.is_some() {
            return Err(OpenError::damaged(folder, "it does not say what format it has"));
        }
        db.insert(FORMAT, layout::number(FIRST_FORMAT_NUMBER))
            .map_err(|error| OpenError::of_sled(folder, &error))?;
        return Ok(FIRST_FORMAT_NUMBER);
    };
    match layout::read_number(&found) {
        Some(format @ FIRST_FORMAT_NUMBER..=FORMAT_NUMBER) => Ok(format),
        Some(format) => Err(OpenError::UnknownFormat { folder: folder.display().to_string(), format }),
        None => Err(OpenError::damaged(folder, "its format is no number")),
    }
}

/// Brings index and read models in step with the commits.
fn recover(db: &Db) -> Result<(Index, Position, Option<ReadError>), ReadError> {
    let mut indexed = Position(saved_number(db, INDEXED)?);
    if indexed > last_position(db)? {
        // The commits that it knew are gone. What an index says of others cannot be told apart from that.
        remove(db, INDEX)?;
        indexed = Position(0);
    }
    let mut index = Index::of(db);
    let (last, damage) = catch_up(db, &mut index, indexed)?;
    drop_views_beyond(db, last)?;
    Ok((index, last, damage))
}

fn saved_number(db: &Db, key: &[u8]) -> Result<u64, ReadError> {
    let value = db.get(key).map_err(|error| read_error(&error))?;
    Ok(value.and_then(|value| layout::read_number(&value)).unwrap_or(0))
}

/// The position of the last event; if its commit cannot be read, of that commit's first event.
fn last_position(db: &Db) -> Result<Position, ReadError> {
    let Some(newest) = key_at(db, Position(u64::MAX))? else { return Ok(Position(0)) };
    let mut last = newest;
    for raw in Commits::between(db, newest, Position(u64::MAX))? {
        let raw = raw?;
        last = raw.read().map_or(raw.position, |commit| Position(raw.position.0 + commit.count() - 1));
    }
    Ok(last)
}

/// Adds to the index the commits after a position; answers the position of the last event,
/// and the first damage.
fn catch_up(
    db: &Db,
    index: &mut Index,
    indexed: Position,
) -> Result<(Position, Option<ReadError>), ReadError> {
    let (mut last, mut damage) = (indexed, None);
    for raw in Commits::between(db, indexed.next(), Position(u64::MAX))? {
        let raw = raw?;
        // How far a long commit goes is only known when it is read.
        if raw.position <= indexed {
            continue;
        }
        if raw.position != last.next() && damage.is_none() {
            let what = "the events before it are missing".to_owned();
            damage = Some(ReadError::Damaged { position: raw.position, what });
        }
        last = raw.position;
        match raw.decode() {
            Ok(commit) => {
                // A checkpoint that was not finished saved some streams further than all: saving clips.
                let (first, position, count) = (commit.header.first, raw.position, commit.count());
                index.add(&commit.header.stream, Extent { first, position, count }, commit.last_hash());
                last = Position(position.0 + count - 1);
            }
            Err(error) => damage = damage.or(Some(error)),
        }
    }
    Ok((last, damage))
}

/// Drops read models that were folded from events which are not there.
fn drop_views_beyond(db: &Db, last: Position) -> Result<(), ReadError> {
    for entry in db.scan_prefix(VIEW_POSITIONS) {
        let (key, value) = entry.map_err(|error| read_error(&error))?;
        if layout::read_number(&value).is_none_or(|position| position > last.0) {
            remove(db, &layout::view_prefix(key.strip_prefix(VIEW_POSITIONS).unwrap_or_default()))?;
            db.remove(&key).map_err(|error| read_error(&error))?;
        }
    }
    Ok(())
}

/// Removes all keys with that prefix.
fn remove(db: &Db, prefix: &[u8]) -> Result<(), ReadError> {
    /// How many keys are removed at once: a batch is held in memory.
    const KEYS_MAX: usize = 4096;
    loop {
        let keys: Result<Vec<_>, _> = db.scan_prefix(prefix).keys().take(KEYS_MAX).collect();
        let keys = keys.map_err(|error| read_error(&error))?;
        if keys.is_empty() {
            return Ok(());
        }
        let mut batch = Batch::default();
        keys.into_iter().for_each(|key| batch.remove(key));
        db.apply_batch(batch).map_err(|error| read_error(&error))?;
    }
}
