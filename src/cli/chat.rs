//! `callboard chat`: a conversation with agents, line by line; at a terminal, or in a pipe.

mod lines;
mod order;
mod talking;

use callboard_actors::protocol::ConversationId;
use clap::Args;
use uuid::Uuid;

use super::out::note;
use super::remote::{RemoteArgs, run as run_remote};
use lines::Lines;
use order::Order;
use talking::Talking;

/// What `chat` takes.
#[derive(Args, Debug)]
#[command(after_help = order::HELP)]
pub(super) struct ChatArgs {
    /// The agent to talk to; without it, whoever leads the conversation.
    agent: Option<String>,
    /// The conversation, new or begun before; without it, a new one.
    #[arg(long, short = 'c', value_name = "ID", value_parser = super::conversation)]
    conversation: Option<ConversationId>,
    #[command(flatten)]
    remote: RemoteArgs,
}

/// Talks to the end of the lines; false if something that was said had no answer.
pub(super) fn run(args: &ChatArgs) -> anyhow::Result<bool> {
    let server = args.remote.server()?;
    let own = || format!("cli-{}", Uuid::new_v4());
    let conversation = args.conversation.as_ref().map_or_else(own, |id| id.as_str().to_owned());
    run_remote(async {
        let mut lines = Lines::open()?;
        let mut talking =
            Talking::begin(server, conversation.clone(), args.agent.clone(), args.remote.format.json).await?;
        if lines.is_terminal() {
            note(&format!("{}; /help says what can be typed", talking.cast()));
        }
        talk(&mut talking, &mut lines).await?;
        if lines.is_terminal() {
            note(&format!("go on with `callboard chat --conversation {conversation}`"));
        }
        let good = talking.good;
        talking.end().await;
        Ok(good)
    })
}

async fn talk(talking: &mut Talking, lines: &mut Lines) -> anyhow::Result<()> {
    loop {
        let line = tokio::select! {
            line = lines.next("> ") => line?,
            frame = talking.next() => {
                if let Some(text) = talking.aside(frame)? {
                    lines.above(&text)?;
                }
                continue;
            }
        };
        match line.as_deref().map_or(Order::Quit, order::read) {
            Order::Quit => return Ok(()),
            order => talking.follow(order, lines).await?,
        }
    }
}
