//! Tells others of events, at least once: from the log, not from memory.
//!
//! Each notice has a cursor in the store: the position up to which everything was delivered that it is about. It moves
//! after a delivery, so that what was on its way when the process died is delivered again, and nothing is left out. A notice
//! that is new begins at the end of the store. One that cannot be delivered is tried again, ever more rarely, and holds up
//! nobody but itself.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::hosting::context::{append_problem, read_problem};
use crate::events::commit::Recorded;
use crate::events::ids::{Hash, Position};
use crate::events::json::Json;
use crate::events::limits::VIEW_KEY_BYTES_MAX;
use crate::events::problem::{Code, Problem};
use crate::events::text::json_line;
use crate::executors::delivery::{Delivery, Options, Target};
use crate::store::{EventStore, ViewChange};
use crate::views::log::LogReader;
use crate::views::presenters::history::HistoryLine;

/// The name under which the cursors are kept in the store.
const VIEW: &str = "notify";

/// How many events are read at once.
const PAGE: usize = 512;

/// The number of events that are not to be told of, after which the cursor is saved all the same: as many are looked through
/// again after a crash.
const SAVED_EVERY: u64 = 4_096;

/// How long commits are gathered before they are looked through: much shorter than anybody reacts, and long enough that a
/// busy engine is not disturbed at each of them.
const LINGER: Duration = Duration::from_millis(20);

/// The pause between the first tries at a delivery; it doubles up to the longest.
const PAUSE_FIRST: Duration = Duration::from_millis(500);

/// The longest pause between two tries.
const PAUSE_LONGEST: Duration = Duration::from_secs(60);

/// Events of which somebody is to be told, and the way in which they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The name by which its cursor is known; none means by all that it says.
    pub name: Option<String>,
    /// The types of the events, as in `run_completed`.
    pub on: BTreeSet<String>,
    /// The program or the address that is told.
    pub target: Target,
}

impl Notice {
    /// The key under which its cursor is kept.
    fn key(&self) -> Vec<u8> {
        match &self.name {
            // A key is bounded, and a name is what somebody wrote.
            Some(name) if "name/".len() + name.len() > VIEW_KEY_BYTES_MAX => {
                format!("long/{}", Hash::of(name.as_bytes())).into_bytes()
            }
            Some(name) => format!("name/{name}").into_bytes(),
            None => format!("hash/{}", Hash::of(format!("{:?} {:?}", self.on, self.target).as_bytes()))
                .into_bytes(),
        }
    }

    /// A name for who is told, without what may be secret in an address.
    fn who(&self) -> String {
        match (&self.name, &self.target) {
            (Some(name), _) => name.clone(),
            (None, Target::Command(words)) => words.first().cloned().unwrap_or_default(),
            (None, Target::Url { url, .. }) => {
                url.split('/').nth(2).and_then(|host| host.rsplit('@').next()).unwrap_or_default().to_owned()
            }
        }
    }
}

/// Those who tell, each of one notice.
#[derive(Default)]
pub(super) struct Notifiers {
    /// Whether what is pending now is the last that this process delivers.
    ending: watch::Sender<bool>,
    done: Vec<tokio::task::JoinHandle<()>>,
}

impl Notifiers {
    /// Begins to tell. From here on nothing is missed that is recorded, whoever delivers it.
    ///
    /// # Errors
    /// When the store cannot be read or written, or there is no way to deliver.
    pub(super) async fn start(
        store: &Arc<dyn EventStore>,
        notices: Vec<Notice>,
        options: Options,
    ) -> Result<Self, Problem> {
        let (options, mut notifiers) = (Arc::new(options), Self::default());
        // Of a damaged store only what proves it is wanted.
        let notices =
            if store.damage().is_some() || store.noted_damage().is_some() { Vec::new() } else { notices };
        for notice in notices {
            let delivery = Delivery::new(notice.target.clone(), Arc::clone(&options));
            let delivery = delivery.map_err(|why| Problem::new(Code::Internal, why))?;
            let cursor = Cursor::find(store, notice.key()).await?;
            let reader = LogReader::of_all(Arc::clone(store), cursor.at, PAGE);
            let ending = notifiers.ending.subscribe();
            let teller = Teller { reader, notice, delivery, cursor, ending };
            notifiers.done.push(actix::spawn(teller.tell()));
        }
        Ok(notifiers)
    }

    /// Delivers what is pending, each until its first failure, for so long at most. What is left is delivered by the next
    /// process.
    pub(super) async fn finish(self, patience: Duration) {
        self.ending.send_replace(true);
        let all = futures_util::future::join_all(self.done);
        if tokio::time::timeout(patience, all).await.is_err() {
            tracing::debug!("what could not be delivered is left to the next process");
        }
    }
}

/// How far a notice is, and how far the store knows that it is.
struct Cursor {
    key: Vec<u8>,
    at: Position,
    saved: Position,
}

impl Cursor {
    /// Finds how far a notice is; a new one is at the end of the store, and is known from then on.
    async fn find(store: &Arc<dyn EventStore>, key: Vec<u8>) -> Result<Self, Problem> {
        let end = *store.committed().borrow();
        let row = store.view_row(VIEW, &key).await.map_err(|error| read_problem(&error))?;
        let kept = row.and_then(|row| Some(Position(u64::from_be_bytes(row.try_into().ok()?))));
        // Beyond the end it is of events that are lost.
        let mut cursor = Self { key, at: kept.unwrap_or(end).min(end), saved: Position(0) };
        if kept != Some(cursor.at) {
            cursor.save(&**store).await?;
        }
        cursor.saved = cursor.at;
        Ok(cursor)
    }

    async fn save(&mut self, store: &dyn EventStore) -> Result<(), Problem> {
        let row = ViewChange { key: self.key.clone(), bytes: Some(self.at.0.to_be_bytes().to_vec()) };
        store.save_view(VIEW, self.at, vec![row]).await.map_err(|error| append_problem(&error))?;
        self.saved = self.at;
        Ok(())
    }
}

/// Tells of what one notice is about.
struct Teller {
    reader: LogReader,
    notice: Notice,
    delivery: Delivery,
    cursor: Cursor,
    ending: watch::Receiver<bool>,
}

/// Whether there is a next event to tell of.
enum Pending {
    Told,
    /// The process ends, and leaves what is pending to the next.
    Left,
}

impl Teller {
    async fn tell(mut self) {
        if let Err(problem) = self.tell_all().await {
            // A store that is closed or fails takes the whole process with it; the next one tells.
            tracing::debug!(notice = %self.notice.who(), %problem, "nothing more is told");
        }
    }

    async fn tell_all(&mut self) -> Result<(), Problem> {
        loop {
            let is_last = *self.ending.borrow();
            if let Pending::Left = self.catch_up().await? {
                break;
            }
            if is_last {
                break;
            }
            let may_go_on = tokio::select! {
                more = self.reader.more() => more,
                ending = self.ending.wait_for(|ending| *ending) => ending.is_ok(),
            };
            if !may_go_on {
                break;
            }
            let _ = tokio::time::timeout(LINGER, self.ending.wait_for(|ending| *ending)).await;
        }
        if self.cursor.saved < self.cursor.at { self.save().await } else { Ok(()) }
    }

    /// Tells of all that is recorded.
    async fn catch_up(&mut self) -> Result<Pending, Problem> {
        loop {
            let page = self.reader.page().await.map_err(|error| read_problem(&error))?;
            if page.is_empty() {
                return Ok(Pending::Told);
            }
            for recorded in page {
                if self.notice.on.contains(&*recorded.event.kind) {
                    if let Pending::Left = self.deliver(&recorded).await {
                        return Ok(Pending::Left);
                    }
                    self.cursor.at = recorded.position;
                    self.save().await?;
                }
                self.cursor.at = recorded.position;
            }
            if self.cursor.at.0 - self.cursor.saved.0 >= SAVED_EVERY {
                self.save().await?;
            }
        }
    }

    async fn save(&mut self) -> Result<(), Problem> {
        self.cursor.save(&**self.reader.store()).await
    }

    /// Delivers an event, sooner or later; when the process ends it is tried once more.
    async fn deliver(&mut self, recorded: &Recorded) -> Pending {
        let (document, mut pause) = (document(recorded), PAUSE_FIRST);
        loop {
            let is_last = *self.ending.borrow();
            let Err(why) = self.delivery.deliver(&json_line(document.text())).await else {
                return Pending::Told;
            };
            let (notice, event) = (self.notice.who(), &recorded.event.kind);
            if is_last {
                tracing::warn!(notice, %event, why, "a notice is not delivered; the next process tries it");
                return Pending::Left;
            }
            tracing::warn!(notice, %event, why, "a notice is not delivered; it is tried again");
            // Over early when the process ends, and for good with the engine.
            if let Ok(Err(_)) = tokio::time::timeout(pause, self.ending.wait_for(|ending| *ending)).await {
                return Pending::Left;
            }
            pause = (pause * 2).min(PAUSE_LONGEST);
        }
    }
}

/// The document of an event, as it is delivered.
fn document(recorded: &Recorded) -> Json {
    let HistoryLine { version, position, at, kind, data, .. } = HistoryLine::of(recorded);
    let run = recorded.header.stream.run();
    let document =
        Document { run: run.as_ref().map(|run| run.as_str()), version: version.0, position, at, kind, data };
    Json::of(&document).unwrap_or_default()
}

/// The fields of that document: docs/notifications.md has them for users.
#[derive(serde::Serialize)]
struct Document<'a> {
    run: Option<&'a str>,
    version: u64,
    position: u64,
    at: crate::events::time::Timestamp,
    #[serde(rename = "type")]
    kind: String,
    data: Json,
}
