//! Publishing: append, acknowledge, send to everybody who listens.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;

use super::known::Known;
use super::record::{PUBLICATIONS, PublicationRecord, STATES, StateRecord};
use super::{Channel, Log, Nature, Recent};
use crate::journal::format::encode;
use crate::journal::{Batch, Entry, Position, Stream};
use crate::place;
use crate::protocol::{Code, Envelope, Error, Event, MessageId, Publication, Publish, Subject, Timestamp};
use crate::request::Request;

/// What was handed to the journal, with who is told when it comes back.
pub(super) enum Write {
    /// A publication, with the requests that repeated it meanwhile.
    Publication { request: Request, publication: Arc<Publication>, repeats: Vec<Request> },
    /// A description of the channel.
    Description { request: Request, created: bool },
    /// The end of the channel.
    Removal { request: Request },
    /// How far an inbox has been delivered.
    Delivered { upto: u64 },
}

/// Writes that may be under way. As many requests as wait for the channel at most; beyond it a publisher is refused
/// before it has a place, so that nobody else is touched.
const MAX_WRITES: usize = 4096;

impl Channel {
    pub(super) fn publish(&mut self, request: Request, publish: Publish, ctx: &mut Context<Self>) -> Result<(), Error> {
        let now = Timestamp::now();
        let id = publish.id.unwrap_or_else(MessageId::random);
        if let Some(seq) = self.known.seq_of(&id, now) {
            self.repeated(request, id, seq, now);
            return Ok(());
        }
        if self.writes.len() >= MAX_WRITES {
            return Err(Error::new(Code::QueueFull, "Too much is being written there; try again after a while"));
        }
        let record = PublicationRecord {
            id: id.clone(),
            agent: request.principal.agent.clone(),
            subject: request.principal.subject.clone(),
            kind: publish.kind,
            content: publish.content,
            metadata: publish.metadata,
            reply_to: publish.reply_to,
            created_at: now,
        };
        let bytes = encode(&record)?;
        let mut batch = self.made_by(&request.principal.subject)?;
        self.log.publications += 1;
        let seq = self.log.publications;
        batch.push(self.entry(PUBLICATIONS, seq, bytes));
        self.known.remember(id, seq, now);
        let publication = Arc::new(record.into_publication(&self.tenant.id, self.id(), seq));
        self.append(batch, Write::Publication { request, publication, repeats: Vec::new() }, ctx);
        Ok(())
    }

    /// Acknowledges what was published before: at once, or with the first one if that is still on its way to the disk.
    fn repeated(&mut self, again: Request, id: MessageId, at: u64, now: Timestamp) {
        let waiting = self.writes.iter_mut().rev().find_map(|write| match write {
            Write::Publication { publication, repeats, .. } if publication.seq == at && publication.id == id => {
                Some(repeats)
            }
            _ => None,
        });
        match waiting {
            Some(repeats) => repeats.push(again),
            None => again.reply(self.acknowledgement(id, at, now)),
        }
    }

    pub(super) fn describe(
        &mut self,
        request: Request,
        name: Option<String>,
        description: Option<String>,
        ctx: &mut Context<Self>,
    ) -> Result<(), Error> {
        let created = self.log.state.is_none();
        let fresh = || fresh_state(&request.principal.subject);
        let state = StateRecord { name, description, ..self.log.state.clone().unwrap_or_else(fresh) };
        let batch = self.state_entries(state)?;
        self.append(batch, Write::Description { request, created }, ctx);
        Ok(())
    }

    pub(super) fn remove(&mut self, request: Request, ctx: &mut Context<Self>) -> Result<(), Error> {
        if self.log.state.is_none() {
            return Err(Error::new(Code::ChannelNotFound, "There is no such channel"));
        }
        let fresh = Log { broken: self.log.broken, ..Log::fresh(&self.tenant.house) };
        let old = std::mem::replace(&mut self.log, fresh);
        self.known = Known::new(self.tenant.house.settings.dedup);
        self.append(vec![Entry::Delete { place: old.place() }], Write::Removal { request }, ctx);
        Ok(())
    }

    /// Notes how far an inbox has been delivered. What is lost of this in a crash is delivered again.
    pub(super) fn note_delivered(&mut self, seq: u64, ctx: &mut Context<Self>) {
        if matches!(self.nature, Nature::Channel(_)) || seq <= self.delivered {
            return;
        }
        self.delivered = seq;
        // One such write at a time: the next one notes all that was delivered meanwhile.
        if !self.writes.iter().any(|write| matches!(write, Write::Delivered { .. })) {
            self.write_delivered(ctx);
        }
    }

    fn write_delivered(&mut self, ctx: &mut Context<Self>) {
        let upto = self.delivered;
        let Some(state) = self.log.state.clone().filter(|state| state.delivered < upto) else { return };
        if let Ok(batch) = self.state_entries(StateRecord { delivered: upto, ..state }) {
            self.append(batch, Write::Delivered { upto }, ctx);
        }
    }

    /// The entries that make the channel, if it has not been made.
    fn made_by(&mut self, subject: &Subject) -> Result<Batch, Error> {
        if self.log.state.is_some() { Ok(Batch::new()) } else { self.state_entries(fresh_state(subject)) }
    }

    fn state_entries(&mut self, state: StateRecord) -> Result<Batch, Error> {
        let mut batch = Batch::new();
        if self.log.state.is_none() {
            batch.push(Entry::Create { place: self.log.place(), name: self.name() });
        }
        let bytes = encode(&state)?;
        self.log.states += 1;
        batch.push(self.entry(STATES, self.log.states, bytes));
        self.log.state = Some(state);
        Ok(batch)
    }

    fn entry(&self, lane: u8, seq: u64, bytes: Vec<u8>) -> Entry {
        let at = Position { stream: Stream { place: self.log.place(), lane }, seq };
        Entry::Append { at, bytes, opens: false, closes: Vec::new() }
    }

    fn append(&mut self, batch: Batch, write: Write, ctx: &mut Context<Self>) {
        self.writes.push_back(write);
        place::append(&*self.tenant.house.journal, batch, self.log.broken, ctx);
    }

    pub(super) fn committed(&mut self, result: Result<(), Error>, ctx: &mut Context<Self>) {
        let Some(write) = self.writes.pop_front() else { return };
        match result {
            Ok(()) => self.written(write, ctx),
            Err(error) => self.unwritten(write, error),
        }
        if self.log.broken && self.writes.is_empty() {
            self.load(ctx);
        }
    }

    fn written(&mut self, write: Write, ctx: &mut Context<Self>) {
        match write {
            Write::Publication { request, publication, repeats } => {
                for request in std::iter::once(request).chain(repeats) {
                    let Publication { id, seq, created_at, .. } = &*publication;
                    request.reply(self.acknowledgement(id.clone(), *seq, *created_at));
                }
                self.recent.push(publication.clone());
                let seq = publication.seq;
                if self.spread(publication) {
                    self.note_delivered(seq, ctx);
                }
                self.wait_for_relays(ctx);
            }
            Write::Description { request, created } => {
                if let Some(channel) = self.id().cloned() {
                    request.reply(Event::ChannelDescribed { channel, created });
                }
            }
            Write::Removal { request } => {
                self.recent = Recent::default();
                request.reply(Event::Noted);
            }
            Write::Delivered { upto } if upto < self.delivered => self.write_delivered(ctx),
            Write::Delivered { .. } => {}
        }
    }

    /// Sends a publication to everybody who listens now. Of an inbox it says whether anybody has it.
    pub(super) fn spread(&mut self, publication: Arc<Publication>) -> bool {
        let envelope = self.sealed(publication);
        match self.nature {
            Nature::Inbox(_) => self.listeners.hand_over(&envelope),
            Nature::Channel(_) => {
                self.listeners.deliver(&envelope);
                true
            }
        }
    }

    /// Handles nothing more while a thread of listeners is far behind; publishers then find the mailbox full.
    fn wait_for_relays(&mut self, ctx: &mut Context<Self>) {
        if self.listeners.are_behind() {
            let pause = actix::clock::sleep(Duration::from_millis(1)).into_actor(self);
            ctx.wait(pause.map(|(), channel, ctx| channel.wait_for_relays(ctx)));
        }
    }

    /// What could not be written has not happened: whoever waits for it is told so, and nobody else hears of it.
    fn unwritten(&mut self, write: Write, error: Error) {
        self.log.broken = true;
        match write {
            Write::Publication { request, publication, repeats } => {
                self.known.take_back(&publication.id);
                request.refuse(error.clone());
                repeats.iter().for_each(|repeat| repeat.refuse(error.clone()));
            }
            Write::Description { request, .. } | Write::Removal { request } => request.refuse(error),
            Write::Delivered { .. } => {}
        }
    }

    fn acknowledgement(&self, id: MessageId, seq: u64, at: Timestamp) -> Event {
        Event::PublishAcknowledged { channel: self.id().cloned(), id, seq, at }
    }

    /// A publication on its way to those who listen.
    pub(super) fn sealed(&self, publication: Arc<Publication>) -> Arc<Envelope> {
        Envelope::new(match self.nature {
            Nature::Channel(_) => Event::Published { publication },
            Nature::Inbox(_) => Event::DirectMessage { publication },
        })
    }
}

fn fresh_state(subject: &Subject) -> StateRecord {
    let created_at = Timestamp::now();
    StateRecord { name: None, description: None, created_by: subject.clone(), created_at, delivered: 0 }
}
