//! Company: whom a brain may turn to while it works. Whoever starts the agent provides it.

use std::fmt;

use async_trait::async_trait;

use super::Brief;
use crate::protocol::{AgentName, Answer, Code, Error, TraceParent};

/// Whom a brain may turn to while it works. Dropping a future gives up what was asked.
#[async_trait]
pub trait Company: Send + Sync + fmt::Debug {
    /// Has another agent answer a question, outside any conversation, and waits for it. `place` is where that stands in
    /// the trace.
    async fn consult(
        &self,
        brief: &Brief,
        agent: &AgentName,
        question: String,
        place: Option<TraceParent>,
    ) -> Result<Answer, Error>;
}

/// Nobody: for brains that work alone, in tests and measurements.
#[derive(Debug)]
pub struct Nobody;

#[async_trait]
impl Company for Nobody {
    async fn consult(&self, _: &Brief, agent: &AgentName, _: String, _: Option<TraceParent>) -> Result<Answer, Error> {
        Err(Error::new(Code::AgentNotFound, format!("{agent} cannot be asked here")))
    }
}
