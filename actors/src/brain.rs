//! Brains: what makes an agent's answers.
//!
//! A brain gets a brief, reports steps and pieces of its answer into a sink as it goes, and returns the answer. It
//! knows neither the agent that owns it nor where its reports end up.

pub mod builtin;
pub mod company;
pub mod context;
pub mod echo;
pub mod maker;
pub mod materials;
pub mod model;
mod pieces;
pub mod remote;
mod unruly;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use futures_util::FutureExt;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use self::company::Company;
use crate::agent::persona::Persona;
use crate::protocol::{AgentName, Answer, Code, Error, Event, Message, Mood, Run, Step, Subject, TenantId, Trail};
use crate::spans::Trace;
use crate::tape::Tape;

/// What a brain is told about the work at hand.
#[derive(Clone, Debug)]
pub struct Brief {
    /// The run this is about.
    pub run: Arc<Run>,
    /// Whose agents, memories and conversations these are.
    pub tenant: TenantId,
    /// The owner of the conversation, if it is private.
    pub owner: Option<Subject>,
    /// Who the agent is.
    pub persona: Arc<Persona>,
    /// Its mood as the work begins.
    pub mood: Mood,
    /// The other agents of the tenant, each with its specialities.
    pub colleagues: Arc<[(AgentName, Vec<String>)]>,
    /// What is asked.
    pub content: String,
    /// Arguments that the client spelled out: a JSON object, or null.
    pub parameters: Value,
    /// The latest messages of the conversation before the one that asks, oldest first.
    pub history: Vec<Arc<Message>>,
    /// Whether somebody wants the answer piece by piece.
    pub stream: bool,
    /// When the run will be given up.
    pub deadline: Instant,
    /// Set when the run is cancelled or given up: stop as soon as possible.
    pub cancelled: CancellationToken,
    /// How far the request has been passed on among agents.
    pub trail: Trail,
    /// Whom the brain may turn to on the way.
    pub company: Arc<dyn Company>,
    /// What every use of a tool and every exchange with a model passes, see [`crate::tape`].
    pub tape: Arc<Tape>,
    /// The run's place in its trace: spans of what is done for it begin here, and what is asked of others carries it.
    pub trace: Trace,
}

/// Where a brain reports to as it goes. Reports never block and never fail.
pub trait Sink: Send + Sync {
    /// A step was taken.
    fn step(&self, step: Step);
    /// The next piece of the answer; all pieces joined are its text.
    fn delta(&self, piece: &str);
    /// Something happened that subscribers of the tenant may want to know, such as a changed memory.
    fn notice(&self, event: Event);
}

/// Where a brain's work is done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Placement {
    /// On the agent's own arbiter: only for brains that neither block nor compute.
    Inline,
    /// On a thread of its own, where it may block and compute until its deadline.
    Thread,
}

/// What makes an agent's answers.
#[async_trait]
pub trait Brain: Send + Sync {
    /// Where its work is to be done.
    fn placement(&self) -> Placement;

    /// Does the work. An error ends the run as failed; its sentence is shown to the client. Dropping the future gives
    /// the work up.
    async fn think(&self, brief: &Brief, sink: &Arc<dyn Sink>) -> Result<Answer, Error>;
}

/// Has a brain think where its work is to be done. A panic is an error of the run.
pub async fn think(brain: Arc<dyn Brain>, brief: Brief, sink: Arc<dyn Sink>) -> Result<Answer, Error> {
    let name = brief.run.agent.clone();
    let outcome = match brain.placement() {
        Placement::Inline => AssertUnwindSafe(brain.think(&brief, &sink)).catch_unwind().await.ok(),
        Placement::Thread => {
            let runtime = tokio::runtime::Handle::current();
            let work = move || runtime.block_on(brain.think(&brief, &sink));
            tokio::task::spawn_blocking(work).await.ok()
        }
    };
    outcome.unwrap_or_else(|| {
        Err(Error::new(Code::AgentFailed, format!("{name} failed unexpectedly while working on this")))
    })
}
