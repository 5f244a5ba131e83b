//! What is recorded of earlier answers that steps take, and of those that are kept.

use reenact::aggregates::run::{Ask, FoundAnswer, OfShared};

use super::*;

fn source() -> AnswerSource {
    AnswerSource { run: RunId::parse("r-1").unwrap(), step: step("tag"), version: Version(300) }
}

fn key() -> Hash {
    Hash::of(b"key")
}

pub(super) fn events() -> Vec<RunEvent> {
    vec![
        CacheBypassed {}.into(),
        CacheAwaited {
            step: step("tag"),
            work: Hash::of(b"work"),
            files: vec!["src/**/*.rs".into()],
            work_folder: "/work".into(),
            ttl_us: Some(3_600_000_000),
            reads: true,
        }
        .into(),
        CacheHit { step: step("tag"), key: key(), source: source() }.into(),
        CacheMissed { step: step("tag"), key: key() }.into(),
        AnswerKept {
            step: step("tag"),
            attempt: 2,
            agent: AgentName::new("ada"),
            key: key(),
            ttl_us: Some(3_600_000_000),
            answer: Payload::Blob(blob("answer")),
            artifacts: vec!["dist/a.tar".to_owned()],
        }
        .into(),
    ]
}

pub(super) fn commands() -> Vec<Ask> {
    let answer = Json::parse("{\"eur\": 12.50}").unwrap();
    let found = FoundAnswer { source: source(), answer, artifacts: vec!["dist/a.tar".to_owned()] };
    let why = (Code::CacheFiles, "because ".repeat(100));
    let says = [
        OfShared::LookedUp { step: step("tag"), key: key(), found: Some(found) },
        OfShared::NotLookedUp { step: step("tag"), why },
    ];
    says.into_iter().map(|says| Ask::OfShared(Box::new(says))).collect()
}
