//! What a client is told: replies, what others hear as well, errors.

use callboard_actors::protocol::{Command, Delivery, Error, Event, Interest, Timestamp, Token};

use super::Session;
use crate::dialect::frames::Frames;
use crate::dialect::{Asked, Audience};
use crate::metrics;
use crate::ws::frame::Frame;
use crate::ws::gate::Ticket;
use crate::ws::ledger::Ended;

impl Session {
    /// Says the reply to a request, or something on the way to it.
    pub(super) fn reply(&mut self, token: Token, event: &Event, at: Timestamp, ticket: Option<Ticket>) {
        let open = self.ledger.get(token);
        let interest = open.map_or(Interest::NOTHING, |open| open.interest);
        if let Some(open) = open {
            let frames = self.setup.dialect.encode(event, at, Audience::Requester(&open.asked));
            self.send_with(&frames, ticket);
        } else if let (Token::NONE, Event::Refused { error }) = (token, event) {
            self.say_error(None, error.clone());
        }
        match event {
            Event::History { conversation, resume: Some(after), .. } => {
                let next = Command::Open { conversation: conversation.clone(), after: *after };
                self.carry_out(token, interest, next);
            }
            Event::ReplayPaused { channel, after } => {
                let next = Command::Replay { channel: channel.clone(), after: *after };
                self.carry_out(token, interest, next);
            }
            event if event.ends_request() => self.ended(token, event),
            _ => {}
        }
    }

    pub(super) fn ended(&mut self, token: Token, event: &Event) {
        let ended = self.ledger.close(token, event);
        self.say_batch_end(ended);
        // Not within itself: what is begun here may end at once.
        if std::mem::replace(&mut self.releasing, true) {
            return;
        }
        while let Some((call, place)) = self.ledger.release() {
            self.begin(call, Some(place));
        }
        while let Some(call) = self.ledger.next_question() {
            self.begin(call, None);
        }
        self.releasing = false;
    }

    pub(super) fn say_batch_end(&mut self, ended: Option<Ended>) {
        if let Some(Ended { id, items }) = ended {
            let frames = self.setup.dialect.batch_end(&id, &items, Timestamp::now());
            self.send(&frames);
        }
    }

    pub(super) fn say_error(&mut self, id: Option<String>, error: Error) {
        metrics::error_out(self.setup.dialect.name(), error.code);
        let asked = Asked { id, ..Asked::default() };
        let frames =
            self.setup.dialect.encode(&Event::Refused { error }, Timestamp::now(), Audience::Requester(&asked));
        self.send(&frames);
    }

    /// Says what others hear as well: its frames are made by whichever session is first.
    pub(super) fn say_shared(&mut self, delivery: &Delivery, audience: Audience<'_>, form: usize, ticket: Ticket) {
        let dialect = &self.setup.dialect;
        let envelope = &delivery.envelope;
        let make = || -> Vec<Frame> {
            let frames = dialect.encode(&envelope.event, envelope.at, audience);
            frames.as_slice().iter().map(|text| Frame::broadcast(text.clone())).collect()
        };
        let mut ticket = Some(ticket);
        for frame in envelope.form(2 * dialect.slot() + form, make).into_iter().flatten() {
            match ticket.take() {
                Some(ticket) => self.wire.deliver(ticket, frame.clone()),
                None => self.wire.send(frame.clone()),
            }
        }
    }

    pub(super) fn send(&self, frames: &Frames) {
        self.send_with(frames, None);
    }

    pub(super) fn send_with(&self, frames: &Frames, mut ticket: Option<Ticket>) {
        for text in frames.as_slice() {
            let frame = Frame::text(text.clone());
            match ticket.take() {
                Some(ticket) => self.wire.deliver(ticket, frame),
                None => self.wire.send(frame),
            }
        }
    }
}
