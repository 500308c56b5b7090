//! `callboard watch`: events and streams, as they happen.

mod missed;

use std::ops::ControlFlow;

use clap::Args;
use serde_json::{Value, json};

use super::following::{Follower, follow};
use super::out::{self, ASIDE, NAME, plain, styled};
use super::remote::{RemoteArgs, run as run_remote};
use crate::client::Server;
use missed::{Told, said_since};

/// Where the time of day begins and ends in a timestamp.
const CLOCK: std::ops::Range<usize> = 11..19;

/// What `watch` takes.
#[derive(Args, Debug)]
pub(super) struct WatchArgs {
    /// An event: agent_status, run_status, conversation_message, agent_handoff, …; may be given several times.
    /// Without any and without a stream: all of them.
    #[arg(long = "event", short = 'e', value_name = "EVENT")]
    events: Vec<String>,
    /// A stream: thoughts, actions or tokens; may be given several times.
    #[arg(long = "stream", short = 's', value_name = "STREAM")]
    streams: Vec<String>,
    /// Only the streams of this agent.
    #[arg(long, value_name = "AGENT", requires = "streams")]
    agent: Option<String>,
    /// Only what is at least this important in a stream, from 0 to 1.
    #[arg(long, value_name = "IMPORTANCE", requires = "streams")]
    min_importance: Option<f64>,
    /// End after so many.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    #[command(flatten)]
    remote: RemoteArgs,
}

pub(super) fn run(args: &WatchArgs) -> anyhow::Result<()> {
    let server = args.remote.server()?;
    run_remote(async {
        let mut watch = Watch { args, left: args.count, began: None, heard: String::new(), told: Told::default() };
        follow(&server, &mut watch).await
    })
}

struct Watch<'a> {
    args: &'a WatchArgs,
    left: Option<u64>,
    /// When this began, by the server's clock.
    began: Option<String>,
    /// When the last event was.
    heard: String,
    told: Told,
}

impl Follower for Watch<'_> {
    fn subscriptions(&self) -> Vec<Value> {
        let WatchArgs { events, streams, agent, min_importance, .. } = self.args;
        let all = if events.is_empty() && streams.is_empty() { Some(json!({ "events": ["*"] })) } else { None };
        let events = (!events.is_empty()).then(|| json!({ "events": events }));
        let stream = |stream: &String| {
            let mut data = json!({ "stream": stream });
            if let Some(agent) = agent {
                data["agentId"] = agent.as_str().into();
            }
            if let Some(least) = min_importance {
                data["filter"] = json!({ "minImportance": least });
            }
            data
        };
        all.into_iter().chain(events).chain(streams.iter().map(stream)).collect()
    }

    fn take(&mut self, frame: &Value) -> anyhow::Result<ControlFlow<()>> {
        if !matches!(frame["type"].as_str(), Some("event" | "stream_data")) {
            return Ok(ControlFlow::Continue(()));
        }
        if let Some(at) = frame["timestamp"].as_str() {
            self.heard = at.to_owned();
        }
        if self.told.note(frame) { self.tell(frame) } else { Ok(ControlFlow::Continue(())) }
    }

    /// Events are told once, to those who are there. What was said in an outage is in the histories, and follows; what
    /// else happened is not to be had, and a reader must know.
    async fn subscribed(&mut self, server: &Server, at: &str, outage: Option<&str>) -> anyhow::Result<ControlFlow<()>> {
        let (Some(began), Some(why)) = (self.began.clone(), outage) else {
            (self.began, self.heard) = (Some(at.to_owned()), at.to_owned());
            return Ok(ControlFlow::Continue(()));
        };
        let mut said = Vec::new();
        if self.hears_messages() {
            said = said_since(server, &self.heard, &began).await?;
        }
        said.retain(|event| self.told.note(event));
        let since = std::mem::replace(&mut self.heard, at.to_owned());
        if self.args.remote.format.json {
            let gap = json!({ "since": since, "until": at, "reason": why, "replayed": said.len() });
            out::json(&json!({ "type": "gap", "data": gap }))?;
        }
        out::note(&format!(
            "what happened between {since} and {at} was missed, but for {} messages of conversations that follow; \
             GET /conversations/{{id}}/runs lists runs",
            said.len()
        ));
        for event in &said {
            if self.tell(event)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

impl Watch<'_> {
    /// Whether it is told what is said in conversations.
    fn hears_messages(&self) -> bool {
        let WatchArgs { events, streams, .. } = self.args;
        let named = events.iter().any(|event| matches!(event.as_str(), "*" | "conversation_message"));
        named || (events.is_empty() && streams.is_empty())
    }

    fn tell(&mut self, event: &Value) -> anyhow::Result<ControlFlow<()>> {
        if self.args.remote.format.json {
            out::json(event)?
        } else {
            out::line(&shown(event))?
        }
        self.left = self.left.map(|left| left - 1);
        Ok(if self.left == Some(0) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }
}

/// An event as a line: when, what, who, and what else there is to it.
fn shown(frame: &Value) -> String {
    let data = &frame["data"];
    let text = |name: &str| plain(data[name].as_str().unwrap_or_default()).into_owned();
    let at = frame["timestamp"].as_str().and_then(|at| at.get(CLOCK)).unwrap_or_default();
    let kind = if frame["type"] == "event" { text("eventType") } else { text("stream") };
    let who = [text("agentId"), text("fromAgent"), text("userId")].into_iter().find(|name| !name.is_empty());
    let (who, what) = (who.unwrap_or_default(), what(&kind, data));
    format!("{} {kind} {} {}", styled(ASIDE, at), styled(NAME, &who), plain(&what)).trim_end().to_owned()
}

fn what(kind: &str, data: &Value) -> String {
    let text = |name: &str| data[name].as_str().unwrap_or_default();
    match kind {
        "run_status" => {
            let why = data["error"]["message"].as_str().map(|why| format!(": {why}")).unwrap_or_default();
            format!("{} {}{why}", text("runId"), text("status"))
        }
        "agent_status" | "presence" => text("status").to_owned(),
        "emotion_change" => format!("{} → {}", text("previousEmotion"), text("currentEmotion")),
        "memory_update" => format!("{}: {}", text("action"), text("content")),
        "agent_handoff" => format!("→ {} in {}: {}", text("toAgent"), text("conversationId"), text("reason")),
        "typing" => format!("in {}", text("conversationId")),
        "conversation_message" => {
            let message = &data["message"];
            let who = message["agent"].as_str().or(message["role"].as_str()).unwrap_or_default();
            format!("{who} in {}: {}", text("conversationId"), message["content"].as_str().unwrap_or_default())
        }
        "approval_request" | "approval_decision" => format!("{} {}", text("runId"), text("decision")),
        _ => text("content").to_owned(),
    }
}
