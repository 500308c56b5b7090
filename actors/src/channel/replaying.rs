//! Listening, from now on or from a point in the past.

use actix::prelude::*;

use super::{Channel, Nature, reading};
use crate::protocol::{Error, Event, Timestamp, To};
use crate::request::Request;

impl Channel {
    pub(super) fn attach(
        &mut self,
        request: Request,
        since: Option<u64>,
        member: bool,
        ctx: &mut Context<Self>,
    ) -> Result<(), Error> {
        let to = if member { To::Member } else { To::Subscriber };
        let since = match self.nature {
            Nature::Channel(_) => since,
            Nature::Inbox(_) => self.log.state.as_ref().map(|state| self.kept_since(state.delivered)),
        };
        self.listeners.put(request.outbox.clone(), to, since.is_none());
        match since {
            Some(after) => self.replay(request, after, ctx),
            None => {
                request.reply(Event::Noted);
                Ok(())
            }
        }
    }

    pub(super) fn detach(&mut self, request: &Request) -> Result<(), Error> {
        self.listeners.remove(request.outbox.session);
        request.reply(Event::Noted);
        Ok(())
    }

    /// Sends what came after `after`: all of it and the reader is live, or a page and it asks for more.
    pub(super) fn replay(&mut self, request: Request, after: u64, ctx: &mut Context<Self>) -> Result<(), Error> {
        let Some(to) = self.listeners.manner(request.outbox.session) else {
            return Err(Error::invalid("channel", "a channel that this session is attached to"));
        };
        let head = self.committed_head();
        let first = self.recent.list.front().map_or(u64::MAX, |publication| publication.seq);
        if after >= head || first <= after + 1 {
            for publication in self.recent.list.iter().filter(|publication| publication.seq > after) {
                request.outbox.deliver(to, &self.sealed(publication.clone()));
            }
            self.listeners.put(request.outbox.clone(), to, true);
            self.note_delivered(head, ctx);
            request.reply(Event::Noted);
            return Ok(());
        }
        let (journal, tenant) = (self.tenant.house.journal.clone(), self.tenant.id.clone());
        let (place, channel) = (self.log.place, self.id().cloned());
        let read =
            crate::house::off_arbiter(move || reading::replay_page(&*journal, place, &tenant, channel.as_ref(), after));
        ctx.spawn(read.into_actor(self).map(move |page, channel, ctx| match page {
            Ok(page) => {
                let head = channel.committed_head();
                let page = page.into_iter().filter(|publication| publication.seq <= head);
                let mut after = after;
                for publication in page {
                    after = publication.seq;
                    request.outbox.deliver(to, &channel.sealed(publication));
                }
                channel.note_delivered(after, ctx);
                request.reply(Event::ReplayPaused { channel: channel.id().cloned(), after });
            }
            Err(error) => request.refuse(error),
        }));
        Ok(())
    }

    /// Where an inbox begins for a reader who has everything up to `delivered`: older messages than are kept are skipped.
    fn kept_since(&self, delivered: u64) -> u64 {
        let settings = &self.tenant.house.settings;
        let keep = u64::try_from(settings.inbox_keep.as_millis()).unwrap_or(u64::MAX);
        let most = u64::try_from(settings.inbox_max).unwrap_or(u64::MAX);
        let now = Timestamp::now();
        let stale = self.recent.list.iter().rev().find(|publication| now.since(publication.created_at) > keep);
        let expired = stale.map_or(0, |publication| publication.seq);
        delivered.max(expired).max(self.committed_head().saturating_sub(most))
    }

    /// The last `seq` that everybody has been told of.
    fn committed_head(&self) -> u64 {
        self.recent.list.back().map_or(0, |publication| publication.seq)
    }
}
