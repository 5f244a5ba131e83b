//! Texts on their way to a medium that shows them: a page, a terminal. What comes from outside gets there
//! only through the escaping of that medium, so that it can only be part of a line, and never a line, a
//! heading or a command.
//!
//! An [`Escaped`] is put together by the macro of its medium, which is written like `format!` and escapes
//! every value that is not [`Escaped`] itself.

use std::fmt;
use std::marker::PhantomData;

/// Something that shows texts.
pub trait Medium {
    /// A text from outside, escaped so that it may stand in a line.
    fn escape(text: &str) -> String;

    /// How many places an escaped text takes in a line.
    fn width(text: &str) -> usize {
        text.chars().count()
    }
}

/// A text in which nothing from outside acts on the medium.
pub struct Escaped<M> {
    text: String,
    medium: PhantomData<M>,
}

impl<M> Escaped<M> {
    /// Only for the macro of a medium, which has escaped the values already.
    #[doc(hidden)]
    pub(crate) fn of_macro(arguments: fmt::Arguments<'_>) -> Self {
        Self::of_medium(arguments.to_string())
    }

    /// Only for the medium itself, which knows other ways to escape than in a line.
    pub(crate) fn of_medium(text: String) -> Self {
        Self { text, medium: PhantomData }
    }

    /// The text as it is shown.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether there is nothing to show.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The same text with another one appended, if there is another.
    #[must_use]
    pub fn and(mut self, other: impl Into<Option<Self>>) -> Self {
        if let Some(other) = other.into() {
            self.text.push_str(&other.text);
        }
        self
    }

    /// Several texts in a row, with `between` between them.
    pub fn joined(parts: impl IntoIterator<Item = Self>, between: &'static str) -> Self {
        let parts: Vec<String> = parts.into_iter().map(|part| part.text).collect();
        Self::of_medium(parts.join(between))
    }

    /// Several texts, each on a line of its own.
    pub fn lines(lines: impl IntoIterator<Item = Self>) -> Self {
        Self::joined(lines, "\n")
    }

    /// Its lines, each a text of its own.
    pub fn each_line(&self) -> impl Iterator<Item = Self> {
        self.text.lines().map(|line| Self::of_medium(line.to_owned()))
    }

    /// The same text without white space at its end.
    #[must_use]
    pub fn trimmed(mut self) -> Self {
        self.text.truncate(self.text.trim_end().len());
        self
    }
}

impl<M: Medium> Escaped<M> {
    /// How many places it takes in a line.
    pub fn width(&self) -> usize {
        M::width(&self.text)
    }

    /// The same text, filled up with spaces to that width.
    #[must_use]
    pub fn padded(mut self, width: usize) -> Self {
        self.text.extend(std::iter::repeat_n(' ', width.saturating_sub(self.width())));
        self
    }
}

impl<M> Default for Escaped<M> {
    fn default() -> Self {
        Self::of_medium(String::new())
    }
}

impl<M> Clone for Escaped<M> {
    fn clone(&self) -> Self {
        Self::of_medium(self.text.clone())
    }
}

impl<M> fmt::Debug for Escaped<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

/// Something that can be a part of an [`Escaped`]. `Escaped` has no `Display`: a text that is escaped already
/// would be escaped twice, or not at all.
pub trait Part<M> {
    /// The part as it is shown.
    fn shown(&self) -> Shown;
}

impl<M: Medium, T: fmt::Display + ?Sized> Part<M> for T {
    fn shown(&self) -> Shown {
        Shown(M::escape(&self.to_string()))
    }
}

impl<M> Part<M> for Escaped<M> {
    fn shown(&self) -> Shown {
        Shown(self.text.clone())
    }
}

impl<M> Part<M> for &Escaped<M> {
    fn shown(&self) -> Shown {
        Shown(self.text.clone())
    }
}

/// A part as it is shown; the width in a format applies to it.
#[derive(Debug)]
pub struct Shown(String);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Only for the macro of a medium.
#[doc(hidden)]
pub(crate) fn shown<M, T: Part<M> + ?Sized>(part: &T) -> Shown {
    part.shown()
}

/// Like `format!`, for a medium. The format cannot name a variable; it only takes the values that follow
/// it, which are escaped.
macro_rules! escaped {
    ($medium:ty, $format:literal $(, $part:expr)* $(,)?) => {
        $crate::views::escaped::Escaped::<$medium>::of_macro(
            format_args!(concat!($format) $(, $crate::views::escaped::shown::<$medium, _>(&$part))*)
        )
    };
}
pub(crate) use escaped;
