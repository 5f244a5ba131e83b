//! Phrases, and what each counts for.

use std::collections::HashMap;

use serde::Deserialize;
use serde::de::{self, Deserializer};

use super::text::{Stems, Word};

/// How many words a phrase may have: what is longer says nothing that its beginning does not.
const PHRASE_WORDS_MAX: usize = 6;

/// Phrases by their stems, each with what it counts for, and how much.
#[derive(Debug)]
pub(super) struct Lexicon<T> {
    phrases: HashMap<String, Vec<(T, f64)>>,
    /// The length of its longest phrase, in words.
    words_max: usize,
}

impl<T> Default for Lexicon<T> {
    fn default() -> Self {
        Self { phrases: HashMap::new(), words_max: 0 }
    }
}

/// A phrase that was found.
#[derive(Debug)]
pub(super) struct Found<'a, T> {
    /// Where it begins, and how many words it has.
    pub(super) at: usize,
    pub(super) words: usize,
    /// Its stems, by which it is known, and how it was said.
    pub(super) phrase: String,
    pub(super) said: String,
    pub(super) means: &'a [(T, f64)],
}

impl<T: Copy + PartialEq> Lexicon<T> {
    pub(super) fn len(&self) -> usize {
        self.phrases.len()
    }

    /// Adds phrases. One that counts for that already counts so much from now on.
    pub(super) fn add<'p>(&mut self, of: T, phrases: impl Iterator<Item = (&'p Phrase, f64)>, stems: &Stems) {
        for (phrase, weight) in phrases {
            let words: Vec<String> = stems.of(&phrase.0).into_iter().take(PHRASE_WORDS_MAX).collect();
            if words.is_empty() {
                continue;
            }
            self.words_max = self.words_max.max(words.len());
            let means = self.phrases.entry(words.join(" ")).or_default();
            means.retain(|(meant, _)| *meant != of);
            means.push((of, weight));
        }
    }

    /// Takes phrases out that count for that.
    pub(super) fn take(&mut self, of: T, phrases: &[Phrase], stems: &Stems) {
        for phrase in phrases {
            let key = stems.of(&phrase.0).join(" ");
            if let Some(means) = self.phrases.get_mut(&key) {
                means.retain(|(meant, _)| *meant != of);
            }
        }
    }

    /// The longest phrase that begins with the word at that place and stays in one part of a sentence.
    pub(super) fn at<'a>(&'a self, words: &[Word], at: usize) -> Option<Found<'a, T>> {
        let clause = words.get(at)?.clause;
        let longest =
            words.iter().skip(at).take(self.words_max).take_while(|word| word.clause == clause).count();
        (1..=longest).rev().find_map(|count| {
            let stems: Vec<&str> = words.iter().skip(at).take(count).map(|word| word.stem.as_str()).collect();
            let phrase = stems.join(" ");
            let means = self.phrases.get(&phrase).filter(|means| !means.is_empty())?;
            let said: Vec<&str> = words.iter().skip(at).take(count).map(|word| word.said.as_str()).collect();
            Some(Found { at, words: count, phrase, said: said.join(" "), means })
        })
    }

    /// All phrases in these words, the longest at each place; none shares a word with another.
    pub(super) fn all<'a>(&'a self, words: &[Word]) -> Vec<Found<'a, T>> {
        let (mut found, mut at) = (Vec::new(), 0);
        while at < words.len() {
            match self.at(words, at) {
                Some(phrase) => {
                    at += phrase.words;
                    found.push(phrase);
                }
                None => at += 1,
            }
        }
        found
    }

    /// Whether a phrase is among them.
    pub(super) fn has(&self, phrase: &str) -> bool {
        self.phrases.get(phrase).is_some_and(|means| !means.is_empty())
    }
}

/// A word, or several.
pub(super) struct Phrase(pub(super) String);

impl<'de> Deserialize<'de> for Phrase {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let is_long = text.len() > PHRASE_BYTES_MAX;
        if text.trim().is_empty() || is_long {
            let why = format!("a word or a few are expected, of {PHRASE_BYTES_MAX} bytes at most");
            return Err(de::Error::custom(why));
        }
        Ok(Self(text))
    }
}

/// How long a phrase may be, in bytes.
const PHRASE_BYTES_MAX: usize = 200;
