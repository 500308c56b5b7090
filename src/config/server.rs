//! `[server]`: where the server listens, what it owns and how much it takes on.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use super::bounds::{Checked, KIB, MIB, MINUTE, count, size, that, time};
use super::units;

/// Where the server listens, what it owns and how much it takes on.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerConfig {
    /// Addresses and ports to listen on; 1 to 16. Port 0 takes a free one.
    #[serde(deserialize_with = "addresses")]
    pub bind: Vec<SocketAddr>,
    /// Threads that serve sockets and HTTP; 0: one a core.
    #[serde(deserialize_with = "units::count")]
    pub workers: usize,
    /// Threads that run agents, conversations and channels; 0: chosen from the cores.
    #[serde(deserialize_with = "units::count")]
    pub arbiters: usize,
    /// The folder of what must outlive the process. Made with mode 0700 if it is not there.
    pub data_dir: PathBuf,
    /// The folder that tools may read, and nothing outside of it.
    pub workspace: PathBuf,
    /// A folder with one TOML file an agent; `None`: the agents that come with the server.
    #[serde(deserialize_with = "units::path")]
    pub agents_dir: Option<PathBuf>,
    /// WebSocket sessions at a time; each may hold its outgoing queue, so this bounds memory.
    #[serde(deserialize_with = "units::count")]
    pub max_sessions: usize,
    /// Sessions at a time from one address; an IPv6 network of /64 counts as one.
    #[serde(deserialize_with = "units::count")]
    pub max_sessions_per_address: usize,
    /// Sessions at a time of one principal: a subject of a tenant, by whatever credentials. The anonymous are none.
    #[serde(deserialize_with = "units::count")]
    pub max_sessions_per_principal: usize,
    /// How long the head of a request may take to come, an upgrade's too, and the handshake of TLS.
    #[serde(deserialize_with = "units::time")]
    pub head_time: Duration,
    /// How long the body of a request may take to come.
    #[serde(deserialize_with = "units::time")]
    pub body_time: Duration,
    /// The largest body of an HTTP request, in bytes.
    #[serde(deserialize_with = "units::size")]
    pub max_body: usize,
    /// Connections that may wait to be accepted, a listening address.
    #[serde(deserialize_with = "units::count")]
    pub backlog: usize,
    /// How long a stopping server waits for runs and sessions to end by themselves.
    #[serde(deserialize_with = "units::time")]
    pub drain: Duration,
}

impl ServerConfig {
    /// Whether every address it listens on is reached from this machine alone.
    pub fn is_loopback(&self) -> bool {
        self.bind.iter().all(|address| address.ip().to_canonical().is_loopback())
    }

    pub(super) fn check(&self) -> Checked {
        that((1..=16).contains(&self.bind.len()), "1 to 16 addresses")?;
        count(self.workers, 0..=256)?;
        count(self.arbiters, 0..=256)?;
        that(!self.data_dir.as_os_str().is_empty(), "the path of a folder")?;
        that(!self.workspace.as_os_str().is_empty(), "the path of a folder")?;
        count(self.max_sessions, 1..=1_000_000)?;
        count(self.max_sessions_per_address, 1..=1_000_000)?;
        count(self.max_sessions_per_principal, 1..=1_000_000)?;
        time(self.head_time, Duration::from_millis(100)..=10 * MINUTE)?;
        time(self.body_time, Duration::from_millis(100)..=60 * MINUTE)?;
        size(self.max_body, KIB..=256 * MIB)?;
        count(self.backlog, 1..=65_535)?;
        time(self.drain, Duration::ZERO..=10 * MINUTE)
    }
}

fn addresses<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<SocketAddr>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    let parse = |text: &String| {
        text.parse().map_err(|_| {
            let expected = "an address and port such as 127.0.0.1:3001 or [::1]:3001";
            serde::de::Error::invalid_value(serde::de::Unexpected::Str(text), &expected)
        })
    };
    texts.iter().map(parse).collect()
}
