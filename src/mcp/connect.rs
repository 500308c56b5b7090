//! Reaching a server: a program that is started, or an address.

use std::process::Stdio;
use std::sync::Arc;

use anyhow::Context;
use callboard_actors::text::shortened;
use rmcp::model::{ClientCapabilities, ClientConfig, Implementation};
use rmcp::service::{NotificationContext, RunningService};
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::transport::{StreamableHttpClientTransport, TokioChildProcess};
use rmcp::{ClientHandler, RoleClient, ServiceExt};
use secrecy::{ExposeSecret, SecretString};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{ChildStderr, Command};
use tokio::sync::Notify;

use crate::config::McpServerConfig;

/// What a program is given of the server's environment: what it needs to run at all, and none of the server's secrets.
const INHERITED: [&str; 9] = ["PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TMPDIR", "SHELL", "TERM"];

/// The longest line of a program's complaints that is logged, in bytes.
const LINE: u64 = 2048;

/// Hears what a server says without being asked.
#[derive(Clone, Debug, Default)]
pub struct Ear {
    /// Told when the list of tools has changed.
    pub changed: Arc<Notify>,
}

impl ClientHandler for Ear {
    fn get_info(&self) -> ClientConfig {
        let about = Implementation::new("callboard", env!("CARGO_PKG_VERSION"));
        ClientConfig::new(ClientCapabilities::default(), about)
    }

    async fn on_tool_list_changed(&self, _: NotificationContext<RoleClient>) {
        self.changed.notify_one();
    }
}

/// A server that has been reached.
pub type Connection = RunningService<RoleClient, Ear>;

/// Starts the program, or opens the connection, and greets the server.
pub async fn connect(
    name: &str,
    config: &McpServerConfig,
    token: Option<&SecretString>,
    ear: Ear,
) -> anyhow::Result<Connection> {
    match &config.url {
        Some(url) => {
            let mut http = StreamableHttpClientTransportConfig::with_uri(url.as_str());
            if let Some(token) = token {
                http = http.auth_header(token.expose_secret());
            }
            Ok(ear.serve(StreamableHttpClientTransport::from_config(http)).await?)
        }
        None => {
            let (program, complaints) = TokioChildProcess::builder(command(config)?)
                .stderr(Stdio::piped())
                .spawn()
                .with_context(|| format!("the program {} cannot be run", config.command.join(" ")))?;
            if let Some(complaints) = complaints {
                tokio::spawn(log(name.to_owned(), complaints));
            }
            Ok(ear.serve(program).await?)
        }
    }
}

fn command(config: &McpServerConfig) -> anyhow::Result<Command> {
    let (program, arguments) = config.command.split_first().context("there is no program to run")?;
    let mut command = Command::new(program);
    command.args(arguments).env_clear().kill_on_drop(true);
    command.envs(INHERITED.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    command.envs(&config.env);
    if let Some(folder) = &config.folder {
        command.current_dir(folder);
    }
    Ok(command)
}

/// Logs what a program complains about, line by line, until it ends.
async fn log(name: String, complaints: ChildStderr) {
    let mut complaints = BufReader::new(complaints);
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut complaints).take(LINE).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {
                let text = String::from_utf8_lossy(&line);
                let text = crate::logging::one_line(text.trim_end());
                log::info!(target: "mcp", "{name}: {}", shortened(&text, 500));
            }
        }
    }
}
