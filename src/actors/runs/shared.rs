//! What a run wants of contexts that it shares with others, beside what it says to their streams: their keys are read, and the
//! locks of its attempts are renewed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Weak};
use std::time::Duration;

use actix::Recipient;
use tokio::task::JoinHandle;

use super::Runs;
use super::told::ToRun;
use crate::actors::contexts::ContextKind;
use crate::actors::hosting::context::HostContext;
use crate::actors::hosting::load::load;
use crate::actors::hosting::messages::Tell;
use crate::aggregates::context::{Context, ContextAsk};
use crate::aggregates::run::{HeldLock, LEASE, OfShared, SharedEffectId};
use crate::events::ids::{ContextKey, ContextName, KeyVersion, RunId, StepId, StreamId};
use crate::events::json::Json;
use crate::events::problem::{Code, Problem};
use crate::events::time::Timestamp;
use crate::kernel::Blobs;
use crate::kernel::core::Envelope;

/// How often the locks of an attempt are renewed: twice in vain, and they are theirs all the same.
const RENEWED_EVERY: Duration = Duration::from_secs(LEASE.as_secs() / 3);

/// Reads keys of contexts as they are now, and tells the run.
pub(super) fn read(
    context: &HostContext,
    host: Option<Recipient<Tell<ToRun>>>,
    step: StepId,
    keys: BTreeSet<(ContextName, ContextKey)>,
) {
    let (store, library) = (Arc::clone(&context.store), Arc::clone(&context.library));
    actix::spawn(async move {
        let mut values = Vec::with_capacity(keys.len());
        let mut contexts = BTreeMap::<ContextName, Context>::new();
        let mut why = None;
        for (name, key) in keys {
            if !contexts.contains_key(&name) {
                match load::<Context>(&*store, &StreamId::of_context(&name)).await {
                    Ok((state, _)) => drop(contexts.insert(name.clone(), state)),
                    Err(problem) => {
                        why = Some(problem);
                        break;
                    }
                }
            }
            match value(contexts.get(&name), &key, &*library) {
                Ok((version, value)) => values.push((name, key, version, value)),
                Err(problem) => why = Some(problem),
            }
        }
        let says = match why {
            None => OfShared::Read { step: step.clone(), values },
            Some(problem) => OfShared::NotRead { step: step.clone(), why: (problem.code, problem.message) },
        };
        // A host that has much to do, or is gone, asks again when it goes on.
        if let Some(host) = host {
            let _ = host.send(Tell(ToRun::Shared { effect: SharedEffectId::Read(step), says })).await;
        }
    });
}

fn value(
    context: Option<&Context>,
    key: &ContextKey,
    library: &dyn Blobs,
) -> Result<(KeyVersion, Json), Problem> {
    let entry = context.and_then(|context| context.keys().get(key));
    let Some((entry, value)) = entry.and_then(|entry| Some((entry, entry.value.as_ref()?))) else {
        return Ok((KeyVersion(0), Json::null()));
    };
    let value = library.json(value).map_err(|unreadable| unreadable.problem())?;
    Ok((entry.version(), value))
}

/// Renews the locks of an attempt, until this is dropped.
pub(super) struct Renewal(JoinHandle<()>);

impl Drop for Renewal {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Renewal {
    /// Renews them from now on; `lost` is called once if one of them is somebody else's.
    pub(super) fn of(
        runs: Weak<Runs>,
        run: RunId,
        locks: Vec<HeldLock>,
        now: Timestamp,
        lost: impl FnOnce(&HeldLock) + 'static,
    ) -> Self {
        let first = locks.iter().map(|held| held.until.since(now)).min().unwrap_or_default();
        let mut wait = first.saturating_sub(RENEWED_EVERY.saturating_mul(2));
        Self(actix::spawn(async move {
            loop {
                tokio::time::sleep(wait).await;
                wait = RENEWED_EVERY;
                for held in &locks {
                    let Some(runs) = runs.upgrade() else { return };
                    let (stream, envelope) = (StreamId::of_context(&held.of.context), Envelope::default());
                    let renew = || ContextAsk::Renew {
                        held: held.held(),
                        owner: Arc::clone(&held.of.owner),
                        lease: LEASE,
                    };
                    match runs.hosting().order::<ContextKind>(&stream, &envelope, renew).await {
                        Err(problem) if problem.code == Code::LockNotHeld => return lost(held),
                        // A context that cannot answer now may when it is asked again.
                        Err(problem) => tracing::warn!(%run, %stream, %problem, "a lock is not renewed"),
                        Ok(_) => {}
                    }
                }
            }
        }))
    }
}
