//! `GET /settings`: the configuration that the server runs with, without secrets.

use actix_web::{HttpResponse, web};

use super::app::App;
use super::caller::Caller;
use super::error::HttpError;

/// Section by section, each setting as it stands in a file. For operators: it names paths of the machine.
pub async fn get(caller: Caller, app: web::Data<App>) -> Result<HttpResponse, HttpError> {
    caller.require_operator(&app)?;
    Ok(HttpResponse::Ok().json(&app.config.shown))
}
