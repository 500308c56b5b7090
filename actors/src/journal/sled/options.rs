//! How a store is run.

use std::sync::Arc;
use std::time::Duration;

use super::disk::{Disk, RealDisk};
use crate::journal::log::Log;

/// How a store is run. The defaults fit a server; tests and benches change them.
#[derive(Clone, Debug)]
pub struct Options {
    /// Entries that may wait for the writer, and the most of one batch: 8,192 are a fifth of a second's work.
    pub queue_entries: usize,
    /// Bytes that may wait for the writer, and the most of one batch: 32 MiB are nearly as many of the longest records,
    /// and no burden on a small machine.
    pub queue_bytes: usize,
    /// Records after which a checkpoint is due: a start reads up to so many again (16,384 in some 50 ms), and memory
    /// holds where they are (16 bytes each).
    pub checkpoint_every: usize,
    /// Bytes of sled's page cache. Its own default of 1 GB is more than a server beside others should take.
    pub cache: u64,
    /// How long a commit may take until those who wait for it are told that the store is not available: far longer than
    /// the slowest sync of a disk that works.
    pub stall: Duration,
    /// The disk.
    pub disk: Arc<dyn Disk>,
    /// The log of which the store is to be one copy of several; `None`: it stands for itself.
    pub log: Option<Arc<dyn Log>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            queue_entries: 8192,
            queue_bytes: 32 << 20,
            checkpoint_every: 16_384,
            cache: 64 << 20,
            stall: Duration::from_secs(15),
            disk: Arc::new(RealDisk),
            log: None,
        }
    }
}
