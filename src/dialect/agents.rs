//! The endpoint `/ws`: documents 000 and 002 on one socket; each frame's type decides which it is.

use bytestring::ByteString;

use callboard_actors::protocol::{Code, ConversationId, Error, Event, RunKind, Timestamp};

use super::fields::Fields;
use super::frames::Frames;
use super::{Asked, Audience, BatchItem, Bounds, Dialect, Inbound, symindx, task};

/// The dialect of `/ws`.
#[derive(Debug)]
pub struct Agents {
    own: ConversationId,
}

impl Agents {
    /// The dialect of a session whose own conversation is `own`; it is made when it is first needed.
    pub fn new(own: ConversationId) -> Self {
        Self { own }
    }

    fn inbound(&self, fields: &Fields<'_>, bounds: &Bounds) -> Result<Inbound, Error> {
        let kind = fields.text("type")?.ok_or_else(|| fields.missing("type", "the type of the message"))?;
        match &*kind {
            "ping" => Ok(Inbound::Answer(Frames::One(ByteString::from_static(r#"{"type":"pong"}"#)))),
            "pong" => Ok(Inbound::Silence),
            "task" => task::decode(fields, &self.own, bounds).map(Inbound::Call),
            kind => symindx::decode(kind, fields, &self.own, bounds),
        }
    }
}

impl Dialect for Agents {
    fn name(&self) -> &'static str {
        "agents"
    }

    fn slot(&self) -> usize {
        0
    }

    fn decode(&self, text: &str, bounds: &Bounds) -> Result<Inbound, (Option<String>, Error)> {
        let fields = Fields::of_frame(text).map_err(|error| (None, error))?;
        self.inbound(&fields, bounds).map_err(|error| (fields.own_id("id"), error))
    }

    fn id_of(&self, text: &str) -> Option<String> {
        Fields::of_frame(text).ok()?.own_id("id")
    }

    fn encode(&self, event: &Event, at: Timestamp, to: Audience<'_>) -> Frames {
        match to {
            Audience::Requester(Asked { id, kind: Some(RunKind::Task), .. }) => task::encode(event, id.as_deref(), at),
            to => symindx::encode(event, at, to),
        }
    }

    fn batch_end(&self, id: &str, items: &[BatchItem], at: Timestamp) -> Frames {
        symindx::batch_end(id, items, at)
    }

    fn idle_ping(&self) -> Frames {
        Frames::One(ByteString::from_static(r#"{"type":"ping"}"#))
    }
}

/// The error for a frame of bytes.
pub fn binary_refused() -> Error {
    Error::new(Code::InvalidMessage, "Message format is invalid")
        .with_details("frame: expected a text frame of JSON, not a binary frame")
}
