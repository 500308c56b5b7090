//! The way to one session: how events leave the runtime.

use std::sync::Arc;

use actix::prelude::*;

use crate::protocol::{Delivery, Envelope, Event, SessionId, To, Token};

/// Whether a session could take a delivery.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Delivered {
    /// It has it in its queue.
    Yes,
    /// It has ended or is being closed: take it off every list.
    Gone,
}

/// A session's end of its outbox. Never blocks; a session that cannot keep up closes itself and is `Gone`.
pub trait Outlet: Send + Sync {
    /// Queues a delivery.
    fn deliver(&self, delivery: Delivery) -> Delivered;
}

/// The way to one session.
#[derive(Clone)]
pub struct Outbox {
    /// Whose it is.
    pub session: SessionId,
    outlet: Arc<dyn Outlet>,
    relay: Option<Recipient<Relayed>>,
}

impl std::fmt::Debug for Outbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Outbox").field(&self.session).finish()
    }
}

impl Outbox {
    /// The way to `session`; `relay` is the relay of the thread it lives on.
    pub fn new(session: SessionId, outlet: Arc<dyn Outlet>, relay: Option<Recipient<Relayed>>) -> Self {
        Self { session, outlet, relay }
    }

    /// Sends an event that others get as well.
    pub fn deliver(&self, to: To, envelope: &Arc<Envelope>) -> Delivered {
        self.outlet.deliver(Delivery { to, envelope: envelope.clone() })
    }

    /// Sends the reply to a request.
    pub fn reply(&self, token: Token, event: Event) -> Delivered {
        self.deliver(To::Requester(token), &Envelope::new(event))
    }
}

/// An envelope for several sessions of one thread: one message there instead of one for each session.
#[derive(Message, Clone)]
#[rtype(result = "()")]
pub struct Relayed {
    /// What happened.
    pub envelope: Arc<Envelope>,
    /// Why these sessions get it.
    pub to: To,
    /// Who gets it.
    pub outboxes: Arc<[Outbox]>,
}

/// Spreads envelopes among the sessions of its own thread. The server starts one on each of its workers.
#[derive(Debug, Default)]
pub struct Relay;

impl Actor for Relay {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        // One message a publication: a channel has at most this many in flight towards one thread before it waits.
        ctx.set_mailbox_capacity(4096);
    }
}

impl Handler<Relayed> for Relay {
    type Result = ();

    fn handle(&mut self, relayed: Relayed, _: &mut Self::Context) {
        for outbox in &*relayed.outboxes {
            outbox.deliver(relayed.to, &relayed.envelope);
        }
    }
}

/// The listeners of a channel, grouped by the thread they live on. Rebuilt when somebody comes or goes.
#[derive(Debug, Default)]
pub struct Audience {
    groups: Vec<(Option<Recipient<Relayed>>, Arc<[Outbox]>)>,
}

impl Audience {
    /// Below this many sessions on a thread a relay costs more than it saves.
    const WORTH_A_RELAY: usize = 4;

    /// Groups the outboxes by their relay.
    pub fn group(outboxes: impl Iterator<Item = Outbox>) -> Self {
        let mut groups: Vec<(Option<Recipient<Relayed>>, Vec<Outbox>)> = Vec::new();
        for outbox in outboxes {
            match groups.iter_mut().find(|(relay, _)| *relay == outbox.relay) {
                Some((_, group)) => group.push(outbox),
                None => groups.push((outbox.relay.clone(), vec![outbox])),
            }
        }
        Self { groups: groups.into_iter().map(|(relay, group)| (relay, group.into())).collect() }
    }

    /// Sends an envelope to everybody. A relay whose mailbox is full is passed by: each session gets its own message.
    pub fn deliver(&self, to: To, envelope: &Arc<Envelope>) {
        for (relay, outboxes) in &self.groups {
            let relayed = relay.as_ref().filter(|_| outboxes.len() >= Self::WORTH_A_RELAY).is_some_and(|relay| {
                let message = Relayed { envelope: envelope.clone(), to, outboxes: outboxes.clone() };
                relay.try_send(message).is_ok()
            });
            if !relayed {
                for outbox in &**outboxes {
                    outbox.deliver(to, envelope);
                }
            }
        }
    }
}
