//! What was said while a watch had no connection, from the histories of the conversations it may see.

use std::collections::{HashSet, VecDeque};

use chrono::{DateTime, SecondsFormat, TimeDelta};
use serde_json::{Value, json};

use crate::client::{Fault, Server};

/// Messages that are remembered as told: what one server says in a busy minute.
const TOLD: usize = 16_384;

/// A message is told when it is on disk, which may be some time after the moment that it bears.
const SLACK: TimeDelta = TimeDelta::seconds(60);

/// Messages asked for at a time.
const PAGE: usize = 100;

/// The messages that were told, so that none is told twice.
#[derive(Debug, Default)]
pub(super) struct Told {
    known: HashSet<String>,
    order: VecDeque<String>,
}

impl Told {
    /// Notes the message of an event; false if it was told before. What is no message is always new.
    pub fn note(&mut self, event: &Value) -> bool {
        let Some(id) = event["data"]["message"]["id"].as_str() else { return true };
        if !self.known.insert(id.to_owned()) {
            return false;
        }
        self.order.push_back(id.to_owned());
        if self.order.len() > TOLD
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}

/// What was said since, about, but not before `began`, in the order it was said, each as the event that would have told
/// it.
///
/// # Errors
/// The server cannot be asked.
pub(super) async fn said_since(server: &Server, since: &str, began: &str) -> Result<Vec<Value>, Fault> {
    let since = DateTime::parse_from_rfc3339(since).map(|at| (at - SLACK).to_utc());
    // Times of one form are ordered as their texts are.
    let since = since.map_or_else(|_| String::new(), |at| at.to_rfc3339_opts(SecondsFormat::Millis, true));
    let since = since.max(began.to_owned());
    let (mut said, mut after) = (Vec::new(), String::new());
    loop {
        let page = server.get(&format!("/conversations?limit=1000{after}")).await?;
        for conversation in list(&page, "conversations") {
            if text(conversation, "updated_at") > since.as_str() {
                said.extend(said_in(server, text(conversation, "id"), &since).await?);
            }
        }
        let Some(next) = page["next_after"].as_str() else { break };
        after = format!("&after={next}");
    }
    said.sort_by(|one, other| text(one, "timestamp").cmp(text(other, "timestamp")));
    Ok(said)
}

/// The same in one conversation, of which the history is read back from its end.
async fn said_in(server: &Server, id: &str, since: &str) -> Result<Vec<Value>, Fault> {
    let (mut said, mut before) = (Vec::new(), String::new());
    loop {
        let page = server.get(&format!("/conversations/{id}/messages?limit={PAGE}{before}")).await?;
        let messages = list(&page, "messages");
        let new: Vec<&Value> = messages.iter().filter(|message| text(message, "created_at") > since).collect();
        let all = new.len() == messages.len();
        // Oldest first, for messages of one moment keep their order.
        said.splice(0..0, new.into_iter().map(|message| event(id, message)));
        match page["next_before"].as_u64().filter(|_| all) {
            Some(next) => before = format!("&before={next}"),
            None => return Ok(said),
        }
    }
}

fn event(conversation: &str, message: &Value) -> Value {
    let data = json!({ "eventType": "conversation_message", "conversationId": conversation, "message": message });
    json!({ "type": "event", "data": data, "timestamp": message["created_at"] })
}

fn list<'a>(page: &'a Value, name: &str) -> &'a [Value] {
    page[name].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_told_once_and_all_else_always() {
        let mut told = Told::default();
        let said = |id: &str| event("c", &json!({ "id": id, "created_at": "2026-01-01T00:00:00.000Z" }));
        assert!(told.note(&said("1")) && told.note(&said("2")) && !told.note(&said("1")));
        let status = json!({ "type": "event", "data": { "eventType": "run_status" } });
        assert!(told.note(&status) && told.note(&status));
        for id in 0..TOLD {
            told.note(&said(&format!("more-{id}")));
        }
        assert!(told.note(&said("1")) && told.known.len() == TOLD);
    }
}
