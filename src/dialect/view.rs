//! JSON shapes that several dialects and the HTTP resources share.

use std::cell::Cell;

use bytes::Bytes;
use bytestring::ByteString;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::frames::Frames;
use callboard_actors::protocol::{AgentStatus, Approval, AskedCall, Code, Error, Message, Publication, Timestamp};

/// One text frame of anything that can be written as JSON.
pub fn frame(value: &impl Serialize) -> Frames {
    Frames::One(text(value))
}

/// What a thread keeps to write texts into, so that each is allocated once and as long as it is: most are far shorter.
const KEPT: usize = 64 * 1024;

thread_local! {
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// The JSON text of anything that can be written as JSON.
pub fn text(value: &impl Serialize) -> ByteString {
    let mut scratch = SCRATCH.take();
    scratch.clear();
    // What is written here has text keys and finite numbers; should it ever not, the client sees an empty object.
    let written = serde_json::to_writer(&mut scratch, value).ok();
    let text = written.and_then(|()| ByteString::try_from(Bytes::copy_from_slice(&scratch)).ok());
    if scratch.capacity() <= KEPT {
        SCRATCH.set(scratch);
    }
    text.unwrap_or_else(|| ByteString::from_static("{}"))
}

/// An error as one sentence, for documents that have no other place for it. Of a malformed request it names the field.
pub fn sentence(error: &Error) -> std::borrow::Cow<'_, str> {
    match error.code {
        _ if error.details.is_empty() => error.message.as_str().into(),
        Code::InvalidMessage => error.details.as_str().into(),
        _ => error.to_string().into(),
    }
}

/// A moment as RFC 3339 in UTC with milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Rfc3339(pub Timestamp);

impl Serialize for Rfc3339 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl JsonSchema for Rfc3339 {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Moment".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time" })
    }
}

/// A message of a conversation.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Message")]
pub struct MessageView<'a> {
    id: &'a str,
    seq: u64,
    role: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<&'a str>,
    content: std::borrow::Cow<'a, str>,
    created_at: Rfc3339,
}

impl<'a> MessageView<'a> {
    /// The view of a message.
    pub fn of(message: &'a Message) -> Self {
        Self {
            id: message.id.as_str(),
            seq: message.seq,
            role: message.role.as_str(),
            agent: message.agent.as_ref().map(|agent| agent.as_str()),
            content: message.text(),
            created_at: Rfc3339(message.created_at),
        }
    }

    /// The views of several messages.
    pub fn all(messages: &'a [std::sync::Arc<Message>]) -> Vec<Self> {
        messages.iter().map(|message| Self::of(message)).collect()
    }
}

/// A publication as document 003 has it, with `seq`.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Publication")]
pub struct PublicationView<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    #[schemars(with = "Value")]
    content: &'a RawValue,
    tenant_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel_id: Option<&'a str>,
    timestamp: Rfc3339,
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_to: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Map<String, Value>>")]
    metadata: Option<&'a RawValue>,
}

impl<'a> PublicationView<'a> {
    /// The view of a publication.
    pub fn of(publication: &'a Publication) -> Self {
        Self {
            id: publication.id.as_str(),
            kind: &publication.kind,
            content: raw(&publication.content),
            tenant_id: publication.tenant.as_str(),
            agent_id: publication.agent.as_ref().map(|agent| agent.as_str()),
            channel_id: publication.channel.as_ref().map(|channel| channel.as_str()),
            timestamp: Rfc3339(publication.created_at),
            // What stands in no log has no place: the work that an agent is given.
            seq: (publication.seq > 0).then_some(publication.seq),
            reply_to: publication.reply_to.as_ref().map(|id| id.as_str()),
            metadata: publication.metadata.as_deref().map(raw),
        }
    }
}

/// JSON text that was checked when it entered.
fn raw(text: &str) -> &RawValue {
    serde_json::from_str(text).unwrap_or(RawValue::NULL)
}

/// Two decimals are all that an importance or intensity means.
pub fn rounded(number: f32) -> f64 {
    (f64::from(number) * 100.0).round() / 100.0
}

/// A use of a tool that a run waits to be allowed.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Call")]
pub struct CallView<'a> {
    tool: &'a str,
    arguments: Value,
    /// What it is to do, in words.
    intent: &'a str,
}

/// The uses of tools that a run waits to be allowed.
pub fn calls(approval: &Approval) -> Vec<CallView<'_>> {
    fn view(call: &AskedCall) -> CallView<'_> {
        let arguments = serde_json::from_str(&call.arguments).unwrap_or(Value::Null);
        CallView { tool: &call.tool, arguments, intent: &call.intent }
    }
    approval.calls.iter().map(view).collect()
}

/// How an agent is, as document 002 has it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentStatusView<'a> {
    agent_id: &'a str,
    status: &'static str,
    current_task: Option<&'a str>,
    queue_length: usize,
    uptime: u64,
    emotion: &'static str,
}

impl<'a> AgentStatusView<'a> {
    /// The view of a status.
    pub fn of(status: &'a AgentStatus) -> Self {
        Self {
            agent_id: status.name.as_str(),
            status: status.state.as_str(),
            current_task: status.current_task.as_deref(),
            queue_length: status.queue_length,
            uptime: status.uptime_ms,
            emotion: status.mood.emotion.as_str(),
        }
    }
}

/// An error as document 002 has it, with what its code carries besides.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorView<'a> {
    code: &'static str,
    message: &'a str,
    details: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    available_agents: Vec<&'a str>,
}

impl<'a> ErrorView<'a> {
    /// The view of an error.
    pub fn of(error: &'a Error) -> Self {
        Self {
            code: error.code.as_str(),
            message: &error.message,
            details: &error.details,
            retry_after: error.retry_after,
            available_agents: error.available_agents.iter().map(|agent| agent.as_str()).collect(),
        }
    }
}
