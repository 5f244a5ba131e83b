//! Words on a terminal. What comes from outside is a part of a line there, whatever it holds: [`terminal!`] escapes it.

pub(in crate::cli) use crate::api::wording::Call;
use crate::events::text::{printable, printable_lines, shortened};
use crate::views::escaped::{Escaped, Medium};

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
}

/// A name in a table.
pub(in crate::cli) fn name(name: &str) -> Text {
    Text::of_medium(shortened(name, NAME_CHARS_MAX).into_owned())
}

/// The output of a program: its lines stay, whole.
pub(in crate::cli) fn written(text: &str) -> Text {
    Text::of_medium(printable_lines(text))
}
