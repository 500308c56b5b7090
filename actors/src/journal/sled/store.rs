//! The one place that touches sled: opens it, reads, writes, syncs; every value sealed with a checksum.
//!
//! sled panics where a page is damaged ([`guarded`]). It also keeps the first error of a write for ever, so a store that
//! failed is dropped and opened anew in place ([`Store::reopen`]).

use std::fmt;
use std::fs::File;
use std::io;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use ::sled::{Batch, Db, IVec};

use super::disk::Disk;
use super::guard::guarded;
use super::{key, reserve};
use crate::journal::log::LogError;

/// The longest value. sled rewrites a leaf of up to 20 values (16, one more before it splits, three of a neighbour it
/// takes over) as one piece, and a piece of more than 128 KiB goes into a file of its own under `blobs`, which sled
/// never syncs: 20 times 6 KiB stays below.
pub(super) const VALUE: usize = 6 * 1024;

/// What the checksum before each value takes.
const SEAL: usize = 4;

/// How long a sled that was dropped may take to let go of its file: its threads finish what they have in hand.
const REMAINS: Duration = Duration::from_secs(5);

/// How often sled tidies up, in milliseconds. Each time it clears one piece of 512 KiB of its file, of which at most half
/// is in use, to write into it again. At sled's usual pace, every 500 ms, a server that trims as much as it writes writes
/// more than that, and its file grows for as long as it is busy; see "Room" in docs/profile.md.
const TIDY_MS: u64 = 100;

/// Pairs read at a time by those who read them all: at most 2 MB.
const PAIRS: usize = 256;

/// Why the store could not do something.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// A read or write failed.
    #[error("{0}")]
    Sled(#[from] ::sled::Error),
    /// A sync failed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// What was read is not what was written.
    #[error("{0} is damaged")]
    Damaged(String),
    /// Another process has sled's file.
    #[error("the file db is locked")]
    Locked,
    /// The store is being opened anew after a failure.
    #[error("the store is being opened again after a failed write")]
    Away,
    /// The log elsewhere, of which the store is a copy.
    #[error("{0}")]
    Log(#[from] LogError),
    /// The disk did not answer in time.
    #[error("the disk has not answered for {} s", .0.as_secs())]
    Stalled(Duration),
}

/// sled, and the descriptor that its file is synced through.
pub(super) struct Store {
    dir: PathBuf,
    disk: Arc<dyn Disk>,
    /// Bytes of sled's page cache.
    cache: u64,
    /// `None` while it is opened anew.
    open: RwLock<Option<Open>>,
}

struct Open {
    db: Db,
    file: File,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("dir", &self.dir).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens or makes the store in `dir`, which nobody else uses.
    pub fn open(dir: &Path, disk: Arc<dyn Disk>, cache: u64) -> Result<Self, Fault> {
        let open = open(dir, cache)?;
        if let Err(error) = reserve::set_aside(dir) {
            log::warn!("no room could be set aside for a day when the disk is full: {error}");
        }
        Ok(Self { dir: dir.to_owned(), disk, cache, open: RwLock::new(Some(open)) })
    }

    /// Where the store is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Drops sled with the error it keeps, and opens it anew once the disk takes writes. Reads go on until then.
    pub fn reopen(&self) -> Result<(), Fault> {
        self.disk.room(&self.dir)?;
        self.open_anew()
    }

    fn open_anew(&self) -> Result<(), Fault> {
        let mut slot = self.open.write().unwrap_or_else(PoisonError::into_inner);
        // Dropped first: sled locks its file, and a second sled would not get the lock.
        drop(slot.take());
        *slot = Some(open(&self.dir, self.cache)?);
        Ok(())
    }

    /// The value under `key`.
    pub fn get(&self, key: &[u8]) -> Result<Option<IVec>, Fault> {
        self.read(|db| Ok(db.get(key)?))?.map(|value| unseal(key, &value)).transpose()
    }

    /// The value under `key` as it stands there, without a seal.
    pub fn get_raw(&self, key: &[u8]) -> Result<Option<IVec>, Fault> {
        self.read(|db| Ok(db.get(key)?))
    }

    /// The last pair with a key at or below `key`.
    pub fn at_or_below(&self, key: &[u8]) -> Result<Option<(IVec, IVec)>, Fault> {
        let found = self.read(|db| Ok(db.range(..=key).next_back().transpose()?))?;
        found.map(|(key, value)| Ok((key.clone(), unseal(&key, &value)?))).transpose()
    }

    /// Hands the pairs from `from` on that begin with `prefix` to `each`, in their order, until it answers `false`.
    pub fn scan(
        &self,
        prefix: &[u8],
        from: &[u8],
        mut each: impl FnMut(&[u8], IVec) -> Result<bool, Fault>,
    ) -> Result<(), Fault> {
        self.pairs(prefix, from, |key, value| each(key, unseal(key, &value)?))
    }

    /// The keys from `from` on that begin with `prefix`, whatever their values.
    pub fn keys(&self, prefix: &[u8], from: &[u8]) -> Result<Vec<IVec>, Fault> {
        let mut keys = Vec::new();
        self.pairs(prefix, from, |key, _| {
            keys.push(key.clone());
            Ok(true)
        })?;
        Ok(keys)
    }

    /// Hands the keys from `from` on that begin with `prefix` to `each`, in their order, until it answers `false`.
    pub fn each_key(&self, prefix: &[u8], from: &[u8], mut each: impl FnMut(&[u8]) -> bool) -> Result<(), Fault> {
        self.pairs(prefix, from, |key, _| Ok(each(key)))
    }

    fn pairs(
        &self,
        prefix: &[u8],
        from: &[u8],
        mut each: impl FnMut(&IVec, IVec) -> Result<bool, Fault>,
    ) -> Result<(), Fault> {
        // Where to go on, if the store is opened anew in between.
        let mut from = Bound::Included(IVec::from(from));
        let mut step = |db: &Db| {
            for pair in db.range((from.clone(), Bound::Unbounded)) {
                let (key, value) = pair?;
                if !key.starts_with(prefix) || !each(&key, value)? {
                    break;
                }
                from = Bound::Excluded(key);
            }
            Ok(())
        };
        self.read(&mut step)
    }

    /// Hands the pairs from `from` on that begin with `prefix` to `each` as they stand there, seals and all, until it
    /// answers `false`. The seals are checked, where there should be one.
    pub fn each_pair(
        &self,
        prefix: &[u8],
        from: &[u8],
        mut each: impl FnMut(&[u8], &[u8]) -> Result<bool, Fault>,
    ) -> Result<(), Fault> {
        let mut from = from.to_vec();
        loop {
            // In pieces, so that a store that failed can be opened anew meanwhile.
            let pairs =
                self.read(|db| Ok(db.range(from.as_slice()..).take(PAIRS).collect::<Result<Vec<_>, _>>()?))?;
            let more = pairs.len() == PAIRS;
            for (key, value) in pairs {
                if !key.starts_with(prefix) {
                    return Ok(());
                }
                if key != key::FORMAT {
                    unseal(&key, &value)?;
                }
                if !each(&key, &value)? {
                    return Ok(());
                }
                from = [&key, &[0][..]].concat();
            }
            if !more {
                return Ok(());
            }
        }
    }

    /// Whether nothing was ever written.
    pub fn is_empty(&self) -> Result<bool, Fault> {
        self.read(|db| Ok(db.first()?.is_none()))
    }

    /// Takes everything out.
    pub fn clear(&self) -> Result<(), Fault> {
        self.with("A page", |db| Ok(db.clear()?))?;
        self.commit(Batch::default())
    }

    /// Bytes on disk.
    pub fn bytes(&self) -> Result<u64, Fault> {
        self.with("The directory", |db| Ok(db.size_on_disk()?))
    }

    /// Writes `batch` whole or not at all; durable with the next commit.
    pub fn apply(&self, batch: Batch) -> Result<(), Fault> {
        self.disk.write()?;
        self.with("A page", |db| Ok(db.apply_batch(batch)?))
    }

    /// Has sled look at its error, if it has one: a writer that sleeps behind a failed write wakes up by that. May wait
    /// for as long as that writer.
    pub fn nudge(&self) {
        let flushed = self.with("A page", |db| Ok(db.flush()?));
        if let Err(fault) = flushed {
            log::warn!("the store was asked how it is: {fault}");
        }
    }

    /// Writes `batch` whole or not at all, and durably.
    ///
    /// sled's flush alone reaches the disk's cache without the file's length and place on it, so that a power cut may
    /// take the whole store: only the sync behind it makes a commit durable.
    pub fn commit(&self, batch: Batch) -> Result<(), Fault> {
        self.disk.write()?;
        self.with("A page", |db| {
            db.apply_batch(batch)?;
            db.flush()?;
            Ok(())
        })?;
        let slot = self.open.read().unwrap_or_else(PoisonError::into_inner);
        let open = slot.as_ref().ok_or(Fault::Away)?;
        Ok(self.disk.sync(&open.file)?)
    }

    /// Reads, if need be from a store that is opened anew behind a failed write: see [`reserve`].
    fn read<T>(&self, mut work: impl FnMut(&Db) -> Result<T, Fault>) -> Result<T, Fault> {
        match self.with("A page", &mut work) {
            Err(Fault::Sled(::sled::Error::Io(error))) if reserve::give_up(&self.dir) => {
                log::warn!("the store is opened again, to be read behind a failed write: {error}");
                self.open_anew()?;
            }
            // Somebody else may have been about it just now.
            Err(Fault::Sled(::sled::Error::Io(_))) => {}
            done => return done,
        }
        self.with("A page", work)
    }

    fn with<T>(&self, what: &str, work: impl FnOnce(&Db) -> Result<T, Fault>) -> Result<T, Fault> {
        let slot = self.open.read().unwrap_or_else(PoisonError::into_inner);
        let open = slot.as_ref().ok_or(Fault::Away)?;
        guarded(what, || work(&open.db))
    }
}

fn open(dir: &Path, cache: u64) -> Result<Open, Fault> {
    let config = ::sled::Config::new().path(dir).cache_capacity(cache).flush_every_ms(Some(TIDY_MS));
    let deadline = Instant::now() + REMAINS;
    let db = loop {
        match guarded("The file db", || Ok(config.open()?)) {
            Err(fault) if is_locked(&fault) && Instant::now() > deadline => return Err(Fault::Locked),
            Err(fault) if is_locked(&fault) => thread::sleep(REMAINS / 500),
            other => break other?,
        }
    };
    let file = File::open(dir.join("db"))?;
    Ok(Open { db, file })
}

/// sled has no error of its own for this.
fn is_locked(fault: &Fault) -> bool {
    matches!(fault, Fault::Sled(::sled::Error::Io(error)) if error.to_string().contains("could not acquire lock"))
}

/// Puts the checksum before a value.
pub(super) fn seal(value: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::with_capacity(SEAL + value.len());
    sealed.extend_from_slice(&crc32fast::hash(value).to_le_bytes());
    sealed.extend_from_slice(value);
    sealed
}

/// Takes the checksum off a value, if it is right.
fn unseal(key: &[u8], sealed: &IVec) -> Result<IVec, Fault> {
    let intact = sealed
        .split_first_chunk::<SEAL>()
        .is_some_and(|(sum, value)| u32::from_le_bytes(*sum) == crc32fast::hash(value));
    if intact { Ok(sealed.subslice(SEAL, sealed.len() - SEAL)) } else { Err(Fault::Damaged(place_of(key))) }
}

/// What people call the value under `key`.
fn place_of(key: &[u8]) -> String {
    match key::segment_number(key) {
        Some(number) => format!("Segment {number}"),
        None => format!("The value under {:?}", String::from_utf8_lossy(key)),
    }
}
