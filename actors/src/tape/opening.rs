//! Openings: what an agent knew when it began a run. Played again from the same opening, a run is the same.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::take::moment;
use crate::agent::persona::Persona;
use crate::memory::{Fact, Found};
use crate::protocol::{AgentName, Mood, Timestamp};

/// What an agent knew when it began a run, besides the conversation, which is kept elsewhere.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Opening {
    /// Who the agent was: its file as it was then.
    pub agent: Arc<Persona>,
    /// What it was asked: the message without an address at its beginning.
    pub content: String,
    /// Arguments that the client spelled out.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub parameters: Value,
    /// Its mood.
    pub mood: Mood,
    /// The other agents, each with its specialities.
    pub colleagues: Arc<[(AgentName, Vec<String>)]>,
    /// The places of the messages that it was told of the past.
    pub history: Vec<u64>,
    /// Whether the conversation was private.
    #[serde(default)]
    pub private: bool,
    /// When it began.
    #[serde(with = "moment")]
    pub at: Timestamp,
}

/// A fact that was known and had to do with what was asked.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Known {
    /// Who remembered it.
    pub agent: AgentName,
    /// What is remembered.
    pub text: String,
    /// From 0 to 1.
    pub importance: f32,
    /// Since when.
    #[serde(with = "moment")]
    pub at: Timestamp,
}

impl Known {
    /// A fact that was found.
    pub fn of(found: &Found) -> Self {
        let Fact { agent, text, importance, at, .. } = (*found.fact).clone();
        Self { agent, text, importance, at }
    }
}
