//! `GET /health/live` and `GET /health/ready`.

use actix_web::{HttpResponse, web};
use serde_json::json;

use callboard_actors::journal::Health;

use super::app::App;

/// Whether the process lives.
pub async fn live() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "live" }))
}

/// Whether requests are taken: 503 while starting, draining, or when the store takes no writes.
pub async fn ready(app: web::Data<App>) -> HttpResponse {
    let unready =
        |reason: &str| HttpResponse::ServiceUnavailable().json(json!({ "status": "unready", "reason": reason }));
    if app.runtime.house().is_draining() {
        return unready("the server is shutting down");
    }
    if !app.is_ready() {
        return unready("the server is starting");
    }
    match app.runtime.house().journal.health() {
        Health::Ready => HttpResponse::Ok().json(json!({ "status": "ready" })),
        Health::Failed(_) => unready("the store does not take writes"),
    }
}
