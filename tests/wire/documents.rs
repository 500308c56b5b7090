//! The documents' own examples: what they say a client may send is understood as it stands there, and what they say the
//! server sends comes with all of its fields.

use std::path::Path;

use serde_json::{Value, json};

use callboard::dialect::agents::Agents;
use callboard::dialect::{Bounds, Dialect};
use callboard_actors::protocol::ConversationId;

use crate::harness::client::Client;
use crate::harness::server::{Server, Setup};
use crate::harness::transcript::make_heavy;

/// One example: a frame as the document writes it.
struct Example {
    text: String,
    client: bool,
}

/// The examples in the copy of a document's code blocks, `tests/documents/<number>.md`.
fn examples(number: &str) -> Vec<Example> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/documents/{number}.md"));
    let text = std::fs::read_to_string(path).unwrap();
    let mut examples = Vec::new();
    for block in text.split("\n```").skip(1).step_by(2) {
        let (mark, body) = block.split_once('\n').unwrap();
        let marks: Vec<&str> = mark.split_whitespace().collect();
        let (client, server) = (marks.contains(&"client"), marks.contains(&"server"));
        let mut add = |text: &str, client| examples.push(Example { text: text.to_owned(), client });
        match marks.first() {
            Some(&"json") if client || server => add(body, client),
            Some(&"javascript") => {
                if client {
                    sent(body).iter().for_each(|frame| add(frame, true));
                }
                if let (true, Some(at)) = (server, body.find("\n{")) {
                    add(&body[at..], false);
                }
            }
            _ => assert!(!client && !server, "{mark}"),
        }
    }
    examples
}

/// Every frame that a script sends, as JSON.
fn sent(script: &str) -> Vec<String> {
    let calls = script.split("ws.send(JSON.stringify(").skip(1);
    calls.map(|call| as_json(&call[..call.find("))").unwrap()])).collect()
}

/// An object as scripts write it: names without quotes, texts in single ones, comments.
fn as_json(literal: &str) -> String {
    let mut json = String::new();
    for line in literal.lines() {
        let line = line.split(" // ").next().unwrap().replace('\'', "\"");
        let mut rest = line.as_str();
        while let Some(colon) = rest.find(": ") {
            let start = rest[..colon].rfind(|c: char| !c.is_ascii_alphanumeric()).map_or(0, |at| at + 1);
            json.push_str(&format!("{}\"{}\": ", &rest[..start], &rest[start..colon]));
            rest = &rest[colon + 2..];
        }
        json.push_str(rest);
        json.push('\n');
    }
    json
}

#[test]
fn every_example_of_a_client_decodes() {
    for (number, count) in [("000", 3), ("002", 12)] {
        let examples = examples(number);
        let client: Vec<_> = examples.iter().filter(|example| example.client).collect();
        assert_eq!(client.len(), count, "document {number}");
        for example in client {
            let dialect = Agents::new(ConversationId::random());
            let bounds = Bounds { content: 256 << 10, batch: 100 };
            let decoded = dialect.decode(&example.text, &bounds);
            assert!(decoded.is_ok(), "document {number}: {}\n{:?}", example.text, decoded.err());
        }
    }
}

/// Sends every example of the document as it stands there and collects what comes until the end of `fence`.
async fn played(client: &mut Client, number: &str, fence: Value) -> Vec<Value> {
    for example in examples(number).iter().filter(|example| example.client) {
        client.send_raw(&example.text).await;
    }
    let mut heard = Vec::new();
    client.send(fence.clone()).await;
    loop {
        let frame = client.next().await;
        let over = frame["id"] == fence["id"] && frame["type"] != "status";
        heard.push(frame);
        if over {
            return heard;
        }
    }
}

/// Whether `frame` has every field of the example, each of the same kind.
fn has_shape(example: &Value, frame: &Value) -> bool {
    match (example, frame) {
        (Value::Object(fields), Value::Object(actual)) if !fields.contains_key("key") => {
            fields.iter().all(|(name, value)| actual.get(name).is_some_and(|actual| has_shape(value, actual)))
        }
        (example, actual) => std::mem::discriminant(example) == std::mem::discriminant(actual),
    }
}

fn check_shapes(number: &str, heard: &[Value]) {
    for example in examples(number).iter().filter(|example| !example.client) {
        let example: Value = serde_json::from_str(&example.text).unwrap();
        let same = |frame: &&Value| {
            frame["type"] == example["type"] && frame["data"]["eventType"] == example["data"]["eventType"]
        };
        let candidates: Vec<&Value> = heard.iter().filter(same).collect();
        assert!(
            candidates.iter().any(|frame| has_shape(&example, frame)),
            "document {number} has {example}\nbut came {candidates:#?}"
        );
    }
}

#[tokio::test]
async fn document_000_is_spoken_to_the_letter() {
    let server = Server::with("[heartbeat]\nidle_ping = \"500ms\"\nping = \"200ms\"");
    let mut client = server.client().await;
    let fence = json!({ "type": "task", "id": "end", "content": "hello", "agent": "nobody" });
    let mut heard = played(&mut client, "000", fence).await;
    assert_eq!(heard.pop().unwrap()["data"]["code"], "AGENT_NOT_FOUND");
    let answers = |heard: &[Value]| heard.iter().filter(|frame| frame["type"] == "final_answer").count();
    while answers(&heard) < 2 {
        heard.push(client.next().await);
    }
    assert!(heard.iter().all(|frame| frame["type"] != "error"), "{heard:#?}");
    heard.push(client.until(json!({ "type": "ping" })).await);
    heard.push(client.ask(json!({ "type": "task", "id": "bad", "content": "analyze the project in ./nowhere" })).await);
    let details = heard.last().unwrap()["details"].as_str().unwrap();
    assert!(details.starts_with("Traceback: "), "{details}");
    check_shapes("000", &heard);
}

/// How nyx is while it works.
async fn status_at_work(client: &mut Client, mut watcher: Client) -> Value {
    watcher.ask(json!({ "id": "w", "type": "subscribe", "data": { "events": ["run_status"] } })).await;
    let data = json!({ "instruction": "analyze project structure", "parameters": { "path": "./heavy" } });
    client.send(json!({ "id": "slow", "type": "command", "targetAgent": "nyx", "data": data })).await;
    watcher.until(json!({ "data": { "eventType": "run_status", "status": "processing" } })).await;
    let status = client.ask(json!({ "id": "how", "type": "status", "targetAgent": "nyx" })).await;
    client.send(json!({ "type": "cancel", "data": { "id": "slow" } })).await;
    client.until(json!({ "id": "slow", "data": { "status": "cancelled" } })).await;
    status
}

#[tokio::test]
async fn document_002_is_spoken_to_the_letter() {
    let server = Setup::default().start();
    make_heavy(&server.workspace(), 2000);
    // The document analyses `./src`.
    std::fs::create_dir(server.workspace().join("src")).unwrap();
    let mut client = server.client().await;
    client.ask(json!({ "id": "s", "type": "subscribe", "data": { "events": ["emotion_change"] } })).await;
    // What the document's conversation needs to be there.
    let data = json!({ "message": "hello", "conversationId": "conv_123" });
    client.ask(json!({ "id": "c", "type": "chat", "targetAgent": "nyx", "data": data })).await;
    let fence = json!({ "type": "chat", "id": "end", "targetAgent": "nyx", "priority": "low",
        "data": { "message": "Thank you, your work is wonderful, I love it!" } });
    let mut heard = played(&mut client, "002", fence).await;
    let missing: Vec<&Value> = heard.iter().filter(|frame| frame["type"] == "error").collect();
    assert!(missing.is_empty(), "{missing:#?}");
    heard.push(client.ask(json!({ "id": "e", "type": "chat", "data": {} })).await);
    heard.push(status_at_work(&mut client, server.client().await).await);
    check_shapes("002", &heard);
    for kind in ["subscribed", "conversation_joined", "agent_handoff", "batch_result", "stream_data"] {
        assert!(heard.iter().any(|frame| frame["type"] == kind), "no {kind}: {heard:#?}");
    }
}
