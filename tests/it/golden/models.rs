//! What is recorded of calls of models.

use reenact::workflow::work::ModelCall;

use super::*;

fn json(text: &str) -> Json {
    Json::parse(text).unwrap()
}

/// Two turns: the first with all that a call may say, the second one that failed.
pub(super) fn calls() -> Vec<ModelCall> {
    let whole = ModelCall {
        turn: 1,
        provider: "local".into(),
        model: "small".into(),
        id: "qwen3:8b".into(),
        parameters: json("{\"max_tokens\":8000,\"temperature\":0.3}"),
        system: Some(json("\"You tag.\"")),
        tools: Some(json("[{\"name\":\"search\"}]")),
        messages: vec![json("{\"role\":\"user\",\"content\":[]}")],
        answer: Some(json("{\"role\":\"assistant\",\"content\":[]}")),
        stop: Some("end_turn".into()),
        tokens: Some(Tokens { input: 300, output: 70_000, cached: 7 }),
        usd_nanos: 5_000_000_000,
        latency_us: 1_200_000,
        first_us: Some(300_000),
        request_id: Some("req_1".into()),
        error: None,
    };
    let failed = ModelCall {
        turn: 2,
        error: Some(Code::ModelAnswerLost),
        messages: vec![json("{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"again\"}]}")],
        ..ModelCall { system: None, tools: None, answer: None, tokens: None, ..whole.clone() }
    };
    vec![whole, failed]
}

/// It as events say it.
pub(super) fn called() -> Vec<RunEvent> {
    let step = step("tag");
    let recorded = |call: ModelCall| call.recorded((Purpose::Do, &step, 2), Payload::Inline);
    calls().into_iter().map(|call| recorded(call).into()).collect()
}

pub(super) fn events() -> Vec<RunEvent> {
    let mut blobs = vec!["system", "tools", "message", "answer"].into_iter();
    let RunEvent::ModelCalled(mut first) = called().swap_remove(0) else { unreachable!() };
    let mut next = || Payload::Blob(blob(blobs.next().unwrap()));
    (first.system, first.tools, first.messages, first.answer) =
        (Some(next()), Some(next()), vec![next(), inline("{}")], Some(next()));
    first.error = Some(Code::ModelCutShort);
    vec![first.into()]
}
