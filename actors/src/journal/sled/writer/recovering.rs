//! The writer while the store, or the log that it is a copy of, takes no writes.
//!
//! When a commit fails, its callers are told `STORE_UNAVAILABLE` and so is everybody who appends until the store works
//! again. Memory still says what was acknowledged and nothing more, and all that a commit writes is segments from
//! `next_segment` on; so before the store is ready again whatever of them did reach it is removed. Hence no failed
//! commit comes back as a hole, nor its records beside those that take their numbers. Only if the process dies before
//! that may records come back whose callers were told of an error; they are then whole, in order and without a double.

use std::time::{Duration, Instant};

use ::sled::Batch;

use super::super::checkpoint::Checkpoint;
use super::super::store::Fault;
use super::super::{key, read, write};
use super::Writer;
use crate::journal::Health;

/// How long to wait before a failed store is tried again: at first, and at the most.
const WAIT: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

impl Writer {
    /// Answers every append with an error until the store works again, or until the queue is closed.
    pub(super) fn recover(&mut self, fault: &Fault) {
        if *read(&self.shared.health) == Health::Ready {
            self.fail(fault);
        }
        let (mut wait, longest) = WAIT;
        let mut reopen = !matches!(fault, Fault::Log(_));
        loop {
            let deadline = Instant::now() + wait;
            self.refuse_until(deadline);
            if self.shared.queue.closing().is_some() {
                return;
            }
            self.shared.pulse.begin(Vec::new());
            let restored = self.restore(reopen);
            match self.shared.pulse.end().map_err(Fault::Stalled).and(restored) {
                Ok(()) => break,
                Err(fault) => {
                    self.fail(&fault);
                    reopen |= !matches!(fault, Fault::Log(_));
                }
            }
            wait = longest.min(wait * 2);
        }
        log::info!("the store takes writes again");
        *write(&self.shared.health) = Health::Ready;
    }

    fn refuse_until(&self, deadline: Instant) {
        loop {
            let jobs = self.shared.queue.take_until(deadline);
            if jobs.is_empty() {
                return;
            }
            self.shared.refuse(jobs);
        }
    }

    /// Opens the store anew, if it is what failed, and takes what a failed commit left out of it and of its log.
    fn restore(&self, reopen: bool) -> Result<(), Fault> {
        let shared = &self.shared;
        if reopen {
            shared.store.reopen()?;
        }
        let (next, position) = {
            let state = read(&shared.state);
            (state.next_segment, state.position)
        };
        let mut batch = Batch::default();
        for left in shared.store.keys(b"s", &key::segment(next))? {
            batch.remove(left);
        }
        if let Some(replica) = &shared.replica {
            replica.step_back(position, &mut batch)?;
        }
        shared.store.commit(batch)?;
        // A checkpoint that seemed to fail may stand all the same; nothing was committed since.
        if Checkpoint::read(&shared.store)?.next_segment > read(&shared.state).checkpoint {
            write(&shared.state).settle();
        }
        shared.replica.as_ref().map_or(Ok(()), |replica| replica.renew(next))
    }

    pub(super) fn fail(&self, fault: &Fault) {
        log::error!("the store takes no writes: {fault}");
        *write(&self.shared.health) = Health::Failed(fault.to_string());
    }
}
