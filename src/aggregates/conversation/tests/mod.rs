//! The rules of a conversation.

mod at_hand;
mod crashed;
mod edges;
mod grows;
mod random;

use super::archive::pages;
use super::*;
use crate::events::codec::Encoded;
use crate::events::conversation::*;
use crate::events::limits::{TURN_BYTES_MAX, TURNS_ADDED_MAX};
use crate::events::problem::Code;
use crate::kernel::{Blobs, ReadBlob};
use crate::testing::{Given, given};
use crate::workflow::conversation::{Summary, tokens};

/// A window of a hundred tokens: compressed above 80, to 50, of which 20 are summary; the last two turns stay.
const WINDOW: Window = Window { tokens: 100, compress_above: 80, target: 50, summary: 20, keep_last: 2 };

fn talk() -> Given<Conversation> {
    given::<Conversation>("talk")
}

fn turn(role: Role, text: &str) -> NewTurn {
    NewTurn { role, name: None, pinned: false, tokens: tokens::of_turn(text), text: text.into() }
}

fn user(text: &str) -> NewTurn {
    turn(Role::User, text)
}

fn pinned(text: &str) -> NewTurn {
    NewTurn { pinned: true, ..user(text) }
}

/// Turns with so many tokens each, as is said.
fn sized(sizes: &[u32]) -> Vec<NewTurn> {
    sizes
        .iter()
        .map(|tokens| NewTurn { tokens: *tokens, ..user(&format!("It took {tokens} days.")) })
        .collect()
}

fn add(turns: Vec<NewTurn>, window: Window, compression: Option<Compression>) -> ConversationAsk {
    ConversationAsk::Add(Box::new(Add { turns, window, compression, by: "ada".into() }))
}

fn pin(turn: u64, pinned: bool) -> ConversationAsk {
    ConversationAsk::Pin { turn: TurnNumber(turn), pinned, by: "ada".into() }
}

/// What leaves the window if these turns are added, as whoever asks thinks of it.
fn thought(talk: &Given<Conversation>, turns: &[NewTurn], window: Window) -> Option<Compression> {
    leaving(talk.state(), turns, &window, talk.blobs()).unwrap().map(Leaving::extracted)
}

/// Decides a command that is taken; it is decided again from its record, and the state survives being saved.
fn taken(talk: Given<Conversation>, ask: ConversationAsk) -> (Given<Conversation>, Vec<ConversationEvent>) {
    let before = talk.state().clone();
    let when = talk.when(ask);
    let again = when.redecided(before).unwrap();
    let mut happened = Vec::new();
    let talk = when.then_events(|events| happened.extend_from_slice(events));
    assert_eq!(again, (!happened.is_empty()).then(|| happened.clone()), "decided again");
    assert_eq!(&Conversation::restore(&talk.state().snapshot().unwrap()).unwrap(), talk.state());
    (talk, happened)
}

/// Adds turns as whoever asks does.
fn said(
    talk: Given<Conversation>,
    turns: Vec<NewTurn>,
    window: Window,
) -> (Given<Conversation>, Vec<ConversationEvent>) {
    let compression = thought(&talk, &turns, window);
    taken(talk, add(turns, window, compression))
}

fn code(rejection: &ConversationRejection) -> Code {
    Conversation::problem(rejection).code
}

fn in_window(talk: &Given<Conversation>) -> Vec<u64> {
    talk.state().turns().keys().map(|turn| turn.0).collect()
}

/// The turns in the archive, page by page, the oldest page first.
fn archived(talk: &Given<Conversation>) -> Vec<Vec<u64>> {
    let read = pages(talk.state().archive().head, talk.blobs());
    let mut all: Vec<Vec<u64>> =
        read.map(|read| read.unwrap().1.turns.iter().map(|archived| archived.turn.0).collect()).collect();
    all.reverse();
    all
}

fn summary(talk: &Given<Conversation>) -> String {
    talk.state()
        .summary()
        .map(|standing| talk.json(&standing.content).value().as_str().unwrap().to_owned())
        .unwrap_or_default()
}

#[test]
fn a_turn_is_in_the_window_with_what_it_takes_of_it() {
    let who = NewTurn { name: Some(AgentName::new("ada")), ..pinned("How many replicas are there?") };
    let (talk, events) = said(talk(), vec![who, turn(Role::Assistant, "Three.")], WINDOW);
    let [set, first, second] = &*events else { panic!("{events:?}") };
    assert_eq!(*set, WindowSet { window: WINDOW }.into());
    let ConversationEvent::TurnAdded(first) = first else { panic!("{first:?}") };
    assert_eq!(
        (first.turn, first.pinned, first.name.as_ref().unwrap().as_str()),
        (TurnNumber(1), true, "ada")
    );
    assert_eq!(second.kind(), "turn_added");
    let tokens = talk.state().tokens();
    assert_eq!(tokens, talk.state().turns().values().map(|turn| turn.tokens).sum::<u32>());
    let (talk, events) = said(talk, vec![user("Where?")], WINDOW);
    assert_eq!(events.len(), 1, "the window is said once");
    assert!(talk.state().tokens() > tokens && talk.state().tokens_ever() == u64::from(talk.state().tokens()));
}

#[test]
fn a_long_text_is_a_blob_and_a_short_one_is_not() {
    let window = Window { tokens: 10_000, compress_above: 8_000, target: 5_000, ..WINDOW };
    let (talk, events) = said(talk(), vec![user(&"x y ".repeat(200)), user("x")], window);
    let blobs: Vec<usize> = events.iter().map(|event| Conversation::blobs(event).len()).collect();
    assert_eq!(blobs, [0, 1, 0]);
    let content = &talk.state().turns()[&TurnNumber(1)].content;
    assert_eq!(talk.json(content).value().as_str().unwrap().len(), 800);
}

#[test]
fn above_the_bound_the_oldest_leave_in_the_commit_of_the_turn_and_a_summary_stands_for_them() {
    let (talk, _) = said(talk(), sized(&[20, 20, 20, 20]), WINDOW);
    assert_eq!((talk.state().tokens(), in_window(&talk)), (80, vec![1, 2, 3, 4]), "as many as may be");
    let (talk, events) = said(talk, sized(&[10]), WINDOW);
    let [added, ConversationEvent::ConversationCompressed(compressed)] = &*events else {
        panic!("{events:?}")
    };
    assert_eq!(added.kind(), "turn_added");
    assert_eq!((&*compressed.by, compressed.tokens_before), ("extraction", 90));
    // The last two have 30 tokens, so no other may stay beside a summary of 20.
    assert_eq!((in_window(&talk), archived(&talk)), (vec![4, 5], vec![vec![1, 2, 3]]));
    assert_eq!(talk.state().tokens(), 30 + compressed.summary_tokens);
    assert!(compressed.summary_tokens <= 20 && compressed.tokens_after <= 50);
    assert!(summary(&talk).contains("20 days."), "{}", summary(&talk));
    assert_eq!(talk.state().archive().first, Some(TurnNumber(1)));
    assert_eq!(talk.state().compressed().unwrap().archived, 3);
}

#[test]
fn what_has_to_do_with_what_was_said_last_leaves_later_than_what_has_not() {
    let window = Window { tokens: 130, compress_above: 100, target: 90, summary: 15, keep_last: 1 };
    let talks = |first: &str| {
        let turns = vec![
            user(first),
            user("Lunch is at noon in the canteen, as always."),
            user("The weather is fine."),
        ];
        let (talk, _) = said(talk(), turns, window);
        let ask = "Which replica of the database did we move, and is that replica of the database well there now? \
                   I would like to know that before we move the next replica, and before the database is needed by anybody.";
        let (talk, _) =
            said(talk, vec![user(ask), user("The replica of the database: where is it?")], window);
        in_window(&talk)
    };
    assert!(talks("We moved the replica of the database to Bergen.").contains(&1));
    assert!(!talks("We bought a chair for the office in Bergen.").contains(&1));
}

#[test]
fn pinned_turns_and_the_last_stay() {
    let (talk, _) = said(talk(), vec![NewTurn { tokens: 20, ..pinned("Answer in one sentence.") }], WINDOW);
    let (talk, _) = said(talk, sized(&[20, 20, 15]), WINDOW);
    let (talk, _) = said(talk, sized(&[10]), WINDOW);
    assert_eq!((in_window(&talk), archived(&talk)), (vec![1, 4, 5], vec![vec![2, 3]]));
    let (talk, _) = taken(talk, pin(1, false));
    let (talk, events) = taken(talk, pin(1, false));
    assert!(events.is_empty(), "it is so already");
    let (talk, _) = taken(talk, pin(4, true));
    let (talk, _) = said(talk, sized(&[20, 15]), WINDOW);
    assert_eq!(
        (in_window(&talk), archived(&talk).len()),
        (vec![4, 6, 7], 2),
        "it leaves after all, and another stays"
    );
    talk.clone().when(pin(2, true)).then_rejected(|refused| code(refused) == Code::NoSuchTurn);
    talk.when(pin(99, true)).then_rejected(|refused| code(refused) == Code::NoSuchTurn);
}

#[test]
fn the_last_turns_leave_only_if_they_do_not_fit_and_the_newest_never() {
    // Two turns of 60 are more than there is room for.
    let (talk, _) = said(talk(), sized(&[60]), WINDOW);
    let (talk, _) = said(talk, sized(&[60]), WINDOW);
    assert_eq!((in_window(&talk), archived(&talk)), (vec![2], vec![vec![1]]));
    assert!(talk.state().tokens() <= 100);
    let (talk, _) = said(talk, sized(&[100]), WINDOW);
    assert_eq!(in_window(&talk), [3]);
    assert_eq!(
        (talk.state().tokens(), talk.state().summary()),
        (100, None),
        "there is no room for a summary"
    );
    // Both were to be added at once, and only one fits in.
    let (talk, _) = said(talk, sized(&[70, 70]), WINDOW);
    assert_eq!((in_window(&talk), archived(&talk).concat()), (vec![5], vec![1, 2, 3, 4]));
}

#[test]
fn what_cannot_be_a_turn_or_has_no_room_is_refused_and_nothing_is_lost() {
    let (talk, _) = said(talk(), vec![NewTurn { tokens: 70, ..pinned("All that always holds.") }], WINDOW);
    let refused = |turns: Vec<NewTurn>, expected: Code| {
        let compression = thought(&talk, &turns, WINDOW);
        talk.clone().when(add(turns, WINDOW, compression)).then_rejected(|refused| {
            assert_eq!(code(refused), expected, "{refused}");
            true
        });
    };
    refused(Vec::new(), Code::Usage);
    refused(vec![user("x"); TURNS_ADDED_MAX + 1], Code::Usage);
    refused(vec![user("x"), user(" \n")], Code::BadTurn);
    refused(vec![user("a\0b")], Code::BadTurn);
    refused(vec![NewTurn { name: Some(AgentName::new("a\nb")), ..user("x") }], Code::BadTurn);
    refused(vec![NewTurn { tokens: 1, ..user(&"x".repeat(TURN_BYTES_MAX + 1)) }], Code::TooLarge);
    refused(sized(&[101]), Code::TurnTooLarge);
    refused(sized(&[31]), Code::ConversationFull);
    refused(vec![NewTurn { tokens: 31, ..pinned("And this.") }], Code::ConversationFull);
    for window in [
        Window { tokens: 10, compress_above: 8, target: 5, summary: 1, keep_last: 1 },
        Window { compress_above: 101, ..WINDOW },
        Window { target: 81, ..WINDOW },
        Window { summary: 51, ..WINDOW },
    ] {
        let refused = talk.clone().when(add(sized(&[5]), window, None));
        refused.then_rejected(|refused| code(refused) == Code::BadConfig);
    }
    let (talk, _) = said(talk, sized(&[30]), WINDOW);
    assert_eq!(in_window(&talk), [1, 2], "that fits in");
}

#[test]
fn a_compression_counts_as_long_as_it_fits_and_is_wanted_anew_if_it_does_not() {
    let (talk, _) = said(talk(), sized(&[20, 20, 20, 15]), WINDOW);
    let changed = |talk: &Given<Conversation>, turns: &[u32], compression: Option<Compression>| {
        let refused = talk.clone().when(add(sized(turns), WINDOW, compression));
        refused.then_rejected(|refused| *refused == ConversationRejection::Changed);
    };
    changed(&talk, &[10], None);
    let thought_before = thought(&talk, &sized(&[10]), WINDOW).unwrap();
    // Another turn came first, for which there was room: who leaves is still who may leave.
    let (later, _) = said(talk.clone(), sized(&[5]), WINDOW);
    let (later, _) = taken(later, add(sized(&[10]), WINDOW, Some(thought_before.clone())));
    assert_eq!(archived(&later), [[1, 2, 3]]);
    // A turn was pinned that was to leave; or the summary is another by now.
    let (by_then, _) = taken(talk.clone(), pin(2, true));
    changed(&by_then, &[10], Some(thought_before.clone()));
    let (by_then, _) = said(talk.clone(), sized(&[30]), WINDOW);
    let (by_then, _) = said(by_then, sized(&[15]), WINDOW);
    changed(&by_then, &[35], Some(thought_before.clone()));
    // None of these is what was asked for: too long a summary, the newest or a last turn, a turn twice, none at all.
    let with = |leaves: &[u64], summary: u32| Compression {
        leaves: leaves.iter().map(|turn| (TurnNumber(*turn), Vec::new())).collect(),
        summary: Some(("In short.".into(), summary)),
        ..thought_before.clone()
    };
    taken(talk.clone(), add(sized(&[10]), WINDOW, Some(with(&[1, 2], 20))));
    for bad in [
        with(&[1, 2], 21),
        with(&[5], 1),
        with(&[1, 4], 1),
        with(&[1, 1], 1),
        with(&[2, 1], 1),
        with(&[], 1),
        with(&[77], 1),
    ] {
        changed(&talk, &[10], Some(bad));
    }
}

/// A model would be asked with what is in `Leaving`, and take its time.
#[test]
fn whoever_summarises_is_named_in_the_event() {
    let (talk, _) = said(talk(), sized(&[20, 20, 20, 15]), WINDOW);
    let turns = sized(&[10]);
    let leaving = leaving(talk.state(), &turns, &WINDOW, talk.blobs()).unwrap().unwrap();
    assert_eq!((leaving.said.len(), &leaving.before, leaving.summary_tokens_max), (3, &None, 20));
    let compression = leaving.summarised("model/small", Some(Summary::of("It took long.".to_owned())));
    let (talk, events) = taken(talk, add(turns, WINDOW, Some(compression)));
    let Some(ConversationEvent::ConversationCompressed(compressed)) = events.last() else {
        panic!("{events:?}")
    };
    assert_eq!((&*compressed.by, summary(&talk).as_str()), ("model/small", "It took long."));
}

#[test]
fn a_smaller_window_compresses_what_there_is() {
    let large = Window { tokens: 1_000, compress_above: 800, target: 500, summary: 100, keep_last: 2 };
    let (talk, _) = said(talk(), sized(&[100; 6]), large);
    let small = Window { tokens: 150, compress_above: 120, target: 75, summary: 20, keep_last: 2 };
    let (talk, events) = said(talk, sized(&[20]), small);
    assert_eq!(events.first(), Some(&WindowSet { window: small }.into()));
    assert!(talk.state().tokens() <= 150, "{}", talk.state().tokens());
    assert_eq!(in_window(&talk), [6, 7]);
}

/// Found by chance: what was pinned fitted in, but not beside the summary, and nothing could leave.
#[test]
fn a_summary_makes_room_where_no_turn_can_leave() {
    let (talk, _) = said(talk(), sized(&[40, 40, 5]), WINDOW);
    let standing = talk.state().summary().map_or(0, |summary| summary.tokens);
    assert!(standing > 5, "{standing}");
    let (talk, _) = taken(talk, pin(2, true));
    let (talk, _) = taken(talk, pin(3, true));
    let (talk, events) = said(talk, sized(&[50]), WINDOW);
    let Some(ConversationEvent::ConversationCompressed(compressed)) = events.last() else {
        panic!("{events:?}")
    };
    assert!(compressed.archived.is_empty() && compressed.tokens_after <= 100, "{compressed:?}");
    assert_eq!((in_window(&talk), archived(&talk)), (vec![2, 3, 4], vec![vec![1], vec![]]));
}

#[test]
fn what_cannot_follow_is_an_illegal_event() {
    let (talk, _) = said(
        talk(),
        vec![NewTurn { tokens: 20, ..pinned("x") }, NewTurn { tokens: 30, ..user("y") }],
        WINDOW,
    );
    let added = |turn: u64, tokens: u32| TurnAdded {
        turn: TurnNumber(turn),
        role: Role::User,
        name: None,
        pinned: false,
        tokens,
        content: Payload::default(),
    };
    let compressed = |archived: &[u64], before: u32, after: u32| ConversationCompressed {
        by: "extraction".into(),
        archived: archived.iter().copied().map(TurnNumber).collect(),
        page: BlobRef { hash: crate::events::ids::Hash::of(b"page"), size_bytes: 4 },
        summary: Payload::default(),
        summary_tokens: 0,
        tokens_before: before,
        tokens_after: after,
    };
    let illegal: [ConversationEvent; 10] = [
        added(2, 5).into(),
        added(4, 5).into(),
        added(3, u32::MAX).into(),
        TurnPinned { turn: TurnNumber(1) }.into(),
        TurnUnpinned { turn: TurnNumber(2) }.into(),
        TurnPinned { turn: TurnNumber(9) }.into(),
        compressed(&[1], 50, 30).into(),
        compressed(&[2], 49, 19).into(),
        compressed(&[2], 49, 20).into(),
        compressed(&[2], 50, 21).into(),
    ];
    for event in illegal {
        assert!(talk.clone().fold(&event).is_err(), "{event:?}");
    }
    assert!(given::<Conversation>("new").fold(&added(1, 5).into()).is_err(), "there is no window yet");
    assert!(talk.fold(&compressed(&[2], 50, 20).into()).is_ok());
    assert!(archive::Page::read_blob(b"{}").is_err());
    let missing: &dyn Blobs = &crate::testing::MemoryBlobs::default();
    let head = Some(BlobRef { hash: crate::events::ids::Hash::of(b"page"), size_bytes: 4 });
    assert!(pages(head, missing).next().unwrap().is_err(), "a page that is not there is no end");
}
