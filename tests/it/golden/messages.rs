//! What the agents of a run say to each other.

use reenact::events::ids::MessageNumber;

use super::*;

pub(super) fn events() -> Vec<RunEvent> {
    let (step, agent) = (|| step("tag"), AgentName::new);
    let expired = |why| MessageExpired { number: MessageNumber(300), receiver: agent("publisher"), why };
    let why = ExpiredWhy::TriedTooOften { tries: 5, code: Code::ExitUnknown, message: "exit 1".to_owned() };
    vec![
        MessageSent {
            number: MessageNumber(300),
            from: agent("tagger"),
            step: step(),
            purpose: Purpose::Compensate,
            attempt: 2,
            to: Address::Topic("release.tagged".into()),
            receivers: vec![agent("publisher"), agent("announcer")],
            kind: MessageKind::Handoff,
            type_name: Some("Tagged".into()),
            priority: Priority::Urgent,
            correlation: Some("release-7/12".into()),
            causation: Some(MessageNumber(12)),
            deadline: Some(Timestamp(1_795_219_200_000_000)),
            body: Payload::Blob(blob("body")),
            by: Some("ada".into()),
        }
        .into(),
        MessageHandled {
            number: MessageNumber(300),
            receiver: agent("publisher"),
            step: step(),
            purpose: Purpose::Compensate,
            attempt: 2,
        }
        .into(),
        expired(why).into(),
    ]
}

/// What else the fields of these events may hold keeps its bytes, too.
#[test]
fn every_variant_is_written_as_ever() {
    let whys = [ExpiredWhy::Deadline, ExpiredWhy::NoReceiver { nearest: Some(AgentName::new("ada")) }];
    let all =
        (whys, [Address::Agent(AgentName::new("ada")), Address::Everyone], MessageKind::ALL, Priority::ALL);
    let bytes = codec::to_bytes(&all).unwrap();
    assert_eq!(golden("message.variants.1.bin", &bytes), bytes);
}
