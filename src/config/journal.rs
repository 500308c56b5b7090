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
    /// Records after which a checkpoint is written; a start reads again what came after the last one.
    #[serde(deserialize_with = "units::count")]
    pub checkpoint_records: usize,
    /// Memory for pages read or written lately, in bytes.
    #[serde(deserialize_with = "units::size")]
    pub cache: usize,
    /// How long a write may take until those who wait for it are told that the store does not take writes.
    #[serde(deserialize_with = "units::time")]
    pub stall: Duration,
}

impl JournalConfig {
    pub(super) fn check(&self) -> Checked {
        count(self.queue_records, 256..=1_000_000)?;
        size(self.queue_bytes, MIB..=4096 * MIB)?;
        count(self.checkpoint_records, 256..=10_000_000)?;
        size(self.cache, MIB..=65_536 * MIB)?;
        time(self.stall, SECOND..=10 * MINUTE)
    }
}
