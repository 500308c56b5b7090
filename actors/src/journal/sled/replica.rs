//! A store as one of several copies of a log elsewhere (`journal::log`): how it is filled, and when it may be written.
//!
//! The store notes with each commit which log it follows and how far it has come ([`Place`]), in the same batch. A store
//! that is written to without its log is a copy no more; the note goes with the first such commit.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use ::sled::Batch;
use serde::{Deserialize, Serialize};

use super::open::{OpenError, Opened, check_format, read_state, refusal, replay};
use super::store::{Fault, Store, seal};
use super::watermark::{Keeper, Watermark};
use super::{Shared, backup, checkpoint, key, read, write};
use crate::journal::Health;
use crate::journal::log::{Log, LogError, Mark, Step};

/// The lineage of a store that is being filled: no log's own.
const FILLING: &str = "filling";

/// Bytes of a copy that go into the log at a time: half of what NATS takes in a message by default.
const PIECE: usize = 512 << 10;

/// How often it is asked whether a copy is due.
const LOOK: Duration = Duration::from_secs(1);

/// How long to wait before a copy that failed is tried again: it is of the whole store.
const AGAIN: Duration = Duration::from_mins(1);

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

    /// Notes it in a commit of its own.
    fn note(&self, opened: &Opened) -> Result<(), Fault> {
        let mut batch = Batch::default();
        self.put(&mut batch)?;
        opened.store.commit(batch)?;
        write(&opened.state).position = self.position;
        Ok(())
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
    let mut watermark = Keeper::new(dir);
    let mut place = begin(dir, opened, log, &mut watermark)?;
    loop {
        let next = read(&opened.state).next_segment;
        match log.follow(place.position, next).map_err(|error| fault(error.into()))? {
            Step::Lead { position } => {
                place.position = position;
                return place.note(opened).map_err(fault);
            }
            Step::Apply { segments, position } => {
                place.position = position;
                take_in(opened, next, &segments, &place).map_err(fault)?;
                settle_if_due(opened, &mut watermark, every).map_err(fault)?;
            }
        }
    }
}

/// Where the store goes on in the log. An empty one begins with the copy that the log keeps, and an empty log with what
/// is in the store.
fn begin(dir: &Path, opened: &Opened, log: &dyn Log, watermark: &mut Keeper) -> Result<Place, OpenError> {
    let fault = |fault| refusal(dir, fault);
    let lineage = log.lineage();
    match Place::read(&opened.store).map_err(fault)? {
        Some(place) if place.lineage == lineage => Ok(place),
        Some(_) => Err(OpenError::Foreign { dir: dir.to_owned() }),
        None if read(&opened.state).next_segment == 0 => {
            let position = fill(opened, log, watermark).map_err(fault)?;
            check_format(&opened.store, None)?;
            Ok(Place { lineage, position })
        }
        None if log.is_empty().map_err(|error| fault(error.into()))? => Ok(Place { lineage, position: 0 }),
        None => Err(OpenError::Alone { dir: dir.to_owned() }),
    }
}

/// Fills an empty store with the copy that the log keeps; answers where that ends in the log.
fn fill(opened: &Opened, log: &dyn Log, watermark: &mut Keeper) -> Result<u64, Fault> {
    let store = &opened.store;
    let mut last = Batch::default();
    let mut begun = false;
    let mark = log.copy(&mut |pairs| {
        let mut batch = Batch::default();
        if !begun {
            let filling = Place { lineage: FILLING.to_owned(), position: 0 };
            filling.put(&mut batch).map_err(|fault| LogError::Unavailable(fault.to_string()))?;
            begun = true;
        }
        for (key, value) in pairs {
            // What says that the store is whole comes last.
            let batch = if key == key::CHECKPOINT { &mut last } else { &mut batch };
            batch.insert(key, value);
        }
        store.commit(batch).map_err(|fault| LogError::Unavailable(fault.to_string()))
    })?;
    let Some(mark) = mark else { return Ok(0) };
    Place { lineage: log.lineage(), position: mark.position }.put(&mut last)?;
    store.commit(last)?;
    let (state, next_place) = read_state(store)?;
    let state = state.into_inner().unwrap_or_else(PoisonError::into_inner);
    if state.next_segment != mark.next {
        return Err(Fault::Damaged("The copy of the store in the log".to_owned()));
    }
    watermark.replace(Watermark { segments: state.next_segment, records: state.records })?;
    *write(&opened.state) = state;
    write(&opened.state).position = mark.position;
    opened.next_place.fetch_max(next_place, Ordering::Relaxed);
    Ok(mark.position)
}

/// Takes out of a store what the process that filled it did not finish.
pub(super) fn empty_half_filled(store: &Store) -> Result<(), Fault> {
    match Place::read(store)? {
        Some(place) if place.lineage == FILLING => store.clear(),
        _ => Ok(()),
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
    write(&opened.state).position = place.position;
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

    /// Appends segments from number `first` on to the log, and notes in `batch` that they are there; answers where they
    /// end.
    pub fn append(&self, first: u64, segments: &[Vec<u8>], batch: &mut Batch) -> Result<u64, Fault> {
        let position = self.log.append(first, segments)?;
        Place { lineage: self.lineage.clone(), position }.put(batch)?;
        Ok(position)
    }

    /// Notes in `batch` that the store is at `position` again: what it had from behind that is taken out. It is read again
    /// if this server should follow next, and may count then.
    pub fn step_back(&self, position: u64, batch: &mut Batch) -> Result<(), Fault> {
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

/// Keeps copies of the store in its log, whenever one is due, until `stop` is dropped.
pub(super) fn keep_copies(shared: &Arc<Shared>, stop: &Receiver<()>) {
    let Some(replica) = &shared.replica else { return };
    let mut wait = LOOK;
    while stop.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
        wait = LOOK;
        if !replica.log.is_copy_due() {
            continue;
        }
        match keep_copy(shared, &*replica.log, stop) {
            Ok(segments) => log::info!("the log keeps a copy of the store now, {segments} segments"),
            Err(fault) => {
                log::warn!("no copy of the store is kept in the log: {fault}");
                wait = AGAIN;
            }
        }
    }
}

fn keep_copy(shared: &Arc<Shared>, log: &dyn Log, stop: &Receiver<()>) -> Result<u64, Fault> {
    let mut keeping = log.keep()?;
    let (mut pairs, mut bytes) = (Vec::new(), 0);
    let (moment, segments) = backup::walk(shared, &|_, _| {}, &mut |key, value| {
        bytes += key.len() + value.len();
        pairs.push((key.to_vec(), value.to_vec()));
        if bytes < PIECE {
            return Ok(());
        }
        bytes = 0;
        if stop.try_recv() == Err(TryRecvError::Disconnected) {
            return Err(LogError::Unavailable("the store is being closed".to_owned()).into());
        }
        Ok(keeping.put(std::mem::take(&mut pairs))?)
    })?;
    keeping.put(pairs)?;
    keeping.finish(Mark { next: moment.next, position: moment.position })?;
    Ok(segments)
}
