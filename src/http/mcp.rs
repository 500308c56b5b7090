//! `/mcp`: Callboard as a server of the Model Context Protocol, over streamable HTTP. Each agent is a tool,
//! `ask_<agent>`; conversations and channels are resources.
//!
//! The protocol itself (versions, sessions, streams that can be resumed) is rmcp's, whose service speaks to any HTTP
//! server that hands it requests; here they are handed over from actix, with the caller judged as everywhere: its
//! origin and host, its credentials, its tenant. Every request is its caller's own, and a session belongs to the
//! subject that began it: to others it does not exist.

mod board;
mod fixtures;
mod resources;
mod tools;

use std::convert::Infallible;
use std::sync::Arc;

use actix_web::http::header;
use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, HttpResponse};
use dashmap::DashMap;
use futures_util::StreamExt;
use http_body_util::{BodyExt, Full};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tokio_util::sync::CancellationToken;

use callboard_actors::protocol::{Code, Error, Principal, Subject, TenantId};
use callboard_actors::runtime::Runtime;

use self::board::Board;
use super::app::App;
use super::body::too_large;
use super::caller::judge;
use super::error::HttpError;
use crate::auth::Need;

/// The header that names a session.
const SESSION: &str = "mcp-session-id";

/// Sessions at a time. One that is silent for five minutes ends; each holds a task and the last answers of its streams.
const SESSIONS: usize = 1024;

/// What the endpoint needs; one a server, shared by its threads.
pub struct Mcp {
    service: StreamableHttpService<Board, LocalSessionManager>,
    sessions: Arc<LocalSessionManager>,
    /// Whose each session is. Bounded by `SESSIONS`, with those that have ended since the last look.
    owners: DashMap<String, (TenantId, Subject)>,
    stop: CancellationToken,
}

impl Mcp {
    /// The endpoint over a runtime; `fixtures` adds what the official conformance suite asks for. A body has at most
    /// `max_body` bytes.
    pub fn new(runtime: Arc<Runtime>, content: usize, max_body: usize, fixtures: bool) -> Self {
        let (sessions, stop) = (Arc::new(LocalSessionManager::default()), CancellationToken::new());
        // Hosts and origins are judged before the service sees a request.
        let config = StreamableHttpServerConfig::default()
            .disable_allowed_hosts()
            .disable_allowed_origins()
            .with_max_request_body_bytes(max_body)
            .with_cancellation_token(stop.clone());
        let board = Board::new(runtime, content, fixtures);
        let service = StreamableHttpService::new(move || Ok(board.clone()), sessions.clone(), config);
        Self { service, sessions, owners: DashMap::new(), stop }
    }

    /// Ends every stream, so that nobody waits for what will not come.
    pub fn close(&self) {
        self.stop.cancel();
    }

    /// Refuses another's session, and one more than there may be.
    async fn check(&self, req: &HttpRequest, principal: &Principal) -> Result<(), HttpError> {
        if let Some(session) = req.headers().get(SESSION).and_then(|value| value.to_str().ok()) {
            let own = |owner: &(TenantId, Subject)| owner.0 == principal.tenant && owner.1 == principal.subject;
            return match self.owners.get(session) {
                Some(owner) if own(&owner) => Ok(()),
                _ => {
                    let status = actix_web::http::StatusCode::NOT_FOUND;
                    Err(HttpError::new(status, "SESSION_NOT_FOUND", "There is no such session; begin another"))
                }
            };
        }
        if self.sessions.sessions.read().await.len() < SESSIONS {
            return Ok(());
        }
        Err(Error::new(Code::Unavailable, "There are too many sessions; try again after a while").into())
    }

    async fn remember(&self, session: &str, principal: &Principal) {
        if self.owners.len() > SESSIONS {
            let open = self.sessions.sessions.read().await;
            self.owners.retain(|id, _| open.contains_key(id.as_str()));
        }
        self.owners.insert(session.to_owned(), (principal.tenant.clone(), principal.subject.clone()));
    }
}

/// Answers a request of any method that the protocol knows.
pub async fn serve(
    req: HttpRequest,
    body: web::Payload,
    app: web::Data<App>,
    mcp: web::Data<Mcp>,
) -> Result<HttpResponse, HttpError> {
    let principal = judge(&req, &app, Need::Open)?;
    mcp.check(&req, &principal).await?;
    let most = app.config.server.max_body;
    let body = body.to_bytes_limited(most).await.map_err(|_| too_large(most))?;
    let body = body.map_err(|_| Error::invalid("body", "the whole of it"))?;
    let response = mcp.service.handle(handed_over(&req, body, principal.clone())?).await;
    let (head, body) = response.into_parts();
    if let Some(session) = head.headers.get(SESSION).and_then(|value| value.to_str().ok()) {
        mcp.remember(session, &principal).await;
    }
    let status = actix_web::http::StatusCode::from_u16(head.status.as_u16())
        .map_err(|_| Error::internal("The protocol's service gave no status"))?;
    let mut answer = HttpResponse::build(status);
    for (name, value) in &head.headers {
        // How long the body is, is for actix to say.
        if name.as_str() != header::CONTENT_LENGTH.as_str() && name.as_str() != header::TRANSFER_ENCODING.as_str() {
            answer.append_header((name.as_str(), value.as_bytes()));
        }
    }
    let is_stream = head.headers.get("content-type").is_some_and(|kind| kind.as_bytes().starts_with(b"text/event"));
    if !is_stream {
        let whole = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        return Ok(answer.body(whole));
    }
    // An empty piece would end the response.
    let pieces = body.into_data_stream().filter(|piece| {
        let some = piece.as_ref().is_ok_and(|bytes| !bytes.is_empty());
        std::future::ready(some)
    });
    Ok(answer.streaming::<_, Infallible>(pieces))
}

/// A request in the types of the protocol's service, with who makes it.
fn handed_over(
    req: &HttpRequest,
    body: Bytes,
    principal: Arc<Principal>,
) -> Result<http::Request<Full<Bytes>>, HttpError> {
    let unfit = || HttpError::from(Error::invalid("request", "a path and headers that can be read"));
    let mut request = http::Request::builder().method(req.method().as_str()).uri(req.path());
    for (name, value) in req.headers() {
        request = request.header(name.as_str(), value.as_bytes());
    }
    let mut request = request.body(Full::new(body)).map_err(|_| unfit())?;
    request.extensions_mut().insert(principal);
    Ok(request)
}
