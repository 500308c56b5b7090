//! Opens the journal: on the local disk, or as one copy of a log in NATS when it is this server's turn to lead.

use std::sync::Arc;

use callboard_actors::journal::log::Log;
use callboard_actors::journal::nats::{self, NatsLog};
use callboard_actors::journal::sled::{Options, SledJournal};
use callboard_actors::recovery::{self, Recovered};

use crate::config::Config;

/// Where Linux says what the machine is called.
const HOST: &str = "/proc/sys/kernel/hostname";

/// A journal, ready to be written.
pub struct Opened {
    /// The journal.
    pub journal: Arc<SledJournal>,
    /// The log that it is a copy of, if there is one.
    pub log: Option<Arc<NatsLog>>,
    /// What a crash had left open.
    pub recovered: Recovered,
}

/// Opens it, and ends what a crash left open. Blocks; where another server leads, until that one is gone.
pub fn open(config: &Config) -> anyhow::Result<Opened> {
    let log = open_log(config)?;
    let options = Options {
        queue_entries: config.journal.queue_records,
        queue_bytes: config.journal.queue_bytes,
        checkpoint_every: config.journal.checkpoint_records,
        cache: config.journal.cache as u64,
        stall: config.journal.stall,
        log: log.clone().map(|log| log as Arc<dyn Log>),
        ..Options::default()
    };
    let journal = SledJournal::open(&config.server.data_dir.join("journal"), options)?;
    let recovered = recovery::recover(&*journal).map_err(|error| anyhow::anyhow!("Recovery failed: {error}"))?;
    if recovered.interrupted > 0 {
        let interrupted = recovered.interrupted;
        log::warn!("{interrupted} runs were interrupted when the server last stopped; they are failed now");
    }
    Ok(Opened { journal, log, recovered })
}

/// Waits until another server leads in this one's stead; answers which. For ever where there is no log.
pub async fn deposed(log: Option<&NatsLog>) -> String {
    let Some(log) = log else { return std::future::pending().await };
    let mut deposed = log.deposed();
    match deposed.wait_for(Option::is_some).await {
        Ok(by) => by.clone().unwrap_or_default(),
        // The log is gone with its journal.
        Err(_) => std::future::pending().await,
    }
}

fn open_log(config: &Config) -> anyhow::Result<Option<Arc<NatsLog>>> {
    let replication = &config.replication;
    if !replication.is_on() {
        return Ok(None);
    }
    let machine = || std::fs::read_to_string(HOST).unwrap_or_else(|_| "a server".to_owned()).trim().to_owned();
    let log = NatsLog::open(&nats::Options {
        servers: replication.servers.clone(),
        name: replication.name.clone(),
        node: replication.node.clone().unwrap_or_else(machine),
        replicas: replication.replicas,
        max_bytes: replication.max_bytes as u64,
        silence: replication.silence,
        patience: config.journal.stall,
        credentials: replication.credentials.clone(),
        ca_file: replication.ca_file.clone(),
    })?;
    Ok(Some(log))
}
