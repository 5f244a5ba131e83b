//! A call of a tool: what it is given, whether it may go on, and how it answers.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::oneshot;

use super::super::{Failure, Task};
use super::folder::Folder;
use crate::events::json::Json;
use crate::events::problem::Code;

/// How many bytes of text one answer holds. A model reads all of it, and pays for it: some 30,000 tokens.
pub(super) const ANSWER_BYTES_MAX: usize = 96 * 1024;

/// How long a tool looks through folders and files. Whoever needs longer asks for less at a time.
pub(super) const LOOK_TIME: Duration = Duration::from_secs(30);

/// A call that works on files.
pub(super) struct Call {
    pub(super) task: Task,
    pub(super) folder: Folder,
    stop: Arc<AtomicBool>,
    until: Instant,
}

impl Call {
    /// A call of that task, which ends soon after `stop` is set.
    ///
    /// # Errors
    /// When the work folder cannot be opened.
    pub(super) fn new(task: Task, data: Option<&Path>, stop: Arc<AtomicBool>) -> Result<Self, Failure> {
        let folder = Folder::open(Path::new(&*task.work_folder), data)?;
        Ok(Self { task, folder, stop, until: Instant::now() + LOOK_TIME })
    }

    /// What it is given.
    ///
    /// # Errors
    /// [`Code::ToolInput`], for what the tool's own schema lets through, and it cannot use.
    pub(super) fn arguments<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        arguments(&self.task)
    }

    /// Whether nobody waits for it any more, or it has taken too long.
    pub(super) fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || Instant::now() > self.until
    }

    /// Why what it looks through was left before its end.
    pub(super) fn too_long() -> String {
        format!("{} s were over: there may be more", LOOK_TIME.as_secs())
    }
}

/// Does what blocks, or takes long, on a thread of its own: a file system may take any time, and nobody else waits for it. Each call is an
/// attempt, of which there are no more than slots.
///
/// # Errors
/// When there is no thread to do it, or it panicked.
pub(super) async fn on_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let (done, result) = oneshot::channel();
    // Nobody may wait for it any more.
    let job = move || drop(done.send(work()));
    let started = std::thread::Builder::new().name("tool".to_owned()).spawn(job);
    started
        .map_err(|error| Failure::new(Code::ToolFailed, format!("there is no thread to do it: {error}")))?;
    result.await.unwrap_or_else(|_| Err(Failure::new(Code::Panicked, "it panicked")))
}

/// What a task gives its tool.
///
/// # Errors
/// [`Code::ToolInput`].
pub(super) fn arguments<T: DeserializeOwned>(task: &Task) -> Result<T, Failure> {
    let text = if task.work.with.is_null() { "{}" } else { task.work.with.text() };
    serde_json::from_str(text).map_err(|error| refused(&error.to_string()))
}

/// That a call is not one that the tool takes.
pub(super) fn refused(why: &str) -> Failure {
    Failure::new(Code::ToolInput, why)
}

/// An answer, which always has a JSON form: it was made from one.
pub(super) fn answer(value: &Value) -> Json {
    Json::from(value)
}

/// The beginning of a text, at most that many bytes of it, whole characters.
pub(super) fn beginning(text: &str, bytes_max: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes_max)).unwrap_or(text)
}

/// Beginning and end of a text that is longer than may be, with how much was left out; and whether something was.
pub(super) fn shortened(text: &str, bytes_max: usize) -> (String, bool) {
    if text.len() <= bytes_max {
        return (text.to_owned(), false);
    }
    // What came last most often says how it ended.
    let head = beginning(text, bytes_max / 4);
    let tail = text.get(text.ceil_char_boundary(text.len() - bytes_max / 4 * 3)..).unwrap_or_default();
    let left_out = text.len() - head.len() - tail.len();
    (format!("{head}\n[… {left_out} bytes left out …]\n{tail}"), true)
}

/// Adds what was left out of an answer, if something was.
pub(super) fn with_cut(mut value: Value, cut: Option<String>) -> Value {
    if let (Some(map), Some(cut)) = (value.as_object_mut(), cut) {
        map.insert("cut".to_owned(), cut.into());
    }
    value
}
