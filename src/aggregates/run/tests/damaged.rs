//! Histories that no decision ever made: any event that can follow, follows.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::play::order;
use super::random::{begin, turn, workflow};
use crate::aggregates::run::shared::Preparing;
use crate::aggregates::run::{Ask, Node, Run, StepIndex};
use crate::events::codec::Encoded;
use crate::events::ids::{AgentName, ContextName, Fence, StepId, StreamId, Version};
use crate::events::json::Payload;
use crate::events::run::{
    AnswerKept, AttemptAnswered, ChildStirred, ContextWritten, MessageGiven, MessageHandled, Purpose,
    RunEvent, SharedWrite,
};
use crate::events::time::Timestamp;
use crate::kernel::{Aggregate, At, EffectChanges};
use crate::testing::Dice;

/// What happened to some run of that workflow.
fn history(file: &str, dice: &mut Dice, (comes_and_goes, pauses): (bool, bool)) -> Vec<RunEvent> {
    let limit = comes_and_goes.then(|| Duration::from_secs(20));
    let mut play = begin(file, dice, (3, limit));
    (play.comes_and_goes, play.pauses) = (comes_and_goes, pauses);
    for _ in 0..dice.below(80) {
        turn(dice, &mut play);
    }
    play.log
}

/// The event, with the numbers that it would need to follow.
fn fitted(run: &Run, mut event: RunEvent) -> RunEvent {
    let node = |step: &StepId| run.nodes().iter().find(|node| node.id() == step);
    let tries = |step: &StepId, purpose| node(step).map_or(0, |node| node.attempts(purpose));
    match &mut event {
        RunEvent::AttemptStarted(started) => {
            (started.fence, started.attempt) =
                (run.fence().next(), tries(&started.step, started.purpose) + 1);
        }
        RunEvent::AttemptFailed(failed) => failed.attempt = tries(&failed.step, failed.purpose),
        RunEvent::AttemptLost(lost) => lost.attempt = tries(&lost.step, lost.purpose),
        RunEvent::ModelCalled(called) => called.attempt = tries(&called.step, called.purpose),
        RunEvent::AttemptAnswered(answered) => fit_answered(run, answered),
        RunEvent::ContextWritten(_) | RunEvent::ConversationContinued(_) => fit_taken(run, &mut event),
        RunEvent::HandoffDeclared(declared) => {
            let open = node(&declared.step).and_then(|node| node.open_attempt());
            if let Some(open) = open {
                (declared.attempt, declared.from) = (open.attempt, open.agent.clone());
            }
        }
        RunEvent::RepairAsked(asked) => asked.attempt = tries(&asked.step, Purpose::Do),
        RunEvent::AnswerNoted(noted) => noted.attempt = tries(&noted.step, Purpose::Do),
        RunEvent::StepCompensated(undone) => undone.attempt = tries(&undone.step, Purpose::Compensate),
        RunEvent::MessageSent(sent) => {
            sent.number = run.messages().last.next();
            sent.attempt = tries(&sent.step, sent.purpose);
            sent.delivery = sent.delivery.and_then(|_| run.messages().deliveries.keys().next().copied());
        }
        RunEvent::DeliveryStarted(started) => {
            started.fence = run.fence().next();
            let next = run.messages().to_deliver().next();
            if let Some((receiver, sent, tries)) = next {
                started.receiver = receiver.clone();
                (started.number, started.nth) = (sent.message.number, tries + 1);
            }
        }
        RunEvent::DeliveryFailed(failed) => {
            let open = run.messages().deliveries.values().next();
            open.iter().for_each(|open| (failed.fence, failed.number) = (open.fence, open.number));
        }
        RunEvent::DeliveryLost(lost) => {
            let open = run.messages().deliveries.values().next();
            open.iter().for_each(|open| (lost.fence, lost.number) = (open.fence, open.number));
        }
        RunEvent::ChildStirred(stirred) => fit_stirred(run, stirred),
        RunEvent::MessageGiven(given) => fit_given(run, given),
        RunEvent::MessageHandled(handled) => {
            // Whoever was given one.
            let open = run.nodes().iter().flat_map(|node| node.open_attempts());
            let given = open.filter_map(|open| Some((open, run.messages().given(open.fence).next()?)));
            for (open, sent) in given.take(1) {
                *handled = MessageHandled {
                    number: sent.message.number,
                    receiver: open.agent.clone(),
                    step: open.step.clone(),
                    purpose: open.purpose,
                    attempt: open.attempt,
                    delivery: None,
                };
            }
        }
        RunEvent::StepCompleted(done) if done.attempt > 0 => done.attempt = tries(&done.step, Purpose::Do),
        RunEvent::ConversationAwaited(_) | RunEvent::ConversationRead(_) => fit_hearing(run, &mut event),
        _ => fit_answer(run, &mut event),
    }
    event
}

/// A child that rests.
fn fit_stirred(run: &Run, stirred: &mut ChildStirred) {
    let rests =
        |node: &Node| Some((node.id().clone(), node.child.as_ref().filter(|child| child.rests)?.run.clone()));
    if let Some((step, child)) = run.nodes().iter().find_map(rests) {
        (stirred.step, stirred.run) = (step, child);
    }
}

/// A step that could look for an earlier answer, looks for one, or has found none: few of them answer in so short a time, so that what
/// says of one that it found none says of another what it answered.
fn fit_answer(run: &Run, event: &mut RunEvent) {
    let step = |place: &StepIndex| run.steps.get(*place).map(|node| node.id().clone());
    let is_looking = |preparing: &Preparing| matches!(preparing, Preparing::LookingUp(_));
    let looking = run.shared.preparing.iter().find(|(_, preparing)| is_looking(preparing));
    let looking = looking.and_then(|(place, _)| step(place));
    let could_look =
        |(place, node): &(StepIndex, &Node)| node.doing.is_ready() && !run.shared.holds_up(*place);
    match (event, looking) {
        (RunEvent::CacheAwaited(awaited), _) => {
            let could = run.steps.indexed().find(could_look);
            could.into_iter().for_each(|(_, node)| awaited.step = node.id().clone());
        }
        (RunEvent::CacheHit(hit), Some(looking)) => hit.step = looking,
        (RunEvent::CacheMissed(missed), Some(looking)) => missed.step = looking,
        (event @ (RunEvent::CacheMissed(_) | RunEvent::CacheHit(_)), None) => {
            let found =
                run.shared.looked_up.iter().find_map(|(place, found)| Some((step(place)?, found.key)));
            let kept = found.map(|(step, key)| AnswerKept {
                step,
                attempt: 1,
                agent: AgentName::new("ada"),
                key,
                ttl_us: None,
                answer: Payload::default(),
                artifacts: Vec::new(),
            });
            kept.into_iter().for_each(|kept| *event = kept.into());
        }
        _ => {}
    }
}

/// A step that could hear what is at hand of a conversation, or waits for that.
fn fit_hearing(run: &Run, event: &mut RunEvent) {
    let waits = |(place, preparing): (&StepIndex, &Preparing)| match preparing {
        Preparing::Hearing(conversation) => {
            Some((run.steps.get(*place).unwrap().id().clone(), conversation.clone()))
        }
        _ => None,
    };
    match event {
        RunEvent::ConversationAwaited(awaited) => {
            let could = run
                .steps
                .indexed()
                .find(|(place, node)| node.doing.is_ready() && !run.shared.holds_up(*place));
            could.into_iter().for_each(|(_, node)| awaited.step = node.id().clone());
        }
        RunEvent::ConversationRead(read) => {
            let waits = run.shared.preparing.iter().find_map(waits);
            waits.into_iter().for_each(|(step, conversation)| {
                (read.step, read.conversation) = (step, conversation);
            });
        }
        _ => {}
    }
}

/// An attempt that has not answered.
fn fit_answered(run: &Run, answered: &mut AttemptAnswered) {
    let mut open = run.nodes().iter().flat_map(|node| node.open_attempts());
    if let Some(open) = open.find(|open| !run.is_writing(open.fence)) {
        (answered.step, answered.attempt) = (open.step.clone(), open.attempt);
        answered.purpose = open.purpose;
        // Few write into contexts in so short a time.
        if answered.writes.is_empty() && run.fence().0.is_multiple_of(2) {
            let context = ContextName::parse("team").unwrap();
            answered.writes.push(SharedWrite { context, keys: Vec::new(), held: None });
        }
    }
}

/// An attempt of which contexts and a conversation have to take something before it is over.
fn fit_taken(run: &Run, event: &mut RunEvent) {
    let open = run.nodes().iter().flat_map(|node| node.open_attempts());
    let mut writing = open.filter_map(|open| Some((open, run.shared.writing.get(&open.fence)?)));
    match event {
        // Few contexts are written in so short a time: what says of a conversation that it has taken something says it of a context.
        event if run.shared.writing.values().any(|writing| !writing.left.is_empty()) => {
            let next = writing.find_map(|(open, writing)| Some((open, writing.left.keys().next()?)));
            next.into_iter().for_each(|(open, context)| {
                let (step, attempt, purpose) = (open.step.clone(), open.attempt, open.purpose);
                *event = ContextWritten { purpose, step, attempt, context: context.clone() }.into();
            });
        }
        RunEvent::ConversationContinued(continued) => {
            let next = writing.find_map(|(open, writing)| Some((open, writing.turns.as_ref()?)));
            next.into_iter().for_each(|(open, turns)| {
                (continued.step, continued.attempt) = (open.step.clone(), open.attempt);
                continued.conversation = turns.conversation.clone();
            });
        }
        _ => {}
    }
}

/// Whoever can be given a message.
fn fit_given(run: &Run, given: &mut MessageGiven) {
    let node = |step: &StepId| run.nodes().iter().find(|node| node.id() == step);
    let next = run.messages().to_give().find_map(|next| {
        let may = |(fence, _): &&(Fence, StepId)| next.holder.is_none_or(|holder| holder == *fence);
        let (fence, step) = next.open.iter().find(may)?;
        let open = node(step)?.open_attempts().find(|open| open.fence == *fence)?;
        Some((next.sent.message.number, open))
    });
    if let Some((number, open)) = next {
        (given.number, given.receiver, given.step) = (number, open.agent.clone(), open.step.clone());
        (given.purpose, given.attempt) = (open.purpose, open.attempt);
    }
}

/// Whatever is asked of a state has an answer.
fn look_at(run: &Run) {
    let asks = [Ask::Go, Ask::Unpause(order()), Ask::Rollback { order: order(), to: None }];
    std::hint::black_box((run.open(), run.status(), run.progress(), run.wants_driving(), run.wakes_at()));
    asks.iter().for_each(|ask| drop(run.startable(ask)));
    for node in run.nodes().iter() {
        std::hint::black_box((run.rollback_plan(Some(node.id().as_str())).is_ok(), node.attempts_now()));
    }
    let plan = run.rollback_plan(None);
    std::hint::black_box((
        plan.is_ok(),
        crate::views::presenters::rollback::page(run, Version(1), crate::api::wording::command),
    ));
    assert_eq!(&Run::restore(&run.snapshot().unwrap()).unwrap(), run);
}

#[test]
fn whatever_events_follow_each_other_the_fold_never_panics() {
    let stream = StreamId::new("run", "r");
    let mut followed = BTreeMap::<&str, u32>::new();
    for seed in 0..1_000 {
        let mut dice = Dice::of(seed);
        let file = workflow(&mut dice);
        let events = [(); 2].map(|()| history(&file, &mut dice, (seed >= 600, seed >= 650))).concat();
        let (mut run, mut place) = (Run::default(), 0);
        for version in 1..400 {
            // Its steps come first, as in every run; after that mostly what came next somewhere.
            let goes_on = version <= 9 || dice.one_in(2);
            place = if goes_on { place + 1 } else { 1 + dice.below(events.len()) };
            let Some(event) = events.get(place - 1) else { continue };
            let event = fitted(&run, event.clone());
            let (time, version) = (Timestamp(version as i64 * 100_000), Version(version as u64));
            let mut next = run.clone();
            let at = At { stream: &stream, version, time };
            if next.evolve(&event, &at, &mut EffectChanges::default()).is_ok() {
                run = next;
                look_at(&run);
                *followed.entry(event.kind()).or_default() += 1;
            }
        }
    }
    let known: BTreeSet<_> = RunEvent::TABLE.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(followed.len(), known.len(), "of every kind some followed: {followed:?}");
}
