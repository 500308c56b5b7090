//! Replays at the client's pace: the next page is asked for when the last one has left.
//!
//! A page is a quarter of what may wait for a client. The actor runs whenever the socket takes a bite, so without this a
//! slow reader would have pages waiting until there is no room, and be cut for what it never asked to have at once.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix::prelude::*;
use actix_web_actors::ws::WebsocketContext;

use callboard_actors::protocol::{Command, Event, Interest, Token};

use super::Session;

/// What may still wait for a client when the next page is asked for, in frames and bytes: a page, of the four that may
/// wait, so that other traffic does not hold a replay up.
const FEW: (u64, u64) = (256, 256 * 1024);

/// What goes on when the client has taken what it was sent.
#[derive(Debug, Default)]
pub(super) struct Replays {
    /// Bounded by what waits for a client: whoever begins one is told so.
    waiting: VecDeque<(Token, Interest, Command)>,
    /// The page that was asked for and has not come.
    asked: Option<Token>,
    /// Whether somebody looks whether it has.
    watched: bool,
}

impl Replays {
    /// Notes that a page has come, or why it does not.
    pub fn answered(&mut self, token: Token, event: &Event) {
        if self.asked == Some(token) && (event.ends_request() || matches!(event, Event::History { .. })) {
            self.asked = None;
        }
    }

    /// Waits no longer for a page: now and then, as one never comes whose actor was lost.
    pub fn wait_no_longer(&mut self) {
        self.asked = None;
    }
}

impl Session {
    /// Goes on with a replay in time.
    pub(super) fn go_on(&mut self, token: Token, interest: Interest, next: Command) {
        self.replays.waiting.push_back((token, interest, next));
    }

    /// Has replays go on as soon as the client has taken what it was sent.
    pub(super) fn go_on_in_time(&mut self, ctx: &mut WebsocketContext<Self>) {
        if !self.replays.waiting.is_empty() && !std::mem::replace(&mut self.replays.watched, true) {
            ctx.spawn(Taken);
        }
    }
}

/// Lets replays go on while little waits for the client. It needs no waker: whenever the socket takes something, the
/// context is polled, with all that it runs, and once more when there is nothing left to take.
struct Taken;

impl ActorFuture<Session> for Taken {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        session: &mut Session,
        _: &mut WebsocketContext<Session>,
        _: &mut Context<'_>,
    ) -> Poll<()> {
        // One at a time: however many channels are replayed, what waits is a page more than a few frames.
        while session.replays.asked.is_none()
            && has_taken(session.wire.gate().load())
            && let Some((token, interest, next)) = session.replays.waiting.pop_front()
        {
            session.replays.asked = Some(token);
            session.carry_out(token, interest, next);
        }
        if session.replays.waiting.is_empty() {
            session.replays.watched = false;
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

fn has_taken((frames, bytes): (u64, u64)) -> bool {
    frames <= FEW.0 && bytes <= FEW.1
}
