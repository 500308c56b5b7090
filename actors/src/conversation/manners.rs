//! What sessions do in a conversation besides asking: join, leave, read, hand over, type, delete.

use std::sync::Arc;

use actix::prelude::*;

use super::record::{MessageRecord, StateRecord};
use super::writing::{Then, Write};
use super::{Conversation, Log, RECENT, loading};
use crate::journal::Entry;
use crate::protocol::{
    AgentName, Code, Envelope, Error, Event, Interest, MAX_PAGE, Message, MessageId, Mode, Part, Role, Timestamp,
    Typist,
};
use crate::request::Request;

/// Typists that are remembered at a time; a conversation with more of them shows only these.
const TYPISTS: usize = 64;

/// Messages read at a time when a whole conversation is sent; the reader asks for the next page when it has these.
const PAGE: usize = 100;

impl Conversation {
    pub(super) fn join(
        &mut self,
        request: Request,
        agents: &[AgentName],
        mode: Option<Mode>,
        ctx: &mut Context<Self>,
    ) -> Result<(), Error> {
        self.usable(&request.principal)?;
        let mut state = self.state_or_new(&request.principal, false)?;
        for agent in agents {
            let name = self.tenant.directory.get(agent.as_str())?.card.name().clone();
            if !state.agents.contains(&name) {
                state.agents.push(name);
            }
        }
        if let (false, Some(first)) = (state.agents.contains(&state.lead), state.agents.first()) {
            state.lead = first.clone();
        }
        state.mode = mode.unwrap_or(if agents.len() > 1 { Mode::All } else { state.mode });
        self.change_state(state, None, request, Then::Joined, ctx)
    }

    /// Makes the session a member, without writing anything. Whoever may not see the conversation is not told so: to
    /// them it does not exist, and what does not exist may be watched.
    pub(super) fn watch(&mut self, request: &Request) {
        if self.usable(&request.principal).is_ok() {
            self.members.join(request, Interest::STEPS.and(Interest::ENDS));
        }
        request.reply(Event::Noted);
    }

    pub(super) fn leave(&mut self, request: &Request) -> Result<(), Error> {
        self.members.leave(request.outbox.session);
        self.visible(&request.principal)?;
        request.reply(Event::Left { conversation: self.id.clone() });
        Ok(())
    }

    pub(super) fn history(
        &mut self,
        request: Request,
        limit: usize,
        before: Option<u64>,
        ctx: &mut Context<Self>,
    ) -> Result<(), Error> {
        self.visible(&request.principal)?;
        let limit = limit.clamp(1, MAX_PAGE);
        let (journal, place, id) = (self.tenant.house.journal.clone(), self.log.place(), self.id.clone());
        // Only what is committed is shown, so that a page never tells more than the events did.
        let before = before.unwrap_or(u64::MAX).min(self.committed_head() + 1);
        let read = crate::house::off_arbiter(move || {
            let page = loading::page(&*journal, place, &id, Some(before), limit)?;
            let next_before = loading::older(&*journal, place, &page)?;
            Ok((page, next_before))
        });
        ctx.spawn(read.into_actor(self).map(move |page, conversation, _| match page {
            Ok((messages, next_before)) => {
                let conversation = conversation.id.clone();
                request.reply(Event::History { conversation, messages, next_before, resume: None });
            }
            Err(error) => request.refuse(error),
        }));
        Ok(())
    }

    /// Sends a conversation page by page, and makes the session a member when it has everything.
    pub(super) fn open(&mut self, request: Request, after: u64, ctx: &mut Context<Self>) -> Result<(), Error> {
        self.usable(&request.principal)?;
        if self.log.messages == 0 {
            // Who has read some of it goes on in one that is gone.
            return if after == 0 { self.greet(request, ctx) } else { Err(Error::cursor_expired(1)) };
        }
        let (journal, place, id) = (self.tenant.house.journal.clone(), self.log.place(), self.id.clone());
        let read = crate::house::off_arbiter(move || loading::page_after(&*journal, place, &id, after, PAGE));
        ctx.spawn(read.into_actor(self).map(move |page, conversation, _| match page {
            Ok(mut messages) => {
                let head = conversation.committed_head();
                messages.retain(|message| message.seq <= head);
                let last = messages.last().map_or(after, |message| message.seq);
                let complete = last >= head;
                if complete {
                    conversation.members.join(&request, request.interest);
                }
                request.reply(Event::History {
                    conversation: conversation.id.clone(),
                    messages,
                    next_before: None,
                    resume: (!complete).then_some(last),
                });
            }
            Err(error) => request.refuse(error),
        }));
        Ok(())
    }

    /// Begins a conversation with its lead's greeting.
    fn greet(&mut self, request: Request, ctx: &mut Context<Self>) -> Result<(), Error> {
        self.tenant.house.check_open()?;
        let mut state = self.state_or_new(&request.principal, true)?;
        let lead = self.tenant.directory.get(state.lead.as_str())?;
        if !state.agents.contains(lead.card.name()) {
            state.agents.push(lead.card.name().clone());
        }
        let greeting = plain(Role::Assistant, Some(lead.card.name().clone()), lead.card.persona.greeting.clone());
        self.change_state(state, Some(greeting), request, Then::Opened, ctx)
    }

    pub(super) fn delete(&mut self, request: Request, ctx: &mut Context<Self>) -> Result<(), Error> {
        self.visible(&request.principal)?;
        let ended: Vec<u64> = self.inquiries.keys().copied().collect();
        for asked_at in ended {
            if let Some(inquiry) = self.close(asked_at, ctx) {
                let error = Error::new(Code::Cancelled, "The conversation was deleted");
                inquiry.asker.end(Event::Refused { error });
            }
        }
        let fresh = Log { broken: self.log.broken, ..Log::fresh(&self.tenant.house) };
        let old = std::mem::replace(&mut self.log, fresh);
        let batch = vec![Entry::Delete { place: old.place() }];
        self.append(batch, Write::State { request: Box::new(request), message: None, then: Then::Deleted }, ctx);
        Ok(())
    }

    pub(super) fn hand_off(
        &mut self,
        request: Request,
        from: &AgentName,
        to: &AgentName,
        reason: String,
        ctx: &mut Context<Self>,
    ) -> Result<(), Error> {
        self.tenant.house.check_open()?;
        let mut state = self.visible(&request.principal)?.clone();
        let from = self.tenant.directory.get(from.as_str())?.card.name().clone();
        let to = self.tenant.directory.get(to.as_str())?.card.name().clone();
        if state.lead != from && !state.agents.contains(&from) {
            return Err(Error::invalid("fromAgent", &format!("an agent of the conversation; {from} is not in it")));
        }
        if !state.agents.contains(&to) {
            state.agents.push(to.clone());
        }
        state.lead = to.clone();
        state.mode = Mode::Lead;
        let colon = if reason.is_empty() { "" } else { ": " };
        let said = plain(Role::System, None, format!("{from} handed the conversation over to {to}{colon}{reason}"));
        self.change_state(state, Some(said), request, Then::HandedOff { from, to, reason }, ctx)
    }

    /// Writes a new state, and a message with it; does at once what follows if nothing is new.
    fn change_state(
        &mut self,
        state: StateRecord,
        message: Option<MessageRecord>,
        request: Request,
        then: Then,
        ctx: &mut Context<Self>,
    ) -> Result<(), Error> {
        let mut batch = self.state_entries(state)?;
        let message = match message {
            Some(record) => {
                let (entry, message) = self.message_entry(record)?;
                batch.push(entry);
                Some(message)
            }
            None => None,
        };
        if batch.is_empty() && self.writes.is_empty() {
            self.state_written(request, then, ctx);
        } else {
            self.append(batch, Write::State { request: Box::new(request), message, then }, ctx);
        }
        Ok(())
    }

    pub(super) fn state_written(&mut self, request: Request, then: Then, ctx: &mut Context<Self>) {
        match then {
            Then::Joined => self.joined(&request),
            Then::HandedOff { from, to, reason } => {
                let conversation = self.id.clone();
                let envelope = Envelope::new(Event::HandedOff { conversation, from, to, reason });
                request.outbox.deliver(crate::protocol::To::Requester(request.token), &envelope);
                self.members.deliver(Interest::MANNERS, Some(request.outbox.session), &envelope);
                self.emit(&envelope);
            }
            Then::Opened => {
                let outbox = request.outbox.clone();
                let token = request.token;
                if let Err(error) = self.open(request, 0, ctx) {
                    outbox.reply(token, Event::Refused { error });
                }
            }
            Then::Deleted => {
                let envelope = Envelope::new(Event::Deleted { conversation: self.id.clone() });
                request.outbox.deliver(crate::protocol::To::Requester(request.token), &envelope);
                self.members.deliver(Interest::MESSAGES, Some(request.outbox.session), &envelope);
                self.recent.clear();
            }
        }
    }

    fn joined(&mut self, request: &Request) {
        let Some(state) = &self.log.state else { return };
        self.members.join(request, request.interest);
        let agents = if state.agents.is_empty() { vec![state.lead.clone()] } else { state.agents.clone() };
        request.reply(Event::Joined {
            conversation: self.id.clone(),
            agents,
            mode: state.mode,
            lead: state.lead.clone(),
            messages: self.kept().take(RECENT).cloned().collect::<Vec<Arc<Message>>>(),
        });
        self.show_waiting(request);
    }

    pub(super) fn typing(
        &mut self,
        request: &Request,
        user: Option<String>,
        typing: bool,
        ctx: &mut Context<Self>,
    ) -> Result<(), Error> {
        self.visible(&request.principal)?;
        let who = Typist::User(user.unwrap_or_else(|| request.principal.subject.to_string()));
        if let Some(timer) = self.typists.remove(&who) {
            ctx.cancel_future(timer);
        }
        if typing && self.typists.len() < TYPISTS {
            let (typist, session) = (who.clone(), request.outbox.session);
            let timer = ctx.run_later(self.tenant.house.settings.typing, move |conversation, _| {
                conversation.typists.remove(&typist);
                conversation.tell_typing(typist, false, session);
            });
            self.typists.insert(who.clone(), timer);
        }
        self.tell_typing(who, typing, request.outbox.session);
        request.reply(Event::Noted);
        Ok(())
    }

    fn tell_typing(&mut self, who: Typist, typing: bool, session: crate::protocol::SessionId) {
        let envelope = Envelope::new(Event::Typing { conversation: self.id.clone(), who, typing });
        self.members.deliver(Interest::MANNERS, Some(session), &envelope);
        self.emit(&envelope);
    }

    /// The place of the last message that everybody has been told of.
    fn committed_head(&self) -> u64 {
        self.recent.back().map_or(0, |message| message.seq)
    }
}

/// A message of the server's own.
fn plain(role: Role, agent: Option<AgentName>, text: String) -> MessageRecord {
    MessageRecord {
        id: MessageId::random(),
        role,
        agent,
        parts: vec![Part::Text(text)],
        created_at: Timestamp::now(),
        asks: None,
        answers: None,
    }
}
