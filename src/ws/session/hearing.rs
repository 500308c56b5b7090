//! What a client says: paced, decoded, and begun as requests.

use actix_web_actors::ws::{CloseCode, CloseReason, WebsocketContext};
use bytestring::ByteString;

use callboard_actors::protocol::{CancelTarget, Code, Command, Error};

use super::Session;
use crate::dialect::{Call, Inbound, agents};
use crate::metrics;
use crate::ws::ledger::BatchPlace;
use crate::ws::pace::Verdict;

impl Session {
    pub(super) fn text(&mut self, text: &ByteString, ctx: &mut WebsocketContext<Self>) {
        if !self.paced(Some(text), ctx) {
            return;
        }
        match self.setup.dialect.decode(text, &self.setup.manners.bounds) {
            Ok(inbound) => {
                metrics::frame_in(self.setup.dialect.name(), self.setup.dialect.label(&inbound));
                self.inbound(inbound);
            }
            Err((id, error)) => {
                metrics::frame_in(self.setup.dialect.name(), "malformed");
                self.say_error(id, error);
            }
        }
    }

    pub(super) fn binary(&mut self, ctx: &mut WebsocketContext<Self>) {
        if self.paced(None, ctx) {
            metrics::frame_in(self.setup.dialect.name(), "malformed");
            self.say_error(None, agents::binary_refused());
        }
    }

    /// Whether a ping or a pong may pass: they share the rate of the other frames, and over it they are not answered.
    pub(super) fn control_paced(&mut self, ctx: &mut WebsocketContext<Self>) -> bool {
        let verdict = self.pace.judge();
        if verdict == Verdict::Close {
            self.close_for_its_rate(ctx);
        }
        verdict == Verdict::Pass
    }

    fn close_for_its_rate(&mut self, ctx: &mut WebsocketContext<Self>) {
        let description = Some("rate limit exceeded".into());
        self.wire.close(CloseReason { code: CloseCode::Policy, description }, ctx);
    }

    /// Whether a frame may pass; if not, the client has been told.
    fn paced(&mut self, text: Option<&str>, ctx: &mut WebsocketContext<Self>) -> bool {
        self.heard = self.wire.heard();
        match self.pace.judge() {
            Verdict::Pass => true,
            Verdict::Refuse(seconds) => {
                let mut error = Error::new(Code::RateLimitExceeded, "Too many messages").with_details(format!(
                    "at most {} a second; wait {seconds} s",
                    self.setup.manners.frames_per_second
                ));
                error.retry_after = Some(seconds);
                self.say_error(text.and_then(|text| self.setup.dialect.id_of(text)), error);
                false
            }
            Verdict::Close => {
                self.close_for_its_rate(ctx);
                false
            }
        }
    }

    fn inbound(&mut self, inbound: Inbound) {
        match inbound {
            Inbound::Silence => {}
            Inbound::Answer(frames) => self.send(frames),
            Inbound::Call(call) => self.call(call, None),
            Inbound::Batch { id, items } => {
                let batch = self.ledger.begin_batch(id, items.len());
                for (index, item) in items.into_iter().enumerate() {
                    let place = self.ledger.place(batch, index);
                    match item {
                        Ok(call) => self.batched(call, place),
                        Err((id, error)) => self.item_refused(place, id, error),
                    }
                }
            }
        }
    }

    fn batched(&mut self, call: Call, place: BatchPlace) {
        if !self.ledger.must_wait(&call) {
            return self.call(call, Some(place));
        }
        let id = call.id.clone();
        if let Err(error) = self.ledger.hold(call, place) {
            self.item_refused(place, id, error);
        }
    }

    fn item_refused(&mut self, place: BatchPlace, id: Option<String>, error: Error) {
        let code = error.code.as_str();
        self.say_error(id.clone(), error);
        let ended = self.ledger.item_ended(place, id, Some(code));
        self.say_batch_end(ended);
    }

    fn call(&mut self, call: Call, place: Option<BatchPlace>) {
        if place.is_some() || !self.ledger.must_queue(&call) {
            return self.begin(call, place);
        }
        if let Err((id, error)) = self.ledger.queue(call) {
            self.say_error(id, error);
        }
    }

    pub(super) fn begin(&mut self, call: Call, place: Option<BatchPlace>) {
        if let Some((item, held)) = self.withdrawn(&call.command) {
            self.item_refused(held, item.id, Error::new(Code::Cancelled, "The run was cancelled"));
            let ended = place.and_then(|place| self.ledger.item_ended(place, call.id, None));
            return self.say_batch_end(ended);
        }
        match self.ledger.open(&call, place) {
            Ok(token) => {
                let command = self.with_own_target(call.command);
                self.carry_out(token, call.interest, command);
            }
            Err(error) => match place {
                Some(place) => self.item_refused(place, call.id, error),
                None => self.say_error(call.id, error),
            },
        }
    }

    /// The item of a batch that a command cancels, if it has not begun because too many runs are in flight.
    fn withdrawn(&mut self, command: &Command) -> Option<(Call, BatchPlace)> {
        match command {
            Command::Cancel { target: CancelTarget::Named(id) } if self.ledger.find(id).is_none() => {
                self.ledger.withdraw(id)
            }
            _ => None,
        }
    }

    /// An id to cancel that is one of the session's own requests.
    fn with_own_target(&self, command: Command) -> Command {
        match command {
            Command::Cancel { target: CancelTarget::Named(id) } => {
                let target = match self.ledger.find(&id) {
                    Some((token, conversation)) => CancelTarget::Request { token, conversation },
                    None => CancelTarget::Named(id),
                };
                Command::Cancel { target }
            }
            command => command,
        }
    }
}
