//! How many tokens a text has: an estimate, by the table `cl100k_base`. Models have tables of their own, and whoever asks one is told
//! what it counted; what matters here is that a window that is full by this count is about as full by theirs.
//!
//! The table is read when the first text is counted, which takes as long as counting some hundred kilobytes: who counts nothing
//! does without it. It never changes, but another version of it might count otherwise: what is decided on a count is therefore
//! recorded with it, and never counted again.

use tiktoken_rs::cl100k_base_singleton;

/// What a turn takes beside its text: who speaks, and where it begins and ends.
pub const TURN_OVERHEAD: u32 = 4;

/// How much of a text is counted at once, in bytes: the expressions by which it is parted take steps back, and give up where
/// there are too many.
const PIECE_BYTES: usize = 4 * 1024;

/// How many tokens a text has.
pub fn count(text: &str) -> u32 {
    let table = cl100k_base_singleton();
    let counted: usize = pieces(text).map(|piece| table.encode_ordinary(piece).len()).sum();
    u32::try_from(counted).unwrap_or(u32::MAX)
}

/// How many tokens a turn takes that says this.
pub fn of_turn(text: &str) -> u32 {
    count(text).saturating_add(TURN_OVERHEAD)
}

/// A text in pieces. They end before a space where there is one: so tokens begin, and none is parted.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (piece, more) = rest.split_at(piece_bytes(rest));
        rest = more;
        Some(piece)
    })
}

fn piece_bytes(text: &str) -> usize {
    if text.len() <= PIECE_BYTES {
        return text.len();
    }
    let end = text.floor_char_boundary(PIECE_BYTES);
    let head = text.get(..end).unwrap_or(text);
    let space = head.rfind(|letter: char| letter.is_whitespace());
    space.filter(|space| *space > PIECE_BYTES / 2).unwrap_or(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_have_the_tokens_that_the_table_says() {
        for (text, tokens) in [("", 0), ("hello", 1), ("hello world", 2), ("tiktoken is great!", 6), ("ä", 1)]
        {
            assert_eq!(count(text), tokens, "{text}");
        }
        assert_eq!(of_turn("hello"), 1 + TURN_OVERHEAD);
    }

    #[test]
    fn a_long_text_counts_as_its_parts_do_and_none_is_too_strange() {
        let sentence = "The quick brown fox jumps over the lazy dog.";
        let whole = vec![sentence; 2_000].join(" ");
        let expected = count(sentence) * 2_000;
        assert!(count(&whole).abs_diff(expected) <= 30, "{} {expected}", count(&whole));
        // Each of these made expressions step back without end, or has no place where it could be parted.
        for strange in
            [" ".repeat(1_500_000) + "x", "x".repeat(300_000), "\n ".repeat(200_000), "é".repeat(99_999)]
        {
            let tokens = count(&strange) as usize;
            assert!(tokens > 0 && tokens <= strange.len(), "{tokens}");
        }
    }
}
