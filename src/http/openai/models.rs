//! `GET /v1/models`, `GET /v1/models/{id}`: the agents as models.

use actix_web::{HttpResponse, web};
use schemars::JsonSchema;
use serde::Serialize;

use callboard_actors::agent::card::AgentCard;

use super::Client;
use crate::http::app::App;
use crate::http::error::HttpError;

/// The agents as models.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Models")]
pub struct ModelsView<'a> {
    object: &'static str,
    data: Vec<ModelView<'a>>,
}

/// An agent as a model.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Model")]
pub struct ModelView<'a> {
    id: &'a str,
    object: &'static str,
    /// Seconds since 1970: when the agent began to be there.
    created: i64,
    owned_by: &'static str,
    name: &'a str,
    description: &'a str,
}

impl<'a> ModelView<'a> {
    fn of(card: &'a AgentCard) -> Self {
        let up = i64::try_from(card.status().uptime_ms).unwrap_or_default();
        let began = callboard_actors::protocol::Timestamp::now().0.saturating_sub(up);
        let persona = &card.persona;
        Self {
            id: persona.name.as_str(),
            object: "model",
            created: began / 1000,
            owned_by: "callboard",
            name: &persona.title,
            description: &persona.description,
        }
    }
}

/// Every agent of the tenant.
pub async fn list(Client(caller): Client, app: web::Data<App>) -> HttpResponse {
    let listings = caller.tenant(&app).directory.all();
    let data = listings.iter().map(|listing| ModelView::of(&listing.card)).collect();
    HttpResponse::Ok().json(ModelsView { object: "list", data })
}

/// One agent, by name or id.
pub async fn get(
    Client(caller): Client,
    app: web::Data<App>,
    name: web::Path<String>,
) -> Result<HttpResponse, HttpError> {
    let listing = caller.tenant(&app).directory.get(&name)?;
    Ok(HttpResponse::Ok().json(ModelView::of(&listing.card)))
}
