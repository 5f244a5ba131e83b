//! Commands as they are recorded: a file for each (command, schema) that was ever written, and one more where the events of
//! the decision say the rest.

use std::time::Duration;

use reenact::aggregates::run::kin::{ChildSays, EndedChild, ForParent, OfChild, Wants};
use reenact::aggregates::run::{Ask, Order, RECORDS, Run, RunStatus, StartRun};
use reenact::events::decision::{Decision, Form, RecordedCommand};
use reenact::events::ids::{MessageNumber, Version};
use reenact::kernel::{Aggregate, Draft, Grants, Moment, Recalling, Recording};
use reenact::testing::MemoryBlobs;
use reenact::testing::simulation::start_of;
use reenact::workflow::parse::{Known, parse};
use reenact::workflow::work::{AgentRequest, Child, Failure, Output};

use super::*;

/// What is asked, and what came of it.
struct CommandCase {
    ask: Ask,
    events: Vec<RunEvent>,
    /// Whether the events say what was asked.
    told: bool,
}

fn untold(ask: Ask) -> CommandCase {
    CommandCase { ask, events: Vec::new(), told: false }
}

fn json(text: &str) -> Json {
    Json::parse(text).unwrap()
}

/// A text that is a blob.
fn long() -> String {
    "because ".repeat(100)
}

fn output() -> Output {
    Output {
        output: json("{\"tag\": \"v1.2\"}"),
        artifacts: vec!["dist/a.tar".to_owned()],
        usage: USAGE,
        requests: Vec::new(),
        transcript: Some(json("{\"stdout\": \"tagged\"}")),
        calls: Vec::new(),
        child: Some(child()),
    }
}

fn child() -> Child {
    Child { status: RunStatus::Completed, version: Version(300), past_return: true, degraded: true }
}

fn failure() -> Failure {
    Failure {
        exit_code: Some(-9),
        outcome: Outcome::Unknown,
        usage: USAGE,
        transcript: Some(json("{\"stderr\": \"no\"}")),
        child: Some(child()),
        ..Failure::new(Code::ExitUnknown, long()).class(Class::Fatal)
    }
}

fn results() -> Vec<CommandCase> {
    let requests = vec![
        AgentRequest::Send(json("{\"to\": \"bob\"}")),
        AgentRequest::Context { key: "k".to_owned(), value: json("1") },
        AgentRequest::Handoff("bob".to_owned()),
    ];
    let completed = |output| Ask::Completed { step: step("tag"), fence: Fence(70_000), output };
    let failed = |failure| Ask::Failed { step: step("tag"), fence: Fence(3), failure };
    let told = StepCompleted {
        step: step("tag"),
        attempt: 2,
        output: inline("{\"tag\": \"v1.2\"}"),
        artifacts: vec!["dist/a.tar".to_owned()],
        usage: USAGE,
        cached: false,
        degraded: true,
        transcript: Some(inline("{\"stdout\": \"tagged\"}")),
        said: None,
    };
    let failed_as = AttemptFailed {
        purpose: Purpose::Do,
        step: step("tag"),
        attempt: 2,
        class: Class::Transient,
        code: Code::ExitUnknown,
        message: long(),
        outcome: Outcome::Unknown,
        usage: USAGE,
        transcript: Some(inline("{\"stderr\": \"no\"}")),
        answered: None,
    };
    let with = |calls: Vec<RunEvent>, last: RunEvent| calls.into_iter().chain([last]).collect();
    let (calls, called, retry_after) = (models::calls, models::called, Some(Duration::from_millis(1_500)));
    let answered = || completed(Output { calls: calls(), ..output() });
    let refused = || failed(failure().with_calls(calls()).with_retry_after(retry_after));
    vec![
        untold(completed(Output { requests, ..output() })),
        CommandCase { ask: completed(output()), events: vec![told.clone().into()], told: true },
        untold(answered()),
        CommandCase { ask: answered(), events: with(called(), told.into()), told: true },
        untold(failed(failure())),
        CommandCase { ask: failed(failure()), events: vec![failed_as.clone().into()], told: true },
        untold(refused()),
        CommandCase { ask: refused(), events: with(called(), failed_as.into()), told: true },
    ]
}

fn people() -> Vec<CommandCase> {
    let order = || Order { by: "ada".into(), reason: Some("because".to_owned()) };
    let (by, reason, request) = (Arc::<str>::from("ada"), long(), "0123456789ab".to_owned());
    let signal = || Ask::Signal { name: "go".into(), data: json("{\"x\": 1}"), by: "ada".into() };
    let received = SignalReceived { name: "go".into(), data: inline("{\"x\": 1}"), by: "ada".into() };
    let (note, edits) = (Some("fine".to_owned()), Some(json("{\"x\": 2}").into()));
    let approve =
        Ask::Approve { request: request.clone(), by: by.clone(), note, edits, hash: Some("7e02".to_owned()) };
    let how = Resolution::Skip;
    vec![
        untold(Ask::Pause(order())),
        untold(Ask::Unpause(order())),
        untold(Ask::PauseAfter { order: order(), until: "ship".into() }),
        untold(Ask::Cancel { order: order(), rollback: true }),
        untold(Ask::Retry { order: order(), step: Some("tag".into()) }),
        untold(Ask::Rollback { order: order(), to: Some("build".into()) }),
        untold(approve),
        untold(Ask::Reject { request: request.clone(), by: by.clone(), reason: reason.clone() }),
        untold(Ask::Check { request, by: by.clone(), points: vec![1, 300] }),
        untold(signal()),
        CommandCase { ask: signal(), events: vec![received.into()], told: true },
        untold(Ask::Resend { number: MessageNumber(300), by: by.clone() }),
        untold(Ask::Resolve { by, reason, step: step("tag"), how }),
    ]
}

fn family() -> Vec<CommandCase> {
    let (run, of) = (|| RunId::parse("child-1").unwrap(), || step("test"));
    let parent = || Parent { run: RunId::parse("up").unwrap(), step: step("c") };
    let for_parent = |wants| Ask::ForParent(Box::new(ForParent { parent: parent(), wants }));
    let of_child = |says| Ask::OfChild(Box::new(OfChild { run: run(), step: of(), says }));
    let failure = Some((Class::Dependency, long()));
    let ended = EndedChild { seen: child(), output: json("{\"x\": 1}"), failure };
    let file = "name: release\nsteps:\n  - id: tag\n    run: 'true'\n";
    let definition = parse(file, "release.yaml", &Known::default()).unwrap().definition;
    let start = Box::new(StartRun { parent: Some(parent()), ..start_of(definition, json("{}")) });
    vec![
        untold(for_parent(Wants::Done { start, told: Some(Version(300)) })),
        untold(of_child(ChildSays::Ended(Box::new(ended)))),
        untold(Ask::NoChild { step: of(), fence: Fence(300) }),
        untold(Ask::ParentTold { version: Version(70_000) }),
        untold(Ask::ReturnRefused { reason: long() }),
    ]
}

fn asked() -> Vec<CommandCase> {
    let file = "name: release\nsteps:\n  - id: tag\n    run: 'true'\n";
    let definition = parse(file, "release.yaml", &Known::default()).unwrap().definition;
    let mut start = start_of(definition, json("{\"version\": \"1.2\"}"));
    start.insists.duration_limit = true;
    let start = CommandCase { ask: Ask::Start(Box::new(start)), events: Vec::new(), told: false };
    let alone = vec![
        start,
        untold(Ask::Due { timer: TimerId::sleep(&step("nap")) }),
        untold(Ask::Recover { in_flight: [Fence(1), Fence(300)].into() }),
        untold(Ask::Interrupt),
        untold(Ask::Go),
        untold(Ask::AgentPaused { agent: AgentName::new("publisher") }),
        untold(Ask::AgentFree { agent: AgentName::new("publisher") }),
    ];
    let shared = shared::commands().into_iter().chain(cache::commands()).map(untold);
    let messages =
        messages::commands().into_iter().chain(tasks::commands()).chain(budget::commands()).map(untold);
    let alone = alone.into_iter().chain(results()).chain(people()).chain(family());
    alone.chain(shared).chain(messages).collect()
}

/// What is recorded of it, with what came of it, and the content that both refer to.
fn record(asked: &CommandCase) -> (Form, Vec<RunEvent>, MemoryBlobs) {
    let (mut run, stream, mut blobs) = (Run::default(), StreamId::new("run", "r"), MemoryBlobs::default());
    let mut draft = Draft::new(&mut run, &stream, Version(0), Timestamp(1));
    if asked.ask.begins().is_some() {
        let now = Timestamp(1);
        let moment = Moment { now, wall: now, blobs: &blobs, seed: 0, grants: None, driven_since: now };
        Run::decide(&mut draft, asked.ask.clone(), &moment).unwrap();
    }
    asked.events.iter().for_each(|event| draft.emit(event.clone()));
    let mut recording = Recording::new(&mut draft, 0);
    let form = Run::record(asked.ask.clone(), &mut recording).unwrap().unwrap();
    let decided = draft.finish();
    decided.blobs.iter().for_each(|blob| blobs.keep(blob));
    (form, decided.events, blobs)
}

#[test]
fn every_command_is_recorded_as_ever_and_is_what_was_asked_again() {
    for asked in asked() {
        let (form, events, blobs) = record(&asked);
        let name = Run::name(&asked.ask);
        let told = if asked.told { ".told" } else { "" };
        let golden = golden(&format!("command.{name}{told}.{}.bin", form.schema), &form.payload);
        assert_eq!(golden, form.payload, "{name}: bytes changed without a new schema number");
        let form = Some(Form { payload: golden, ..form });
        let decision = Decision {
            command: RecordedCommand { name: name.into(), form },
            by: Run::asked_by(&asked.ask),
            ..Decision::named(&name.into())
        };
        let recalling =
            Recalling { state: &Run::default(), decision: &decision, events: &events, blobs: &blobs };
        let again = Run::recall(&recalling).unwrap();
        assert_eq!(format!("{again:?}"), format!("{:?}", asked.ask), "{name}");
    }
}

#[test]
fn every_command_that_is_recalled_has_a_golden_file_and_all_fields_of_it_set() {
    for (name, schema) in RECORDS {
        assert!(folder().join(format!("command.{name}.{schema}.bin")).exists(), "{name} {schema}");
    }
    let recalled: std::collections::BTreeSet<_> = RECORDS.iter().map(|(name, _)| *name).collect();
    assert_eq!(recalled, asked().iter().map(|asked| Run::name(&asked.ask)).collect());
}

/// What is granted is recorded by name, and what grants nothing is left out.
#[test]
fn grants_are_what_was_recorded_of_them() {
    let grants = reenact::aggregates::run::Grants([(AgentName::new("shell"), 3)].into());
    assert_eq!(reenact::aggregates::run::Grants::recall(&grants.record()), grants);
    let nothing = reenact::aggregates::run::Grants([(AgentName::new("shell"), 0)].into());
    assert_eq!(nothing.record(), []);
}
