//! `[limits]`: how much one session, frame or request may hold.

use serde::Deserialize;

use super::bounds::{Checked, KIB, MIB, count, size};
use super::units;

/// How much one session, frame or request may hold. Each bounds memory that a client could otherwise grow.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitsConfig {
    /// One message of a WebSocket in bytes, fragments joined; a larger one closes with 1009.
    #[serde(deserialize_with = "units::size")]
    pub frame: usize,
    /// The content of one message, task or publication, in bytes; at most `frame`.
    #[serde(deserialize_with = "units::size")]
    pub content: usize,
    /// Items of one batch.
    #[serde(deserialize_with = "units::count")]
    pub batch: usize,
    /// Subscriptions of one session.
    #[serde(deserialize_with = "units::count")]
    pub subscriptions: usize,
    /// Runs of one session that have not ended.
    #[serde(deserialize_with = "units::count")]
    pub runs_in_flight: usize,
    /// Frames that may wait to be written to one session.
    #[serde(deserialize_with = "units::count")]
    pub queue_frames: usize,
    /// Bytes that may wait to be written to one session; one larger frame passes when nothing else waits.
    #[serde(deserialize_with = "units::size")]
    pub queue_bytes: usize,
}

impl LimitsConfig {
    pub(super) fn check(&self) -> Checked {
        size(self.frame, KIB..=64 * MIB)?;
        size(self.content, 1..=64 * MIB)?;
        count(self.batch, 1..=10_000)?;
        count(self.subscriptions, 1..=100_000)?;
        count(self.runs_in_flight, 1..=10_000)?;
        count(self.queue_frames, 16..=1_000_000)?;
        size(self.queue_bytes, 16 * KIB..=1024 * MIB)
    }
}
