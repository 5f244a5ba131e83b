//! What is to be known of a kind of streams to host it, and the register of kinds.

use std::collections::HashMap;
use std::sync::Arc;

use actix::{Actor, Addr};
use async_trait::async_trait;
use tokio::sync::watch;

use super::book::{Book, Entry};
use super::context::HostContext;
use super::host::Host;
use super::live::Live;
use super::load::{load_at, prove};
use super::shell::Shell;
use crate::events::commit::Recorded;
use crate::events::ids::{StreamId, Version};
use crate::events::json::{BlobRef, Json};
use crate::events::problem::Problem;
use crate::kernel::core::Driving;
use crate::kernel::{Aggregate, Attention};
use crate::store::EventStore;

/// A kind of streams: an aggregate, and the shell around each.
pub trait Kind: Send + Sync + Sized + 'static {
    /// What lives.
    type Aggregate: Aggregate + PartialEq;
    /// What performs its effects.
    type Shell: Shell<Self::Aggregate>;

    /// The state as people and programs see it who look at a stream of any kind.
    fn describe(&self, state: &Self::Aggregate) -> Json;

    /// The shell of a stream; none if its name is none of that kind.
    fn shell(&self, stream: &StreamId, context: &HostContext) -> Option<Self::Shell>;
}

/// Messages that may wait in the mailbox of a stream's host: results, wake-ups and commands.
const MAILBOX: usize = 1_024;

/// A host of a kind, and what is seen of it.
pub struct Place<A: Aggregate, S: Shell<A>> {
    /// Where it is told what only its kind is told.
    pub address: Addr<Host<A, S>>,
    /// What is seen of it beside [`Live`].
    pub view: S::View,
}

impl<A: Aggregate, S: Shell<A>> Clone for Place<A, S> {
    fn clone(&self) -> Self {
        Self { address: self.address.clone(), view: self.view.clone() }
    }
}

/// Where a stream is, as its fold says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// As of which version.
    pub version: Version,
    /// Where it is, in a word for people.
    pub status: &'static str,
    /// What it needs next.
    pub attention: Attention,
}

/// A kind without its types.
#[async_trait]
pub trait AnyKind: Send + Sync {
    /// What the names of its streams begin with.
    fn name(&self) -> &'static str;

    /// Starts the host of a stream; none if its name is none of that kind.
    fn start(&self, book: &Arc<Book>, stream: &StreamId, driving: Driving) -> Option<Entry>;

    /// Where a stream is as of a version, or as of its end if that comes first; and the state as it is seen.
    ///
    /// # Errors
    /// When it cannot be read or folded.
    async fn standing(
        &self,
        store: &dyn EventStore,
        stream: &StreamId,
        at: Version,
    ) -> Result<(Standing, Json), Problem>;

    /// The content that an event refers to.
    ///
    /// # Errors
    /// Why the event is not understood.
    fn blobs(&self, recorded: &Recorded) -> Result<Vec<BlobRef>, String>;

    /// Folds a stream from its first event, and drops snapshots that hold something else: answers their versions.
    ///
    /// # Errors
    /// When it cannot be read or folded.
    async fn prove(&self, store: &dyn EventStore, stream: &StreamId) -> Result<Vec<Version>, Problem>;
}

#[async_trait]
impl<K: Kind> AnyKind for K {
    fn name(&self) -> &'static str {
        K::Aggregate::KIND
    }

    fn start(&self, book: &Arc<Book>, stream: &StreamId, driving: Driving) -> Option<Entry> {
        let (shell, (live, seen)) = (self.shell(stream, book.context())?, watch::channel(Live::default()));
        let view = shell.view();
        let (hosted, stream, arbiter) = (Arc::clone(book), stream.clone(), book.arbiter());
        let address: Addr<Host<K::Aggregate, K::Shell>> = Host::start_in_arbiter(&arbiter, move |actor| {
            actor.set_mailbox_capacity(MAILBOX);
            Host::new(stream, driving, shell, hosted, live)
        });
        let (control, recover) = (address.clone().recipient(), address.clone().recipient());
        Some(Entry { control, recover, live: seen, place: Arc::new(Place { address, view }) })
    }

    async fn standing(
        &self,
        store: &dyn EventStore,
        stream: &StreamId,
        at: Version,
    ) -> Result<(Standing, Json), Problem> {
        let (state, head) = load_at::<K::Aggregate>(store, stream, at).await?;
        let standing =
            Standing { version: head.version, status: state.status(), attention: state.attention() };
        Ok((standing, self.describe(&state)))
    }

    fn blobs(&self, recorded: &Recorded) -> Result<Vec<BlobRef>, String> {
        let event: <K::Aggregate as Aggregate>::Event =
            recorded.decode().map_err(|error| error.to_string())?;
        Ok(<K::Aggregate as Aggregate>::blobs(&event))
    }

    async fn prove(&self, store: &dyn EventStore, stream: &StreamId) -> Result<Vec<Version>, Problem> {
        prove::<K::Aggregate>(store, stream).await
    }
}

/// The kinds that can be hosted.
#[derive(Default)]
pub struct Kinds(HashMap<&'static str, Box<dyn AnyKind>>);

impl Kinds {
    /// One more kind.
    #[must_use]
    pub fn with(mut self, kind: impl Kind) -> Self {
        self.0.insert(AnyKind::name(&kind), Box::new(kind));
        self
    }

    /// The kind of a stream, if it is known.
    pub fn of(&self, stream: &StreamId) -> Option<&dyn AnyKind> {
        self.0.get(stream.kind()).map(|kind| &**kind)
    }
}
