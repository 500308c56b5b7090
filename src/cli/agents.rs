//! `callboard agents`: who can be asked.

use clap::Args;
use serde_json::Value;

use super::out;
use super::remote::{RemoteArgs, run as run_remote};

/// What `agents` takes.
#[derive(Args, Debug)]
pub(super) struct AgentsArgs {
    #[command(flatten)]
    remote: RemoteArgs,
}

pub(super) fn run(args: &AgentsArgs) -> anyhow::Result<()> {
    let server = args.remote.server()?;
    let listed = run_remote(async { Ok(server.get("/agents").await?) })?;
    if args.remote.format.json {
        return out::json(&listed);
    }
    let rows = listed["agents"].as_array().into_iter().flatten().map(row).collect();
    out::line(&out::table(&["AGENT", "STATUS", "TITLE", "TOOLS"], rows))
}

fn row(agent: &Value) -> Vec<String> {
    let text = |name: &str| agent[name].as_str().unwrap_or_default().to_owned();
    let list = |name: &str| {
        let items = agent[name].as_array().into_iter().flatten().filter_map(Value::as_str);
        items.collect::<Vec<_>>().join(" ")
    };
    vec![text("name"), text("status"), text("title"), list("tools")]
}
