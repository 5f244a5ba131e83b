//! Files for people in a run's folder.
//!
//! - [`page`]: where they are, and what to undo by hand
//! - [`scribe`]: writes what people are asked, with what [`inspect`] finds in the work folder

pub mod inspect;
pub mod page;
pub mod scribe;

pub use page::Pages;
