//! `[replication]`: the log in NATS by which a second server takes over.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::bounds::{Checked, MIB, MINUTE, SECOND, size, that, time};
use super::units;

/// The log in NATS by which a second server takes over.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplicationConfig {
    /// Addresses of NATS servers, at most 16; none: there is no such log.
    pub servers: Vec<String>,
    /// A file with NATS credentials; `None`: none, or those in the addresses.
    #[serde(deserialize_with = "units::path")]
    pub credentials: Option<PathBuf>,
    /// The certificates that NATS servers are trusted by, as PEM; `None`: the system's.
    #[serde(deserialize_with = "units::path")]
    pub ca_file: Option<PathBuf>,
    /// Names the stream and the subjects: 1 to 32 of `A-Z a-z 0-9 _ -`.
    pub name: String,
    /// What this server is called in messages; `None`: what its machine is called.
    #[serde(deserialize_with = "units::text")]
    pub node: Option<String>,
    /// Copies that JetStream keeps.
    #[serde(deserialize_with = "units::count")]
    pub replicas: usize,
    /// The most bytes of the log.
    #[serde(deserialize_with = "units::size")]
    pub max_bytes: usize,
    /// How long the server that leads may be silent until another takes its place.
    #[serde(deserialize_with = "units::time")]
    pub silence: Duration,
    /// Whether a server that stands by answers probes.
    pub probes: bool,
}

impl ReplicationConfig {
    /// Whether there is such a log.
    pub fn is_on(&self) -> bool {
        !self.servers.is_empty()
    }

    pub(super) fn check(&self) -> Checked {
        that(self.servers.len() <= 16, "up to 16 addresses")?;
        let known = |server: &String| server.starts_with("nats://") || server.starts_with("tls://");
        that(self.servers.iter().all(known), "addresses of nats:// or tls://")?;
        let letter = |letter: char| letter.is_ascii_alphanumeric() || "_-".contains(letter);
        let named = (1..=32).contains(&self.name.len()) && self.name.chars().all(letter);
        that(named, "a name of 1 to 32 letters, digits, `_` and `-`")?;
        that(self.node.as_ref().is_none_or(|node| node.len() <= 64), "a name of up to 64 characters")?;
        that([1, 3, 5].contains(&self.replicas), "1, 3 or 5")?;
        size(self.max_bytes, MIB..=1024 * 1024 * MIB)?;
        time(self.silence, SECOND..=10 * MINUTE)
    }
}
