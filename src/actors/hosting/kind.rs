//! What is to be known of a kind of streams to host it, and the register of kinds.

use std::collections::HashMap;
use std::sync::Arc;

use actix::{Actor, Addr};
use async_trait::async_trait;
use tokio::sync::{oneshot, watch};

use super::Hosting;
use super::book::Entry;
use super::contain::contained;
use super::context::HostContext;
use super::host::Host;
use super::live::Live;
use super::load::{load_at, prove};
use super::messages::Submit;
use super::shell::Shell;
use crate::events::commit::Recorded;
use crate::events::ids::{StreamId, Version};
use crate::events::json::{BlobRef, Json};
use crate::events::problem::{Code, Problem};
use crate::kernel::core::{Driving, Envelope};
use crate::kernel::standing::{KindFold, Standing};
use crate::kernel::{Aggregate, Said};
use crate::store::EventStore;

/// A kind of streams: an aggregate, and the shell around each.
pub trait Kind: Send + Sync + Sized + 'static {
    /// The aggregate that lives on its streams.
    type Aggregate: Aggregate + PartialEq;
    /// The shell that performs its effects.
    type Shell: Shell<Self::Aggregate>;

    /// The way in which its streams are folded by whoever knows no kind by name.
    fn folds(&self) -> KindFold {
        KindFold::of::<Self::Aggregate>(|_| None)
    }

    /// The state as people and programs see it who look at a stream of any kind.
    fn describe(&self, state: &Self::Aggregate) -> Json;

    /// The shell of a stream; none if its name is none of that kind.
    fn shell(&self, stream: &StreamId, context: &HostContext) -> Option<Self::Shell>;
}

/// Messages that may wait in the mailbox of a stream's host: results, wake-ups and commands.
const MAILBOX: usize = 1_024;

/// A host of a kind, and what is seen of it.
pub struct HostHandle<A: Aggregate, S: Shell<A>> {
    /// The addressee of what only its kind is told.
    pub address: Addr<Host<A, S>>,
    /// What is seen of it beside [`Live`].
    pub view: S::View,
}

impl<A: Aggregate, S: Shell<A>> Clone for HostHandle<A, S> {
    fn clone(&self) -> Self {
        Self { address: self.address.clone(), view: self.view.clone() }
    }
}

/// A kind without its types.
#[async_trait]
pub trait AnyKind: Send + Sync {
    /// Starts the host of a stream; none if its name is none of that kind.
    fn start(&self, hosting: &Arc<Hosting>, stream: &StreamId, driving: Driving) -> Option<Entry>;

    /// Lets a stream hear what another says to it, and answers its version after that. If that begins it, it may go on by
    /// itself.
    ///
    /// # Errors
    /// Why it does not take it in.
    async fn hear(
        &self,
        hosting: &Hosting,
        stream: &StreamId,
        said: Said,
        envelope: Envelope,
        drives: bool,
    ) -> Result<Version, Problem>;

    /// The standing of a stream as of a version, or as of its end if that comes first; and the state as it is seen.
    ///
    /// # Errors
    /// When it cannot be read or folded.
    async fn seen(
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
    fn start(&self, hosting: &Arc<Hosting>, stream: &StreamId, driving: Driving) -> Option<Entry> {
        let book = hosting.book();
        let (shell, (live, seen)) = (self.shell(stream, book.context())?, watch::channel(Live::default()));
        let view = shell.view();
        let (hosted, stream, arbiter) = (Arc::clone(hosting), stream.clone(), book.arbiters().next());
        let address: Addr<Host<K::Aggregate, K::Shell>> = Host::start_in_arbiter(&arbiter, move |actor| {
            actor.set_mailbox_capacity(MAILBOX);
            Host::new(stream, driving, shell, &hosted, live)
        });
        let (control, recover) = (address.clone().recipient(), address.clone().recipient());
        Some(Entry { control, recover, live: seen, place: Arc::new(HostHandle { address, view }) })
    }

    async fn hear(
        &self,
        hosting: &Hosting,
        stream: &StreamId,
        said: Said,
        envelope: Envelope,
        drives: bool,
    ) -> Result<Version, Problem> {
        let other = || Problem::new(Code::Internal, format!("what `{stream}` is told is for another kind"));
        let command = said.command_or_other().or_else(|said| K::Aggregate::heard(said).ok_or_else(other))?;
        let (reply, answer) = oneshot::channel();
        let submit = Submit { command, envelope, drives, reply: Some(reply) };
        let sent = hosting.place::<K>(stream)?.address.send(submit).await;
        let put_away = || Problem::new(Code::Busy, format!("`{stream}` was put away just now"));
        hosting.answer(stream, sent, answer).await.unwrap_or_else(|| Err(put_away()))
    }

    async fn seen(
        &self,
        store: &dyn EventStore,
        stream: &StreamId,
        at: Version,
    ) -> Result<(Standing, Json), Problem> {
        contained(async {
            let (state, head) = load_at::<K::Aggregate>(store, stream, at).await?;
            Ok((Standing::of(&state, head.version), self.describe(&state)))
        })
        .await
    }

    fn blobs(&self, recorded: &Recorded) -> Result<Vec<BlobRef>, String> {
        let event: <K::Aggregate as Aggregate>::Event =
            recorded.decode().map_err(|error| error.to_string())?;
        Ok(<K::Aggregate as Aggregate>::blobs(&event))
    }

    async fn prove(&self, store: &dyn EventStore, stream: &StreamId) -> Result<Vec<Version>, Problem> {
        contained(prove::<K::Aggregate>(store, stream)).await
    }
}

/// The kinds that can be hosted.
#[derive(Default)]
pub struct Kinds(HashMap<&'static str, (Box<dyn AnyKind>, KindFold)>);

impl Kinds {
    /// Adds a kind; one of the same name is replaced.
    #[must_use]
    pub fn with<K: Kind>(mut self, kind: K) -> Self {
        let fold = kind.folds();
        self.0.insert(K::Aggregate::KIND, (Box::new(kind), fold));
        self
    }

    /// The kind of a stream, if it is known.
    pub fn of(&self, stream: &StreamId) -> Option<&dyn AnyKind> {
        self.0.get(stream.kind()).map(|(kind, _)| &**kind)
    }

    /// How streams of a kind are folded, if it is known.
    pub fn fold(&self, kind: &str) -> Option<&KindFold> {
        self.0.get(kind).map(|(_, fold)| fold)
    }
}
