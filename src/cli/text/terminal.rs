//! Words on a terminal. What comes from outside is a part of a line there, whatever it holds: [`terminal!`] escapes it.

use std::path::PathBuf;

use crate::events::text::{printable, printable_lines, shortened};
use crate::views::command_line;
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

/// What a program wrote: its lines stay, whole.
pub(in crate::cli) fn written(text: &str) -> Text {
    Text::of_medium(printable_lines(text))
}

/// How this program was called, so that the commands that it names do as well.
#[derive(Debug, Default)]
pub(in crate::cli) struct Call {
    /// The data folder, if an option named it.
    pub(in crate::cli) data: Option<PathBuf>,
}

impl Call {
    /// A command as it is typed.
    pub(in crate::cli) fn command<T: AsRef<str>>(&self, words: impl IntoIterator<Item = T>) -> String {
        // A path that is no text cannot be typed either.
        let data = self.data.as_deref().and_then(|data| data.to_str());
        let data = data.iter().flat_map(|data| ["--data", data]).map(str::to_owned);
        command_line(data.chain(words.into_iter().map(|word| word.as_ref().to_owned())))
    }
}
