//! What the journal knows of a conversation, read when it comes into use.

use std::sync::Arc;

use super::record::{FAILURES, MESSAGES, MessageRecord, STATES, StateRecord};
use super::{Log, RECENT};
use crate::journal::format::decode;
use crate::journal::{Journal, Place, PlaceName, Record, Stream, read_back, read_on};
use crate::protocol::{ConversationId, Error, Message};

/// What the journal knows of a conversation.
pub(super) struct Loaded {
    pub log: Log,
    pub recent: Vec<Arc<Message>>,
}

/// Reads a conversation; `None` if it has never been made. Blocks.
pub(super) fn load(journal: &dyn Journal, name: &PlaceName, id: &ConversationId) -> Result<Option<Loaded>, Error> {
    let Some(place) = journal.find(name)? else { return Ok(None) };
    let head = |lane| journal.head(Stream { place, lane });
    let log = Log {
        place,
        state: state(journal, place)?,
        messages: head(MESSAGES)?,
        states: head(STATES)?,
        failures: head(FAILURES)?,
        broken: false,
    };
    let recent = page(journal, place, id, None, RECENT)?;
    Ok(Some(Loaded { log, recent }))
}

/// The state that holds now. Blocks.
pub fn state(journal: &dyn Journal, place: Place) -> Result<Option<StateRecord>, Error> {
    let records = journal.read_before(Stream { place, lane: STATES }, None, 1)?;
    records.last().map(decode).transpose()
}

/// A page of messages below `before`, oldest first. A place that is kept no longer is an error. Blocks.
pub fn page(
    journal: &dyn Journal,
    place: Place,
    id: &ConversationId,
    before: Option<u64>,
    limit: usize,
) -> Result<Vec<Arc<Message>>, Error> {
    messages(&read_back(journal, Stream { place, lane: MESSAGES }, before, limit)?, id)
}

/// Where the page older than this one begins, if there is one. Blocks.
pub fn older(journal: &dyn Journal, place: Place, page: &[Arc<Message>]) -> Result<Option<u64>, Error> {
    let first = journal.first(Stream { place, lane: MESSAGES })?;
    Ok(page.first().map(|message| message.seq).filter(|seq| *seq > first))
}

/// A page of messages above `after`, oldest first. A place that is kept no longer is an error. Blocks.
pub fn page_after(
    journal: &dyn Journal,
    place: Place,
    id: &ConversationId,
    after: u64,
    limit: usize,
) -> Result<Vec<Arc<Message>>, Error> {
    messages(&read_on(journal, Stream { place, lane: MESSAGES }, after, limit)?, id)
}

fn messages(records: &[Record], id: &ConversationId) -> Result<Vec<Arc<Message>>, Error> {
    let message = |record: &Record| {
        let message: MessageRecord = decode(record)?;
        Ok(Arc::new(message.into_message(id, record.seq)))
    };
    records.iter().map(message).collect()
}
