//! Servers that are one Callboard: alike but for their names, over the same log.

use std::path::PathBuf;

use crate::harness::rest::token;
use crate::harness::server::{Server, Setup};
use crate::nats::Nats;
use crate::patience::PATIENCE;

/// What servers that are one have in common beside the log: what one signed the others take.
const SECRET: &str = "the same on each of them, and longer than it has to be";

/// How the servers of a test are set up.
#[derive(Clone, Debug)]
pub struct Boards {
    /// Where NATS is; nowhere: there is no log but that of the folder.
    pub servers: Vec<String>,
    /// How long the one that leads may be silent.
    pub silence: &'static str,
    /// The most bytes of the log.
    pub most: &'static str,
    /// How long a write is tried.
    pub stall: &'static str,
    /// Which log.
    pub name: &'static str,
    /// Where one that stands by answers probes, and then serves; nowhere unless it is given.
    pub probes: Option<u16>,
    /// A folder that is there already.
    pub data: Option<PathBuf>,
}

impl Boards {
    /// Over the log that these servers of NATS keep, each a copy.
    pub fn over(nats: &[Nats]) -> Self {
        // Longer than a busy machine keeps a server from its next heartbeat.
        let silence = "5s";
        let servers = nats.iter().map(Nats::url).collect();
        Self { servers, silence, most: "256MiB", stall: "15s", name: "callboard", probes: None, data: None }
    }

    /// Starts a server, with an empty folder unless it is told otherwise, which may lead or stand by.
    pub fn begin(&self, node: &str) -> Server {
        let Self { servers, silence, most, stall, name, probes, data } = self;
        let config = format!(
            r#"
            server.drain = "2s"
            log.filter = "info,access=warn"
            rate = {{ frames_per_second = 100000, frames_burst = 100000 }}
            journal.stall = "{stall}"
            [replication]
            node = "{node}"
            name = "{name}"
            servers = {servers:?}
            replicas = {}
            silence = "{silence}"
            max_bytes = "{most}"
            probes = {}
            "#,
            servers.len().max(1),
            probes.is_some()
        );
        let port = probes.unwrap_or_default();
        Setup { config, port, secret: SECRET.to_owned(), data: data.clone(), ..Setup::default() }.begin()
    }

    /// Starts a server that leads: there is no other.
    pub fn lead(&self, node: &str) -> Server {
        let mut server = self.begin(node);
        server.serving(PATIENCE);
        server
    }

    /// Starts a server beside one that leads.
    pub fn stand_by(&self, node: &str) -> Server {
        let mut server = self.begin(node);
        server.says("standing by", PATIENCE);
        server
    }
}

/// A token that each of them takes.
pub fn any_token(server: &Server) -> String {
    token(server, "acme", "tester", &["--ttl", "1d"])
}
