//! The writer's pulse, and who feels it: a commit that does not come back must not keep its callers for ever.
//!
//! A disk may stop answering, and sled has a way to sleep on behind a write that failed. The watchdog asks such a sled
//! how it is, which wakes it up; when that does not help it tells everybody who waits that nothing was written, and
//! goes on telling it to whoever comes. Should the commit come back after that, the writer undoes it.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::writer::Outcome;
use super::{Shared, write};
use crate::journal::Health;
use crate::protocol::{Code, Error};

/// How often the pulse is felt.
const BEAT: Duration = Duration::from_millis(100);

/// After how much of what a commit may take sled is asked how it is: a tenth.
const NUDGE: u32 = 10;

/// The writer's pulse.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    inner: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Default)]
struct Inner {
    /// Since when the writer waits for the disk.
    since: Option<Instant>,
    /// Who waits with it.
    waiting: Vec<Outcome>,
    nudged: bool,
    given_up: bool,
    ended: bool,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner").field("since", &self.since).field("given_up", &self.given_up).finish_non_exhaustive()
    }
}

impl Pulse {
    /// The writer is about to wait for the disk, and these with it.
    pub fn begin(&self, waiting: Vec<Outcome>) {
        let mut inner = self.lock();
        *inner = Inner { since: Some(Instant::now()), waiting, ..Inner::default() };
    }

    /// The disk has answered. Those who still wait; or that they have been told already that nothing was written.
    pub fn end(&self) -> Result<Vec<Outcome>, Duration> {
        let mut inner = std::mem::take(&mut *self.lock());
        let waited = inner.since.map_or(Duration::ZERO, |since| since.elapsed());
        if inner.given_up { Err(waited) } else { Ok(std::mem::take(&mut inner.waiting)) }
    }

    /// The writer has ended.
    pub fn stop(&self) {
        self.lock().ended = true;
        self.changed.notify_all();
    }

    /// Waits until the writer has ended. `false`: it does not, the disk does not answer.
    pub fn wait_for_end(&self) -> bool {
        let mut inner = self.lock();
        while !inner.ended && !inner.given_up {
            inner = self.changed.wait_timeout(inner, BEAT).unwrap_or_else(PoisonError::into_inner).0;
        }
        inner.ended
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Minds the writer until it ends. A commit may take as long as `most`.
pub(super) fn watch(shared: &Arc<Shared>, most: Duration) {
    let mut inner = shared.pulse.lock();
    loop {
        inner = shared.pulse.changed.wait_timeout(inner, BEAT).unwrap_or_else(PoisonError::into_inner).0;
        if inner.ended {
            return;
        }
        let Some(age) = inner.since.map(|since| since.elapsed()) else { continue };
        if age >= most / NUDGE && !inner.nudged {
            inner.nudged = true;
            nudge(shared);
        }
        if age < most {
            continue;
        }
        let waiting = std::mem::take(&mut inner.waiting);
        if !inner.given_up {
            inner.given_up = true;
            let reason = format!("the disk has not answered for {} s", age.as_secs());
            log::error!("the store takes no writes: {reason}");
            *write(&shared.health) = Health::Failed(reason);
        }
        drop(inner);
        for mut outcome in waiting {
            outcome.result = outcome.result.and(Err(unavailable()));
            shared.tell(outcome);
        }
        shared.refuse(shared.queue.take_until(Instant::now()));
        inner = shared.pulse.lock();
    }
}

/// On a thread of its own: where it is the disk that does not answer, this waits as well.
fn nudge(shared: &Arc<Shared>) {
    let shared = Arc::clone(shared);
    let spawned = thread::Builder::new().name("journal-nudge".to_owned()).spawn(move || shared.store.nudge());
    if let Err(error) = spawned {
        log::warn!("the store could not be asked how it is: {error}");
    }
}

/// The error while the store takes no writes.
pub(super) fn unavailable() -> Error {
    Error::new(Code::StoreUnavailable, "The store does not take writes at the moment")
}
