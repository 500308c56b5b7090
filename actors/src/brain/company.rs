//! Company: whom a brain may turn to while it works. Whoever starts the agent provides it.

use std::fmt;

use async_trait::async_trait;

use super::Brief;
use crate::protocol::{AgentName, Answer, Code, Error};

/// Whom a brain may turn to while it works. Dropping a future gives up what was asked.
#[async_trait]
pub trait Company: Send + Sync + fmt::Debug {
    /// Has another agent answer a question, outside any conversation, and waits for it.
    async fn consult(&self, brief: &Brief, agent: &AgentName, question: String) -> Result<Answer, Error>;
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
