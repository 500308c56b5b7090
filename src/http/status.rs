//! `GET /status`: how the house is, as the caller's tenant sees it.

use actix_web::{HttpResponse, web};
use schemars::JsonSchema;
use serde::Serialize;

use callboard_actors::journal::{Health, Size};
use callboard_actors::protocol::{Error, Scope};

use super::agents::AgentView;
use super::app::App;
use super::caller::Caller;
use super::error::HttpError;
use crate::mcp::server::Status;

/// How the house is.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Status")]
pub struct StatusView<'a> {
    version: &'static str,
    /// `ready` or `draining`.
    status: &'static str,
    /// In milliseconds.
    uptime: u64,
    agents: Vec<AgentView<'a>>,
    sessions: usize,
    /// Those in use.
    conversations: usize,
    /// Those in use.
    channels: usize,
    open_runs: usize,
    /// The servers of tools.
    mcp: Vec<ToolsView>,
    journal: JournalView,
}

/// A server of tools.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ToolServer")]
struct ToolsView {
    name: String,
    /// `up` or `down`.
    status: &'static str,
    /// How many tools it has.
    tools: usize,
    /// How often it was started.
    starts: u64,
    /// Why it is not there; for operators.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// The store. How large it is, is for operators.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Journal")]
struct JournalView {
    /// `ready` or `failed`.
    health: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    records: Option<u64>,
}

/// Times are in milliseconds. Conversations and channels are those in use. How large the journal is, is told only to
/// those with scope `admin`: it holds every tenant.
pub async fn get(caller: Caller, app: web::Data<App>) -> Result<HttpResponse, HttpError> {
    let tenant = caller.tenant(&app);
    let status = tenant.status();
    let listings = tenant.directory.all();
    let agents = listings.iter().map(|listing| AgentView::of(&listing.card)).collect();
    let operator = caller.0.scopes.has(Scope::Admin);
    let size = if operator { Some(size(&app).await?) } else { None };
    Ok(HttpResponse::Ok().json(StatusView {
        version: env!("CARGO_PKG_VERSION"),
        status: if app.runtime.house().is_draining() { "draining" } else { "ready" },
        uptime: status.uptime_ms,
        agents,
        sessions: status.sessions,
        conversations: status.conversations,
        channels: status.channels,
        open_runs: tenant.runs.len(),
        mcp: tools(&app, operator),
        journal: journal(&app.runtime.house().journal.health(), size),
    }))
}

/// The servers of tools. Why one is not there may hold addresses and paths, and is for operators.
fn tools(app: &App, operator: bool) -> Vec<ToolsView> {
    let view = |server: Status| ToolsView {
        name: server.name,
        status: if server.up { "up" } else { "down" },
        tools: server.tools,
        starts: server.starts,
        error: server.error.filter(|_| operator),
    };
    app.tools.statuses().into_iter().map(view).collect()
}

/// How large the journal is, read off the worker.
pub async fn size(app: &App) -> Result<Size, HttpError> {
    let journal = app.runtime.house().journal.clone();
    let size = web::block(move || journal.size()).await;
    size.map_err(|_| Error::internal("Reading the store failed unexpectedly").into())
}

/// Why a journal has failed is for the operator's log: the reason may hold paths.
fn journal(health: &Health, size: Option<Size>) -> JournalView {
    let health = match health {
        Health::Ready => "ready",
        Health::Failed(_) => "failed",
    };
    JournalView { health, bytes: size.map(|size| size.bytes), records: size.map(|size| size.records) }
}
