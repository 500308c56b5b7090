//! The description of the frames, as the server gives it, held against the frames that it sends.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use jsonschema::Validator;
use serde_json::{Value, json};

/// The frames that a server may send, by dialect and type.
pub struct Frames {
    document: Value,
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

impl Frames {
    /// What a server says of itself. It is the same for every server of the program.
    pub async fn of(address: &str) -> &'static Self {
        static FRAMES: OnceLock<Frames> = OnceLock::new();
        if let Some(frames) = FRAMES.get() {
            return frames;
        }
        let request = reqwest::Client::new().get(format!("http://{address}/asyncapi.json")).timeout(super::PATIENCE);
        let text = request.send().await.unwrap().text().await.unwrap();
        let mut document: Value = serde_json::from_str(&text).unwrap();
        close(&mut document["components"]);
        FRAMES.get_or_init(|| Self { document, validators: Mutex::default() })
    }

    /// Holds a frame that came from a socket at `path` against its description, down to the last field.
    pub fn check(&self, path: &str, frame: &Value) -> Result<(), String> {
        let names: &[&str] = match path.split('?').next().unwrap_or_default() {
            "/ws" => &["agents", "tasks"],
            "/chat/ws" => &["threads"],
            path if path.starts_with("/chat/") => &["steps"],
            path if path.contains("/v1/ws") => &["channels"],
            _ => return Ok(()),
        };
        let kind = frame["type"].as_str().unwrap_or_default();
        let known = |key: &String| self.document["components"]["messages"].get(key).is_some();
        let key = names.iter().map(|name| format!("{name}.sends.{kind}")).find(known);
        let key = match key {
            Some(key) => key,
            None if names == ["channels"] => "channels.sends.publication".to_owned(),
            None => return Err(format!("a frame that is not described: {frame}")),
        };
        let problems: Vec<String> = self.validator(&key).iter_errors(frame).map(|error| error.to_string()).collect();
        if problems.is_empty() { Ok(()) } else { Err(format!("{key} is described otherwise: {problems:?}\n  {frame}")) }
    }

    fn validator(&self, key: &str) -> Arc<Validator> {
        let mut validators = self.validators.lock().unwrap_or_else(PoisonError::into_inner);
        let made = validators.entry(key.to_owned()).or_insert_with(|| {
            let reference = format!("#/components/messages/{key}/payload");
            let schema = json!({ "$ref": reference, "components": self.document["components"] });
            Arc::new(jsonschema::draft7::options().should_validate_formats(true).build(&schema).unwrap())
        });
        made.clone()
    }
}

/// Has a schema take no fields but those that it names.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            fields.iter_mut().filter(|(name, _)| *name != "examples").for_each(|(_, value)| close(value));
            let is_object = fields.get("type").is_some_and(|kind| kind == "object");
            if is_object && fields.contains_key("properties") && !fields.contains_key("additionalProperties") {
                fields.insert("additionalProperties".to_owned(), false.into());
            }
        }
        Value::Array(values) => values.iter_mut().for_each(close),
        _ => {}
    }
}
