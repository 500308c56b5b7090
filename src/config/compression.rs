//! `[compression]`: `permessage-deflate` for the clients that offer it.

use serde::Deserialize;

use super::bounds::{Checked, MIB, size};
use super::units;

/// `permessage-deflate` for the clients that offer it.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompressionConfig {
    /// Whether such an offer is taken.
    pub enabled: bool,
    /// Messages below this many bytes go uncompressed.
    #[serde(deserialize_with = "units::size")]
    pub floor: usize,
    /// Whether each session keeps the context of its messages, where the client lets it: up to 350 KiB a session.
    pub context_takeover: bool,
}

impl CompressionConfig {
    pub(super) fn check(&self) -> Checked {
        size(self.floor, 0..=64 * MIB)
    }
}
