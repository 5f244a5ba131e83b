//! A run whose agents say very much to each other: the last message costs what the first did.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use super::play::Play;
use super::*;
use crate::events::ids::{Fence, StreamId};
use crate::events::limits::{MESSAGES_GIVEN_MAX, MESSAGES_SENT_MAX};
use crate::kernel::{Draft, Moment as MomentOf};
use crate::testing::MemoryBlobs;
use crate::workflow::work::AgentRequest;

/// How many attempts send as many messages as one may.
const SENDERS: usize = 100;

/// How many attempts handle what one of them has sent.
const HANDLERS: usize = MESSAGES_SENT_MAX / MESSAGES_GIVEN_MAX;

/// How many rounds at the beginning, and at the end, are looked at: the quickest counts, for others use its caches.
const LOOKED_AT: usize = 10;

/// How much this thread has used of a processor: what others do beside it does not count.
fn used() -> Duration {
    let used = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(used.tv_sec as u64, used.tv_nsec as u32)
}

/// A run, and what it decides on.
struct Many {
    run: Run,
    stream: StreamId,
    blobs: MemoryBlobs,
    version: Version,
}

impl Many {
    fn decide(&mut self, ask: Ask, agent: &str) {
        let grants = Grants([(AgentName::new(agent), 1)].into());
        let now = Timestamp(1_000_000);
        let moment = MomentOf {
            now,
            wall: now,
            blobs: &self.blobs,
            seed: 0,
            grants: Some(&grants),
            driven_since: now,
        };
        let mut draft = Draft::new(&mut self.run, &self.stream, self.version, now);
        Run::decide(&mut draft, ask, &moment).unwrap();
        let decided = draft.finish();
        assert_eq!(decided.illegal, None);
        self.version = self.version.plus(decided.events.len() as u64);
    }

    fn complete(&mut self, step: String, requests: Vec<AgentRequest>, next: &str) {
        let step = StepId::grown(&step);
        let fence = self.run.node(&step).unwrap().1.open_attempt().unwrap().fence;
        let output = Output { requests, ..Output::default() };
        self.decide(Ask::Completed { step, fence, output }, next);
    }
}

#[test]
fn the_last_of_a_hundred_thousand_messages_costs_what_the_first_did() {
    // Its graph grows as it goes, so that nothing gets cheaper meanwhile.
    let looped = |id: &str, agent: &str, rounds: usize| {
        format!(
            "\n  - {{id: {id}, needs: [], agent: {agent}, repeat: {{until: round >= {rounds}, max: {rounds}}}}}"
        )
    };
    let handlers = looped("h", "bob", SENDERS * HANDLERS);
    let yaml = format!("name: many\nsteps:{}{handlers}", looped("s", "ada", SENDERS));
    let play = Play::start_as(&yaml, |start| {
        (start.parallel, start.drive) = (2, false);
    });
    let blobs = MemoryBlobs::default();
    let mut many = Many {
        run: play.state().clone(),
        stream: StreamId::new("run", "r"),
        version: Version(play.log.len() as u64),
        blobs,
    };
    let definition = parse(&yaml, "test.yaml", &Known { fallback_attempts: 2, ..Known::default() });
    many.blobs.keep(&Blob::new(definition.unwrap().definition.to_json().text().as_bytes()));
    let message = || AgentRequest::Send(Json::parse(r#"{"to":"bob","kind":"task","body":[1,2,3]}"#).unwrap());
    many.decide(Ask::Recover { in_flight: BTreeSet::<Fence>::new() }, "ada");
    let mut took = Vec::new();
    for sender in 0..SENDERS {
        let began = used();
        let messages = (0..MESSAGES_SENT_MAX).map(|_| message()).collect();
        many.complete(format!("s#{}", sender + 1), messages, "bob");
        for handler in sender * HANDLERS..(sender + 1) * HANDLERS {
            let next = if handler + 1 == (sender + 1) * HANDLERS { "ada" } else { "bob" };
            many.complete(format!("h#{}", handler + 1), Vec::new(), next);
        }
        took.push(used() - began);
        assert_eq!(many.run.messages().unhandled(), 0);
    }
    assert_eq!(many.run.messages().last.0, 100_000);
    assert_eq!(many.run.status(), RunStatus::Completed);
    let first = took[..LOOKED_AT].iter().min().unwrap();
    let last = took[SENDERS - LOOKED_AT..].iter().min().unwrap();
    assert!(*last <= first.mul_f64(1.5), "a thousand messages took {first:?} at first, and {last:?} at last");
}
