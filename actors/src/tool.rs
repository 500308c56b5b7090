//! Tools: what agents can do besides talking.
//!
//! A tool is a function with a name, a description and parameters. It also knows when it is wanted: asked with a
//! text, it bids for the work with the arguments it found there, and the builtin brain takes the best bid.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::memory::Memory;
use crate::protocol::{AgentName, ConversationId, Error, Message, TenantId};

/// The circumstances a tool is used in.
#[derive(Clone, Debug)]
pub struct Scene {
    /// Whose memory and conversations may be seen.
    pub tenant: TenantId,
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
}

/// A tool's offer to do what a text asks.
#[derive(Clone, PartialEq, Debug)]
pub struct Bid {
    /// How sure the tool is that it is meant, 0 to 1.
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
}

/// What agents can do besides talking. Runs on a thread where it may block until the scene's deadline.
pub trait Tool: Send + Sync {
    /// Its name, as agents' files list it.
    fn name(&self) -> &'static str;

    /// One sentence for people and models: what it does.
    fn description(&self) -> &'static str;

    /// Its parameters as a JSON schema of an object.
    fn parameters(&self) -> Value;

    /// Its offer for what `text` asks, if it feels meant; `parameters` are what the client spelled out, or null.
    fn bid(&self, text: &str, parameters: &Value, scene: &Scene) -> Option<Bid>;

    /// Does the work. Arguments outside the schema are an error that names the parameter.
    fn call(&self, arguments: &Value, scene: &Scene) -> Result<Output, Error>;
}
