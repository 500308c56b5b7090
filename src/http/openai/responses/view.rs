//! What is told of an answer, in the shapes of OpenAI's API.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use callboard_actors::protocol::{Error, Message, Run, RunStatus};

use super::PREFIX;
use crate::http::openai::chat::Standing;
use crate::http::openai::used;

/// An answer, or what will be one.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Response")]
pub struct ResponseView {
    id: String,
    object: &'static str,
    /// Seconds since 1970.
    created_at: i64,
    /// `in_progress`, `completed`, `failed` or `cancelled`.
    status: &'static str,
    background: bool,
    error: Option<Failure>,
    incomplete_details: Option<Value>,
    instructions: Option<String>,
    max_output_tokens: Option<u64>,
    /// The agent.
    model: String,
    output: Vec<Item>,
    parallel_tool_calls: bool,
    previous_response_id: Option<String>,
    conversation: Option<Place>,
    reasoning: Map<String, Value>,
    store: bool,
    temperature: Option<f64>,
    text: Map<String, Value>,
    tool_choice: &'static str,
    tools: Vec<Value>,
    top_p: Option<f64>,
    truncation: &'static str,
    usage: Option<Usage>,
    user: Option<String>,
    metadata: Standing,
}

/// Why there is no answer.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "ResponseFailure")]
struct Failure {
    code: &'static str,
    message: String,
}

/// The conversation that an answer stands in.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "ResponseConversation")]
struct Place {
    id: String,
}

/// What an agent says.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "ResponseItem")]
pub(super) struct Item {
    #[serde(rename = "type")]
    kind: &'static str,
    id: String,
    status: &'static str,
    role: &'static str,
    content: Vec<Piece>,
}

/// A text of what it says.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "ResponseText")]
pub(super) struct Piece {
    #[serde(rename = "type")]
    kind: &'static str,
    text: String,
    annotations: Vec<Value>,
    logprobs: Vec<Value>,
}

/// What models read and wrote for it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "ResponseUsage")]
struct Usage {
    input_tokens: u64,
    input_tokens_details: Map<String, Value>,
    output_tokens: u64,
    output_tokens_details: Map<String, Value>,
    total_tokens: u64,
}

fn map<const N: usize>(fields: [(&str, Value); N]) -> Map<String, Value> {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

impl ResponseView {
    /// An answer that is being made.
    pub(super) fn of(run: &Run) -> Self {
        Self {
            id: format!("{PREFIX}{}", run.id),
            object: "response",
            created_at: run.created_at.0 / 1000,
            status: "in_progress",
            background: false,
            error: None,
            incomplete_details: None,
            instructions: None,
            max_output_tokens: None,
            model: run.agent.to_string(),
            output: Vec::new(),
            parallel_tool_calls: true,
            previous_response_id: None,
            conversation: Some(Place { id: run.conversation.to_string() }),
            reasoning: map([("effort", Value::Null), ("summary", Value::Null)]),
            store: true,
            temperature: None,
            text: map([("format", json!({ "type": "text" }))]),
            tool_choice: "auto",
            tools: Vec::new(),
            top_p: None,
            truncation: "disabled",
            usage: None,
            user: None,
            metadata: Standing::of(run),
        }
    }

    /// Nobody can ask for it again.
    pub(super) fn forget(&mut self) {
        (self.store, self.conversation, self.metadata) = (false, None, Standing::default());
    }

    /// What was asked with: the answer before it, and what the agent was told to keep to.
    pub(super) fn follow(&mut self, previous: Option<String>, instructions: Option<String>) {
        (self.previous_response_id, self.instructions) = (previous, instructions);
    }

    /// The answer is there.
    pub(super) fn complete(&mut self, run: &Run, answer: &Message) {
        self.status = "completed";
        self.output = vec![item(run, "completed", vec![part(&answer.text())])];
        let used = used(answer);
        self.usage = Some(Usage {
            input_tokens: used.input,
            input_tokens_details: map([("cached_tokens", 0.into())]),
            output_tokens: used.output,
            output_tokens_details: map([("reasoning_tokens", 0.into())]),
            total_tokens: used.total(),
        });
    }

    /// There will be none.
    pub(super) fn fail(&mut self, error: &Error, status: RunStatus) {
        self.status = if status == RunStatus::Cancelled { "cancelled" } else { "failed" };
        self.error = Some(Failure { code: "server_error", message: error.to_string() });
    }
}

/// What the agent of a run says.
pub(super) fn item(run: &Run, status: &'static str, content: Vec<Piece>) -> Item {
    Item { kind: "message", id: run.answer_id().to_string(), status, role: "assistant", content }
}

/// A text of it.
pub(super) fn part(text: &str) -> Piece {
    Piece { kind: "output_text", text: text.to_owned(), annotations: Vec::new(), logprobs: Vec::new() }
}
