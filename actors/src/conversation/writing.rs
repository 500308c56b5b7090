//! Appending to the journal, and telling of what was appended once it is synced.

use std::sync::Arc;

use actix::prelude::*;

use super::Conversation;
use super::deciding::Verdict;
use super::passing::Passed;
use super::record::{FAILURES, FailureRecord, MESSAGES, MessageRecord, STATES, StateRecord};
use crate::journal::format::encode;
use crate::journal::{Batch, Entry, Position, Stream};
use crate::place;
use crate::protocol::{Envelope, Error, Event, Interest, Message, Mood, SessionId};
use crate::request::Request;
use crate::tape::Decision;

/// What was handed to the journal, with what follows when it comes back.
pub(super) enum Write {
    /// A message that asks; its inquiry may begin.
    Question { asked_at: u64 },
    /// A message that answers.
    Answer { asked_at: u64, message: Arc<Message>, mood: Mood },
    /// A message that hands over, with the request that follows from it.
    Passed(Box<Passed>),
    /// That a run waits for approval.
    Wait { asked_at: u64 },
    /// What somebody decided about it.
    Decision { asked_at: u64, request: Box<Request>, decision: Decision, verdict: Verdict },
    /// A run without an answer.
    Failure { asked_at: u64, failure: Box<FailureRecord> },
    /// A new state that a request asked for, with the message that says so, if one does.
    State { request: Box<Request>, message: Option<Arc<Message>>, then: Then },
}

/// What a new state is followed by.
pub(super) enum Then {
    /// The session is told what it joined.
    Joined,
    /// Everybody is told of the handoff.
    HandedOff { from: crate::protocol::AgentName, to: crate::protocol::AgentName, reason: String },
    /// The session is sent all messages.
    Opened,
    /// Everybody is told, and the conversation goes away.
    Deleted,
}

impl Conversation {
    /// Hands a batch to the journal. What follows happens in the order of these calls.
    pub(super) fn append(&mut self, batch: Batch, write: Write, ctx: &mut Context<Self>) {
        self.writes.push_back(write);
        place::append(&*self.tenant.house.journal, batch, self.log.broken, ctx);
    }

    /// The entries that make the conversation and set its state; empty if nothing changes.
    pub(super) fn state_entries(&mut self, state: StateRecord) -> Result<Batch, Error> {
        let mut batch = Batch::new();
        if self.log.state.is_none() {
            if let Some(owner) = &state.owner {
                self.members.keep_only(owner);
            }
            batch.push(Entry::Create { place: self.log.place(), name: self.name() });
        } else if self.log.state.as_ref() == Some(&state) {
            return Ok(batch);
        }
        let bytes = encode(&state)?;
        self.log.states += 1;
        batch.push(self.entry(STATES, self.log.states, bytes));
        self.log.state = Some(state);
        Ok(batch)
    }

    /// The entry that appends a message, and the message in its place.
    pub(super) fn message_entry(&mut self, record: MessageRecord) -> Result<(Entry, Arc<Message>), Error> {
        let bytes = encode(&record)?;
        self.log.messages += 1;
        let entry = self.entry(MESSAGES, self.log.messages, bytes);
        Ok((entry, Arc::new(record.into_message(&self.id, self.log.messages))))
    }

    /// The entry that appends a failure; it closes the request's obligation if no turn follows.
    pub(super) fn failure_entry(&mut self, failure: &FailureRecord, last: bool) -> Result<Entry, Error> {
        let bytes = encode(failure)?;
        self.log.failures += 1;
        let mut entry = self.entry(FAILURES, self.log.failures, bytes);
        if let (true, Entry::Append { closes, .. }) = (last, &mut entry) {
            closes.push(self.position(MESSAGES, failure.asked_at));
        }
        Ok(entry)
    }

    pub(super) fn position(&self, lane: u8, seq: u64) -> Position {
        Position { stream: Stream { place: self.log.place(), lane }, seq }
    }

    pub(super) fn entry(&self, lane: u8, seq: u64, bytes: Vec<u8>) -> Entry {
        Entry::Append { at: self.position(lane, seq), bytes, opens: false, closes: Vec::new() }
    }

    pub(super) fn committed(&mut self, result: Result<(), Error>, ctx: &mut Context<Self>) {
        let Some(write) = self.writes.pop_front() else { return };
        match result {
            Ok(()) => self.written(write, ctx),
            Err(error) => self.unwritten(write, error, ctx),
        }
        if self.log.broken && self.writes.is_empty() {
            self.load(ctx);
        }
    }

    fn written(&mut self, write: Write, ctx: &mut Context<Self>) {
        match write {
            Write::Question { asked_at } => self.accepted(asked_at, ctx),
            Write::Answer { asked_at, message, mood } => self.answered(asked_at, message, mood, ctx),
            Write::Passed(passed) => self.passed(*passed, ctx),
            Write::Failure { asked_at, failure } => self.failed(asked_at, *failure, ctx),
            Write::Wait { asked_at } => self.laid_down(asked_at, ctx),
            Write::Decision { asked_at, request, decision, verdict } => {
                self.decided(asked_at, &request, decision, verdict, ctx);
            }
            Write::State { request, message, then } => {
                if let Some(message) = message {
                    self.added(&message, None);
                }
                self.state_written(*request, then, ctx);
            }
        }
    }

    /// What could not be written has not happened: whoever waits for it is told so, and nobody else hears of it.
    fn unwritten(&mut self, write: Write, error: Error, ctx: &mut Context<Self>) {
        self.log.broken = true;
        match write {
            Write::Decision { request, asked_at, .. } => {
                self.undecided(asked_at);
                request.refuse(error);
            }
            Write::Question { asked_at }
            | Write::Answer { asked_at, .. }
            | Write::Failure { asked_at, .. }
            | Write::Wait { asked_at } => {
                if let Some(inquiry) = self.close(asked_at, ctx) {
                    inquiry.asker.end(Event::Refused { error });
                }
            }
            Write::Passed(passed) => {
                if let Some(inquiry) = self.close(passed.asked_at, ctx) {
                    inquiry.asker.end(Event::Refused { error });
                }
            }
            Write::State { request, .. } => request.refuse(error),
        }
    }

    /// Keeps a message at hand and tells of it; `asker` knows of it already.
    pub(super) fn added(&mut self, message: &Arc<Message>, asker: Option<SessionId>) {
        if self.recent.len() == super::RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(message.clone());
        if self.members.want(Interest::MESSAGES, asker) || self.tenant.subscriptions.wants_topics() {
            let envelope = Envelope::new(Event::MessageAdded { message: message.clone() });
            self.members.deliver(Interest::MESSAGES, asker, &envelope);
            self.emit(&envelope);
        }
    }

    /// The messages at hand that are kept, oldest first.
    pub(super) fn kept(&self) -> impl Iterator<Item = &Arc<Message>> {
        self.recent.iter().filter(|message| self.log.horizon.shows(message.seq))
    }

    /// Tells subscribers, of the owner alone if there is one.
    pub(super) fn emit(&self, envelope: &Arc<Envelope>) {
        let owner = self.log.state.as_ref().and_then(|state| state.owner.as_ref());
        self.tenant.subscriptions.emit(envelope, owner);
    }
}
