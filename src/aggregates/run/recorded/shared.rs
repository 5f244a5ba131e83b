//! What a run hears of shared contexts, as it is recorded.

use super::*;
use crate::aggregates::context::{LockSays, OfContext};
use crate::aggregates::run::shared::{FoundAnswer, LockOf, OfShared};
use crate::events::codec::CodecError;
use crate::events::ids::{ContextKey, ContextName, Hash, KeyVersion, LockFence};
use crate::events::json::Json;
use crate::events::run::AnswerSource;
use crate::events::time::Timestamp;
use crate::kernel::Recording;

/// The recorded form of [`OfShared::Read`].
#[derive(Serialize, Deserialize)]
struct ReadForm {
    step: StepId,
    values: Vec<(ContextName, ContextKey, KeyVersion, Payload)>,
}

/// The recorded form of [`OfShared::NotRead`].
#[derive(Serialize, Deserialize)]
struct NotReadForm {
    step: StepId,
    code: Code,
    message: Payload,
}

/// The recorded form of [`OfShared::Lock`].
#[derive(Serialize, Deserialize)]
struct LockForm {
    of: LockOf,
    says: LockSaid,
}

#[derive(Serialize, Deserialize)]
enum LockSaid {
    Granted { fence: LockFence, until: Timestamp },
    WaitEnded { holder: Option<Arc<str>> },
}

/// The recorded form of [`OfShared::LockRefused`].
#[derive(Serialize, Deserialize)]
struct RefusedForm {
    step: StepId,
    of: LockOf,
    code: Code,
    message: Payload,
}

/// The recorded form of [`OfShared::Written`].
#[derive(Serialize, Deserialize)]
struct WrittenForm {
    step: StepId,
    fence: Fence,
    context: ContextName,
    refused: Option<(Code, Payload)>,
}

/// The recorded form of [`OfShared::LookedUp`].
#[derive(Serialize, Deserialize)]
struct LookedUpForm {
    step: StepId,
    key: Hash,
    found: Option<FoundForm>,
}

#[derive(Serialize, Deserialize)]
struct FoundForm {
    source: AnswerSource,
    answer: Payload,
    artifacts: Vec<String>,
}

pub(super) fn form_of(says: OfShared, to: &mut Recording<'_, '_, Run>) -> Result<Vec<u8>, CodecError> {
    let mut words = |text: &str| to.payload(Json::of(text).unwrap_or_default());
    match says {
        OfShared::Read { step, values } => {
            let values = values.into_iter();
            let values =
                values.map(|(context, key, version, value)| (context, key, version, to.payload(value)));
            codec::to_bytes(&ReadForm { step, values: values.collect() })
        }
        OfShared::LookedUp { step, key, found } => {
            let found = found.map(|FoundAnswer { source, answer, artifacts }| FoundForm {
                source,
                answer: to.payload(answer),
                artifacts,
            });
            codec::to_bytes(&LookedUpForm { step, key, found })
        }
        OfShared::NotLookedUp { step, why: (code, message) }
        | OfShared::NotRead { step, why: (code, message) } => {
            codec::to_bytes(&NotReadForm { step, code, message: words(&message) })
        }
        OfShared::Lock(OfContext { context, lock, owner, says }) => {
            let says = match says {
                LockSays::Granted { fence, until } => LockSaid::Granted { fence, until },
                LockSays::WaitEnded { holder } => LockSaid::WaitEnded { holder },
            };
            codec::to_bytes(&LockForm { of: LockOf { context, lock, owner }, says })
        }
        OfShared::LockRefused { step, of, why: (code, message) } => {
            codec::to_bytes(&RefusedForm { step, of, code, message: words(&message) })
        }
        OfShared::GivenBack(of) => codec::to_bytes(&of),
        OfShared::Written { step, fence, context, refused } => {
            let refused = refused.map(|(code, message)| (code, words(&message)));
            codec::to_bytes(&WrittenForm { step, fence, context, refused })
        }
        OfShared::Conversation(says) => conversations::form_of(says, to),
    }
}

pub(super) fn heard(name: &str, from: &Recalling<'_, Run>) -> Result<OfShared, NotRecalled> {
    let text = |payload: &Payload| super::text(payload, from);
    Ok(match name {
        "context_read" => {
            let ReadForm { step, values } = read(from)?;
            let value = |(context, key, version, value): (_, _, _, Payload)| {
                Ok((context, key, version, from.blobs.json(&value)?))
            };
            let values = values.into_iter().map(value).collect::<Result<_, NotRecalled>>()?;
            OfShared::Read { step, values }
        }
        "cache_looked_up" => {
            let LookedUpForm { step, key, found } = read(from)?;
            let found = found.map(|FoundForm { source, answer, artifacts }| {
                Ok::<_, NotRecalled>(FoundAnswer { source, answer: from.blobs.json(&answer)?, artifacts })
            });
            OfShared::LookedUp { step, key, found: found.transpose()? }
        }
        "cache_not_looked_up" => {
            let NotReadForm { step, code, message } = read(from)?;
            OfShared::NotLookedUp { step, why: (code, text(&message)?) }
        }
        "context_not_read" => {
            let NotReadForm { step, code, message } = read(from)?;
            OfShared::NotRead { step, why: (code, text(&message)?) }
        }
        "of_lock" => {
            let LockForm { of: LockOf { context, lock, owner }, says } = read(from)?;
            let says = match says {
                LockSaid::Granted { fence, until } => LockSays::Granted { fence, until },
                LockSaid::WaitEnded { holder } => LockSays::WaitEnded { holder },
            };
            OfShared::Lock(OfContext { context, lock, owner, says })
        }
        "lock_refused" => {
            let RefusedForm { step, of, code, message } = read(from)?;
            OfShared::LockRefused { step, of, why: (code, text(&message)?) }
        }
        "lock_given_back" => OfShared::GivenBack(read(from)?),
        "context_answered" => {
            let WrittenForm { step, fence, context, refused } = read(from)?;
            let refused = refused.map(|(code, message)| Ok::<_, NotRecalled>((code, text(&message)?)));
            OfShared::Written { step, fence, context, refused: refused.transpose()? }
        }
        "conversation_heard" | "conversation_not_heard" | "conversation_answered" => {
            OfShared::Conversation(conversations::heard(name, from)?)
        }
        _ => return Err(NotRecalled::Unknown { name: name.to_owned(), schema: from.form()?.schema }),
    })
}
