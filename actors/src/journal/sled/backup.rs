//! Copies of a store in use, as of one moment.
//!
//! What a checkpoint writes is copied while checkpoints are held off, which takes as long as the index is large, and so
//! is the log behind the last one, of which the next takes out what holds no record; the log before that, of which
//! sweeps alone take out something, while these are held off. Appends go on all the time. The copy is a store of its own,
//! with everything dead left out by sled itself.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use ::sled::Batch;

use super::disk::RealDisk;
use super::hold::Hold;
use super::store::{Fault, Store};
use super::watermark::{Keeper, Watermark};
use super::{Shared, key, read};

/// Bytes that go into the copy at a time.
const BYTES: usize = 1 << 20;

/// What a copy holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Copied {
    /// Records appended until the moment of the copy; those trimmed or deleted since are not in it.
    pub records: u64,
    /// Segments of the log that are in it.
    pub segments: u64,
}

/// Copies the store as it is now into the folder `to`, which must be empty or missing. `told` hears how many segments
/// there will be and how many are done.
pub(super) fn copy(shared: &Arc<Shared>, to: &Path, cache: u64, told: &dyn Fn(u64, u64)) -> Result<Copied, Fault> {
    std::fs::create_dir_all(to)?;
    if std::fs::read_dir(to)?.next().is_some() {
        return Err(std::io::Error::new(std::io::ErrorKind::AlreadyExists, "the folder is not empty").into());
    }
    let target = Store::open(to, Arc::new(RealDisk), cache)?;
    let mut copy = Copy { target, batch: Batch::default(), bytes: 0 };
    let (moment, done) = walk(shared, told, &mut |key, value| copy.put(key, value))?;
    copy.finish()?;
    // A sled that is closed writes what makes it quick to open.
    Keeper::new(to).replace(Watermark { segments: moment.next, records: moment.records })?;
    std::fs::File::open(to)?.sync_all()?;
    Ok(Copied { records: moment.records, segments: done })
}

/// The moment that a copy is of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    /// The next segment.
    pub next: u64,
    /// Records appended.
    pub records: u64,
    /// Where the store was in its log.
    pub position: u64,
}

/// Takes a key and its value.
type Put<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> Result<(), Fault>;

/// Hands every pair of the store as it is now to `put`; answers which moment that was, and how many segments.
pub(super) fn walk(shared: &Arc<Shared>, told: &dyn Fn(u64, u64), put: Put<'_>) -> Result<(Moment, u64), Fault> {
    let mut hold = Hold::new(shared);
    // Noted behind the hold: whatever the index that is copied speaks of stands before these.
    let (moment, checkpoint) = {
        let state = read(&shared.state);
        let moment = Moment { next: state.next_segment, records: state.records, position: state.position };
        (moment, state.checkpoint)
    };
    for letter in [b"f", b"i", b"m", b"n", b"p", b"u", b"x"] {
        shared.store.each_pair(letter, letter, |key, value| {
            // A copy is no part of the log that this store is a part of.
            if key == key::LOG { Ok(true) } else { put(key, value).map(|()| true) }
        })?;
    }
    let mut done = 0;
    let mut segments = |numbers: Range<u64>| {
        let last = key::segment(numbers.end);
        shared.store.each_pair(b"s", &key::segment(numbers.start), |key, value| {
            if key >= last.as_slice() {
                return Ok(false);
            }
            done += 1;
            told(done, moment.next);
            put(key, value).map(|()| true)
        })
    };
    segments(checkpoint..moment.next)?;
    hold.release_checkpoints();
    segments(0..checkpoint)?;
    Ok((moment, done))
}

struct Copy {
    target: Store,
    batch: Batch,
    bytes: usize,
}

impl Copy {
    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), Fault> {
        self.batch.insert(key, value);
        self.bytes += key.len() + value.len();
        if self.bytes >= BYTES {
            self.bytes = 0;
            self.target.apply(std::mem::take(&mut self.batch))?;
        }
        Ok(())
    }

    fn finish(self) -> Result<(), Fault> {
        self.target.commit(self.batch)
    }
}
