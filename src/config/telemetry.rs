//! `[telemetry]`: where the spans of traces go.

use serde::Deserialize;

use super::bounds::{Checked, that};
use super::units;

/// Where the spans of traces go.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TelemetryConfig {
    /// The address of a collector of OTLP over HTTP; `None`: spans go nowhere, and none are made.
    #[serde(deserialize_with = "units::text")]
    pub otlp: Option<String>,
    /// What this server is called in traces.
    pub service: String,
}

impl TelemetryConfig {
    pub(super) fn check(&self) -> Checked {
        let address = self.otlp.as_deref().unwrap_or("http://");
        that(address.starts_with("http://") || address.starts_with("https://"), "an address of http:// or https://")?;
        that((1..=128).contains(&self.service.len()), "a name of 1 to 128 characters")
    }
}
