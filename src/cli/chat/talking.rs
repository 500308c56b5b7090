//! One conversation as it goes on: what is said, what comes back, and a connection that may have to be made again.

mod asking;

use std::future::pending;

use serde_json::{Value, json};

use super::lines::Lines;
use super::order::{HELP, Order};
use crate::cli::out::{self, ASIDE, NAME, note, plain, styled};
use crate::cli::talk::Screen;
use crate::client::{Fault, Server, Socket};

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
}
