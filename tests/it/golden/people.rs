//! What people are asked and what they say, with every field set to something that is not its default.

use reenact::events::ids::{Hash, RequestId, TimerId};
use reenact::events::run::*;
use reenact::events::time::Timestamp;

use super::{inline, step};

fn request() -> RequestId {
    RequestId::named("0123456789ab")
}

pub(super) fn requested() -> ApprovalRequested {
    ApprovalRequested {
        request: request(),
        step: step("tag"),
        gate: Gate::After,
        what: inline("{\"output\": 1}"),
        hash: Hash::of(b"what"),
        approvers: vec!["ada".into(), "ben".into()],
        needed: 2,
        expires: Some(Timestamp(70_000)),
        timer: Some(TimerId::request(&request())),
        checklist: vec!["The notes are right".to_owned()],
        require_checklist: true,
    }
}

pub(super) fn events() -> Vec<RunEvent> {
    vec![
        requested().into(),
        ApprovalChecked { request: request(), by: "ada".into(), points: vec![1, 300] }.into(),
        ApprovalGranted {
            request: request(),
            by: "ada".into(),
            note: Some("go".to_owned()),
            edits: Some(inline("{\"version\": \"2\"}")),
            output: Some(inline("{\"version\": \"2\"}")),
        }
        .into(),
        ApprovalRefused { request: request(), by: "ben".into(), note: "not on a Friday".to_owned() }.into(),
        ApprovalExpired { request: request() }.into(),
        SignalAwaited {
            step: step("paid"),
            name: "payment".into(),
            expires: Some(Timestamp(1)),
            timer: Some(TimerId::wait(&step("paid"))),
        }
        .into(),
        SignalReceived { name: "payment".into(), data: inline("{\"euros\": 3}"), by: "ada".into() }.into(),
    ]
}
