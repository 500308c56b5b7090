//! The upgrade of a request to a session: checks, the 101 answer, and the parts put together.

use std::sync::{Arc, Weak};

use actix::prelude::*;
use actix_http::ws::Codec;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, ResponseError, web};
use actix_web_actors::ws::{HandshakeError, Message, ProtocolError, WebsocketContext, handshake_with_protocols};
use serde_json::json;

use super::cord::Cord;
use super::deflate::{self, Compression};
use super::gate::{Gate, Queue};
use super::intake::Intake;
use super::line::Line;
use super::outflow::Outflow;
use super::reaper::Reaper;
use super::wire::Wire;

/// The subprotocol that is echoed when a client offers it. Others, such as the one that carries a token, never are.
pub const PROTOCOL: &str = "callboard";

/// What holds for the sessions of one endpoint.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// The largest message, in bytes, fragments joined and inflated.
    pub frame_limit: usize,
    /// How much may wait for one client.
    pub queue: Queue,
    /// How messages are compressed for clients that offer it; `None` agrees to no compression.
    pub deflate: Option<Compression>,
}

impl Default for Terms {
    fn default() -> Self {
        Self { frame_limit: 1 << 20, queue: Queue::default(), deflate: Some(Compression::default()) }
    }
}

/// Why a request was not upgraded.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// It is not a proper WebSocket handshake.
    #[error("{0}")]
    Handshake(#[from] HandshakeError),
    /// There are as many sessions as there may be.
    #[error("All sessions are taken; try again later")]
    Full,
}

impl ResponseError for Refusal {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Handshake(error) => error.error_response().status(),
            Self::Full => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        let code = match self {
            Self::Full => {
                response.insert_header((header::RETRY_AFTER, "5"));
                "SERVICE_UNAVAILABLE"
            }
            Self::Handshake(error) => {
                match error {
                    HandshakeError::UnsupportedVersion | HandshakeError::NoVersionHeader => {
                        response.insert_header((header::SEC_WEBSOCKET_VERSION, "13"));
                    }
                    HandshakeError::GetMethodRequired => {
                        response.insert_header((header::ALLOW, "GET"));
                    }
                    _ => {}
                }
                "INVALID_HANDSHAKE"
            }
        };
        response.json(json!({ "error": { "code": code, "message": self.to_string() } }))
    }
}

/// Upgrades a request to the session that `session` makes of its wire. Credentials and origin were checked before.
///
/// The connection should have a [`Cord`] (see [`on_connect`](super::cord::on_connect)); without one a client that stops
/// reading is ended only when the kernel gives it up.
///
/// # Errors
/// A [`Refusal`], which is also the HTTP answer to it.
pub fn upgrade<A>(
    req: &HttpRequest,
    payload: web::Payload,
    terms: &Terms,
    reaper: &Arc<Reaper>,
    session: impl FnOnce(Wire) -> A,
) -> Result<HttpResponse, Refusal>
where
    A: Actor<Context = WebsocketContext<A>> + StreamHandler<Result<Message, ProtocolError>>,
{
    let mut response = handshake_with_protocols(req, &[PROTOCOL])?;
    let seat = reaper.admit().ok_or(Refusal::Full)?;
    let deflation = terms.deflate.and_then(|terms| deflate::negotiate(req.headers(), terms));
    if let Some(deflation) = deflation {
        response.insert_header((header::SEC_WEBSOCKET_EXTENSIONS, deflation.answer()));
    }
    let (line, gate, limit) = (Line::new(), Gate::new(terms.queue), terms.frame_limit);
    let cord = req.conn_data::<Arc<Cord>>().map_or_else(Weak::new, Arc::downgrade);
    let wire = Wire::new(line.clone(), gate.clone(), terms.queue, limit, cord.clone(), seat);
    let intake = Intake::new(payload, line.clone(), limit, deflation);
    let running = WebsocketContext::with_codec(session(wire), intake, Codec::new().max_size(limit));
    Ok(response.streaming(Outflow::new(running, line, gate, deflation, cord)))
}
