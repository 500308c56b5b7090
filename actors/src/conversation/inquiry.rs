//! An inquiry: one request to the agents of a conversation, from accepted to its last answer.

use std::collections::VecDeque;
use std::sync::Arc;

use actix::SpawnHandle;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::listed::Listed;
use crate::agent::assignment::Told;
use crate::agent::card::{Parked, Place as QueuePlace};
use crate::directory::Listing;
use crate::outbox::Outbox;
use crate::protocol::{
    Approval, Envelope, Error, Event, Interest, Message, Priority, RunKind, SessionId, To, Token, TraceParent, Trail,
};
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

    /// One who is gone: the run was asked for before a restart.
    pub fn gone() -> Self {
        Self { outbox: Outbox::nobody(), token: Token::NONE, interest: Interest::NOTHING, ended: false }
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
    /// What was said before, as the client has it.
    pub context: Vec<Arc<Message>>,
    /// Where it stands in a trace.
    pub trace: Option<TraceParent>,
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
    /// Notes that it waits for approval, or no longer: with the run under way those wait that are to follow.
    pub(super) fn rest(&mut self, resting: bool) {
        let ahead = self.ahead.iter_mut().map(|ahead| &mut ahead.live);
        self.current.iter_mut().map(|open| &mut open.live).chain(ahead).for_each(|live| live.rest(resting));
    }

    /// Its runs that have not ended.
    pub(super) fn runs(&self) -> impl Iterator<Item = &Listed> {
        let current = self.current.iter().map(|open| &open.live);
        current.chain(self.ahead.iter().map(|ahead| &ahead.live))
    }
}

/// A run of an inquiry that has not begun.
#[derive(Debug)]
pub struct Ahead {
    /// Who will do it, and its place in that agent's queue; `None`: looked for when it begins, as after a restart.
    pub seat: Option<(Listing, QueuePlace)>,
    /// The run.
    pub live: Listed,
}

/// The run of an inquiry that is under way.
#[derive(Debug)]
pub struct OpenRun {
    /// The run, as others may look at it.
    pub live: Listed,
    /// Who does it, if that agent is there.
    pub agent: Option<Listing>,
    /// Its place in the agent's queue, until the agent is given it.
    pub place: Option<QueuePlace>,
    /// What it waits for, if it waits.
    pub waiting: Option<Waiting>,
    /// Its place among those that wait.
    pub parked: Option<Parked>,
    /// How many pieces of the answer went out.
    pub deltas: u32,
    /// How many bytes of the answer went out in them.
    pub streamed: usize,
    /// Ends the agent's work.
    pub cancel: CancellationToken,
    /// Whether its end is being written; reports that come later are stale.
    pub ending: bool,
}

/// That a run waits for approval.
#[derive(Debug)]
pub struct Waiting {
    /// What for.
    pub approval: Arc<Approval>,
    /// What was told of the run before.
    pub told: Told,
    /// Its place in the lane of tapes.
    pub seq: u64,
    /// Whether that is synced.
    pub durable: bool,
    /// Whether a decision is being written.
    pub deciding: bool,
    /// Ends the run when nobody decides.
    pub timer: Option<SpawnHandle>,
}
