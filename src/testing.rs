//! A kit for tests: of decisions, of runs, and of any workflow's promises.
//!
//! - [`given()`]: given events, when a command, then events
//! - [`hosted`]: any aggregate, in the core that keeps it alive; a test controls its time and its crashes
//! - [`simulation`]: the same for one run
//! - [`world`]: what a simulated run acts on: closures, functions, programs
//! - [`saga`]: failures, timeouts, crashes and repetitions at every step of a workflow, and what must hold
//!   in spite of them
//! - [`promises`]: what must hold of every history
//! - [`words`]: a history as people read it
//!
//! ```
//! use reenact::testing::given;
//! use reenact::aggregates::run::{Ask, Run, RunRejection};
//!
//! given::<Run>("run/nobody")
//!     .when(Ask::Go)
//!     .then_rejected(|rejection| matches!(rejection, RunRejection::NotStarted));
//! ```

mod broken;
mod dice;
mod given_when_then;
pub mod hosted;
pub mod promises;
pub mod saga;
pub mod simulation;
pub mod words;
pub mod world;

pub use broken::Broken;
pub use dice::Dice;
pub use given_when_then::{Given, MemoryBlobs, When, given};
pub use hosted::Hosted;
pub use saga::{SagaTest, Summary};
pub use simulation::Simulation;
pub use world::World;
