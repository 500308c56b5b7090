//! Errors as HTTP answers: `{"error":{"code","message","details"}}`.

use std::fmt;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use schemars::JsonSchema;
use serde::Serialize;

use callboard_actors::protocol::{Code, Error};

use crate::auth::AuthError;

/// An error on its way to an HTTP client.
#[derive(Debug)]
pub struct HttpError {
    status: StatusCode,
    code: &'static str,
    message: String,
    details: String,
    retry_after: Option<u32>,
}

/// The body of whatever is refused.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Error")]
pub struct ErrorBody<'a> {
    error: ErrorPart<'a>,
}

/// What went wrong.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ErrorPart")]
struct ErrorPart<'a> {
    /// For programs: `INVALID_MESSAGE`, `AGENT_NOT_FOUND` and so on.
    code: &'static str,
    /// For people, a sentence.
    message: &'a str,
    /// What more is known: of a bad request the field, and what was expected there.
    details: &'a str,
}

impl HttpError {
    /// An error with a status of its own.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), details: String::new(), retry_after: None }
    }

    /// The same error under another status.
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// The same error with details behind the sentence.
    pub fn details(mut self, details: impl Into<String>) -> Self {
        self.details = details.into();
        self
    }

    /// Whether this is the runtime's error of that code.
    pub fn is(&self, code: Code) -> bool {
        self.code == code.as_str()
    }

    /// The same error with the seconds after which a retry makes sense.
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }
}

impl From<Error> for HttpError {
    fn from(error: Error) -> Self {
        let status = match error.code {
            Code::InvalidMessage => StatusCode::BAD_REQUEST,
            Code::AgentNotFound | Code::ConversationNotFound | Code::ChannelNotFound | Code::RunNotFound => {
                StatusCode::NOT_FOUND
            }
            Code::Unauthorized => StatusCode::FORBIDDEN,
            Code::RateLimitExceeded => StatusCode::TOO_MANY_REQUESTS,
            Code::QueueFull | Code::Unavailable | Code::StoreUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            Code::Timeout => StatusCode::GATEWAY_TIMEOUT,
            Code::Cancelled | Code::Rejected => StatusCode::CONFLICT,
            Code::Interrupted | Code::AgentFailed => StatusCode::BAD_GATEWAY,
            Code::CursorExpired => StatusCode::GONE,
            Code::InternalError => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let busy = status == StatusCode::SERVICE_UNAVAILABLE;
        let retry_after = error.retry_after.or(busy.then_some(1));
        Self { status, code: error.code.as_str(), message: error.message, details: error.details, retry_after }
    }
}

impl From<AuthError> for HttpError {
    fn from(error: AuthError) -> Self {
        let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::UNAUTHORIZED);
        Self::new(status, error.code(), error.to_string())
    }
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.message)
    }
}

impl std::error::Error for HttpError {}

impl ResponseError for HttpError {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        if let Some(seconds) = self.retry_after {
            response.insert_header((header::RETRY_AFTER, seconds.to_string()));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
        }
        response
            .json(ErrorBody { error: ErrorPart { code: self.code, message: &self.message, details: &self.details } })
    }
}
