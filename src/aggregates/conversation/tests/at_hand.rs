//! What is at hand of a conversation, in pages.

use super::*;
use crate::aggregates::conversation::at_hand::{AtHand, turns};
use crate::events::ids::Version;
use crate::events::json::Payload;

fn said(number: u32) -> NewTurn {
    let text = format!("turn {number} {}", "x".repeat(if number.is_multiple_of(10) { 900 } else { 5 }));
    NewTurn { tokens: 10, ..user(&text) }
}

#[test]
fn pages_that_stay_as_they_are_are_the_same_content_for_whoever_is_given_them() {
    let window = Window::default();
    let (talk, _) = taken(given("conversation/talk"), add((1..=40).map(said).collect(), window, None));
    let before = AtHand::of(talk.state(), Version(41));
    let (talk, _) = taken(talk, add(vec![said(41)], window, None));
    let after = AtHand::of(talk.state(), Version(42));
    assert_eq!((before.pages.len(), after.pages.len()), (3, 3));
    assert_eq!(before.pages[..2], after.pages[..2]);
    assert_ne!(before.pages[2], after.pages[2]);
    assert_eq!((after.texts.len(), after.version), (4, Version(42)), "long texts are content of their own");
    assert!(after.pages.iter().all(|page| page.text().len() < 2_000), "no page has a long text itself");
}

#[test]
fn what_is_at_hand_is_read_back_as_it_was_said_with_what_stands_for_the_rest() {
    let mut talk = given("conversation/talk");
    for number in 1..=9 {
        let new = vec![NewTurn { tokens: 30, ..said(number) }];
        let thought = thought(&talk, &new, WINDOW);
        (talk, _) = taken(talk, add(new, WINDOW, thought));
    }
    let at_hand = AtHand::of(talk.state(), Version(20));
    let read = at_hand.pages.iter().flat_map(|page| {
        let page = Payload::Inline(page.clone());
        turns(&page, talk.blobs()).unwrap()
    });
    let read: Vec<_> = read.map(|turn| (turn.turn, turn.role, turn.content.payload())).collect();
    let window = talk.state().turns().iter();
    let meant: Vec<_> = window.map(|(turn, of)| (*turn, of.role, of.content.clone())).collect();
    assert_eq!(read, meant);
    assert!(read.len() < 9, "some have left the window");
    let (first, standing) = at_hand.summary.unwrap();
    assert_eq!(Some(first), talk.state().archive().first);
    assert_eq!(standing, talk.state().summary().unwrap().content);
}

#[test]
fn of_a_conversation_in_which_nothing_was_said_nothing_is_at_hand() {
    assert_eq!(AtHand::of(&Conversation::default(), Version(0)), AtHand::default());
}
