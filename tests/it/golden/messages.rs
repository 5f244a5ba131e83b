//! What the agents of a run say to each other.

use reenact::aggregates::run::Ask;
use reenact::events::ids::MessageNumber;
use reenact::workflow::work::{AgentRequest, Failure, Output};

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
            delivery: Some(Fence(70_000)),
            at_once: true,
            asks: Some(300),
            live: vec![agent("announcer")],
        }
        .into(),
        MessageHandled {
            number: MessageNumber(300),
            receiver: agent("publisher"),
            step: step(),
            purpose: Purpose::Compensate,
            attempt: 2,
            delivery: Some(Fence(70_000)),
        }
        .into(),
        given().into(),
        DeliveryStarted {
            number: MessageNumber(300),
            receiver: agent("announcer"),
            nth: 2,
            fence: Fence(70_000),
            deadline: Timestamp(1_795_219_200_000_000),
        }
        .into(),
        DeliveryFailed {
            number: MessageNumber(300),
            receiver: agent("announcer"),
            fence: Fence(70_000),
            class: Class::Dependency,
            code: Code::ExitUnknown,
            message: "exit 1".to_owned(),
        }
        .into(),
        DeliveryLost {
            number: MessageNumber(300),
            receiver: agent("announcer"),
            fence: Fence(70_000),
            interrupted: true,
        }
        .into(),
        expired(why).into(),
    ]
}

fn given() -> MessageGiven {
    MessageGiven {
        number: MessageNumber(300),
        receiver: AgentName::new("publisher"),
        step: step("tag"),
        purpose: Purpose::Compensate,
        attempt: 2,
    }
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

/// What was sent and handled when only attempts did either.
pub(super) fn older_are_read() {
    for event in events() {
        match event {
            RunEvent::MessageSent(sent) => {
                let live = Vec::new();
                let meant = MessageSent { delivery: None, at_once: false, asks: None, live, ..sent };
                is_read_as("message_sent", 1, &meant.into());
            }
            RunEvent::MessageHandled(handled) => {
                is_read_as("message_handled", 1, &MessageHandled { delivery: None, ..handled }.into());
            }
            _ => {}
        }
    }
}

pub(super) fn commands() -> Vec<Ask> {
    let json = |text: &str| Json::parse(text).unwrap();
    let message = json("{\"to\": \"pricing\", \"kind\": \"request\", \"type_name\": \"quote\"}");
    let (fence, key) = (Fence(70_000), "price".to_owned());
    let requests = vec![
        AgentRequest::Send(message.clone()),
        AgentRequest::Context { key, value: json("{\"eur\": 12.50}") },
    ];
    let output = Output { output: json("{\"eur\": 7}"), requests, ..Output::default() };
    let failure = Failure::new(Code::ExitUnknown, "because ".repeat(100)).class(Class::Fatal);
    vec![
        Ask::Say { step: step("tag"), fence, message, asks: Some(300) },
        Ask::Handled { step: step("tag"), fence, number: MessageNumber(300) },
        Ask::Delivered { fence, output },
        Ask::NotDelivered { fence, failure },
    ]
}
