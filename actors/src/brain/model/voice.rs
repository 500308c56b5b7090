//! A voice: whatever takes a prompt and gives a model's reply. The way to a server is one, a recorded run another.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::fault::Fault;
use crate::protocol::{Tokens, TraceParent};

/// What a model is told.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Prompt {
    /// Who it is and what it is to observe.
    pub system: String,
    /// What was said, the latest last.
    pub said: Vec<Said>,
    /// What it may use.
    pub tools: Vec<ToolCard>,
}

/// One contribution to the talk.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "role")]
pub enum Said {
    /// By who asks.
    User {
        /// What.
        text: String,
    },
    /// By the model.
    Model {
        /// What; may be empty where it uses tools.
        text: String,
        /// What it wants used.
        calls: Vec<Call>,
    },
    /// What came of its calls, in their order.
    Results {
        /// One for each.
        results: Vec<CallResult>,
    },
}

/// A tool as the model sees it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ToolCard {
    /// What it is called by.
    pub name: String,
    /// What it does.
    pub description: String,
    /// A JSON schema of an object.
    pub parameters: Value,
}

/// A use of a tool that a model asks for.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Call {
    /// What the model calls this use; one of a kind within its reply.
    pub id: String,
    /// The tool.
    pub tool: String,
    /// What it said for arguments: JSON, or a string that is none.
    pub arguments: Value,
    /// What some servers want back with the call, unread.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signatures: Vec<String>,
}

/// What came of a call, for the model.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct CallResult {
    /// Of which call.
    pub id: String,
    /// The tool.
    pub tool: String,
    /// What the model is given.
    pub text: String,
}

/// What a model says.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Reply {
    /// In words.
    pub text: String,
    /// What it thought on the way, where the server tells.
    pub thought: String,
    /// What it wants used.
    pub calls: Vec<Call>,
    /// As the server counts; an estimate where it does not.
    pub tokens: Tokens,
    /// Whether it was cut off at the limit of tokens.
    pub cut: bool,
}

impl Reply {
    /// Why it ended, in the words of OpenAI's protocol.
    pub fn why_it_ended(&self) -> &'static str {
        match (self.calls.is_empty(), self.cut) {
            (false, _) => "tool_calls",
            (true, true) => "length",
            (true, false) => "stop",
        }
    }
}

/// Hears the words of a reply as they come.
pub type Ear<'a> = &'a mut (dyn FnMut(&str) + Send);

/// Whatever takes a prompt and gives a reply.
#[async_trait]
pub trait Voice: Send + Sync {
    /// Asks once. Pieces go to `ear` as they come; joined, they are the text of the reply. The server is told the
    /// request's `place` in its trace. Dropping the future ends the request at the server.
    async fn ask(&self, prompt: &Prompt, place: Option<TraceParent>, ear: Ear<'_>) -> Result<Reply, Fault>;
}
