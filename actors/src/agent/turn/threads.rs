//! The threads that brains think on: how many one agent may hold, and all of them together.
//!
//! A brain that blocks keeps its thread, also when its run was given up; nothing in a process can take it back. So that
//! such threads do not take the place of all others, they are counted.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::protocol::{AgentName, Code, Error};

/// Threads of runs that were given up, which an agent may lose before it takes no more. A brain that works and is
/// cancelled gives its thread back within moments.
const MAX_LOST: usize = 8;

/// How long a run waits for one of them to come back.
const WAIT: Duration = Duration::from_secs(1);

/// The threads that one agent may think on.
#[derive(Clone, Debug)]
pub(in crate::agent) struct Threads {
    own: Arc<Semaphore>,
    all: Arc<Semaphore>,
}

/// A thread that may be used; given back when dropped.
#[derive(Debug)]
pub(super) struct Held {
    _own: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
}

impl Threads {
    /// Those of an agent that does so many runs at a time, out of all there are.
    pub(in crate::agent) fn new(concurrency: usize, all: Arc<Semaphore>) -> Self {
        Self { own: Arc::new(Semaphore::new(concurrency.max(1).saturating_add(MAX_LOST))), all }
    }

    /// Waits for a thread.
    ///
    /// # Errors
    /// `AGENT_FAILED` if the agent's earlier runs hold all it may have.
    pub(super) async fn take(&self, name: &AgentName) -> Result<Held, Error> {
        let stuck = || {
            Error::new(Code::AgentFailed, format!("{name} is stuck"))
                .with_details("Its earlier runs were given up and still hold the threads it may have")
        };
        let own = tokio::time::timeout(WAIT, self.own.clone().acquire_owned()).await;
        let own = own.ok().and_then(Result::ok).ok_or_else(stuck)?;
        let all = self.all.clone().acquire_owned().await.map_err(|_| stuck())?;
        Ok(Held { _own: own, _all: all })
    }
}
