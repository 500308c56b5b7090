//! Company: whom a brain may turn to while it works, other agents and people. Whoever starts the agent provides it.

use std::fmt;

use async_trait::async_trait;

use super::Brief;
use crate::protocol::{AgentName, Answer, Code, Error, ToolCall};

/// What somebody says to the use of a tool.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Go ahead.
    Approved,
    /// Do not, for this reason; the model is told.
    Rejected(String),
}

/// Whom a brain may turn to while it works. Dropping a future gives up what was asked.
#[async_trait]
pub trait Company: Send + Sync + fmt::Debug {
    /// Has another agent answer a question, outside any conversation, and waits for it.
    async fn consult(&self, brief: &Brief, agent: &AgentName, question: String) -> Result<Answer, Error>;

    /// Waits until somebody says whether a tool may be used. `call` has its arguments and no result. An error ends the
    /// run.
    async fn permit(&self, _brief: &Brief, call: &ToolCall) -> Result<Verdict, Error> {
        Ok(Verdict::Rejected(format!("{} needs an approval, and nobody can give it here", call.tool)))
    }
}

/// Nobody: for brains that work alone, in tests and measurements.
#[derive(Debug)]
pub struct Nobody;

#[async_trait]
impl Company for Nobody {
    async fn consult(&self, _brief: &Brief, agent: &AgentName, _question: String) -> Result<Answer, Error> {
        Err(Error::new(Code::AgentNotFound, format!("{agent} cannot be asked here")))
    }
}
