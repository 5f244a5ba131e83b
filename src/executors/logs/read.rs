//! Reads the logs of a run: what is there, by its times, and what comes, again and again. It needs no store, no lock and
//! nobody's leave: whoever may read the data folder can follow a run of another process.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashSet, VecDeque};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::line::{self, Ended, Entry, FORMAT, Head, LINE_BYTES_MAX, Stream};
use super::{Speaker, file_name, folder, old_name, step_name};
use crate::events::ids::{RunId, StepId};
use crate::events::run::Purpose;
use crate::events::time::Timestamp;
use crate::files;

/// A line that does not end is told in parts, each so long at least.
const TOLD_BYTES_MAX: usize = 64 * 1024;

/// Far more than lies between two moments that a file system tells apart: a tick of the kernel's clock, 10 ms at most.
const TICK: Duration = Duration::from_millis(50);

/// Which logs of a run are read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Which {
    /// Only of this step.
    pub step: Option<StepId>,
    /// Only of attempts for this.
    pub purpose: Option<Purpose>,
    /// Only of attempts with this number.
    pub attempt: Option<u32>,
}

impl Which {
    /// Whether it means an attempt.
    pub fn means(&self, step: &StepId, purpose: Purpose, attempt: u32) -> bool {
        self.step.as_ref().is_none_or(|wanted| wanted == step)
            && self.purpose.is_none_or(|wanted| wanted == purpose)
            && self.attempt.is_none_or(|wanted| wanted == attempt)
    }
}

/// Something read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// A line that a program wrote, without its end; or a part of one that is very long, or that never ended.
    Line {
        /// When the last of it came.
        at: Timestamp,
        /// Where it wrote it.
        stream: Stream,
        /// What it wrote.
        text: Vec<u8>,
    },
    /// So many bytes that came here are not kept.
    LeftOut(u64),
    /// So many lines of the log are no lines of a log.
    Damaged(u64),
    /// How the attempt ended.
    Ended(Ended),
}

/// What a reader tells of.
pub type Teller<'t> = dyn FnMut(&Arc<Head>, Told) + 't;

/// Reads the logs of one run.
#[derive(Debug)]
pub struct Reader {
    folder: PathBuf,
    which: Which,
    /// When something came into the folder, or left it, as far as it was looked.
    looked: Option<SystemTime>,
    /// By the names of their files.
    logs: BTreeMap<String, Log>,
    /// The names of files that are not meant.
    others: HashSet<String>,
}

/// One log, as far as it was read.
#[derive(Debug, Default)]
struct Log {
    /// None before the first of its lines was read.
    head: Option<Arc<Head>>,
    /// The number that the file system gave to the file, and where in it reading goes on.
    at: Option<(u64, u64)>,
    /// How many bytes the program had written by there.
    said: u64,
    /// What there is of a line that has not ended, for stdout and for stderr.
    open: [Vec<u8>; 2],
    damaged: u64,
    /// What it says, where that is known from elsewhere.
    given: VecDeque<(Timestamp, Entry)>,
    /// Whether nothing will come any more.
    is_over: bool,
}

/// A log while it is read.
struct Open {
    name: String,
    log: Log,
    /// What of it is not read yet, and from where on, the oldest last.
    files: Vec<(BufReader<File>, u64)>,
    inode: u64,
    /// How much of the newest is read this time: what is written meanwhile comes next time.
    length: u64,
    next: Option<(Timestamp, Entry)>,
}

impl Reader {
    /// Reads the logs of a run, which are in a folder with a folder for each run.
    pub fn new(runs: &Path, run: &RunId, which: Which) -> Self {
        Self { folder: folder(runs, run), which, looked: None, logs: BTreeMap::new(), others: HashSet::new() }
    }

    /// Adds a log that is not kept as a file, of which all is known. It is told among the others, by its times.
    pub fn add(&mut self, at: Timestamp, head: Head, says: impl IntoIterator<Item = (Timestamp, Entry)>) {
        let name = file_name(&head.speaker.step, head.speaker.purpose, head.speaker.attempt);
        let given = std::iter::once((at, Entry::Head(head))).chain(says).collect();
        self.logs.entry(name).or_insert_with(|| Log { given, ..Log::default() });
    }

    /// Tells what came since it was read last, by its times.
    ///
    /// # Errors
    /// When the folder cannot be read. That there is none is no error: nothing was said.
    pub fn pass(&mut self, tell: &mut Teller<'_>) -> io::Result<()> {
        self.read(false, tell)
    }

    /// Tells the rest, as nothing more will come: lines that never ended, too, and what could not be read. After it nothing is
    /// told again.
    ///
    /// # Errors
    /// As for [`Reader::pass`].
    pub fn last(&mut self, tell: &mut Teller<'_>) -> io::Result<()> {
        let read = self.read(true, tell);
        for (name, log) in &mut self.logs {
            log.finish(&self.folder.join(name), tell);
        }
        read
    }

    fn read(&mut self, is_last: bool, tell: &mut Teller<'_>) -> io::Result<()> {
        let looked = self.look();
        let mut due: BinaryHeap<Reverse<(Timestamp, String)>> = BinaryHeap::new();
        for (name, log) in self.logs.iter().filter(|(_, log)| !log.is_over) {
            // One that was never read is opened for a moment, to see when it begins: there may be more than can be open.
            let begins = match log.head {
                Some(_) => Some(Timestamp(i64::MIN)),
                None if !log.given.is_empty() => log.given.front().map(|(at, _)| *at),
                None => self.first(name).map(|(at, _)| at),
            };
            due.extend(begins.map(|at| Reverse((at, name.clone()))));
        }
        let mut open: BTreeMap<String, Open> = BTreeMap::new();
        while let Some(Reverse((_, name))) = due.pop() {
            let mut one = match open.remove(&name) {
                Some(one) => one,
                None => match self.open(&name) {
                    Some(one) => one,
                    None => continue,
                },
            };
            if let Some((at, entry)) = one.next.take() {
                one.log.take(at, entry, tell);
            }
            one.advance();
            match &one.next {
                Some((at, _)) => {
                    due.push(Reverse((*at, name.clone())));
                    open.insert(name, one);
                }
                None => {
                    if is_last {
                        one.log.finish(&self.folder.join(&name), tell);
                    }
                    self.logs.insert(name, one.log);
                }
            }
        }
        looked
    }

    /// Finds the logs that are there.
    fn look(&mut self) -> io::Result<()> {
        let above = self.folder.parent().into_iter();
        let folders = above.clone().filter_map(Path::parent).chain(above).chain([self.folder.as_path()]);
        let there: io::Result<()> = folders.into_iter().try_for_each(files::is_folder);
        match there.and_then(|()| fs::symlink_metadata(&self.folder)?.modified()) {
            Ok(modified) if self.looked == Some(modified) => return Ok(()),
            // A file system tells moments apart that are some milliseconds apart: what comes in the same one must not be missed.
            Ok(modified) => {
                self.looked = Some(modified).filter(|at| at.elapsed().is_ok_and(|ago| ago > TICK))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        }
        // Whatever the file's name, its first line says whose log it is; the name only spares looking.
        let begins = self.which.step.as_ref().map(|step| format!("{}.", step_name(step)));
        for entry in fs::read_dir(&self.folder)? {
            let Ok(name) = entry?.file_name().into_string() else { continue };
            let is_meant = begins.as_ref().is_none_or(|begins| name.starts_with(begins));
            let is_known = self.logs.contains_key(&name) || self.others.contains(&name);
            if !is_meant || !name.ends_with(".log") || is_known {
                continue;
            }
            match self.first(&name) {
                Some((_, head)) if head.format == FORMAT && self.is_meant(&name, &head) => {
                    self.logs.insert(name, Log::default());
                }
                // It has just been made, and has no first line yet: it is looked at again.
                None => self.looked = None,
                Some(_) => drop(self.others.insert(name)),
            }
        }
        Ok(())
    }

    fn is_meant(&self, name: &str, head: &Head) -> bool {
        let Speaker { step, purpose, attempt, .. } = &head.speaker;
        self.which.means(step, *purpose, *attempt) && file_name(step, *purpose, *attempt) == name
    }

    /// When a log begins, and whose it is, as its newest file says.
    fn first(&self, name: &str) -> Option<(Timestamp, Head)> {
        let mut file = BufReader::new(files::read(&self.folder.join(name)).ok()?);
        match next_line(&mut file).ok()?.as_deref().and_then(line::read)? {
            (at, Entry::Head(head)) => Some((at, head)),
            _ => None,
        }
    }

    /// Opens what of a log is not read yet; none if nothing came.
    fn open(&mut self, name: &str) -> Option<Open> {
        let path = self.folder.join(name);
        let known = self.logs.get(name)?;
        if !known.given.is_empty() {
            let log = self.logs.get_mut(name).map(std::mem::take)?;
            return Some(Open {
                name: name.to_owned(),
                log,
                files: Vec::new(),
                inode: 0,
                length: 0,
                next: None,
            });
        }
        if let (Some((inode, at)), Ok(found)) = (known.at, fs::symlink_metadata(&path))
            && found.ino() == inode
            && found.len() <= at
        {
            return None;
        }
        let numbered = |path: &Path| {
            let file = files::read(path).ok()?;
            let inode = file.metadata().ok()?.ino();
            Some((file, inode))
        };
        let now = numbered(&path)?;
        let length = now.0.metadata().ok()?.len();
        let old = numbered(&self.folder.join(old_name(name))).filter(|(_, inode)| *inode != now.1);
        let newest = now.1;
        let mut rest = match known.at {
            Some((inode, at)) if inode == newest => vec![(now, at)],
            Some((inode, at)) => {
                let skip = old.as_ref().filter(|(_, other)| *other == inode).map_or(0, |_| at);
                old.map(|old| (old, skip)).into_iter().chain([(now, 0)]).collect()
            }
            None => old.map(|old| (old, 0)).into_iter().chain([(now, 0)]).collect::<Vec<_>>(),
        };
        rest.reverse();
        let files = rest.into_iter().filter_map(|((mut file, _), at)| {
            file.seek(SeekFrom::Start(at)).ok()?;
            Some((BufReader::new(file), at))
        });
        let files = files.collect();
        let log = self.logs.get_mut(name).map(std::mem::take)?;
        Some(Open { name: name.to_owned(), log, files, inode: newest, length, next: None })
    }
}

impl Open {
    /// Reads the next line that says something.
    fn advance(&mut self) {
        self.next = self.log.given.pop_front();
        while self.next.is_none() {
            let (is_newest, inode) = (self.files.len() == 1, self.inode);
            let Some((file, at)) = self.files.last_mut() else { return };
            if is_newest && *at >= self.length {
                return;
            }
            match next_line(file) {
                Ok(Some(text)) => {
                    *at += text.len() as u64 + 1;
                    if is_newest {
                        self.log.at = Some((inode, *at));
                    }
                    match line::read(&text) {
                        Some(next) => self.next = Some(next),
                        None if text.is_empty() => {}
                        None => self.log.damaged += 1,
                    }
                }
                Ok(None) if !is_newest => drop(self.files.pop()),
                // A line that is not written to its end yet is read again; what cannot be read now may be later.
                Ok(None) => return,
                Err(error) => {
                    tracing::debug!(log = self.name, %error, "a log cannot be read");
                    return;
                }
            }
        }
    }
}

impl Log {
    /// Tells what a line says.
    fn take(&mut self, at: Timestamp, entry: Entry, tell: &mut Teller<'_>) {
        if let Entry::Head(head) = entry {
            let head = self.head.insert(Arc::new(head));
            if head.before > self.said {
                tell(head, Told::LeftOut(head.before - self.said));
            }
            self.said = self.said.max(head.before);
            return;
        }
        let Some(head) = &self.head else { return };
        match entry {
            Entry::Said { stream, mut text, ends } => {
                self.said += text.len() as u64 + u64::from(ends);
                let [out, err] = &mut self.open;
                let open = if stream == Stream::Stdout { out } else { err };
                open.append(&mut text);
                if ends || open.len() >= TOLD_BYTES_MAX {
                    tell(head, Told::Line { at, stream, text: std::mem::take(open) });
                }
            }
            Entry::Cut(bytes) => {
                self.said += bytes;
                tell(head, Told::LeftOut(bytes));
            }
            Entry::Ended(ended) => {
                self.close(at, tell);
                self.is_over = true;
                if let Some(head) = &self.head {
                    tell(head, Told::Ended(ended));
                }
            }
            Entry::Head(_) => {}
        }
    }

    /// Tells what never ended.
    fn close(&mut self, at: Timestamp, tell: &mut Teller<'_>) {
        let Some(head) = &self.head else { return };
        for (stream, text) in [Stream::Stdout, Stream::Stderr].into_iter().zip(&mut self.open) {
            if !text.is_empty() {
                tell(head, Told::Line { at, stream, text: std::mem::take(text) });
            }
        }
        if self.damaged > 0 {
            tell(head, Told::Damaged(std::mem::take(&mut self.damaged)));
        }
    }

    /// Tells what is left of a log to which nothing is added any more. A process that was killed may have been about to write
    /// a line.
    fn finish(&mut self, path: &Path, tell: &mut Teller<'_>) {
        if self.is_over || self.head.is_none() {
            return;
        }
        let mut last = Timestamp(0);
        if let Some((at, entry)) = self.torn(path).as_deref().and_then(line::read) {
            last = at;
            self.take(at, entry, tell);
        }
        self.close(last, tell);
        self.is_over = true;
    }

    /// What stands behind the last whole line.
    fn torn(&self, path: &Path) -> Option<Vec<u8>> {
        let (inode, at) = self.at?;
        let mut file =
            files::read(path).ok().filter(|file| file.metadata().is_ok_and(|is| is.ino() == inode))?;
        file.seek(SeekFrom::Start(at)).ok()?;
        let mut text = Vec::new();
        file.take(LINE_BYTES_MAX as u64).read_to_end(&mut text).ok()?;
        text.split(|byte| *byte == b'\n').next().map(<[u8]>::to_vec)
    }
}

/// The next line, without its end; none if it does not end yet. What is longer than any line of a log is passed over in
/// pieces, none of which is one.
fn next_line(file: &mut BufReader<File>) -> io::Result<Option<Vec<u8>>> {
    let mut text = Vec::new();
    let taken = file.take(LINE_BYTES_MAX as u64).read_until(b'\n', &mut text)?;
    if text.last() == Some(&b'\n') {
        text.pop();
        return Ok(Some(text));
    }
    if taken < LINE_BYTES_MAX {
        let back = i64::try_from(taken).unwrap_or(0);
        file.seek_relative(-back)?;
        return Ok(None);
    }
    // Its end counts as one more byte, which is not there: one byte is read again.
    text.pop();
    file.seek_relative(-1)?;
    Ok(Some(text))
}
