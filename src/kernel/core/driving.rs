//! Whether somebody wants an aggregate to go on by itself, and for how long. That is a fact of a process, and never stored in a
//! row.

/// Whether it goes on by itself, and how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Driving {
    /// Nobody wants it to: what is asked is recorded, and nothing starts.
    Nobody,
    /// Somebody wants it to; it begins when the state is the same as in the store.
    Asked(Residency),
    /// Somebody wants it to, and it does.
    Driven(Residency),
    /// Nobody wants it to any more: it was to go on only until it is idle, and is. It is put away.
    Left,
    /// Nobody in this process any more: the process is ending.
    Closed,
}

/// How long it goes on by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Residency {
    /// Somebody named it: it goes on from then on.
    Pinned,
    /// All streams are driven: it goes on until it has nothing to do for now, and is put away then.
    UntilIdle,
}

impl Driving {
    /// Whether it goes on by itself.
    pub fn is_driven(self) -> bool {
        matches!(self, Self::Driven(_))
    }

    /// Whether it is to go on by itself, and does not yet.
    pub(super) fn is_asked(self) -> bool {
        matches!(self, Self::Asked(_))
    }

    /// How long it goes on by itself, if it does.
    pub fn residency(self) -> Option<Residency> {
        match self {
            Self::Driven(residency) => Some(residency),
            _ => None,
        }
    }

    /// Whether it goes on only because all streams are driven.
    pub fn is_until_idle(self) -> bool {
        matches!(self, Self::Asked(Residency::UntilIdle) | Self::Driven(Residency::UntilIdle) | Self::Left)
    }

    /// Somebody wants it to go on; being pinned wins over going on until it is idle. Answers whether nobody
    /// had wanted it before.
    pub(super) fn ask(&mut self, by: Residency) -> bool {
        let is_first = matches!(self, Self::Nobody | Self::Left);
        *self = match (*self, by) {
            (Self::Closed, _) => Self::Closed,
            (Self::Driven(_), Residency::Pinned) => Self::Driven(Residency::Pinned),
            (Self::Driven(residency), Residency::UntilIdle) => Self::Driven(residency),
            (Self::Asked(Residency::Pinned), Residency::UntilIdle) => Self::Asked(Residency::Pinned),
            (Self::Nobody | Self::Left | Self::Asked(_), residency) => Self::Asked(residency),
        };
        is_first
    }

    /// Begins to go on, if it was asked to.
    pub(super) fn begin(&mut self) {
        if let Self::Asked(residency) = *self {
            *self = Self::Driven(residency);
        }
    }

    /// Lets it go on from its first commit on. Answers whether nobody had wanted it before.
    pub(super) fn begin_with(&mut self, residency: Residency) -> bool {
        let begins = matches!(self, Self::Nobody | Self::Left | Self::Asked(_));
        if begins {
            *self = Self::Driven(residency);
        }
        begins
    }

    /// The state was loaded again: who drove it is to take it over. Answers whether anybody drove it.
    pub(super) fn reload(&mut self) -> bool {
        let Self::Driven(residency) = *self else { return false };
        *self = Self::Asked(residency);
        true
    }

    /// Its next value where the state has come to rest: nobody wants it to go on until somebody asks.
    pub(super) const fn at_rest(self) -> Self {
        match self {
            Self::Driven(Residency::UntilIdle) | Self::Asked(Residency::UntilIdle) => Self::Left,
            _ => Self::Nobody,
        }
    }

    /// Ends the driving. Answers whether it was driven.
    pub(super) fn end(&mut self, to: Self) -> bool {
        let before = *self;
        if before != Self::Closed {
            *self = to;
        }
        before.is_driven()
    }
}
