//! What is known of shared contexts, and writing to them.

use std::sync::Arc;

use super::recorded::understood;
use super::{Facade, Frames};
use crate::actors::contexts::ContextKind;
use crate::actors::hosting::load::load;
use crate::aggregates::context::{Context, ContextAsk, Entry, Lock, Set, SetKey};
use crate::api::new_command_id;
use crate::api::protocol::{
    ContextAnswer, ContextKnown, ContextWants, ContextWritten, Frame, HolderKnown, KeyGiven, KeyKnown,
    KeyVersioned, KeyWritten, LockKnown, LocksKnown, Response, WaiterKnown,
};
use crate::events::context::ContextEvent;
use crate::events::ids::{
    CommandId, ContextKey, ContextName, KeyVersion, LockName, RUN_KIND, StreamId, Version,
};
use crate::events::json::{Json, Payload};
use crate::events::problem::{Code, Problem, nearest};
use crate::kernel::core::Envelope;
use crate::kernel::{Blobs, Now};

/// How many events are read at once.
const EVENTS_PAGE: usize = 1_024;

impl Facade {
    /// Answers what somebody wants of a context.
    pub(super) async fn context(
        &self,
        context: ContextName,
        wants: ContextWants,
        frames: &Frames,
    ) -> Result<Response, Problem> {
        let answer = match wants {
            ContextWants::Get { key } => ContextAnswer::Known(self.get_context(context, key.as_ref()).await?),
            ContextWants::Set { keys, by, id } => {
                ContextAnswer::Written(self.set_context(context, keys, by, id).await?)
            }
            ContextWants::History { key } => {
                self.context_history(&context, &key, frames).await?;
                ContextAnswer::Told
            }
            ContextWants::Locks => ContextAnswer::Locks(self.context_locks(context).await?),
        };
        Ok(Response::Context(answer))
    }

    /// A context as it is now; if a key is named, with that one only.
    async fn get_context(
        &self,
        context: ContextName,
        key: Option<&ContextKey>,
    ) -> Result<ContextKnown, Problem> {
        let (state, version) = match self.folded(&context).await {
            Err(problem) if problem.code == Code::UnknownContext => {
                return self.get_context_of_run(context, key, problem).await;
            }
            folded => folded?,
        };
        let keys = match key {
            None => self.known(&context, state.keys().iter())?,
            Some(key) => {
                let found = self.known(&context, state.keys().get_key_value(key))?;
                if found.is_empty() {
                    return Err(no_key(&state, &context, key));
                }
                found
            }
        };
        Ok(ContextKnown { context, version, keys })
    }

    /// What the agents of a run share, where that is what is meant, because no context has the name: `unknown` says so.
    async fn get_context_of_run(
        &self,
        named: ContextName,
        key: Option<&ContextKey>,
        unknown: Problem,
    ) -> Result<ContextKnown, Problem> {
        let Ok(run) = self.resolve(named.as_str()).await else { return Err(unknown) };
        let (state, head) = self.system.fold(&run).await?;
        let context = ContextName::parse(run.as_str()).unwrap_or(named);
        let there = || state.context().iter().filter(|(_, known)| known.is_there());
        let mut keys = Vec::new();
        for (name, known) in there().filter(|(name, _)| key.is_none_or(|key| key == *name)) {
            keys.push(KeyKnown {
                context: context.clone(),
                key: name.clone(),
                version: known.version,
                by: known.step.as_str().into(),
                at: known.at,
                value: self.value(&known.value)?,
            });
        }
        match key.filter(|_| keys.is_empty()) {
            None => Ok(ContextKnown { context, version: head.version, keys }),
            Some(key) => {
                let message = format!("nothing that the agents of run `{run}` share has the key `{key}`");
                Err(lacks(message, key, there().map(|(name, _)| name)))
            }
        }
    }

    /// Writes keys of a context: all of them, or none.
    async fn set_context(
        &self,
        context: ContextName,
        keys: Vec<KeyGiven>,
        by: Arc<str>,
        id: Option<CommandId>,
    ) -> Result<ContextWritten, Problem> {
        let id = id.unwrap_or_else(new_command_id);
        let (stream, envelope) =
            (StreamId::of_context(&context), Envelope { id: Some(id), ..Envelope::default() });
        let named: Vec<ContextKey> = keys.iter().map(|given| given.key.clone()).collect();
        let keys = keys.into_iter().map(|KeyGiven { key, value, expected }| SetKey { key, value, expected });
        let set = Set { keys: keys.collect(), by, held: None };
        let ask = || ContextAsk::Set(set.clone());
        let version = self.system.hosting().order::<ContextKind>(&stream, &envelope, ask).await?;
        let written = self.written(&stream, version, id).await?;
        let version_of = |key: &ContextKey| {
            let of_key = written.iter().find(|(written, _)| written == key);
            of_key.map_or(KeyVersion(0), |(_, version)| *version)
        };
        let keys = named.into_iter().map(|key| KeyVersioned { version: version_of(&key), key });
        Ok(ContextWritten { context, version, keys: keys.collect() })
    }

    /// Sends what became of a key, write by write.
    async fn context_history(
        &self,
        context: &ContextName,
        key: &ContextKey,
        frames: &Frames,
    ) -> Result<(), Problem> {
        let (stream, mut after, mut found) = (StreamId::of_context(context), Version(0), false);
        loop {
            let page = self.events(&stream, after, EVENTS_PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.version;
            for recorded in &page {
                let ContextEvent::ContextSet(set) = understood(recorded)? else { continue };
                let Some(written) = set.keys.into_iter().find(|written| written.key == *key) else {
                    continue;
                };
                found = true;
                let key = KeyKnown {
                    context: context.clone(),
                    key: written.key,
                    version: written.version,
                    by: set.by,
                    at: recorded.header.recorded_at,
                    value: self.value(&written.value)?,
                };
                let frame = Frame::Key(Box::new(KeyWritten { key, event: recorded.version }));
                if frames.send(frame).await.is_err() {
                    return Ok(());
                }
            }
        }
        if found {
            return Ok(());
        }
        let (state, _) = self.folded(context).await?;
        Err(no_key(&state, context, key))
    }

    /// The locks of a context that somebody holds or waits for.
    async fn context_locks(&self, context: ContextName) -> Result<LocksKnown, Problem> {
        let (state, _) = self.folded(&context).await?;
        let now = self.system.clock().now();
        let locks = state.locks().iter().filter_map(|(name, lock)| known_lock(name, lock, now)).collect();
        Ok(LocksKnown { context, locks })
    }

    /// The state of a context to which something has happened.
    async fn folded(&self, context: &ContextName) -> Result<(Context, Version), Problem> {
        let stream = StreamId::of_context(context);
        let (state, head) = load::<Context>(&**self.system.store(), &stream).await?;
        if head.version > Version(0) {
            return Ok((state, head.version));
        }
        let problem = unknown_context(context);
        let is_run = self.newest(&StreamId::new(RUN_KIND, context.as_str())).await.is_ok();
        Err(match is_run {
            true => problem.hint("it is a run, whose context its agents write"),
            false => problem,
        })
    }

    /// Those of the keys that are there.
    fn known<'k>(
        &self,
        context: &ContextName,
        keys: impl IntoIterator<Item = (&'k ContextKey, &'k Entry)>,
    ) -> Result<Vec<KeyKnown>, Problem> {
        let known = |(key, entry): (&ContextKey, &Entry)| {
            let value = self.value(entry.value.as_ref()?);
            Some(value.map(|value| KeyKnown {
                context: context.clone(),
                key: key.clone(),
                version: entry.version(),
                by: Arc::clone(&entry.by),
                at: entry.at,
                value,
            }))
        };
        keys.into_iter().filter_map(known).collect()
    }

    fn value(&self, payload: &Payload) -> Result<Json, Problem> {
        self.system.library().json(payload).map_err(|error| error.problem())
    }

    /// The versions of keys that a command has written, which was answered with that version of the stream.
    async fn written(
        &self,
        stream: &StreamId,
        version: Version,
        id: CommandId,
    ) -> Result<Vec<(ContextKey, KeyVersion)>, Problem> {
        match self.of_command(stream, version, id).await?.into_iter().next() {
            Some(ContextEvent::ContextSet(set)) => {
                Ok(set.keys.into_iter().map(|written| (written.key, written.version)).collect())
            }
            _ => Ok(Vec::new()),
        }
    }
}

/// No context has that name.
pub fn unknown_context(context: &ContextName) -> Problem {
    Problem::new(Code::UnknownContext, format!("no context is named `{context}`"))
}

/// A lock as it is at that time; none of one that nobody has or wants any more.
fn known_lock(name: &LockName, lock: &Lock, now: Now) -> Option<LockKnown> {
    let holder = lock.holder_at(now.steady).map(|holder| HolderKnown {
        owner: Arc::clone(&holder.owner),
        fence: holder.fence,
        since: holder.since,
        until: now.by_the_wall(holder.until),
    });
    let waiting = lock.waiting_at(now.steady).map(|waiter| WaiterKnown {
        owner: Arc::clone(&waiter.owner),
        since: waiter.since,
        until: now.by_the_wall(waiter.until),
    });
    let known = LockKnown { lock: name.clone(), holder, waiting: waiting.collect() };
    (known.holder.is_some() || !known.waiting.is_empty()).then_some(known)
}

fn no_key(state: &Context, context: &ContextName, key: &ContextKey) -> Problem {
    let gone =
        state.keys().get(key).map(|entry| format!("`{}` removed `{key}` of context `{context}`", entry.by));
    let message = gone.unwrap_or_else(|| format!("context `{context}` has no key `{key}`"));
    lacks(message, key, state.keys().iter().filter(|(_, entry)| entry.value.is_some()).map(|(key, _)| key))
}

fn lacks<'k>(message: String, key: &ContextKey, there: impl Iterator<Item = &'k ContextKey>) -> Problem {
    let problem = Problem::new(Code::NoSuchContextKey, message);
    match nearest(key.as_str(), there.map(ContextKey::as_str)) {
        Some(near) => problem.hint(format!("did you mean `{near}`?")),
        None => problem,
    }
}
