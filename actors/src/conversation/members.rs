//! The sessions that are members of a conversation.

use std::sync::Arc;

use crate::outbox::{Delivered, Outbox};
use crate::protocol::{Envelope, Interest, SessionId, To};

/// The sessions that are members of a conversation. Bounded by the sessions there are.
#[derive(Debug, Default)]
pub struct Members {
    list: Vec<(Outbox, Interest)>,
}

impl Members {
    /// Adds a session, or changes what it wants to hear of.
    pub fn join(&mut self, outbox: Outbox, interest: Interest) {
        self.leave(outbox.session);
        self.list.push((outbox, interest));
    }

    /// Removes a session; says whether it was one.
    pub fn leave(&mut self, session: SessionId) -> bool {
        let before = self.list.len();
        self.list.retain(|(outbox, _)| outbox.session != session);
        self.list.len() < before
    }

    /// Whether nobody is a member.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether anybody but `except` wants to hear of this.
    pub fn want(&self, what: Interest, except: Option<SessionId>) -> bool {
        self.list.iter().any(|(outbox, interest)| interest.has(what) && Some(outbox.session) != except)
    }

    /// Sends an envelope to everybody who wants to hear of this, but not to `except`. Sessions that are gone are removed.
    pub fn deliver(&mut self, what: Interest, except: Option<SessionId>, envelope: &Arc<Envelope>) {
        self.list.retain(|(outbox, interest)| {
            let wanted = interest.has(what) && Some(outbox.session) != except;
            !wanted || outbox.deliver(To::Member, envelope) == Delivered::Yes
        });
    }
}
