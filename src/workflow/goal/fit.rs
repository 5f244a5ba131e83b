//! Who does a task that is assigned to nobody: whose expertise, name and description share most words with it.

use std::collections::BTreeSet;

use super::Candidate;

/// What a shared word counts, by where the agent has it: what is listed as expertise was meant for this.
const EXPERTISE: u32 = 4;
const NAME: u32 = 3;
const DESCRIPTION: u32 = 1;

/// Words that say nothing of what is to be done.
const EMPTY: [&str; 30] = [
    "a", "agent", "all", "an", "and", "are", "as", "be", "by", "do", "for", "from", "in", "is", "it", "its",
    "make", "of", "on", "or", "that", "the", "them", "this", "to", "use", "with", "work", "write", "you",
];

/// The place of the candidate that fits best; none if no word is shared. Of those that fit alike, the one that has fewest tasks.
pub(super) fn best(task: &str, candidates: &[Candidate], loads: &[u32]) -> Option<usize> {
    let task = words(task);
    let scored = candidates.iter().enumerate().map(|(place, candidate)| (score(&task, candidate), place));
    let load = |place: usize| loads.get(place).copied().unwrap_or_default();
    let best = scored.filter(|(score, _)| *score > 0).max_by(|(one, at), (other, other_at)| {
        one.cmp(other).then(load(*other_at).cmp(&load(*at))).then(other_at.cmp(at))
    });
    best.map(|(_, place)| place)
}

fn score(task: &BTreeSet<String>, candidate: &Candidate) -> u32 {
    let expertise = words(&candidate.skills.expertise().join(" "));
    let (name, description) = (words(candidate.name.as_str()), words(&candidate.skills.description));
    let counts = |word: &String| {
        let of = [(&expertise, EXPERTISE), (&name, NAME), (&description, DESCRIPTION)];
        of.into_iter().find(|(words, _)| words.contains(word)).map_or(0, |(_, counts)| counts)
    };
    task.iter().map(counts).sum()
}

/// The words of a text, each once, in their simplest form.
fn words(text: &str) -> BTreeSet<String> {
    let lower = text.to_lowercase();
    let words = lower.split(|character: char| !character.is_alphanumeric());
    let words = words.filter(|word| !word.is_empty() && !EMPTY.contains(word));
    words.map(|word| stem(word).to_owned()).collect()
}

/// A word without its commonest English endings. Short words stay as they are.
fn stem(word: &str) -> &str {
    const SHORTEST: usize = 4;
    let ends = ["ing", "ers", "er", "ies", "es", "ed", "s", "y", "e"];
    let stem = ends.iter().find_map(|end| word.strip_suffix(end).filter(|rest| rest.len() >= SHORTEST));
    stem.unwrap_or(word)
}
