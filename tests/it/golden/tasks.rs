//! Attempts that are handed out, and what is wanted of them.

use std::time::Duration;

use reenact::aggregates::run::{Ask, OfTask, TaskDoes};
use reenact::events::ids::{AgentName, Fence};
use reenact::events::json::Json;
use reenact::events::problem::Class;
use reenact::events::run::*;
use reenact::events::time::Timestamp;

use super::step;

const UNTIL: Timestamp = Timestamp(1_800_000_000_000_000);

pub(super) fn events() -> Vec<RunEvent> {
    let (purpose, step, attempt, lease) = (Purpose::Compensate, step("review"), 3, 300);
    vec![
        TaskOffered {
            purpose,
            step: step.clone(),
            attempt,
            fence: Fence(70_000),
            agent: AgentName::new("reviewer"),
            description: "Take back what was said".to_owned(),
        }
        .into(),
        TaskTaken { purpose, step: step.clone(), attempt, lease, by: "ada".into(), until: UNTIL }.into(),
        TaskProgressed {
            purpose,
            step: step.clone(),
            attempt,
            lease,
            until: UNTIL,
            percent: Some(40),
            text: Some("half way".to_owned()),
        }
        .into(),
        TaskLapsed { purpose, step, attempt, lease }.into(),
    ]
}

pub(super) fn commands() -> Vec<Ask> {
    let of_task = |does| Ask::OfTask(Box::new(OfTask { fence: Fence(300), by: "ada".into(), does }));
    let (lease, length) = (300, Duration::from_secs(1_800));
    vec![
        of_task(TaskDoes::Take { length }),
        of_task(TaskDoes::Complete { lease, answer: Json::parse(r#"{"ok": true}"#).unwrap() }),
        of_task(TaskDoes::Fail { lease, class: Class::Fatal, reason: "nobody answers".to_owned() }),
        of_task(TaskDoes::Heartbeat { lease, length, percent: Some(40), text: Some("half".to_owned()) }),
    ]
}
