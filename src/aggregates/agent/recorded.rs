//! Commands as they are recorded. The shapes never change: a new one gets the next schema number under its command's name, and
//! its own file in `tests/golden`.

use serde::{Deserialize, Serialize};

use super::{Agent, AgentAsk, Turn};
use crate::events::codec::{CodecError, from_bytes, to_bytes};
use crate::events::decision::Form;
use crate::events::ids::AgentName;
use crate::kernel::{NotRecalled, Recalling};

const SCHEMA: u16 = 1;

/// Every (command, schema) that this build recalls.
pub const RECORDS: &[(&str, u16)] =
    &[("agent_register", 1), ("agent_pause", 1), ("agent_unpause", 1), ("agent_drain", 1)];

/// The recorded form of [`AgentAsk::Turn`]. The commit says which turn it is, and who asked.
#[derive(Serialize, Deserialize)]
struct Wish {
    agent: AgentName,
    reason: Option<String>,
    known: bool,
}

pub(super) const fn name(ask: &AgentAsk) -> &'static str {
    match ask {
        AgentAsk::Register(_) => "agent_register",
        AgentAsk::Turn { to: Turn::Pause, .. } => "agent_pause",
        AgentAsk::Turn { to: Turn::Unpause, .. } => "agent_unpause",
        AgentAsk::Turn { to: Turn::Drain, .. } => "agent_drain",
        AgentAsk::Recover => "recover",
    }
}

pub(super) fn record(ask: AgentAsk) -> Result<Option<Form>, CodecError> {
    let payload = match ask {
        AgentAsk::Register(registered) => to_bytes(&registered)?,
        AgentAsk::Turn { agent, reason, known, .. } => to_bytes(&Wish { agent, reason, known })?,
        AgentAsk::Recover => return Ok(None),
    };
    Ok(Some(Form { schema: SCHEMA, payload }))
}

pub(super) fn recall(from: &Recalling<'_, Agent>) -> Result<AgentAsk, NotRecalled> {
    let (form, name) = (from.form()?, &*from.decision.command.name);
    let to = match (name, form.schema) {
        ("agent_register", SCHEMA) => {
            return from_bytes(&form.payload).map(AgentAsk::Register).map_err(|error| from.broken(error));
        }
        ("agent_pause", SCHEMA) => Turn::Pause,
        ("agent_unpause", SCHEMA) => Turn::Unpause,
        ("agent_drain", SCHEMA) => Turn::Drain,
        (_, schema) => return Err(NotRecalled::Unknown { name: name.to_owned(), schema }),
    };
    let Wish { agent, reason, known } = from_bytes(&form.payload).map_err(|error| from.broken(error))?;
    let by = from.decision.by.clone().ok_or_else(|| from.broken("it does not say who asked"))?;
    Ok(AgentAsk::Turn { agent, by, reason, to, known })
}
