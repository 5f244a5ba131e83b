//! What keeps anything alive that lives on events, and knows none of it by name. Pure: no async, no clock, no world.
//!
//! - `aggregate`: a state that changes only by events; `effect`: what it wants done; `attention`: what it needs next
//! - `draft`: a decision in the making; `moment`: what it borrows
//! - [`fold`]: a state, and how far it was folded
//! - [`core`]: the whole life of an aggregate in a process, as inputs and outputs

mod aggregate;
mod attention;
pub mod core;
mod draft;
mod effect;
pub mod fold;
mod moment;

pub use self::aggregate::{Aggregate, At, IllegalEvent};
pub use self::attention::{Attention, Due, Own, People};
pub use self::draft::{Decided, Draft};
pub use self::effect::{Effect, EffectChanges, Lasts};
pub use self::moment::{Blobs, Moment, ReadBlob, Unreadable, Value, ValueKey};
