//! `GET /openapi.json`: what the HTTP resources take and answer, as OpenAPI 3.1.
//!
//! The shapes are those of the types that handlers read and write; a file a group of resources says which belongs
//! where. A test holds the description against the routes.

mod agents;
mod bodies;
mod channels;
mod conversations;
mod house;
mod openai;
mod operation;
mod runs;
mod sockets;

use std::sync::LazyLock;

use actix_web::HttpResponse;
use actix_web::http::{Method, header};
use actix_web::web::Bytes;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use self::operation::Operation;

/// The description as it is sent: the same for everybody, as it names nothing of what a tenant has.
static TEXT: LazyLock<Bytes> = LazyLock::new(|| Bytes::from(document().to_string()));

/// What is described so far.
#[derive(Debug)]
pub struct Api {
    schemas: SchemaGenerator,
    paths: Map<String, Value>,
}

impl Api {
    /// The shape of `T`, to refer to.
    fn shape<T: JsonSchema>(&mut self) -> Value {
        self.schemas.subschema_for::<T>().to_value()
    }

    /// Describes what a resource does on `method`. `id` is what generated clients call it.
    fn on(&mut self, tag: &'static str, method: Method, path: &'static str, id: &str, summary: &str) -> Operation<'_> {
        Operation::new(self, tag, method, path, id, summary)
    }
}

/// The description.
pub async fn get() -> HttpResponse {
    let json = (header::CONTENT_TYPE, "application/json");
    HttpResponse::Ok().insert_header(json).insert_header((header::CACHE_CONTROL, "no-cache")).body(TEXT.clone())
}

/// The whole document.
pub fn document() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut api = Api { schemas: settings.for_serialize().into_generator(), paths: Map::new() };
    house::describe(&mut api);
    agents::describe(&mut api);
    conversations::describe(&mut api);
    runs::describe(&mut api);
    channels::describe(&mut api);
    openai::describe(&mut api);
    sockets::describe(&mut api);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Callboard", "version": env!("CARGO_PKG_VERSION"), "license": { "name": "MIT or Apache 2.0", "identifier": "MIT OR Apache-2.0" },
            "description": "Coordination of AI agents: who is there, what was said, what is being done. What is said \
                            over WebSockets is described at `/asyncapi.json`.",
        },
        "servers": [{ "url": "/" }],
        "tags": tags(),
        "security": [{}, { "bearer": [] }, { "token": [] }, { "key": [] }],
        "paths": api.paths,
        "components": { "schemas": api.schemas.take_definitions(true), "securitySchemes": security() },
    })
}

fn tags() -> Value {
    let tag = |(name, description): (&str, &str)| json!({ "name": name, "description": description });
    let tags = [
        ("house", "How the server is, and what it shows people."),
        ("agents", "Who can be asked, and what they remember."),
        ("conversations", "What was said."),
        ("runs", "What agents do for somebody."),
        ("channels", "What was published, and publishing. Below `/v1` and `/api/v1` always with credentials."),
        ("openai", "The agents as models of OpenAI's API."),
        ("sockets", "Where WebSockets begin; what is said there is described at `/asyncapi.json`."),
    ];
    tags.into_iter().map(tag).collect()
}

fn security() -> Value {
    json!({
        "bearer": { "type": "http", "scheme": "bearer", "description": "A token or an API key." },
        "token": { "type": "apiKey", "in": "query", "name": "token", "description": "A token, as a JWT." },
        "key": { "type": "apiKey", "in": "query", "name": "key", "description": "An API key." },
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::http::routes;

    #[test]
    fn every_route_is_described_and_nothing_else() {
        let mut listed = Vec::new();
        let _ = actix_web::App::new().configure(|config| routes::list(config, &mut listed));
        let routes: BTreeSet<_> =
            listed.into_iter().map(|(method, path)| format!("{method} {}", path.replace(":.*}", "}"))).collect();
        let document = document();
        let mut described = BTreeSet::new();
        for (path, operations) in document["paths"].as_object().unwrap() {
            described.extend(operations.as_object().unwrap().keys().map(|m| format!("{} {path}", m.to_uppercase())));
        }
        assert_eq!(routes, described);
    }

    #[test]
    fn every_reference_leads_somewhere_and_every_id_is_its_own() {
        let document = document();
        let (mut references, mut ids) = (Vec::new(), Vec::new());
        walk(&document, &mut references, &mut ids);
        assert!(references.len() > 100 && ids.len() > 40);
        for reference in references {
            assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
        }
        let different: BTreeSet<_> = ids.iter().collect();
        assert_eq!(different.len(), ids.len());
    }

    fn walk(value: &Value, references: &mut Vec<String>, ids: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    match (name.as_str(), value) {
                        ("$ref", Value::String(to)) => references.push(to.clone()),
                        ("operationId", Value::String(id)) => ids.push(id.clone()),
                        _ => walk(value, references, ids),
                    }
                }
            }
            Value::Array(values) => values.iter().for_each(|value| walk(value, references, ids)),
            _ => {}
        }
    }
}
