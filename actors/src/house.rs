//! What every actor of the process shares: the journal, the settings, the threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use actix::prelude::*;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::horizon::Horizons;
use crate::journal::Journal;
use crate::protocol::{Code, Error};
use crate::spans::Trace;

/// Threads that brains may think on at a time, over all agents. tokio has 512 for each arbiter; the other half of them
/// reads the journal, whatever brains do.
const MAX_THREADS: usize = 256;

/// How the runtime behaves. The server fills this from its configuration.
#[derive(Clone, Debug)]
pub struct Settings {
    /// After how long a waiting run moves up one level.
    pub aging: Duration,
    /// After how long typing ends by itself.
    pub typing: Duration,
    /// For how long a channel recognises a publication by its id.
    pub dedup: Duration,
    /// For how long a direct message is kept for an agent that is away.
    pub inbox_keep: Duration,
    /// How many direct messages are kept for an agent that is away.
    pub inbox_max: usize,
    /// After how long an actor that nobody uses goes away.
    pub idle: Duration,
    /// How long a run waits for approval.
    pub approval: Duration,
    /// Whether what runs did is kept, so that it can be read and played again.
    pub records: bool,
    /// Where the spans of traces go; nowhere unless it is set.
    pub spans: Trace,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            aging: Duration::from_secs(30),
            typing: Duration::from_secs(10),
            dedup: Duration::from_secs(120),
            inbox_keep: Duration::from_secs(24 * 60 * 60),
            inbox_max: 1000,
            idle: Duration::from_secs(300),
            approval: Duration::from_secs(7 * 24 * 60 * 60),
            records: true,
            spans: Trace::default(),
        }
    }
}

/// What every actor of the process shares.
#[derive(Debug)]
pub struct House {
    /// Where everything is remembered.
    pub journal: Arc<dyn Journal>,
    /// How far back places in use may look.
    pub horizons: Arc<Horizons>,
    /// How the runtime behaves.
    pub settings: Settings,
    since: Instant,
    arbiters: Vec<ArbiterHandle>,
    next_arbiter: AtomicUsize,
    draining: AtomicBool,
    /// Set when the time of a drain is over: no run goes on.
    interrupted: CancellationToken,
    open_runs: AtomicUsize,
    /// The threads that brains may think on.
    threads: Arc<Semaphore>,
}

impl House {
    /// A house over a journal, with this many threads for its actors.
    pub fn new(journal: Arc<dyn Journal>, settings: Settings, arbiters: usize) -> Self {
        Self {
            journal,
            horizons: Arc::default(),
            settings,
            since: Instant::now(),
            arbiters: (0..arbiters.max(1)).map(|_| Arbiter::new().handle()).collect(),
            next_arbiter: AtomicUsize::new(0),
            draining: AtomicBool::new(false),
            interrupted: CancellationToken::new(),
            open_runs: AtomicUsize::new(0),
            threads: Arc::new(Semaphore::new(MAX_THREADS)),
        }
    }

    /// The thread for the next actor: each in turn.
    pub fn arbiter(&self) -> &ArbiterHandle {
        let next = self.next_arbiter.fetch_add(1, Ordering::Relaxed);
        &self.arbiters[next % self.arbiters.len()]
    }

    /// Milliseconds since the start.
    pub fn uptime_ms(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// From here on no new runs are accepted.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// From here on no run goes on; each that is open ends with `INTERRUPTED`.
    pub fn interrupt(&self) {
        self.interrupted.cancel();
    }

    /// Set when no run goes on.
    pub fn interrupted(&self) -> &CancellationToken {
        &self.interrupted
    }

    /// Whether the house takes no new runs.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Refuses new work while the house drains.
    pub fn check_open(&self) -> Result<(), Error> {
        if !self.is_draining() {
            return Ok(());
        }
        Err(Error::new(Code::Unavailable, "The server is shutting down; connect again in a while"))
    }

    /// Accepted runs that have not ended.
    pub fn open_runs(&self) -> usize {
        self.open_runs.load(Ordering::Acquire)
    }

    /// The threads that brains may think on.
    pub(crate) fn threads(&self) -> &Arc<Semaphore> {
        &self.threads
    }

    /// Threads that brains hold, those of runs that were given up too.
    pub fn brain_threads(&self) -> usize {
        MAX_THREADS.saturating_sub(self.threads.available_permits())
    }

    pub(crate) fn run_opened(&self) {
        self.open_runs.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn run_closed(&self) {
        self.open_runs.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Runs work that may block on disk off the arbiter, on the thread pool of the runtime it is called from.
pub(crate) async fn off_arbiter<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(_) => Err(Error::internal("Reading the store failed unexpectedly")),
    }
}
