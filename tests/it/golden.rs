//! What an older version wrote, this version reads: a file for each (type, schema) that was ever written, and for the
//! layout of a commit. The files are never made anew. A new row of the codec's table needs a new file: run this test
//! with `GOLDEN=new` once, which writes only what is not there.

mod agents;
mod budget;
mod cache;
mod caches;
mod children;
mod commands;
mod contexts;
mod conversations;
mod messages;
mod minds;
mod models;
mod people;
mod routing;
mod shared;
mod stuck;
mod tasks;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use reenact::events::codec::{self, Encoded, old};
use reenact::events::commit::{Commit, Header, Origin, Sealing};
use reenact::events::decision::{Causation, Decision, Form, Grant, RecordedCommand};
use reenact::events::ids::{
    AgentName, CommandId, ContextKey, Fence, Hash, KeyVersion, RunId, StepId, StreamId, TimerId, Version,
};
use reenact::events::json::{BlobRef, Json, Payload};
use reenact::events::problem::{Class, Code};
use reenact::events::run::*;
use reenact::events::time::Timestamp;

fn step(id: &str) -> StepId {
    StepId::grown(id)
}

fn inline(text: &str) -> Payload {
    Payload::Inline(Json::parse(text).unwrap())
}

fn blob(content: &str) -> BlobRef {
    BlobRef { hash: Hash::of(content.as_bytes()), size_bytes: content.len() as u64 }
}

const USAGE: Usage = Usage { calls: 1, input_tokens: 300, output_tokens: 70_000, usd_nanos: 5_000_000_000 };

/// An event of each type, with every field set to something that is not its default.
fn events() -> Vec<RunEvent> {
    vec![started(), added(), attempt_started(), completed(), run_completed()]
        .into_iter()
        .chain(endings())
        .chain(timers())
        .chain(control())
        .chain(routing::events())
        .chain(stuck::events())
        .chain(tasks::events())
        .chain(budget::events())
        .chain(shared::events())
        .chain(cache::events())
        .chain(saga())
        .chain(people::events())
        .chain(children::events())
        .chain(messages::events())
        .chain(models::events())
        .collect()
}

fn started() -> RunEvent {
    let environment = [("HOME".to_owned(), "/home/ada".to_owned())].into();
    let agents = vec![AgentBinding { name: AgentName::new("publisher"), definition: blob("agent") }];
    let child = ChildBinding {
        file: "/work/test.yaml".into(),
        definition: blob("child"),
        work_folder: "/work/tests".into(),
        agents: agents.clone(),
        parallel: 4,
        lost_limit: 2,
        duration_limit_us: Some(1),
    };
    RunStarted {
        external: vec![AgentName::new("reviewer")],
        workflow: "release".to_owned(),
        definition: blob("definition"),
        input: inline("{\"version\": \"1.2\"}"),
        tags: [("team".to_owned(), "core".to_owned())].into(),
        work_folder: "/work".into(),
        parent: Some(Parent { run: RunId::parse("parent-1").unwrap(), step: step("child") }),
        environment,
        agents,
        parallel: 16,
        lost_limit: 5,
        duration_limit_us: Some(7_200_000_000),
        until: Some("tag".into()),
        children: vec![child],
        growth: GrowthLimits {
            depth: 3,
            width: 100,
            total: 1_000,
            fallback_attempts: 2,
            critical_fails: true,
            items: 5_000,
            handoffs: 7,
        },
        stuck: stuck::limits(),
    }
    .into()
}

fn added() -> RunEvent {
    let kind = StepKind::AskOfPhase;
    StepAdded {
        step: step("copy[0]"),
        because: Because::ForEach,
        template: step("copy"),
        kind,
        inside: Some(step("copy")),
        needs: vec![step("build"), step("tag")],
        item: Some(Item { index: 300, value: Payload::Blob(blob("item")) }),
        undo: Some(Undo { agent: AgentName::new("untagger"), when: UndoWhen::Attempted }),
        nothing_to_undo: true,
        irreversible: true,
        at_most_once: true,
        phase: Some("ship".into()),
        planned: Some(blob("plan")),
    }
    .into()
}

fn said() -> Option<Payload> {
    Some(Payload::Blob(blob("transcript")))
}

fn compensated() -> RunEvent {
    let (step, output) = (step("tag"), inline("[1]"));
    StepCompensated { step, attempt: 3, output, usage: USAGE, transcript: said() }.into()
}

fn control() -> Vec<RunEvent> {
    let reason = || Some("the registry is down".to_owned());
    vec![
        RunPaused { by: "ada".into(), reason: reason() }.into(),
        RunUnpaused { by: "ada".into(), reason: reason() }.into(),
        PausePlanned { until: "ship".into(), by: "ada".into(), reason: reason() }.into(),
        DrivingBegan { since: Timestamp(1_795_219_200_000_000) }.into(),
        ContextChanged {
            key: ContextKey::parse("owner").unwrap(),
            version: KeyVersion(300),
            value: Payload::Blob(blob("value")),
            step: step("tag"),
            purpose: Purpose::Compensate,
            attempt: 2,
        }
        .into(),
        AgentAwaited { agent: AgentName::new("publisher") }.into(),
        AgentAwaitEnded { agent: AgentName::new("publisher") }.into(),
        CancelRequested { by: "ada".into(), reason: reason(), rollback: true }.into(),
        RetryRequested { step: Some("tag".into()), by: "ada".into(), reason: reason() }.into(),
        RunCancelled {}.into(),
        FallbackEngaged {
            step: step("tag"),
            from: AgentName::new("publisher"),
            to: AgentName::new("manual_publisher"),
        }
        .into(),
    ]
}

fn saga() -> Vec<RunEvent> {
    let (class, code, message) = (Class::Fatal, Code::ExitFatal, "exit 78".to_owned());
    let failure =
        RollbackCause::Failure { step: Some(step("publish")), class, code, message: message.clone() };
    let why = StuckWhy::Irreversible;
    vec![
        RollbackStarted {
            cause: failure,
            to: Some("ship".into()),
            keeps: vec![step("build")],
            rounds: RoundOrder::LastFirst,
        }
        .into(),
        CompensationStarted {
            step: step("tag"),
            agent: AgentName::new("untagger"),
            outcome: Undoes::Unknown,
        }
        .into(),
        compensated(),
        CompensationFailed { step: step("tag"), class, code, message: message.clone() }.into(),
        CompensationResolved {
            step: step("tag"),
            how: Resolution::Done,
            by: "ada".into(),
            reason: "by hand".to_owned(),
        }
        .into(),
        RunCompensated {}.into(),
        RunStuck { why, step: Some(step("tag")), class, code, message }.into(),
    ]
}

fn attempt_started() -> RunEvent {
    AttemptStarted {
        purpose: Purpose::Compensate,
        step: step("tag"),
        attempt: 2,
        generation: 3,
        agent: AgentName::new("shell"),
        fence: Fence(70_000),
        idempotency_key: "0123456789abcdef0123456789abcdef".into(),
        deadline: Some(Timestamp(1_795_219_200_000_000)),
        input: inline("{\"run\":\"git tag v1\"}"),
    }
    .into()
}

fn completed() -> RunEvent {
    StepCompleted {
        step: step("tag"),
        attempt: 2,
        output: Payload::Blob(blob("output")),
        artifacts: vec!["dist/a.tar".to_owned()],
        usage: USAGE,
        cached: true,
        degraded: true,
        transcript: said(),
        said: Some(Said { summary: Some("Tagged it.".into()), metrics: Some(inline("{\"toolCalls\":5}")) }),
    }
    .into()
}

fn run_completed() -> RunEvent {
    let error =
        OutputError { class: Class::Validation, code: Code::ExpressionFailed, message: "no".to_owned() };
    RunCompleted { output: inline("[1]"), degraded: true, error: Some(error) }.into()
}

fn endings() -> Vec<RunEvent> {
    let message = || "exit 1: no space".to_owned();
    let (class, code) = (Class::Transient, Code::ExitTransient);
    vec![
        AttemptFailed {
            purpose: Purpose::Do,
            step: step("tag"),
            attempt: 1,
            class,
            code,
            message: message(),
            outcome: Outcome::Unknown,
            usage: USAGE,
            transcript: said(),
            answered: Some(inline("[2]")),
        }
        .into(),
        AttemptLost { purpose: Purpose::Compensate, step: step("tag"), attempt: 4, interrupted: true }.into(),
        StepSkipped { step: step("b"), reason: SkipReason::Dependency, message: message() }.into(),
        StepFailed { step: step("b"), class, code, message: message(), handling: Handling::FailsFast }.into(),
        StepCancelled { step: step("c") }.into(),
        RunFailed { step: Some(step("b")), class, code, message: message() }.into(),
    ]
}

fn timers() -> Vec<RunEvent> {
    let (at, timer) = (Timestamp(-1), TimerId::sleep(&step("nap")));
    let retry = TimerId::retry(&step("tag"), 2);
    vec![
        RetryScheduled { purpose: Purpose::Do, step: step("tag"), at, timer: retry }.into(),
        TimerSet { timer: timer.clone(), step: step("nap"), at }.into(),
        TimerFired { timer }.into(),
    ]
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// The bytes of a golden file; with `GOLDEN=new` those given are written if there is none.
fn golden(name: &str, written_now: &[u8]) -> Vec<u8> {
    let path = folder().join(name);
    if !path.exists() && std::env::var_os("GOLDEN").is_some_and(|value| value == "new") {
        fs::create_dir_all(folder()).unwrap();
        fs::write(&path, written_now).unwrap();
    }
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_event_is_written_as_ever_and_read_back() {
    for event in events() {
        let name = format!("{}.{}.bin", event.kind(), event.schema());
        let bytes = event.encode().unwrap();
        let golden = golden(&name, &bytes);
        assert_eq!(golden, bytes, "{name}: bytes changed without a new schema number");
        assert_eq!(RunEvent::decode(event.kind(), event.schema(), &golden).unwrap(), event, "{name}");
    }
}

#[test]
fn an_older_schema_is_read_through_its_upcaster() {
    let written = codec::to_bytes(&old::AttemptLostV1 { step: step("tag"), attempt: 4 }).unwrap();
    let read = RunEvent::decode("attempt_lost", 1, &golden("attempt_lost.1.bin", &written)).unwrap();
    let meant = AttemptLost { purpose: Purpose::Do, step: step("tag"), attempt: 4, interrupted: false };
    assert_eq!(read, meant.into());

    is_read_as(
        "approval_requested",
        1,
        &ApprovalRequested { require_checklist: false, ..people::requested() }.into(),
    );
    is_read_as("child_ended", 1, &ChildEnded { driven: true, ..children::ended() }.into());
    let RunEvent::RunStarted(mut meant) = started() else { unreachable!() };
    meant.external.clear();
    is_read_as("run_started", 6, &meant.clone().into());
    meant.stuck = StuckLimits::default();
    is_read_as("run_started", 5, &meant.clone().into());
    meant.growth.handoffs = 5;
    is_read_as("run_started", 4, &meant.clone().into());
    meant.growth.items = 100_000;
    is_read_as("run_started", 3, &meant.clone().into());
    (meant.children, meant.growth) = (Vec::new(), GrowthLimits::default());
    is_read_as("run_started", 2, &meant.clone().into());
    (meant.duration_limit_us, meant.until) = (None, None);
    is_read_as("run_started", 1, &meant.into());
    let RunEvent::StepAdded(mut meant) = added() else { unreachable!() };
    meant.nothing_to_undo = false;
    is_read_as("step_added", 4, &meant.clone().into());
    meant.kind = StepKind::FanOut { agent: Some(AgentName::new("shell")), max_parallel: Some(4) };
    is_read_as("step_added", 3, &meant.clone().into());
    (meant.at_most_once, meant.phase, meant.planned) = (false, None, None);
    is_read_as("step_added", 2, &meant.clone().into());
    (meant.undo, meant.irreversible) = (None, false);
    is_read_as("step_added", 1, &meant.into());

    let RunEvent::StepCompleted(mut meant) = completed() else { unreachable!() };
    meant.said = None;
    is_read_as("step_completed", 2, &meant.clone().into());
    meant.transcript = None;
    is_read_as("step_completed", 1, &meant.into());
    let RunEvent::StepCompensated(mut meant) = compensated() else { unreachable!() };
    meant.transcript = None;
    is_read_as("step_compensated", 1, &meant.into());
    messages::older_are_read();
    for event in endings().into_iter().chain(saga()) {
        match event {
            RunEvent::AttemptFailed(failed) => {
                let meant = AttemptFailed { answered: None, ..failed };
                is_read_as("attempt_failed", 2, &meant.clone().into());
                is_read_as("attempt_failed", 1, &AttemptFailed { transcript: None, ..meant }.into());
            }
            RunEvent::RollbackStarted(mut started) => {
                started.rounds = RoundOrder::AtOnce;
                is_read_as("rollback_started", 2, &started.clone().into());
                let (to, keeps) = (Some("build".into()), vec![step("build")]);
                is_read_as("rollback_started", 1, &RollbackStarted { to, keeps, ..started }.into());
            }
            _ => {}
        }
    }
}

fn is_read_as(kind: &str, schema: u16, meant: &RunEvent) {
    let bytes = golden(&format!("{kind}.{schema}.bin"), &[]);
    assert_eq!(RunEvent::decode(kind, schema, &bytes).unwrap(), *meant, "{kind} {schema}");
}

#[test]
fn every_row_of_the_table_has_a_golden_file_and_an_event_that_sets_every_field() {
    for (kind, schema) in RunEvent::TABLE {
        assert!(folder().join(format!("{kind}.{schema}.bin")).exists(), "{kind} {schema}");
    }
    let kinds: std::collections::BTreeSet<_> = RunEvent::TABLE.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, events().iter().map(Encoded::kind).collect());
}

#[test]
fn a_commit_is_written_as_ever_and_its_chain_holds() {
    let origin = Origin { stream: StreamId::new("run", "first"), version: Version(7), hash: Hash::of(b"7") };
    let header = Header {
        stream: StreamId::new("run", "second"),
        first: Version(8),
        recorded_at: Timestamp(1_795_219_200_000_001),
        correlation: Some("second".into()),
        causation: "fork".into(),
        code_version: "0.1.0".into(),
        origin: Some(origin.clone()),
    };
    let golden = golden("commit.1.bin", &[]);
    let read = Commit::from_bytes(&golden).unwrap();
    assert_eq!(read.decisions, [], "it has no record of what was decided");
    assert_eq!(*read.header, header, "the layout of a commit changed");
    assert_eq!(read.to_bytes().unwrap(), golden, "the layout of a commit changed");
    assert_eq!(read.check_chain(origin.hash).unwrap(), read.last_hash(), "the hash of a commit changed");
    for event in &read.events {
        RunEvent::decode(&event.kind, event.schema, &event.payload).unwrap();
    }
}

#[test]
fn a_commit_that_records_its_decisions_is_written_as_ever_and_its_chain_holds() {
    let header = Header {
        stream: StreamId::new("run", "second"),
        first: Version(8),
        recorded_at: Timestamp(1_795_219_200_000_001),
        correlation: Some("first".into()),
        causation: "attempt_completed".into(),
        code_version: "0.1.0".into(),
        origin: None,
    };
    let form = Form { schema: 1, payload: vec![251, 1, 2, 3] };
    let decided = |name: &str| Decision {
        command: RecordedCommand { name: name.into(), form: Some(form.clone()) },
        seed: 70_000,
        wall_ahead_us: -3_600_000_000,
        driven_us: 300,
        grants: Some(vec![Grant { what: "shell".into(), amount: 300 }]),
        ..Decision::named(&name.into())
    };
    let retry = Decision {
        id: Some(CommandId(*b"0123456789abcdef")),
        grants: None,
        by: Some("ada".into()),
        causation: Some(Causation { stream: StreamId::new("run", "first"), effect: "attempt/7".into() }),
        correlation: Some("zeroth".into()),
        blobs: vec![blob("why")],
        ..decided("retry")
    };
    let parent = Hash::of(b"7");
    let mut sealing = Sealing::new(header.clone(), parent);
    let decisions = [decided("attempt_completed"), retry, Decision::named(&"imported".into())];
    for (decision, events) in decisions.iter().zip(events().chunks(15)) {
        sealing.add(decision.clone(), events).unwrap();
    }
    let golden = golden("commit.2.bin", &sealing.finish().to_bytes().unwrap());
    let read = Commit::from_bytes(&golden).unwrap();
    assert_eq!(*read.header, header, "the layout of a commit changed");
    let read_decisions: Vec<_> = read.decisions.iter().map(|decision| (**decision).clone()).collect();
    assert_eq!(read_decisions, decisions, "the layout of a decision changed");
    assert_eq!(read.to_bytes().unwrap(), golden, "the layout of a commit changed");
    assert_eq!(read.check_chain(parent).unwrap(), read.last_hash(), "the hash of a commit changed");
    for (at, event) in read.events.iter().enumerate() {
        RunEvent::decode(&event.kind, event.schema, &event.payload).unwrap();
        assert_eq!(event.decision as usize, at / 15, "which decision an event is of");
    }
}

#[test]
fn bytes_that_are_not_whole_are_refused() {
    for event in events() {
        let mut bytes = event.encode().unwrap();
        if let Some((_, short)) = bytes.split_last() {
            assert!(RunEvent::decode(event.kind(), event.schema(), short).is_err());
        }
        bytes.push(0);
        assert!(RunEvent::decode(event.kind(), event.schema(), &bytes).is_err(), "{}", event.kind());
    }
    assert!(RunEvent::decode("run_dreamt", 1, &[]).is_err());
    assert!(RunEvent::decode("run_failed", 99, &[]).is_err());
}

#[test]
fn a_changed_byte_breaks_the_chain() {
    let header = Header {
        stream: StreamId::new("run", "r"),
        first: Version(1),
        recorded_at: Timestamp(5),
        correlation: None,
        causation: "start".into(),
        code_version: "0.1.0".into(),
        origin: None,
    };
    let commit = Commit::seal(header, &events(), Hash::default()).unwrap();
    let mut changed = commit.clone();
    changed.events[3].payload[0] ^= 1;
    assert_eq!(changed.check_chain(Hash::default()).unwrap_err().version, Version(4));
    let mut changed = commit.clone();
    Arc::make_mut(&mut changed.header).recorded_at = Timestamp(6);
    assert!(changed.check_chain(Hash::default()).is_err(), "the header is covered too");
    let mut changed = commit.clone();
    Arc::make_mut(&mut changed.decisions[0]).seed ^= 1;
    assert_eq!(changed.check_chain(Hash::default()).unwrap_err().version, Version(1), "and the decision");
    assert!(commit.check_chain(Hash::of(b"other")).is_err(), "and so is what came before");
}
