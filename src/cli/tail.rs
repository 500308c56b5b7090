//! `callboard tail`: the publications of a channel, in the order of their `seq`, each once.

use std::ops::ControlFlow;

use clap::Args;
use serde_json::{Value, json};

use super::following::{Follower, follow};
use super::out::{self, ASIDE, plain, styled};
use super::remote::{RemoteArgs, run as run_remote};
use crate::client::{Fault, Server};

/// What `tail` takes.
#[derive(Args, Debug)]
pub(super) struct TailArgs {
    /// The channel.
    #[arg(value_parser = super::channel)]
    channel: callboard_actors::protocol::ChannelId,
    /// Begin after this seq; 0: with the first that is kept.
    #[arg(long, value_name = "SEQ")]
    since: Option<u64>,
    /// Begin with so many of the last ones.
    #[arg(long, short = 'n', value_name = "N", default_value_t = 10, conflicts_with = "since")]
    lines: u64,
    /// End with what is there now.
    #[arg(long)]
    no_follow: bool,
    /// End after so many.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    #[command(flatten)]
    remote: RemoteArgs,
}

pub(super) fn run(args: &TailArgs) -> anyhow::Result<()> {
    let server = args.remote.server()?;
    run_remote(async {
        let channel = args.channel.as_str().to_owned();
        let head = head(&server, &channel).await?;
        let since = args.since.unwrap_or(head.saturating_sub(args.lines));
        if args.no_follow && since >= head {
            return Ok(());
        }
        let until = args.no_follow.then_some(head);
        let (left, json) = (args.count, args.remote.format.json);
        let mut tail = Tail { channel, seq: since, asked: args.since.is_some(), until, left, json };
        follow(&server, &mut tail).await
    })
}

/// The last `seq` of a channel; 0 before its first publication.
async fn head(server: &Server, channel: &str) -> Result<u64, Fault> {
    let found = server.find(&format!("/channels/{channel}")).await?;
    Ok(found.and_then(|channel| channel["head"].as_u64()).unwrap_or(0))
}

struct Tail {
    channel: String,
    /// The last that was printed: what comes next comes after it, also on the next connection.
    seq: u64,
    /// Whether somebody relies on what comes after `seq` being all there is.
    asked: bool,
    until: Option<u64>,
    left: Option<u64>,
    json: bool,
}

impl Follower for Tail {
    fn subscriptions(&self) -> Vec<Value> {
        vec![json!({ "channels": [self.channel], "since": self.seq })]
    }

    fn take(&mut self, frame: &Value) -> anyhow::Result<ControlFlow<()>> {
        let data = &frame["data"];
        let seq = data["seq"].as_u64().unwrap_or(0);
        if frame["type"] == "error" {
            return Err(Fault::of(data).into());
        }
        if frame["type"] != "channel_message" || data["channel_id"] != *self.channel || seq <= self.seq {
            return Ok(ControlFlow::Continue(()));
        }
        if self.json {
            out::json(data)?
        } else {
            out::line(&shown(data))?
        }
        (self.seq, self.asked) = (seq, true);
        self.left = self.left.map(|left| left - 1);
        let done = self.left == Some(0) || self.until.is_some_and(|until| seq >= until);
        Ok(if done { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    fn mend(&mut self, fault: &Fault) -> bool {
        // Of the last ones some may be kept no longer, and nobody asked for just these.
        let mended = !self.asked && fault.code() == "CURSOR_EXPIRED";
        if mended {
            (self.seq, self.asked) = (0, true);
        }
        mended
    }
}

/// A publication as a line: where it stands, who published it, and what.
fn shown(data: &Value) -> String {
    let content = match &data["content"] {
        Value::String(text) => plain(text).into_owned(),
        other => plain(&other.to_string()).into_owned(),
    };
    let who = data["agent_id"].as_str().map(|agent| format!("{} ", plain(agent))).unwrap_or_default();
    format!("{} {}{content}", styled(ASIDE, &data["seq"].to_string()), styled(out::NAME, &who))
}
