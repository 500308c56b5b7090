//! Answers: what an agent's brain comes to.

use serde_json::Value;

use super::id::AgentName;

/// An agent's answer, before it is written.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Answer {
    /// What people read.
    pub text: String,
    /// What programs read: 002's `result`; null where there is nothing but text.
    pub data: Value,
    /// Who answers in its stead, if the agent hands the request over.
    pub handoff: Option<Handoff>,
}

/// An agent's wish that another takes the conversation over.
#[derive(Clone, PartialEq, Debug)]
pub struct Handoff {
    /// Who takes over.
    pub to: AgentName,
    /// Why, in the agent's words.
    pub reason: String,
}
