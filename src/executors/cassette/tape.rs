//! The file of a cassette: JSON documents one after the other, a head and an attempt each. What is added is added at its end, so that
//! whoever is killed leaves what was whole.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::value::RawValue;
use serde_json::{Deserializer, Value};

use super::answer::{Head, Kept, Place};
use super::layout::indented;
use super::request::Request;
use crate::events::ids::Hash;
use crate::events::json::Json;
use crate::events::problem::{Code, Problem};
use crate::text_file::{self, Kind};

/// The version of the format that is written. Others are refused: what they mean is not known.
const VERSION: u32 = 1;

/// A cassette that is played.
#[derive(Debug)]
pub(super) struct Tape {
    kept: Vec<Kept>,
    /// Where those stand that were asked the same.
    by_key: HashMap<Hash, Vec<usize>>,
}

impl Tape {
    /// Reads a cassette.
    ///
    /// # Errors
    /// [`Code::NoCassette`], [`Code::BadCassette`], [`Code::CassetteVersion`], [`Code::FileNotRead`] and [`Code::TooLarge`].
    pub(super) fn read(file: &Path) -> Result<Self, Problem> {
        let shown = file.display().to_string();
        if !file.exists() {
            return Err(Problem::new(Code::NoCassette, format!("there is no cassette `{shown}`")));
        }
        let text = text_file::read(file, &shown, Kind::Cassette)?;
        let mut documents = Deserializer::from_str(&text).into_iter::<Box<RawValue>>();
        head(documents.next(), &shown)?;
        let mut kept: Vec<Kept> = Vec::new();
        let mut places: HashMap<(Hash, Place), usize> = HashMap::new();
        loop {
            let begins = documents.byte_offset();
            let Some(document) = documents.next() else { break };
            let document = document.map_err(|error| bad(&shown, &error))?;
            let entry = Kept::read(document.get()).map_err(|error| {
                let (line, column) = place_of_next(&text, begins);
                let message = format!("the cassette `{shown}` holds what is no answer: {error}");
                Problem::new(Code::BadCassette, message).at(&shown, line, column)
            })?;
            // An attempt that was made again after a crash was answered again.
            match places.get(&(entry.request.key, entry.place.clone())).and_then(|at| kept.get_mut(*at)) {
                Some(before) => *before = entry,
                None => {
                    places.insert((entry.request.key, entry.place.clone()), kept.len());
                    kept.push(entry);
                }
            }
        }
        let mut by_key: HashMap<Hash, Vec<usize>> = HashMap::new();
        for (at, entry) in kept.iter().enumerate() {
            by_key.entry(entry.request.key).or_default().push(at);
        }
        Ok(Self { kept, by_key })
    }

    /// All attempts that it holds.
    pub(super) fn kept(&self) -> &[Kept] {
        &self.kept
    }

    /// Those that were asked the same.
    pub(super) fn same<'a>(&'a self, request: &Request) -> impl Iterator<Item = &'a Kept> + use<'a> {
        let places = self.by_key.get(&request.key).map(Vec::as_slice).unwrap_or_default();
        places.iter().filter_map(|at| self.kept.get(*at))
    }

    /// The attempt that was asked the same at this place. Where the step has another name, it is the one whose turn it is.
    pub(super) fn find(&self, request: &Request, place: &Place) -> Option<&Kept> {
        if let Some(found) = self.same(request).find(|kept| kept.place == *place) {
            return Some(found);
        }
        let is_known = self.same(request).any(|kept| kept.place.is_of_step(place));
        let nth = usize::try_from(place.attempt).ok()?.checked_sub(1)?;
        self.same(request).nth(nth).filter(|_| !is_known)
    }
}

/// A cassette that is recorded.
#[derive(Debug)]
pub(super) struct Recorder {
    file: PathBuf,
    open: Mutex<Open>,
}

#[derive(Debug)]
struct Open {
    /// Locked, so that no other process adds to it, and at its end.
    file: File,
    take: Arc<str>,
    bytes: usize,
}

impl Recorder {
    /// Goes on with the recording of that name, or begins it. What another has recorded there is replaced.
    ///
    /// # Errors
    /// [`Code::NotRecorded`] when it cannot be written, or another process adds to it; what [`check_recordable`] says.
    pub(super) fn open(file: &Path, take: &Arc<str>) -> Result<Self, Problem> {
        let open = Open::of(file, take)?;
        Ok(Self { file: file.to_path_buf(), open: Mutex::new(open) })
    }

    /// Begins another recording, if it is not that one.
    ///
    /// # Errors
    /// The same as those of [`Recorder::open`].
    pub(super) fn be_of(&self, take: &Arc<str>) -> Result<(), Problem> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.take != *take {
            *open = Open::begin(&self.file, take)?;
        }
        Ok(())
    }

    /// Adds an attempt of the recording of that name.
    ///
    /// # Errors
    /// [`Code::NotRecorded`] when it cannot be written, or another recording has taken its place; [`Code::TooLarge`].
    pub(super) fn add(&self, take: &Arc<str>, entry: &str) -> Result<(), Problem> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let shown = self.file.display();
        if open.take != *take {
            let message = format!("the cassette `{shown}` is another run's by now");
            return Err(Problem::new(Code::NotRecorded, message));
        }
        let text = format!("{entry}\n");
        let (bytes, max) = (open.bytes + text.len(), Kind::Cassette.bytes_max());
        if bytes > max {
            let message =
                format!("the cassette `{shown}` would have {bytes} bytes, and no more than {max} are read");
            return Err(Problem::new(Code::TooLarge, message));
        }
        // One call: a process that is killed has written all of it, or none.
        open.file.write_all(text.as_bytes()).map_err(|error| not_written(&self.file, &error))?;
        open.bytes = bytes;
        Ok(())
    }
}

impl Open {
    fn of(path: &Path, take: &Arc<str>) -> Result<Self, Problem> {
        match OpenOptions::new().read(true).append(true).open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::begin(path, take),
            Err(error) => Err(not_written(path, &error)),
            Ok(mut file) => {
                lock(&file, path)?;
                let (shown, mut bytes) = (path.display().to_string(), Vec::new());
                file.read_to_end(&mut bytes).map_err(|error| not_written(path, &error))?;
                match whole(&bytes, &shown)? {
                    Some(Whole { head, bytes, damage }) if head.run == *take => {
                        if let Some(damage) = damage {
                            return Err(damage);
                        }
                        // Who was killed may have left a part of an answer.
                        file.set_len(bytes as u64).map_err(|error| not_written(path, &error))?;
                        Ok(Self { file, take: Arc::clone(take), bytes })
                    }
                    _ => Self::begin(path, take),
                }
            }
        }
    }

    /// Begins a recording: the file is there with its head, or what was there before.
    fn begin(path: &Path, take: &Arc<str>) -> Result<Self, Problem> {
        let failed = |error: io::Error| not_written(path, &error);
        let head = Json::of(&Head { version: VERSION, run: Arc::clone(take) }).unwrap_or_default();
        let text = format!("{}\n", indented(head.text()));
        let mut beside = path.as_os_str().to_owned();
        beside.push(format!(".{}.new", std::process::id()));
        let beside = PathBuf::from(beside);
        let begin = || {
            let mut file = OpenOptions::new().create(true).truncate(true).write(true).open(&beside)?;
            file.write_all(text.as_bytes())?;
            file.sync_data()?;
            let file = OpenOptions::new().append(true).open(&beside)?;
            file.try_lock().map_err(io::Error::from)?;
            fs::rename(&beside, path)?;
            Ok(file)
        };
        let file = begin().inspect_err(|_| drop(fs::remove_file(&beside))).map_err(failed)?;
        Ok(Self { file, take: Arc::clone(take), bytes: text.len() })
    }
}

/// Whether something may be recorded there: a cassette may be replaced, and nothing else.
///
/// # Errors
/// [`Code::NotRecorded`] where there is no such folder, [`Code::BadCassette`] and [`Code::CassetteVersion`].
pub(super) fn check_recordable(file: &Path) -> Result<(), Problem> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    if folder.is_some_and(|folder| !folder.is_dir()) {
        let message = format!("the cassette `{}` would lie in a folder that is not there", file.display());
        return Err(Problem::new(Code::NotRecorded, message));
    }
    match fs::read(file) {
        Ok(bytes) => whole(&bytes, &file.display().to_string()).map(drop),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(not_written(file, &error)),
    }
}

/// What of a cassette is whole.
struct Whole {
    head: Head,
    /// How many of its bytes are whole documents, from its beginning.
    bytes: usize,
    /// What follows, if that is no beginning of a document.
    damage: Option<Problem>,
}

/// What is whole of a cassette, be it cut short or damaged; none of an empty file.
fn whole(bytes: &[u8], shown: &str) -> Result<Option<Whole>, Problem> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    let mut documents = Deserializer::from_slice(bytes).into_iter::<Box<RawValue>>();
    let head = head(documents.next(), shown)?;
    let mut whole = documents.byte_offset();
    let mut damage = None;
    while let Some(document) = documents.next() {
        match document {
            Ok(_) => whole = documents.byte_offset(),
            Err(error) => {
                damage = (!error.is_eof()).then(|| bad(shown, &error));
                break;
            }
        }
    }
    // The line of the last one ends there.
    whole += usize::from(bytes.get(whole) == Some(&b'\n'));
    Ok(Some(Whole { head, bytes: whole, damage }))
}

fn head(document: Option<serde_json::Result<Box<RawValue>>>, shown: &str) -> Result<Head, Problem> {
    let empty =
        || Problem::new(Code::BadCassette, format!("`{shown}` is no cassette: it is empty")).at(shown, 1, 1);
    let document = document.ok_or_else(empty)?.map_err(|error| bad(shown, &error))?;
    let value: Value = serde_json::from_str(document.get()).unwrap_or_default();
    match value.get("cassette").and_then(Value::as_u64) {
        Some(version) if version == u64::from(VERSION) => {
            serde_json::from_str(document.get()).map_err(|error| bad(shown, &error))
        }
        Some(version) => {
            let message =
                format!("the cassette `{shown}` is of version {version}, and this program reads {VERSION}");
            Err(Problem::new(Code::CassetteVersion, message).at(shown, 1, 1))
        }
        None => {
            let message = format!("`{shown}` is no cassette: it does not begin with the head of one");
            Err(Problem::new(Code::BadCassette, message).at(shown, 1, 1))
        }
    }
}

fn bad(shown: &str, error: &serde_json::Error) -> Problem {
    let what = if error.is_eof() { "is cut short" } else { "is no JSON" };
    let message = format!("the cassette `{shown}` {what}: {error}");
    let (line, column) = (error.line().max(1) as u64, error.column().max(1) as u64);
    Problem::new(Code::BadCassette, message).at(shown, line, column)
}

fn not_written(path: &Path, error: &io::Error) -> Problem {
    Problem::new(Code::NotRecorded, format!("the cassette `{}` cannot be written: {error}", path.display()))
}

fn lock(file: &File, path: &Path) -> Result<(), Problem> {
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let message = format!("another process records into the cassette `{}`", path.display());
            return Err(Problem::new(Code::NotRecorded, message));
        }
        Err(TryLockError::Error(error)) => return Err(not_written(path, &error)),
    }
    // Whoever had it may have put another in its place meanwhile.
    let is_there = |path: &Path| Ok::<_, io::Error>(fs::metadata(path)?.ino() == file.metadata()?.ino());
    match is_there(path) {
        Ok(true) => Ok(()),
        _ => Err(Problem::new(Code::NotRecorded, format!("the cassette `{}` was replaced", path.display()))),
    }
}

/// Line and column, from 1, of the first byte from there on that is no white space.
fn place_of_next(text: &str, from: usize) -> (u64, u64) {
    let rest = text.get(from..).unwrap_or_default();
    let at = text.len() - rest.trim_start().len();
    let before = text.get(..at).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line as u64, column as u64)
}
