//! The session: one WebSocket's actor, whatever dialect it speaks.
//!
//! Down: a whole message is paced, decoded and handed to the runtime through the session's [`Visit`]. Up: what the
//! runtime delivers is encoded, once for all sessions where nobody in particular is meant, and handed to the [`Wire`].

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::prelude::*;
use actix_web_actors::ws::{CloseCode, CloseReason, Message, ProtocolError, WebsocketContext};
use bytestring::ByteString;

use callboard_actors::outbox::{Delivered, Outbox, Outlet, Relayed};
use callboard_actors::protocol::{
    CancelTarget, Code, Command, Delivery, Error, Event, Interest, Principal, SessionId, Timestamp, To, Token,
};
use callboard_actors::runtime::Runtime;
use callboard_actors::tenant::SessionCard;
use callboard_actors::visit::Visit;

use super::assembly::Incoming;
use super::frame::Frame;
use super::gate::{Gate, Ticket};
use super::ledger::{BatchPlace, Ended, Ledger};
use super::pace::{Pace, Verdict};
use super::reaper::Nudge;
use super::wire::Wire;
use crate::dialect::frames::Frames;
use crate::dialect::{Asked, Audience, Bounds, Call, Dialect, Inbound, agents};
use crate::metrics;

/// What holds for the sessions of one endpoint.
#[derive(Clone, Copy, Debug)]
pub struct Manners {
    /// What is bounded in a frame.
    pub bounds: Bounds,
    /// Frames a second.
    pub frames_per_second: usize,
    /// Frames at once after a pause.
    pub burst: usize,
    /// How long a session may stay over its rate.
    pub patience: Duration,
    /// Runs in flight.
    pub runs: usize,
    /// Subscriptions.
    pub subscriptions: usize,
    /// After how long without a frame the dialect's own ping is sent.
    pub idle_ping: Duration,
}

/// What a session is made with.
pub struct Setup {
    /// Its number.
    pub id: SessionId,
    /// Who is behind it.
    pub principal: Arc<Principal>,
    /// What it speaks.
    pub dialect: Box<dyn Dialect>,
    /// What it asks for itself when it begins: to be attached to a channel, for example.
    pub opening: Vec<Command>,
    /// What it enters.
    pub runtime: Arc<Runtime>,
    /// The relay of its thread.
    pub relay: Option<Recipient<Relayed>>,
    /// What holds for it.
    pub manners: Manners,
}

/// One WebSocket's actor.
pub struct Session {
    wire: Wire,
    setup: Setup,
    visit: Option<Visit>,
    ledger: Ledger,
    /// Whether requests that waited are being begun.
    releasing: bool,
    pace: Pace,
    /// When the last text or binary frame came, or the last ping of the dialect was sent.
    heard: Instant,
}

/// A delivery that has been charged to the gate.
#[derive(actix::Message)]
#[rtype(result = "()")]
struct Handed(Delivery, Ticket);

/// The session's end of its outbox: charges the gate, then the mailbox.
struct SessionOutlet {
    gate: Arc<Gate>,
    session: Addr<Session>,
}

impl Outlet for SessionOutlet {
    fn deliver(&self, delivery: Delivery) -> Delivered {
        let Ok(ticket) = self.gate.charge(delivery.envelope.size()) else { return Delivered::Gone };
        match self.session.try_send(Handed(delivery, ticket)) {
            Ok(()) => Delivered::Yes,
            Err(_) => Delivered::Gone,
        }
    }
}

impl Session {
    /// The session on the other end of `wire`.
    pub fn new(wire: Wire, setup: Setup) -> Self {
        let Manners { frames_per_second, burst, patience, runs, bounds, .. } = setup.manners;
        let pace = Pace::new(frames_per_second, burst, patience);
        let ledger = Ledger::new(runs, bounds.batch);
        Self { wire, setup, visit: None, ledger, releasing: false, pace, heard: Instant::now() }
    }

    fn enter(&mut self, session: Addr<Self>) {
        let Setup { id, principal, dialect, runtime, relay, manners, .. } = &self.setup;
        let outlet = Arc::new(SessionOutlet { gate: self.wire.gate().clone(), session });
        let outbox = Outbox::new(*id, outlet, relay.clone());
        let card = SessionCard {
            id: *id,
            dialect: dialect.name(),
            subject: principal.subject.clone(),
            agent: principal.agent.clone(),
            connected_at: Timestamp::now(),
        };
        self.visit = Some(runtime.enter(principal.clone(), outbox, card, manners.subscriptions));
        for command in std::mem::take(&mut self.setup.opening) {
            self.carry_out(Token::NONE, Interest::NOTHING, command);
        }
    }

    /// Credentials end while the session goes on: so does the session, then.
    fn watch_expiry(&self, ctx: &mut WebsocketContext<Self>) {
        if let Some(expires_at) = self.setup.principal.expires_at {
            let left = Duration::from_millis(expires_at.since(Timestamp::now()));
            ctx.run_later(left, |session, ctx| {
                let reason = CloseReason { code: CloseCode::Policy, description: Some("the token has expired".into()) };
                session.wire.close(reason, ctx);
            });
        }
    }

    fn text(&mut self, text: &ByteString, ctx: &mut WebsocketContext<Self>) {
        if !self.paced(ctx) {
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

    fn binary(&mut self, ctx: &mut WebsocketContext<Self>) {
        if self.paced(ctx) {
            metrics::frame_in(self.setup.dialect.name(), "malformed");
            self.say_error(None, agents::binary_refused());
        }
    }

    /// Whether a frame may pass; if not, the client has been told.
    fn paced(&mut self, ctx: &mut WebsocketContext<Self>) -> bool {
        self.heard = Instant::now();
        match self.pace.judge() {
            Verdict::Pass => true,
            Verdict::Refuse(seconds) => {
                let mut error = Error::new(Code::RateLimitExceeded, "Too many messages").with_details(format!(
                    "at most {} a second; wait {seconds} s",
                    self.setup.manners.frames_per_second
                ));
                error.retry_after = Some(seconds);
                self.say_error(None, error);
                false
            }
            Verdict::Close => {
                let description = Some("rate limit exceeded".into());
                self.wire.close(CloseReason { code: CloseCode::Policy, description }, ctx);
                false
            }
        }
    }

    fn inbound(&mut self, inbound: Inbound) {
        match inbound {
            Inbound::Silence => {}
            Inbound::Answer(frames) => self.send(&frames),
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

    fn begin(&mut self, call: Call, place: Option<BatchPlace>) {
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

    fn carry_out(&mut self, token: Token, interest: Interest, command: Command) {
        let reply = self.visit.as_mut().and_then(|visit| visit.handle(token, interest, command));
        if let Some(event) = reply {
            self.reply(token, &event, Timestamp::now(), None);
        }
    }

    /// Says the reply to a request, or something on the way to it.
    fn reply(&mut self, token: Token, event: &Event, at: Timestamp, ticket: Option<Ticket>) {
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

    fn ended(&mut self, token: Token, event: &Event) {
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

    fn say_batch_end(&mut self, ended: Option<Ended>) {
        if let Some(Ended { id, items }) = ended {
            let frames = self.setup.dialect.batch_end(&id, &items, Timestamp::now());
            self.send(&frames);
        }
    }

    fn say_error(&mut self, id: Option<String>, error: Error) {
        metrics::error_out(self.setup.dialect.name(), error.code);
        let asked = Asked { id, ..Asked::default() };
        let frames =
            self.setup.dialect.encode(&Event::Refused { error }, Timestamp::now(), Audience::Requester(&asked));
        self.send(&frames);
    }

    /// Says what others hear as well: its frames are made by whichever session is first.
    fn say_shared(&mut self, delivery: &Delivery, audience: Audience<'_>, form: usize, ticket: Ticket) {
        let dialect = &self.setup.dialect;
        let envelope = &delivery.envelope;
        let make = || -> Vec<Frame> {
            let frames = dialect.encode(&envelope.event, envelope.at, audience);
            frames.as_slice().iter().map(|text| Frame::text(text.clone())).collect()
        };
        let mut ticket = Some(ticket);
        for frame in envelope.form(2 * dialect.slot() + form, make).into_iter().flatten() {
            match ticket.take() {
                Some(ticket) => self.wire.deliver(ticket, frame.clone()),
                None => self.wire.send(frame.clone()),
            }
        }
    }

    fn send(&self, frames: &Frames) {
        self.send_with(frames, None);
    }

    fn send_with(&self, frames: &Frames, mut ticket: Option<Ticket>) {
        for text in frames.as_slice() {
            let frame = Frame::text(text.clone());
            match ticket.take() {
                Some(ticket) => self.wire.deliver(ticket, frame),
                None => self.wire.send(frame),
            }
        }
    }
}

impl Actor for Session {
    type Context = WebsocketContext<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.wire.attach(ctx);
        self.watch_expiry(ctx);
        self.enter(ctx.address());
        metrics::session_began(self.setup.dialect.name());
        log::debug!("session {} began, {}", self.setup.id.0, self.setup.dialect.name());
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        self.visit = None;
        metrics::session_ended(self.setup.dialect.name());
        log::debug!("session {} ended", self.setup.id.0);
    }
}

impl StreamHandler<Result<Message, ProtocolError>> for Session {
    fn handle(&mut self, item: Result<Message, ProtocolError>, ctx: &mut Self::Context) {
        match self.wire.incoming(item, ctx) {
            Some(Incoming::Text(text)) => self.text(&text, ctx),
            Some(Incoming::Binary(_)) => self.binary(ctx),
            Some(Incoming::Closed(_)) | None => {}
        }
    }
}

impl Handler<Handed> for Session {
    type Result = ();

    fn handle(&mut self, Handed(delivery, ticket): Handed, _: &mut Self::Context) {
        match delivery.to {
            To::Requester(token) => {
                self.reply(token, &delivery.envelope.event, delivery.envelope.at, Some(ticket));
            }
            To::Member => self.say_shared(&delivery, Audience::Member, 0, ticket),
            To::Subscriber => self.say_shared(&delivery, Audience::Subscriber, 1, ticket),
        }
    }
}

impl Handler<Nudge> for Session {
    type Result = ();

    fn handle(&mut self, nudge: Nudge, ctx: &mut Self::Context) {
        let beat = matches!(nudge, Nudge::Beat);
        self.wire.nudged(nudge, ctx);
        if beat && self.heard.elapsed() >= self.setup.manners.idle_ping {
            self.heard = Instant::now();
            let ping = self.setup.dialect.idle_ping();
            self.send(&ping);
        }
    }
}
