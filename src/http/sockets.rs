//! Where sockets begin: who may, which dialect, and what the session asks for itself.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};

use callboard_actors::protocol::{ChannelId, Command, ConversationId, Principal, Scope};

use super::app::{App, WorkerRelay};
use super::caller::{acting, judge};
use super::error::HttpError;
use super::query::Query;
use crate::auth::Need;
use crate::dialect::Dialect;
use crate::dialect::agents::Agents;
use crate::dialect::channels::Channels;
use crate::dialect::steps::Steps;
use crate::dialect::threads::Threads;
use crate::metrics::{self, Full};
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
    // Without the scope every request is refused; nothing is asked in its name.
    let opening = if principal.scopes.has(Scope::Chat) { steps.opening() } else { Vec::new() };
    begin(&req, payload, &app, principal, Endpoint { dialect: Box::new(steps), opening, channels: false })
}

/// Document 004: `/chat/ws`.
pub async fn threads(req: HttpRequest, payload: web::Payload, app: web::Data<App>) -> Result<HttpResponse, HttpError> {
    let principal = judge(&req, &app, Need::Always)?;
    let dialect = Box::new(Threads::new());
    begin(&req, payload, &app, principal, Endpoint { dialect, opening: Vec::new(), channels: false })
}

/// Document 003: `/v1/ws`, with a channel in `channel_id` or for direct messages alone.
pub async fn channels(
    req: HttpRequest,
    payload: web::Payload,
    app: web::Data<App>,
    query: Query,
) -> Result<HttpResponse, HttpError> {
    let principal = acting(&*judge(&req, &app, Need::Always)?);
    let channel = query.id("channel_id")?.map(ChannelId::trusted);
    join(&req, payload, &app, principal, channel, &query)
}

/// Document 003 on one channel: what the path names must be what the credentials name.
pub async fn one_channel(
    req: HttpRequest,
    payload: web::Payload,
    app: web::Data<App>,
    path: web::Path<(String, String, String)>,
    query: Query,
) -> Result<HttpResponse, HttpError> {
    let principal = acting(&*judge(&req, &app, Need::Always)?);
    let (tenant, agent, channel) = path.into_inner();
    if principal.tenant.as_str() != tenant {
        return Err(forbidden("These credentials are for another tenant"));
    }
    if principal.agent.as_ref().is_none_or(|own| own.as_str() != agent) {
        return Err(forbidden("These credentials are for another agent"));
    }
    let channel = ChannelId::parse("channel_id", &channel)?;
    join(&req, payload, &app, principal, Some(channel), &query)
}

fn forbidden(why: &str) -> HttpError {
    HttpError::new(StatusCode::FORBIDDEN, "FORBIDDEN", why)
}

/// Begins a session of document 003: attached to its channel and its inbox, present, and at work if it may.
fn join(
    req: &HttpRequest,
    payload: web::Payload,
    app: &web::Data<App>,
    principal: Arc<Principal>,
    channel: Option<ChannelId>,
    query: &Query,
) -> Result<HttpResponse, HttpError> {
    let since = query.number("since", 0..=u64::MAX)?;
    if let Some(channel) = &channel {
        principal.require(Scope::ChannelSubscribe)?;
        if !principal.may_use(channel) {
            return Err(forbidden("These credentials do not cover this channel"));
        }
    }
    let tenant = app.runtime.tenant(&principal.tenant);
    let listed = principal.agent.as_ref().and_then(|agent| tenant.directory.find(agent.as_str()));
    if principal.scopes.has(Scope::AgentServe) && listed.is_some_and(|listing| !listing.card.remote) {
        return Err(forbidden("An agent of the server has this name; connect under another one"));
    }
    let attach = |channel: Option<ChannelId>, since| Command::Attach { channel, since, member: true };
    let opening = channel.clone().map(|channel| attach(Some(channel), since));
    let opening = opening.into_iter().chain([attach(None, None), Command::Attend]).collect();
    let dialect = Box::new(Channels::new(channel));
    begin(req, payload, app, principal, Endpoint { dialect, opening, channels: true })
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
    let places = app.door.seat(req.peer_addr(), &principal)?;
    let setup = Setup {
        id: app.next_session(),
        principal,
        dialect: endpoint.dialect,
        opening: endpoint.opening,
        runtime: app.runtime.clone(),
        relay: req.app_data::<WorkerRelay>().map(WorkerRelay::recipient),
        manners: app.manners(endpoint.channels),
        stays: Box::new(places),
    };
    let answer = upgrade(req, payload, &app.terms(), &app.reaper, |wire| Session::new(wire, setup));
    answer.map_err(|refusal| match refusal {
        Refusal::Full => {
            metrics::turned_away(Full::House);
            HttpError::new(StatusCode::SERVICE_UNAVAILABLE, "SERVICE_UNAVAILABLE", refusal.to_string()).retry_after(5)
        }
        Refusal::Handshake(_) => {
            let status = actix_web::ResponseError::status_code(&refusal);
            HttpError::new(status, "INVALID_HANDSHAKE", refusal.to_string())
        }
    })
}
