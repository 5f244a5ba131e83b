//! Steps that go on with a conversation know what is at hand of it before they are tried, and add to it what they asked and answered.

use super::play::{Play, order};
use crate::aggregates::context::{LockSays, OfContext};
use crate::aggregates::conversation::at_hand::AtHand;
use crate::aggregates::run::shared::LEASE;
use crate::aggregates::run::{Adding, Ask, OfConversation, OfShared, RunEffect, SharedEffect};
use crate::events::conversation::Role;
use crate::events::ids::{ContextName, ConversationName, Fence, LockFence, StepId, Version};
use crate::events::json::{Json, Payload};
use crate::events::problem::{Class, Code};
use crate::events::run::{RunEvent, TurnToAdd};
use crate::executors::Task;
use crate::kernel::{Aggregate, Blobs};

const TALKS: &str = "name: w\nsteps:\n  - {id: a, agent: ada, prompt: Why?, conversation: talk}\n  - {id: b, agent: ada, prompt: So?, conversation: talk}";

fn shared(play: &Play) -> Vec<SharedEffect> {
    let open = play.state().open().into_iter();
    let shared = open.filter_map(|effect| match effect {
        RunEffect::Shared(effect) => Some(effect),
        _ => None,
    });
    shared.collect()
}

/// The steps that want to know what is at hand, and of which conversation.
fn hearing(play: &Play) -> Vec<String> {
    let hears = |effect| match effect {
        SharedEffect::Hear { step, conversation } => Some(format!("{step}: {conversation}")),
        _ => None,
    };
    shared(play).into_iter().filter_map(hears).collect()
}

fn hear(play: &mut Play, step: &str, version: u64) -> Vec<String> {
    let found = shared(play).into_iter().find_map(|effect| match effect {
        SharedEffect::Hear { step: hears, conversation } if hears.as_str() == step => Some(conversation),
        _ => None,
    });
    let page = format!("[{{\"turn\":1,\"role\":\"user\",\"name\":\"bob\",\"content\":\"as of {version}\"}}]");
    let pages = vec![Json::parse(&page).unwrap()];
    let at_hand = Box::new(AtHand { version: Version(version), pages, ..AtHand::default() });
    let conversation = found.unwrap_or_else(|| panic!("{step} hears nothing: {:?}", shared(play)));
    ask(play, OfConversation::Heard { step: StepId::grown(step), conversation, at_hand })
}

fn ask(play: &mut Play, says: OfConversation) -> Vec<String> {
    play.ask(Ask::OfShared(Box::new(OfShared::Conversation(says))))
}

/// What a conversation is to be told, by whom.
fn adding(play: &Play) -> Vec<(StepId, Fence, Adding)> {
    let adds = shared(play).into_iter().filter_map(|effect| match effect {
        SharedEffect::Continue { step, fence, .. } => {
            let adding = play.state().adding(fence).unwrap();
            Some((step, fence, adding))
        }
        _ => None,
    });
    adds.collect()
}

/// Its turns, in words.
fn turns(play: &Play, adding: &Adding) -> Vec<String> {
    let text = |content: &Payload| play.run.as_ref().unwrap().blobs().json(content).unwrap().value();
    let turn = |turn: &TurnToAdd| {
        let name = turn.name.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
        format!("{}{name}: {}", turn.role.text(), text(&turn.content).as_str().unwrap())
    };
    adding.added.turns.iter().map(turn).collect()
}

fn added(play: &mut Play, answer: Result<u64, Code>) -> Vec<String> {
    let (step, fence, _) = adding(play).remove(0);
    let answer = answer.map(Version).map_err(|code| (code, "no room".to_owned()));
    ask(play, OfConversation::Continued { step, fence, answer })
}

#[test]
fn a_step_hears_what_is_at_hand_and_adds_what_it_asked_and_answered_before_it_is_done() {
    let mut play = Play::start(TALKS);
    assert_eq!(hearing(&play), ["a: talk"]);
    assert_eq!(play.attempts().len(), 0, "nothing is tried before that");
    assert_eq!(hear(&mut play, "a", 7), ["conversation_read a", "attempt_started a"]);
    let task = Task::of(play.state(), &play.open("a"), play.run.as_ref().unwrap().blobs()).unwrap();
    let given = task.conversation.unwrap();
    assert_eq!((given.name.as_str(), given.version, given.turns.len()), ("talk", Version(7), 1));
    assert_eq!((given.turns[0].role, &*given.turns[0].text), (Role::User, "as of 7"));
    assert_eq!(play.complete("a", "{\"stdout\": \"Because.\"}"), ["attempt_answered a"]);
    assert_eq!(play.status("a"), "running");
    let (_, _, adding) = adding(&play).remove(0);
    assert_eq!(turns(&play, &adding), ["user: Why?", "assistant ada: Because."]);
    assert_eq!((adding.added.conversation.as_str(), &*adding.by), ("talk", "r/a"));
    let done = added(&mut play, Ok(9));
    assert_eq!(done, ["conversation_continued a", "step_completed a", "conversation_awaited b"]);
    assert_eq!(hear(&mut play, "b", 9), ["conversation_read b", "attempt_started b"]);
}

#[test]
fn what_is_heard_again_or_too_late_changes_nothing() {
    let mut play = Play::start(TALKS);
    let conversation = ConversationName::parse("talk").unwrap();
    let at_hand = Box::<AtHand>::default();
    let heard = OfConversation::Heard { step: StepId::grown("a"), conversation, at_hand };
    hear(&mut play, "a", 1);
    assert_eq!(ask(&mut play, heard), [""; 0]);
    play.complete("a", "1");
    let (step, fence, _) = adding(&play).remove(0);
    let again = OfConversation::Continued { step, fence, answer: Ok(Version(3)) };
    added(&mut play, Ok(3));
    assert_eq!(ask(&mut play, again), [""; 0]);
    let continued = |event: &&RunEvent| matches!(event, RunEvent::ConversationContinued(_));
    assert_eq!(play.log.iter().filter(continued).count(), 1);
}

/// Under another id the conversation would take the turns twice: once before the process died, and once after.
#[test]
fn a_process_that_dies_while_turns_are_added_adds_them_under_the_same_id_again() {
    let mut play = Play::start(TALKS);
    assert_eq!(play.recover(), [""; 0]);
    assert_eq!(hearing(&play), ["a: talk"], "it asks again");
    hear(&mut play, "a", 1);
    play.complete("a", "1");
    let before = adding(&play).remove(0).2;
    assert_eq!(play.recover(), [""; 0], "an attempt that has answered is not lost");
    let after = adding(&play).remove(0).2;
    assert_eq!((before.id, turns(&play, &before)), (after.id, turns(&play, &after)));
    assert_eq!(added(&mut play, Ok(2))[..2], ["conversation_continued a", "step_completed a"]);
}

#[test]
fn an_attempt_that_fails_or_is_lost_adds_nothing_and_the_next_hears_what_is_at_hand_then() {
    let yaml = "name: w\nsteps: [{id: a, agent: ada, prompt: Why?, conversation: talk, retry: {attempts: 3, initial: 1s, jitter: 0}}]";
    let mut play = Play::start(yaml);
    hear(&mut play, "a", 1);
    play.fail("a", super::exit(Class::Transient));
    assert_eq!(adding(&play).len(), 0);
    assert_eq!(play.sleep(std::time::Duration::from_secs(1)), ["timer_fired", "conversation_awaited a"]);
    assert_eq!(hear(&mut play, "a", 4), ["conversation_read a", "attempt_started a"]);
    assert_eq!(play.recover(), ["attempt_lost a", "conversation_awaited a"]);
    hear(&mut play, "a", 5);
    play.complete("a", "1");
    let ids = adding(&play).remove(0).2;
    assert_eq!(turns(&play, &ids), ["user: Why?", "assistant ada: 1"]);
}

#[test]
fn a_conversation_that_takes_nothing_fails_the_attempt_and_the_policy_of_the_step_decides() {
    let yaml = "name: w\nsteps: [{id: a, agent: ada, prompt: Why?, conversation: talk, retry: {attempts: 2, initial: 1s, jitter: 0}}]";
    let mut play = Play::start(yaml);
    hear(&mut play, "a", 1);
    play.complete("a", "1");
    assert_eq!(added(&mut play, Err(Code::ConversationChanged)), ["attempt_failed a", "retry_scheduled a"]);
    play.sleep(std::time::Duration::from_secs(1));
    hear(&mut play, "a", 1);
    play.complete("a", "1");
    assert_eq!(
        added(&mut play, Err(Code::ConversationFull)),
        ["attempt_failed a", "step_failed a", "run_failed a"]
    );
    let failed = play.log.iter().rev().find_map(|event| match event {
        RunEvent::AttemptFailed(failed) => Some(failed.clone()),
        _ => None,
    });
    let failed = failed.unwrap();
    assert_eq!((failed.code.text(), &*failed.message, failed.attempt), ("RE-1705", "no room", 2));
}

#[test]
fn each_attempt_adds_under_an_id_of_its_own() {
    let yaml = "name: w\nsteps: [{id: a, agent: ada, prompt: Why?, conversation: talk, retry: {attempts: 2, initial: 1s, jitter: 0}}]";
    let mut play = Play::start(yaml);
    let mut ids = Vec::new();
    for _ in 0..2 {
        hear(&mut play, "a", 1);
        play.complete("a", "1");
        ids.push(adding(&play).remove(0).2.id);
        added(&mut play, Err(Code::ConversationChanged));
        play.sleep(std::time::Duration::from_secs(1));
    }
    assert_ne!(ids[0], ids[1]);
}

#[test]
fn what_the_agent_is_given_beside_its_prompt_is_asked_and_a_program_only_answers() {
    let yaml = "name: w\nsteps:\n  - {id: a, agent: ada, prompt: Why?, with: {n: 7}, conversation: talk}\n  - {id: b, run: make, conversation: talk}\n  - {id: c, run: make, conversation: talk}";
    let mut play = Play::start(yaml);
    hear(&mut play, "a", 1);
    play.complete("a", "{\"x\": 1}");
    let adds = adding(&play).remove(0).2;
    assert_eq!(turns(&play, &adds), ["user: Why?\n\n{\"n\":7}", "assistant ada: {\"x\": 1}"]);
    added(&mut play, Ok(3));
    hear(&mut play, "b", 3);
    play.complete("b", "{\"stdout\": \"red\"}");
    let adds = adding(&play).remove(0).2;
    assert_eq!(turns(&play, &adds), ["tool shell: red"]);
    added(&mut play, Ok(4));
    hear(&mut play, "c", 4);
    assert_eq!(
        play.complete("c", "{\"stdout\": \" \"}"),
        ["step_completed c", "run_completed"],
        "it said nothing"
    );
}

#[test]
fn a_context_that_refuses_keeps_the_conversation_from_being_told() {
    let yaml = "name: w\ncontexts: {t: team}\nsteps: [{id: a, agent: ada, prompt: Why?, conversation: talk}]";
    let mut play = Play::start(yaml);
    hear(&mut play, "a", 1);
    assert_eq!(play.complete("a", "{\"context\": {\"t/k\": 1}}"), ["attempt_answered a"]);
    assert_eq!(adding(&play).len(), 0, "the context is told first");
    let written = |refused| {
        let (fence, context) = (Fence(1), "team");
        let context = ContextName::parse(context).unwrap();
        let written = OfShared::Written { step: StepId::grown("a"), fence, context, refused };
        Ask::OfShared(Box::new(written))
    };
    let mut refused = Play::start(yaml);
    hear(&mut refused, "a", 1);
    refused.complete("a", "{\"context\": {\"t/k\": 1}}");
    let why = (Code::ContextConflict, "another wrote".to_owned());
    assert_eq!(refused.ask(written(Some(why))), ["attempt_failed a", "step_failed a", "run_failed a"]);
    assert_eq!(adding(&refused).len(), 0);
    assert_eq!(play.ask(written(None)), ["context_written a"]);
    assert_eq!(added(&mut play, Ok(3)), ["conversation_continued a", "step_completed a", "run_completed"]);
}

/// Else all items would be told what was at hand before the first of them had said anything.
#[test]
fn no_more_items_hear_a_conversation_at_once_than_have_slots() {
    let yaml = "name: w\nsteps:\n  - {id: first, run: 'true'}\n  - {id: all, for_each: [1,2,3,4], agent: ada, prompt: 'n {{ item }}', conversation: talk}";
    let mut play = Play::start(yaml);
    play.slots = 2;
    play.complete("first", "1");
    assert_eq!(hearing(&play), ["all[0]: talk", "all[1]: talk"]);
    assert_eq!(hear(&mut play, "all[1]", 1), ["conversation_read all[1]", "attempt_started all[1]"]);
    let yaml = "name: w\nsteps: [{id: all, for_each: [1,2,3,4], agent: ada, prompt: 'n {{ item }}', conversation: talk}]";
    let mut play = Play::start(&yaml.replace("agent: ada", "agent: ada, max_parallel: 1"));
    assert_eq!(hearing(&play), ["all[0]: talk"]);
    hear(&mut play, "all[0]", 1);
    play.complete("all[0]", "1");
    assert_eq!(
        added(&mut play, Ok(3)),
        ["conversation_continued all[0]", "step_completed all[0]", "conversation_awaited all[1]"]
    );
}

#[test]
fn a_paused_run_hears_anew_when_it_goes_on() {
    let mut play = Play::start(TALKS);
    play.slots = 0;
    assert_eq!(hear(&mut play, "a", 1), ["conversation_read a"]);
    assert_eq!(play.ask(Ask::Pause(order())), ["run_paused", "preparation_withdrawn a"]);
    play.slots = 1;
    assert_eq!(play.ask(Ask::Unpause(order())), ["run_unpaused", "conversation_awaited a"]);
    assert_eq!(play.ask(Ask::Pause(order())), ["run_paused", "preparation_withdrawn a"]);
    assert_eq!(hearing(&play), [""; 0]);
}

#[test]
fn a_step_with_a_lock_hears_when_it_has_that() {
    let yaml = "name: w\ncontexts: {t: team}\nsteps: [{id: a, agent: ada, prompt: Why?, conversation: talk, locks: [t/talk]}]";
    let mut play = Play::start(yaml);
    assert_eq!(hearing(&play), [""; 0]);
    assert_eq!(lock(&mut play), ["lock_acquired a", "conversation_awaited a"]);
}

/// Somebody else may have gone on with it while it waited for a slot without its lock.
#[test]
fn a_step_that_has_to_get_its_lock_again_hears_again() {
    let yaml = "name: w\ncontexts: {t: team}\nsteps: [{id: a, agent: ada, prompt: Why?, conversation: talk, locks: [t/talk]}]";
    let mut play = Play::start(yaml);
    lock(&mut play);
    play.slots = 0;
    assert_eq!(hear(&mut play, "a", 1), ["conversation_read a"], "there is no slot");
    play.now = play.now.after(LEASE * 2);
    play.slots = 1;
    assert_eq!(play.ask(Ask::Go), ["lock_requested a"]);
    assert_eq!(lock(&mut play), ["lock_acquired a", "conversation_awaited a"]);
}

/// A context grants the lock that a step waits for.
fn lock(play: &mut Play) -> Vec<String> {
    let of = shared(play).into_iter().find_map(|effect| match effect {
        SharedEffect::Lock { of, .. } => Some(of),
        _ => None,
    });
    let of = of.unwrap();
    let says = LockSays::Granted { fence: LockFence(7), until: play.now.after(LEASE) };
    let granted = OfContext { context: of.context, lock: of.lock, owner: of.owner, says };
    play.ask(Ask::OfShared(Box::new(OfShared::Lock(granted))))
}

#[test]
fn a_name_that_is_none_when_it_is_rendered_fails_its_step() {
    let yaml = "name: w\nsteps: [{id: a, agent: ada, prompt: Why?, conversation: 'of {{ run.id }}'}]";
    let play = Play::start(yaml);
    let failed = play.log.iter().find_map(|event| match event {
        RunEvent::StepFailed(failed) => Some(failed.code),
        _ => None,
    });
    assert_eq!(failed, Some(Code::BadConversationName));
    let yaml = yaml.replace("of {{", "of-{{");
    assert_eq!(hearing(&Play::start(&yaml)), ["a: of-r"]);
}
