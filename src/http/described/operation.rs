//! One operation of the description.

use actix_web::http::{Method, StatusCode};
use schemars::JsonSchema;
use serde_json::{Value, json};

use super::Api;
use crate::http::error::ErrorBody;
use crate::http::query::{MAX_PAGE, PAGE};

/// What may be refused wherever credentials are looked at: bad ones, such as do not suffice, too many requests, a mishap.
const ALWAYS: [u16; 4] = [401, 403, 429, 500];

/// One operation, described piece by piece.
#[derive(Debug)]
pub struct Operation<'a> {
    api: &'a mut Api,
    path: &'static str,
    method: String,
    error: Value,
}

/// The schema of an id as clients choose them.
pub fn id() -> Value {
    json!({ "type": "string", "pattern": "^[A-Za-z0-9._:-]{1,128}$", "minLength": 1, "maxLength": 128 })
}

/// The schema of a whole number.
pub fn whole(least: u64, most: Option<u64>) -> Value {
    let mut schema = json!({ "type": "integer", "minimum": least });
    schema["maximum"] = json!(most.unwrap_or(u64::MAX));
    schema
}

impl<'a> Operation<'a> {
    pub(super) fn new(
        api: &'a mut Api,
        tag: &'static str,
        method: Method,
        path: &'static str,
        name: &str,
        summary: &str,
    ) -> Self {
        let error = api.shape::<ErrorBody<'static>>();
        let method = method.as_str().to_lowercase();
        let names = path.split('{').skip(1).filter_map(|rest| rest.split('}').next());
        let parameters: Vec<Value> =
            names.map(|name| json!({ "name": name, "in": "path", "required": true, "schema": id() })).collect();
        let place = api.paths.entry(path).or_insert_with(|| json!({}));
        place[&method] = json!({
            "operationId": name, "tags": [tag], "summary": summary, "parameters": parameters, "responses": {},
        });
        Self { api, path, method, error }
    }

    fn at(&mut self) -> &mut Value {
        &mut self.api.paths[self.path][&self.method]
    }

    fn add_parameter(mut self, parameter: Value) -> Self {
        if let Some(parameters) = self.at()["parameters"].as_array_mut() {
            parameters.push(parameter);
        }
        self
    }

    /// What more is to be said of it.
    pub fn says(mut self, words: &str) -> Self {
        self.at()["description"] = words.into();
        self
    }

    /// What the variable part of the path is, where it is no id.
    pub fn path(mut self, schema: Value, words: &str) -> Self {
        let parameter = &mut self.at()["parameters"][0];
        (parameter["schema"], parameter["description"]) = (schema, words.into());
        self
    }

    /// A field of the query.
    pub fn query(self, name: &str, schema: Value, words: &str) -> Self {
        self.add_parameter(json!({ "name": name, "in": "query", "description": words, "schema": schema }))
    }

    /// How long a page is to be.
    pub fn limited(self) -> Self {
        let mut schema = whole(1, Some(MAX_PAGE));
        schema["default"] = PAGE.into();
        self.query("limit", schema, "How many at most.").refuses(&[400])
    }

    /// That it always asks for credentials.
    pub fn guarded(mut self) -> Self {
        self.at()["security"] = json!([{ "bearer": [] }, { "token": [] }, { "key": [] }]);
        self
    }

    /// The body that it takes, as JSON.
    pub fn takes<T: JsonSchema>(mut self) -> Self {
        let schema = self.api.shape::<T>();
        self.at()["requestBody"] = json!({ "required": true, "content": { "application/json": { "schema": schema } } });
        self.refuses(&[400, 413])
    }

    /// An answer in JSON.
    pub fn answers<T: JsonSchema>(self, status: u16, words: &str) -> Self {
        self.gives::<T>(status, "application/json", words)
    }

    /// An answer of another type beside those of the same status.
    pub fn gives<T: JsonSchema>(mut self, status: u16, kind: &str, words: &str) -> Self {
        let schema = self.api.shape::<T>();
        let response = &mut self.at()["responses"][status.to_string()];
        response["description"] = words.into();
        response["content"][kind] = json!({ "schema": schema });
        self
    }

    /// An answer without a body.
    pub fn silently(mut self, status: u16, words: &str) -> Self {
        self.at()["responses"][status.to_string()] = json!({ "description": words });
        self
    }

    /// A header of the answer of that status.
    pub fn header(mut self, status: u16, name: &str, schema: Value, words: &str) -> Self {
        let header = json!({ "description": words, "schema": schema });
        self.at()["responses"][status.to_string()]["headers"][name] = header;
        self
    }

    /// That errors have the shape of `T` here; to be said before any error is.
    pub fn errs<T: JsonSchema>(mut self) -> Self {
        self.error = self.api.shape::<T>();
        self
    }

    /// The statuses of its errors.
    pub fn refuses(mut self, statuses: &[u16]) -> Self {
        for status in statuses {
            let reason = StatusCode::from_u16(*status).ok().and_then(|status| status.canonical_reason());
            let content = json!({ "application/json": { "schema": self.error } });
            let mut response = json!({ "description": reason.unwrap_or("Refused"), "content": content });
            if matches!(status, 429 | 503) {
                let words = "Seconds after which another try makes sense.";
                response["headers"]["retry-after"] = json!({ "description": words, "schema": { "type": "integer" } });
            }
            self.at()["responses"][status.to_string()] = response;
        }
        self
    }

    /// The statuses of errors that any look at credentials or at the store may bring, and those named besides.
    pub fn refuses_also(self, statuses: &[u16]) -> Self {
        self.refuses(&ALWAYS).refuses(statuses)
    }
}
