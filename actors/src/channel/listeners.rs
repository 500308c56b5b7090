//! The sessions that a channel's publications go to.

use std::collections::HashMap;
use std::sync::Arc;

use crate::outbox::{Audience, Outbox};
use crate::protocol::{Envelope, SessionId, To};

/// A session that listens.
#[derive(Debug)]
struct Listener {
    outbox: Outbox,
    to: To,
    /// Whether it gets what is published now; not yet while it reads what came before.
    live: bool,
}

/// The sessions that a channel's publications go to. Bounded by the sessions there are.
#[derive(Debug, Default)]
pub struct Listeners {
    list: HashMap<SessionId, Listener>,
    /// Those that are live, grouped; made anew after a change.
    members: Option<Audience>,
    subscribers: Option<Audience>,
}

impl Listeners {
    /// Adds a session, or changes how it listens.
    pub fn put(&mut self, outbox: Outbox, to: To, live: bool) {
        self.list.insert(outbox.session, Listener { outbox, to, live });
        self.changed();
    }

    /// Removes a session; says whether it listened.
    pub fn remove(&mut self, session: SessionId) -> bool {
        self.changed();
        self.list.remove(&session).is_some()
    }

    /// How a session listens.
    pub fn manner(&self, session: SessionId) -> Option<To> {
        self.list.get(&session).map(|listener| listener.to)
    }

    /// Whether nobody listens.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether anybody gets what is published now.
    pub fn any_live(&self) -> bool {
        self.list.values().any(|listener| listener.live)
    }

    /// Sends an envelope to everybody who is live.
    pub fn deliver(&mut self, envelope: &Arc<Envelope>) {
        let Self { list, members, subscribers } = self;
        let group = |to: To| {
            let of = list.values().filter(move |listener| listener.live && listener.to == to);
            Audience::group(of.map(|listener| listener.outbox.clone()))
        };
        members.get_or_insert_with(|| group(To::Member)).deliver(To::Member, envelope);
        subscribers.get_or_insert_with(|| group(To::Subscriber)).deliver(To::Subscriber, envelope);
    }

    fn changed(&mut self) {
        self.members = None;
        self.subscribers = None;
    }
}
