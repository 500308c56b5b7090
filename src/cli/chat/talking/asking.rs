//! One question: what comes back, what is to be decided on the way, and what becomes of it when the connection is lost.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::time::sleep;

use super::Talking;
use crate::cli::chat::lines::Lines;
use crate::cli::out::{self, note};
use crate::cli::talk::{Heard, heard, how_to_decide};
use crate::client::{Fault, Pause};

/// How long a server that went away in the middle of an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

impl Talking {
    /// Says something and shows what comes back, up to the last answer.
    pub(super) async fn say(&mut self, text: &str, lines: &mut Lines) -> anyhow::Result<()> {
        match self.question(text, lines).await {
            Ok(answered) => {
                self.good &= answered;
                Ok(())
            }
            Err(error) => {
                self.screen.end()?;
                if error.downcast_ref::<Fault>().is_some_and(|fault| matches!(fault, Fault::Lost(_))) {
                    self.good = false;
                    note(&error.to_string());
                    let back = tokio::select! {
                        back = self.come_back() => back.map_err(Into::into),
                        () = lines.interrupted() => Ok(()),
                    };
                    return self.forgive(back, lines);
                }
                self.forgive(Err(error), lines)
            }
        }
    }

    async fn question(&mut self, text: &str, lines: &mut Lines) -> anyhow::Result<bool> {
        let mut data = json!({ "message": text, "conversationId": self.conversation });
        data["stream"] = (!self.json).into();
        let target = self.target.clone().filter(|_| !text.starts_with('@'));
        let socket = self.connected().await?;
        let id = socket.next_id();
        let mut frame = json!({ "id": id, "type": "chat", "data": data });
        if let Some(agent) = target {
            frame["targetAgent"] = agent.into();
        }
        lines.forget_interruptions();
        socket.send(&frame).await?;
        let mut answered = true;
        loop {
            let frame = self.frame_or_cancel(&id, lines).await?;
            let heard = heard(&frame, &id);
            self.screen.show(&frame, &heard)?;
            match heard {
                Heard::Answer { last, .. } => {
                    self.last = frame["data"]["messageId"].as_str().map(str::to_owned).or(self.last.take());
                    if last {
                        return Ok(answered);
                    }
                }
                Heard::Failed { fault: fault @ Fault::Refused(_), .. } => return Err(fault.into()),
                Heard::Failed { last: true, .. } => return Ok(false),
                Heard::Failed { .. } => answered = false,
                Heard::Waits { run, .. } if lines.is_terminal() => self.decide(&run, lines).await?,
                Heard::Waits { run, .. } => how_to_decide(&self.server, &run),
                Heard::Other if frame["type"] == "agent_handoff" => {
                    if let Some(text) = self.aside(Ok(frame))? {
                        self.screen.end()?;
                        out::line(&text)?;
                    }
                }
                Heard::Piece { .. } | Heard::Other => {}
            }
        }
    }

    /// The next frame. A person who presses Ctrl-C cancels the run, which then ends with an error.
    async fn frame_or_cancel(&mut self, id: &str, lines: &mut Lines) -> anyhow::Result<Value> {
        loop {
            tokio::select! {
                frame = self.next() => return frame.inspect_err(|_| self.socket = None).map_err(Into::into),
                () = lines.interrupted() => {
                    if let Some(socket) = &mut self.socket {
                        socket.send(&json!({ "type": "cancel", "data": { "id": id } })).await?;
                    }
                }
            }
        }
    }

    async fn decide(&mut self, run: &str, lines: &mut Lines) -> anyhow::Result<()> {
        let answer = lines.next("allow it? [y/N] ").await?.unwrap_or_default();
        let allowed = matches!(answer.trim().to_lowercase().as_str(), "y" | "yes");
        let kind = if allowed { "approve" } else { "reject" };
        self.connected().await?.send(&json!({ "type": kind, "data": { "runId": run } })).await?;
        Ok(())
    }

    /// Connects again after an answer was lost; what was said meanwhile is shown by that.
    async fn come_back(&mut self) -> Result<(), Fault> {
        let (mut pause, began) = (Pause::default(), Instant::now());
        self.socket = None;
        loop {
            match self.connected().await {
                Ok(_) => return Ok(()),
                Err(fault) if fault.passes() && began.elapsed() < PATIENCE => sleep(pause.longer()).await,
                Err(fault) => return Err(fault),
            }
        }
    }
}
