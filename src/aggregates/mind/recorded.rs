//! The command as it is recorded. Its shape never changes: a new one gets the next schema number, and its own file in
//! `tests/golden`.

use serde::{Deserialize, Serialize};

use super::{Mind, MindAsk, Take};
use crate::events::codec::{CodecError, from_bytes, to_bytes};
use crate::events::decision::Form;
use crate::events::ids::ContextKey;
use crate::events::json::Payload;
use crate::events::mind::MindEvent;
use crate::kernel::{NotRecalled, Recalling, Recording};

/// The name of the command.
const NAME: &str = "take_message";

const SCHEMA: u16 = 1;

/// Every (command, schema) that this build recalls.
pub const RECORDS: &[(&str, u16)] = &[(NAME, SCHEMA)];

/// What the first event does not say: what is remembered in all, and after how many messages it was thought.
#[derive(Serialize, Deserialize)]
struct TakeForm {
    remembers: Vec<(ContextKey, Payload)>,
    after: u64,
}

pub(super) const fn name(ask: &MindAsk) -> &'static str {
    match ask {
        MindAsk::Take(_) => NAME,
        MindAsk::Nothing => "nothing",
    }
}

pub(super) fn record(ask: MindAsk, to: &mut Recording<'_, '_, Mind>) -> Result<Option<Form>, CodecError> {
    let MindAsk::Take(take) = ask else { return Ok(None) };
    let remembers = take.remembers.into_iter().map(|(key, value)| (key, to.payload(value))).collect();
    let form = TakeForm { remembers, after: take.after };
    Ok(Some(Form { schema: SCHEMA, payload: to_bytes(&form)? }))
}

pub(super) fn recall(from: &Recalling<'_, Mind>) -> Result<MindAsk, NotRecalled> {
    let form = from.form()?;
    if form.schema != SCHEMA || &*from.decision.command.name != NAME {
        let name = from.decision.command.name.to_string();
        return Err(NotRecalled::Unknown { name, schema: form.schema });
    }
    let TakeForm { remembers, after } = from_bytes(&form.payload).map_err(|error| from.broken(error))?;
    let taken = from.events.iter().find_map(|event| match event {
        MindEvent::MessageTaken(taken) => Some(taken),
        MindEvent::Remembered(_) => None,
    });
    let taken = taken.ok_or_else(|| from.broken("no event says which message it took in"))?;
    let json = |payload: &Payload| from.blobs.json(payload);
    let remembers = remembers.into_iter().map(|(key, value)| Ok::<_, NotRecalled>((key, json(&value)?)));
    Ok(MindAsk::Take(Box::new(Take {
        message: taken.message.clone(),
        from: taken.from.clone(),
        type_name: taken.type_name.clone(),
        body: json(&taken.body)?,
        answer: json(&taken.answer)?,
        sends: taken.sends.iter().map(json).collect::<Result<_, _>>()?,
        remembers: remembers.collect::<Result<_, _>>()?,
        after,
    })))
}
