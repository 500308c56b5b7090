//! The echo brain: answers with exactly what it was told. For trying out clients, and for measuring all the rest.

use std::sync::Arc;

use async_trait::async_trait;

use super::pieces::pieces;
use super::{Brain, Brief, Placement, Sink};
use crate::protocol::{Answer, Error, Step, StepKind};

/// Answers with what it was told.
#[derive(Debug)]
pub struct Echo;

#[async_trait]
impl Brain for Echo {
    fn placement(&self) -> Placement {
        Placement::Inline
    }

    async fn think(&self, brief: &Brief, sink: &Arc<dyn Sink>) -> Result<Answer, Error> {
        sink.step(Step::now(StepKind::Answer, brief.content.clone(), 1.0));
        if brief.stream {
            pieces(&brief.content).for_each(|piece| sink.delta(piece));
        }
        Ok(Answer { text: brief.content.clone(), ..Answer::default() })
    }
}
