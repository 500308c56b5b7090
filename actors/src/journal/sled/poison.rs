//! Streams with a batch that failed: later batches fail too, until the owner has asked for the head.
//!
//! What was appended before the owner asked is refused even where it is reached afterwards, and does not poison the
//! stream again: only the owner's next word counts.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::queue::Job;
use crate::journal::{Batch, Entry, Stream};

/// Poisoned streams remembered. Past it a stream is not remembered; the check of `seq` still keeps it without holes.
const MOST: usize = 65_536;

/// Streams with a batch that failed, each with the number of the first job that may pass; `u64::MAX` until the owner
/// asks.
#[derive(Debug, Default)]
pub(super) struct Poison(Mutex<HashMap<Stream, u64>>);

impl Poison {
    /// Whether a batch appended as number `job` must fail for one before it.
    pub fn forbids(&self, job: &Job) -> bool {
        let mut poisoned = self.lock();
        let forbidden = streams(&job.batch).any(|stream| poisoned.get(&stream).is_some_and(|from| job.number < *from));
        if !forbidden && !poisoned.is_empty() {
            for stream in streams(&job.batch) {
                poisoned.remove(&stream);
            }
        }
        forbidden
    }

    /// The batch with number `job` failed.
    pub fn failed(&self, job: u64, streams: &[Stream]) {
        let mut poisoned = self.lock();
        for stream in streams {
            let asked_since = poisoned.get(stream).is_some_and(|from| *from != u64::MAX && job < *from);
            if !asked_since && (poisoned.len() < MOST || poisoned.contains_key(stream)) {
                poisoned.insert(*stream, u64::MAX);
            }
        }
    }

    /// The owner asks for the head; what it appends from number `next` on may pass.
    pub fn asked(&self, stream: Stream, next: impl FnOnce() -> u64) {
        if let Some(from) = self.lock().get_mut(&stream) {
            *from = next();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Stream, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The streams that a batch appends to.
pub(super) fn streams(batch: &Batch) -> impl Iterator<Item = Stream> {
    batch.iter().filter_map(|entry| match entry {
        Entry::Append { at, .. } => Some(at.stream),
        _ => None,
    })
}
