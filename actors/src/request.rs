//! A command on its way, with the way back.

use std::sync::Arc;

use actix::prelude::*;

use crate::outbox::Outbox;
use crate::protocol::{Command, Error, Event, Interest, Principal, Token};

/// A command on its way to the actor that carries it out.
#[derive(Message, Clone, Debug)]
#[rtype(result = "()")]
pub struct Request {
    /// What replies are matched by.
    pub token: Token,
    /// Who asks.
    pub principal: Arc<Principal>,
    /// Where replies go.
    pub outbox: Outbox,
    /// What the asker wants to hear of on the way.
    pub interest: Interest,
    /// What is asked.
    pub command: Command,
}

impl Request {
    /// Replies to the request.
    pub fn reply(&self, event: Event) {
        self.outbox.reply(self.token, event);
    }

    /// Takes the command out, so that it can be carried out while the request remains for its reply.
    pub(crate) fn take_command(&mut self) -> Command {
        std::mem::replace(&mut self.command, Command::Status { agent: None })
    }

    /// Ends the request with an error.
    pub fn refuse(&self, error: Error) {
        self.reply(Event::Refused { error });
    }
}
