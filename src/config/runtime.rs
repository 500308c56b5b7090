//! `[runtime]`: how agents, conversations and channels keep time.

use std::time::Duration;

use callboard_actors::protocol::AgentName;
use serde::{Deserialize, Deserializer};

use super::bounds::{Checked, DAY, MINUTE, SECOND, count, time};
use super::units;

/// How agents, conversations and channels keep time.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuntimeConfig {
    /// The agent that leads a new conversation; `None`: the first one.
    #[serde(deserialize_with = "agent")]
    pub default_agent: Option<AgentName>,
    /// When a typing indicator ends by itself.
    #[serde(deserialize_with = "units::time")]
    pub typing: Duration,
    /// When a waiting run moves up one priority, so that none starves.
    #[serde(deserialize_with = "units::time")]
    pub aging: Duration,
    /// How long a channel remembers the ids of publications, so that a client may retry safely.
    #[serde(deserialize_with = "units::time")]
    pub dedup_window: Duration,
    /// How long direct messages are kept for an agent that is offline.
    #[serde(deserialize_with = "units::time")]
    pub inbox_keep: Duration,
    /// How many direct messages are kept for an agent that is offline; the oldest go first.
    #[serde(deserialize_with = "units::count")]
    pub inbox_messages: usize,
    /// When a conversation or channel that nobody uses leaves memory.
    #[serde(deserialize_with = "units::time")]
    pub idle: Duration,
    /// How long a run waits for approval until it ends with `TIMEOUT`.
    #[serde(deserialize_with = "units::time")]
    pub approval: Duration,
    /// Whether what runs did is kept, for `GET /runs/{id}/record`.
    pub records: bool,
}

impl RuntimeConfig {
    pub(super) fn check(&self) -> Checked {
        time(self.typing, SECOND..=10 * MINUTE)?;
        time(self.aging, SECOND..=DAY)?;
        time(self.dedup_window, Duration::ZERO..=60 * MINUTE)?;
        time(self.inbox_keep, MINUTE..=90 * DAY)?;
        count(self.inbox_messages, 1..=1_000_000)?;
        time(self.idle, SECOND..=DAY)?;
        time(self.approval, SECOND..=365 * DAY)
    }
}

fn agent<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<AgentName>, D::Error> {
    let name = units::text(deserializer)?;
    name.map(|name| AgentName::parse("default_agent", &name).map_err(serde::de::Error::custom)).transpose()
}
