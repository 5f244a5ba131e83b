//! Files for people in a run's folder.
//!
//! - [`page`]: where they are, and what to undo by hand
//! - [`scribe`]: writes what people are asked, with what [`inspect`] finds in the work folder
//! - [`team`]: writes what a team shares that reaches a goal

pub mod inspect;
pub mod page;
pub mod scribe;
pub mod team;

pub use page::Pages;
