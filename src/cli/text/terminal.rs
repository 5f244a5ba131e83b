//! Words on a terminal. What comes from outside is a part of a line there, whatever it holds: [`terminal!`] escapes it. So
//! the only escape sequences in a text are those of its own colours.

use std::borrow::Cow;

use unicode_width::UnicodeWidthChar;

pub(in crate::cli) use crate::api::wording::Call;
use crate::events::text::{printable, printable_lines, shortened};
use crate::views::escaped::{Escaped, Medium};

/// What a change of colours begins with, and nothing else in a text.
const ESCAPE: char = '\u{1b}';

/// How much of a name stands in a table, in characters. `--json` has all of it.
pub(in crate::cli) const NAME_CHARS_MAX: usize = 60;

/// What people read who sit before a terminal, or who pipe what it would show.
pub(in crate::cli) struct Terminal;

/// A text in which nothing from outside acts on a terminal.
pub(in crate::cli) type Text = Escaped<Terminal>;

/// Like `format!`: what it is given is escaped, unless it is [`Text`].
macro_rules! terminal {
    ($($arguments:tt)*) => {
        $crate::views::escaped::escaped!($crate::cli::text::terminal::Terminal, $($arguments)*)
    };
}
pub(in crate::cli) use terminal;

impl Medium for Terminal {
    fn escape(text: &str) -> String {
        printable(text).into_owned()
    }

    fn width(text: &str) -> usize {
        shown(text).map(|(_, character)| width(character)).sum()
    }
}

/// The characters of an escaped text that are shown, with where they stand: all but those that change colours.
fn shown(text: &str) -> impl Iterator<Item = (usize, char)> {
    let mut is_escape = false;
    text.char_indices().filter(move |(_, character)| {
        let was_escape = is_escape;
        is_escape = if is_escape { *character != 'm' } else { *character == ESCAPE };
        !is_escape && !was_escape
    })
}

/// How many columns a character takes.
fn width(character: char) -> usize {
    // A selector makes a sign as wide as a picture.
    if character == '\u{fe0f}' { 1 } else { character.width().unwrap_or(0) }
}

/// The same text without colours.
pub(in crate::cli) fn without_colours(text: &str) -> Cow<'_, str> {
    if text.contains(ESCAPE) {
        Cow::Owned(shown(text).map(|(_, character)| character).collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// A line, cut so that it takes at most so many columns; a final `…` shows that it was cut.
pub(in crate::cli) fn fitted(line: &Text, columns: usize) -> Text {
    if line.width() <= columns {
        return line.clone();
    }
    let (text, mut taken) = (line.as_str(), 0);
    let room = columns.saturating_sub(1);
    let over = shown(text).find(|(_, character)| {
        taken += width(*character);
        taken > room
    });
    let kept = over.and_then(|(at, _)| text.get(..at)).unwrap_or(text);
    let end = if kept.contains(ESCAPE) { "…\u{1b}[0m" } else { "…" };
    Text::of_medium(if columns == 0 { String::new() } else { format!("{kept}{end}") })
}

/// A line without colours, in at most so many columns, of which the end is kept; a `…` before it shows that it was cut.
pub(in crate::cli) fn fitted_end(line: &Text, columns: usize) -> Text {
    if line.width() <= columns {
        return line.clone();
    }
    let mut taken = 1;
    let fits = |character: &char| {
        taken += width(*character);
        taken <= columns
    };
    let kept: Vec<char> = line.as_str().chars().rev().take_while(fits).collect();
    Text::of_medium((columns > 0).then_some('…').into_iter().chain(kept.into_iter().rev()).collect())
}

/// A name in a table.
pub(in crate::cli) fn name(name: &str) -> Text {
    Text::of_medium(shortened(name, NAME_CHARS_MAX).into_owned())
}

/// The output of a program: its lines stay, whole.
pub(in crate::cli) fn written(text: &str) -> Text {
    Text::of_medium(printable_lines(text))
}

#[cfg(test)]
mod tests {
    use super::super::colour::Tone;
    use super::*;

    #[test]
    fn a_text_takes_no_more_columns_than_there_are() {
        for text in ["abcdef", "äöüß", "你好世界", "a你b好c", "✔️✔️✔️"] {
            let text = terminal!("{}", text);
            for most in 0..9 {
                for cut in [fitted(&text, most), fitted_end(&text, most)] {
                    assert!(unicode_width::UnicodeWidthStr::width(cut.as_str()) <= most, "{cut:?} in {most}");
                }
            }
        }
        let text = terminal!("abcdef");
        assert_eq!((fitted(&text, 4).as_str(), fitted_end(&text, 4).as_str()), ("abc…", "…def"));
        assert_eq!((fitted(&text, 6).as_str(), text.clone().padded(8).as_str()), ("abcdef", "abcdef  "));
    }

    #[test]
    fn a_line_is_as_wide_as_it_is_shown_and_is_cut_by_that() {
        let line = Tone::Good.of(&terminal!("{}", "日本語")).and(terminal!(" build"));
        assert_eq!((line.width(), line.clone().padded(14).width()), (12, 14));
        assert_eq!(without_colours(line.as_str()), "日本語 build");
        for (columns, shown) in
            [(20, "日本語 build"), (12, "日本語 build"), (9, "日本語 b…"), (6, "日本…"), (1, "…"), (0, "")]
        {
            let cut = fitted(&line, columns);
            assert_eq!(without_colours(cut.as_str()), shown);
            assert!(cut.width() <= columns);
            assert!(
                cut.is_empty() || cut.as_str().contains("\u{1b}[0m"),
                "no colour goes on behind it: {cut:?}"
            );
        }
    }
}
