//! The sessions that a channel's publications go to.

use std::collections::HashMap;
use std::sync::Arc;

use crate::outbox::{Audience, Delivered, Outbox};
use crate::protocol::{Envelope, SessionId, To};

/// A session that listens.
#[derive(Debug)]
struct Listener {
    outbox: Outbox,
    to: To,
    /// Which time of listening this is: one that left and came again has another.
    time: u64,
    /// Whether it gets what is published now; not yet while it reads what came before.
    live: bool,
}

/// The sessions that a channel's publications go to. Bounded by the sessions there are.
#[derive(Debug, Default)]
pub struct Listeners {
    list: HashMap<SessionId, Listener>,
    /// How often somebody began to listen.
    times: u64,
    /// Those that are live, grouped.
    members: Audience,
    subscribers: Audience,
}

impl Listeners {
    /// Adds a session, which begins to listen anew if it is there. Answers which time this is.
    pub fn put(&mut self, outbox: Outbox, to: To, live: bool) -> u64 {
        self.times += 1;
        self.list.insert(outbox.session, Listener { outbox, to, time: self.times, live });
        self.changed();
        self.times
    }

    /// Has a session hear what is published from now on.
    pub fn go_live(&mut self, session: SessionId) {
        if let Some(listener) = self.list.get_mut(&session) {
            listener.live = true;
            self.changed();
        }
    }

    /// Removes a session; says whether it listened.
    pub fn remove(&mut self, session: SessionId) -> bool {
        self.changed();
        self.list.remove(&session).is_some()
    }

    /// How a session listens, if it still is this time of listening.
    pub fn manner(&self, session: SessionId, time: u64) -> Option<To> {
        let listener = self.list.get(&session).filter(|listener| listener.time == time);
        listener.map(|listener| listener.to)
    }

    /// Whether nobody listens.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Sends an envelope to everybody who is live.
    pub fn deliver(&mut self, envelope: &Arc<Envelope>) {
        let Self { list, members, subscribers, .. } = self;
        let of = |to: To| {
            let of = list.values().filter(move |listener| listener.live && listener.to == to);
            of.map(|listener| listener.outbox.clone())
        };
        members.deliver(To::Member, envelope, || of(To::Member));
        subscribers.deliver(To::Subscriber, envelope, || of(To::Subscriber));
    }

    /// Sends an envelope to each who is live and strikes those out that have ended; says whether anybody has it.
    pub fn hand_over(&mut self, envelope: &Arc<Envelope>) -> bool {
        let before = self.list.len();
        let mut handed = false;
        self.list.retain(|_, listener| {
            let delivered = listener.live.then(|| listener.outbox.deliver(listener.to, envelope));
            handed |= delivered == Some(Delivered::Yes);
            delivered != Some(Delivered::Gone)
        });
        if self.list.len() < before {
            self.changed();
        }
        handed
    }

    /// Whether some thread is so far behind that nothing more should be delivered for now.
    pub fn are_behind(&self) -> bool {
        self.members.is_behind() || self.subscribers.is_behind()
    }

    fn changed(&mut self) {
        self.members.changed();
        self.subscribers.changed();
    }
}
