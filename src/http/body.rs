//! How large the body of a request may be, and how long it may take to come.

use std::io;
use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::http::{Method, StatusCode, header};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, web};
use futures_util::{StreamExt, stream};
use tokio::time::{Instant, timeout_at};

use super::app::App;
use super::error::HttpError;

/// Turns away a body that says of itself that it is too large, before anybody reads it. One that does not say how large
/// it is, is cut off by whoever reads it, and one that does not come fails.
pub async fn limit<B: MessageBody + 'static>(
    mut req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let length = req.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let limits = req.app_data::<web::Data<App>>().map(|app| &app.config.server);
    let (most, time) = limits.map_or((0, Duration::ZERO), |server| (server.max_body, server.body_time));
    if length.is_some_and(|length| length > most as u64) {
        return Ok(req.error_response(too_large(most)).map_into_boxed_body());
    }
    // What follows the head of a GET is read by sockets alone, and they have watches of their own.
    if req.method() != Method::GET {
        let payload = in_time(req.take_payload(), time);
        req.set_payload(payload);
    }
    Ok(next.call(req).await?.map_into_boxed_body())
}

/// The same body, which fails when `time` is over.
fn in_time(payload: Payload, time: Duration) -> Payload {
    let deadline = Instant::now() + time;
    let payload = stream::unfold(Some(payload), move |payload| async move {
        let mut payload = payload?;
        match timeout_at(deadline, payload.next()).await {
            Ok(piece) => piece.map(|piece| (piece, Some(payload))),
            Err(_) => {
                let late = io::Error::new(io::ErrorKind::TimedOut, "the body did not come in time");
                Some((Err(PayloadError::Io(late)), None))
            }
        }
    });
    Payload::Stream { payload: Box::pin(payload) }
}

/// The error for a body of more than `limit` bytes.
pub fn too_large(limit: usize) -> HttpError {
    let error = HttpError::new(StatusCode::PAYLOAD_TOO_LARGE, "INVALID_MESSAGE", "The body is too large");
    error.details(format!("body: expected at most {limit} bytes"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[actix_web::test]
    async fn a_body_that_does_not_come_fails_and_does_not_end() {
        let begun = stream::iter([Ok(Bytes::from_static(b"begun"))]).chain(stream::pending());
        let mut body = in_time(Payload::Stream { payload: Box::pin(begun) }, Duration::from_millis(10));
        assert_eq!(body.next().await.unwrap().unwrap(), "begun");
        assert!(matches!(body.next().await, Some(Err(PayloadError::Io(_)))));
        assert!(body.next().await.is_none());
        let mut whole = in_time(Payload::from(Bytes::from_static(b"whole")), Duration::from_secs(60));
        assert_eq!(whole.next().await.unwrap().unwrap(), "whole");
        assert!(whole.next().await.is_none());
    }
}
