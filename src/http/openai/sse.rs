//! Streams of server-sent events, and noticing that nobody reads them any more.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header::{self, HeaderName};
use actix_web::web::Bytes;
use actix_web::{HttpResponse, rt::time};
use futures_util::{Stream, StreamExt, stream};
use serde_json::Value;

use crate::ws::cord::Cord;

/// How often a silent stream says that it lives: less than any proxy waits.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// How often it is looked whether the client has gone. A run that nobody waits for costs at most this much longer.
const LOOK: Duration = Duration::from_millis(250);

/// Tells proxies to pass pieces on as they come.
const NO_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// One event of only data.
pub fn data(value: &Value) -> Bytes {
    Bytes::from(format!("data: {value}\n\n"))
}

/// One event with a name.
pub fn event(name: &str, value: &Value) -> Bytes {
    Bytes::from(format!("event: {name}\ndata: {value}\n\n"))
}

/// The response that sends `frames` as they come, until they end or the client has gone; `frames` is dropped then.
pub fn response(req: &HttpRequest, frames: impl Stream<Item = Bytes> + 'static) -> HttpResponse {
    let kept_alive = stream::unfold(Box::pin(frames), |mut frames| async {
        let frame = match time::timeout(KEEP_ALIVE, frames.next()).await {
            Ok(frame) => frame?,
            Err(_) => Bytes::from_static(b": still at it\n\n"),
        };
        Some((frame, frames))
    });
    let body = kept_alive.take_until(gone(req)).map(Ok::<_, Infallible>);
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/event-stream; charset=utf-8"))
        .insert_header((NO_BUFFERING, "no"))
        .streaming(body)
}

/// Ends when the client of a request has closed its connection. HTTP allows it to close its own half and wait; clients
/// of this API that do so have given up.
pub fn gone(req: &HttpRequest) -> impl Future<Output = ()> + 'static {
    let cord = req.conn_data::<Arc<Cord>>().cloned();
    async move {
        let Some(cord) = cord else { return std::future::pending().await };
        let mut look = time::interval(LOOK);
        while !cord.is_closed_by_peer() {
            look.tick().await;
        }
    }
}
