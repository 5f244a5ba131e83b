//! The events and commands of shared contexts: a file for each (type, schema) that was ever written.

use std::time::Duration;

use reenact::aggregates::context::{Acquire, Context, ContextAsk, RECORDS, Set, SetKey};
use reenact::events::context::*;
use reenact::events::decision::{Decision, RecordedCommand};
use reenact::events::ids::{ContextKey, KeyVersion, LockFence, LockName};
use reenact::kernel::{Aggregate, Draft, Recalling, Recording};
use reenact::testing::MemoryBlobs;

use super::*;

fn key(name: &str) -> ContextKey {
    ContextKey::parse(name).unwrap()
}

fn lock() -> LockName {
    LockName::parse("build").unwrap()
}

fn held() -> Held {
    Held { lock: lock(), fence: LockFence(70_000) }
}

fn until() -> Timestamp {
    Timestamp(1_795_219_200_000_000)
}

fn tells() -> Option<StreamId> {
    Some(StreamId::new("run", "first"))
}

fn events() -> Vec<ContextEvent> {
    let owner = || "run/first/tag/1".into();
    let keys = vec![
        KeySet { key: key("price"), version: KeyVersion(300), value: inline("{\"eur\": 12.50}") },
        KeySet { key: key("note"), version: KeyVersion(1), value: Payload::Blob(blob("note")) },
        KeySet { key: key("old"), version: KeyVersion(0), value: inline("null") },
    ];
    let (why, holder) = (WaitEnd::Withdrawn, Some("ada".into()));
    vec![
        ContextSet { keys, by: "ada".into(), held: Some(held()) }.into(),
        LockAwaited { lock: lock(), owner: owner(), lease_us: 30_000_000, until: until(), tells: tells() }
            .into(),
        LockGranted {
            lock: lock(),
            owner: owner(),
            fence: LockFence(70_000),
            until: until(),
            tells: tells(),
        }
        .into(),
        LockRenewed { held: held(), until: until() }.into(),
        LockReleased { held: held() }.into(),
        LockExpired { held: held() }.into(),
        LockWaitEnded { lock: lock(), owner: owner(), why, holder }.into(),
        LockWaitEndTold { lock: lock(), owner: owner() }.into(),
    ]
}

fn commands() -> Vec<ContextAsk> {
    let (owner, lease) = (|| "run/first/tag/1".into(), Duration::from_secs(30));
    let price = Json::parse("{\"eur\": 12.50}").unwrap();
    let keys = vec![
        SetKey { key: key("price"), value: price, expected: Some(KeyVersion(299)) },
        SetKey { key: key("old"), value: Json::null(), expected: None },
    ];
    vec![
        ContextAsk::Set(Set { keys, by: "ada".into(), held: Some(held()) }),
        ContextAsk::Acquire(Acquire {
            lock: lock(),
            owner: owner(),
            lease,
            until: Some(until()),
            tells: tells(),
        }),
        ContextAsk::Renew { held: held(), owner: owner(), lease },
        ContextAsk::Release { held: held(), owner: owner() },
        ContextAsk::Withdraw { lock: lock(), owner: owner() },
        ContextAsk::Told { lock: lock(), owner: owner() },
        ContextAsk::Due,
    ]
}

#[test]
fn every_event_of_a_context_is_written_as_ever_and_read_back() {
    for event in events() {
        let name = format!("{}.{}.bin", event.kind(), event.schema());
        let bytes = event.encode().unwrap();
        let golden = golden(&name, &bytes);
        assert_eq!(golden, bytes, "{name}: bytes changed without a new schema number");
        assert_eq!(ContextEvent::decode(event.kind(), event.schema(), &golden).unwrap(), event, "{name}");
    }
    let kinds: Vec<_> = events().iter().map(|event| (event.kind(), event.schema())).collect();
    assert_eq!(ContextEvent::TABLE, kinds);
}

#[test]
fn every_command_of_a_context_is_recorded_as_ever_and_recalled() {
    let stream = StreamId::new("context", "prices");
    for ask in commands() {
        let mut state = Context::default();
        let mut draft = Draft::new(&mut state, &stream, Version(0), Timestamp(0));
        let form = Context::record(ask.clone(), &mut Recording::new(&mut draft, 0)).unwrap().unwrap();
        let name = Context::name(&ask);
        assert!(RECORDS.contains(&(name, form.schema)));
        let file = format!("command.{name}.{}.bin", form.schema);
        assert_eq!(golden(&file, &form.payload), form.payload, "{file}");
        let decision = Decision {
            command: RecordedCommand { name: name.into(), form: Some(form) },
            by: Context::asked_by(&ask),
            ..Decision::named(&name.into())
        };
        let (state, blobs) = (Context::default(), MemoryBlobs::default());
        let recalling = Recalling { state: &state, decision: &decision, events: &[], blobs: &blobs };
        assert_eq!(Context::recall(&recalling).unwrap(), ask, "{name}");
    }
    assert_eq!(RECORDS.len(), commands().len());
}
