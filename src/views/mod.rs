//! The views that people look at: read models, folded from all events, and presenters, which show one run. Read models
//! can be thrown away and made again.
//!
//! - [`projections`]: read models
//! - [`projector`]: keeps read models up to date; [`standings`]: where the streams are that they show
//! - [`log`]: reads the log page by page, as it grows
//! - [`presenters`]: pages and reports of one run
//! - [`escaped`]: texts from outside, on their way to a page or a terminal

pub mod escaped;
pub mod log;
mod markdown;
pub mod presenters;
pub mod projections;
pub mod projector;
pub mod standings;

pub use markdown::{command_line, for_shell};
