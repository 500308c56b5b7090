//! The configuration: what an operator may set, read from flags, environment, file and defaults, in that order.
//!
//! The defaults are the file `config/callboard.toml`, which is built in: what it shows to people is what the server
//! does. Each setting is laid on what is already known to be good and the whole is read again, so that the setting
//! that fails is the one at fault, and the error can name who set it. A section is a file with a struct in it.

mod agents;
mod auth;
mod bounds;
mod compression;
mod debug;
mod error;
mod heartbeat;
mod journal;
mod limits;
mod log;
mod mcp;
mod rate;
#[cfg(test)]
mod reference;
mod replication;
mod retention;
mod runtime;
mod server;
mod shown;
mod source;
mod telemetry;
mod tls;
mod units;

use std::ffi::OsString;

use callboard_actors::agent::persona::Persona;
use callboard_actors::protocol::AgentName;
use serde::Deserialize;
use toml::{Table, Value};

pub use auth::AuthConfig;
pub use compression::CompressionConfig;
pub use debug::DebugConfig;
pub use error::ConfigError;
pub use heartbeat::HeartbeatConfig;
pub use journal::JournalConfig;
pub use limits::LimitsConfig;
pub use log::LogConfig;
pub use mcp::{McpConfig, McpServerConfig};
pub use rate::RateConfig;
pub use replication::ReplicationConfig;
pub use retention::{RetentionConfig, RuleConfig};
pub use runtime::RuntimeConfig;
pub use server::ServerConfig;
pub use source::Flags;
pub use telemetry::TelemetryConfig;
pub use tls::TlsConfig;

use bounds::Checked;
use source::Setting;

/// The defaults, as people read them.
const DEFAULTS: &str = include_str!("../config/callboard.toml");

/// Everything that an operator may set.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the server listens, what it owns and how much it takes on.
    pub server: ServerConfig,
    /// Encryption of everything that the server listens on.
    pub tls: TlsConfig,
    /// Who is let in.
    pub auth: AuthConfig,
    /// How much one session, frame or request may hold.
    pub limits: LimitsConfig,
    /// `permessage-deflate` for the clients that offer it.
    pub compression: CompressionConfig,
    /// How fast one session or address may ask.
    pub rate: RateConfig,
    /// How a peer that is gone is noticed.
    pub heartbeat: HeartbeatConfig,
    /// How agents, conversations and channels keep time.
    pub runtime: RuntimeConfig,
    /// What is kept of the past.
    pub retention: RetentionConfig,
    /// The store under everything that is remembered.
    pub journal: JournalConfig,
    /// The log in NATS by which a second server takes over.
    pub replication: ReplicationConfig,
    /// What is written about the server's doings.
    pub log: LogConfig,
    /// Servers of the Model Context Protocol whose tools agents may use.
    pub mcp: McpConfig,
    /// Where the spans of traces go.
    pub telemetry: TelemetryConfig,
    /// What helps to examine a server.
    pub debug: DebugConfig,
    /// The agents, at least one, no two of one name; the first leads where `runtime.default_agent` names none.
    #[serde(skip)]
    pub agents: Vec<Persona>,
    /// The settings as they stand in files, section by section, for people to read. No secret is among them: see
    /// [`shown`].
    #[serde(skip)]
    pub shown: Table,
}

impl Config {
    /// The configuration of a server: the settings, checked against one another and the disk, and the agents.
    ///
    /// # Errors
    /// The first setting that will not do, as one line.
    pub fn load(flags: &Flags, variables: impl IntoIterator<Item = (OsString, OsString)>) -> Result<Self, ConfigError> {
        let mut config = Self::settings(flags, variables)?;
        config.agents = match &config.server.agents_dir {
            Some(folder) => agents::load(folder)?,
            None => agents::embedded()?,
        };
        config.check_together()?;
        Ok(config)
    }

    /// The settings alone, each within its bounds: enough to find the data folder of a server that runs elsewhere.
    ///
    /// # Errors
    /// The first setting that will not do, as one line.
    pub fn settings(
        flags: &Flags,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, ConfigError> {
        let mut layers = Layers::defaults()?;
        let environment = source::environment(variables, &layers.table)?;
        if let Some(path) = flags.config.as_ref().or(environment.config.as_ref()) {
            source::file(path)?.into_iter().try_for_each(|setting| layers.lay(setting))?;
        }
        environment.settings.into_iter().try_for_each(|setting| layers.lay(setting))?;
        source::flags(flags)?.into_iter().try_for_each(|setting| layers.lay(setting))?;
        Ok(Self { shown: shown::of(&layers.table), ..layers.config })
    }

    /// The agent that leads a new conversation.
    pub fn default_agent(&self) -> Option<&AgentName> {
        self.runtime.default_agent.as_ref().or_else(|| self.agents.first().map(|persona| &persona.name))
    }

    fn check(&self) -> Checked {
        self.server.check()?;
        self.auth.check()?;
        self.limits.check()?;
        self.compression.check()?;
        self.rate.check()?;
        self.heartbeat.check()?;
        self.runtime.check()?;
        self.retention.check()?;
        self.journal.check()?;
        self.replication.check()?;
        self.log.check()?;
        self.mcp.check()?;
        self.telemetry.check()
    }

    /// What no setting can be blamed for alone.
    fn check_together(&self) -> Result<(), ConfigError> {
        self.check_openness()?;
        self.check_disk()?;
        let wrong = |reason: String| Err(ConfigError::together(reason));
        if self.limits.content > self.limits.frame {
            return wrong(format!(
                "limits.content ({} bytes) must not be larger than limits.frame ({} bytes)",
                self.limits.content, self.limits.frame
            ));
        }
        if self.tls.cert.is_some() != self.tls.key.is_some() {
            return wrong("tls.cert and tls.key must be set together".to_owned());
        }
        if self.heartbeat.silence <= self.heartbeat.ping {
            return wrong("heartbeat.silence must be longer than heartbeat.ping".to_owned());
        }
        if let Some((rate, per_second, burst, at_once)) = self.rate.pairs().into_iter().find(|(_, r, _, b)| b < r) {
            return wrong(format!("rate.{burst} ({at_once}) must not be smaller than rate.{rate} ({per_second})"));
        }
        let known = |name: &AgentName| self.agents.iter().any(|persona| persona.name == *name);
        if let Some(name) = self.runtime.default_agent.as_ref().filter(|name| !known(name)) {
            let names: Vec<_> = self.agents.iter().map(|persona| persona.name.as_str()).collect();
            return wrong(format!("runtime.default_agent = \"{name}\": expected one of {}", names.join(", ")));
        }
        Ok(())
    }

    /// Beyond loopback, openness must be meant.
    fn check_openness(&self) -> Result<(), ConfigError> {
        if self.server.is_loopback() || self.auth.required || self.auth.allow_open {
            return Ok(());
        }
        let bind: Vec<_> = self.server.bind.iter().map(ToString::to_string).collect();
        Err(ConfigError::together(format!(
            "server.bind = {} listens beyond loopback and would let everybody in: set auth.required = true to ask for \
             credentials, or auth.allow_open = true to stay open on purpose",
            bind.join(", ")
        )))
    }

    /// What must be there before the server starts.
    fn check_disk(&self) -> Result<(), ConfigError> {
        if !self.server.workspace.is_dir() {
            let path = self.server.workspace.display();
            return Err(ConfigError::together(format!(
                "server.workspace = \"{path}\": expected a folder that is there"
            )));
        }
        if let Some(path) = self.auth.jwks_file.as_ref().filter(|path| !path.is_file()) {
            let path = path.display();
            return Err(ConfigError::together(format!("auth.jwks_file = \"{path}\": expected a file that is there")));
        }
        Ok(())
    }
}

/// The settings so far, as a table and as what it reads to; always good.
struct Layers {
    table: Table,
    config: Config,
}

impl Layers {
    fn defaults() -> Result<Self, ConfigError> {
        let broken = |error: toml::de::Error| ConfigError::source("the built-in defaults", error.message());
        let table: Table = toml::from_str(DEFAULTS).map_err(broken)?;
        let config = Config::deserialize(table.clone()).map_err(broken)?;
        Ok(Self { table, config })
    }

    /// Lays one setting on top; nothing has changed if it will not do.
    fn lay(&mut self, setting: Setting) -> Result<(), ConfigError> {
        let Setting { origin, section, key, value } = setting;
        let Some(Value::Table(known)) = self.table.get(&section) else {
            let sections: Vec<_> = self.table.keys().map(String::as_str).collect();
            let reason = format!("unknown section, expected one of {}", sections.join(", "));
            return Err(ConfigError::source(origin, format!("{section}: {reason}")));
        };
        let Some(key) = key else {
            let empty = value.as_table().is_some_and(Table::is_empty);
            let error = ConfigError::value(&origin, &section, &value, "expected a section with keys in it");
            return if empty { Ok(()) } else { Err(error) };
        };
        let mut keys = known.clone();
        keys.insert(key.clone(), value.clone());
        let mut table = self.table.clone();
        table.insert(section.clone(), Value::Table(keys));
        let refused = |reason: String| ConfigError::value(&origin, &format!("{section}.{key}"), &value, reason);
        let config = Config::deserialize(table.clone()).map_err(|error| refused(error.message().to_owned()))?;
        config.check().map_err(|bounds| refused(format!("expected {}", bounds.allowed)))?;
        *self = Self { table, config };
        Ok(())
    }
}

impl Default for Config {
    /// The built-in defaults, with the agents that come with the server.
    ///
    /// # Panics
    /// Where the built-in files do not read, which a test rules out.
    #[allow(clippy::expect_used)]
    fn default() -> Self {
        Self::load(&Flags::default(), []).expect("the built-in configuration reads")
    }
}

#[cfg(test)]
mod tests;
