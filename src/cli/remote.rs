//! What every command takes that speaks to a running server.

use std::future::Future;
use std::path::PathBuf;

use clap::Args;

use super::out::Format;
use crate::client::Server;

/// Where the server is, who speaks, and in which form the answer is printed.
#[derive(Args, Debug)]
pub(super) struct RemoteArgs {
    /// The server's address.
    #[arg(long, value_name = "URL", env = "CALLBOARD_URL", default_value = "http://127.0.0.1:3001")]
    url: String,
    /// A token or an API key, where the server asks for one; better by the variable, which no list of processes shows.
    #[arg(long, value_name = "TOKEN", env = "CALLBOARD_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// A file of certificates (PEM) to trust in place of the system's, where the server has one of its own making.
    #[arg(long, value_name = "FILE", env = "CALLBOARD_CA_FILE")]
    ca_file: Option<PathBuf>,
    #[command(flatten)]
    pub format: Format,
}

impl RemoteArgs {
    /// The server.
    pub fn server(&self) -> anyhow::Result<Server> {
        let wrong = |why| crate::config::ConfigError::new("--url", format!("{}: {why}", self.url));
        let server = Server::new(&self.url, self.token.clone()).map_err(wrong)?;
        let Some(file) = &self.ca_file else { return Ok(server) };
        let unfit = |why| crate::config::ConfigError::new("--ca-file", format!("{}: {why}", file.display()));
        Ok(server.trusting(file).map_err(unfit)?)
    }
}

/// Runs a conversation with a server to its end.
pub(super) fn run<T>(conversation: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let done = runtime.block_on(conversation);
    // A thread may still wait for a line of standard input, and nobody waits for that thread.
    runtime.shutdown_background();
    done
}
