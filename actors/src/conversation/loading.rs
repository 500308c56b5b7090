//! What the journal knows of a conversation, read when it comes into use.

use std::sync::Arc;

use super::record::{AskRecord, FAILURES, MESSAGES, MessageRecord, STATES, StateRecord};
use super::taped::{self, TAPES, WaitRecord};
use super::{Log, RECENT};
use crate::house::House;
use crate::journal::format::decode;
use crate::journal::{Journal, Place, PlaceName, Record, Stream, read_back, read_on};
use crate::protocol::{ConversationId, Error, Message, Timestamp};
use crate::tape::{Gate, Tape};

/// What the journal knows of a conversation.
pub(super) struct Loaded {
    pub log: Log,
    pub recent: Vec<Arc<Message>>,
    /// Runs that wait for approval, in the order they began to.
    pub waiting: Vec<Restored>,
}

/// A run that waits for approval, as the journal has it.
pub(super) struct Restored {
    /// The place of its wait in the lane of tapes.
    pub seq: u64,
    /// Since when it waits.
    pub at: Timestamp,
    pub wait: WaitRecord,
    pub tape: Tape,
    /// The message that asked for it, and for which runs.
    pub question: Arc<Message>,
    pub ask: AskRecord,
}

/// Reads a conversation; `None` if it has never been made. Blocks.
pub(super) fn load(house: &House, name: &PlaceName, id: &ConversationId) -> Result<Option<Loaded>, Error> {
    let journal = &*house.journal;
    let Some(horizon) = house.horizons.find(journal, name)? else { return Ok(None) };
    let place = horizon.place();
    let head = |lane| journal.head(Stream { place, lane });
    let log = Log {
        horizon,
        state: state(journal, place)?,
        messages: head(MESSAGES)?,
        states: head(STATES)?,
        failures: head(FAILURES)?,
        tapes: head(TAPES)?,
        broken: false,
    };
    let recent = page(journal, place, id, None, RECENT)?;
    let waiting = if log.tapes == 0 { Vec::new() } else { waiting(journal, place, id)? };
    Ok(Some(Loaded { log, recent, waiting }))
}

/// The runs of a conversation that wait for approval. One that cannot be read is left out: a start ends it.
fn waiting(journal: &dyn Journal, place: Place, id: &ConversationId) -> Result<Vec<Restored>, Error> {
    let lane = Stream { place, lane: TAPES };
    let waits = journal.unfinished().into_iter().filter(|position| position.stream == lane);
    let restored = waits.map(|position| restored(journal, place, id, position.seq));
    Ok(restored.collect::<Result<Vec<_>, Error>>()?.into_iter().flatten().collect())
}

fn restored(journal: &dyn Journal, place: Place, id: &ConversationId, seq: u64) -> Result<Option<Restored>, Error> {
    let Some((record, wait, reading)) = taped::wait(journal, place, seq)? else { return Ok(None) };
    let asked = journal.read_after(Stream { place, lane: MESSAGES }, wait.asked_at.saturating_sub(1), 1)?;
    let Some(asked) = asked.first().filter(|asked| asked.seq == wait.asked_at) else { return Ok(None) };
    let question: MessageRecord = decode(asked)?;
    let Some(ask) = question.asks.clone() else { return Ok(None) };
    let approval = reading.opening.as_ref().map(|opening| opening.agent.approval.clone()).unwrap_or_default();
    let tape = Tape::restored(Gate::Ask(approval), reading)?;
    let question = Arc::new(question.into_message(id, asked.seq));
    Ok(Some(Restored { seq, at: record.at, wait, tape, question, ask }))
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
