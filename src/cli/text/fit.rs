//! Texts in as many columns as a terminal has.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::terminal::Text;

/// How many columns a text takes.
pub(in crate::cli) fn columns(text: &Text) -> usize {
    text.as_str().width()
}

/// A text in at most so many columns: the rest of it is cut off, and a `…` stands for it.
pub(in crate::cli) fn fitted(text: &Text, columns_max: usize) -> Text {
    if columns(text) <= columns_max {
        return text.clone();
    }
    let kept = taken(text.as_str().chars(), columns_max);
    Text::of_medium(kept.into_iter().chain((columns_max > 0).then_some('…')).collect())
}

/// A text in at most so many columns, of which the end is kept.
pub(in crate::cli) fn fitted_end(text: &Text, columns_max: usize) -> Text {
    if columns(text) <= columns_max {
        return text.clone();
    }
    let kept = taken(text.as_str().chars().rev(), columns_max);
    Text::of_medium((columns_max > 0).then_some('…').into_iter().chain(kept.into_iter().rev()).collect())
}

/// The first characters, in one column less than there are.
fn taken(characters: impl Iterator<Item = char>, columns_max: usize) -> Vec<char> {
    let mut used = 1;
    let fits = |character: &char| {
        // A selector makes a sign as wide as a picture.
        used += if *character == '\u{fe0f}' { 1 } else { character.width().unwrap_or(0) };
        used <= columns_max
    };
    characters.take_while(fits).collect()
}

/// A text, filled up with spaces to so many columns.
pub(in crate::cli) fn padded(text: &Text, columns_min: usize) -> Text {
    let missing = columns_min.saturating_sub(columns(text));
    Text::of_medium(format!("{}{}", text.as_str(), " ".repeat(missing)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::text::terminal::terminal;

    #[test]
    fn a_text_takes_no_more_columns_than_there_are() {
        for text in ["abcdef", "äöüß", "你好世界", "a你b好c", "✔️✔️✔️"] {
            let text = terminal!("{}", text);
            for most in 0..9 {
                for cut in [fitted(&text, most), fitted_end(&text, most)] {
                    assert!(columns(&cut) <= most, "{cut:?} in {most}");
                }
            }
        }
        let text = terminal!("abcdef");
        assert_eq!((fitted(&text, 4).as_str(), fitted_end(&text, 4).as_str()), ("abc…", "…def"));
        assert_eq!((fitted(&text, 6).as_str(), padded(&text, 8).as_str()), ("abcdef", "abcdef  "));
    }
}
