//! What clients of OpenAI's API say: a list of messages, each a text or a list of pieces of text.

use std::sync::Arc;

use serde_json::Value;
use serde_json::value::RawValue;

use callboard_actors::protocol::{AgentName, ConversationId, Error, Message, MessageId, Part, Result, Role, Timestamp};

use crate::dialect::fields::Fields;

/// Messages of one request: more than a person and an agent exchange before any client cuts the past short.
const MESSAGES: usize = 4096;

/// Pieces of one message.
const PIECES: usize = 256;

/// What somebody said.
#[derive(Clone, PartialEq, Debug)]
pub struct Said {
    pub role: Role,
    pub text: String,
}

impl Said {
    /// It as a message of the past, of no conversation's own.
    fn into_message(self, agent: &AgentName) -> Arc<Message> {
        Arc::new(Message {
            id: MessageId::random(),
            conversation: ConversationId::trusted("context"),
            seq: 0,
            role: self.role,
            agent: (self.role == Role::Assistant).then(|| agent.clone()),
            parts: vec![Part::Text(self.text)],
            created_at: Timestamp::now(),
            run: None,
        })
    }
}

/// What is asked: the last thing said, which must be the user's, and what was said before.
pub fn question(
    mut said: Vec<Said>,
    field: &str,
    most: usize,
    agent: &AgentName,
) -> Result<(String, Vec<Arc<Message>>)> {
    let asked = said.pop().filter(|last| last.role == Role::User && !last.text.trim().is_empty());
    let asked = asked.ok_or_else(|| Error::invalid(field, "the last one to be the user's, with a text"))?;
    if asked.text.len() > most {
        return Err(Error::invalid(field, &format!("the last one to have at most {most} bytes")));
    }
    Ok((asked.text, said.into_iter().map(|said| said.into_message(agent)).collect()))
}

/// The messages of a list.
pub fn list(fields: &Fields<'_>, field: &'static str) -> Result<Vec<Said>> {
    let items = fields.items(field, MESSAGES)?.ok_or_else(|| fields.missing(field, "a list of messages"))?;
    let mut said = Vec::with_capacity(items.len());
    for (index, item) in items.into_iter().enumerate() {
        let at = format!("{field}[{index}]");
        let message = Fields::of_frame(item.get()).map_err(|_| Error::invalid(&at, "an object"))?;
        said.extend(one(&message, &at)?);
    }
    Ok(said)
}

/// One message; nothing where it only calls tools.
fn one(message: &Fields<'_>, at: &str) -> Result<Option<Said>> {
    let kind = message.text("type").ok().flatten();
    if let Some(kind) = kind.filter(|kind| kind != "message") {
        return Err(Error::invalid(&format!("{at}.type"), &format!("message; agents know nothing of {kind}")));
    }
    let role = message.text("role").ok().flatten();
    let role = match role.as_deref() {
        Some("system" | "developer") => Role::System,
        Some("user") => Role::User,
        Some("assistant") => Role::Assistant,
        // What a tool of the client said in an exchange with some other model; the answer that came of it follows.
        Some("tool" | "function") => return Ok(None),
        _ => return Err(Error::invalid(&format!("{at}.role"), "system, developer, user, assistant or tool")),
    };
    let at = format!("{at}.content");
    let Some(content) = message.raw("content") else {
        if role == Role::Assistant {
            return Ok(None);
        }
        return Err(Error::missing(&at, "a text or a list of texts"));
    };
    Ok(Some(Said { role, text: text(content, &at)? }))
}

/// A text, or the pieces of one joined.
fn text(content: &RawValue, at: &str) -> Result<String> {
    let expected = || Error::invalid(at, &format!("a text or a list of at most {PIECES} texts"));
    let value: Value = serde_json::from_str(content.get()).map_err(|_| expected())?;
    let pieces = match value {
        Value::String(text) => return Ok(text),
        Value::Array(pieces) if pieces.len() <= PIECES => pieces,
        _ => return Err(expected()),
    };
    let mut text = String::new();
    for (index, piece) in pieces.iter().enumerate() {
        let kind = piece["type"].as_str().unwrap_or_default();
        let said = match kind {
            "text" | "input_text" | "output_text" => piece["text"].as_str(),
            "refusal" => piece["refusal"].as_str(),
            _ => None,
        };
        let said = said.ok_or_else(|| Error::invalid(&format!("{at}[{index}]"), "a text; agents read nothing else"))?;
        text.push_str(said);
    }
    Ok(text)
}

/// Refuses what would change the kind of answer and cannot be had here. What is absent, null, empty or says what is
/// done anyway is no request for it.
pub fn refuse(fields: &Fields<'_>, field: &'static str, expected: &str, fine: &[&str]) -> Result<()> {
    let Some(raw) = fields.raw(field) else { return Ok(()) };
    let value: Value = serde_json::from_str(raw.get()).unwrap_or(Value::Null);
    let empty = value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(serde_json::Map::is_empty);
    let text = value.to_string();
    if empty || fine.contains(&text.as_str()) { Ok(()) } else { Err(Error::invalid(field, expected)) }
}

/// Whether the client's tools may be used for the answer; it may send some and forbid their use.
pub fn refuse_tools(fields: &Fields<'_>) -> Result<()> {
    if fields.text("tool_choice").ok().flatten().as_deref() == Some("none") {
        return Ok(());
    }
    let why = "none: an agent uses the tools that its file lists, not those of its clients";
    refuse(fields, "tools", why, &[])?;
    refuse(fields, "functions", why, &[])
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn said(messages: &str) -> Result<Vec<Said>> {
        let frame = format!(r#"{{"messages":{messages}}}"#);
        list(&Fields::of_frame(&frame).unwrap(), "messages")
    }

    #[test]
    fn texts_and_lists_of_texts_are_read() {
        let read = said(
            r#"[{"role":"developer","content":"be brief"},{"role":"assistant","tool_calls":[]},
                {"type":"message","role":"user","content":[{"type":"text","text":"a"},{"type":"input_text","text":"b"}]}]"#,
        );
        let read = read.unwrap();
        assert_eq!(read[0], Said { role: Role::System, text: "be brief".into() });
        assert_eq!(read[1], Said { role: Role::User, text: "ab".into() });
        let (asked, before) = question(read, "messages", 10, &AgentName::trusted("nyx")).unwrap();
        assert_eq!((asked.as_str(), before.len()), ("ab", 1));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (messages, field) in [
            ("[1]", "messages[0]"),
            (r#"[{"role":"user","content":7}]"#, "messages[0].content"),
            (r#"[{"role":"user","content":[{"type":"image_url"}]}]"#, "messages[0].content[0]"),
            (r#"[{"role":"judge","content":"x"}]"#, "messages[0].role"),
            (r#"[{"role":"user"}]"#, "messages[0].content"),
            (r#"[{"type":"function_call_output","output":"x"}]"#, "messages[0].type"),
        ] {
            let error = said(messages).unwrap_err().to_string();
            assert!(error.contains(field), "{messages}: {error}");
        }
        let nyx = AgentName::trusted("nyx");
        for messages in
            ["[]", r#"[{"role":"system","content":"x"}]"#, r#"[{"role":"user","content":"too long a text"}]"#]
        {
            assert!(question(said(messages).unwrap(), "messages", 10, &nyx).is_err(), "{messages}");
        }
    }

    #[test]
    fn what_is_not_asked_for_is_not_refused() {
        let fields = |text| Fields::of_frame(text).unwrap();
        for fine in [r#"{"tools":[]}"#, r#"{"tools":null}"#, r#"{"tools":[1],"tool_choice":"none"}"#, "{}"] {
            refuse_tools(&fields(fine)).unwrap();
        }
        assert!(refuse_tools(&fields(r#"{"tools":[{"type":"function"}]}"#)).is_err());
        assert!(refuse(&fields(r#"{"n":1}"#), "n", "1", &["1"]).is_ok());
        assert!(refuse(&fields(r#"{"n":2}"#), "n", "1", &["1"]).is_err());
    }
}
