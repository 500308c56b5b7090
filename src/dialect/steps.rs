//! The endpoint `/chat/{chat_id}`: document 001, an agent's steps as they happen.
//!
//! A session speaks of one chat. It is a member of it from the beginning, so that every socket of the chat sees every
//! run there, whoever asked for it and through whichever dialect.

mod decode;
mod encode;
pub mod history;

use callboard_actors::protocol::{Command, ConversationId, Error, Event, Timestamp};

use super::fields::Fields;
use super::frames::Frames;
use super::{Audience, Bounds, Dialect, Inbound};

/// The dialect of `/chat/{chat_id}`.
#[derive(Debug)]
pub struct Steps {
    chat: ConversationId,
}

impl Steps {
    /// The dialect of a session about `chat`.
    pub fn new(chat: ConversationId) -> Self {
        Self { chat }
    }

    /// What a session asks for itself when it begins.
    pub fn opening(&self) -> Vec<Command> {
        vec![Command::Watch { conversation: self.chat.clone() }]
    }
}

impl Dialect for Steps {
    fn name(&self) -> &'static str {
        "steps"
    }

    fn slot(&self) -> usize {
        1
    }

    fn decode(&self, text: &str, bounds: &Bounds) -> Result<Inbound, (Option<String>, Error)> {
        let fields = Fields::of_frame(text).map_err(|error| (None, error))?;
        decode::decode(&fields, &self.chat, bounds).map_err(|error| (fields.own_id("message_id"), error))
    }

    fn id_of(&self, text: &str) -> Option<String> {
        Fields::of_frame(text).ok()?.own_id("message_id")
    }

    fn encode(&self, event: &Event, _: Timestamp, to: Audience<'_>) -> Frames {
        match to {
            Audience::Requester(asked) => encode::reply(event, asked, &self.chat),
            Audience::Member => encode::member(event),
            Audience::Subscriber => Frames::None,
        }
    }
}

#[cfg(test)]
mod tests;
