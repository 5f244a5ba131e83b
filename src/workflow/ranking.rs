//! How much texts have to do with what is asked, by BM25.

use bm25::{Embedder, EmbedderBuilder, Scorer, Tokenizer};

/// Texts, read once and asked about as often as somebody likes.
pub(super) struct Ranking {
    scorer: Scorer<usize>,
    embedder: Embedder<u32, BySpaces>,
    count: usize,
}

/// Words that were told apart before.
#[derive(Debug, Default)]
struct BySpaces;

impl Tokenizer for BySpaces {
    fn tokenize(&self, text: &str) -> Vec<String> {
        text.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect()
    }
}

impl Ranking {
    /// Reads texts, each as its words. `length_weight` is the `b` of BM25, from 0 to 1: how far a text is worse for being long; none
    /// for the usual one.
    pub(super) fn of(texts: &[Vec<String>], length_weight: Option<f32>) -> Self {
        let words = texts.iter().map(Vec::len).sum::<usize>().max(1);
        let average = words as f32 / texts.len().max(1) as f32;
        let builder = EmbedderBuilder::<u32, BySpaces>::with_avgdl(average).tokenizer(BySpaces);
        let embedder = match length_weight {
            Some(weight) => builder.b(weight).build(),
            None => builder.build(),
        };
        let mut scorer = Scorer::new();
        for (at, text) in texts.iter().enumerate() {
            scorer.upsert(&at, embedder.embed(&text.join(" ")));
        }
        Self { scorer, embedder, count: texts.len() }
    }

    /// How much each text has to do with these words: the most as 1, and 0 for what shares none with them.
    pub(super) fn shares(&self, words: &[&str]) -> Vec<f64> {
        let asked = self.embedder.embed(&words.join(" "));
        let score = |at: usize| f64::from(self.scorer.score(&at, &asked).unwrap_or(0.0)).max(0.0);
        let scores: Vec<f64> = (0..self.count).map(score).collect();
        let most = scores.iter().copied().fold(0.0, f64::max);
        scores.into_iter().map(|score| if most > 0.0 { score / most } else { 0.0 }).collect()
    }
}
