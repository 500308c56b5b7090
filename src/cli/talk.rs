//! What becomes of a question to agents: its frames, told apart and shown. `send` and `chat` share it.

use serde_json::Value;

use super::out::{self, NAME, WRONG, note, plain, styled};
use crate::client::{Fault, Server};

/// What a frame means to whoever asked.
#[derive(Debug)]
pub(super) enum Heard {
    /// The next piece of an answer.
    Piece { agent: String, text: String },
    /// An answer, whole; the last one ends the question.
    Answer { agent: String, text: String, last: bool },
    /// There is no answer.
    Failed { agent: String, fault: Fault, last: bool },
    /// A tool waits for approval.
    Waits { run: String, agent: String, calls: Vec<String> },
    /// It is about something else.
    Other,
}

/// What a frame means to the question `id`.
pub(super) fn heard(frame: &Value, id: &str) -> Heard {
    if frame["id"] != *id {
        return Heard::Other;
    }
    let data = &frame["data"];
    let text = |name: &str| data[name].as_str().unwrap_or_default().to_owned();
    let agent = text("agentId");
    let turn = &data["turn"];
    let last = turn["index"].as_u64() >= turn["of"].as_u64();
    match frame["type"].as_str().unwrap_or_default() {
        "chat_chunk" => Heard::Piece { agent, text: text("delta") },
        "chat_response" => Heard::Answer { agent, text: text("response"), last },
        "command_result" if data["status"] == "completed" => Heard::Answer { agent, text: text("message"), last: true },
        "command_result" => Heard::Failed { agent, fault: Fault::of(&data["error"]), last: true },
        "error" => Heard::Failed { agent, fault: Fault::of(data), last },
        "approval_request" => Heard::Waits { run: text("runId"), agent, calls: calls(data) },
        _ => Heard::Other,
    }
}

/// The uses of tools that wait, as people read them.
fn calls(data: &Value) -> Vec<String> {
    let call = |call: &Value| format!("{} {}", call["tool"].as_str().unwrap_or_default(), call["arguments"]);
    data["calls"].as_array().into_iter().flatten().map(call).collect()
}

/// Where answers are shown.
#[derive(Debug)]
pub(super) struct Screen {
    json: bool,
    /// Whether each answer begins with the name of who gives it.
    names: bool,
    /// Whose answer is being written.
    speaking: Option<String>,
}

impl Screen {
    /// A screen; `names`: whether it says who answers.
    pub fn new(json: bool, names: bool) -> Self {
        Self { json, names, speaking: None }
    }

    /// Shows what a frame meant.
    pub fn show(&mut self, frame: &Value, heard: &Heard) -> anyhow::Result<()> {
        match heard {
            Heard::Piece { .. } | Heard::Other => {}
            _ if self.json => return out::json(frame),
            Heard::Answer { .. } | Heard::Failed { .. } | Heard::Waits { .. } => {}
        }
        match heard {
            Heard::Piece { agent, text } if !self.json => self.piece(agent, text),
            Heard::Answer { agent, .. } if self.speaking.as_ref() == Some(agent) => self.end(),
            Heard::Answer { agent, text, .. } => {
                self.end()?;
                out::line(&format!("{}{}", self.name(agent), plain(text)))
            }
            Heard::Failed { agent, fault, .. } => {
                self.end()?;
                let who = if agent.is_empty() { String::new() } else { format!("{agent}: ") };
                note(&styled(WRONG, &plain(&format!("{who}{fault}"))));
                Ok(())
            }
            Heard::Waits { agent, calls, .. } => {
                self.end()?;
                note(&plain(&format!("{agent} waits for approval of {}", calls.join(", "))));
                Ok(())
            }
            Heard::Piece { .. } | Heard::Other => Ok(()),
        }
    }

    fn piece(&mut self, agent: &str, text: &str) -> anyhow::Result<()> {
        if self.speaking.as_deref() != Some(agent) {
            self.end()?;
            out::piece(&self.name(agent))?;
            self.speaking = Some(agent.to_owned());
        }
        out::piece(&plain(text))
    }

    /// Ends the line of an answer that was written in pieces.
    pub fn end(&mut self) -> anyhow::Result<()> {
        if self.speaking.take().is_some() { out::line("") } else { Ok(()) }
    }

    fn name(&self, agent: &str) -> String {
        if self.names { format!("{}: ", styled(NAME, &plain(agent))) } else { String::new() }
    }
}

/// How somebody else may decide on a run that waits.
pub(super) fn how_to_decide(server: &Server, run: &str) {
    note(&format!("decide it in the console, or by POST {} with {{\"decision\": \"approve\"}}", {
        server.http(&format!("/runs/{run}/approval"))
    }));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn frames_are_told_apart_by_id_type_and_turn() {
        let answer = |index: u64| {
            json!({ "id": "1", "type": "chat_response",
                    "data": { "agentId": "nyx", "response": "42", "turn": { "index": index, "of": 2 } } })
        };
        assert!(matches!(heard(&answer(1), "1"), Heard::Answer { last: false, .. }));
        assert!(matches!(heard(&answer(2), "1"), Heard::Answer { last: true, .. }));
        assert!(matches!(heard(&answer(2), "2"), Heard::Other));
        let failed = json!({ "id": "1", "type": "error", "data": { "code": "TIMEOUT", "message": "too long" } });
        assert!(matches!(heard(&failed, "1"), Heard::Failed { last: true, .. }));
    }
}
