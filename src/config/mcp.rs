//! `[mcp]`: servers of the Model Context Protocol whose tools agents may use; each a table with its name,
//! `[mcp.files]`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::bounds::{Checked, MINUTE, SECOND, that, time};
use super::units;

/// The most servers: each is a process or a connection, with a task that minds it.
const MOST: usize = 64;

/// The servers, by name.
#[derive(Clone, PartialEq, Debug, Default, Deserialize)]
#[serde(transparent)]
pub struct McpConfig {
    /// The servers, by name.
    pub servers: BTreeMap<String, McpServerConfig>,
}

/// One server: a program to run or an address to speak to.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct McpServerConfig {
    /// The program and its arguments; it speaks over its standard input and output.
    #[serde(default)]
    pub command: Vec<String>,
    /// Variables for the program, beside those that every program needs (`PATH`, `HOME` and their like): it does not
    /// inherit the server's.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// The folder that the program starts in; `None`: the server's.
    #[serde(default)]
    pub folder: Option<PathBuf>,
    /// The address of a server over streamable HTTP.
    #[serde(default)]
    pub url: Option<String>,
    /// The variable that holds the bearer token for that address.
    #[serde(default)]
    pub token_env: Option<String>,
    /// The file that holds it.
    #[serde(default)]
    pub token_file: Option<PathBuf>,
    /// How long it may take to start and to say which tools it has.
    #[serde(default = "half_a_minute", deserialize_with = "units::time")]
    pub start: Duration,
    /// How long one use of a tool may take; a run's own end comes before it.
    #[serde(default = "a_minute", deserialize_with = "units::time")]
    pub timeout: Duration,
    /// How often it is asked whether it lives.
    #[serde(default = "half_a_minute", deserialize_with = "units::time")]
    pub ping: Duration,
}

impl McpConfig {
    pub(super) fn check(&self) -> Checked {
        that(self.servers.len() <= MOST, format!("at most {MOST} servers"))?;
        self.servers.iter().try_for_each(|(name, server)| server.check(name))
    }
}

impl McpServerConfig {
    fn check(&self, name: &str) -> Checked {
        let fits = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
        that((1..=32).contains(&name.len()) && name.bytes().all(fits), "a name of 1 to 32 characters of a-z 0-9 -")?;
        let one = self.command.is_empty() == self.url.is_some();
        that(one, "either command, with a program, or url")?;
        let url = self.url.as_deref().unwrap_or("http://");
        that(url.starts_with("http://") || url.starts_with("https://"), "url to begin with http:// or https://")?;
        let tokens = usize::from(self.token_env.is_some()) + usize::from(self.token_file.is_some());
        that(tokens == 0 || (tokens == 1 && self.url.is_some()), "token_env or token_file, and only with url")?;
        time(self.start, Duration::from_millis(100)..=10 * MINUTE)?;
        time(self.timeout, Duration::from_millis(100)..=60 * MINUTE)?;
        time(self.ping, SECOND..=60 * MINUTE)
    }
}

fn half_a_minute() -> Duration {
    Duration::from_secs(30)
}

fn a_minute() -> Duration {
    MINUTE
}
