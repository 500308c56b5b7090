//! What is kept.

use std::collections::HashMap;
use std::time::Duration;

use crate::journal::{Kind, PlaceName};

/// What is kept of one conversation or channel: what every bound that is set allows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Rule {
    /// For how long.
    pub age: Option<Duration>,
    /// How many messages or publications.
    pub count: Option<u64>,
    /// How many bytes of them, as they stand in the journal; the newest stays however large it is.
    pub bytes: Option<u64>,
}

impl Rule {
    /// Whether everything is kept.
    pub fn is_open(&self) -> bool {
        *self == Self::default()
    }
}

/// What is kept of everything.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Rules {
    /// Of a conversation.
    pub conversations: Rule,
    /// Of a channel.
    pub channels: Rule,
    /// Of these conversations, by id, instead.
    pub of_conversations: HashMap<String, Rule>,
    /// Of these channels, by id, instead.
    pub of_channels: HashMap<String, Rule>,
    /// Of an inbox. Here `age` and `count` have values always.
    pub inboxes: Rule,
    /// For how long an id is remembered; what an inbox has handed over is kept for that.
    pub dedup: Duration,
}

impl Rules {
    /// What is kept of a place; `None` where that is the affair of others.
    pub(super) fn of(&self, name: &PlaceName) -> Option<Rule> {
        let (own, usual) = match name.kind {
            Kind::Conversation => (self.of_conversations.get(&name.id), self.conversations),
            Kind::Channel => (self.of_channels.get(&name.id), self.channels),
            Kind::Inbox => (None, self.inboxes),
            Kind::Memory | Kind::Ledger => return None,
        };
        Some(own.copied().unwrap_or(usual))
    }
}
