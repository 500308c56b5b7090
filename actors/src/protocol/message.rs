//! Messages: what a conversation is made of.

use serde::{Deserialize, Serialize};

use super::id::{AgentName, ConversationId, MessageId, RunId};
use super::run::Step;
use super::time::Timestamp;

/// Who speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// A person or a program.
    User,
    /// An agent; the message names it.
    Assistant,
    /// The server: a handoff, for example.
    System,
}

impl Role {
    /// The role as it stands on the wire of every dialect but 001.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::System => "system",
        }
    }
}

/// A piece of a message.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Part {
    /// What is said.
    Text(String),
    /// A structured result, as JSON text.
    Data(String),
    /// A step taken on the way to what is said.
    Step(Step),
}

/// One message of a conversation, in its place.
#[derive(Clone, PartialEq, Debug)]
pub struct Message {
    /// Unique within the tenant.
    pub id: MessageId,
    /// The conversation it stands in.
    pub conversation: ConversationId,
    /// Its place there, counted from 1 without holes.
    pub seq: u64,
    /// Who speaks.
    pub role: Role,
    /// The agent that speaks, for an assistant's message.
    pub agent: Option<AgentName>,
    /// What is said and how it came about.
    pub parts: Vec<Part>,
    /// When it was written.
    pub created_at: Timestamp,
    /// The run that it answers, for an assistant's message.
    pub run: Option<RunId>,
}

impl Message {
    /// What is said, without steps and data.
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        let mut texts = self.parts.iter().filter_map(|part| match part {
            Part::Text(text) => Some(text.as_str()),
            Part::Data(_) | Part::Step(_) => None,
        });
        match (texts.next(), texts.next()) {
            (None, _) => "".into(),
            (Some(only), None) => only.into(),
            (Some(first), Some(second)) => [first, second].into_iter().chain(texts).collect::<String>().into(),
        }
    }

    /// The steps taken on the way.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.parts.iter().filter_map(|part| match part {
            Part::Step(step) => Some(step),
            Part::Text(_) | Part::Data(_) => None,
        })
    }
}
