//! Servers of the Model Context Protocol whose tools the agents use: programs that are run, and addresses.
//!
//! Each server is minded by a task of its own ([`server`]): started, asked now and then whether it lives, started again
//! when it does not, with longer and longer pauses. Its tools reach the brains as a [`Source`], asked at the beginning
//! of each run, so that a list that changes is seen at once and an agent sees what its file allows it. What a server
//! that is gone costs is the use of its tools alone: they stay on the list, and each use is an error that says so.
//!
//! It stands here and not in the runtime, because it is all wires: processes, HTTP, JSON-RPC. The runtime knows tools.

mod allowed;
mod connect;
pub mod server;
mod tool;

use std::collections::HashMap;
use std::sync::Arc;

use callboard_actors::agent::persona::Persona;
use callboard_actors::protocol::AgentName;
use callboard_actors::tool::{Source, Tool};
use tokio_util::sync::CancellationToken;

use self::allowed::Allowed;
use self::server::{Server, Status};
use crate::config::{ConfigError, McpConfig};

/// The servers, and who may use what of them.
#[derive(Debug)]
pub struct Servers {
    servers: Vec<Arc<Server>>,
    allowed: HashMap<AgentName, Allowed>,
    stop: CancellationToken,
}

impl Servers {
    /// The servers of a configuration, not started yet.
    ///
    /// # Errors
    /// An agent's file that names a server there is not, a token that cannot be read.
    pub fn new(config: &McpConfig, agents: &[Persona]) -> Result<Self, ConfigError> {
        let mut servers = Vec::new();
        for (name, config) in &config.servers {
            servers.push(Arc::new(Server::new(name, config)?));
        }
        let mut allowed = HashMap::new();
        for persona in agents.iter().filter(|persona| !persona.mcp.is_empty()) {
            let known: Vec<&str> = config.servers.keys().map(String::as_str).collect();
            let read = Allowed::read(&persona.mcp, &known)
                .map_err(|reason| ConfigError::new(&format!("agent {}", persona.name), reason))?;
            allowed.insert(persona.name.clone(), read);
        }
        Ok(Self { servers, allowed, stop: CancellationToken::new() })
    }

    /// Starts minding them, on the thread this is called from.
    pub fn start(&self) {
        for server in &self.servers {
            actix_web::rt::spawn(server.clone().minded(self.stop.clone()));
        }
    }

    /// Ends them.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// How they are.
    pub fn statuses(&self) -> Vec<Status> {
        self.servers.iter().map(|server| server.status()).collect()
    }
}

impl Source for Servers {
    fn tools(&self, agent: &AgentName) -> Vec<Arc<dyn Tool>> {
        let Some(allowed) = self.allowed.get(agent) else { return Vec::new() };
        let of_server = self.servers.iter().flat_map(|server| server.tools().iter().cloned().collect::<Vec<_>>());
        let mine = of_server.filter(|tool| allowed.covers(tool.server(), tool.original()));
        mine.map(|tool| tool as Arc<dyn Tool>).collect()
    }
}
