//! Topics, which messages are about, and the patterns by which agents subscribe to them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The longest topic, and the longest pattern, in bytes.
const BYTES_MAX: usize = 200;

/// Matches one segment.
const ONE: &str = "*";

/// Matches any number of segments, from none: it is the last of its pattern.
const REST: &str = "**";

/// Checks a topic: segments of letters, digits, `_` and `-`, with a dot between two of them, as in `build.linux.done`.
///
/// # Errors
/// What is wrong with it, in a sentence.
pub fn check_topic(text: &str) -> Result<(), String> {
    if text.contains('*') {
        return Err(format!(
            "`{}` is a pattern, and a message is about one topic: say `*` as the whole address if it is for everyone",
            shown(text)
        ));
    }
    match text.len() <= BYTES_MAX && text.split('.').all(is_segment) {
        true => Ok(()),
        false => Err(format!(
            "`{}` is no topic, which is at most {BYTES_MAX} letters, digits, `_` or `-`, with dots between words, as in `build.done`",
            shown(text)
        )),
    }
}

/// A pattern of topics: segments, of which `*` matches any one, and `**` at the end any number of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct TopicPattern(Arc<str>);

impl TopicPattern {
    /// Reads a pattern. One that matches every topic is refused: it would be meant by mistake.
    ///
    /// # Errors
    /// What is wrong with it, in a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let is_wild = |segment: &str| segment == ONE || segment == REST;
        let is_sound = |segment: &str| is_wild(segment) || is_segment(segment);
        let rest_is_last = text.split('.').rev().skip(1).all(|segment| segment != REST);
        if text.len() > BYTES_MAX || !text.split('.').all(is_sound) || !rest_is_last {
            return Err(format!(
                "`{}` is no pattern of topics, which is words of letters, digits, `_` or `-` with dots between them, where `*` is any one word and `**` at the end is all that follow, as in `build.*.done`",
                shown(text)
            ));
        }
        if text.split('.').all(is_wild) {
            return Err(format!(
                "`{}` names no word of a topic, so it matches topics that nobody thought of: name one, as in `build.{}`; a message for everyone has `*` as its address",
                shown(text),
                if text.contains(REST) { REST } else { ONE }
            ));
        }
        Ok(Self(text.into()))
    }

    /// Whether a topic is one of those that are meant.
    pub fn matches(&self, topic: &str) -> bool {
        let (head, has_rest) = match self.0.rsplit_once('.') {
            Some((head, REST)) => (head, true),
            _ => (&*self.0, false),
        };
        let mut left = topic.split('.');
        let begins =
            head.split('.').all(|segment| left.next().is_some_and(|own| segment == ONE || segment == own));
        begins && (has_rest || left.next().is_none())
    }
}

impl TryFrom<String> for TopicPattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<TopicPattern> for String {
    fn from(pattern: TopicPattern) -> Self {
        (*pattern.0).into()
    }
}

fn is_segment(segment: &str) -> bool {
    !segment.is_empty() && segment.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
}

/// A text that is none, as much of it as says so.
fn shown(text: &str) -> String {
    text.chars().take(BYTES_MAX).collect::<String>().escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_matches_one_segment_and_two_match_the_rest() {
        for (pattern, topic, matches) in [
            ("build.done", "build.done", true),
            ("build.done", "build", false),
            ("build.done", "build.done.now", false),
            ("build.*", "build.done", true),
            ("build.*", "build", false),
            ("build.*", "build.linux.done", false),
            ("build.*.done", "build.linux.done", true),
            ("*.done", "build.done", true),
            ("build.**", "build", true),
            ("build.**", "build.linux.done", true),
            ("build.**", "test.linux", false),
            ("*.done.**", "build.done", true),
            ("*.done.**", "build.undone", false),
            ("build.*.**", "build.a", true),
            ("build.*.**", "build", false),
        ] {
            let pattern = TopicPattern::parse(pattern).unwrap();
            assert_eq!(pattern.matches(topic), matches, "{pattern:?} {topic}");
        }
    }

    #[test]
    fn a_pattern_that_would_match_everything_is_refused_and_so_is_a_topic_that_is_a_pattern() {
        for bad in [
            "*",
            "**",
            "*.*",
            "**.*",
            "",
            ".",
            "a..b",
            "a b",
            "a.***",
            "a*",
            "**.a",
            "a.**.b",
            &"x".repeat(201),
        ] {
            assert!(TopicPattern::parse(bad).is_err(), "{bad}");
        }
        for bad in ["*", "**", "a.*", "", "a.", ".a", "a b", "ä", "a\n", &"x".repeat(201)] {
            assert!(check_topic(bad).is_err(), "{bad}");
        }
        assert!(check_topic("build.linux-x86_64.done").is_ok());
    }
}
