//! The journal on the local disk, in sled.
//!
//! Everything written is a log: a commit is a few segments of packed entries (`segment`), for an insert into sled
//! costs about 10 µs whatever its length. Where a stream's records are, what places are called and what is unfinished
//! is in the log as well, but read from two other sources: memory for what happened since the last checkpoint
//! (`state`), keys of their own for what came before (`index`, `names`). One thread writes (`writer`).
//! Space of deleted places is not given back here.

mod checkpoint;
mod disk;
mod draft;
mod heads;
mod index;
mod key;
mod names;
mod open;
mod page;
mod poison;
mod queue;
mod segment;
mod state;
mod store;
mod watermark;
mod writer;

use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread::{self, JoinHandle};

pub use disk::{Disk, RealDisk};
pub use open::OpenError;

use super::{Batch, Done, Health, Journal, Kind, Place, PlaceName, Position, Record, Size, Stream};
use crate::protocol::{Code, Error, TenantId};
use poison::{Poison, streams};
use queue::{Closing, Queue};
use state::State;
use store::{Fault, Store};
use writer::Writer;

/// How a store is run. The defaults fit a server; tests and benches change them.
#[derive(Clone, Debug)]
pub struct Options {
    /// Entries that may wait for the writer, and the most of one batch: 8,192 are a fifth of a second's work.
    pub queue_entries: usize,
    /// Bytes that may wait for the writer, and the most of one batch: 32 MiB are nearly as many of the longest records,
    /// and no burden on a small machine.
    pub queue_bytes: usize,
    /// Records after which a checkpoint is due: a start reads up to so many again (16,384 in some 50 ms), and memory
    /// holds where they are (16 bytes each).
    pub checkpoint_every: usize,
    /// Bytes of sled's page cache. Its own default of 1 GB is more than a server beside others should take.
    pub cache: u64,
    /// The disk.
    pub disk: Arc<dyn Disk>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            queue_entries: 8192,
            queue_bytes: 32 << 20,
            checkpoint_every: 16_384,
            cache: 64 << 20,
            disk: Arc::new(RealDisk),
        }
    }
}

/// What the writer and the readers share.
#[derive(Debug)]
struct Shared {
    store: Store,
    state: RwLock<State>,
    queue: Queue,
    poison: Poison,
    health: RwLock<Health>,
    next_place: AtomicU64,
    /// After the store: nobody else may open it before it is closed.
    _lock: File,
}

/// The journal on the local disk. Dropped without [`Journal::close`], it still writes what is queued.
#[derive(Debug)]
pub struct SledJournal {
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<Result<(), Error>>>>,
}

impl SledJournal {
    /// Opens the store in `dir`, making both where they are missing. Blocks while it reads the log behind the last
    /// checkpoint.
    pub fn open(dir: &Path, options: Options) -> Result<Arc<Self>, OpenError> {
        let opened = open::open(dir, options.disk, options.cache)?;
        let shared = Arc::new(Shared {
            store: opened.store,
            state: opened.state,
            queue: Queue::new(options.queue_entries, options.queue_bytes),
            poison: Poison::default(),
            health: RwLock::new(Health::Ready),
            next_place: AtomicU64::new(opened.next_place),
            _lock: opened.lock,
        });
        let writer = Writer::new(Arc::clone(&shared), options.checkpoint_every);
        let writer = thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || writer.run())
            .map_err(|source| OpenError::Io { dir: dir.to_owned(), source })?;
        Ok(Arc::new(Self { shared, writer: Mutex::new(Some(writer)) }))
    }

    fn end(&self, how: Closing) -> Result<(), Error> {
        self.shared.queue.close(how);
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        match writer {
            // Dropped by a caller that the writer told something: it ends by itself.
            Some(writer) if writer.thread().id() == thread::current().id() => Ok(()),
            Some(writer) => writer.join().unwrap_or_else(|_| Err(Error::internal("The store's writer panicked"))),
            None => Ok(()),
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
        read(&self.shared.health).clone()
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
            Fault::Sled(_) | Fault::Io(_) | Fault::Locked | Fault::Away => {
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
