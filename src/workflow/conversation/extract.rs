//! What is said in texts, in a few of their own sentences: those whose words are said most, and among them questions, decisions,
//! numbers and names before others. No sentence says anything that nobody said.

use std::collections::{BTreeMap, BTreeSet};

use super::relevance::Words;
use super::{Said, Summary, tokens};

/// The name of whoever summarises so. Another way to choose sentences gets another name.
pub const NAME: &str = "extraction";

/// The longest sentence, in characters: what is longer is a paste, of which the beginning stands.
const SENTENCE_CHARS_MAX: usize = 320;

/// How many sentences are looked at. Of longer texts the last are: what was decided is said at the end.
const SENTENCES_MAX: usize = 5_000;

/// After so many sentences that do not fit any more no shorter one is looked for.
const MISFITS_MAX: usize = 20;

/// What counts beside the words of a sentence, as much as the most common word does.
const DECISION: f64 = 0.8;
const QUESTION: f64 = 0.5;
const NUMBER: f64 = 0.4;
const NAMED: f64 = 0.3;
/// How much more the newest counts than the oldest.
const RECENT: f64 = 0.3;

/// Words that say that something was settled.
const DECIDES: [&str; 22] = [
    "agreed",
    "always",
    "approved",
    "chose",
    "chosen",
    "conclusion",
    "confirmed",
    "deadline",
    "decide",
    "decided",
    "decision",
    "fixed",
    "must",
    "never",
    "only",
    "prefer",
    "require",
    "required",
    "settled",
    "shall",
    "should",
    "will",
];

/// A sentence that may stand in a summary.
struct Candidate {
    line: String,
    words: BTreeSet<String>,
    score: f64,
}

/// Summarises turns, which are in order, and what was summarised before, in no more than so many tokens. None where no sentence
/// fits in.
pub fn summarise(said: &[Said], before: Option<&str>, tokens_max: u32) -> Option<Summary> {
    let mut candidates = candidates(said, before);
    score(&mut candidates);
    let mut chosen = choose(&candidates, tokens_max);
    loop {
        if chosen.is_empty() {
            return None;
        }
        let lines =
            chosen.iter().filter_map(|at| candidates.get(*at)).map(|candidate| candidate.line.as_str());
        let summary = Summary::of(lines.collect::<Vec<_>>().join("\n"));
        if summary.tokens <= tokens_max {
            return Some(summary);
        }
        // Lines may take more together than each by itself.
        let score = |at: &usize| candidates.get(*at).map_or(0.0, |candidate| candidate.score);
        let least = chosen.iter().min_by(|a, b| score(a).total_cmp(&score(b))).copied();
        chosen.retain(|at| Some(*at) != least);
    }
}

/// All sentences, the oldest first: those of the last summary as they stand there, the others with who said them.
fn candidates(said: &[Said], before: Option<&str>) -> Vec<Candidate> {
    let words = Words::default();
    let candidate =
        |line: String| Candidate { words: words.of(&line).into_iter().collect(), line, score: 0.0 };
    let before = before.into_iter().flat_map(str::lines).filter(|line| !line.is_empty()).map(str::to_owned);
    let lines = said.iter().flat_map(|said| {
        sentences(&said.text).map(move |sentence| format!("[{} {}] {sentence}", said.turn, said.role.text()))
    });
    let mut all: Vec<String> = before.chain(lines).collect();
    let surplus = all.len().saturating_sub(SENTENCES_MAX);
    all.drain(..surplus);
    all.into_iter().map(candidate).collect()
}

fn score(candidates: &mut [Candidate]) {
    let mut spread = BTreeMap::<String, u32>::new();
    for candidate in &*candidates {
        candidate.words.iter().for_each(|word| *spread.entry(word.clone()).or_default() += 1);
    }
    let most = f64::from(spread.values().copied().max().unwrap_or(1));
    let count = candidates.len().max(1) as f64;
    for (at, candidate) in candidates.iter_mut().enumerate() {
        let common: f64 = candidate
            .words
            .iter()
            .filter_map(|word| spread.get(word))
            .map(|spread| f64::from(*spread).ln_1p() / most.ln_1p())
            .sum();
        // The mean, but a sentence of one word is not better than one that says it with others.
        let said = common / (candidate.words.len() as f64).max(3.0);
        candidate.score = said + marks(&candidate.line) + RECENT * (at as f64 / count);
    }
}

/// How much speaks for a sentence beside its words.
fn marks(line: &str) -> f64 {
    let sentence = line.split_once("] ").map_or(line, |(_, sentence)| sentence);
    let mut words = sentence.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
    let first = words.next();
    let is_name =
        |word: &str| word.chars().next().is_some_and(char::is_uppercase) && word.chars().count() > 1;
    let (mut decides, mut names) = (first.is_some_and(is_decision), false);
    for word in words {
        decides |= is_decision(word);
        names |= is_name(word);
    }
    let mark = |is_there: bool, weight: f64| if is_there { weight } else { 0.0 };
    mark(decides, DECISION)
        + mark(sentence.ends_with('?'), QUESTION)
        + mark(sentence.contains(|letter: char| letter.is_ascii_digit()), NUMBER)
        + mark(names, NAMED)
}

fn is_decision(word: &str) -> bool {
    DECIDES.binary_search_by(|decides| (*decides).cmp(&word.to_lowercase())).is_ok()
}

/// The places of the best candidates that fit in together, in order.
fn choose(candidates: &[Candidate], tokens_max: u32) -> Vec<usize> {
    let mut order: Vec<(usize, &Candidate)> = candidates.iter().enumerate().collect();
    order.sort_by(|(a, of_a), (b, of_b)| of_b.score.total_cmp(&of_a.score).then_with(|| b.cmp(a)));
    let mut room = tokens_max.saturating_sub(tokens::TURN_OVERHEAD);
    let (mut chosen, mut known, mut misfits) = (Vec::new(), BTreeSet::new(), 0);
    for (at, candidate) in order {
        if misfits >= MISFITS_MAX {
            break;
        }
        let is_new = !candidate.words.is_empty() && !known.contains(&candidate.words);
        if !is_new {
            continue;
        }
        // With the break before it.
        let takes = tokens::count(&candidate.line).saturating_add(1);
        if takes > room {
            misfits += 1;
            continue;
        }
        room -= takes;
        known.insert(&candidate.words);
        chosen.push(at);
    }
    chosen.sort_unstable();
    chosen
}

/// The sentences of a text, in order: they end where a line does, or at a full stop, a question mark or an exclamation mark
/// before a space.
fn sentences(text: &str) -> impl Iterator<Item = String> {
    text.lines().flat_map(|line| {
        let mut parts = Vec::new();
        let mut rest = line.trim();
        while let Some(end) = end_of_sentence(rest) {
            let (sentence, more) = rest.split_at(end);
            parts.push(sentence.trim());
            rest = more.trim_start();
        }
        parts.push(rest);
        parts
            .into_iter()
            .filter(|part| part.chars().any(char::is_alphanumeric))
            .map(shortened)
            .collect::<Vec<_>>()
    })
}

fn end_of_sentence(text: &str) -> Option<usize> {
    let mut letters = text.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        let is_end = matches!(letter, '.' | '!' | '?' | '。' | '！' | '？');
        if is_end && letters.peek().is_some_and(|(_, next)| next.is_whitespace() || !letter.is_ascii()) {
            return Some(at + letter.len_utf8());
        }
    }
    None
}

fn shortened(sentence: &str) -> String {
    match sentence.char_indices().nth(SENTENCE_CHARS_MAX) {
        None => sentence.to_owned(),
        Some((end, _)) => format!("{}…", sentence.get(..end).unwrap_or(sentence)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::conversation::Role;
    use crate::events::ids::TurnNumber;

    fn said(turns: &[(u64, Role, &str)]) -> Vec<Said> {
        let said = |(turn, role, text): &(u64, Role, &str)| Said {
            turn: TurnNumber(*turn),
            role: *role,
            text: (*text).to_owned(),
        };
        turns.iter().map(said).collect()
    }

    const TALK: [(u64, Role, &str); 3] = [
        (1, Role::User, "Hello there. How many replicas does the database in Oslo have? It is nice weather."),
        (2, Role::Assistant, "It has 3 replicas. Well, hm. That is what I see here and there."),
        (3, Role::User, "We decided that the database must be moved to Bergen before 2027-03-01. Fine."),
    ];

    #[test]
    fn words_that_decide_can_be_looked_up() {
        assert!(DECIDES.is_sorted());
    }

    #[test]
    fn questions_decisions_and_numbers_stay_with_who_said_them_and_in_order() {
        let summary = summarise(&said(&TALK), None, 70).unwrap();
        let lines: Vec<&str> = summary.text.lines().collect();
        assert!(lines.contains(&"[1 user] How many replicas does the database in Oslo have?"), "{lines:?}");
        let decided = "[3 user] We decided that the database must be moved to Bergen before 2027-03-01.";
        assert!(lines.contains(&decided), "{lines:?}");
        assert!(lines.contains(&"[2 assistant] It has 3 replicas."), "{lines:?}");
        assert!(!summary.text.contains("weather"), "{lines:?}");
        assert!(summary.tokens <= 70 && summary.tokens == tokens::of_turn(&summary.text));
        let turns: Vec<&str> = lines.iter().map(|line| &line[1..2]).collect();
        assert!(turns.is_sorted(), "{turns:?}");
    }

    #[test]
    fn what_was_summarised_before_is_summarised_again_and_nothing_takes_more_than_it_may() {
        let before = "[1 user] We decided to use Postgres 17.\n[2 user] Good morning to all of you.";
        for tokens_max in 0..120 {
            let summary = summarise(&said(&TALK[1..]), Some(before), tokens_max);
            let Some(summary) = summary else {
                assert!(tokens_max < 20, "{tokens_max}");
                continue;
            };
            assert!(summary.tokens <= tokens_max, "{tokens_max}: {}", summary.tokens);
            let known = |line: &str| {
                before.contains(line)
                    || line
                        .split_once("] ")
                        .is_some_and(|(_, line)| TALK.iter().any(|(_, _, text)| text.contains(line)))
            };
            assert!(summary.text.lines().all(known), "{}", summary.text);
            if tokens_max > 60 {
                assert!(summary.text.contains("Postgres 17"), "{}", summary.text);
            }
        }
    }

    #[test]
    fn the_same_is_said_once_and_nothing_comes_of_nothing() {
        let twice = said(&[(1, Role::User, "The port is 5432."), (2, Role::User, "The port is 5432.")]);
        let lines = summarise(&twice, None, 100).unwrap().text.lines().count();
        assert_eq!(lines, 2, "who says it is part of what is said");
        let again = said(&[(1, Role::User, "The port is 5432. The port is 5432.")]);
        assert_eq!(summarise(&again, None, 100).unwrap().text, "[1 user] The port is 5432.");
        for nothing in ["", "\n\n", "...", "!? - --"] {
            assert_eq!(summarise(&said(&[(1, Role::User, nothing)]), None, 100), None);
        }
        let long = said(&[(1, Role::Tool, &"abc ".repeat(10_000))]);
        assert!(summarise(&long, None, 500).unwrap().text.chars().count() <= SENTENCE_CHARS_MAX + 20);
    }
}
