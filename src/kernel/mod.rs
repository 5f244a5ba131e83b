//! What keeps alive any state that lives on events, without knowing any of them by name. Pure: no async,
//! no clock, no world.
//!
//! - `aggregate`: a state that changes only by events, and a decision on it in the making; `effect`: what it
//!   wants done; `attention`: what it needs next
//! - `moment`: what a decision borrows; `clocks`: the two clocks of a process, and what is due by which
//! - `message`: what one stream says to another
//! - [`fold`]: a state, and up to which event it was folded; [`answered`]: which commands
//!   were answered by then
//! - [`redecide`]: lets today's code decide again what was decided
//! - [`standing`]: where a stream is, as its fold says; [`projection`]: rows that are folded from events, and
//!   their runner
//! - [`core`]: the whole life of an aggregate in a process, as inputs and outputs

mod aggregate;
pub mod answered;
mod attention;
mod clocks;
pub mod core;
mod effect;
pub mod fold;
mod message;
mod moment;
pub mod projection;
pub mod redecide;
pub mod standing;

pub use self::aggregate::{
    Aggregate, At, Decided, Draft, Grants, IllegalEvent, NotRecalled, Recalling, Recording,
};
pub use self::attention::{Attention, Own, People};
pub use self::clocks::{Deadline, Due, Now};
pub use self::effect::{Effect, EffectChanges, Lasts, NoEffect};
pub use self::message::{Message, Said, Write};
pub use self::moment::{Blobs, Moment, ReadBlob, Unreadable, Value, ValueKey};
