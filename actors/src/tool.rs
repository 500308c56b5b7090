//! Tools: what agents can do besides talking.
//!
//! A tool is a function with a name, a description and parameters. It also knows when it is wanted: asked with a
//! text, it bids for the work with the arguments it found there, and the builtin brain takes the best bid.

pub mod argument;
pub mod arithmetic;
pub mod clock;
pub mod forget;
pub mod keywords;
pub mod project;
pub mod recall;
pub mod remember;
pub mod search;
pub mod sentiment;
pub mod summary;
pub mod toolbox;
pub mod unruly;
mod workspace;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::memory::{Change, Memory, Whose};
use crate::protocol::{AgentName, Code, ConversationId, Error, Message, Subject, TenantId};
use crate::spans::Trace;

/// The circumstances a tool is used in.
#[derive(Clone, Debug)]
pub struct Scene {
    /// Whose memory and conversations may be seen.
    pub tenant: TenantId,
    /// The owner of the conversation, if it is private.
    pub owner: Option<Subject>,
    /// The agent that uses the tool.
    pub agent: AgentName,
    /// The conversation it is used in.
    pub conversation: ConversationId,
    /// The latest messages of that conversation before the one that asks, oldest first.
    pub history: Vec<Arc<Message>>,
    /// The folder that tools may read, resolved; nothing outside it is touched.
    pub workspace: PathBuf,
    /// What the tenant's agents remember.
    pub memory: Arc<Memory>,
    /// When to give up.
    pub deadline: Instant,
    /// Set when to give up at once.
    pub cancelled: CancellationToken,
    /// The place in a trace that the use of the tool has; what it asks of others carries it.
    pub trace: Trace,
}

/// A tool's offer to do what a text asks.
#[derive(Clone, PartialEq, Debug)]
pub struct Bid {
    /// How sure the tool is that it is meant, 0 to 1: 0.9 and more where it is asked for by what it does, 0.7 where
    /// the words fit, 0.5 where nothing but a hint speaks for it. Less is no offer.
    pub score: f32,
    /// The arguments found in the text, a JSON object.
    pub arguments: Value,
    /// What it is going to do, for the plan: `count the files below src`.
    pub intent: String,
}

/// What came out.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Output {
    /// For people.
    pub text: String,
    /// For programs; null where there is nothing but text.
    pub data: Value,
    /// What was remembered or forgotten, for those who watch the memory.
    pub changes: Vec<Change>,
}

impl Scene {
    /// The memory that is used here: what this agent was told, where it may be known.
    pub fn whose(&self) -> Whose {
        Whose { tenant: self.tenant.clone(), owner: self.owner.clone(), agent: Some(self.agent.clone()) }
    }

    /// An error if it is time to give up: `CANCELLED` or `TIMEOUT`.
    pub fn check(&self) -> Result<(), Error> {
        if self.cancelled.is_cancelled() {
            return Err(Error::new(Code::Cancelled, "The work was cancelled"));
        }
        if Instant::now() >= self.deadline {
            return Err(Error::new(Code::Timeout, "The work took longer than it may"));
        }
        Ok(())
    }
}

/// What agents can do besides talking.
///
/// The builtin brain takes bids and uses `call`; models are told name, description and parameters and use `perform`. A
/// tool that computes or reads files implements `bid` and `call`; one that waits for others, such as a tool of another
/// server, implements `perform` alone.
#[async_trait]
pub trait Tool: Send + Sync + 'static {
    /// Its name, as agents' files list it: 1 to 64 characters of `A-Z a-z 0-9 _ -`, which is what models take.
    fn name(&self) -> &str;

    /// One sentence for people and models: what it does.
    fn description(&self) -> &str;

    /// Its parameters as a JSON schema of an object.
    fn parameters(&self) -> Value;

    /// Whether it reads or changes what agents remember.
    fn uses_memory(&self) -> bool {
        false
    }

    /// Whether somebody must allow each use of it, whatever the agent's file says.
    fn needs_approval(&self) -> bool {
        false
    }

    /// Its offer for what `text` asks, if it feels meant; `parameters` are what the client spelled out, or null.
    fn bid(&self, _text: &str, _parameters: &Value, _scene: &Scene) -> Option<Bid> {
        None
    }

    /// Does the work on a thread where it may block until the scene's deadline. Arguments outside the schema are an
    /// error `INVALID_MESSAGE` that names the parameter.
    fn call(&self, _arguments: &Value, _scene: &Scene) -> Result<Output, Error> {
        Err(Error::internal(format!("{} is a tool for models alone", self.name())))
    }

    /// Does the work without keeping the thread it is polled on. Dropping the future gives the work up.
    async fn perform(self: Arc<Self>, arguments: Value, scene: Scene) -> Result<Output, Error> {
        let work = move || self.call(&arguments, &scene);
        match tokio::task::spawn_blocking(work).await {
            Ok(result) => result,
            Err(_) => Err(Error::new(Code::AgentFailed, "The tool failed unexpectedly")),
        }
    }
}

/// Where tools come from whose list may change while the server runs, such as those of another server.
pub trait Source: Send + Sync + std::fmt::Debug {
    /// The tools that an agent may use now, besides those its file names. Asked at the beginning of each run.
    fn tools(&self, agent: &AgentName) -> Vec<Arc<dyn Tool>>;
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::Duration;

    use super::*;
    use crate::memory::tests::memory;
    use crate::protocol::{MessageId, Part, Role, Timestamp};

    /// A scene with an empty memory, no history, and this crate as the workspace.
    pub(crate) fn scene() -> Scene {
        Scene {
            tenant: TenantId::trusted("t"),
            owner: None,
            agent: AgentName::trusted("nyx"),
            conversation: ConversationId::trusted("c"),
            history: Vec::new(),
            workspace: PathBuf::from(env!("CARGO_MANIFEST_DIR")),
            memory: memory(),
            deadline: Instant::now() + Duration::from_secs(60),
            cancelled: CancellationToken::new(),
            trace: Trace::default(),
        }
    }

    /// A message written as many minutes past the epoch as its `seq` says.
    pub(crate) fn message(seq: u64, role: Role, text: &str) -> Arc<Message> {
        Arc::new(Message {
            id: MessageId::random(),
            conversation: ConversationId::trusted("c"),
            seq,
            role,
            agent: (role == Role::Assistant).then(|| AgentName::trusted("nyx")),
            parts: vec![Part::Text(text.to_owned())],
            created_at: Timestamp(i64::try_from(seq).unwrap_or_default() * 60_000),
            run: None,
        })
    }
}
