//! `callboard publish`: publications in a channel, acknowledged when they are on disk.

use anyhow::bail;
use callboard_actors::protocol::ChannelId;
use clap::Args;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, stdin};
use tokio::time::{Duration, Instant, sleep};
use uuid::Uuid;

use super::out::{self, note};
use super::remote::{RemoteArgs, run as run_remote};
use crate::client::{Fault, Pause, Server, Socket};
use crate::config::ConfigError;

/// How long one publication is tried again: well within the time in which the server knows it by its id
/// (`runtime.dedup_window`), so that trying again never publishes twice.
const RETRY: Duration = Duration::from_secs(60);

/// What `publish` takes.
#[derive(Args, Debug)]
pub(super) struct PublishArgs {
    /// The channel; its first publication makes it.
    #[arg(value_parser = super::channel)]
    channel: ChannelId,
    /// What is published; without it, or for -, each line of standard input.
    content: Option<String>,
    /// The content is JSON, and not text.
    #[arg(long)]
    parse: bool,
    /// An object that goes along.
    #[arg(long, value_name = "JSON")]
    metadata: Option<String>,
    #[command(flatten)]
    remote: RemoteArgs,
}

pub(super) fn run(args: &PublishArgs) -> anyhow::Result<()> {
    let metadata = args.metadata.as_deref().map(|text| read("--metadata", text)).transpose()?;
    if metadata.as_ref().is_some_and(|metadata| !metadata.is_object()) {
        return Err(ConfigError::new("--metadata", "expected an object of JSON").into());
    }
    let mut publisher = Publisher { server: args.remote.server()?, socket: None, metadata, args };
    run_remote(async {
        match args.content.as_deref() {
            Some(content) if content != "-" => publisher.publish(content).await,
            _ => {
                let mut lines = BufReader::new(stdin()).lines();
                while let Some(line) = lines.next_line().await? {
                    publisher.publish(&line).await?;
                }
                Ok(())
            }
        }
    })
}

fn read(what: &str, text: &str) -> anyhow::Result<Value> {
    Ok(serde_json::from_str(text).map_err(|error| ConfigError::new(what, format!("this is no JSON: {error}")))?)
}

struct Publisher<'a> {
    args: &'a PublishArgs,
    server: Server,
    socket: Option<Socket>,
    metadata: Option<Value>,
}

impl Publisher<'_> {
    async fn publish(&mut self, content: &str) -> anyhow::Result<()> {
        let content = if self.args.parse { read("the content", content)? } else { content.into() };
        let mut data = json!({
            "channel": self.args.channel.as_str(), "content": content, "messageId": Uuid::new_v4().to_string(),
        });
        if let Some(metadata) = &self.metadata {
            data["metadata"] = metadata.clone();
        }
        let told = self.persistently(&data).await?;
        let Some(seq) = told["seq"].as_u64() else { bail!("the server answered something else: {told}") };
        if self.args.remote.format.json {
            return out::json(&told);
        }
        out::line(&format!("{} {seq}", self.args.channel))
    }

    /// Until it is acknowledged or refused. A server that was never there is not waited for.
    async fn persistently(&mut self, data: &Value) -> anyhow::Result<Value> {
        let (mut pause, began, mut knew) = (Pause::default(), Instant::now(), self.socket.is_some());
        loop {
            let fault = match self.once(data).await {
                Ok(told) => return Ok(told),
                Err(fault) => fault,
            };
            knew |= self.socket.is_some();
            if !fault.passes() || !knew || began.elapsed() > RETRY {
                return Err(fault.into());
            }
            self.socket = None;
            let wait = pause.longer();
            note(&format!("{}; trying again in {:.1}s", fault.brief(), wait.as_secs_f64()));
            sleep(wait).await;
        }
    }

    async fn once(&mut self, data: &Value) -> Result<Value, Fault> {
        let socket = match &mut self.socket {
            Some(socket) => socket,
            none => none.insert(Socket::open(&self.server).await?),
        };
        socket.ask("publish", data.clone()).await
    }
}
