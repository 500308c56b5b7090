//! Batches of document 002: shorthand for several requests, expanded here.

use bytestring::ByteString;
use serde_json::json;
use uuid::Uuid;

use callboard_actors::protocol::{AgentName, ConversationId, Error, Priority, Result, Timestamp};

use super::decode::{self, Inherited};
use crate::dialect::fields::Fields;
use crate::dialect::frames::Frames;
use crate::dialect::view::Rfc3339;
use crate::dialect::{BatchItem, Bounds, Call, Inbound};

/// What a batch comes to: its items, each with the id of its replies, or its error.
pub(super) fn decode(fields: &Fields<'_>, own: &ConversationId, bounds: &Bounds) -> Result<Inbound> {
    let id = match fields.id("id")? {
        Some(id) => id.into_owned(),
        None => format!("batch-{}", Uuid::new_v4().simple()),
    };
    let data = fields.object("data")?;
    let raw = data.items("messages", bounds.batch)?.ok_or_else(|| data.missing("messages", "a list of messages"))?;
    if raw.is_empty() {
        return Err(data.invalid("messages", "at least one message"));
    }
    let agent = fields.id("targetAgent")?.map(|agent| AgentName::trusted(&*agent));
    let usual = Inherited { agent: agent.as_ref(), priority: Priority::Normal };
    let inherited = Inherited { priority: decode::priority(fields, usual)?, ..usual };
    let items = raw.iter().enumerate().map(|(index, item)| {
        let default = format!("{id}.{index}");
        item_call(item.get(), own, bounds, inherited, &default)
    });
    Ok(Inbound::Batch { items: items.collect(), id })
}

fn item_call(
    text: &str,
    own: &ConversationId,
    bounds: &Bounds,
    inherited: Inherited<'_>,
    default: &str,
) -> std::result::Result<Call, (Option<String>, Error)> {
    let fields = Fields::of_frame(text).map_err(|error| (Some(default.to_owned()), error))?;
    let id = fields.id("id").ok().flatten().map_or_else(|| default.to_owned(), |id| id.into_owned());
    let call = fields.text("type").and_then(|kind| {
        let kind = kind.ok_or_else(|| fields.missing("type", "the type of the message"))?;
        if matches!(&*kind, "batch" | "task" | "ping" | "pong") {
            return Err(fields.invalid("type", "anything but batch, task, ping or pong in a batch"));
        }
        decode::call(&kind, &fields, own, bounds, inherited)
    });
    match call {
        Ok(call) => Ok(with_id(call, id)),
        Err(error) => Err((Some(id), error)),
    }
}

/// The same request under another id.
fn with_id(mut call: Call, id: String) -> Call {
    if let callboard_actors::protocol::Command::Ask(ask) = &mut call.command {
        ask.request_id = Some(id.clone());
    }
    call.id = Some(id);
    call
}

/// The summary at the end of a batch.
pub fn batch_end(id: &str, items: &[BatchItem], at: Timestamp) -> Frames {
    let results: Vec<_> = items
        .iter()
        .enumerate()
        .map(|(index, item)| {
            let mut result = json!({ "index": index, "id": item.id, "success": item.code.is_none() });
            if let Some(code) = item.code {
                result["code"] = code.into();
            }
            result
        })
        .collect();
    let frame = json!({ "type": "batch_result", "id": id, "data": { "results": results }, "timestamp": Rfc3339(at) });
    Frames::One(ByteString::from(frame.to_string()))
}
