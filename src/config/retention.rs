//! `[retention]`: what is kept of the past. Off by default: everything is.

use std::collections::HashMap;
use std::time::Duration;

use callboard_actors::retention::Rule;
use serde::Deserialize;

use super::bounds::{Checked, DAY, SECOND, that, time};
use super::units;

/// The longest age: a hundred years, more than anybody means who writes a number.
const AGES: u32 = 36_500;

/// What is kept of the past.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetentionConfig {
    /// How long a message of a conversation is kept; `None`: for ever.
    #[serde(deserialize_with = "units::optional_time")]
    pub conversation_age: Option<Duration>,
    /// How many messages of a conversation are kept; 0: all.
    #[serde(deserialize_with = "units::count")]
    pub conversation_messages: usize,
    /// How many bytes of messages of a conversation are kept; 0: all.
    #[serde(deserialize_with = "units::size")]
    pub conversation_bytes: usize,
    /// How long a publication of a channel is kept; `None`: for ever.
    #[serde(deserialize_with = "units::optional_time")]
    pub channel_age: Option<Duration>,
    /// How many publications of a channel are kept; 0: all.
    #[serde(deserialize_with = "units::count")]
    pub channel_messages: usize,
    /// How many bytes of publications of a channel are kept; 0: all.
    #[serde(deserialize_with = "units::size")]
    pub channel_bytes: usize,
    /// What is kept of these conversations instead, by id.
    pub conversations: HashMap<String, RuleConfig>,
    /// What is kept of these channels instead, by id.
    pub channels: HashMap<String, RuleConfig>,
    /// How often what is kept no longer is looked for.
    #[serde(deserialize_with = "units::time")]
    pub every: Duration,
}

/// What is kept of one conversation or channel; what is not said has no bound.
#[derive(Clone, Copy, PartialEq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RuleConfig {
    /// For how long.
    #[serde(deserialize_with = "units::optional_time")]
    pub age: Option<Duration>,
    /// How many; 0: all.
    #[serde(deserialize_with = "units::count")]
    pub messages: usize,
    /// How many bytes; 0: all.
    #[serde(deserialize_with = "units::size")]
    pub bytes: usize,
}

impl RuleConfig {
    /// The rule as the runtime takes it.
    pub fn rule(self) -> Rule {
        let bound = |number: usize| (number > 0).then_some(number as u64);
        Rule { age: self.age, count: bound(self.messages), bytes: bound(self.bytes) }
    }
}

impl RetentionConfig {
    /// What is kept of a conversation that is not named.
    pub fn usual_conversation(&self) -> RuleConfig {
        RuleConfig { age: self.conversation_age, messages: self.conversation_messages, bytes: self.conversation_bytes }
    }

    /// What is kept of a channel that is not named.
    pub fn usual_channel(&self) -> RuleConfig {
        RuleConfig { age: self.channel_age, messages: self.channel_messages, bytes: self.channel_bytes }
    }

    pub(super) fn check(&self) -> Checked {
        time(self.every, SECOND..=DAY)?;
        let named = self.conversations.values().chain(self.channels.values()).map(|rule| rule.age);
        let ages = named.chain([self.conversation_age, self.channel_age]).flatten();
        for age in ages {
            let allowed = format!("an age of 1s to {AGES}d");
            that((SECOND..=AGES * DAY).contains(&age), allowed)?;
        }
        Ok(())
    }
}
