//! Errors in the shape that clients of OpenAI's API read: `{"error":{"message","type","param","code"}}`.
//!
//! Handlers fail as they do everywhere; the shape is given on the way out, so that what the framework refuses has it too.

use actix_web::Error;
use actix_web::body::{self, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::PATHS;

/// The body of whatever is refused, as clients of that API read it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "OpenAiError")]
pub struct ErrorBody<'a> {
    error: ErrorPart<'a>,
}

/// What went wrong.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "OpenAiErrorPart")]
struct ErrorPart<'a> {
    message: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    /// The field that it is about.
    param: Option<&'a str>,
    code: String,
}

/// The largest error that is given another shape: its sentences are ours and short, the rest is a list of agents.
const MOST: usize = 64 * 1024;

/// Says to OpenAI's own clients whether the same request may be sent once more. Left alone they repeat whatever failed
/// on the server's side, and an agent that has done half of its work would do it again.
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// Gives errors of this API's paths its shape.
pub async fn shaped<B: MessageBody + 'static>(
    req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let ours = PATHS.iter().any(|path| {
        let rest = req.path().strip_prefix(path);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    });
    let response = next.call(req).await?.map_into_boxed_body();
    let status = response.status();
    if !ours || !(status.is_client_error() || status.is_server_error()) {
        return Ok(response);
    }
    let (request, response) = response.into_parts();
    let (mut response, body) = response.into_parts();
    let known = match body::to_bytes_limited(body, MOST).await {
        Ok(Ok(bytes)) => serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        _ => Value::Null,
    };
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let code = known["error"]["code"].as_str().unwrap_or_default();
    if status.is_server_error() || status == StatusCode::CONFLICT {
        let again = matches!(code, "QUEUE_FULL" | "UNAVAILABLE" | "STORE_UNAVAILABLE" | "AT_CAPACITY");
        response.headers_mut().insert(SHOULD_RETRY, HeaderValue::from_static(if again { "true" } else { "false" }));
    }
    let body = object(status, &known["error"]).to_string();
    Ok(ServiceResponse::new(request, response.set_body(BoxBody::new(body))))
}

/// The error object of an error of ours.
fn object(status: StatusCode, error: &Value) -> Value {
    let text = |name: &str| error[name].as_str().unwrap_or_default();
    let details = text("details");
    let message = match (details, text("code")) {
        ("", _) => text("message").to_owned(),
        (details, "INVALID_MESSAGE") => details.to_owned(),
        (details, _) => format!("{}: {details}", text("message")),
    };
    body_of(status, text("code"), &message, param(details))
}

/// The error object of an answer that has failed after its beginning, when no status can say so any more.
pub(super) fn late(error: &callboard_actors::protocol::Error) -> Value {
    use actix_web::ResponseError;
    let status = crate::http::error::HttpError::from(error.clone()).status_code();
    body_of(status, error.code.as_str(), &error.to_string(), None)
}

fn body_of(status: StatusCode, code: &str, message: &str, param: Option<&str>) -> Value {
    let kind = match status.as_u16() {
        401 => "authentication_error",
        403 => "permission_error",
        429 => "rate_limit_error",
        400..=499 => "invalid_request_error",
        _ => "server_error",
    };
    let code = match code {
        "AGENT_NOT_FOUND" => "model_not_found".to_owned(),
        "UNAUTHORIZED" if status == StatusCode::UNAUTHORIZED => "invalid_api_key".to_owned(),
        code => code.to_lowercase(),
    };
    json!(ErrorBody { error: ErrorPart { message, kind, param, code } })
}

/// The field that an error is about: what stands before the first colon of its details.
fn param(details: &str) -> Option<&str> {
    let details = details.strip_prefix("Missing required field: ").unwrap_or(details);
    let end = details.find([':', ' '])?;
    let field = details.get(..end)?;
    let named = field.bytes().all(|b| b.is_ascii_alphanumeric() || b"._[]".contains(&b));
    let rest = details.get(end..)?;
    (named && (rest.starts_with(": expected") || rest.starts_with(" (expected"))).then_some(field)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_ours_reads_as_one_of_theirs() {
        let ours = json!({ "code": "INVALID_MESSAGE", "message": "Invalid field: n", "details": "n: expected 1" });
        let theirs = json!({ "error": {
            "message": "n: expected 1", "type": "invalid_request_error", "param": "n",
            "code": "invalid_message",
        } });
        assert_eq!(object(StatusCode::BAD_REQUEST, &ours), theirs);
        let missing = "Missing required field: messages[0].content (expected a text)";
        assert_eq!(param(missing), Some("messages[0].content"));
        for none in ["", "Available agents: nyx", "path: /v1/x"] {
            assert_eq!(param(none), None, "{none}");
        }
        let unknown = json!({ "code": "AGENT_NOT_FOUND", "message": "Agent not found: gpt", "details": "" });
        assert_eq!(object(StatusCode::NOT_FOUND, &unknown)["error"]["code"], "model_not_found");
    }
}
