//! `[rate]`: how fast one session or address may ask.

use std::time::Duration;

use serde::Deserialize;

use super::bounds::{Checked, MINUTE, count, time};
use super::units;

/// The fastest steady rate that may be set, and the largest burst: past it a limit limits nothing.
const MOST: usize = 10_000_000;

/// How fast one session or address may ask. A burst is at least its rate.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateConfig {
    /// Frames a second from one session.
    #[serde(deserialize_with = "units::count")]
    pub frames_per_second: usize,
    /// Frames from one session that may come at once after a pause.
    #[serde(deserialize_with = "units::count")]
    pub frames_burst: usize,
    /// Frames a second from one session of document 003, where programs publish.
    #[serde(deserialize_with = "units::count")]
    pub channel_frames_per_second: usize,
    /// Frames from one session of document 003 that may come at once after a pause.
    #[serde(deserialize_with = "units::count")]
    pub channel_frames_burst: usize,
    /// HTTP requests a second from one address.
    #[serde(deserialize_with = "units::count")]
    pub requests_per_second: usize,
    /// HTTP requests from one address that may come at once after a pause.
    #[serde(deserialize_with = "units::count")]
    pub requests_burst: usize,
    /// How long a session may stay over its rate before it is closed with 1008.
    #[serde(deserialize_with = "units::time")]
    pub close_after: Duration,
}

impl RateConfig {
    pub(super) fn check(&self) -> Checked {
        for (_, rate, _, burst) in self.pairs() {
            count(rate, 1..=MOST)?;
            count(burst, 1..=MOST)?;
        }
        time(self.close_after, Duration::ZERO..=10 * MINUTE)
    }

    /// Each rate with its burst and the names of both.
    pub(super) fn pairs(&self) -> [(&'static str, usize, &'static str, usize); 3] {
        [
            ("frames_per_second", self.frames_per_second, "frames_burst", self.frames_burst),
            (
                "channel_frames_per_second", self.channel_frames_per_second, "channel_frames_burst",
                self.channel_frames_burst,
            ),
            ("requests_per_second", self.requests_per_second, "requests_burst", self.requests_burst),
        ]
    }
}
