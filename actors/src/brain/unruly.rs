//! The unruly brain: does to the house what a faulty one would. Made only where the operator asks for it
//! (`debug.unruly`), to see that the house withstands it.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Brain, Brief, Placement, Sink};
use crate::protocol::{Answer, Error, Step, StepKind};
use crate::tool::unruly::{BULK, misbehave};

/// What one report of those without end is made of.
const PIECE: usize = 64 << 10;

/// Misbehaves as it is told: `panic`, `block` its thread, `never` answer, report `steps` or `pieces` without end
/// whether or not anybody wants them, answer in `bulk`. Told anything else, it gives that back.
#[derive(Debug)]
pub struct Unruly;

#[async_trait]
impl Brain for Unruly {
    fn placement(&self) -> Placement {
        Placement::Thread
    }

    async fn think(&self, brief: &Brief, sink: &Arc<dyn Sink>) -> Result<Answer, Error> {
        let said = match brief.content.as_str() {
            "never" => std::future::pending().await,
            "steps" => loop {
                sink.step(Step::now(StepKind::Action, "x".repeat(PIECE), 0.5));
            },
            "pieces" => loop {
                sink.delta(&"x".repeat(PIECE));
            },
            "bulk" => "x".repeat(BULK),
            how => {
                misbehave(how);
                how.to_owned()
            }
        };
        Ok(Answer { text: said, ..Answer::default() })
    }
}
