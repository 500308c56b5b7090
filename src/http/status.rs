//! `GET /status`: how the house is, as the caller's tenant sees it.

use actix_web::{HttpResponse, web};
use serde_json::{Value, json};

use callboard_actors::journal::{Health, Size};
use callboard_actors::protocol::{Error, Scope};

use super::agents::AgentView;
use super::app::App;
use super::caller::Caller;
use super::error::HttpError;
use crate::mcp::server::Status;

/// Times are in milliseconds. Conversations and channels are those in use. How large the journal is, is told only to
/// those with scope `admin`: it holds every tenant.
pub async fn get(caller: Caller, app: web::Data<App>) -> Result<HttpResponse, HttpError> {
    let tenant = caller.tenant(&app);
    let status = tenant.status();
    let listings = tenant.directory.all();
    let agents: Vec<_> = listings.iter().map(|listing| AgentView::of(&listing.card)).collect();
    let operator = caller.0.scopes.has(Scope::Admin);
    let size = if operator { Some(size(&app).await?) } else { None };
    Ok(HttpResponse::Ok().json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "status": if app.runtime.house().is_draining() { "draining" } else { "ready" },
        "uptime": status.uptime_ms,
        "agents": agents,
        "sessions": status.sessions,
        "conversations": status.conversations,
        "channels": status.channels,
        "open_runs": tenant.runs.len(),
        "mcp": tools(&app, operator),
        "journal": journal(&app.runtime.house().journal.health(), size),
    })))
}

/// The servers of tools. Why one is not there may hold addresses and paths, and is for operators.
fn tools(app: &App, operator: bool) -> Vec<Value> {
    let view = |server: Status| {
        let mut view = json!({
            "name": server.name, "status": if server.up { "up" } else { "down" }, "tools": server.tools,
            "starts": server.starts,
        });
        if let Some(error) = server.error.filter(|_| operator) {
            view["error"] = error.into();
        }
        view
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
fn journal(health: &Health, size: Option<Size>) -> Value {
    let health = match health {
        Health::Ready => "ready",
        Health::Failed(_) => "failed",
    };
    match size {
        Some(Size { bytes, records }) => json!({ "health": health, "bytes": bytes, "records": records }),
        None => json!({ "health": health }),
    }
}
