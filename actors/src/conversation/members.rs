//! The sessions that are members of a conversation.

use std::sync::Arc;

use crate::outbox::{Delivered, Outbox};
use crate::protocol::{Envelope, Interest, Principal, SessionId, Subject, To};
use crate::request::Request;

/// The sessions that are members of a conversation. Bounded by the sessions there are.
#[derive(Debug, Default)]
pub struct Members {
    list: Vec<Member>,
}

#[derive(Debug)]
struct Member {
    outbox: Outbox,
    principal: Arc<Principal>,
    interest: Interest,
}

impl Members {
    /// Adds the session that asks, or changes what it wants to hear of.
    pub fn join(&mut self, request: &Request, interest: Interest) {
        self.leave(request.outbox.session);
        let (outbox, principal) = (request.outbox.clone(), request.principal.clone());
        self.list.push(Member { outbox, principal, interest });
    }

    /// Removes a session; says whether it was one.
    pub fn leave(&mut self, session: SessionId) -> bool {
        let before = self.list.len();
        self.list.retain(|member| member.outbox.session != session);
        self.list.len() < before
    }

    /// Removes everybody but `owner`: they watched what did not exist, and what came to be is not theirs.
    pub fn keep_only(&mut self, owner: &Subject) {
        self.list.retain(|member| member.principal.subject == *owner);
    }

    /// Whether nobody is a member.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether anybody but `except` wants to hear of this.
    pub fn want(&self, what: Interest, except: Option<SessionId>) -> bool {
        self.list.iter().any(|member| member.interest.has(what) && Some(member.outbox.session) != except)
    }

    /// Sends an envelope to everybody who wants to hear of this, but not to `except`. Sessions that are gone are removed.
    pub fn deliver(&mut self, what: Interest, except: Option<SessionId>, envelope: &Arc<Envelope>) {
        self.list.retain(|member| {
            let wanted = member.interest.has(what) && Some(member.outbox.session) != except;
            !wanted || member.outbox.deliver(To::Member, envelope) == Delivered::Yes
        });
    }
}
