//! One server, minded: started, known by its tools, asked whether it lives, started again.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rmcp::RoleClient;
use rmcp::model::{ClientRequest, PaginatedRequestParams, PingRequest};
use rmcp::service::{Peer, ServiceError};
use secrecy::SecretString;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::connect::{Connection, Ear, connect};
use super::tool::McpTool;
use crate::config::{ConfigError, McpServerConfig};

/// The first pause before a server is started again; each that follows is twice as long.
const PAUSE: Duration = Duration::from_millis(500);

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// After so long a life the next pause is the first again.
const HEALTHY: Duration = Duration::from_secs(60);

/// How long a ping may take.
const PONG: Duration = Duration::from_secs(10);

/// Tools of one server: each is sent to a model with every question, so more help nobody.
const TOOLS: usize = 512;

/// One server.
#[derive(Debug)]
pub struct Server {
    name: String,
    config: McpServerConfig,
    token: Option<SecretString>,
    state: RwLock<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The way to it, while it lives.
    peer: Option<Peer<RoleClient>>,
    /// Its tools as they were last told.
    tools: Arc<Vec<Arc<McpTool>>>,
    /// How often it was reached.
    starts: u64,
    /// Why it is not there; for the operator.
    error: Option<String>,
}

/// How a server is.
#[derive(Clone, PartialEq, Debug)]
pub struct Status {
    /// Its name.
    pub name: String,
    /// Whether it is there.
    pub up: bool,
    /// How many tools it has.
    pub tools: usize,
    /// How often it was reached.
    pub starts: u64,
    /// Why it is not there.
    pub error: Option<String>,
}

impl Server {
    /// A server that is not started yet.
    ///
    /// # Errors
    /// A token that cannot be read.
    pub fn new(name: &str, config: &McpServerConfig) -> Result<Self, ConfigError> {
        let token = token(config).map_err(|reason| ConfigError::new(&format!("mcp.{name}"), reason))?;
        Ok(Self { name: name.to_owned(), config: config.clone(), token, state: RwLock::default() })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How long one use of a tool may take.
    pub fn patience(&self) -> Duration {
        self.config.timeout
    }

    /// The way to it, while it lives.
    pub(super) fn peer(&self) -> Option<Peer<RoleClient>> {
        self.read(|state| state.peer.clone())
    }

    /// Its tools as they were last told, also while it is away.
    pub fn tools(&self) -> Arc<Vec<Arc<McpTool>>> {
        self.read(|state| state.tools.clone())
    }

    /// How it is.
    pub fn status(&self) -> Status {
        self.read(|state| Status {
            name: self.name.clone(),
            up: state.peer.is_some(),
            tools: state.tools.len(),
            starts: state.starts,
            error: state.error.clone(),
        })
    }

    fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// Keeps it going until told to stop.
    pub(super) async fn minded(self: Arc<Self>, stop: CancellationToken) {
        let mut pause = PAUSE;
        while !stop.is_cancelled() {
            let began = Instant::now();
            let ended = self.live(&stop).await;
            self.change(|state| {
                state.peer = None;
                state.error = ended.as_ref().err().map(|error| format!("{error:#}"));
            });
            let Err(error) = ended else { break };
            pause = if began.elapsed() > HEALTHY { PAUSE } else { pause };
            let wait = with_jitter(pause);
            log::warn!(target: "mcp", "{} is not there: {error:#}; tried again in {wait:.1?}", self.name);
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = stop.cancelled() => {}
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// One life of it: `Ok` when told to stop, else why it ended.
    async fn live(self: &Arc<Self>, stop: &CancellationToken) -> anyhow::Result<()> {
        let ear = Ear::default();
        let changed = ear.changed.clone();
        let reached = timeout(self.config.start, connect(&self.name, &self.config, self.token.as_ref(), ear));
        let connection = tokio::select! {
            reached = reached => reached.context("it did not start in time")??,
            () = stop.cancelled() => return Ok(()),
        };
        let result = self.serve(&connection, &changed, stop).await;
        self.change(|state| state.peer = None);
        // Its program is asked to end, and ended if it does not.
        let _ = connection.cancel().await;
        result
    }

    async fn serve(
        self: &Arc<Self>,
        connection: &Connection,
        changed: &tokio::sync::Notify,
        stop: &CancellationToken,
    ) -> anyhow::Result<()> {
        let peer = connection.peer().clone();
        self.learn(&peer).await?;
        self.change(|state| {
            state.peer = Some(peer.clone());
            state.starts += 1;
            state.error = None;
        });
        log::info!(target: "mcp", "{} is there, with {} tools", self.name, self.tools().len());
        let mut ping = tokio::time::interval(self.config.ping);
        let mut look = tokio::time::interval(Duration::from_millis(100));
        ping.tick().await;
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = changed.notified() => {
                    self.learn(&peer).await?;
                    log::info!(target: "mcp", "{} has {} tools now", self.name, self.tools().len());
                }
                _ = ping.tick() => alive(&peer).await?,
                _ = look.tick() => if connection.is_closed() || peer.is_transport_closed() {
                    bail!("it has ended or closed the connection");
                },
            }
        }
    }

    /// Asks for its tools.
    async fn learn(self: &Arc<Self>, peer: &Peer<RoleClient>) -> anyhow::Result<()> {
        let listed = timeout(self.config.start, list(peer)).await.context("it did not list its tools in time")?;
        let mut tools: Vec<Arc<McpTool>> = Vec::new();
        for tool in listed.context("it did not list its tools")? {
            match McpTool::new(self, &tool) {
                Ok(made) if tools.iter().any(|known| known.same_name(&made)) => {
                    log::warn!(target: "mcp", "{}: a second tool would be called {}; left out", self.name, made.full_name());
                }
                Ok(made) => tools.push(Arc::new(made)),
                Err(reason) => log::warn!(target: "mcp", "{}: a tool is left out: {reason}", self.name),
            }
        }
        self.change(|state| state.tools = Arc::new(tools));
        Ok(())
    }
}

/// All pages of a server's tools, up to the most that are taken.
async fn list(peer: &Peer<RoleClient>) -> anyhow::Result<Vec<rmcp::model::Tool>> {
    let (mut tools, mut cursor) = (Vec::new(), None);
    loop {
        let page = PaginatedRequestParams::default().with_cursor(cursor);
        let page = peer.list_tools(Some(page)).await?;
        tools.extend(page.tools);
        cursor = page.next_cursor;
        if tools.len() >= TOOLS {
            tools.truncate(TOOLS);
            return Ok(tools);
        }
        if cursor.is_none() {
            return Ok(tools);
        }
    }
}

/// Whether a server answers at all; an error is an answer.
async fn alive(peer: &Peer<RoleClient>) -> anyhow::Result<()> {
    let ping = ClientRequest::PingRequest(PingRequest::default());
    match timeout(PONG, peer.send_request(ping)).await.context("it does not answer")? {
        Ok(_) | Err(ServiceError::McpError(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Between half of a pause and all of it, so that servers that went together do not come back together.
fn with_jitter(pause: Duration) -> Duration {
    let random = getrandom::u32().unwrap_or(u32::MAX);
    pause.mul_f64(0.5 + 0.5 * f64::from(random) / f64::from(u32::MAX))
}

/// The token for an address, from the variable or file that the configuration names. Neither is shown.
fn token(config: &McpServerConfig) -> Result<Option<SecretString>, String> {
    let text = match (&config.token_env, &config.token_file) {
        (Some(name), _) => std::env::var(name).map_err(|_| format!("token_env = \"{name}\": it is not set"))?,
        (None, Some(path)) => {
            let path = path.display();
            std::fs::read_to_string(path.to_string()).map_err(|error| format!("token_file = \"{path}\": {error}"))?
        }
        (None, None) => return Ok(None),
    };
    Ok(Some(text.trim().into()))
}
