//! The journal: durable, ordered streams of records under everything that is remembered.
//!
//! A place (a conversation, a channel, an inbox, a memory) has a number and up to 256 lanes; a lane of a place is a
//! stream whose records are counted from 1 without holes. Exactly one actor writes a stream and knows its head, so it
//! names the `seq` of each record it appends. The journal knows no record's meaning, only whether it opens an
//! obligation (a run was accepted) or closes one (the run ended), so that recovery finds what a crash left open.

pub mod format;
pub mod log;
pub mod nats;
pub mod nowhere;
pub mod sled;

use std::fmt;

use crate::protocol::{Error, TenantId};

/// What kind of thing a place is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Kind {
    /// A conversation.
    Conversation = 1,
    /// A channel.
    Channel = 2,
    /// Direct messages kept for an agent.
    Inbox = 3,
    /// What the agents of a tenant remember.
    Memory = 4,
    /// What the models of a tenant have used.
    Ledger = 5,
}

/// The name of a place.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct PlaceName {
    /// Whose it is.
    pub tenant: TenantId,
    /// What it is for.
    pub kind: Kind,
    /// Which one: the id of the conversation, channel or agent.
    pub id: String,
}

/// The number of a place; never used again for another.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Place(pub u64);

/// One lane of a place: the unit of order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Stream {
    /// The place.
    pub place: Place,
    /// The lane.
    pub lane: u8,
}

/// Where a record stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Position {
    /// The stream.
    pub stream: Stream,
    /// From 1.
    pub seq: u64,
}

/// A record as read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// From 1, without holes.
    pub seq: u64,
    /// What the writer wrote.
    pub bytes: Vec<u8>,
}

/// One change of a batch.
#[derive(Clone, PartialEq, Debug)]
pub enum Entry {
    /// Gives a place its name. Comes in the same batch as its first record.
    Create {
        /// A number from `Journal::reserve`.
        place: Place,
        /// Not in use.
        name: PlaceName,
    },
    /// Appends a record.
    Append {
        /// Where; its `seq` must be the head of the stream plus one.
        at: Position,
        /// At most 1 MiB.
        bytes: Vec<u8>,
        /// Whether this record stays unfinished until another closes it.
        opens: bool,
        /// The unfinished records that this one closes.
        closes: Vec<Position>,
    },
    /// Closes unfinished records without writing anything.
    Close {
        /// The unfinished records.
        positions: Vec<Position>,
    },
    /// Forgets a place, its name and all its streams.
    Delete {
        /// The place.
        place: Place,
    },
    /// Forgets the records of a stream below `first`. Their numbers are never given again, and a number that is below
    /// the first already changes nothing. The owner of a record that is not finished must not ask for this.
    Trim {
        /// The stream, of a place that is there.
        stream: Stream,
        /// The first record that stays; at most the head plus one. A stream that never had a record may begin anywhere.
        first: u64,
    },
}

/// Changes that happen together or not at all.
pub type Batch = Vec<Entry>;

/// Told once, from the journal's own thread, in the order of the appends: synced to disk, or why not. Must not block.
pub type Done = Box<dyn FnOnce(Result<(), Error>) + Send>;

/// Whether the journal takes writes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Health {
    /// It does.
    Ready,
    /// It does not, for this reason.
    Failed(String),
}

/// How large the journal is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Size {
    /// Bytes on disk.
    pub bytes: u64,
    /// Records appended since the store was made.
    pub records: u64,
}

/// Durable, ordered streams. All reads may block on disk: call them off the arbiters.
pub trait Journal: Send + Sync + fmt::Debug {
    /// The place of that name, if it has been made.
    fn find(&self, name: &PlaceName) -> Result<Option<Place>, Error>;

    /// The name of a place, if it exists.
    fn name(&self, place: Place) -> Result<Option<PlaceName>, Error>;

    /// A number for a place about to be made. Never blocks.
    fn reserve(&self) -> Place;

    /// The names of a tenant's places of one kind, in the order of their ids, those after `after` first.
    fn list(
        &self,
        tenant: &TenantId,
        kind: Kind,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Place)>, Error>;

    /// The `seq` of a stream's last record; 0 if it has none.
    fn head(&self, stream: Stream) -> Result<u64, Error>;

    /// The `seq` of the first record that a stream still has, or will have: 1 unless it was trimmed, at most the head
    /// plus one.
    fn first(&self, stream: Stream) -> Result<u64, Error>;

    /// Places with their names, in the order of their numbers, those above `after`.
    fn places(&self, after: Place, limit: usize) -> Result<Vec<(Place, PlaceName)>, Error>;

    /// Hands a batch to the writer. Never blocks; a full queue is told to `done` as `QUEUE_FULL`.
    ///
    /// After an error in one batch, later batches of the same stream fail as well until its owner has asked for the
    /// head again, so that a stream never has a hole.
    fn append(&self, batch: Batch, done: Done);

    /// Records with a `seq` above `after`, oldest first. What was trimmed is passed over: see [`read_on`].
    fn read_after(&self, stream: Stream, after: u64, limit: usize) -> Result<Vec<Record>, Error>;

    /// The last records with a `seq` below `before` (`None`: the last of all), oldest first.
    fn read_before(&self, stream: Stream, before: Option<u64>, limit: usize) -> Result<Vec<Record>, Error>;

    /// Records that were opened and never closed.
    fn unfinished(&self) -> Vec<Position>;

    /// Whether writes are taken.
    fn health(&self) -> Health;

    /// How large it is.
    fn size(&self) -> Size;

    /// Writes and syncs what is queued, then takes no more. Blocks.
    fn close(&self) -> Result<(), Error>;
}

/// As [`Journal::read_after`], for a reader that goes on where it was: a cursor into what was trimmed is an error rather
/// than a page with a hole before it. From 0 the page begins with the first record there is.
pub fn read_on(journal: &dyn Journal, stream: Stream, after: u64, limit: usize) -> Result<Vec<Record>, Error> {
    let records = journal.read_after(stream, after, limit)?;
    let first = match records.first() {
        Some(first) => first.seq,
        None => journal.first(stream)?,
    };
    if after > 0 && first > after.saturating_add(1) { Err(Error::cursor_expired(first)) } else { Ok(records) }
}

/// As [`Journal::read_before`], for a reader that goes on where it was: a cursor into what was trimmed is an error. Before
/// the first record there is, a page is empty.
pub fn read_back(
    journal: &dyn Journal,
    stream: Stream,
    before: Option<u64>,
    limit: usize,
) -> Result<Vec<Record>, Error> {
    let records = journal.read_before(stream, before, limit)?;
    if records.is_empty()
        && let Some(before) = before
    {
        let first = journal.first(stream)?;
        if before < first {
            return Err(Error::cursor_expired(first));
        }
    }
    Ok(records)
}

#[cfg(test)]
pub(crate) mod fake;
