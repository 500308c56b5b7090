//! What a client is told: replies, what others hear as well, errors.

use callboard_actors::protocol::{Bundle, Command, Delivery, Envelope, Error, Event, Interest, Timestamp, To, Token};

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
        self.replays.answered(token, event);
        let open = self.ledger.get(token);
        let interest = open.map_or(Interest::NOTHING, |open| open.interest);
        if let Some(open) = open {
            let frames = self.setup.dialect.encode(event, at, Audience::Requester(&open.asked));
            self.send_with(frames, ticket);
        } else if let (Token::NONE | Token::REPLAY, Event::Refused { error }) = (token, event) {
            self.say_error(None, error.clone());
        }
        match event {
            Event::History { conversation, resume: Some(after), .. } => {
                let next = Command::Open { conversation: conversation.clone(), after: *after };
                self.go_on(token, interest, next);
            }
            Event::ReplayPaused { channel, after, time } => {
                let next = Command::Replay { channel: channel.clone(), after: *after, time: *time };
                self.go_on(Token::REPLAY, interest, next);
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
            self.send(frames);
        }
    }

    pub(super) fn say_error(&mut self, id: Option<String>, error: Error) {
        metrics::error_out(self.setup.dialect.name(), error.code);
        let asked = Asked { id, ..Asked::default() };
        let frames =
            self.setup.dialect.encode(&Event::Refused { error }, Timestamp::now(), Audience::Requester(&asked));
        self.send(frames);
    }

    /// Says one event.
    pub(super) fn one(&mut self, Delivery { to, envelope }: &Delivery, ticket: Ticket) {
        if let To::Requester(token) = to {
            return self.reply(*token, &envelope.event, envelope.at, Some(ticket));
        }
        let mut ticket = Some(ticket);
        for frame in self.shared(*to, envelope) {
            match ticket.take() {
                Some(ticket) => self.wire.deliver(ticket, frame.clone()),
                None => self.wire.send(frame.clone()),
            }
        }
    }

    /// Says what happened in quick succession, as one frame that holds all the others.
    pub(super) fn several(&mut self, bundle: &Bundle, ticket: Ticket) {
        let all = || -> Option<Frame> {
            let frames = bundle.envelopes().iter().flat_map(|envelope| self.shared(bundle.to, envelope));
            Frame::bundle(frames.cloned().collect())
        };
        if let Some(Some(frame)) = bundle.form(self.slot(bundle.to), all) {
            self.wire.deliver(ticket, frame.clone());
        }
    }

    /// The frames of what others hear as well, made by whichever session is first.
    fn shared<'e>(&self, to: To, envelope: &'e Envelope) -> &'e [Frame] {
        let dialect = &self.setup.dialect;
        let audience = if to == To::Subscriber { Audience::Subscriber } else { Audience::Member };
        let make = || -> Vec<Frame> {
            let frames = dialect.encode(&envelope.event, envelope.at, audience);
            let mut made = Vec::with_capacity(frames.as_slice().len());
            frames.each(|text| made.push(Frame::broadcast(text)));
            made
        };
        envelope.form(self.slot(to), make).map_or(&[], Vec::as_slice)
    }

    /// Where an envelope keeps what this dialect made of it.
    fn slot(&self, to: To) -> usize {
        2 * self.setup.dialect.slot() + usize::from(to == To::Subscriber)
    }

    pub(super) fn send(&self, frames: Frames) {
        self.send_with(frames, None);
    }

    pub(super) fn send_with(&self, frames: Frames, mut ticket: Option<Ticket>) {
        frames.each(|text| {
            let frame = Frame::text(text);
            match ticket.take() {
                Some(ticket) => self.wire.deliver(ticket, frame),
                None => self.wire.send(frame),
            }
        });
    }
}
