//! Where sockets begin: who may, which dialect, and what the session asks for itself.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};

use callboard_actors::protocol::{Command, ConversationId, Principal};

use super::app::{App, WorkerRelay};
use super::caller::judge;
use super::error::HttpError;
use crate::auth::Need;
use crate::dialect::Dialect;
use crate::dialect::agents::Agents;
use crate::dialect::steps::Steps;
use crate::dialect::threads::Threads;
use crate::ws::session::{Session, Setup};
use crate::ws::{Refusal, upgrade};

/// How an endpoint's sessions differ from those of others.
pub struct Endpoint {
    /// What they speak.
    pub dialect: Box<dyn Dialect>,
    /// What they ask for themselves when they begin.
    pub opening: Vec<Command>,
    /// Whether the rate of document 003 holds.
    pub channels: bool,
}

/// Documents 000 and 002: `/ws`.
pub async fn agents(req: HttpRequest, payload: web::Payload, app: web::Data<App>) -> Result<HttpResponse, HttpError> {
    let principal = judge(&req, &app, Need::Open)?;
    let dialect = Box::new(Agents::new(ConversationId::random()));
    begin(&req, payload, &app, principal, Endpoint { dialect, opening: Vec::new(), channels: false })
}

/// Document 001: `/chat/{chat_id}`.
pub async fn steps(
    req: HttpRequest,
    payload: web::Payload,
    app: web::Data<App>,
    chat: web::Path<String>,
) -> Result<HttpResponse, HttpError> {
    let principal = judge(&req, &app, Need::Open)?;
    let steps = Steps::new(ConversationId::parse("chat_id", &chat)?);
    let opening = steps.opening();
    begin(&req, payload, &app, principal, Endpoint { dialect: Box::new(steps), opening, channels: false })
}

/// Document 004: `/chat/ws`.
pub async fn threads(req: HttpRequest, payload: web::Payload, app: web::Data<App>) -> Result<HttpResponse, HttpError> {
    let principal = judge(&req, &app, Need::Always)?;
    let dialect = Box::new(Threads::new());
    begin(&req, payload, &app, principal, Endpoint { dialect, opening: Vec::new(), channels: false })
}

/// Upgrades a request of somebody who may.
pub fn begin(
    req: &HttpRequest,
    payload: web::Payload,
    app: &web::Data<App>,
    principal: Arc<Principal>,
    endpoint: Endpoint,
) -> Result<HttpResponse, HttpError> {
    if app.runtime.house().is_draining() {
        let error = HttpError::new(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", "The server is shutting down");
        return Err(error.retry_after(5));
    }
    let setup = Setup {
        id: app.next_session(),
        principal,
        dialect: endpoint.dialect,
        opening: endpoint.opening,
        runtime: app.runtime.clone(),
        relay: req.app_data::<WorkerRelay>().map(WorkerRelay::recipient),
        manners: app.manners(endpoint.channels),
    };
    let answer = upgrade(req, payload, &app.terms(), &app.reaper, |wire| Session::new(wire, setup));
    answer.map_err(|refusal| match refusal {
        Refusal::Full => {
            HttpError::new(StatusCode::SERVICE_UNAVAILABLE, "SERVICE_UNAVAILABLE", refusal.to_string()).retry_after(5)
        }
        Refusal::Handshake(_) => {
            let status = actix_web::ResponseError::status_code(&refusal);
            HttpError::new(status, "INVALID_HANDSHAKE", refusal.to_string())
        }
    })
}
