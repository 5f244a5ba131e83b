//! Commands as they are recorded. The shapes never change: a new one gets the next schema number under its command's name, and
//! its own file in `tests/golden`. Who asked stands beside them in the decision.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Context;
use super::command::{Acquire, ContextAsk, Set, SetKey};
use crate::events::codec::{CodecError, from_bytes, to_bytes};
use crate::events::context::Held;
use crate::events::decision::Form;
use crate::events::ids::{ContextKey, KeyVersion, LockName, StreamId};
use crate::events::json::Payload;
use crate::events::time::{Timestamp, micros};
use crate::kernel::{NotRecalled, Recalling, Recording};

const SCHEMA: u16 = 1;

/// Every (command, schema) that this build recalls.
pub const RECORDS: &[(&str, u16)] = &[
    ("context_set", 1),
    ("lock_acquire", 1),
    ("lock_renew", 1),
    ("lock_release", 1),
    ("lock_withdraw", 1),
    ("lock_wait_end_told", 1),
    ("context_due", 1),
];

/// The recorded form of [`ContextAsk::Set`].
#[derive(Serialize, Deserialize)]
struct SetForm {
    keys: Vec<(ContextKey, Payload, Option<KeyVersion>)>,
    held: Option<Held>,
}

/// The recorded form of [`ContextAsk::Acquire`].
#[derive(Serialize, Deserialize)]
struct AcquireForm {
    lock: LockName,
    lease_us: u64,
    until: Option<Timestamp>,
    tells: Option<StreamId>,
}

/// The recorded form of [`ContextAsk::Renew`].
#[derive(Serialize, Deserialize)]
struct RenewForm {
    held: Held,
    lease_us: u64,
}

/// The recorded form of [`ContextAsk::Told`].
#[derive(Serialize, Deserialize)]
struct ToldForm {
    lock: LockName,
    owner: Arc<str>,
}

pub(super) const fn name(ask: &ContextAsk) -> &'static str {
    match ask {
        ContextAsk::Set(_) => "context_set",
        ContextAsk::Acquire(_) => "lock_acquire",
        ContextAsk::Renew { .. } => "lock_renew",
        ContextAsk::Release { .. } => "lock_release",
        ContextAsk::Withdraw { .. } => "lock_withdraw",
        ContextAsk::Told { .. } => "lock_wait_end_told",
        ContextAsk::Due => "context_due",
    }
}

pub(super) fn asked_by(ask: &ContextAsk) -> Option<Arc<str>> {
    match ask {
        ContextAsk::Set(Set { by, .. }) => Some(Arc::clone(by)),
        ContextAsk::Acquire(Acquire { owner, .. })
        | ContextAsk::Renew { owner, .. }
        | ContextAsk::Release { owner, .. }
        | ContextAsk::Withdraw { owner, .. } => Some(Arc::clone(owner)),
        ContextAsk::Told { .. } | ContextAsk::Due => None,
    }
}

pub(super) fn record(
    ask: ContextAsk,
    recording: &mut Recording<'_, '_, Context>,
) -> Result<Form, CodecError> {
    let payload = match ask {
        ContextAsk::Set(Set { keys, held, .. }) => {
            let keys = keys.into_iter();
            let keys = keys.map(|set| (set.key, recording.payload(set.value), set.expected)).collect();
            to_bytes(&SetForm { keys, held })
        }
        ContextAsk::Acquire(Acquire { lock, lease, until, tells, .. }) => {
            to_bytes(&AcquireForm { lock, lease_us: micros(lease), until, tells })
        }
        ContextAsk::Renew { held, lease, .. } => to_bytes(&RenewForm { held, lease_us: micros(lease) }),
        ContextAsk::Release { held, .. } => to_bytes(&held),
        ContextAsk::Withdraw { lock, .. } => to_bytes(&lock),
        ContextAsk::Told { lock, owner } => to_bytes(&ToldForm { lock, owner }),
        ContextAsk::Due => Ok(Vec::new()),
    };
    Ok(Form { schema: SCHEMA, payload: payload? })
}

fn read<T: serde::de::DeserializeOwned>(
    from: &Recalling<'_, Context>,
    form: &Form,
) -> Result<T, NotRecalled> {
    from_bytes(&form.payload).map_err(|error| from.broken(error))
}

pub(super) fn recall(from: &Recalling<'_, Context>) -> Result<ContextAsk, NotRecalled> {
    let (form, name) = (from.form()?, &*from.decision.command.name);
    if form.schema != SCHEMA {
        return Err(NotRecalled::Unknown { name: name.to_owned(), schema: form.schema });
    }
    let by = || from.decision.by.clone().ok_or_else(|| from.broken("it does not say who asked"));
    Ok(match name {
        "context_set" => {
            let SetForm { keys, held } = read(from, form)?;
            let key = |(key, value, expected): (_, Payload, _)| {
                Ok(SetKey { key, value: from.blobs.json(&value)?, expected })
            };
            let keys = keys.into_iter().map(key).collect::<Result<_, NotRecalled>>()?;
            ContextAsk::Set(Set { keys, by: by()?, held })
        }
        "lock_acquire" => {
            let AcquireForm { lock, lease_us, until, tells } = read(from, form)?;
            let lease = Duration::from_micros(lease_us);
            ContextAsk::Acquire(Acquire { lock, owner: by()?, lease, until, tells })
        }
        "lock_renew" => {
            let RenewForm { held, lease_us } = read(from, form)?;
            ContextAsk::Renew { held, owner: by()?, lease: Duration::from_micros(lease_us) }
        }
        "lock_release" => ContextAsk::Release { held: read(from, form)?, owner: by()? },
        "lock_withdraw" => ContextAsk::Withdraw { lock: read(from, form)?, owner: by()? },
        "lock_wait_end_told" => {
            let ToldForm { lock, owner } = read(from, form)?;
            ContextAsk::Told { lock, owner }
        }
        "context_due" => ContextAsk::Due,
        _ => return Err(NotRecalled::Unknown { name: name.to_owned(), schema: form.schema }),
    })
}
