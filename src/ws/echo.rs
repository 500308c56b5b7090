//! `/echo`: gives every message back. For conformance suites and measurements; off unless the configuration asks.

use std::sync::Arc;

use actix::prelude::*;
use actix_web::{HttpRequest, HttpResponse, web};
use actix_web_actors::ws::{Message, ProtocolError, WebsocketContext};

use super::assembly::Incoming;
use super::deflate::Compression;
use super::frame::Frame;
use super::gate::Queue;
use super::handshake::{Refusal, Terms, upgrade};
use super::reaper::{Nudge, Reaper};
use super::wire::Wire;

/// The largest message given back: what the conformance suite sends at most.
const FRAME_LIMIT: usize = 16 << 20;

/// Mounts `/echo` with sessions under `reaper`'s watch.
pub fn echo_route(cfg: &mut web::ServiceConfig, reaper: Arc<Reaper>) {
    let handler = move |req: HttpRequest, payload: web::Payload| {
        let answer = start(&req, payload, &reaper);
        async move { answer }
    };
    cfg.route("/echo", web::get().to(handler));
}

fn start(req: &HttpRequest, payload: web::Payload, reaper: &Arc<Reaper>) -> Result<HttpResponse, Refusal> {
    // Twice a message, so that the next may come while the last still leaves.
    let queue = Queue { bytes: 2 * FRAME_LIMIT as u64, ..Queue::default() };
    // The suite takes a compressed message back in its own kind at any size, and tries contexts of every kind.
    let compression = Compression { floor: 0, takeover: true };
    let terms = Terms { frame_limit: FRAME_LIMIT, queue, deflate: Some(compression) };
    upgrade(req, payload, &terms, reaper, |wire| EchoSession { wire })
}

/// One client of `/echo`.
struct EchoSession {
    wire: Wire,
}

impl Actor for EchoSession {
    type Context = WebsocketContext<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.wire.attach(ctx);
    }
}

impl StreamHandler<Result<Message, ProtocolError>> for EchoSession {
    fn handle(&mut self, item: Result<Message, ProtocolError>, ctx: &mut Self::Context) {
        match self.wire.incoming(item, ctx) {
            Some(Incoming::Text(text)) => self.wire.send(Frame::text(text)),
            Some(Incoming::Binary(bytes)) => self.wire.send(Frame::binary(bytes)),
            Some(Incoming::Closed(_)) | None => {}
        }
    }
}

impl Handler<Nudge> for EchoSession {
    type Result = ();

    fn handle(&mut self, nudge: Nudge, ctx: &mut Self::Context) {
        self.wire.nudged(nudge, ctx);
    }
}
