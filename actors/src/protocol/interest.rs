//! What somebody wants to hear of.

/// What a member of a conversation, or the author of a request, wants to hear of. A small set of flags.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Interest(u8);

impl Interest {
    /// Nothing but the end.
    pub const NOTHING: Self = Self(0);
    /// Messages of others.
    pub const MESSAGES: Self = Self(1);
    /// A run was accepted or has started.
    pub const PROGRESS: Self = Self(2);
    /// Steps of runs.
    pub const STEPS: Self = Self(4);
    /// Answers piece by piece.
    pub const DELTAS: Self = Self(8);
    /// Ends of runs that others asked for.
    pub const ENDS: Self = Self(16);
    /// Typing, and handoffs.
    pub const MANNERS: Self = Self(32);

    /// Both sets together.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` is in the set.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}
