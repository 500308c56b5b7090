//! One conversation as it goes on: what is said, what comes back, and a connection that may have to be made again.

use std::future::pending;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::time::sleep;

use super::lines::Lines;
use super::order::{HELP, Order};
use crate::cli::out::{self, ASIDE, NAME, note, plain, styled};
use crate::cli::talk::{Heard, Screen, heard, how_to_decide};
use crate::client::{Fault, Pause, Server, Socket};

/// How long a server that went away in the middle of an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// A conversation that goes on.
pub(super) struct Talking {
    server: Server,
    /// `None` while the connection is lost; it is made again when something is to be said.
    socket: Option<Socket>,
    conversation: String,
    /// Who is asked, where it is not for the conversation to choose.
    target: Option<String>,
    agents: Vec<String>,
    lead: String,
    mode: String,
    /// The last message that was shown.
    last: Option<String>,
    screen: Screen,
    json: bool,
    /// Whether everything had its answer.
    pub good: bool,
}

impl Talking {
    /// Begins, or goes on with, a conversation.
    pub async fn begin(server: Server, conversation: String, agent: Option<String>, json: bool) -> Result<Self, Fault> {
        let mut talking = Self {
            socket: Some(Socket::open(&server).await?),
            server,
            conversation,
            target: agent.clone(),
            agents: Vec::new(),
            lead: String::new(),
            mode: String::new(),
            last: None,
            screen: Screen::new(json, true),
            json,
            good: true,
        };
        let joined =
            talking.ask("join_conversation", json!({ "agents": agent.into_iter().collect::<Vec<_>>() })).await?;
        talking.know(&joined);
        Ok(talking)
    }

    /// Who is here and who answers.
    pub fn cast(&self) -> String {
        let who = self.target.as_deref().unwrap_or(&self.lead);
        let answers = match self.mode.as_str() {
            _ if self.target.is_some() => format!("{who} answers"),
            "all" => "all answer".to_owned(),
            "auto" => "who fits best answers".to_owned(),
            _ => format!("{who} answers"),
        };
        format!("conversation {} with {}: {answers}", self.conversation, self.agents.join(", "))
    }

    /// Says goodbye.
    pub async fn end(self) {
        if let Some(socket) = self.socket {
            socket.close().await;
        }
    }

    /// What comes without having been asked for; nothing while the connection is lost.
    pub async fn next(&mut self) -> Result<Value, Fault> {
        match &mut self.socket {
            Some(socket) => socket.next().await,
            None => pending().await,
        }
    }

    /// What is to be shown of it.
    pub fn aside(&mut self, frame: Result<Value, Fault>) -> anyhow::Result<Option<String>> {
        let frame = match frame {
            Ok(frame) => frame,
            Err(fault) => {
                self.socket = None;
                return Ok(Some(styled(ASIDE, &format!("({fault})"))));
            }
        };
        let data = &frame["data"];
        let text = match frame["type"].as_str().unwrap_or_default() {
            "conversation_message" => self.said(&data["message"]),
            "agent_handoff" => {
                self.lead = data["toAgent"].as_str().unwrap_or_default().to_owned();
                self.target = None;
                Some(styled(ASIDE, &format!("({} hands over to {})", plain(&data["fromAgent"].to_string()), self.lead)))
            }
            _ => None,
        };
        if self.json && text.is_some() {
            out::json(&frame)?;
            return Ok(None);
        }
        Ok(text)
    }

    /// A message of somebody else, once.
    fn said(&mut self, message: &Value) -> Option<String> {
        let id = message["id"].as_str()?;
        // What the system notes, as a handoff, has a frame of its own.
        if self.last.as_deref() == Some(id) || message["role"] == "system" {
            return None;
        }
        self.last = Some(id.to_owned());
        let who = message["agent"].as_str().or(message["role"].as_str())?;
        Some(format!("{}: {}", styled(NAME, &plain(who)), plain(message["content"].as_str()?)))
    }

    /// Does what a line asks for.
    pub async fn follow(&mut self, order: Order, lines: &mut Lines) -> anyhow::Result<()> {
        let done = match order {
            Order::Nothing | Order::Quit => Ok(()),
            Order::Say(text) => return self.say(&text, lines).await,
            Order::Help => return out::line(HELP),
            Order::Wrong(right) => {
                self.good = false;
                note(&format!("try {right}"));
                return Ok(());
            }
            Order::Handoff { to, reason } => self.hand_over(&to, &reason).await,
            Order::Join(agents) => self.join(json!({ "agents": agents })).await,
            Order::Mode(mode) => self.join(json!({ "mode": mode })).await,
            Order::Agents => self.list().await,
            Order::History => self.history().await,
        };
        self.forgive(done, lines)
    }

    /// An order that fails is told of, and the chat goes on; in a pipe it ends where the server is gone.
    fn forgive(&mut self, done: anyhow::Result<()>, lines: &Lines) -> anyhow::Result<()> {
        let Err(error) = done else { return Ok(()) };
        match error.downcast::<Fault>() {
            Ok(fault) if lines.is_terminal() || !(fault.passes() || matches!(fault, Fault::Refused(_))) => {
                self.good = false;
                note(&plain(&fault.to_string()));
                Ok(())
            }
            Ok(fault) => Err(fault.into()),
            Err(error) => Err(error),
        }
    }

    /// A request about this conversation, on a connection that is made where there is none.
    async fn ask(&mut self, kind: &str, mut data: Value) -> Result<Value, Fault> {
        data["conversationId"] = self.conversation.as_str().into();
        let asked = self.connected().await?.ask(kind, data).await;
        if matches!(asked, Err(Fault::Lost(_))) {
            self.socket = None;
        }
        asked
    }

    async fn connected(&mut self) -> Result<&mut Socket, Fault> {
        match self.socket.take() {
            Some(socket) => Ok(self.socket.insert(socket)),
            None => {
                let mut socket = Socket::open(&self.server).await?;
                let joined = socket.ask("join_conversation", json!({ "conversationId": self.conversation })).await?;
                self.missed(&joined);
                Ok(self.socket.insert(socket))
            }
        }
    }

    fn know(&mut self, joined: &Value) {
        let text = |name: &str| joined[name].as_str().unwrap_or_default().to_owned();
        let names = joined["agents"].as_array().into_iter().flatten().filter_map(Value::as_str);
        self.agents = names.map(str::to_owned).collect();
        (self.lead, self.mode) = (text("lead"), text("mode"));
    }

    /// Shows what agents said while the connection was lost.
    fn missed(&mut self, joined: &Value) {
        let messages = joined["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
        let known = messages.iter().rposition(|message| message["id"].as_str() == self.last.as_deref());
        let new = known.map_or(messages, |at| messages.get(at + 1..).unwrap_or_default());
        for message in new.iter().filter(|message| message["role"] == "assistant") {
            if let Some(text) = self.said(message) {
                // Whether it can still be shown, the next answer will tell.
                let _ = if self.json { out::json(message) } else { out::line(&text) };
            }
        }
    }

    async fn hand_over(&mut self, to: &str, reason: &str) -> anyhow::Result<()> {
        let from = self.target.clone().unwrap_or_else(|| self.lead.clone());
        let data = json!({ "fromAgent": from, "toAgent": to, "reason": reason });
        let done = self.ask("agent_handoff", data).await?;
        self.target = None;
        (self.lead, self.mode) = (done["toAgent"].as_str().unwrap_or(to).to_owned(), "lead".to_owned());
        if !self.agents.contains(&self.lead) {
            self.agents.push(self.lead.clone());
        }
        self.tell(&done)
    }

    async fn join(&mut self, data: Value) -> anyhow::Result<()> {
        let joined = self.ask("join_conversation", data).await?;
        self.target = None;
        self.know(&joined);
        self.tell(&joined)
    }

    fn tell(&self, what: &Value) -> anyhow::Result<()> {
        if self.json { out::json(what) } else { out::line(&styled(ASIDE, &format!("({})", self.cast()))) }
    }

    async fn list(&mut self) -> anyhow::Result<()> {
        let listed = self.server.get("/agents").await?;
        if self.json {
            return out::json(&listed);
        }
        for agent in listed["agents"].as_array().into_iter().flatten() {
            let text = |name: &str| plain(agent[name].as_str().unwrap_or_default()).into_owned();
            out::line(&format!("{}: {}, {}", styled(NAME, &text("name")), text("title"), text("status")))?;
        }
        Ok(())
    }

    async fn history(&mut self) -> anyhow::Result<()> {
        let history = self.ask("history", json!({})).await?;
        if self.json {
            return out::json(&history);
        }
        for message in history["messages"].as_array().into_iter().flatten() {
            let who = message["agent"].as_str().or(message["role"].as_str()).unwrap_or_default();
            let content = message["content"].as_str().unwrap_or_default();
            out::line(&format!("{}: {}", styled(NAME, &plain(who)), plain(content)))?;
        }
        Ok(())
    }

    /// Says something and shows what comes back, up to the last answer.
    async fn say(&mut self, text: &str, lines: &mut Lines) -> anyhow::Result<()> {
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
                    let back = self.come_back().await.map_err(Into::into);
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
    async fn frame_or_cancel(&mut self, id: &str, lines: &Lines) -> anyhow::Result<Value> {
        loop {
            let interrupted = async {
                // In a pipe the signal ends the program, as it ends others.
                if !lines.is_terminal() || tokio::signal::ctrl_c().await.is_err() {
                    pending::<()>().await;
                }
            };
            tokio::select! {
                frame = self.next() => return frame.inspect_err(|_| self.socket = None).map_err(Into::into),
                () = interrupted => {
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
