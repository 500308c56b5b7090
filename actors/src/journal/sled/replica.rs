//! A store as one of several copies of a log elsewhere (`journal::log`): how it is filled, and when it may be written.
//!
//! The store notes with each commit which log it follows and how far it has come ([`Place`]), in the same batch. A store
//! that is written to without its log is a copy no more; the note goes with the first such commit.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use ::sled::Batch;
use serde::{Deserialize, Serialize};

use super::checkpoint;
use super::open::{OpenError, Opened, refusal, replay};
use super::store::{Fault, Store, seal};
use super::watermark::{Keeper, Watermark};
use super::{key, read, write};
use crate::journal::Health;
use crate::journal::log::{Log, Step};

/// Where a store is in its log.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Place {
    /// Which log.
    pub lineage: String,
    /// What stands up to there is in the store.
    pub position: u64,
}

impl Place {
    /// The place that a store has noted.
    pub fn read(store: &Store) -> Result<Option<Self>, Fault> {
        let Some(value) = store.get(key::LOG)? else { return Ok(None) };
        let place = postcard::from_bytes(&value).map_err(|_| Fault::Damaged("The place in the log".to_owned()))?;
        Ok(Some(place))
    }

    /// Notes it with what `batch` writes.
    pub fn put(&self, batch: &mut Batch) -> Result<(), Fault> {
        let value = postcard::to_allocvec(self).map_err(|error| Fault::Io(std::io::Error::other(error)))?;
        batch.insert(key::LOG, seal(&value));
        Ok(())
    }
}

/// Fills the store from the log until this server leads. Blocks until then.
pub(super) fn follow(dir: &Path, opened: &Opened, log: &dyn Log, every: usize) -> Result<(), OpenError> {
    let fault = |fault| refusal(dir, fault);
    let lineage = log.lineage();
    let mut place = match Place::read(&opened.store).map_err(fault)? {
        Some(place) if place.lineage == lineage => place,
        Some(_) => return Err(OpenError::Foreign { dir: dir.to_owned() }),
        None if read(&opened.state).next_segment == 0 => Place { lineage, position: 0 },
        None => return Err(OpenError::Alone { dir: dir.to_owned() }),
    };
    let mut watermark = Keeper::new(dir);
    loop {
        let next = read(&opened.state).next_segment;
        match log.follow(place.position, next).map_err(|error| fault(error.into()))? {
            Step::Lead { .. } => return Ok(()),
            Step::Apply { segments, position } => {
                place.position = position;
                take_in(opened, next, &segments, &place).map_err(fault)?;
                settle_if_due(opened, &mut watermark, every).map_err(fault)?;
            }
        }
    }
}

/// Writes segments from number `next` on, and takes what they say into the state.
fn take_in(opened: &Opened, next: u64, segments: &[Vec<u8>], place: &Place) -> Result<(), Fault> {
    let mut batch = Batch::default();
    for (number, segment) in (next..).zip(segments) {
        batch.insert(key::segment(number), seal(segment));
    }
    place.put(&mut batch)?;
    opened.store.commit(batch)?;
    let above = replay(&opened.store, &opened.state)?;
    opened.next_place.fetch_max(above, Ordering::Relaxed);
    Ok(())
}

/// A checkpoint, as the writer makes one: what a follower keeps in memory is bounded likewise.
fn settle_if_due(opened: &Opened, watermark: &mut Keeper, every: usize) -> Result<(), Fault> {
    let (batch, mark) = {
        let state = read(&opened.state);
        let mark = Watermark { segments: state.next_segment, records: state.records };
        if !state.is_due(every) {
            watermark.note(mark);
            return Ok(());
        }
        (checkpoint::batch(&opened.store, &state, opened.next_place.load(Ordering::Relaxed))?, mark)
    };
    opened.store.commit(batch)?;
    write(&opened.state).settle();
    Ok(watermark.replace(mark)?)
}

/// The log that a store in use is a copy of.
#[derive(Debug)]
pub(super) struct Replica {
    log: Arc<dyn Log>,
    lineage: String,
}

impl Replica {
    /// A store that has followed `log` to its end.
    pub fn new(log: Arc<dyn Log>) -> Self {
        let lineage = log.lineage();
        Self { log, lineage }
    }

    /// Appends segments from number `first` on to the log, and notes in `batch` that they are there.
    pub fn append(&self, first: u64, segments: &[Vec<u8>], batch: &mut Batch) -> Result<(), Fault> {
        let position = self.log.append(first, segments)?;
        Place { lineage: self.lineage.clone(), position }.put(batch)
    }

    /// Makes void what the log holds from segment `next` on.
    pub fn renew(&self, next: u64) -> Result<(), Fault> {
        self.log.renew(next)?;
        Ok(())
    }

    /// Leads no more.
    pub fn resign(&self) {
        self.log.resign();
    }

    /// Whether the log takes writes.
    pub fn health(&self) -> Health {
        self.log.health()
    }
}
