//! The session: one WebSocket's actor, whatever dialect it speaks.
//!
//! Down: a whole message is paced, decoded and handed to the runtime through the session's [`Visit`]. Up: what the
//! runtime delivers is encoded, once for all sessions where nobody in particular is meant, and handed to the [`Wire`].

mod hearing;
mod outlet;
mod replays;
mod saying;
mod setup;

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use actix_web_actors::ws::{CloseCode, CloseReason, Message, ProtocolError, WebsocketContext};

use callboard_actors::metrics::Living;
use callboard_actors::outbox::Outbox;
use callboard_actors::protocol::{Command, Interest, Timestamp, Token};
use callboard_actors::tenant::SessionCard;
use callboard_actors::visit::Visit;

use self::outlet::{Handed, Parcel, SessionOutlet};
use self::replays::Replays;
use super::assembly::Incoming;
use super::gate::now;
use super::ledger::Ledger;
use super::pace::Pace;
use super::reaper::Nudge;
use super::wire::Wire;
use crate::metrics;

pub use self::setup::{Manners, Setup};

/// One WebSocket's actor.
pub struct Session {
    wire: Wire,
    setup: Setup,
    visit: Option<Visit>,
    ledger: Ledger,
    /// Whether requests that waited are being begun.
    releasing: bool,
    /// What goes on with a replay once the client has taken what it was sent.
    replays: Replays,
    pace: Pace,
    /// When the last text or binary frame came, or the last ping of the dialect was sent. On the gate's clock.
    heard: u64,
    _living: Living,
}

impl Session {
    /// The session on the other end of `wire`.
    pub fn new(wire: Wire, setup: Setup) -> Self {
        let Manners { frames_per_second, burst, patience, runs, bounds, .. } = setup.manners;
        let pace = Pace::new(frames_per_second, burst, patience);
        let ledger = Ledger::new(runs, bounds.batch);
        Self {
            wire,
            setup,
            visit: None,
            ledger,
            releasing: false,
            replays: Replays::default(),
            pace,
            heard: now(),
            _living: Living::new("session"),
        }
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

    /// Sends the dialect's own ping if nothing has come for long enough; if that will be before the next heartbeat, then.
    fn watch_idleness(&mut self, ctx: &mut WebsocketContext<Self>) {
        let Manners { idle_ping, beat, .. } = self.setup.manners;
        let left = idle_ping.saturating_sub(self.unheard());
        if left.is_zero() {
            self.ask_for_life();
        } else if left < beat {
            ctx.run_later(left, move |session, _| {
                if session.unheard() >= idle_ping {
                    session.ask_for_life();
                }
            });
        }
    }

    /// For how long nothing came.
    fn unheard(&self) -> Duration {
        Duration::from_millis(now().saturating_sub(self.heard))
    }

    fn ask_for_life(&mut self) {
        self.heard = now();
        let ping = self.setup.dialect.idle_ping();
        self.send(ping);
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

    fn carry_out(&mut self, token: Token, interest: Interest, command: Command) {
        let reply = self.visit.as_mut().and_then(|visit| visit.handle(token, interest, command));
        if let Some(event) = reply {
            self.reply(token, &event, Timestamp::now(), None);
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
        if matches!(item, Ok(Message::Ping(_) | Message::Pong(_))) && !self.control_paced(ctx) {
            return self.wire.passed_over();
        }
        match self.wire.incoming(item, ctx) {
            Some(Incoming::Text(text)) => self.text(&text, ctx),
            Some(Incoming::Binary(_)) => self.binary(ctx),
            Some(Incoming::Closed(_)) | None => {}
        }
    }
}

impl Handler<Handed> for Session {
    type Result = ();

    fn handle(&mut self, Handed(parcel, ticket): Handed, ctx: &mut Self::Context) {
        match parcel {
            Parcel::One(delivery) => self.one(&delivery, ticket),
            Parcel::Several(bundle) => self.several(&bundle, ticket),
        }
        self.go_on_in_time(ctx);
    }
}

impl Handler<Nudge> for Session {
    type Result = ();

    fn handle(&mut self, nudge: Nudge, ctx: &mut Self::Context) {
        let beat = matches!(nudge, Nudge::Beat);
        self.wire.nudged(nudge, ctx);
        if beat {
            self.replays.wait_no_longer();
            self.watch_idleness(ctx);
        }
    }
}
