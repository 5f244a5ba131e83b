//! The event and the command of the cache of answers: a file for each (type, schema) that was ever written.

use reenact::aggregates::cache::{AnswerCache, CacheAsk, RECORDS};
use reenact::events::cache::{CacheCleared, CacheEvent};
use reenact::events::decision::{Decision, RecordedCommand};
use reenact::kernel::{Aggregate, Draft, Recalling, Recording};
use reenact::testing::MemoryBlobs;

use super::*;

#[test]
fn the_event_of_the_cache_is_written_as_ever_and_read_back() {
    let event = CacheEvent::from(CacheCleared { agent: Some(AgentName::new("ada")), by: "bob".into() });
    let name = format!("{}.{}.bin", event.kind(), event.schema());
    let bytes = event.encode().unwrap();
    let golden = golden(&name, &bytes);
    assert_eq!(golden, bytes, "{name}: bytes changed without a new schema number");
    assert_eq!(CacheEvent::decode(event.kind(), event.schema(), &golden).unwrap(), event, "{name}");
    assert_eq!(CacheEvent::TABLE, [(event.kind(), event.schema())]);
}

#[test]
fn the_command_of_the_cache_is_recorded_as_ever_and_recalled() {
    let stream = StreamId::of_cache();
    let ask = CacheAsk::Clear { agent: Some(AgentName::new("ada")), by: "bob".into() };
    let mut state = AnswerCache::default();
    let mut draft = Draft::new(&mut state, &stream, Version(0), Timestamp(0));
    let form = AnswerCache::record(ask.clone(), &mut Recording::new(&mut draft, 0)).unwrap().unwrap();
    let name = AnswerCache::name(&ask);
    assert_eq!(RECORDS, [(name, form.schema)]);
    let file = format!("command.{name}.{}.bin", form.schema);
    assert_eq!(golden(&file, &form.payload), form.payload, "{file}");
    let decision = Decision {
        command: RecordedCommand { name: name.into(), form: Some(form) },
        by: Some("bob".into()),
        ..Decision::named(&name.into())
    };
    let (state, blobs) = (AnswerCache::default(), MemoryBlobs::default());
    let recalling = Recalling { state: &state, decision: &decision, events: &[], blobs: &blobs };
    assert_eq!(AnswerCache::recall(&recalling).unwrap(), ask);
}
