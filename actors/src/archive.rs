//! Reading what has been written, past the actors: listings, pages of history, runs that have ended. All of it blocks.

mod record;
mod run;
mod runs;

use std::sync::Arc;

use crate::channel;
use crate::conversation::is_visible;
use crate::conversation::loading;
use crate::conversation::record::StateRecord;
use crate::journal::{Journal, Kind, Place, PlaceName, Stream};
use crate::protocol::{
    ChannelId, Code, ConversationId, Error, MAX_PAGE, Message, Principal, Publication, TenantId, Timestamp,
};

pub use record::RunRecord;
pub(crate) use run::{ended, question};
pub use runs::ListedRun;

/// A conversation in a listing.
#[derive(Clone, Debug)]
pub struct ConversationSummary {
    /// Its id.
    pub id: ConversationId,
    /// What holds of it.
    pub state: StateRecord,
    /// Its messages.
    pub messages: u64,
    /// When the last of them was written.
    pub updated_at: Timestamp,
}

/// A channel in a listing.
#[derive(Clone, Debug)]
pub struct ChannelSummary {
    /// Its id.
    pub id: ChannelId,
    /// What is known of it.
    pub state: channel::record::StateRecord,
    /// The last `seq`.
    pub head: u64,
}

/// Places looked at for one page of a listing: where almost everything belongs to others, a page may come back shorter
/// than asked for, or empty, with a next one behind it, rather than keep a thread for long.
const SCAN: usize = 4096;

/// Places named by the journal at a time.
const NAMES: usize = 256;

/// A page of publications ends when it has more than this, in bytes of content.
const PAGE_BYTES: usize = 4 * 1024 * 1024;

/// Publications of a page that are read at a time: with the largest content there is, 16 MiB.
const PIECE: usize = 64;

/// Reads of one tenant's past, as one principal may see it.
#[derive(Debug)]
pub struct Archive<'a> {
    journal: &'a dyn Journal,
    principal: &'a Principal,
}

impl<'a> Archive<'a> {
    /// The archive as `principal` may see it.
    pub fn new(journal: &'a dyn Journal, principal: &'a Principal) -> Self {
        Self { journal, principal }
    }

    fn tenant(&self) -> &TenantId {
        &self.principal.tenant
    }

    fn place(&self, kind: Kind, id: &str) -> Result<Option<Place>, Error> {
        self.journal.find(&PlaceName { tenant: self.tenant().clone(), kind, id: id.to_owned() })
    }

    /// Conversations after `after` in the order of their ids, and where the next page begins. Those of others neither
    /// appear nor give their ids away.
    pub fn conversations(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<ConversationSummary>, Option<String>), Error> {
        self.listing(Kind::Conversation, after, limit, |id, place| self.summary(&ConversationId::trusted(id), place))
    }

    /// A page of what `read` finds behind the names of one kind.
    fn listing<T>(
        &self,
        kind: Kind,
        after: Option<&str>,
        limit: usize,
        read: impl Fn(&str, Place) -> Result<Option<T>, Error>,
    ) -> Result<(Vec<T>, Option<String>), Error> {
        let (mut page, mut last, mut shown) = (Vec::new(), after.map(str::to_owned), true);
        for _ in 0..SCAN / NAMES {
            let names = self.journal.list(self.tenant(), kind, last.as_deref(), NAMES)?;
            let complete = names.len() < NAMES;
            for (id, place) in names {
                if page.len() == limit {
                    return Ok((page, last.map(|last| if shown { last } else { between(&last, &id) })));
                }
                let found = read(&id, place)?;
                shown = found.is_some();
                page.extend(found);
                last = Some(id);
            }
            if complete {
                return Ok((page, None));
            }
        }
        let next = self.journal.list(self.tenant(), kind, last.as_deref(), 1)?.pop();
        Ok((page, next.zip(last).map(|((next, _), last)| between(&last, &next))))
    }

    /// One conversation.
    pub fn conversation(&self, id: &ConversationId) -> Result<ConversationSummary, Error> {
        let place = self.place(Kind::Conversation, id.as_str())?;
        let summary = place.map(|place| self.summary(id, place)).transpose()?.flatten();
        summary.ok_or_else(|| Error::new(Code::ConversationNotFound, format!("Conversation not found: {id}")))
    }

    fn summary(&self, id: &ConversationId, place: Place) -> Result<Option<ConversationSummary>, Error> {
        let state = loading::state(self.journal, place)?.filter(|state| is_visible(state, self.principal));
        let Some(state) = state else { return Ok(None) };
        let last = loading::page(self.journal, place, id, None, 1)?;
        let updated_at = last.last().map_or(state.created_at, |message| message.created_at);
        let messages = last.last().map_or(0, |message| message.seq);
        Ok(Some(ConversationSummary { id: id.clone(), state, messages, updated_at }))
    }

    /// A page of messages below `before`, oldest first, and where the next older page begins.
    pub fn messages(
        &self,
        id: &ConversationId,
        before: Option<u64>,
        limit: usize,
    ) -> Result<(Vec<Arc<Message>>, Option<u64>), Error> {
        self.conversation(id)?;
        let Some(place) = self.place(Kind::Conversation, id.as_str())? else { return Ok((Vec::new(), None)) };
        let page = loading::page(self.journal, place, id, before, limit.clamp(1, MAX_PAGE))?;
        let next = loading::older(self.journal, place, &page)?;
        Ok((page, next))
    }

    /// A page of messages above `after`, oldest first.
    pub fn messages_after(&self, id: &ConversationId, after: u64, limit: usize) -> Result<Vec<Arc<Message>>, Error> {
        self.conversation(id)?;
        let Some(place) = self.place(Kind::Conversation, id.as_str())? else { return Ok(Vec::new()) };
        loading::page_after(self.journal, place, id, after, limit.clamp(1, MAX_PAGE))
    }

    /// Channels after `after` in the order of their ids, and where the next page begins.
    pub fn channels(&self, after: Option<&str>, limit: usize) -> Result<(Vec<ChannelSummary>, Option<String>), Error> {
        self.listing(Kind::Channel, after, limit, |id, place| {
            let id = ChannelId::trusted(id);
            if self.principal.may_use(&id) { self.channel_summary(id, place) } else { Ok(None) }
        })
    }

    /// One channel.
    pub fn channel(&self, id: &ChannelId) -> Result<ChannelSummary, Error> {
        self.check_channel(id)?;
        let place = self.place(Kind::Channel, id.as_str())?;
        let summary = place.map(|place| self.channel_summary(id.clone(), place)).transpose()?.flatten();
        summary.ok_or_else(|| Error::new(Code::ChannelNotFound, format!("Channel not found: {id}")))
    }

    /// Refuses channels that the credentials do not cover, whether they exist or not.
    fn check_channel(&self, id: &ChannelId) -> Result<(), Error> {
        if self.principal.may_use(id) {
            return Ok(());
        }
        Err(Error::new(Code::Unauthorized, format!("These credentials do not cover the channel {id}")))
    }

    fn channel_summary(&self, id: ChannelId, place: Place) -> Result<Option<ChannelSummary>, Error> {
        let head = self.journal.head(Stream { place, lane: channel::record::PUBLICATIONS })?;
        Ok(channel::reading::state(self.journal, place)?.map(|state| ChannelSummary { id, state, head }))
    }

    /// Publications above `after`, oldest first, and where the next page begins.
    pub fn publications(
        &self,
        id: &ChannelId,
        after: u64,
        limit: usize,
    ) -> Result<(Vec<Arc<Publication>>, Option<u64>), Error> {
        self.check_channel(id)?;
        let place = self.place(Kind::Channel, id.as_str())?;
        let place = place.ok_or_else(|| Error::new(Code::ChannelNotFound, format!("Channel not found: {id}")))?;
        let mut page: Vec<Arc<Publication>> = Vec::new();
        // In pieces, so that large publications make a shorter page and not a larger answer.
        let (mut upto, mut bytes) = (after, 0);
        while page.len() < limit && bytes < PAGE_BYTES {
            let piece = PIECE.min(limit - page.len());
            let read = match channel::reading::page(self.journal, place, self.tenant(), Some(id), upto, piece) {
                // Trimmed while this page was read: what was read stands, and who goes on from there is told.
                Err(error) if error.code == Code::CursorExpired && !page.is_empty() => break,
                read => read?,
            };
            let Some(last) = read.last() else { return Ok((page, None)) };
            upto = last.seq;
            bytes += read.iter().map(|one| one.content.len()).sum::<usize>();
            let all = read.len() < piece;
            page.extend(read);
            if all {
                return Ok((page, None));
            }
        }
        Ok((page, Some(upto)))
    }
}

/// A cursor behind `last` and before `next`, the name that follows it, that says as little of either as possible.
fn between(last: &str, next: &str) -> String {
    let common = last.bytes().zip(next.bytes()).take_while(|(one, other)| one == other).count();
    match next.get(..=common) {
        Some(cut) if cut.len() < next.len() => cut.to_owned(),
        _ => last.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::between;

    #[test]
    fn a_cursor_between_two_names_keeps_their_order_and_says_little() {
        for (last, next, cursor) in
            [("a1b2", "c3d4", "c"), ("a1b2", "a1c3", "a1c"), ("a", "ab", "a"), ("a", "abc", "ab"), ("a", "b", "a")]
        {
            assert_eq!(between(last, next), cursor);
            assert!(last <= cursor && cursor < next, "{last} {cursor} {next}");
        }
    }
}
