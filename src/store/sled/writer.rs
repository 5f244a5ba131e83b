//! The one thread that writes. It takes all requests that are queued, writes them as one batch, syncs once,
//! and answers all of them. While it syncs, the next group gathers in the queue.

use std::collections::HashMap;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;

use sled::{Batch, Db, IVec};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use super::Durability;
use super::index::{self, Extent};
use super::layout;
use super::mark::{Mark, is_in_place};
use super::pack::{Encoded, Packer};
use super::shared::{PANICKED, Shared, lock};
use super::writes::Writes;
use crate::events::ids::{Hash, Position, StreamId, Version};
use crate::store::{AppendError, Appended, ReadError, ViewChange};

/// How many requests wait at most. More wait in `append`.
pub(super) const QUEUE_MAX: usize = 1024;

/// How many streams of the index are saved at least each time.
const SAVED_STREAMS_MIN: usize = 64;

/// Why nothing that was written is acknowledged: nobody who opens the store would find it.
const GONE: &str = "the store's folder was removed, or is another by now";

/// A commit, as the task that appends it encoded it.
#[derive(Debug)]
pub(super) struct NewCommit {
    pub(super) stream: StreamId,
    pub(super) first: Version,
    /// The number of its events.
    pub(super) count: u64,
    /// The hash of its last event.
    pub(super) hash: Hash,
    /// The number of the layout that the store has from this commit on, if it had an older one.
    pub(super) format: u64,
    pub(super) bytes: Encoded,
    /// The blobs that are stored in the tree with it.
    pub(super) blobs: Vec<(Hash, Vec<IVec>)>,
    pub(super) answer: oneshot::Sender<Result<Appended, AppendError>>,
    /// The share of the queue's room that a big commit holds until it is answered.
    pub(super) room: Option<OwnedSemaphorePermit>,
}

/// Changed rows of a read model.
#[derive(Debug)]
pub(super) struct NewView {
    pub(super) view: &'static str,
    pub(super) position: Position,
    pub(super) rows: Vec<ViewChange>,
    pub(super) answer: oneshot::Sender<Result<(), AppendError>>,
}

/// How much of what waits is written before it is synced, in bytes. Until then a crash may leave any part of it on the disk;
/// sled opens what lies in no more than two segments of its log, of 512 KiB each, whichever part that is. What is longer by
/// itself is written alone.
const GROUP_BYTES_MAX: usize = 256 * 1024;

/// What the writer is asked for.
#[derive(Debug)]
pub(super) enum WriterMessage {
    Commit(NewCommit),
    View(NewView),
    Close(oneshot::Sender<Result<(), AppendError>>),
}

/// A commit of the current group.
struct Accepted {
    stream: StreamId,
    extent: Extent,
    hash: Hash,
    answer: oneshot::Sender<Result<Appended, AppendError>>,
    _room: Option<OwnedSemaphorePermit>,
}

/// The writes that one batch takes together, and those who wait for it.
#[derive(Default)]
struct Group {
    writes: Writes,
    packer: Packer,
    accepted: Vec<Accepted>,
    views: Vec<oneshot::Sender<Result<(), AppendError>>>,
    /// Requests that are refused. They are answered with the others: the commit that won a conflict must
    /// be readable by then.
    refused: Vec<(oneshot::Sender<Result<Appended, AppendError>>, AppendError)>,
    /// The versions that the streams of the group have after it.
    heads: HashMap<StreamId, Version>,
    /// The number of the layout that the store has from this group on, if it is a new one.
    format: Option<u64>,
    close: Option<oneshot::Sender<Result<(), AppendError>>>,
}

/// The streams that are still to be saved before the index is saved up to a position.
struct Checkpoint {
    upto: Position,
    streams: Vec<StreamId>,
}

/// What the writer writes to beside sled.
pub(super) struct Files {
    /// sled's file: sled itself does not sync it.
    pub(super) data: File,
    /// The path of that file.
    pub(super) data_path: PathBuf,
    /// Says how far the store has come.
    pub(super) mark: Mark,
}

/// The writer's own state.
pub(super) struct Writer {
    pub(super) shared: Arc<Shared>,
    pub(super) db: Db,
    pub(super) files: Files,
    /// The position of the last event in the tree.
    pub(super) last: Position,
    /// The number of the store's layout.
    pub(super) format: u64,
    pub(super) checkpoint_commits: usize,
    checkpoint: Option<Checkpoint>,
}

/// How many of these requests are written together: one at least.
fn next_group(requests: &[WriterMessage]) -> usize {
    let mut bytes = 0;
    let fits = |request: &&WriterMessage| {
        bytes += request.bytes();
        bytes <= GROUP_BYTES_MAX
    };
    requests.iter().take_while(fits).count().max(1)
}

impl WriterMessage {
    /// How much it has written, in bytes, without what the tree adds.
    fn bytes(&self) -> usize {
        match self {
            Self::Commit(commit) => {
                let parts = commit.blobs.iter().flat_map(|(_, parts)| parts);
                commit.bytes.len() + parts.map(|part| part.len()).sum::<usize>()
            }
            Self::View(view) => {
                let rows = view.rows.iter();
                rows.map(|row| row.key.len() + row.bytes.as_ref().map_or(0, Vec::len)).sum()
            }
            Self::Close(_) => 0,
        }
    }
}

impl Writer {
    pub(super) fn new(
        shared: Arc<Shared>,
        db: Db,
        files: Files,
        last: Position,
        format: u64,
        checkpoint_commits: usize,
    ) -> Self {
        Self { shared, db, files, last, format, checkpoint_commits, checkpoint: None }
    }

    /// Writes until the store is closed or dropped.
    pub(super) fn run(mut self, mut queue: mpsc::Receiver<WriterMessage>) {
        let mut requests = Vec::with_capacity(QUEUE_MAX);
        while !requests.is_empty() || queue.blocking_recv_many(&mut requests, QUEUE_MAX) > 0 {
            let mut group = Group::default();
            // sled panics where it finds its own structures broken. What it had applied is not known then.
            let written = catch_unwind(AssertUnwindSafe(|| self.write(&mut requests, &mut group)));
            let written = written.unwrap_or_else(|_| Err(PANICKED.to_owned()));
            if let Err(what) = &written {
                self.shared.fail(what);
            }
            if let Some(answer) = self.answer(group, written) {
                drop(queue);
                return self.close(answer);
            }
        }
    }

    /// Stores as many requests as make a group. After an error nothing of what they brought may be acknowledged.
    fn write(&mut self, requests: &mut Vec<WriterMessage>, group: &mut Group) -> Result<(), String> {
        let failed = self.shared.failure();
        for request in requests.drain(..next_group(requests)) {
            match request {
                WriterMessage::Close(answer) => group.close = Some(answer),
                WriterMessage::View(view) => group.add_view(view),
                WriterMessage::Commit(commit) => match &failed {
                    None => self.accept(commit, group)?,
                    Some(what) => group.refused.push((commit.answer, AppendError::Failed(what.clone()))),
                },
            }
        }
        failed.map_or(Ok(()), Err)?;
        group.packer.finish(&mut group.writes);
        if let Some(format) = group.format {
            group.writes.insert(layout::FORMAT, layout::number(format));
        }
        let writes = std::mem::take(&mut group.writes);
        if !group.accepted.is_empty() || !group.views.is_empty() {
            writes.apply(&self.db).map_err(|error| error.to_string())?;
        }
        // Read models alone are a cache: the next commit's sync is theirs.
        if !group.accepted.is_empty() {
            self.sync()?;
            let Files { data, data_path, mark } = &self.files;
            if !mark.is_in_place() || !is_in_place(data, data_path) {
                return Err(GONE.to_owned());
            }
        }
        Ok(())
    }

    /// Adds a commit to the group, if it follows its stream's last event.
    fn accept(&mut self, commit: NewCommit, group: &mut Group) -> Result<(), String> {
        let actual = match group.heads.get(&commit.stream) {
            Some(version) => *version,
            None => {
                let head = self.shared.noting(self.head(&commit.stream));
                head.map_err(|error| error.to_string())?
            }
        };
        if actual.next() != commit.first {
            let expected = Version(commit.first.0 - 1);
            group.refused.push((commit.answer, AppendError::Conflict { expected, actual }));
            return Ok(());
        }
        let count = commit.count;
        if commit.format > self.format {
            self.format = commit.format;
            group.format = Some(commit.format);
        }
        group.accept(commit, self.last);
        self.last = self.last.plus(count);
        Ok(())
    }

    fn head(&self, stream: &StreamId) -> Result<Version, ReadError> {
        if let Some(head) = lock(&self.shared.index).known_head(stream) {
            return Ok(head.version);
        }
        let Some(head) = index::saved_head(&self.db, stream)? else { return Ok(Version(0)) };
        lock(&self.shared.index).remember(stream, head);
        Ok(head.version)
    }

    /// `flush` only waits until the drive has the file in its cache; making it durable is done here.
    fn sync(&self) -> Result<(), String> {
        self.db.flush().map_err(|error| error.to_string())?;
        match self.shared.durability {
            Durability::Power => {
                self.files.data.sync_data().map_err(|error| error.to_string())?;
                self.files.mark.set(self.last).map_err(|error| error.to_string())
            }
            // A mark could outlive a power cut that the events do not.
            Durability::Process => Ok(()),
        }
    }

    /// Shows what was written, then answers. Answers the request to close, if there was one.
    fn answer(
        &mut self,
        group: Group,
        written: Result<(), String>,
    ) -> Option<oneshot::Sender<Result<(), AppendError>>> {
        // A caller that has gone away does not want its answer.
        if let Err(what) = written {
            let failed = || AppendError::Failed(what.clone());
            group.accepted.into_iter().for_each(|commit| drop(commit.answer.send(Err(failed()))));
            group.refused.into_iter().for_each(|(answer, _)| drop(answer.send(Err(failed()))));
            group.views.into_iter().for_each(|answer| drop(answer.send(Err(failed()))));
            return group.close;
        }
        let commits = group.accepted.len();
        if commits > 0 {
            let mut index = lock(&self.shared.index);
            group.accepted.iter().for_each(|commit| index.add(&commit.stream, commit.extent, commit.hash));
            drop(index);
            self.shared.committed.send_replace(self.last);
            tracing::debug!(commits, position = self.last.0, "commits are durable");
        }
        for commit in group.accepted {
            let position = Position(commit.extent.position.0 + commit.extent.count - 1);
            let _ = commit.answer.send(Ok(Appended { position }));
        }
        group.refused.into_iter().for_each(|(answer, conflict)| drop(answer.send(Err(conflict))));
        group.views.into_iter().for_each(|answer| drop(answer.send(Ok(()))));
        self.save_some(commits);
        group.close
    }

    /// Saves a part of the index when it is time to: never more at once than a few times what was just
    /// written, so that no commit waits long for it, and always more, so that what is unsaved stays bounded.
    fn save_some(&mut self, commits: usize) {
        if self.checkpoint.is_none() {
            let mut index = lock(&self.shared.index);
            if index.unsaved_commits() < self.checkpoint_commits {
                return;
            }
            self.checkpoint = Some(Checkpoint { upto: self.last, streams: index.unsaved_streams() });
        }
        let streams = SAVED_STREAMS_MIN.max(2 * commits);
        let saved = catch_unwind(AssertUnwindSafe(|| self.save(streams)));
        if let Err(what) = saved.unwrap_or_else(|_| Err(PANICKED.to_owned())) {
            self.shared.fail(&what);
        }
    }

    /// Saves the tails of at most `limit` streams. They become durable with the next commit: until then the
    /// commits themselves say the same.
    fn save(&mut self, limit: usize) -> Result<(), String> {
        let Some(checkpoint) = &mut self.checkpoint else { return Ok(()) };
        let streams = checkpoint.streams.split_off(checkpoint.streams.len().saturating_sub(limit));
        let mut batch = Batch::default();
        for stream in &streams {
            let tail = lock(&self.shared.index).tail(stream);
            if let Some(tail) = tail {
                index::save(&self.db, stream, &tail, &mut batch).map_err(|error| error.to_string())?;
            }
        }
        let done = checkpoint.streams.is_empty();
        if done {
            batch.insert(layout::INDEXED, layout::number(checkpoint.upto.0));
            self.checkpoint = None;
        }
        self.db.apply_batch(batch).map_err(|error| error.to_string())?;
        let mut index = lock(&self.shared.index);
        streams.iter().for_each(|stream| index.saved(stream));
        Ok(())
    }

    /// Saves the whole index and lets go of the files.
    fn close(mut self, answer: oneshot::Sender<Result<(), AppendError>>) {
        let saved = match self.shared.failure() {
            // What was damaged when it was opened is as it was.
            Some(_) if self.shared.is_damaged() => Ok(()),
            Some(what) => Err(what),
            None => catch_unwind(AssertUnwindSafe(|| self.save_all()))
                .unwrap_or_else(|_| Err(PANICKED.to_owned())),
        };
        let Self { shared, db, .. } = self;
        drop(db);
        let released = shared.release();
        let closed = saved.and(released).map_err(AppendError::Failed);
        // Nobody waits if the caller was dropped; the store is closed all the same.
        let _ = answer.send(closed);
    }

    fn save_all(&mut self) -> Result<(), String> {
        // What an unfinished checkpoint has left is among the unsaved streams too.
        let streams = lock(&self.shared.index).unsaved_streams();
        self.checkpoint = Some(Checkpoint { upto: self.last, streams });
        while self.checkpoint.is_some() {
            self.save(QUEUE_MAX)?;
        }
        self.sync()
    }
}

impl Group {
    /// Places a commit after `last`.
    fn accept(&mut self, commit: NewCommit, last: Position) {
        let NewCommit { stream, first, count, hash, bytes, blobs, answer, room, format: _ } = commit;
        let position = last.next();
        self.packer.add(position, bytes, &mut self.writes);
        for (hash, content) in blobs {
            for (part, value) in (0..).zip(content) {
                self.writes.insert(IVec::from(layout::blob_part_key(&hash, part).as_slice()), value);
            }
        }
        self.heads.insert(stream.clone(), Version(first.plus(count).0 - 1));
        let extent = Extent { first, position, count };
        self.accepted.push(Accepted { stream, extent, hash, answer, _room: room });
    }

    fn add_view(&mut self, new: NewView) {
        for ViewChange { key, bytes } in new.rows {
            let key = layout::view_row_key(new.view, &key);
            match bytes {
                Some(bytes) => self.writes.insert(key, bytes),
                None => self.writes.remove(key),
            }
        }
        self.writes.insert(layout::view_position_key(new.view), layout::number(new.position.0));
        self.views.push(new.answer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(bytes: usize) -> WriterMessage {
        let rows = vec![ViewChange { key: Vec::new(), bytes: Some(vec![0; bytes]) }];
        WriterMessage::View(NewView { view: "v", position: Position(1), rows, answer: oneshot::channel().0 })
    }

    /// A power cut in a group that lay in three segments of the log left a store that could not be opened.
    #[test]
    fn no_more_is_written_at_once_than_a_crash_may_cut_anywhere() {
        let mut requests: Vec<_> = (0..1_000).map(|_| rows(1_024)).collect();
        requests.insert(300, rows(4 * GROUP_BYTES_MAX));
        let mut groups = Vec::new();
        while !requests.is_empty() {
            groups.push(requests.drain(..next_group(&requests)).count());
        }
        assert_eq!(groups, [256, 44, 1, 256, 256, 188], "what is too long is written alone");
    }
}
