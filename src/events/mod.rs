//! Everything that happened: the facts, what wraps them, and how they become bytes.
//!
//! - [`ids`]: names and numbers, a type each
//! - [`time`]: moments and durations
//! - [`json`]: JSON as text, and payloads that may be blobs
//! - [`text`]: texts from outside, and what they may do where they are shown
//! - [`problem`]: classes and stable codes of what can go wrong
//! - [`run`]: the events of a run; [`agent`]: of an agent; [`context`]: of a shared context; [`mind`]: of an
//!   agent with a memory; [`conversation`]: of a conversation;
//!   [`cache`]: of the cache of answers
//! - [`commit`]: what is stored together, chained by hashes
//! - [`decision`]: what each decision in a commit was made on
//! - [`codec`]: bytes of all of that, by type and schema
//! - [`money`]: amounts of money, from text
//! - [`rows`]: rows of read models, as keys and bytes
//! - [`limits`]: how long what is stored may be

pub mod agent;
pub mod cache;
pub mod codec;
pub mod commit;
pub mod context;
pub mod conversation;
pub mod decision;
pub mod ids;
pub mod json;
pub mod limits;
pub mod mind;
pub mod money;
pub mod problem;
pub mod rows;
pub mod run;
pub mod text;
pub mod time;
