//! What can go wrong, as a code that programs read and a sentence that people read.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Shorthand for results of the runtime.
pub type Result<T> = std::result::Result<T, Error>;

/// Why something was refused or failed. On the wire in upper snake case. New ones go last: the journal counts them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Code {
    /// The request was malformed; the sentence names the field.
    InvalidMessage,
    /// No agent of that name or id in the tenant.
    AgentNotFound,
    /// No such conversation for this principal.
    ConversationNotFound,
    /// No such channel for this principal.
    ChannelNotFound,
    /// No such run, or it has ended already.
    RunNotFound,
    /// Credentials are missing, or do not allow this.
    Unauthorized,
    /// Too many frames; try again after a while.
    RateLimitExceeded,
    /// A bounded queue is full; try again after a while.
    QueueFull,
    /// The run took longer than it may.
    Timeout,
    /// The run was cancelled on request.
    Cancelled,
    /// The server stopped before the run ended.
    Interrupted,
    /// The agent could not do it.
    AgentFailed,
    /// The server is draining; connect again.
    Unavailable,
    /// The store does not take writes.
    StoreUnavailable,
    /// Something that should not happen.
    InternalError,
    /// Somebody did not approve what the agent wanted to do.
    Rejected,
    /// What stood at the cursor is kept no longer.
    CursorExpired,
}

impl Code {
    /// The code as it stands on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidMessage => "INVALID_MESSAGE",
            Self::AgentNotFound => "AGENT_NOT_FOUND",
            Self::ConversationNotFound => "CONVERSATION_NOT_FOUND",
            Self::ChannelNotFound => "CHANNEL_NOT_FOUND",
            Self::RunNotFound => "RUN_NOT_FOUND",
            Self::Unauthorized => "UNAUTHORIZED",
            Self::RateLimitExceeded => "RATE_LIMIT_EXCEEDED",
            Self::QueueFull => "QUEUE_FULL",
            Self::Timeout => "TIMEOUT",
            Self::Cancelled => "CANCELLED",
            Self::Interrupted => "INTERRUPTED",
            Self::AgentFailed => "AGENT_FAILED",
            Self::Unavailable => "UNAVAILABLE",
            Self::StoreUnavailable => "STORE_UNAVAILABLE",
            Self::InternalError => "INTERNAL_ERROR",
            Self::Rejected => "REJECTED",
            Self::CursorExpired => "CURSOR_EXPIRED",
        }
    }
}

/// An error fit to be shown to a client: no path of the server, no secret.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error, Serialize, Deserialize)]
pub struct Error {
    /// What programs decide by.
    pub code: Code,
    /// One sentence for people.
    pub message: String,
    /// What was expected, or the chain of causes; may be empty.
    pub details: String,
    /// With `RATE_LIMIT_EXCEEDED`: seconds after which a retry makes sense.
    pub retry_after: Option<u32>,
    /// With `AGENT_NOT_FOUND`: the agents there are.
    pub available_agents: Vec<String>,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if self.details.is_empty() { Ok(()) } else { write!(f, ": {}", self.details) }
    }
}

impl Error {
    /// An error of `code` with a sentence for people.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), details: String::new(), retry_after: None, available_agents: Vec::new() }
    }

    /// The same error with details behind the sentence.
    pub fn with_details(mut self, details: impl Into<String>) -> Self {
        self.details = details.into();
        self
    }

    /// A malformed request: which field, and what was expected there.
    pub fn invalid(field: &str, expected: &str) -> Self {
        Self::new(Code::InvalidMessage, format!("Invalid field: {field}"))
            .with_details(format!("{field}: expected {expected}"))
    }

    /// A request that lacks a field.
    pub fn missing(field: &str, expected: &str) -> Self {
        Self::new(Code::InvalidMessage, format!("Missing required field: {field}"))
            .with_details(format!("Missing required field: {field} (expected {expected})"))
    }

    /// A run that the server did not live to see the end of.
    pub fn interrupted() -> Self {
        Self::new(Code::Interrupted, "The server stopped before the run ended")
    }

    /// A cursor to something that is kept no longer; `first` is the first place there is.
    pub fn cursor_expired(first: u64) -> Self {
        Self::new(Code::CursorExpired, "What came next is kept no longer")
            .with_details(format!("The first that is kept has seq {first}; read again from the beginning"))
    }

    /// Something that should not happen; `what` is for people and names no internals.
    pub fn internal(what: impl Into<String>) -> Self {
        Self::new(Code::InternalError, what)
    }
}
