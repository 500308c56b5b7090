//! An id for every request and a line in the log: method, path, status, milliseconds, id.
//!
//! The query is never logged, for credentials may stand in it. What a client chooses is cut and kept on one line.

use std::borrow::Cow;
use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpRequest};

use callboard_actors::protocol::{MessageId, TraceParent, id};

use crate::logging::one_line;
use crate::metrics;

/// The header that carries a request's id, both ways.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The header that says where a request stands in a trace.
const TRACE_PARENT: &str = "traceparent";

/// What the log calls these lines, so that `log.filter` can leave them out: `info,access=off`.
const TARGET: &str = "access";

/// The longest method or path that is logged, in characters.
const SHOWN: usize = 200;

/// Logs a request and answers with its id: the client's own if it is one, else a new one.
pub async fn log<B: MessageBody>(req: ServiceRequest, next: Next<B>) -> Result<ServiceResponse<B>, Error> {
    let began = Instant::now();
    let id = request_id(req.headers().get(REQUEST_ID));
    let (method, path) = (req.method().clone(), req.path().to_owned());
    let mut response = next.call(req).await?;
    let (status, elapsed) = (response.status().as_u16(), began.elapsed());
    metrics::request(class(status), elapsed.as_secs_f64());
    // Probes and scrapes come for ever; refusals come by the thousand when somebody floods the server.
    let quiet = path.starts_with("/health/") || path == "/metrics" || status == 429;
    let level = if quiet { log::Level::Debug } else { log::Level::Info };
    log::log!(target: TARGET, level, "{}", line(method.as_str(), &path, status, elapsed.as_secs_f64() * 1000.0, &id));
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    Ok(response)
}

/// Where a request stands in a trace that its client began.
pub fn parent(req: &HttpRequest) -> Option<TraceParent> {
    req.headers().get(TRACE_PARENT).and_then(|value| TraceParent::parse(value.to_str().ok()?))
}

fn request_id(given: Option<&HeaderValue>) -> String {
    let given = given.and_then(|value| value.to_str().ok()).filter(|text| id::check_id("x-request-id", text).is_ok());
    given.map_or_else(|| MessageId::random().to_string(), str::to_owned)
}

fn line(method: &str, path: &str, status: u16, ms: f64, id: &str) -> String {
    format!("{} {} {status} {ms:.1}ms {id}", shown(method), shown(path))
}

/// `text` in one piece: without spaces, which would look like the next field, and not too long.
fn shown(text: &str) -> Cow<'_, str> {
    let cut = text.char_indices().nth(SHOWN).and_then(|(end, _)| text.get(..end));
    let shown = one_line(cut.unwrap_or(text));
    if shown.contains(char::is_whitespace) { Cow::Owned(shown.replace(char::is_whitespace, "\\u{20}")) } else { shown }
}

fn class(status: u16) -> &'static str {
    match status {
        100..=199 => "1xx",
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        _ => "5xx",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_taken_only_if_it_is_one() {
        let given = |text: &[u8]| HeaderValue::from_bytes(text).ok();
        assert_eq!(request_id(given(b"req-1.a:b").as_ref()), "req-1.a:b");
        for bad in [&b""[..], b"a b", b"a\tb", b"\xff", &[b'x'; 129]] {
            let made = request_id(given(bad).as_ref());
            assert!(made.len() == 32 && made.bytes().all(|b| b.is_ascii_hexdigit()), "{made}");
        }
        assert_ne!(request_id(None), request_id(None));
    }

    #[test]
    fn a_line_is_one_line_of_five_fields() {
        assert_eq!(line("GET", "/agents", 200, 1.26, "r1"), "GET /agents 200 1.3ms r1");
        let forged = line("GET", "/a\u{85}2026 ERROR\u{2028}x", 404, 0.0, "r1");
        assert_eq!(forged.split_whitespace().count(), 5, "{forged}");
        assert_eq!(forged.lines().count(), 1);
        assert!(line("GET", &"/x".repeat(5000), 404, 0.0, "r1").len() < 300);
    }
}
