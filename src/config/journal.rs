//! `[journal]`: the store under everything that is remembered.

use std::time::Duration;

use serde::Deserialize;

use super::bounds::{Checked, MIB, MINUTE, SECOND, count, size, time};
use super::units;

/// The store under everything that is remembered.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JournalConfig {
    /// Records that may wait for the writer; one commit takes hundreds, so this is some tens of commits.
    #[serde(deserialize_with = "units::count")]
    pub queue_records: usize,
    /// Bytes that may wait for the writer.
    #[serde(deserialize_with = "units::size")]
    pub queue_bytes: usize,
    /// How often a checkpoint is written; a start replays what came after the last one.
    #[serde(deserialize_with = "units::time")]
    pub checkpoint: Duration,
    /// Memory for pages read or written lately, in bytes.
    #[serde(deserialize_with = "units::size")]
    pub cache: usize,
}

impl JournalConfig {
    pub(super) fn check(&self) -> Checked {
        count(self.queue_records, 256..=1_000_000)?;
        size(self.queue_bytes, MIB..=4096 * MIB)?;
        time(self.checkpoint, SECOND..=60 * MINUTE)?;
        size(self.cache, MIB..=65_536 * MIB)
    }
}
