//! `GET /metrics`: what was counted, as Prometheus reads it.

use actix_web::{HttpResponse, web};

use super::app::App;
use super::caller::Caller;
use super::error::HttpError;
use super::status;
use crate::metrics;

/// Over all tenants, so only for operators.
pub async fn get(caller: Caller, app: web::Data<App>) -> Result<HttpResponse, HttpError> {
    caller.require_operator(&app)?;
    let size = status::size(&app).await?;
    metrics::refresh(&app.runtime, size);
    Ok(HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(app.metrics.render()))
}
