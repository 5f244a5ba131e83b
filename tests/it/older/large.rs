//! The run of 100,000 events of the older store. Its bytes are made here as that version wrote them, by a writer of its
//! own that never changes: format 1 of commits, layout 1 of the store.

use std::path::Path;
use std::sync::Arc;

use reenact::events::commit::Recorded;
use reenact::events::ids::{StreamId, Version};
use reenact::store::EventStore;
use reenact::store::sled::{SledOptions, SledStore};

use super::older;

const RUN: &str = "large";

/// How many events it gets.
const EVENTS: u64 = 100_000;

/// How many events a commit of its has.
const COMMIT_EVENTS: u64 = 500;

/// How many bytes a value of the tree has at most.
const VALUE_BYTES_MAX: usize = 4096;

/// A number as bincode 2 writes it in its standard configuration.
fn number(bytes: &mut Vec<u8>, number: u64) {
    match number {
        0..=250 => bytes.push(number as u8),
        251..=0xffff => {
            bytes.push(251);
            bytes.extend((number as u16).to_le_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            bytes.push(252);
            bytes.extend((number as u32).to_le_bytes());
        }
        _ => {
            bytes.push(253);
            bytes.extend(number.to_le_bytes());
        }
    }
}

/// Bytes, or a text, with their length before them.
fn text(bytes: &mut Vec<u8>, text: &[u8]) {
    number(bytes, text.len() as u64);
    bytes.extend(text);
}

/// What a commit's events share.
struct Header<'a> {
    stream: &'a str,
    first: u64,
    at_us: i64,
    causation: &'a str,
    code_version: &'a str,
}

impl Header<'_> {
    fn digest(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        let at_us = self.at_us.to_le_bytes();
        let fields: [&[u8]; 5] =
            [self.stream.as_bytes(), &at_us, b"", self.causation.as_bytes(), self.code_version.as_bytes()];
        for field in fields {
            hasher.update(&(field.len() as u64).to_le_bytes()).update(field);
        }
        *hasher.finalize().as_bytes()
    }

    fn write(&self, bytes: &mut Vec<u8>) {
        text(bytes, self.stream.as_bytes());
        number(bytes, self.first);
        number(bytes, (self.at_us as u64) << 1);
        // No correlation.
        bytes.push(0);
        text(bytes, self.causation.as_bytes());
        text(bytes, self.code_version.as_bytes());
        // No origin.
        bytes.push(0);
    }
}

/// A commit of format 1, as a long value: what says that it is one, the format's number, header, events.
fn commit(header: &Header<'_>, events: &[&Recorded], parent: &mut [u8; 32]) -> Vec<u8> {
    let mut bytes = vec![2, 1];
    header.write(&mut bytes);
    number(&mut bytes, events.len() as u64);
    let digest = header.digest();
    for (version, recorded) in (header.first..).zip(events) {
        let event = &recorded.event;
        let mut hasher = blake3::Hasher::new();
        hasher.update(parent).update(&digest).update(&version.to_le_bytes());
        hasher.update(&(event.kind.len() as u64).to_le_bytes()).update(event.kind.as_bytes());
        hasher.update(&event.schema.to_le_bytes()).update(&event.payload);
        *parent = *hasher.finalize().as_bytes();
        text(&mut bytes, event.kind.as_bytes());
        number(&mut bytes, event.schema.into());
        text(&mut bytes, &event.payload);
        text(&mut bytes, &*parent);
    }
    bytes
}

/// Writes what the run had at last, a pause and its end, again and again.
fn grow(data: &Path, last_position: u64, past: &[Recorded]) {
    let last = past.last().unwrap();
    let [unpaused, paused] = &past[past.len() - 2..] else { unreachable!() };
    assert_eq!((&*unpaused.event.kind, &*paused.event.kind), ("run_unpaused", "run_paused"));
    let stream = StreamId::new("run", RUN);
    let mut parent = last.event.hash.0;
    let (mut version, mut position) = (last.version.0, last_position);
    let db = sled::Config::new().path(data.join("events")).flush_every_ms(None).open().unwrap();
    while version < EVENTS {
        let events: Vec<_> = [unpaused, paused].into_iter().cycle().take(COMMIT_EVENTS as usize).collect();
        let header = Header {
            stream: stream.as_str(),
            first: version + 1,
            at_us: last.header.recorded_at.0 + i64::try_from(version).unwrap(),
            causation: &last.header.causation,
            code_version: &last.header.code_version,
        };
        let bytes = commit(&header, &events, &mut parent);
        for (part, value) in (0_u16..).zip(bytes.chunks(VALUE_BYTES_MAX)) {
            let mut key = [b"c".as_slice(), &(position + 1).to_be_bytes()].concat();
            if part > 0 {
                key.extend(part.to_be_bytes());
            }
            db.insert(key, value).unwrap();
        }
        (version, position) = (version + COMMIT_EVENTS, position + COMMIT_EVENTS);
    }
    db.flush().unwrap();
}

#[test]
fn a_run_of_a_hundred_thousand_events_is_read_verified_and_goes_on() {
    let sandbox = older();
    let before = sandbox.json(0, &["verify"])["events"].as_u64().unwrap();
    let past = {
        let options = SledOptions::default();
        let store: Arc<dyn EventStore> = Arc::new(SledStore::open(&sandbox.data(), options).unwrap());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let stream = StreamId::new("run", RUN);
        let past = runtime.block_on(store.read_stream(&stream, Version(0), 1000)).unwrap();
        runtime.block_on(store.close()).unwrap();
        past
    };
    grow(&sandbox.data(), before, &past);
    let verified = sandbox.json(0, &["verify"]);
    let more = verified["events"].as_u64().unwrap() - before;
    assert!(more >= EVENTS - past.last().unwrap().version.0, "{verified}");
    let version = sandbox.status(RUN)["version"].as_u64().unwrap();
    assert!(version >= EVENTS);
    assert_eq!(sandbox.json(0, &["replay", RUN, "--at", "77777"])["version"], 77_777);
    sandbox.json(0, &["unpause", RUN]);
    let run = sandbox.json(0, &["resume", RUN]);
    assert_eq!(
        (run["status"].as_str(), run["progress"]["done"].as_u64()),
        (Some("completed"), Some(3)),
        "{run}"
    );
    assert_eq!(sandbox.json(0, &["verify"])["ok"], true);
}
