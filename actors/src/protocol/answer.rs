//! Answers: what an agent's brain comes to.

use serde_json::Value;

/// An agent's answer, before it is written.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Answer {
    /// What people read.
    pub text: String,
    /// What programs read: 002's `result`; null where there is nothing but text.
    pub data: Value,
}
