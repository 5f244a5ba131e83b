//! What the runs of a family say to each other: a parent to the child that a step of it started, and the child to its parent.
//! All of it may be heard again after a crash, and is taken in once.

use serde::{Deserialize, Serialize};

use super::start::StartRun;
use crate::events::ids::{RunId, StepId, Version};
use crate::events::json::Json;
use crate::events::problem::Class;
use crate::events::run::Parent;
use crate::workflow::work::Child;

/// Something that a parent wants of its child, as the child hears it.
#[derive(Debug, Clone)]
pub struct ForParent {
    /// The parent, and the step whose child it is.
    pub parent: Parent,
    /// The thing that it wants.
    pub wants: Wants,
}

impl ForParent {
    /// What it begins the child with, if that has not begun.
    pub(super) fn begins(&self) -> Option<&StartRun> {
        match &self.wants {
            Wants::Done { start, .. } => Some(start),
            _ => None,
        }
    }
}

/// The things that a parent may want of its child.
#[derive(Debug, Clone)]
pub enum Wants {
    /// To be done: to begin, or to go on from where it had ended when that was last told.
    Done {
        /// Everything that the child begins with.
        start: Box<StartRun>,
        /// Its version when its end was last told.
        told: Option<Version>,
    },
    /// To undo what it did.
    Undone {
        /// Its version when its end was last told.
        told: Option<Version>,
    },
    /// To end: what it runs is told to stop.
    Cancelled {
        /// Whether what it did is to be undone.
        rollback: bool,
    },
    /// To hear whether it may pass the point of no return.
    Answered {
        /// Whether it may pass it.
        granted: bool,
    },
}

/// Something that a child tells its parent, as the parent hears it.
#[derive(Debug, Clone)]
pub struct OfChild {
    /// The child that tells it.
    pub run: RunId,
    /// The step that it is for.
    pub step: StepId,
    /// The thing that it tells.
    pub says: ChildSays,
}

/// The things that a child may tell its parent.
#[derive(Debug, Clone)]
pub enum ChildSays {
    /// That it waits for people and for nothing else.
    Rests(Version),
    /// That it goes on.
    Goes(Version),
    /// That it has ended.
    Ended(Box<EndedChild>),
    /// That it wants to pass the point of no return.
    AsksReturn,
}

/// What a run that is a child last had to tell its parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Word {
    /// The thing that it had to tell.
    pub says: Says,
    /// The version since which that is so.
    pub version: Version,
}

/// What a child may have to tell about how it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Says {
    /// It waits for people and for nothing else.
    Rests,
    /// It goes on after it had rested or ended.
    Goes,
    /// It has ended, and goes on only if somebody asks for that.
    Ended,
}

/// A child that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedChild {
    /// How it is, for the parent to record.
    pub seen: Child,
    /// Its output; null unless it completed.
    pub output: Json,
    /// The class and the message of its error; none if nothing went wrong.
    pub failure: Option<(Class, String)>,
}
