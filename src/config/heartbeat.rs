//! `[heartbeat]`: how a peer that is gone is noticed.

use std::time::Duration;

use serde::Deserialize;

use super::bounds::{Checked, MINUTE, time};
use super::units;

/// How a peer that is gone is noticed.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeartbeatConfig {
    /// How often a WebSocket Ping is sent.
    #[serde(deserialize_with = "units::time")]
    pub ping: Duration,
    /// A peer that sent nothing for this long, not even a Pong, is closed; longer than `ping`.
    #[serde(deserialize_with = "units::time")]
    pub silence: Duration,
    /// On `/ws`: a JSON ping is sent after this long without a frame from the client.
    #[serde(deserialize_with = "units::time")]
    pub idle_ping: Duration,
}

impl HeartbeatConfig {
    pub(super) fn check(&self) -> Checked {
        const LEAST: Duration = Duration::from_millis(100);
        time(self.ping, LEAST..=60 * MINUTE)?;
        time(self.silence, LEAST..=180 * MINUTE)?;
        time(self.idle_ping, LEAST..=60 * MINUTE)
    }
}
