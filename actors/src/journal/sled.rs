//! The journal on the local disk, in sled.
//!
//! Everything written is a log: a commit is a few segments of packed entries (`segment`), for an insert into sled
//! costs about 10 µs whatever its length. Where a stream's records are, what places are called and what is unfinished
//! is in the log as well, but read from two other sources: memory for what happened since the last checkpoint
//! (`state`), keys of their own for what came before (`index`, `names`). One thread writes (`writer`).
//! What was deleted or trimmed is taken out of the log behind the next checkpoint (`sweep`), for sled to use its room
//! again.

mod backup;
mod checkpoint;
mod disk;
mod draft;
mod guard;
mod heads;
mod hold;
mod index;
mod key;
mod lock;
mod names;
mod open;
mod options;
mod page;
mod poison;
mod pulse;
mod queue;
mod replica;
mod reserve;
mod segment;
mod state;
mod store;
mod sweep;
mod verify;
mod watermark;
mod writer;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread::{self, JoinHandle};

pub use backup::Copied;
pub use disk::{Disk, RealDisk};
pub use open::OpenError;
pub use options::Options;
pub use verify::{Look, Verified};

use super::{Batch, Done, Health, Journal, Kind, Place, PlaceName, Position, Record, Size, Stream};
use crate::protocol::{Code, Error, TenantId};
use hold::Held;
use lock::Lock;
use poison::{Poison, streams};
use pulse::{Pulse, unavailable};
use queue::{Closing, Job, Queue};
use replica::Replica;
use state::State;
use store::{Fault, Store};
use writer::{Outcome, Writer};

/// Lanes looked at where all of a place are meant: more than any kind of place has.
const LANES: u8 = 8;

/// Bytes of sled's page cache for a copy, which is written once and not read.
const COPY_CACHE: u64 = 16 << 20;

/// What the writer and the readers share.
#[derive(Debug)]
struct Shared {
    store: Store,
    state: RwLock<State>,
    queue: Queue,
    poison: Poison,
    health: RwLock<Health>,
    next_place: AtomicU64,
    pulse: Pulse,
    settling: Mutex<Held>,
    replica: Option<Replica>,
    /// After the store: nobody else may open it before it is closed.
    _lock: Lock,
}

/// The threads of a journal in use.
#[derive(Debug)]
struct Threads {
    writer: JoinHandle<Result<(), Error>>,
    watchdog: JoinHandle<()>,
    /// Keeps copies in the log elsewhere, until its sender is dropped.
    keeper: Option<(Sender<()>, JoinHandle<()>)>,
}

/// The journal on the local disk. Dropped without [`Journal::close`], it still writes what is queued.
#[derive(Debug)]
pub struct SledJournal {
    shared: Arc<Shared>,
    threads: Mutex<Option<Threads>>,
}

impl SledJournal {
    /// Opens the store in `dir`, making both where they are missing. Blocks while it reads the log behind the last
    /// checkpoint; with a log elsewhere, until this server leads there.
    pub fn open(dir: &Path, options: Options) -> Result<Arc<Self>, OpenError> {
        let opened = open::open(dir, options.disk, options.cache)?;
        let noted = replica::Place::read(&opened.store).map_err(|fault| open::refusal(dir, fault))?.is_some();
        if let Some(log) = &options.log {
            replica::follow(dir, &opened, &**log, options.checkpoint_every)?;
        }
        let shared = Arc::new(Shared {
            store: opened.store,
            state: opened.state,
            queue: Queue::new(options.queue_entries, options.queue_bytes),
            poison: Poison::default(),
            health: RwLock::new(Health::Ready),
            next_place: opened.next_place,
            pulse: Pulse::default(),
            settling: Mutex::default(),
            replica: options.log.map(Replica::new),
            _lock: opened.lock,
        });
        let failed = |source| OpenError::Io { dir: dir.to_owned(), source };
        let writer = Writer::new(Arc::clone(&shared), options.checkpoint_every, noted);
        let writer = thread::Builder::new().name("journal".to_owned()).spawn(move || writer.run()).map_err(failed)?;
        let (watched, stall) = (Arc::clone(&shared), options.stall);
        let watch = move || pulse::watch(&watched, stall);
        let watchdog = thread::Builder::new().name("journal-watch".to_owned()).spawn(watch).map_err(failed)?;
        let keeper = shared.replica.is_some().then(|| keeper(&shared)).transpose().map_err(failed)?;
        Ok(Arc::new(Self { shared, threads: Mutex::new(Some(Threads { writer, watchdog, keeper })) }))
    }

    /// Copies the store as it is now into the folder `to`, which must be empty or missing, while it is in use. `told`
    /// hears how many segments are done, and of how many. Blocks.
    pub fn copy(&self, to: &Path, told: &dyn Fn(u64, u64)) -> Result<Copied, Error> {
        backup::copy(&self.shared, to, COPY_CACHE, told).map_err(|fault| {
            log::error!("the store could not be copied: {fault}");
            Error::new(Code::StoreUnavailable, format!("The store could not be copied: {fault}"))
        })
    }

    /// Walks the store, also while it is in use: sequences, checksums, references. `look` sees each record and may find
    /// fault with it; `told` hears how many were read so far. Blocks.
    pub fn verify(&self, look: Look<'_>, told: &dyn Fn(u64)) -> Result<Verified, Error> {
        Ok(verify::walk(&self.shared, look, told)?)
    }

    fn end(&self, how: Closing) -> Result<(), Error> {
        self.shared.queue.close(how);
        let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Threads { writer, watchdog, keeper }) = threads else { return Ok(()) };
        let keeper = keeper.map(|(_, keeper)| keeper);
        // Dropped by a caller that one of them told something: they end by themselves.
        if [writer.thread().id(), watchdog.thread().id()].contains(&thread::current().id()) {
            return Ok(());
        }
        // The writer is waited for no longer than its disk is; the process may end without it.
        if !self.shared.pulse.wait_for_end() {
            return Err(unavailable());
        }
        let ended = writer.join().unwrap_or_else(|_| Err(Error::internal("The store's writer panicked")));
        // It ends behind the writer, and holds the store until then.
        let _ = watchdog.join();
        let _ = keeper.map(JoinHandle::join);
        ended
    }
}

/// The thread that keeps copies of the store in the log elsewhere.
fn keeper(shared: &Arc<Shared>) -> io::Result<(Sender<()>, JoinHandle<()>)> {
    let (stop, stopped) = mpsc::channel();
    let shared = Arc::clone(shared);
    let keep = move || replica::keep_copies(&shared, &stopped);
    Ok((stop, thread::Builder::new().name("journal-keep".to_owned()).spawn(keep)?))
}

impl Shared {
    /// Tells a caller; what it does with that must not end the writer.
    fn tell(&self, outcome: Outcome) {
        if outcome.result.is_err() {
            self.poison.failed(outcome.job, &outcome.streams);
        }
        let told = catch_unwind(AssertUnwindSafe(|| (outcome.done)(outcome.result)));
        if told.is_err() {
            log::error!("a caller of the journal panicked when it was told the outcome");
        }
    }

    /// Tells those who wait in the queue that nothing is written at the moment.
    fn refuse(&self, jobs: Vec<Job>) {
        for job in jobs {
            let streams = streams(&job.batch).collect();
            self.tell(Outcome { job: job.number, streams, done: job.done, result: Err(unavailable()) });
        }
    }
}

impl Drop for SledJournal {
    fn drop(&mut self) {
        if let Err(error) = self.end(Closing::Dropped) {
            log::error!("the store was dropped with an error: {error}");
        }
    }
}

impl Journal for SledJournal {
    fn find(&self, name: &PlaceName) -> Result<Option<Place>, Error> {
        Ok(names::find(&self.shared.state, &self.shared.store, name)?)
    }

    fn name(&self, place: Place) -> Result<Option<PlaceName>, Error> {
        Ok(names::name(&self.shared.state, &self.shared.store, place)?)
    }

    fn reserve(&self) -> Place {
        Place(self.shared.next_place.fetch_add(1, Ordering::Relaxed))
    }

    fn list(
        &self,
        tenant: &TenantId,
        kind: Kind,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Place)>, Error> {
        Ok(names::list(&self.shared.state, &self.shared.store, (tenant, kind), after, limit)?)
    }

    fn head(&self, stream: Stream) -> Result<u64, Error> {
        self.shared.poison.asked(stream, || self.shared.queue.next_number());
        Ok(page::head(&self.shared.state, &self.shared.store, stream)?)
    }

    fn first(&self, stream: Stream) -> Result<u64, Error> {
        Ok(page::first(&self.shared.state, &self.shared.store, stream)?)
    }

    fn places(&self, after: Place, limit: usize) -> Result<Vec<(Place, PlaceName)>, Error> {
        Ok(names::places(&self.shared.state, &self.shared.store, after, limit)?)
    }

    fn append(&self, batch: Batch, done: Done) {
        let Err(refused) = self.shared.queue.push(batch, done) else { return };
        let (batch, done, error) = *refused;
        let streams: Vec<_> = streams(&batch).collect();
        self.shared.poison.failed(self.shared.queue.next_number(), &streams);
        done(Err(error));
    }

    fn read_after(&self, stream: Stream, after: u64, limit: usize) -> Result<Vec<Record>, Error> {
        Ok(page::read_after(&self.shared.state, &self.shared.store, stream, after, limit)?)
    }

    fn read_before(&self, stream: Stream, before: Option<u64>, limit: usize) -> Result<Vec<Record>, Error> {
        Ok(page::read_before(&self.shared.state, &self.shared.store, stream, before, limit)?)
    }

    fn unfinished(&self) -> Vec<Position> {
        read(&self.shared.state).unfinished()
    }

    fn health(&self) -> Health {
        let health = read(&self.shared.health).clone();
        match &self.shared.replica {
            Some(replica) if health == Health::Ready => replica.health(),
            _ => health,
        }
    }

    fn size(&self) -> Size {
        let bytes = self.shared.store.bytes().unwrap_or(0);
        Size { bytes, records: read(&self.shared.state).records }
    }

    fn close(&self) -> Result<(), Error> {
        self.end(Closing::Orderly)
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        log::error!("the store cannot be used: {fault}");
        match fault {
            Fault::Damaged(what) => Self::internal("The store is damaged").with_details(what),
            Fault::Sled(_) | Fault::Io(_) | Fault::Locked | Fault::Away | Fault::Log(_) | Fault::Stalled(_) => {
                Self::new(Code::StoreUnavailable, "The store cannot be used at the moment")
            }
        }
    }
}

/// A lock for reading, also where a reader panicked: nothing here is left half changed by one.
fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

/// A lock for writing; as [`read`].
fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
