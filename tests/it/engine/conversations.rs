//! Steps that go on with a conversation, in the hands of an engine that is ended anywhere.

use futures_util::future::try_join_all;
use reenact::actors::conversations::{Spoken, Wanted, add};
use reenact::actors::hosting::load::load;
use reenact::actors::system::System;
use reenact::aggregates::conversation::{Conversation, Turn};
use reenact::aggregates::run::{Ask, Order, RunStatus};
use reenact::events::codec::Encoded;
use reenact::events::conversation::{Role, Window};
use reenact::events::ids::{CommandId, StreamId};
use reenact::events::problem::Problem;
use reenact::events::run::RunEvent;
use reenact::executors::Failure;
use reenact::executors::function::FunctionCall;
use reenact::kernel::Blobs;
use reenact::kernel::core::Envelope;
use serde_json::json;

use super::children::fold;
use super::kit::{Kit, id, on_actix, start_of, whenever_the_process_ends};

/// Two turns for each step: the long one is content of its own.
const STEPS: &str = "[{id: ask, agent: echo, prompt: Why?, conversation: talk}, \
                     {id: more, agent: echo, prompt: So?, conversation: talk}]";

/// Answers what it was told, and a text that is no part of an event.
fn echoes(kit: &Kit) {
    kit.functions.register("echo", |call: FunctionCall| async move {
        let given = call.task.conversation.clone().unwrap();
        let heard: Vec<String> = given.turns.iter().map(|turn| turn.text[..4].to_owned()).collect();
        let prompt = call.task.work.prompt.unwrap();
        Ok::<_, Failure>(json!(format!("{prompt} after {}: {}", heard.join(" "), "x".repeat(600))))
    });
}

/// What is in the window of the conversation, in order: who spoke, and how the text begins.
async fn said(system: &System) -> Vec<String> {
    let stream = StreamId::new("conversation", "talk");
    let (state, _) = load::<Conversation>(&**system.store(), &stream).await.unwrap();
    let blobs: &dyn Blobs = &**system.library();
    let told = |turn: &Turn| {
        let text = blobs.json(&turn.content).unwrap().value();
        format!("{}: {}", turn.role.text(), text.as_str().unwrap().split(": ").next().unwrap())
    };
    state.turns().values().map(told).collect()
}

async fn kinds(kit: &Kit, run: &str) -> Vec<&'static str> {
    kit.events(&id(run)).await.iter().map(|(_, event)| event.kind()).collect()
}

async fn see(system: &System, run: &str, steps: &str) -> Result<(), Problem> {
    system.begin(&id(run), start_of(steps)).await?;
    system.ended(&id(run)).await.map(drop)
}

#[test]
fn what_a_step_is_told_and_adds_is_recorded_in_order_and_the_next_is_told_that() {
    on_actix(async {
        let kit = Kit::new();
        echoes(&kit);
        let system = kit.start();
        see(&system, "a", STEPS).await.unwrap();
        let of_a_step = [
            "conversation_awaited",
            "conversation_read",
            "attempt_started",
            "attempt_answered",
            "conversation_continued",
            "step_completed",
        ];
        let steps = of_a_step.iter().chain(&of_a_step).copied();
        let expected: Vec<_> = ["run_started", "step_added", "step_added"]
            .into_iter()
            .chain(steps)
            .chain(["run_completed"])
            .collect();
        assert_eq!(kinds(&kit, "a").await, expected);
        let told = ["user: Why?", "assistant: Why? after ", "user: So?", "assistant: So? after Why? Why?"];
        assert_eq!(said(&system).await, told);
        system.shut_down(std::future::ready(())).await.unwrap();
    });
}

/// The turns are known by their id: a run that asks again, because the answer was lost, does not add them twice.
#[test]
fn no_turn_is_added_twice_or_not_at_all_whenever_the_process_ends() {
    whenever_the_process_ends(8, async |ending| {
        let kit = ending.kit();
        echoes(&kit);
        let second = ending.survived(&kit, async |system| see(system, "a", STEPS).await).await;
        let told = ["user: Why?", "assistant: Why? after ", "user: So?", "assistant: So? after Why? Why?"];
        assert_eq!(said(&second).await, told, "{ending}");
        assert_eq!(fold(&second, &id("a")).await.status(), RunStatus::Completed, "{ending}");
        for (kind, times) in [("step_completed", 2), ("conversation_continued", 2), ("attempt_failed", 0)] {
            let found = kit.count(&id("a"), |event| event.kind() == kind).await;
            assert_eq!(found, times, "{ending}: {kind}");
        }
        second.shut_down(std::future::ready(())).await.unwrap();
    });
}

/// Each of the runs that go on at once adds what it asked and answered together, however the others come in between.
#[test]
fn many_runs_go_on_with_one_conversation_at_once_and_each_turn_is_there_once() {
    on_actix(async {
        let kit = Kit::new();
        kit.functions.register("say", |call: FunctionCall| async move {
            Ok::<_, Failure>(json!(format!("{} again", call.task.work.prompt.unwrap())))
        });
        let system = kit.start();
        let runs: Vec<String> = (0..20).map(|run| format!("r{run}")).collect();
        let each = |run: &str| {
            let steps = format!("[{{id: say, agent: say, prompt: {run}, conversation: talk}}]");
            let (system, run) = (&system, run.to_owned());
            async move { see(system, &run, &steps).await }
        };
        try_join_all(runs.iter().map(|run| each(run))).await.unwrap();
        let said = said(&system).await;
        assert_eq!(said.len(), 40);
        for pair in said.chunks(2) {
            let asked = pair[0].strip_prefix("user: ").unwrap();
            assert_eq!(pair[1], format!("assistant: {asked} again"));
        }
        system.shut_down(std::future::ready(())).await.unwrap();
    });
}

/// A window of a hundred tokens, most of which are pinned: there is no room for what the step answers.
#[test]
fn a_conversation_that_takes_no_more_fails_the_step_with_its_code_and_what_was_answered_is_kept() {
    on_actix(async {
        let kit = Kit::new();
        kit.functions.register("long", |_: FunctionCall| async move {
            Ok::<_, Failure>(json!("It took so many days that nobody knows. ".repeat(6)))
        });
        let system = kit.start();
        let window = Window { tokens: 100, compress_above: 80, target: 50, summary: 20, keep_last: 2 };
        let pinned =
            Spoken { role: Role::System, name: None, pinned: true, text: "a b c ".repeat(20).into() };
        let wanted = Wanted { turns: vec![pinned], window, by: "ada".into() };
        let stream = StreamId::new("conversation", "talk");
        let envelope = Envelope { id: Some(CommandId::derived(&["pinned"])), ..Envelope::default() };
        add(system.hosting(), &stream, &envelope, wanted).await.unwrap();
        see(&system, "a", "[{id: long, agent: long, prompt: How?, conversation: talk}]").await.unwrap();
        let events = kit.events(&id("a")).await;
        let failed = events.iter().find_map(|(_, event)| match event {
            RunEvent::StepFailed(failed) => Some(failed.code.text()),
            _ => None,
        });
        assert_eq!(failed, Some("RE-1705"));
        let answered = events.iter().any(|(_, event)| matches!(event, RunEvent::AttemptAnswered(_)));
        assert!(answered, "what it answered stands in its history");
        assert_eq!(said(&system).await.len(), 1);
        system.shut_down(std::future::ready(())).await.unwrap();
    });
}

/// A conversation is nobody's to take back: it says what was said.
#[test]
fn a_rollback_leaves_the_conversation_as_it_is() {
    on_actix(async {
        let kit = Kit::new();
        echoes(&kit);
        kit.functions.register("undo", |_: FunctionCall| async move { Ok::<_, Failure>(json!(null)) });
        let system = kit.start();
        let steps = "[{id: ask, agent: echo, prompt: Why?, conversation: talk, compensate: {agent: undo}}]";
        see(&system, "a", steps).await.unwrap();
        let before = said(&system).await;
        let order = Order { by: "ada".into(), reason: None };
        system.ask(&id("a"), Ask::Rollback { order, to: None }).await.unwrap();
        system.drive(&id("a")).await;
        system.ended(&id("a")).await.unwrap();
        assert_eq!(fold(&system, &id("a")).await.status(), RunStatus::Compensated);
        assert_eq!((said(&system).await, before.len()), (before, 2));
        system.shut_down(std::future::ready(())).await.unwrap();
    });
}

/// Whatever stands in a window is stored once: what a run keeps of it for each attempt does not grow with it.
#[test]
fn a_step_is_recorded_in_as_few_bytes_however_much_was_said_before() {
    on_actix(async {
        let kit = Kit::new();
        kit.functions.register("say", |call: FunctionCall| async move {
            Ok::<_, Failure>(json!(format!("{} {}", call.task.work.prompt.unwrap(), "y".repeat(700))))
        });
        let system = kit.start();
        let mut sizes = Vec::new();
        for run in 0..40 {
            let name = format!("r{run}");
            see(&system, &name, &format!("[{{id: say, agent: say, prompt: p{run}, conversation: talk}}]"))
                .await
                .unwrap();
            let events = kit.events(&id(&name)).await;
            let bytes: usize = events.iter().map(|(recorded, _)| recorded.event.payload.len()).sum();
            sizes.push(bytes);
        }
        assert_eq!(said(&system).await.len(), 80);
        // Forty texts of 700 bytes are named by their hashes, each of 34 bytes.
        assert!(sizes[39] - sizes[0] < 40 * 45, "{sizes:?}");
        system.shut_down(std::future::ready(())).await.unwrap();
    });
}
