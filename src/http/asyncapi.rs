//! `GET /asyncapi.json`: every frame of the five dialects with its schema and an example, as AsyncAPI 3.0.
//!
//! The frames stand in `asyncapi/`, a file a dialect. Tests hold them against the dialects themselves: what these send is
//! described down to the last field, and what they take is what is described.

use std::sync::LazyLock;

use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::Bytes;
use serde_json::{Map, Value, json};

/// Each dialect by its name in the description.
const DIALECTS: [(&str, &str); 5] = [
    ("tasks", include_str!("asyncapi/tasks.json")),
    ("agents", include_str!("asyncapi/agents.json")),
    ("steps", include_str!("asyncapi/steps.json")),
    ("channels", include_str!("asyncapi/channels.json")),
    ("threads", include_str!("asyncapi/threads.json")),
];

/// What frames have in common.
const SHARED: &str = include_str!("asyncapi/shared.json");

/// The frames that every endpoint takes and sends.
const HEARTBEAT: &str = include_str!("asyncapi/heartbeat.json");

/// The description as it is sent.
static TEXT: LazyLock<Bytes> = LazyLock::new(|| Bytes::from(document().to_string()));

/// The description.
pub async fn get() -> HttpResponse {
    let json = (header::CONTENT_TYPE, "application/json");
    HttpResponse::Ok().insert_header(json).insert_header((header::CACHE_CONTROL, "no-cache")).body(TEXT.clone())
}

/// JSON that is built in; a test reads every file.
fn built_in(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}

/// The whole document.
pub fn document() -> Value {
    let (mut channels, mut operations, mut messages) = (Map::new(), Map::new(), Map::new());
    for (name, text) in DIALECTS {
        let dialect = built_in(text);
        let mut all = Map::new();
        for (direction, action) in [("receives", "receive"), ("sends", "send")] {
            let mut told = Vec::new();
            for (kind, frame) in with_heartbeat(&dialect, direction) {
                let key = format!("{name}.{direction}.{kind}");
                let within = format!("{direction}.{kind}");
                messages.insert(key.clone(), message(&kind, &frame));
                all.insert(within.clone(), json!({ "$ref": format!("#/components/messages/{key}") }));
                told.push(json!({ "$ref": format!("#/channels/{name}/messages/{within}") }));
            }
            let channel = json!({ "$ref": format!("#/channels/{name}") });
            let operation = json!({ "action": action, "channel": channel, "messages": told });
            operations.insert(format!("{name}.{direction}"), operation);
        }
        channels.insert(name.to_owned(), channel(&dialect, all));
    }
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Callboard", "version": env!("CARGO_PKG_VERSION"), "license": { "name": "MIT OR Apache-2.0" },
            "description": "The frames of the five dialects, as the server receives and sends them: text frames of JSON \
                            objects, in which fields that nobody knows are ignored.",
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": { "messages": messages, "schemas": built_in(SHARED) },
    })
}

fn channel(dialect: &Value, messages: Map<String, Value>) -> Value {
    let mut channel = json!({ "address": dialect["address"], "title": dialect["title"], "messages": messages });
    if let Some(also) = dialect["also"].as_array() {
        let also: Vec<_> = also.iter().filter_map(Value::as_str).collect();
        channel["description"] = format!("Also at {}.", also.join(", ")).into();
    }
    if let Some(parameters) = dialect.get("parameters") {
        channel["parameters"] = parameters.clone();
    }
    channel
}

/// The frames of a direction. Only on `/ws` does the server itself ask whether anybody is there.
fn with_heartbeat(dialect: &Value, direction: &str) -> Vec<(String, Value)> {
    let own = dialect[direction].as_object().cloned().unwrap_or_default();
    let beats = built_in(HEARTBEAT);
    let beats = beats.as_object().cloned().unwrap_or_default();
    let asks = direction == "receives" || dialect["address"] == "/ws";
    own.into_iter().chain(beats.into_iter().filter(|(kind, _)| asks || kind == "pong")).collect()
}

fn message(kind: &str, frame: &Value) -> Value {
    json!({
        "name": kind, "summary": frame["summary"], "payload": frame["schema"],
        "examples": [{ "payload": frame["example"] }],
    })
}

#[cfg(test)]
mod tests;
