#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::path::Path;

use jsonschema::Validator;

use super::*;
use crate::dialect::agents::Agents;
use crate::dialect::channels::Channels;
use crate::dialect::steps::Steps;
use crate::dialect::threads::Threads;
use crate::dialect::{Bounds, Dialect};
use callboard_actors::protocol::{ChannelId, ConversationId};

const BOUNDS: Bounds = Bounds { content: 256 << 10, batch: 100 };

/// A validator of one message of the document.
fn validator(document: &Value, key: &str) -> Validator {
    let reference = format!("#/components/messages/{key}/payload");
    let schema = json!({ "$ref": reference, "components": document["components"] });
    jsonschema::draft7::options().should_validate_formats(true).build(&schema).unwrap()
}

fn dialect(address: &str) -> Box<dyn Dialect> {
    match address {
        "/ws" => Box::new(Agents::new(ConversationId::trusted("own"))),
        "/chat/ws" => Box::new(Threads::new()),
        path if path.starts_with("/chat/") => Box::new(Steps::new(ConversationId::trusted("chat"))),
        _ => Box::new(Channels::new(Some(ChannelId::trusted("news")))),
    }
}

/// The names in the document of what an address speaks.
fn names(address: &str) -> &'static [&'static str] {
    match address {
        "/ws" => &["agents", "tasks"],
        "/chat/ws" => &["threads"],
        path if path.starts_with("/chat/") => &["steps"],
        _ => &["channels"],
    }
}

#[test]
fn every_file_reads_and_every_example_is_what_its_schema_says() {
    DIALECTS.iter().for_each(|(_, text)| drop(serde_json::from_str::<Value>(text).unwrap()));
    let document = document();
    let messages = document["components"]["messages"].as_object().unwrap();
    assert!(messages.len() > 80, "{}", messages.len());
    for (key, message) in messages {
        let example = &message["examples"][0]["payload"];
        let validator = validator(&document, key);
        let problems: Vec<String> = validator.iter_errors(example).map(|error| error.to_string()).collect();
        assert!(problems.is_empty() && example.is_object(), "{key}: {problems:?}");
        assert!(!message["summary"].as_str().unwrap().is_empty());
    }
}

#[test]
fn every_example_of_a_frame_from_a_client_is_taken() {
    for (name, text) in DIALECTS {
        let file = built_in(text);
        let dialect = dialect(file["address"].as_str().unwrap());
        for (kind, frame) in with_heartbeat(&file, "receives") {
            let taken = dialect.decode(&frame["example"].to_string(), &BOUNDS);
            assert!(taken.is_ok(), "{name} {kind}: {taken:?}");
        }
    }
}

/// The frames that the transcripts have clients send, each with the address of its socket.
fn sent() -> Vec<(String, String)> {
    let mut sent = Vec::new();
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts")).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap().replace("\n ", " ");
        let mut addresses: HashMap<&str, String> = HashMap::new();
        for line in text.lines() {
            let end = line.find(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit())).unwrap_or(line.len());
            let (socket, said) = line.split_at(end);
            if let Some(path) = said.trim_start().strip_prefix("connect ") {
                addresses.insert(socket, path.split('?').next().unwrap().to_owned());
            } else if let Some(frame) = said.strip_prefix("> ").filter(|frame| frame.starts_with('{')) {
                let address = addresses.get(socket).cloned().unwrap_or_else(|| "/ws".to_owned());
                // What the transcript fills in is an id.
                sent.push((address, frame.replace("\"$", "\"v-")));
            }
        }
    }
    sent
}

#[test]
fn what_a_dialect_takes_is_what_is_described() {
    let document = document();
    let (sent, mut checked) = (sent(), 0);
    let mut validators: HashMap<String, Validator> = HashMap::new();
    assert!(sent.len() > 200, "{}", sent.len());
    for (address, text) in sent {
        let dialect = dialect(&address);
        if dialect.decode(&text, &BOUNDS).is_err() {
            continue;
        }
        let frame: Value = serde_json::from_str(&text).unwrap();
        let kind = frame["type"].as_str().unwrap();
        let keys = names(&address).iter().map(|name| format!("{name}.receives.{kind}"));
        let key = keys.into_iter().find(|key| document["components"]["messages"].get(key).is_some());
        let key = key.unwrap_or_else(|| "channels.receives.message".to_owned());
        let validator = validators.entry(key.clone()).or_insert_with(|| validator(&document, &key));
        let problems: Vec<String> = validator.iter_errors(&frame).map(|error| error.to_string()).collect();
        assert!(problems.is_empty(), "{address} {key} {text}: {problems:?}");
        checked += 1;
    }
    assert!(checked > 150, "{checked}");
}
