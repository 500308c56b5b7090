//! Holding still: while somebody copies or walks the store, what a checkpoint or a sweep would change stays as it is.
//! Appends go on.

use std::sync::{Arc, MutexGuard, PoisonError};

use super::Shared;

/// How many hold checkpoints and sweeps off.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub checkpoints: usize,
    pub sweeps: usize,
}

/// Nothing is swept while this lives.
#[derive(Debug)]
pub(super) struct Hold {
    shared: Arc<Shared>,
    checkpoints: bool,
}

impl Hold {
    /// Begins between two changes: no checkpoint and no sweep is half done.
    pub fn new(shared: &Arc<Shared>) -> Self {
        let mut held = held(shared);
        held.checkpoints += 1;
        held.sweeps += 1;
        drop(held);
        Self { shared: Arc::clone(shared), checkpoints: true }
    }

    /// Lets checkpoints go on.
    pub fn release_checkpoints(&mut self) {
        if std::mem::take(&mut self.checkpoints) {
            held(&self.shared).checkpoints -= 1;
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.release_checkpoints();
        held(&self.shared).sweeps -= 1;
    }
}

fn held(shared: &Shared) -> MutexGuard<'_, Held> {
    shared.settling.lock().unwrap_or_else(PoisonError::into_inner)
}
