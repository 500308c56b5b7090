//! Listening, from now on or from a point in the past.

use std::sync::Arc;

use actix::prelude::*;

use super::{Channel, Nature, reading};
use crate::outbox::Delivered;
use crate::protocol::{Code, Error, Event, Publication, Timestamp, To};
use crate::request::Request;

impl Channel {
    pub(super) fn attach(&mut self, request: &Request, since: Option<u64>, member: bool) {
        let to = if member { To::Member } else { To::Subscriber };
        let since = match self.nature {
            Nature::Channel(_) => since,
            Nature::Inbox(_) => Some(self.kept_since()),
        };
        let time = self.listeners.put(request.outbox.clone(), to, since.is_none());
        // The reader asks for the first page as for any other: of many channels at once, a page of each would be too much.
        request.reply(match since {
            Some(after) => Event::ReplayPaused { channel: self.id().cloned(), after, time },
            None => Event::Noted,
        });
    }

    pub(super) fn detach(&mut self, request: &Request) -> Result<(), Error> {
        self.listeners.remove(request.outbox.session);
        request.reply(Event::Noted);
        Ok(())
    }

    /// Sends what came after `after`: all of it and the reader is live, or a page and it asks for more. Who has left since
    /// hears nothing more of it, also if it came again: then it reads anew.
    pub(super) fn replay(
        &mut self,
        request: Request,
        after: u64,
        time: u64,
        ctx: &mut Context<Self>,
    ) -> Result<(), Error> {
        let Some(to) = self.listeners.manner(request.outbox.session, time) else {
            request.reply(Event::Noted);
            return Ok(());
        };
        let head = self.committed_head();
        let first = self.kept().next().map_or(u64::MAX, |publication| publication.seq);
        if after >= head || first <= after + 1 {
            let missing: Vec<_> = self.kept().filter(|one| one.seq > after).cloned().collect();
            self.send_page(&request, to, missing, after, ctx)?;
            self.listeners.go_live(request.outbox.session);
            request.reply(Event::Noted);
            return Ok(());
        }
        let (journal, tenant) = (self.tenant.house.journal.clone(), self.tenant.id.clone());
        let (place, channel) = (self.log.place(), self.id().cloned());
        let read =
            crate::house::off_arbiter(move || reading::replay_page(&*journal, place, &tenant, channel.as_ref(), after));
        ctx.spawn(read.into_actor(self).map(move |page, channel, ctx| {
            channel.page_read(&request, page, after, time, ctx);
        }));
        Ok(())
    }

    fn page_read(
        &mut self,
        request: &Request,
        page: Result<Vec<Arc<Publication>>, Error>,
        after: u64,
        time: u64,
        ctx: &mut Context<Self>,
    ) {
        let session = request.outbox.session;
        match (self.listeners.manner(session, time), page) {
            (None, _) => request.reply(Event::Noted),
            (Some(to), Ok(page)) => {
                if let Ok(after) = self.send_page(request, to, page, after, ctx) {
                    request.reply(Event::ReplayPaused { channel: self.id().cloned(), after, time });
                }
            }
            (Some(_), Err(error)) => {
                // What is gone does not come back: the reader is told so, and hears what comes from here on.
                if error.code == Code::CursorExpired {
                    self.listeners.go_live(session);
                }
                request.refuse(error);
            }
        }
    }

    /// Sends a page of what came after `after`; returns up to where the reader has everything now. An error means that
    /// the reader has ended, and what it was sent last is not delivered.
    fn send_page(
        &mut self,
        request: &Request,
        to: To,
        page: Vec<Arc<Publication>>,
        after: u64,
        ctx: &mut Context<Self>,
    ) -> Result<u64, Error> {
        let head = self.committed_head();
        let mut upto = after;
        for publication in page.into_iter().filter(|publication| publication.seq <= head) {
            let seq = publication.seq;
            if !self.is_stale(&publication) && request.outbox.deliver(to, &self.sealed(publication)) == Delivered::Gone
            {
                self.listeners.remove(request.outbox.session);
                self.note_delivered(upto, ctx);
                return Err(Error::internal("The session has ended"));
            }
            upto = seq;
        }
        if upto == after {
            // Nothing to be read where something should be: go on where there is something.
            let first = self.kept().next().map_or(head, |publication| publication.seq.saturating_sub(1));
            upto = first.max(after);
        }
        self.note_delivered(upto, ctx);
        Ok(upto)
    }

    /// The latest publications that are kept, oldest first.
    fn kept(&self) -> impl Iterator<Item = &Arc<Publication>> {
        self.recent.list.iter().filter(|one| self.log.horizon.shows(one.seq))
    }

    /// Where an inbox begins for a reader: behind what was delivered, and no more than is kept.
    fn kept_since(&self) -> u64 {
        let most = u64::try_from(self.tenant.house.settings.inbox_max).unwrap_or(u64::MAX);
        self.delivered.max(self.committed_head().saturating_sub(most))
    }

    /// Whether a direct message is older than it is kept.
    fn is_stale(&self, publication: &Publication) -> bool {
        let keep = u64::try_from(self.tenant.house.settings.inbox_keep.as_millis()).unwrap_or(u64::MAX);
        matches!(self.nature, Nature::Inbox(_)) && Timestamp::now().since(publication.created_at) > keep
    }

    /// The last `seq` that everybody has been told of.
    pub(super) fn committed_head(&self) -> u64 {
        self.recent.list.back().map_or(0, |publication| publication.seq)
    }
}
