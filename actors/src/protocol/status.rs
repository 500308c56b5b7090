//! How agents and the house are, as shown to people and programs.

use super::id::{AgentId, AgentName};
use super::mood::Mood;

/// What an agent is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AgentState {
    /// At work.
    Active,
    /// Waiting for work.
    Idle,
    /// An agent of another process that is not connected.
    Offline,
}

impl AgentState {
    /// The state as it stands on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Idle => "idle",
            Self::Offline => "offline",
        }
    }
}

/// How an agent is.
#[derive(Clone, Debug)]
pub struct AgentStatus {
    /// Its name.
    pub name: AgentName,
    /// Its id.
    pub id: AgentId,
    /// What it is doing.
    pub state: AgentState,
    /// The kind of run it is at, as `processing_request`, if it is at one.
    pub current_task: Option<String>,
    /// Runs that wait for it.
    pub queue_length: usize,
    /// Since it started, in milliseconds.
    pub uptime_ms: u64,
    /// Its mood by now.
    pub mood: Mood,
}

/// How the house is.
#[derive(Clone, Debug)]
pub struct HouseStatus {
    /// The agents of the tenant.
    pub agents: Vec<AgentStatus>,
    /// Sessions of the tenant.
    pub sessions: usize,
    /// Conversations of the tenant that are in use.
    pub conversations: usize,
    /// Channels of the tenant that are in use.
    pub channels: usize,
    /// Since the server started, in milliseconds.
    pub uptime_ms: u64,
}
