//! Approval: what a run waits for until somebody decides.

use serde::{Deserialize, Serialize};

use super::time::Timestamp;

/// A use of a tool that somebody has to approve first.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AskedCall {
    /// The tool's name.
    pub tool: String,
    /// Its arguments, as JSON text.
    pub arguments: String,
    /// What it is to be used for, in the agent's words; may be empty.
    pub intent: String,
}

/// What a run waits for. One decision holds for all of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Approval {
    /// The uses of tools that are asked for, at least one.
    pub calls: Vec<AskedCall>,
    /// Since when the run waits.
    pub asked_at: Timestamp,
    /// When it ends with `TIMEOUT` if nobody has decided.
    pub expires_at: Timestamp,
}
