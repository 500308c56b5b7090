//! The queue to the writer thread.

use std::collections::VecDeque;
use std::fmt;
use std::mem;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::journal::{Batch, Done, Entry};
use crate::protocol::{Code, Error};

/// Refused batches that wait to be told so in their turn. Past it they are told at once, by the thread that appends:
/// as many as the queue itself takes by default, so that a burst of twice the queue is still answered in order.
const REFUSALS: usize = 8192;

/// What waits for the writer.
pub(super) struct Job {
    /// Counted from 1 in the order of the appends.
    pub number: u64,
    /// What is to be written.
    pub batch: Batch,
    /// The queue was full.
    pub refused: bool,
    /// Whom to tell.
    pub done: Done,
}

/// The queue to the writer thread, bounded in entries and in bytes.
pub(super) struct Queue {
    inner: Mutex<Inner>,
    changed: Condvar,
    most_entries: usize,
    most_bytes: usize,
}

#[derive(Default)]
struct Inner {
    jobs: VecDeque<Job>,
    entries: usize,
    bytes: usize,
    refusals: usize,
    number: u64,
    closing: Option<Closing>,
}

/// How the writer is to end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Closing {
    /// With a checkpoint.
    Orderly,
    /// With what is queued alone.
    Dropped,
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = self.lock();
        f.debug_struct("Queue").field("jobs", &inner.jobs.len()).field("bytes", &inner.bytes).finish_non_exhaustive()
    }
}

impl Queue {
    /// A queue that takes so many entries and bytes.
    pub fn new(most_entries: usize, most_bytes: usize) -> Self {
        Self { inner: Mutex::default(), changed: Condvar::new(), most_entries, most_bytes }
    }

    /// Adds a batch; one longer than the whole queue is never taken. What cannot even be refused in turn comes back with its error: it was not numbered.
    pub fn push(&self, batch: Batch, done: Done) -> Result<(), Box<(Batch, Done, Error)>> {
        let (entries, bytes) = weight(&batch);
        let mut inner = self.lock();
        if inner.closing.is_some() {
            drop(inner);
            return Err(Box::new((batch, done, Error::new(Code::Unavailable, "The store is closed"))));
        }
        let refused = inner.entries + entries > self.most_entries || inner.bytes + bytes > self.most_bytes;
        if refused && inner.refusals >= REFUSALS {
            drop(inner);
            return Err(Box::new((batch, done, full_queue())));
        }
        if refused {
            inner.refusals += 1;
        } else {
            inner.entries += entries;
            inner.bytes += bytes;
        }
        inner.number += 1;
        let number = inner.number;
        let batch = if refused { without_bytes(batch) } else { batch };
        inner.jobs.push_back(Job { number, batch, refused, done });
        // The writer waits for nothing but an empty queue to end; waking it is a call of the system.
        let was_empty = inner.jobs.len() == 1;
        drop(inner);
        if was_empty {
            self.changed.notify_one();
        }
        Ok(())
    }

    /// Waits for batches and takes what is there, up to so many entries and bytes, but one batch at least. `None`
    /// once the queue is closed and empty; nothing once `patience` has passed, if there is one.
    pub fn take(&self, entries: usize, bytes: usize, patience: Option<Duration>) -> Option<Vec<Job>> {
        let deadline = patience.map(|patience| Instant::now() + patience);
        let mut inner = self.lock();
        while inner.jobs.is_empty() {
            if inner.closing.is_some() {
                return None;
            }
            let Some(deadline) = deadline else {
                inner = self.changed.wait(inner).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if left == Duration::ZERO {
                return Some(Vec::new());
            }
            inner = self.changed.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        let mut jobs = Vec::new();
        let (mut some_entries, mut some_bytes) = (0, 0);
        while let Some(job) = inner.jobs.front() {
            let (next_entries, next_bytes) = weight(&job.batch);
            if !jobs.is_empty() && (some_entries + next_entries > entries || some_bytes + next_bytes > bytes) {
                break;
            }
            some_entries += next_entries;
            some_bytes += next_bytes;
            jobs.extend(inner.pop());
        }
        Some(jobs)
    }

    /// Takes everything there is, waiting for something until `deadline`. Empty once that has passed, or once the
    /// queue is closed.
    pub fn take_until(&self, deadline: Instant) -> Vec<Job> {
        let mut inner = self.lock();
        while inner.jobs.is_empty() && inner.closing.is_none() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left == Duration::ZERO {
                break;
            }
            inner = self.changed.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        (inner.entries, inner.bytes, inner.refusals) = (0, 0, 0);
        mem::take(&mut inner.jobs).into()
    }

    /// Whether more than half of the queue is free, and it is open: the writer may let it fill.
    pub fn has_room(&self) -> bool {
        let inner = self.lock();
        inner.closing.is_none() && inner.entries * 2 < self.most_entries && inner.bytes * 2 < self.most_bytes
    }

    /// Batches that wait.
    pub fn len(&self) -> usize {
        self.lock().jobs.len()
    }

    /// The number that the next batch gets.
    pub fn next_number(&self) -> u64 {
        self.lock().number + 1
    }

    /// Takes no more from now on. The first word counts.
    pub fn close(&self, how: Closing) {
        self.lock().closing.get_or_insert(how);
        self.changed.notify_all();
    }

    /// Whether and how it was closed.
    pub fn closing(&self) -> Option<Closing> {
        self.lock().closing
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn pop(&mut self) -> Option<Job> {
        let job = self.jobs.pop_front()?;
        let (entries, bytes) = weight(&job.batch);
        if job.refused {
            self.refusals -= 1;
        } else {
            self.entries -= entries;
            self.bytes -= bytes;
        }
        Some(job)
    }
}

/// The error for what the queue does not take.
pub(super) fn full_queue() -> Error {
    Error::new(Code::QueueFull, "The store has too much to write; try again after a while")
}

/// Entries and bytes that a batch takes up; an empty one counts as one entry.
fn weight(batch: &Batch) -> (usize, usize) {
    let bytes = batch.iter().map(|entry| match entry {
        Entry::Append { bytes, closes, .. } => bytes.len() + size_of_val(closes.as_slice()),
        Entry::Close { positions } => size_of_val(positions.as_slice()),
        Entry::Create { name, .. } => name.id.len(),
        Entry::Delete { .. } | Entry::Trim { .. } => 0,
    });
    (batch.len().max(1), bytes.sum::<usize>() + size_of_val(batch.as_slice()))
}

/// What a refused batch still says: its streams.
fn without_bytes(mut batch: Batch) -> Batch {
    for entry in &mut batch {
        if let Entry::Append { bytes, .. } = entry {
            *bytes = Vec::new();
        }
    }
    batch
}
