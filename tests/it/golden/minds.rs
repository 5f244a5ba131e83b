//! The events and the command of minds: a file for each (type, schema) that was ever written.

use reenact::aggregates::mind::{Mind, MindAsk, RECORDS, Take};
use reenact::events::decision::{Decision, RecordedCommand};
use reenact::events::ids::{ContextKey, KeyVersion};
use reenact::events::mind::{MessageTaken, MindEvent, Remembered};
use reenact::kernel::{Aggregate, Draft, Recalling, Recording};
use reenact::testing::MemoryBlobs;

use super::*;

fn key() -> ContextKey {
    ContextKey::parse("seen").unwrap()
}

fn json(text: &str) -> Json {
    Json::parse(text).unwrap()
}

fn taken() -> MessageTaken {
    MessageTaken {
        message: "order-7/300".into(),
        from: AgentName::new("buyer"),
        type_name: Some("quote".into()),
        body: Payload::Inline(json("{\"item\":\"tea\"}")),
        answer: Payload::Inline(json("12.50")),
        sends: vec![Payload::Inline(json("{\"to\":\"ledger\",\"kind\":\"notice\"}"))],
    }
}

fn events() -> Vec<MindEvent> {
    let value = Payload::Blob(blob("value"));
    vec![taken().into(), Remembered { key: key(), version: KeyVersion(300), value }.into()]
}

#[test]
fn every_event_of_a_mind_is_written_as_ever_and_read_back() {
    for event in events() {
        let name = format!("{}.{}.bin", event.kind(), event.schema());
        let bytes = event.encode().unwrap();
        let golden = golden(&name, &bytes);
        assert_eq!(golden, bytes, "{name}: bytes changed without a new schema number");
        assert_eq!(MindEvent::decode(event.kind(), event.schema(), &golden).unwrap(), event, "{name}");
    }
    let kinds: Vec<_> = events().iter().map(|event| (event.kind(), event.schema())).collect();
    assert_eq!(MindEvent::TABLE, kinds);
}

#[test]
fn the_command_of_a_mind_is_recorded_as_ever_and_recalled() {
    let stream = StreamId::new("mind", "pricing");
    let MessageTaken { message, from, type_name, .. } = taken();
    let ask = MindAsk::Take(Box::new(Take {
        message,
        from,
        type_name,
        body: json("{\"item\":\"tea\"}"),
        answer: json("12.50"),
        sends: vec![json("{\"to\":\"ledger\",\"kind\":\"notice\"}")],
        remembers: vec![(key(), json("3"))],
        after: 70_000,
    }));
    let mut state = Mind::default();
    let mut draft = Draft::new(&mut state, &stream, Version(0), Timestamp(0));
    let form = Mind::record(ask.clone(), &mut Recording::new(&mut draft, 0)).unwrap().unwrap();
    let name = Mind::name(&ask);
    assert_eq!(RECORDS, [(name, form.schema)]);
    let file = format!("command.{name}.{}.bin", form.schema);
    assert_eq!(golden(&file, &form.payload), form.payload, "{file}");
    let decision = Decision {
        command: RecordedCommand { name: name.into(), form: Some(form) },
        ..Decision::named(&name.into())
    };
    let (state, blobs, events) = (Mind::default(), MemoryBlobs::default(), [taken().into()]);
    let recalling = Recalling { state: &state, decision: &decision, events: &events, blobs: &blobs };
    assert_eq!(Mind::recall(&recalling).unwrap(), ask);
}
