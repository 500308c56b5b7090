//! `GET /health/live` and `GET /health/ready`.

use actix_web::{HttpResponse, web};
use schemars::JsonSchema;
use serde::Serialize;

use callboard_actors::journal::Health;

use super::app::App;

/// How the server is.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Health")]
pub struct HealthView {
    /// `live`, `ready` or `unready`.
    status: &'static str,
    /// Why it is not ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

/// Whether the process lives.
pub async fn live() -> HttpResponse {
    HttpResponse::Ok().json(HealthView { status: "live", reason: None })
}

/// That requests are taken by another server.
pub async fn standing_by() -> HttpResponse {
    unready("another server leads, and this one stands by")
}

/// Whether requests are taken: 503 while starting, draining, or when the store takes no writes.
pub async fn ready(app: web::Data<App>) -> HttpResponse {
    if app.runtime.house().is_draining() {
        return unready("the server is shutting down");
    }
    if !app.is_ready() {
        return unready("the server is starting");
    }
    match app.runtime.house().journal.health() {
        Health::Ready => HttpResponse::Ok().json(HealthView { status: "ready", reason: None }),
        Health::Failed(_) => unready("the store does not take writes"),
    }
}

fn unready(reason: &'static str) -> HttpResponse {
    HttpResponse::ServiceUnavailable().json(HealthView { status: "unready", reason: Some(reason) })
}
