//! `callboard send`: one question to an agent, and its answer.

use std::io::Read;

use callboard_actors::protocol::ConversationId;
use clap::Args;
use serde_json::{Value, json};
use uuid::Uuid;

use super::out;
use super::remote::{RemoteArgs, run as run_remote};
use super::talk::{Heard, Screen, heard, how_to_decide};
use crate::client::{Server, Socket};
use crate::config::ConfigError;

/// What `send` takes.
#[derive(Args, Debug)]
pub(super) struct SendArgs {
    /// The agent.
    agent: String,
    /// What it is asked; without it, or for -, what stands in standard input.
    text: Option<String>,
    /// The conversation that it belongs to; without it, one of its own.
    #[arg(long, short = 'c', value_name = "ID", value_parser = super::conversation)]
    conversation: Option<ConversationId>,
    /// It is a command: an instruction, or the name of a tool.
    #[arg(long)]
    command: bool,
    /// The parameters of the command, an object.
    #[arg(long, value_name = "JSON", requires = "command")]
    parameters: Option<String>,
    /// Ahead of what is less urgent in the agent's queue.
    #[arg(long, value_parser = ["urgent", "high", "normal", "low"], default_value = "normal")]
    priority: String,
    #[command(flatten)]
    remote: RemoteArgs,
}

/// Asks; false if there was no answer.
pub(super) fn run(args: &SendArgs) -> anyhow::Result<bool> {
    let server = args.remote.server()?;
    let frame = frame(args)?;
    run_remote(async {
        let mut socket = Socket::open(&server).await?;
        socket.send(&frame).await?;
        let answered = answered(&mut socket, &server, args.remote.format.json).await?;
        socket.close().await;
        Ok(answered)
    })
}

/// The id of the one question that is asked.
const ID: &str = "send";

fn frame(args: &SendArgs) -> anyhow::Result<Value> {
    let text = match args.text.as_deref() {
        Some(text) if text != "-" => text.to_owned(),
        _ => {
            let mut text = String::new();
            std::io::stdin().lock().read_to_string(&mut text)?;
            text
        }
    };
    let own = || format!("cli-{}", Uuid::new_v4());
    let conversation = args.conversation.as_ref().map_or_else(own, |id| id.as_str().to_owned());
    let (kind, data) = if args.command {
        let read = |text: &String| serde_json::from_str::<Value>(text);
        let parameters = args.parameters.as_ref().map(read).transpose();
        let refused = |error| ConfigError::new("--parameters", format!("this is no JSON: {error}"));
        let parameters = parameters.map_err(refused)?.unwrap_or_else(|| json!({}));
        ("command", json!({ "instruction": text, "parameters": parameters, "conversationId": conversation }))
    } else {
        // In pieces for who sits there; programs want it whole.
        let stream = out::is_terminal() && !args.remote.format.json;
        ("chat", json!({ "message": text, "conversationId": conversation, "stream": stream }))
    };
    Ok(json!({ "id": ID, "type": kind, "targetAgent": args.agent, "priority": args.priority, "data": data }))
}

async fn answered(socket: &mut Socket, server: &Server, json: bool) -> anyhow::Result<bool> {
    let mut screen = Screen::new(json, false);
    loop {
        let frame = socket.next().await?;
        let heard = heard(&frame, ID);
        match heard {
            // An error of the kind that says what to do about credentials has a status of its own.
            Heard::Failed { fault, .. } if !json => return Err(fault.into()),
            _ => screen.show(&frame, &heard)?,
        }
        match heard {
            Heard::Answer { last: true, .. } => return Ok(true),
            Heard::Failed { .. } => return Ok(false),
            Heard::Waits { run, .. } => how_to_decide(server, &run),
            Heard::Answer { .. } | Heard::Piece { .. } | Heard::Other => {}
        }
    }
}
