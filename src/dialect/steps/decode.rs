//! Document 001, from the client.

use bytestring::ByteString;
use serde_json::Value;

use callboard_actors::protocol::MAX_PAGE;
use callboard_actors::protocol::{Ask, Code, Command, ConversationId, Error, Interest, Priority, Result, RunKind};

use crate::dialect::fields::Fields;
use crate::dialect::frames::Frames;
use crate::dialect::{Bounds, Call, Inbound};

/// The frame types of the document, as an error lists them.
const TYPES: &str = "client, get_history, ping or pong";

/// What a frame comes to in `chat`.
pub fn decode(fields: &Fields<'_>, chat: &ConversationId, bounds: &Bounds) -> Result<Inbound> {
    let kind = fields.text("type")?.ok_or_else(|| fields.missing("type", TYPES))?;
    match &*kind {
        "client" => client(fields, chat, bounds).map(Inbound::Call),
        "get_history" => get_history(fields, chat).map(Inbound::Call),
        "ping" => Ok(Inbound::Answer(Frames::One(ByteString::from_static(r#"{"type":"pong"}"#)))),
        "pong" => Ok(Inbound::Silence),
        other => {
            let shown: String = other.chars().take(64).collect();
            Err(Error::new(Code::InvalidMessage, format!("Unknown message type: {shown}; type: expected {TYPES}")))
        }
    }
}

fn client(fields: &Fields<'_>, chat: &ConversationId, bounds: &Bounds) -> Result<Call> {
    let id = fields.required_id("message_id")?.into_owned();
    let ask = Ask {
        conversation: chat.clone(),
        agent: None,
        content: fields.content("message", bounds.content)?,
        parameters: Value::Null,
        kind: RunKind::Chat,
        priority: Priority::Normal,
        stream: false,
        serial: true,
        request_id: Some(id.clone()),
        private: false,
        context: Vec::new(),
        trace: fields.trace(),
    };
    Ok(Call { id: Some(id), command: Command::Ask(ask), interest: Interest::STEPS })
}

/// Without `limit` the longest page there is: the document knows a chat's history as one list.
fn get_history(fields: &Fields<'_>, chat: &ConversationId) -> Result<Call> {
    let limit = fields.number("limit")?.map_or(MAX_PAGE, |limit| usize::try_from(limit).unwrap_or(MAX_PAGE));
    let command = Command::History { conversation: chat.clone(), limit, before: fields.number("before")? };
    Ok(Call { id: None, command, interest: Interest::NOTHING })
}
