//! The bodies that handlers read field by field, so that an error can name the field. They are described here; the tests
//! against a live server see to it that what is made after these descriptions is taken.

#![allow(dead_code, reason = "described and never made")]

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value};

/// The schema of an id that may be absent or null.
fn maybe_an_id(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["string", "null"], "pattern": "^[A-Za-z0-9._:-]{1,128}$", "minLength": 1, "maxLength": 128 })
}

/// The schema of an agent's name or id.
fn an_agent(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "pattern": "^[A-Za-z0-9._:-]{1,128}$", "minLength": 1, "maxLength": 128 })
}

/// The schema of a text that says something.
fn a_text(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "pattern": "[A-Za-z0-9]" })
}

/// The schema of a publication's type: readable, and none that is the server's own.
fn a_type(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": ["string", "null"], "pattern": "^[A-Za-z0-9._:-]{1,64}$", "minLength": 1, "maxLength": 64,
        "not": { "type": "string", "pattern": "^([Aa][Cc][Kk]|[Ee][Rr][Rr][Oo][Rr]|[Pp][Rr][Ee][Ss][Ee][Nn][Cc][Ee])$" },
    })
}

/// A task for `POST /agent/run`.
#[derive(JsonSchema)]
#[schemars(rename = "Task")]
pub struct TaskBody {
    /// What is to be done.
    #[schemars(schema_with = "a_text")]
    task: String,
    /// The chat that it belongs to; nothing is written there.
    #[schemars(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "maybe_an_id")]
    chat_id: Option<String>,
    /// The agent, by name or id; without one the tenant's first.
    #[schemars(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "maybe_an_id")]
    agent: Option<String>,
}

/// A channel that is made or described anew.
#[derive(JsonSchema)]
#[schemars(rename = "ChannelDescription")]
pub struct ChannelBody {
    /// Its id; `id` is understood as well. Without one it is given one.
    #[schemars(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "maybe_an_id")]
    channel_id: Option<String>,
    /// For people, at most 256 bytes.
    #[schemars(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// For people, at most 4096 bytes.
    #[schemars(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
}

/// What is published.
#[derive(JsonSchema)]
#[schemars(rename = "PublicationBody", extend("anyOf" = [
    { "required": ["content"], "properties": { "content": { "type": ["string", "number", "boolean", "array", "object"] } } },
    { "required": ["type"], "properties": { "type": { "type": "string", "not": { "const": "message" } } } },
]))]
pub struct PublicationBody {
    /// What is sent: any JSON, at most 64 levels deep; a message has to have some.
    #[schemars(skip_serializing_if = "Value::is_null")]
    content: Value,
    /// The publisher's own id for it: seen again within `runtime.dedup_window`, it is not published again.
    #[schemars(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "maybe_an_id")]
    id: Option<String>,
    /// `message` unless it says otherwise.
    #[schemars(rename = "type", skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "a_type")]
    kind: Option<String>,
    /// The publication that this one answers.
    #[schemars(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "maybe_an_id")]
    reply_to: Option<String>,
    /// What programs are told besides.
    #[schemars(skip_serializing_if = "Option::is_none")]
    metadata: Option<Map<String, Value>>,
}

/// Who speaks to a model.
#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Speaker")]
enum Speaker {
    System,
    Developer,
    User,
    Assistant,
    Tool,
}

/// A piece of a message.
#[derive(JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "PieceType")]
enum PieceType {
    Text,
    InputText,
    OutputText,
}

/// A piece of a message.
#[derive(JsonSchema)]
#[schemars(rename = "MessagePiece")]
struct Piece {
    #[serde(rename = "type")]
    kind: PieceType,
    text: String,
}

/// What a message says.
#[derive(JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "MessageContent")]
enum Content {
    Text(String),
    Pieces(Vec<Piece>),
}

/// A message for a model.
#[derive(JsonSchema)]
#[schemars(rename = "ModelMessage")]
struct ModelMessage {
    role: Speaker,
    content: Content,
}

/// Where the server is to keep the exchange.
#[derive(JsonSchema)]
#[schemars(rename = "RequestMetadata")]
struct Metadata {
    #[schemars(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "maybe_an_id")]
    conversation_id: Option<String>,
}

/// What a stream ends with.
#[derive(JsonSchema)]
#[schemars(rename = "StreamOptions")]
struct StreamOptions {
    #[schemars(skip_serializing_if = "Option::is_none")]
    include_usage: Option<bool>,
}

/// A request for an answer. What only tunes a model is passed over.
#[derive(JsonSchema)]
#[schemars(rename = "ChatCompletionRequest")]
pub struct ChatBody {
    /// The agent.
    #[schemars(schema_with = "an_agent")]
    model: String,
    /// What was said so far; the last message is the user's.
    #[schemars(extend("minItems" = 1))]
    messages: Vec<ModelMessage>,
    /// Whether the answer comes piece by piece.
    #[schemars(skip_serializing_if = "Option::is_none")]
    stream: Option<bool>,
    #[schemars(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
    #[schemars(skip_serializing_if = "Option::is_none")]
    metadata: Option<Metadata>,
}

/// What a response is asked with.
#[derive(JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "ResponseInput")]
enum Input {
    #[schemars(schema_with = "a_text")]
    Text(String),
    Messages(#[schemars(extend("minItems" = 1))] Vec<ModelMessage>),
}

/// A request for a response. What only tunes a model is passed over.
#[derive(JsonSchema)]
#[schemars(rename = "ResponseRequest")]
pub struct ResponseBody {
    /// The agent.
    #[schemars(schema_with = "an_agent")]
    model: String,
    /// A text, or what was said so far; the last message is the user's.
    input: Input,
    /// How the agent is told to answer.
    #[schemars(skip_serializing_if = "Option::is_none")]
    instructions: Option<String>,
    /// The answer that this request goes on from.
    #[schemars(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = "^resp_"))]
    previous_response_id: Option<String>,
    /// Whether the answer comes piece by piece.
    #[schemars(skip_serializing_if = "Option::is_none")]
    stream: Option<bool>,
    #[schemars(skip_serializing_if = "Option::is_none")]
    metadata: Option<Metadata>,
}
