//! Texts on their way to what shows them: a page, a terminal. What comes from outside gets into one through the escaping
//! of that medium only, so that it is a part of a line there, and never a line, a heading or a command.
//!
//! An [`Escaped`] is put together by the macro of its medium, which is written like `format!` and escapes every value that
//! is not [`Escaped`] itself.

use std::fmt;
use std::marker::PhantomData;

/// What shows texts.
pub trait Medium {
    /// A text from outside, as it may stand in a line.
    fn escape(text: &str) -> String;
}

/// A text in which nothing from outside acts on the medium.
pub struct Escaped<M> {
    text: String,
    medium: PhantomData<M>,
}

impl<M> Escaped<M> {
    /// For the macro of a medium, which has escaped the values.
    #[doc(hidden)]
    pub(crate) fn of_macro(arguments: fmt::Arguments<'_>) -> Self {
        Self::of_medium(arguments.to_string())
    }

    /// For the medium itself, which knows other ways to escape than in a line.
    pub(crate) fn of_medium(text: String) -> Self {
        Self { text, medium: PhantomData }
    }

    /// What is shown.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether there is nothing to show.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// How many characters are shown.
    pub fn width(&self) -> usize {
        self.text.chars().count()
    }

    /// The same, with another behind it.
    #[must_use]
    pub fn and(mut self, other: impl Into<Option<Self>>) -> Self {
        if let Some(other) = other.into() {
            self.text.push_str(&other.text);
        }
        self
    }

    /// Several in a row, with a word of ours between them.
    pub fn joined(parts: impl IntoIterator<Item = Self>, between: &'static str) -> Self {
        let parts: Vec<String> = parts.into_iter().map(|part| part.text).collect();
        Self::of_medium(parts.join(between))
    }

    /// Lines below each other.
    pub fn lines(lines: impl IntoIterator<Item = Self>) -> Self {
        Self::joined(lines, "\n")
    }

    /// The same, filled up with spaces to that width.
    #[must_use]
    pub fn padded(mut self, width: usize) -> Self {
        self.text.extend(std::iter::repeat_n(' ', width.saturating_sub(self.width())));
        self
    }

    /// The same, without space at its end.
    #[must_use]
    pub fn trimmed(mut self) -> Self {
        self.text.truncate(self.text.trim_end().len());
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

/// What can be a part of an [`Escaped`]. There is no `Display` for that: a text that is shown as it is would be escaped
/// twice, or not at all.
pub trait Part<M> {
    /// It as it is shown.
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

/// A part as it is shown; widths in a format hold for it.
#[derive(Debug)]
pub struct Shown(String);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// For the macro of a medium.
#[doc(hidden)]
pub(crate) fn shown<M, T: Part<M> + ?Sized>(part: &T) -> Shown {
    part.shown()
}

/// Like `format!`, for a medium. The format cannot name a variable, only take what follows it, which is escaped.
macro_rules! escaped {
    ($medium:ty, $format:literal $(, $part:expr)* $(,)?) => {
        $crate::views::escaped::Escaped::<$medium>::of_macro(
            format_args!(concat!($format) $(, $crate::views::escaped::shown::<$medium, _>(&$part))*)
        )
    };
}
pub(crate) use escaped;
