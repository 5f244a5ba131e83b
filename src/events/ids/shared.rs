//! Names and numbers of what is shared: contexts, their keys and their locks.

use super::*;

text_id! {
    /// The name of a shared context: `[A-Za-z0-9][A-Za-z0-9._-]{0,63}`.
    ContextName
}
text_id! {
    /// A key of a shared context: `[A-Za-z_][A-Za-z0-9_-]{0,63}`.
    ContextKey
}
text_id! {
    /// The name of a lock within a shared context: `[A-Za-z0-9][A-Za-z0-9._-]{0,63}`.
    LockName
}

number! {
    /// The number of a value among all that a key of a context has had, from 1. `KeyVersion(0)` is that of a key that is not
    /// there.
    KeyVersion
}
number! {
    /// The number of a grant of a lock in its context, from 1: whoever holds a lock by an older one does not hold it any more.
    LockFence
}

/// The kind of the stream of the cache of answers.
pub const CACHE_KIND: &str = "cache";

/// The kind of the streams of shared contexts.
pub const CONTEXT_KIND: &str = "context";

pub(super) const NAME_RULE: &str =
    "1 to 64 letters, digits, `.`, `_` or `-`, beginning with a letter or digit";

impl ContextName {
    /// Checks a name.
    ///
    /// # Errors
    /// When the text is none.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        let refused = || InvalidId { what: "name of a context", text: shown(text), rule: NAME_RULE };
        is_name(text).then(|| Self(text.into())).ok_or_else(refused)
    }
}

impl ContextKey {
    /// Checks a key.
    ///
    /// # Errors
    /// When the text is none.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        let refused = || InvalidId { what: "key of a context", text: shown(text), rule: IDENTIFIER_RULE };
        is_identifier(text).then(|| Self(text.into())).ok_or_else(refused)
    }
}

impl LockName {
    /// Checks a name.
    ///
    /// # Errors
    /// When the text is none.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        let refused = || InvalidId { what: "name of a lock", text: shown(text), rule: NAME_RULE };
        is_name(text).then(|| Self(text.into())).ok_or_else(refused)
    }
}

/// A text that is no name, as much of it as says so.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(2 * ID_LENGTH_MAX).collect::<String>().escape_debug().to_string()
}

impl StreamId {
    /// The stream of a shared context.
    pub fn of_context(context: &ContextName) -> Self {
        Self::new(CONTEXT_KIND, context.as_str())
    }

    /// The stream of the cache of answers, of which there is one.
    pub fn of_cache() -> Self {
        Self::new(CACHE_KIND, "answers")
    }

    /// The shared context whose stream this is.
    pub fn context(&self) -> Option<ContextName> {
        let (_, name) = self.parts().filter(|(kind, _)| *kind == CONTEXT_KIND)?;
        ContextName::parse(name).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_context_names_no_file_but_one_of_its_own() {
        for good in ["a", "team.prices_2-b", &"x".repeat(64)] {
            assert_eq!(ContextName::parse(good).unwrap().as_str(), good);
            assert!(LockName::parse(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "../a", "a/b", "/a", "~", "-a", ".a", "a b", "a\n", "ä", &"x".repeat(65)]
        {
            assert!(ContextName::parse(bad).is_err() && LockName::parse(bad).is_err(), "{bad}");
            assert_eq!(StreamId::new(CONTEXT_KIND, bad).context(), None, "{bad}");
        }
        for bad in ["", "a.b", "1a", "a/b", "a@3", "a=b", "..", &"x".repeat(65)] {
            assert!(ContextKey::parse(bad).is_err(), "{bad}");
        }
        assert!(ContextKey::parse("_price-2").is_ok());
    }
}
