//! An inquiry: one request to the agents of a conversation, from accepted to its last answer.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::listed::Listed;
use crate::agent::card::Place as QueuePlace;
use crate::directory::Listing;
use crate::outbox::Outbox;
use crate::protocol::{Envelope, Error, Event, Interest, Message, Priority, RunKind, SessionId, To, Token, Trail};
use crate::request::Request;

/// Who asked, and what it wants to hear of. Whatever happens, it is told exactly one end.
#[derive(Debug)]
pub struct Asker {
    /// Where replies go.
    pub outbox: Outbox,
    /// What they are matched by.
    pub token: Token,
    /// What it wants to hear of on the way.
    pub interest: Interest,
    ended: bool,
}

impl Asker {
    /// The one who made a request.
    pub fn of(request: &Request) -> Self {
        Self { outbox: request.outbox.clone(), token: request.token, interest: request.interest, ended: false }
    }

    /// Which session asked.
    pub fn session(&self) -> SessionId {
        self.outbox.session
    }

    /// Tells it something on the way, or an end.
    pub fn tell(&mut self, envelope: &Arc<Envelope>) {
        self.ended |= envelope.event.ends_request();
        self.outbox.deliver(To::Requester(self.token), envelope);
    }

    /// Tells it an end.
    pub fn end(mut self, event: Event) {
        self.tell(&Envelope::new(event));
        self.ended = true;
    }
}

impl Drop for Asker {
    fn drop(&mut self) {
        if !self.ended {
            let error =
                Error::internal("The conversation failed unexpectedly; what is not in its history has not happened");
            self.outbox.reply(self.token, Event::Refused { error });
        }
    }
}

/// One request to the agents of a conversation.
#[derive(Debug)]
pub struct Inquiry {
    /// Who asked.
    pub asker: Asker,
    /// The message that asks.
    pub question: Arc<Message>,
    /// The place of the message that holds `content`: the same, or the one that asked first where an agent handed over.
    pub origin: u64,
    /// What the agents are told: the message without an address at its beginning.
    pub content: String,
    /// Arguments that the client spelled out.
    pub parameters: Value,
    /// What kind of work.
    pub kind: RunKind,
    /// Its place in the agents' queues.
    pub priority: Priority,
    /// Whether the answer is wanted piece by piece.
    pub stream: bool,
    /// Whether it waits for earlier serial inquiries.
    pub serial: bool,
    /// The id that the client gave it.
    pub request_id: Option<String>,
    /// How far it has been passed on among agents.
    pub trail: Trail,
    /// How many agents answer in all.
    pub turns: u16,
    /// The agents that have not begun, with their places in the queues.
    pub ahead: VecDeque<Ahead>,
    /// The run that is under way.
    pub current: Option<OpenRun>,
    /// Whether the question is synced.
    pub durable: bool,
    /// Whether the asker wants no more of it.
    pub cancelled: bool,
}

impl Inquiry {
    /// Its runs that have not ended.
    pub(super) fn runs(&self) -> impl Iterator<Item = &Listed> {
        let current = self.current.iter().map(|open| &open.live);
        current.chain(self.ahead.iter().map(|ahead| &ahead.live))
    }
}

/// A run of an inquiry that has not begun.
#[derive(Debug)]
pub struct Ahead {
    /// Who will do it.
    pub agent: Listing,
    /// Its place in that agent's queue.
    pub place: QueuePlace,
    /// The run.
    pub live: Listed,
}

/// The run of an inquiry that is under way.
#[derive(Debug)]
pub struct OpenRun {
    /// The run, as others may look at it.
    pub live: Listed,
    /// How many pieces of the answer went out.
    pub deltas: u32,
    /// How many bytes of the answer went out in them.
    pub streamed: usize,
    /// Ends the agent's work.
    pub cancel: CancellationToken,
    /// Whether its end is being written; reports that come later are stale.
    pub ending: bool,
}
