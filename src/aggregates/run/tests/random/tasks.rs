//! Tasks that are taken, answered, given up, and forgotten, by who has them and by who has not.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{any_failure, pick};
use crate::aggregates::run::tests::play::Play;
use crate::aggregates::run::{Ask, OfTask, RunEffect, TaskDoes};
use crate::events::ids::{Fence, StepId};
use crate::events::json::Json;
use crate::events::run::{Purpose, RunEvent};
use crate::events::time::Timestamp;
use crate::kernel::Aggregate;
use crate::testing::Dice;

/// An agent whose attempts are handed out.
pub(super) const EVE: &str = r#"{"name":"eve","executor":"external"}"#;

/// What events say of who has tasks: written apart from the fold of a run.
#[derive(Debug, Default)]
pub(super) struct Leases(BTreeMap<(StepId, bool, u32), Lease>);

#[derive(Debug, Clone)]
struct Lease {
    fence: Fence,
    taken: u32,
    until: Option<Timestamp>,
}

impl Leases {
    /// Takes in the next event.
    pub(super) fn see(&mut self, event: &RunEvent) -> Result<(), String> {
        let key =
            |step: &StepId, purpose: Purpose, attempt: u32| (step.clone(), purpose == Purpose::Do, attempt);
        let none = || format!("{event:?}: there is no such task");
        match event {
            RunEvent::TaskOffered(task) => {
                let lease = Lease { fence: task.fence, taken: 0, until: None };
                match self.0.insert(key(&task.step, task.purpose, task.attempt), lease) {
                    None => {}
                    Some(_) => return Err(format!("{event:?} is handed out twice")),
                }
            }
            RunEvent::TaskTaken(task) => {
                let lease = self.0.get_mut(&key(&task.step, task.purpose, task.attempt)).ok_or_else(none)?;
                if lease.until.is_some() || task.lease != lease.taken + 1 {
                    return Err(format!("{event:?}: somebody has it under {lease:?}"));
                }
                (lease.taken, lease.until) = (task.lease, Some(task.until));
            }
            RunEvent::TaskProgressed(task) => {
                let lease = self.0.get_mut(&key(&task.step, task.purpose, task.attempt)).ok_or_else(none)?;
                if lease.until.is_none() || task.lease != lease.taken {
                    return Err(format!("{event:?}: nobody has it so"));
                }
                lease.until = Some(task.until);
            }
            RunEvent::TaskLapsed(task) => {
                let lease = self.0.get_mut(&key(&task.step, task.purpose, task.attempt)).ok_or_else(none)?;
                if lease.until.take().is_none() || task.lease != lease.taken {
                    return Err(format!("{event:?}: nobody had it so"));
                }
            }
            RunEvent::StepCompleted(done) => drop(self.0.remove(&(done.step.clone(), true, done.attempt))),
            RunEvent::StepCompensated(done) => drop(self.0.remove(&(done.step.clone(), false, done.attempt))),
            RunEvent::AttemptAnswered(done) => {
                self.0.remove(&key(&done.step, done.purpose, done.attempt));
            }
            RunEvent::AttemptFailed(failed) => {
                self.0.remove(&key(&failed.step, failed.purpose, failed.attempt));
            }
            RunEvent::AttemptLost(lost)
                if self.0.contains_key(&key(&lost.step, lost.purpose, lost.attempt)) =>
            {
                return Err(format!("{event:?}: a task is lost with no process"));
            }
            _ => {}
        }
        Ok(())
    }

    fn of(log: &[RunEvent]) -> Self {
        let mut leases = Self::default();
        log.iter().for_each(|event| leases.see(event).unwrap());
        leases
    }

    /// Whether an answer under that lease counts at that time of the wall clock.
    fn counts(&self, fence: Fence, lease: u32, wall: Timestamp) -> bool {
        let open = self.0.values().find(|open| open.fence == fence);
        open.is_some_and(|open| open.taken == lease && open.until.is_some_and(|until| until > wall))
    }
}

fn open(play: &Play) -> Vec<Fence> {
    let open = play.state().open().into_iter().filter_map(|effect| match effect {
        RunEffect::Task(attempt) => Some(attempt.fence),
        _ => None,
    });
    open.collect()
}

fn of(fence: Fence, does: TaskDoes) -> Ask {
    Ask::OfTask(Box::new(OfTask { fence, by: "eve".into(), does }))
}

/// Somebody wants something of a task, perhaps of one that is not theirs. Answers whether any is open.
pub(super) fn any(dice: &mut Dice, play: &mut Play) -> bool {
    let open = open(play);
    if open.is_empty() {
        return false;
    }
    let leases = Leases::of(&play.log);
    let fence = if dice.one_in(8) { Fence(1 + dice.below(40) as u64) } else { *pick(dice, &open) };
    let newest = leases.0.values().find(|open| open.fence == fence).map_or(0, |open| open.taken);
    let lease = if dice.one_in(5) { dice.below(3) as u32 } else { newest };
    let length = Duration::from_secs(1 + dice.below(30) as u64);
    let does = match dice.below(6) {
        0..3 => TaskDoes::Take { length },
        3 => TaskDoes::Heartbeat { lease, length, percent: Some(dice.below(100) as u8), text: None },
        4 => {
            let class = any_failure(dice).class;
            TaskDoes::Fail { lease, class, reason: "nobody knows".to_owned() }
        }
        _ => {
            let answer = pick::<&str>(dice, &super::ANSWERS);
            TaskDoes::Complete { lease, answer: Json::parse(answer).unwrap() }
        }
    };
    let is_take = matches!(does, TaskDoes::Take { .. });
    let counts = leases.counts(fence, lease, play.wall());
    let ask = of(fence, does);
    let refused = play.refusal(&ask);
    if !is_take {
        assert_eq!(refused.is_none(), counts, "{ask:?}: {refused:?} {leases:?}");
    }
    if refused.is_none() {
        play.ask(ask);
    }
    true
}

/// Somebody does all that is handed out.
pub(super) fn let_go_on(play: &mut Play) {
    // Who has forgotten what they took has it no longer.
    play.sleep(Duration::from_secs(31));
    for fence in open(play) {
        play.try_ask(of(fence, TaskDoes::Take { length: Duration::from_secs(60) }));
        let leases = Leases::of(&play.log);
        let newest = leases.0.values().find(|open| open.fence == fence).map_or(0, |open| open.taken);
        play.try_ask(of(fence, TaskDoes::Complete { lease: newest, answer: Json::parse("1").unwrap() }));
    }
}
