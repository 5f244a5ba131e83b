//! Who wants an aggregate to go on by itself. That is a fact of a process, and never stored in a row.

/// Whether it goes on by itself, and for whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Driving {
    /// Nobody wants it to: what is asked is recorded, and nothing starts.
    Nobody,
    /// Somebody wants it to; it begins when the state is the same as in the store.
    Asked(Whose),
    /// Somebody wants it to, and it does.
    Driven(Whose),
    /// Nobody wants it to any more: it was only lent, and is at rest. It is put away.
    Left,
    /// Nobody in this process any more: the process is ending.
    Closed,
}

/// For whom it goes on by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// Somebody named it: it goes on from then on.
    Named,
    /// All streams are driven: it goes on until it has nothing to do for now, and is put away then.
    Lent,
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

    /// For whom it goes on by itself, if it does.
    pub fn whose(self) -> Option<Whose> {
        match self {
            Self::Driven(whose) => Some(whose),
            _ => None,
        }
    }

    /// Whether it goes on only because all streams are driven.
    pub fn is_lent(self) -> bool {
        matches!(self, Self::Asked(Whose::Lent) | Self::Driven(Whose::Lent) | Self::Left)
    }

    /// Somebody wants it to go on; being named wins over being lent. Answers whether nobody
    /// had wanted it before.
    pub(super) fn ask(&mut self, by: Whose) -> bool {
        let is_first = matches!(self, Self::Nobody | Self::Left);
        *self = match (*self, by) {
            (Self::Closed, _) => Self::Closed,
            (Self::Driven(_), Whose::Named) => Self::Driven(Whose::Named),
            (Self::Driven(whose), Whose::Lent) => Self::Driven(whose),
            (Self::Asked(Whose::Named), Whose::Lent) => Self::Asked(Whose::Named),
            (Self::Nobody | Self::Left | Self::Asked(_), whose) => Self::Asked(whose),
        };
        is_first
    }

    /// What it was asked to begins.
    pub(super) fn begin(&mut self) {
        if let Self::Asked(whose) = *self {
            *self = Self::Driven(whose);
        }
    }

    /// Lets it go on from its first commit on. Answers whether nobody had wanted it before.
    pub(super) fn begin_with(&mut self, whose: Whose) -> bool {
        let begins = matches!(self, Self::Nobody | Self::Left | Self::Asked(_));
        if begins {
            *self = Self::Driven(whose);
        }
        begins
    }

    /// The state was loaded again: who drove it is to take it over. Answers whether anybody drove it.
    pub(super) fn reload(&mut self) -> bool {
        let Self::Driven(whose) = *self else { return false };
        *self = Self::Asked(whose);
        true
    }

    /// What it becomes at rest: nobody wants it to go on until somebody asks.
    pub(super) const fn at_rest(self) -> Self {
        match self {
            Self::Driven(Whose::Lent) | Self::Asked(Whose::Lent) => Self::Left,
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
