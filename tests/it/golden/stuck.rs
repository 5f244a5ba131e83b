//! What is recorded of agents that hand over, and of those that are stuck.

use super::*;

pub(super) fn limits() -> StuckLimits {
    StuckLimits {
        answers: 4,
        handoffs: 300,
        time_us: Some(600_000_000),
        manager: Some(AgentName::new("publisher")),
    }
}

pub(super) fn events() -> Vec<RunEvent> {
    let agent = AgentName::new("publisher");
    let within = step("poll");
    let escalated = Escalated {
        step: step("poll#3"),
        attempt: 2,
        within: within.clone(),
        to: AgentName::new("boss"),
        why: StuckOn::Answer { agent, answer: blob("answer").hash, times: 4 },
        seen: "`publisher` gave the same answer 4 times".to_owned(),
    };
    vec![
        HandoffDeclared {
            step: step("tag"),
            attempt: 2,
            from: AgentName::new("publisher"),
            to: AgentName::new("security_reviewer"),
            reason: "what is left is a security question".to_owned(),
            context: Payload::Blob(blob("context")),
        }
        .into(),
        AnswerNoted { step: step("poll#3"), attempt: 2, within, answer: blob("answer").hash }.into(),
        escalated.into(),
        RepairAsked {
            step: step("plan"),
            attempt: 2,
            answered: Payload::Blob(blob("plan")),
            refused: "its plan cannot be done: `tasks`: there are none".to_owned(),
        }
        .into(),
    ]
}

/// A row of the table has one file: what else may show that an agent is stuck is held to its bytes here.
#[test]
fn what_shows_that_an_agent_is_stuck_is_written_as_ever() {
    let (from, to) = (AgentName::new("a"), AgentName::new("b"));
    let handoffs = codec::to_bytes(&StuckOn::Handoffs { from, to, times: 3 }).unwrap();
    assert_eq!(handoffs, [1, 1, b'a', 1, b'b', 3]);
    assert_eq!(codec::to_bytes(&StuckOn::Time { waited_us: 7 }).unwrap(), [2, 7]);
    let blockers = Hash([7; 32]);
    let blocked = codec::to_bytes(&StuckOn::Blocked { blockers }).unwrap();
    assert_eq!((&blocked[..2], &blocked[2..]), (&[3, 32][..], &[7; 32][..]));
    assert_eq!(codec::to_bytes(&StuckOn::Failed { code: Code::ExitUnknown }).unwrap()[0], 4);
    assert_eq!(codec::to_bytes(&Because::Escalation).unwrap(), [7]);
}
