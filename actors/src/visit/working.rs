//! What a session does as a socket of an agent of another process: being present, taking work, answering it.

use std::sync::{Arc, PoisonError};

use serde_json::Value;

use super::Visit;
use crate::conversation::record::parse_run_id;
use crate::protocol::{AgentName, Answer, Code, Command, Error, Event, MessageId, Publish, RunId, Scope, Token};
use crate::router;
use crate::runs::Receipt;
use crate::serving::{Desk, unknown};

/// The run that a message answers, if what it replies to has the id of one.
pub(super) fn answered(command: &Command) -> Option<MessageId> {
    let (Command::Publish(what) | Command::Direct { what, .. }) = command else { return None };
    let of = what.reply_to.as_ref()?;
    parse_run_id(&RunId::trusted(of.as_str())).map(|_| of.clone())
}

impl Visit {
    /// Notes that the session is a socket of its agent, which takes work if it may.
    pub(super) fn attend(&mut self) -> Result<(), Error> {
        if self.present.is_some() {
            return Ok(());
        }
        let agent = self.own_agent()?;
        if self.principal.scopes.has(Scope::AgentServe) {
            router::serve(&self.tenant, &agent, self.outbox.clone())?;
        }
        self.tenant.presence.arrive(&agent, &self.tenant.subscriptions);
        self.present = Some(agent);
        Ok(())
    }

    pub(super) fn own_agent(&self) -> Result<AgentName, Error> {
        let agent = self.principal.agent.clone();
        agent.ok_or_else(|| Error::new(Code::Unauthorized, "These credentials name no agent"))
    }

    /// Where the work of the session's agent is handed out.
    pub(super) fn desk(&self) -> Option<Arc<Desk>> {
        let agent = self.present.as_ref()?;
        self.tenant.desks.lock().unwrap_or_else(PoisonError::into_inner).get(agent).cloned()
    }

    /// Gives the answer to a run. It is acknowledged when it stands in its conversation.
    pub(super) fn answer(&self, token: Token, of: MessageId, command: Command) -> Result<(), Error> {
        let (Command::Publish(what) | Command::Direct { what, .. }) = command else { return Err(unknown(&of)) };
        let Publish { id, content, .. } = what;
        let way = self.desk().ok_or_else(|| unknown(&of))?.claim(&of)?;
        let live = self.tenant.runs.get(of.as_str()).map(|live| live.clone()).ok_or_else(|| unknown(&of))?;
        let (id, outbox) = (id.unwrap_or_else(MessageId::random), self.outbox.clone());
        live.leave_receipt(Receipt::new(move |result| {
            let event = match result {
                Ok(message) => {
                    Event::PublishAcknowledged { channel: None, id, seq: message.seq, at: message.created_at }
                }
                Err(error) => Event::Refused { error },
            };
            outbox.reply(token, event);
        }));
        // Should the run have ended meanwhile, its receipt says so.
        let _ = way.send(as_answer(&content));
        Ok(())
    }
}

/// An answer as an agent of another process gives it: a text, or anything else for programs.
fn as_answer(content: &str) -> Answer {
    match serde_json::from_str(content).unwrap_or(Value::Null) {
        Value::String(text) => Answer { text, ..Answer::default() },
        data => Answer { text: content.to_owned(), data, ..Answer::default() },
    }
}
