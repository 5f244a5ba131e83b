//! What lies just within, or just beyond, the rules of compressing: each of these was once found to be held by no test.

use super::*;

#[test]
fn as_many_turns_as_may_be_are_added_at_once() {
    let window = Window::default();
    let (talk, events) = said(talk(), vec![user("x"); TURNS_ADDED_MAX], window);
    assert_eq!((talk.state().last(), events.len()), (TurnNumber(100), 1 + TURNS_ADDED_MAX));
}

/// Every turn would be within the target, but for the summary, which a larger window let grow.
#[test]
fn a_summary_that_is_too_long_for_a_smaller_window_is_made_anew_and_a_turn_leaves_for_it() {
    let large = Window { tokens: 400, compress_above: 200, target: 150, summary: 100, keep_last: 1 };
    let (talk, _) = said(talk(), sized(&[60, 60, 60]), large);
    let next = sized(&[60]);
    let leaves = leaving(talk.state(), &next, &large, talk.blobs()).unwrap().unwrap();
    let summary = Summary { text: "It took long.".to_owned(), tokens: 60 };
    let compression = leaves.summarised("ada", Some(summary));
    let (talk, _) = taken(talk, add(next, large, Some(compression)));
    assert_eq!((in_window(&talk), talk.state().tokens()), (vec![4], 120));
    let small = Window { tokens: 150, compress_above: 125, target: 120, summary: 20, keep_last: 1 };
    let (talk, _) = said(talk, sized(&[10]), small);
    assert_eq!(in_window(&talk), [5], "there were 130 tokens, and 125 may be");
    assert!(talk.state().tokens() <= 30, "{}", talk.state().tokens());
}

#[test]
fn a_compression_that_was_thought_of_an_older_summary_is_wanted_anew() {
    let (talk, _) = said(talk(), sized(&[20, 20, 20, 20]), WINDOW);
    let (talk, _) = said(talk, sized(&[10]), WINDOW);
    let (talk, _) = said(talk, sized(&[30]), WINDOW);
    let next = sized(&[25]);
    let thought = thought(&talk, &next, WINDOW).unwrap();
    assert_eq!(thought.compressions, 1);
    let older = Compression { compressions: 0, ..thought.clone() };
    let refused = talk.clone().when(add(next.clone(), WINDOW, Some(older)));
    refused.then_rejected(|refused| *refused == ConversationRejection::Changed);
    taken(talk, add(next, WINDOW, Some(thought)));
}

#[test]
fn a_compression_that_names_new_turns_counts_only_where_they_get_these_numbers() {
    let (talk, _) = said(talk(), sized(&[60]), WINDOW);
    let both = sized(&[70, 70]);
    let thought = thought(&talk, &both, WINDOW).unwrap();
    assert!(thought.leaves.iter().any(|(turn, _)| *turn > talk.state().last()), "{:?}", thought.leaves);
    let other = Compression { after: TurnNumber(0), ..thought.clone() };
    let refused = talk.clone().when(add(both.clone(), WINDOW, Some(other)));
    refused.then_rejected(|refused| *refused == ConversationRejection::Changed);
    taken(talk, add(both, WINDOW, Some(thought)));
}

#[test]
fn the_summary_stands_in_the_place_of_the_first_turn_that_ever_left() {
    let (mut talk, _) = said(talk(), sized(&[20, 20, 20, 20]), WINDOW);
    for _ in 0..4 {
        (talk, _) = said(talk, sized(&[30]), WINDOW);
        assert_eq!(talk.state().archive().first, Some(TurnNumber(1)));
    }
    assert!(talk.state().archive().pages > 1, "{:?}", talk.state().archive());
}

#[test]
fn only_a_long_text_has_words_on_its_page_by_which_it_is_found() {
    let window = Window { tokens: 1_000, compress_above: 300, target: 200, summary: 20, keep_last: 1 };
    let long = NewTurn { tokens: 200, ..user(&"The databases were moved to Oslo. ".repeat(20)) };
    let (talk, _) = said(talk(), vec![long, NewTurn { tokens: 50, ..user("Short.") }], window);
    let (talk, _) = said(talk, sized(&[100]), window);
    let (_, page) = pages(talk.state().archive().head, talk.blobs()).next().unwrap().unwrap();
    let words =
        |turn: u64| page.turns.iter().find(|of| of.turn == TurnNumber(turn)).map(|of| of.words.clone());
    assert!(words(1).is_some_and(|words| words.iter().any(|word| word == "oslo")), "{page:?}");
    assert!(words(2).is_none_or(|words| words.is_empty()), "{page:?}");
}
