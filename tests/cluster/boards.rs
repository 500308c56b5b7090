//! Servers that are one Callboard: alike but for their names, over the same log.

use crate::harness::rest::token;
use crate::harness::server::{Server, Setup};
use crate::nats::Nats;
use crate::patience::PATIENCE;

/// What makes servers one Callboard, beside the log: what one signed the others take.
const SECRET: &str = "the same on each of them, and longer than it has to be";

/// How the servers of a test are set up.
#[derive(Clone, Debug)]
pub struct Boards {
    /// Lines of `[replication]`.
    pub replication: String,
    /// Whole sections.
    pub more: String,
}

impl Boards {
    /// Over the log that these servers of NATS keep, as many times as there are servers.
    pub fn over(nats: &[Nats]) -> Self {
        let servers: Vec<String> = nats.iter().map(Nats::url).collect();
        Self { replication: format!("servers = {servers:?}\nreplicas = {}\n", nats.len()), more: String::new() }
    }

    /// Another takes over after so long without a word of the one that leads.
    pub fn silence(mut self, silence: &str) -> Self {
        self.replication.push_str(&format!("silence = {silence:?}\n"));
        self
    }

    /// The largest log.
    pub fn most(mut self, bytes: &str) -> Self {
        self.replication.push_str(&format!("max_bytes = {bytes:?}\n"));
        self
    }

    /// How long clients wait for a log that takes nothing.
    pub fn stall(mut self, stall: &str) -> Self {
        self.more.push_str(&format!("[journal]\nstall = {stall:?}\n"));
        self
    }

    /// Starts a server, with an empty folder, that may lead or stand by.
    pub fn begin(&self, node: &str) -> Server {
        let Self { replication, more } = self;
        let config = format!(
            "[server]\ndrain = \"2s\"\n[log]\nfilter = \"info,access=warn\"\n[rate]\nframes_per_second = 100000\nframes_burst = 100000\n{more}\
             [replication]\nnode = {node:?}\n{replication}"
        );
        Setup { config, secret: SECRET.to_owned(), ..Setup::default() }.begin()
    }

    /// Starts a server that leads: there is no other.
    pub fn lead(&self, node: &str) -> Server {
        let mut server = self.begin(node);
        server.serving(PATIENCE);
        server
    }

    /// A token that each of them takes.
    pub fn token(server: &Server) -> String {
        token(server, "acme", "tester", &["--ttl", "1d"])
    }

    /// Starts a server beside one that leads.
    pub fn stand_by(&self, node: &str) -> Server {
        let mut server = self.begin(node);
        server.says("standing by", PATIENCE);
        server
    }
}
