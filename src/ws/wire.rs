//! The hand of a session actor on its socket: messages in, frames out, and the manners of the protocol between.

use std::rc::Rc;
use std::sync::{Arc, Weak};
use std::time::Duration;

use actix::prelude::*;
use actix_web_actors::ws::{Message, ProtocolError, WebsocketContext};

use super::assembly::{Assembly, Incoming};
use super::close::{self, CloseReason, Fault};
use super::cord::Cord;
use super::frame::Frame;
use super::gate::{Gate, Overflow, Queue, Ticket, now};
use super::line::{Line, Ping};
use super::reaper::{Nudge, Seat};

/// Room in a mailbox beside what the gate lets in: nudges, and the answers of the runtime to the session itself.
const MAILBOX_SLACK: usize = 64;

/// What a session actor owns of its connection. [`upgrade`](super::upgrade) makes it.
///
/// The actor calls [`Wire::attach`] when it starts, [`Wire::incoming`] for each item of its stream, [`Wire::nudged`] for
/// each [`Nudge`], and sends with [`Wire::send`] and [`Wire::deliver`] and not through its context, whose own queue has
/// no bound.
pub struct Wire {
    line: Rc<Line>,
    gate: Arc<Gate>,
    queue: Queue,
    assembly: Assembly,
    cord: Weak<Cord>,
    seat: Seat,
    /// When the client last sent anything.
    heard: u64,
}

impl Wire {
    pub(super) fn new(
        line: Rc<Line>,
        gate: Arc<Gate>,
        queue: Queue,
        limit: usize,
        cord: Weak<Cord>,
        seat: Seat,
    ) -> Self {
        Self { line, gate, queue, assembly: Assembly::new(limit), cord, seat, heard: now() }
    }

    /// Puts the started actor under the reaper's watch and sizes its mailbox after the gate. Call it first in `started`.
    pub fn attach<A>(&mut self, ctx: &mut WebsocketContext<A>)
    where
        A: Actor<Context = WebsocketContext<A>> + Handler<Nudge>,
    {
        ctx.set_mailbox_capacity(self.queue.frames as usize + MAILBOX_SLACK);
        self.seat.reaper().watch(&self.gate, self.cord.clone(), ctx.address().recipient());
    }

    /// The gate, for those who deliver to this session: they charge it before they `try_send`.
    pub fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    /// Takes one item of the actor's stream. Pings are answered, fragments joined, faults and close frames answered with
    /// the close frame they call for, after which the actor stops.
    pub fn incoming<A>(
        &mut self,
        item: Result<Message, ProtocolError>,
        ctx: &mut WebsocketContext<A>,
    ) -> Option<Incoming>
    where
        A: Actor<Context = WebsocketContext<A>>,
    {
        self.passed_over();
        if self.line.is_closed() {
            return None;
        }
        match item {
            Ok(Message::Text(text)) => Some(Incoming::Text(text)),
            Ok(Message::Binary(bytes)) => Some(Incoming::Binary(bytes)),
            Ok(Message::Continuation(part)) => match self.assembly.push(part) {
                Ok(whole) => whole,
                Err(fault) => Some(self.refuse(fault, ctx)),
            },
            Ok(Message::Ping(payload)) => {
                self.send(Frame::pong(payload));
                None
            }
            Ok(Message::Pong(_) | Message::Nop) => None,
            Ok(Message::Close(reason)) => {
                self.line.dismiss();
                self.line.push(Frame::close(close::echo(reason.as_ref()).as_ref()));
                ctx.stop();
                Some(Incoming::Closed(reason))
            }
            Err(error) => {
                let fault = self.line.fault().unwrap_or_else(|| Fault::of(&error));
                Some(self.refuse(fault, ctx))
            }
        }
    }

    /// Takes an item of the actor's stream that nothing is to come of, but that the client was heard.
    pub fn passed_over(&mut self) {
        self.line.frame_read();
        self.heard = self.gate.tick();
        self.line.set_ping(Ping::Answered);
    }

    fn refuse<A>(&mut self, fault: Fault, ctx: &mut WebsocketContext<A>) -> Incoming
    where
        A: Actor<Context = WebsocketContext<A>>,
    {
        self.close(fault.reason(), ctx);
        Incoming::Closed(Some(fault.reason()))
    }

    /// Sends a frame of the session's own. If the queue is full the session ends with 1008 by itself; the caller need
    /// not do anything about it.
    pub fn send(&self, frame: Frame) {
        if let Ok(ticket) = self.gate.charge(frame.size()) {
            self.deliver(ticket, frame);
        }
    }

    /// Sends a frame whose room was taken before it came here.
    pub fn deliver(&self, ticket: Ticket, frame: Frame) {
        let (count, size) = (frame.count(), frame.size());
        if self.line.push(frame) {
            ticket.settle(count, size);
        }
    }

    /// Takes room for one more frame; see [`Gate::charge`].
    ///
    /// # Errors
    /// [`Overflow`] if there is none: the session is ending.
    pub fn charge(&self, bytes: usize) -> Result<Ticket, Overflow> {
        self.gate.charge(bytes)
    }

    /// Closes the session: what waits is still sent, then the close frame; the actor stops.
    pub fn close<A>(&mut self, reason: CloseReason, ctx: &mut WebsocketContext<A>)
    where
        A: Actor<Context = WebsocketContext<A>>,
    {
        self.line.push(Frame::close(Some(&reason)));
        ctx.stop();
    }

    /// Does what the reaper asks: a ping, or the close of a silent client, or the close it names.
    pub fn nudged<A>(&mut self, nudge: Nudge, ctx: &mut WebsocketContext<A>)
    where
        A: Actor<Context = WebsocketContext<A>>,
    {
        self.gate.tick();
        match nudge {
            Nudge::Close(reason) => self.close(reason, ctx),
            Nudge::Beat if self.is_deserted() => self.close(close::silent(), ctx),
            Nudge::Beat => self.ping(),
        }
    }

    /// Sends a ping, unless the last one still waits to leave.
    fn ping(&self) {
        match self.line.ping() {
            Ping::Queued => {}
            // Its time counts from the first that stays without an answer, so that one keeps its place.
            Ping::Left(_) => drop(self.line.push(Frame::ping())),
            Ping::Answered => {
                if self.line.push(Frame::ping()) {
                    self.line.set_ping(Ping::Queued);
                }
            }
        }
    }

    /// Whether the client was silent for too long and had the time to answer. It had not while its ping waited behind a
    /// large frame.
    fn is_deserted(&self) -> bool {
        let rules = self.seat.reaper().rules();
        let since = |at: u64| Duration::from_millis(now().saturating_sub(at));
        let answerable = match self.line.ping() {
            Ping::Left(at) => since(at) + rules.heartbeat >= rules.silence,
            Ping::Queued | Ping::Answered => false,
        };
        answerable && since(self.heard) >= rules.silence
    }

    /// When the client last sent anything, on the gate's clock.
    pub(super) fn heard(&self) -> u64 {
        self.heard
    }

    /// For how long nothing came from the client, in milliseconds.
    pub fn silent_ms(&self) -> u64 {
        now().saturating_sub(self.heard)
    }

    /// Whether a close frame is on its way: nothing more can be sent.
    pub fn is_closed(&self) -> bool {
        self.line.is_closed() || self.gate.overflowed()
    }
}
