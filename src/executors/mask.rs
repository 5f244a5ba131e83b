//! What nobody may be told: the value of a secret is replaced by `[NAME]` wherever it stands in what programs, functions and
//! receivers say, before any of it is written down or shown.
//!
//! - `finder`: finds values in bytes, fast
//! - `forms`: how else a value is written, in JSON and line by line
//! - `stream`: masks bytes that come in pieces
//! - `told`: masks all that an attempt tells
//! - `masked`: an executor of which nobody hears a secret

mod finder;
mod forms;
pub(super) mod masked;
pub(super) mod stream;
#[cfg(test)]
mod tests;
pub(super) mod told;
mod voice;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::OsStringExt;
use std::sync::Arc;

use finder::{Finder, Pattern};
use stream::Stream;

/// How many bytes a value has at least that is masked, without the white space around it. A shorter one stands in so much
/// that is none that masking it would say what it is.
pub const VALUE_BYTES_MIN: usize = 4;

/// Values, each with the name that stands in its place. A clone is the same values.
#[derive(Clone, Default)]
pub struct Masks {
    /// None masks nothing.
    finder: Option<Arc<Finder>>,
}

impl Masks {
    /// The values of these variables, as far as an environment has them.
    pub fn of_environment(all: impl Iterator<Item = (OsString, OsString)>, names: &BTreeSet<String>) -> Self {
        let named = |(name, value): (OsString, OsString)| {
            let name = name.into_string().ok().filter(|name| names.contains(name))?;
            Some((name, value.into_vec()))
        };
        let values: Vec<_> = all.filter_map(named).collect();
        Self::default().and(values.iter().map(|(name, value)| (&**name, &**value)))
    }

    /// These, and further values with their names. One that is too short is left out: see [`is_too_short`].
    #[must_use]
    pub fn and<'a>(&self, further: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Self {
        let mut patterns = self.finder.as_ref().map_or_else(Vec::new, |finder| finder.patterns().to_vec());
        for (name, value) in further {
            let mask: Arc<str> = format!("[{name}]").into();
            let mut forms = forms::of(value);
            // What was masked before this value was known holds it with a mask inside.
            forms.extend(forms.first().map(|form| self.bytes(form).into_owned()));
            patterns.extend(forms.into_iter().map(|bytes| Pattern { bytes, mask: Arc::clone(&mask) }));
        }
        Self { finder: Finder::of(patterns).map(Arc::new) }
    }

    /// Whether it masks nothing.
    pub fn is_empty(&self) -> bool {
        self.finder.is_none()
    }

    /// Whether it masks this value, whatever stands around it.
    pub fn has(&self, value: &[u8]) -> bool {
        let patterns = self.finder.as_ref().map_or(&[][..], |finder| finder.patterns());
        patterns.binary_search_by(|pattern| (*pattern.bytes).cmp(value)).is_ok()
    }

    /// These bytes, masked.
    pub fn bytes<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let Some(finder) = &self.finder else { return Cow::Borrowed(bytes) };
        if finder.find(bytes, 0).is_none() {
            return Cow::Borrowed(bytes);
        }
        let mut masked = Vec::with_capacity(bytes.len());
        finder.replace(bytes, false, &mut masked);
        Cow::Owned(masked)
    }

    /// A text, masked.
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.bytes(text.as_bytes()) {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            // A value that is no text may have begun in the middle of a character.
            Cow::Owned(masked) => Cow::Owned(String::from_utf8_lossy(&masked).into_owned()),
        }
    }

    /// These bytes, masked. If they are the beginning of something that was cut, what at their end may be the beginning of a
    /// value is left out.
    pub fn beginning<'a>(&self, bytes: &'a [u8], is_cut: bool) -> Cow<'a, [u8]> {
        if self.is_empty() || !is_cut {
            return self.bytes(bytes);
        }
        let mut masked = Vec::with_capacity(bytes.len());
        Stream::default().push(self, bytes, &mut masked);
        Cow::Owned(masked)
    }

    /// Whether something was masked in a text.
    pub fn stand_in(&self, text: &str) -> bool {
        let patterns = self.finder.iter().flat_map(|finder| finder.patterns());
        patterns.map(|pattern| &*pattern.mask).any(|mask| text.contains(mask))
    }
}

/// Whether a value is too short to be masked. An empty one is not: it is nothing.
pub fn is_too_short(value: &[u8]) -> bool {
    (1..VALUE_BYTES_MIN).contains(&value.trim_ascii().len())
}

impl fmt::Debug for Masks {
    /// Shows what stands in the place of values, and never one of them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let patterns = self.finder.iter().flat_map(|finder| finder.patterns());
        f.debug_set().entries(patterns.map(|pattern| &pattern.mask)).finish()
    }
}
