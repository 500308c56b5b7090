//! `callboard status`: how the server is, as a table; once, or again and again.

use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::out::{self, note, span};
use super::remote::{RemoteArgs, run as run_remote};
use crate::client::{Fault, Server};

/// Clears a terminal and begins at its top.
const CLEAR: &str = "\u{1b}[H\u{1b}[2J";

/// What `status` takes.
#[derive(Args, Debug)]
pub(super) struct StatusArgs {
    /// Show it again every so many seconds (2), until it is interrupted.
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, require_equals = true, default_missing_value = "2")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=86_400))]
    watch: Option<u64>,
    /// Only say whether it is ready, which needs no credentials: for probes. Exit status 3 if not.
    #[arg(long, conflicts_with = "watch")]
    ready: bool,
    #[command(flatten)]
    remote: RemoteArgs,
}

pub(super) fn run(args: &StatusArgs) -> anyhow::Result<()> {
    let server = args.remote.server()?;
    if args.ready {
        let ready = run_remote(async { Ok(server.get("/health/ready").await?) })?;
        return if args.remote.format.json { out::json(&ready) } else { out::line("ready") };
    }
    run_remote(async {
        let mut status = look(&server).await?;
        loop {
            show(&status, &server, args)?;
            let Some(seconds) = args.watch else { return Ok(()) };
            status = again(&server, Duration::from_secs(seconds)).await?;
        }
    })
}

/// How it is after a while. A server that is away is waited for.
async fn again(server: &Server, every: Duration) -> Result<Value, Fault> {
    loop {
        sleep(every).await;
        match look(server).await {
            Err(fault) if fault.passes() => note(&format!("{}; looking again", fault.brief())),
            looked => return looked,
        }
    }
}

/// The server's status, with the counts of the last minutes put to the agents.
async fn look(server: &Server) -> Result<Value, Fault> {
    let mut status = server.get("/status").await?;
    let pulse = server.get("/pulse").await?;
    for agent in status["agents"].as_array_mut().into_iter().flatten() {
        let counts = pulse["agents"].as_array().into_iter().flatten().find(|counts| counts["name"] == agent["name"]);
        let count = |name: &str| counts.and_then(|counts| counts[name].as_u64()).unwrap_or(0);
        agent["last_minute"] = count("last_minute").into();
        agent["failed"] = count("failed").into();
    }
    status["url"] = json!(server.http(""));
    Ok(status)
}

fn show(status: &Value, server: &Server, args: &StatusArgs) -> anyhow::Result<()> {
    if args.remote.format.json {
        return out::json(status);
    }
    let text = |name: &str| status[name].as_str().unwrap_or_default();
    let count = |name: &str| status[name].as_u64().unwrap_or(0);
    let rows = status["agents"].as_array().into_iter().flatten().map(row).collect();
    let head = format!(
        "callboard {} at {}: {}, up {}, journal {}\n{} sessions, {} conversations, {} channels in use, {} open runs",
        text("version"),
        server.http(""),
        text("status"),
        span(count("uptime")),
        status["journal"]["health"].as_str().unwrap_or_default(),
        count("sessions"),
        count("conversations"),
        count("channels"),
        count("open_runs"),
    );
    let table = out::table(&["AGENT", "STATUS", "TASK", "QUEUE", "MOOD", "A MINUTE", "FAILED"], rows);
    let clear = if args.watch.is_some() && out::is_terminal() { CLEAR } else { "" };
    out::line(&format!("{clear}{head}\n\n{table}"))?;
    // In a pipe a blank line ends each.
    if args.watch.is_some() && !out::is_terminal() { out::line("") } else { Ok(()) }
}

fn row(agent: &Value) -> Vec<String> {
    let text = |name: &str| agent[name].as_str().unwrap_or("-").to_owned();
    vec![
        text("name"),
        text("status"),
        text("current_task"),
        agent["queue_length"].to_string(),
        agent["mood"]["emotion"].as_str().unwrap_or("-").to_owned(),
        agent["last_minute"].to_string(),
        agent["failed"].to_string(),
    ]
}
