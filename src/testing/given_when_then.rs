//! Tests of decisions: given these events, when this command comes, then these events happen.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use crate::events::decision::{Decision, RecordedCommand};
use crate::events::ids::{Hash, StreamId, Version};
use crate::events::json::{Blob, Json, Payload};
use crate::events::time::Timestamp;
use crate::kernel::redecide::{NotRedecided, Past, redecide};
use crate::kernel::{
    Aggregate, At, Blobs, Decided, Draft, EffectChanges, Grants, Moment, Recording, Unreadable,
};

/// Blobs that are kept in memory.
#[derive(Debug, Clone, Default)]
pub struct MemoryBlobs(HashMap<Hash, Arc<[u8]>>);

impl MemoryBlobs {
    /// Keeps the content of a blob.
    pub fn keep(&mut self, blob: &Blob) {
        self.0.insert(blob.reference.hash, Arc::clone(&blob.bytes));
    }
}

impl Blobs for MemoryBlobs {
    fn read(&self, hash: &Hash) -> Result<Arc<[u8]>, Unreadable> {
        let found = self.0.get(hash).cloned();
        found.ok_or_else(|| Unreadable { hash: *hash, why: "it was not kept".to_owned() })
    }
}

/// An aggregate to which nothing has happened yet, with the stream of that name.
pub fn given<A: Aggregate>(stream: &str) -> Given<A> {
    let (kind, id) = stream.split_once('/').unwrap_or((A::KIND, stream));
    Given {
        stream: StreamId::new(kind, id),
        state: A::default(),
        version: Version(0),
        now: Timestamp(0),
        wall: Timestamp(0),
        driven_since: Timestamp(0),
        blobs: MemoryBlobs::default(),
        grants: None,
    }
}

/// An aggregate with the events that happened to it.
#[derive(Debug, Clone)]
pub struct Given<A: Aggregate> {
    stream: StreamId,
    state: A,
    version: Version,
    now: Timestamp,
    wall: Timestamp,
    driven_since: Timestamp,
    blobs: MemoryBlobs,
    grants: Option<A::Grants>,
}

impl<A: Aggregate> Given<A> {
    /// Sets the time, by both clocks.
    #[must_use]
    pub fn at(mut self, now: Timestamp) -> Self {
        (self.now, self.wall) = (now, now);
        self
    }

    /// Sets the time that only the wall clock shows.
    #[must_use]
    pub fn at_wall(mut self, wall: Timestamp) -> Self {
        self.wall = wall;
        self
    }

    /// Sets since when the aggregate is driven.
    #[must_use]
    pub fn driven_since(mut self, since: Timestamp) -> Self {
        self.driven_since = since;
        self
    }

    /// Stores the content of a blob.
    #[must_use]
    pub fn blob(mut self, blob: &Blob) -> Self {
        self.blobs.keep(blob);
        self
    }

    /// The JSON of a payload of its events; null where its content is not kept.
    pub fn json(&self, payload: &Payload) -> Json {
        self.blobs.json(payload).unwrap_or_default()
    }

    /// Sets what the next command may use; what it lets start is started. Without this,
    /// nobody drives the aggregate.
    #[must_use]
    pub fn granted(mut self, grants: A::Grants) -> Self {
        self.grants = Some(grants);
        self
    }

    /// Folds events that have happened.
    ///
    /// # Panics
    /// When one of the events cannot follow.
    #[must_use]
    pub fn events(mut self, events: impl IntoIterator<Item = A::Event>) -> Self {
        for event in events {
            self.version = self.version.next();
            let at = At { stream: &self.stream, version: self.version, time: self.now };
            let folded = self.state.evolve(&event, &at, &mut EffectChanges::default());
            assert!(folded.is_ok(), "{event:?}: {folded:?}");
        }
        self
    }

    /// The state after one more event.
    ///
    /// # Errors
    /// When the event cannot follow.
    pub fn fold(mut self, event: &A::Event) -> Result<A, crate::kernel::IllegalEvent> {
        let at = At { stream: &self.stream, version: self.version.next(), time: self.now };
        self.state.evolve(event, &at, &mut EffectChanges::default()).map(|()| self.state)
    }

    /// Decides a command that somebody sends.
    #[must_use]
    pub fn when(mut self, command: A::Command) -> When<A> {
        let grants = self.grants.take();
        let moment = Moment {
            now: self.now,
            wall: self.wall,
            blobs: &self.blobs,
            seed: 0,
            grants: grants.as_ref(),
            driven_since: self.driven_since,
        };
        let mut draft = Draft::new(&mut self.state, &self.stream, self.version, self.now);
        let (name, by, asked) = (A::name(&command).into(), A::asked_by(&command), command.clone());
        let result = A::decide(&mut draft, command, &moment);
        let recorded = (draft.emitted() > 0).then(|| {
            let form = A::record(asked, &mut Recording::new(&mut draft, 0)).ok().flatten();
            let decision = Decision::named(&name);
            let command = RecordedCommand { form, ..decision.command };
            let (wall_ahead_us, driven_us) = (moment.wall_ahead_us(), moment.driven_us());
            let grants = grants.as_ref().map(Grants::record);
            Decision { command, grants, by, wall_ahead_us, driven_us, ..decision }
        });
        let decided = draft.finish();
        When { given: self, result, decided, recorded }
    }

    /// The blobs that the events so far refer to.
    pub fn blobs(&self) -> &MemoryBlobs {
        &self.blobs
    }

    /// The state after the events so far.
    pub fn state(&self) -> &A {
        &self.state
    }
}

/// The result of deciding a command.
pub struct When<A: Aggregate> {
    given: Given<A>,
    result: Result<(), A::Rejection>,
    decided: Decided<A>,
    /// The record of the decision; none if no event came of it.
    recorded: Option<Decision>,
}

impl<A: Aggregate> When<A> {
    /// The effects that the events opened and closed.
    pub fn changes(&self) -> &EffectChanges<A::Effect> {
        &self.decided.changes
    }

    /// The events that come of the decision when it is decided again from its record, in the state before it.
    /// None if there were no events, or its command is not recorded.
    ///
    /// # Errors
    /// When the record cannot be decided again.
    pub fn redecided(&self, mut before: A) -> Result<Option<Vec<A::Event>>, NotRedecided> {
        let recorded = self.recorded.as_ref().filter(|decision| decision.command.form.is_some());
        let Some(decision) = recorded else { return Ok(None) };
        let Given { stream, version, now, .. } = &self.given;
        let mut blobs = self.given.blobs.clone();
        self.decided.blobs.iter().for_each(|blob| blobs.keep(blob));
        let events = &*self.decided.events;
        let past = Past { stream, version: *version, time: *now, decision, events };
        redecide(&mut before, &past, &blobs).map(Some)
    }

    /// Whether the command is refused.
    pub fn is_rejected(&self) -> bool {
        self.result.is_err()
    }

    /// Checks that exactly these events happen.
    ///
    /// # Panics
    /// When other events happen, or the command is rejected.
    pub fn then(self, expected: impl IntoIterator<Item = A::Event>) -> Given<A>
    where
        A::Event: PartialEq,
    {
        let expected: Vec<_> = expected.into_iter().collect();
        self.then_events(|events| assert_eq!(events, expected))
    }

    /// Checks the events that happen with `check`.
    ///
    /// # Panics
    /// When the command is rejected, or an event cannot follow.
    pub fn then_events(self, check: impl FnOnce(&[A::Event])) -> Given<A> {
        let Self { mut given, result, decided, .. } = self;
        assert!(result.is_ok(), "rejected: {:?}", result.err().map(|rejection| rejection.to_string()));
        assert!(decided.illegal.is_none(), "illegal: {:?}", decided.illegal);
        check(&decided.events);
        decided.blobs.iter().for_each(|blob| given.blobs.keep(blob));
        given.version = given.version.plus(decided.events.len() as u64);
        given
    }

    /// Checks that nothing happens, and the rejection with `check`.
    ///
    /// # Panics
    /// When the command is not rejected, or is rejected after events, or `check` is false.
    pub fn then_rejected(self, check: impl FnOnce(&A::Rejection) -> bool) {
        assert!(self.decided.events.is_empty(), "rejected after {:?}", self.decided.events);
        match self.result {
            Ok(()) => assert!(self.result.is_err(), "not rejected"),
            Err(rejection) => assert!(check(&rejection), "rejected otherwise: {rejection}"),
        }
    }
}

impl<A: Aggregate> fmt::Debug for When<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("When").field("events", &self.decided.events).finish_non_exhaustive()
    }
}
