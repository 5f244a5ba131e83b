//! Which texts have to do with others, and the words by which a text is found again.

use std::collections::{BTreeMap, BTreeSet};

use crate::workflow::ranking::Ranking;
use crate::workflow::routing::Stems;

/// By how many words a text is found again that is not at hand.
pub const KEYWORDS_MAX: usize = 24;

/// How many words texts are compared by: what somebody says last is what they want.
const QUERY_WORDS_MAX: usize = 256;

/// Words that say nothing of what a text is about, as their stems.
const STOP: &str = "a about after all also am an and ani are as at be becaus been befor but by can could did do doe \
    for from get got had has have he her here him his how i if in into is it its just let like me more most my need no not \
    now of on onli or other our out over own pleas s same she should so some such t than thank that the their them then there \
    these they thing this those to too up us use veri was we well were what when where which while who whi will with would \
    yes yet you your";

/// Texts as the stems of the words that say what they are about.
pub struct Words {
    stems: Stems,
    stop: BTreeSet<&'static str>,
}

impl Default for Words {
    fn default() -> Self {
        Self { stems: Stems::new(), stop: STOP.split_whitespace().collect() }
    }
}

impl Words {
    /// The words of a text, in order.
    pub fn of(&self, text: &str) -> Vec<String> {
        let mut words = self.stems.of(text);
        words.retain(|word| !self.stop.contains(word.as_str()));
        words
    }

    /// How much each text has to do with what is asked, by BM25: the most as 1, and 0 for what shares no word with it.
    pub fn relevance(&self, texts: &[&str], asked: &str) -> Vec<f64> {
        let texts: Vec<Vec<String>> = texts.iter().map(|text| self.of(text)).collect();
        let mut words = self.of(asked);
        words.reverse();
        words.truncate(QUERY_WORDS_MAX);
        // Each once, in an order of its own: so the same words give the same sum.
        let words: BTreeSet<String> = words.into_iter().collect();
        Ranking::of(&texts, None).shares(&words.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// The words by which a text is found again: those that it says most often, and of those the longest.
    pub fn keywords(&self, text: &str) -> Vec<String> {
        let mut counts = BTreeMap::<String, usize>::new();
        self.of(text).into_iter().for_each(|word| *counts.entry(word).or_default() += 1);
        let mut words: Vec<(String, usize)> = counts.into_iter().collect();
        words.sort_by(|(a, of_a), (b, of_b)| {
            of_b.cmp(of_a).then_with(|| b.len().cmp(&a.len())).then_with(|| a.cmp(b))
        });
        words.into_iter().take(KEYWORDS_MAX).map(|(word, _)| word).filter(|word| word.len() <= 64).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_shares_rare_words_with_what_is_asked_is_relevant() {
        let words = Words::default();
        let texts =
            ["The database has a replica in Oslo.", "Lunch is at noon.", "Our databases are slow today."];
        let relevance = words.relevance(&texts, "Why is the replica of the database behind?");
        assert_eq!((relevance[0], relevance[1]), (1.0, 0.0), "{relevance:?}");
        assert!(relevance[2] > 0.0 && relevance[2] < 1.0, "{relevance:?}");
        assert_eq!(words.relevance(&texts, "of the"), [0.0, 0.0, 0.0]);
        assert_eq!(words.relevance(&[], "anything"), Vec::<f64>::new());
    }

    #[test]
    fn keywords_are_what_a_text_says_most_often() {
        let words = Words::default();
        let found = words.keywords(
            "The replica of the database in Oslo is behind: restart the replica, then the database.",
        );
        assert_eq!(found[..2], ["databas", "replica"]);
        assert!(!found.contains(&"the".to_owned()), "{found:?}");
        let long: String = (0..1_000).map(|number| format!("word{number} ")).collect();
        assert_eq!(words.keywords(&long).len(), KEYWORDS_MAX);
    }
}
