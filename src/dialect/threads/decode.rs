//! Document 004, from the client.

use bytestring::ByteString;
use serde_json::Value;
use uuid::Uuid;

use callboard_actors::protocol::id::check_id;
use callboard_actors::protocol::{
    AgentName, Ask, Code, Command, ConversationId, Error, Interest, Priority, Result, RunKind,
};

use crate::dialect::fields::Fields;
use crate::dialect::frames::Frames;
use crate::dialect::{Bounds, Call, Inbound};

/// What a frame comes to.
pub fn decode(fields: &Fields<'_>, bounds: &Bounds) -> Result<Inbound> {
    let kind = fields.text("type")?.ok_or_else(|| refusal("Message type is required"))?;
    let (command, interest) = match &*kind {
        "history" => (Command::Open { conversation: thread(fields)?, after: 0 }, Interest::MESSAGES),
        "message" => message(fields, bounds)?,
        "delete_thread" => (Command::Delete { conversation: thread(fields)? }, Interest::NOTHING),
        "ping" => return Ok(Inbound::Answer(Frames::One(ByteString::from_static(r#"{"type":"pong"}"#)))),
        "pong" => return Ok(Inbound::Silence),
        other => {
            let shown: String = other.chars().take(64).collect();
            return Err(refusal(&format!("Unknown message type: {shown}")));
        }
    };
    Ok(Inbound::Call(Call { id: None, command, interest }))
}

fn message(fields: &Fields<'_>, bounds: &Bounds) -> Result<(Command, Interest)> {
    let conversation = thread(fields)?;
    let agent = agent(fields)?;
    let stream = fields.flag("stream")?;
    let ask = Ask {
        conversation,
        agent,
        content: content(fields, bounds)?,
        parameters: Value::Null,
        kind: RunKind::Chat,
        priority: Priority::Normal,
        stream,
        serial: true,
        request_id: None,
        private: true,
        context: Vec::new(),
        trace: fields.trace(),
    };
    let interest = if stream { Interest::PROGRESS.and(Interest::DELTAS) } else { Interest::PROGRESS };
    Ok((Command::Ask(ask), interest))
}

/// A thread is named by a UUID; however the client writes it, the thread is the same.
fn thread(fields: &Fields<'_>) -> Result<ConversationId> {
    let invalid = || refusal("Invalid thread ID");
    let text = fields.text("thread_id").map_err(|_| invalid())?;
    let text = text.filter(|text| !text.is_empty()).ok_or_else(|| refusal("Thread ID is required"))?;
    Uuid::parse_str(&text).map(|id| ConversationId::trusted(id.to_string())).map_err(|_| invalid())
}

/// What cannot name an agent names none that exists.
fn agent(fields: &Fields<'_>) -> Result<Option<AgentName>> {
    let unknown = || Error::new(Code::AgentNotFound, "Agent not found");
    let Some(name) = fields.text("agent_id").map_err(|_| unknown())? else { return Ok(None) };
    check_id("agent_id", &name).map_err(|_| unknown())?;
    Ok(Some(AgentName::trusted(&*name)))
}

fn content(fields: &Fields<'_>, bounds: &Bounds) -> Result<String> {
    let text = fields.text("content").ok().flatten().filter(|text| !text.trim().is_empty());
    let text = text.ok_or_else(|| refusal("Content is required"))?;
    if text.len() > bounds.content {
        return Err(fields.invalid("content", &format!("at most {} bytes", bounds.content)));
    }
    Ok(text.into_owned())
}

/// An error in the words of the document.
fn refusal(words: &str) -> Error {
    Error::new(Code::InvalidMessage, words)
}
