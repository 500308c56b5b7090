//! The writer thread: the only one that writes.
//!
//! It takes what is queued, makes one commit of it, syncs that, publishes it to the readers and tells the callers, in
//! the order of their appends. While one commit is synced, the next gathers by itself; where many are at work at once,
//! the writer lingers a moment more, so that a commit, which costs the same whatever it holds, serves more of them.
//!
//! What happens when a commit fails stands in `recovering`.

mod recovering;

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use ::sled::Batch;

use super::checkpoint;
use super::draft::{Commit, Draft};
use super::heads::Heads;
use super::poison::streams;
use super::pulse::unavailable;
use super::queue::{Closing, Job, full_queue};
use super::state::Effect;
use super::store::{Fault, seal};
use super::sweep::Sweep;
use super::watermark::{Keeper, Watermark};
use super::{Shared, key, read, write};
use crate::journal::{Done, Health, Stream};
use crate::protocol::Error;

/// Entries of one commit. More would make the first of them wait longer for the sync without making it cheaper.
const ENTRIES: usize = 1024;

/// A commit of so many batches shows that many are at work: what comes while the writer lingers is worth the wait.
const BUSY: usize = 16;

/// How long the writer lingers after a busy commit. sled wakes all the threads of its pool at each commit, which costs
/// more than what is written; half a millisecond saves most of that, and is less than such a commit takes.
const LINGER: Duration = Duration::from_micros(500);

/// Bytes of one commit: sled writes its file in steps of 512 KiB, and a longer commit is more than one of them.
const BYTES: usize = 384 * 1024;

/// How long to wait before looking again whether sweeping is still held off.
const HELD: Duration = Duration::from_millis(100);

/// The writer thread.
#[derive(Debug)]
pub(super) struct Writer {
    shared: Arc<Shared>,
    heads: Heads,
    watermark: Keeper,
    checkpoint_every: usize,
    /// Whether there may be something to sweep, and how long to wait for something else before that.
    dusty: Option<Duration>,
    sweep: Sweep,
    /// Whether the store says that it is a copy of a log elsewhere.
    noted: bool,
    /// Where the last commit ends in that log.
    position: u64,
}

/// Somebody to be told.
pub(super) struct Outcome {
    /// The number of the batch.
    pub job: u64,
    /// The streams it appends to.
    pub streams: Vec<Stream>,
    /// Whom to tell.
    pub done: Done,
    /// What to tell.
    pub result: Result<(), Error>,
}

impl Writer {
    /// A writer that makes a checkpoint after so many records.
    pub fn new(shared: Arc<Shared>, checkpoint_every: usize, noted: bool) -> Self {
        let watermark = Keeper::new(shared.store.dir());
        let (position, dusty) = (read(&shared.state).position, Some(Duration::ZERO));
        Self {
            shared,
            heads: Heads::default(),
            watermark,
            checkpoint_every,
            dusty,
            sweep: Sweep::default(),
            noted,
            position,
        }
    }

    /// Writes until the queue is closed and empty.
    pub fn run(mut self) -> Result<(), Error> {
        let _ended = Ended(Arc::clone(&self.shared));
        let first = self.mark();
        self.watermark.note(first);
        while let Some(jobs) = self.shared.queue.take(ENTRIES, BYTES, self.dusty) {
            let busy = jobs.len() >= BUSY;
            metrics::gauge!("callboard_journal_queue_depth").set(self.shared.queue.len() as f64);
            let written = if jobs.is_empty() { Ok(()) } else { self.commit(jobs) };
            let written = written.and_then(|()| self.checkpoint_if_due()).and_then(|()| self.sweep());
            if let Err(fault) = written {
                self.recover(&fault);
            }
            if busy && self.shared.queue.has_room() {
                thread::sleep(LINGER);
            }
        }
        if *read(&self.shared.health) != Health::Ready {
            return Err(unavailable());
        }
        if self.shared.queue.closing() == Some(Closing::Orderly) {
            self.checkpoint()?;
            if let Some(replica) = &self.shared.replica {
                replica.resign();
            }
        }
        Ok(())
    }

    fn commit(&mut self, jobs: Vec<Job>) -> Result<(), Fault> {
        let started = Instant::now();
        let next = read(&self.shared.state).next_segment;
        let mut draft = Draft::new(&self.shared.state, &self.shared.store, &mut self.heads, next);
        let mut outcomes = Vec::with_capacity(jobs.len());
        for job in jobs {
            outcomes.push(draft_job(&self.shared, &mut draft, job));
        }
        let commit = draft.finish();
        self.shared.pulse.begin(outcomes);
        let written = self.write(next, &commit);
        let (written, mut outcomes) = match self.shared.pulse.end() {
            Ok(outcomes) => (written, outcomes),
            // They were told that it failed; so it has to.
            Err(waited) => (written.and(Err(Fault::Stalled(waited))), Vec::new()),
        };
        match &written {
            Ok(()) => self.publish(next, commit),
            Err(fault) => {
                self.fail(fault);
                for outcome in &mut outcomes {
                    outcome.result = outcome.result.clone().and(Err(unavailable()));
                }
            }
        }
        if !outcomes.is_empty() {
            metrics::histogram!("callboard_commit_seconds").record(started.elapsed().as_secs_f64());
        }
        for outcome in outcomes {
            self.shared.tell(outcome);
        }
        written
    }

    /// Writes and syncs a commit, behind the log that the store is a copy of.
    fn write(&mut self, next: u64, commit: &Commit) -> Result<(), Fault> {
        if commit.segments.is_empty() {
            return Ok(());
        }
        let mut batch = Batch::default();
        for (number, segment) in (next..).zip(&commit.segments) {
            batch.insert(key::segment(number), seal(segment));
        }
        match &self.shared.replica {
            Some(replica) => self.position = replica.append(next, &commit.segments, &mut batch)?,
            None if self.noted => batch.remove(key::LOG),
            None => {}
        }
        self.shared.store.commit(batch)?;
        self.noted &= self.shared.replica.is_some();
        Ok(())
    }

    /// Lets everybody see a commit that is synced.
    fn publish(&mut self, next: u64, commit: Commit) {
        if commit.segments.is_empty() {
            return;
        }
        let segments = commit.segments.len() as u64;
        let mut state = write(&self.shared.state);
        let before = state.records;
        if !commit.effects.iter().any(|effect| matches!(effect, Effect::Appended { .. })) {
            state.empty.extend(next..next + segments);
        }
        for effect in commit.effects {
            self.heads.apply(&effect);
            state.apply(effect);
        }
        state.next_segment = next + segments;
        state.position = self.position;
        metrics::counter!("callboard_journal_records_total").increment(state.records - before);
        drop(state);
        let mark = self.mark();
        self.watermark.note(mark);
    }

    fn mark(&self) -> Watermark {
        let state = read(&self.shared.state);
        Watermark { segments: state.next_segment, records: state.records }
    }

    fn checkpoint_if_due(&mut self) -> Result<(), Fault> {
        let due = read(&self.shared.state).is_due(self.checkpoint_every);
        if due { self.checkpoint() } else { Ok(()) }
    }

    /// Writes a checkpoint, unless somebody copies what it would change: then the next one says it all.
    fn checkpoint(&mut self) -> Result<(), Fault> {
        let shared = Arc::clone(&self.shared);
        let held = shared.settling.lock().unwrap_or_else(PoisonError::into_inner);
        if held.checkpoints > 0 {
            return Ok(());
        }
        shared.pulse.begin(Vec::new());
        let written = self.write_checkpoint();
        shared.pulse.end().map_err(Fault::Stalled).and(written)
    }

    fn write_checkpoint(&mut self) -> Result<(), Fault> {
        let shared = &self.shared;
        let (batch, mark) = {
            let state = read(&shared.state);
            let batch = checkpoint::batch(&shared.store, &state, shared.next_place.load(Ordering::Relaxed))?;
            (batch, Watermark { segments: state.next_segment, records: state.records })
        };
        shared.store.commit(batch)?;
        write(&shared.state).settle();
        self.dusty = Some(Duration::ZERO);
        Ok(self.watermark.replace(mark)?)
    }

    /// Sweeps a little, unless somebody copies what it would change.
    fn sweep(&mut self) -> Result<(), Fault> {
        let shared = Arc::clone(&self.shared);
        let held = shared.settling.lock().unwrap_or_else(PoisonError::into_inner);
        if self.dusty.is_some() {
            self.dusty = match held.sweeps {
                0 => self.sweep.step(&shared.store)?.then_some(Duration::ZERO),
                _ => Some(HELD),
            };
        }
        Ok(())
    }
}

/// Says that the writer has ended, however it does.
struct Ended(Arc<Shared>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.pulse.stop();
    }
}

/// Puts a job into the draft, if it holds.
fn draft_job(shared: &Shared, draft: &mut Draft<'_>, job: Job) -> Outcome {
    let (number, streams) = (job.number, streams(&job.batch).collect::<Vec<_>>());
    let result = if job.refused {
        Err(full_queue())
    } else if shared.poison.forbids(&job) {
        Err(Error::internal("An earlier record of this stream was not written"))
    } else {
        draft.add(job.batch)
    };
    if result.is_err() {
        // At once, not when told: the next job of the same commit may be of the same stream.
        shared.poison.failed(number, &streams);
    }
    Outcome { job: number, streams, done: job.done, result }
}
