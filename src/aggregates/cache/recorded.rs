//! The command as it is recorded. Its shape never changes: a new one gets the next schema number, and its own file in
//! `tests/golden`.

use super::{AnswerCache, CacheAsk};
use crate::events::codec::{CodecError, from_bytes, to_bytes};
use crate::events::decision::Form;
use crate::events::ids::AgentName;
use crate::kernel::{NotRecalled, Recalling};

/// The name of the command.
const NAME: &str = "clear_cache";

const SCHEMA: u16 = 1;

/// Every (command, schema) that this build recalls.
pub const RECORDS: &[(&str, u16)] = &[(NAME, SCHEMA)];

pub(super) const fn name(ask: &CacheAsk) -> &'static str {
    match ask {
        CacheAsk::Clear { .. } => NAME,
        CacheAsk::Nothing => "nothing",
    }
}

/// Who asks is recorded beside it.
pub(super) fn record(ask: CacheAsk) -> Result<Option<Form>, CodecError> {
    match ask {
        CacheAsk::Clear { agent, by: _ } => Ok(Some(Form { schema: SCHEMA, payload: to_bytes(&agent)? })),
        CacheAsk::Nothing => Ok(None),
    }
}

pub(super) fn recall(from: &Recalling<'_, AnswerCache>) -> Result<CacheAsk, NotRecalled> {
    let form = from.form()?;
    if form.schema != SCHEMA || &*from.decision.command.name != NAME {
        let name = from.decision.command.name.to_string();
        return Err(NotRecalled::Unknown { name, schema: form.schema });
    }
    let agent: Option<AgentName> = from_bytes(&form.payload).map_err(|error| from.broken(error))?;
    let by = from.decision.by.clone().ok_or_else(|| from.broken("it does not say who asked"))?;
    Ok(CacheAsk::Clear { agent, by })
}
