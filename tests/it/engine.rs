//! The engine as a library: functions as agents, a store in memory, a clock that the test holds.

mod agents;
mod cache;
mod children;
mod clocks;
mod contexts;
mod counter;
mod crashes;
mod decisions;
mod deliveries;
mod kinds;
mod kit;
mod lacking;
mod lives;
mod past;
mod recovery;
mod resting;
mod routing;
mod seeker;
mod shared;
mod slots;
mod snapshots;
mod stops;
mod store;
mod stuck;
mod subscribe;
mod timers;
