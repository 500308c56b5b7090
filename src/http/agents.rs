//! `GET /agents`, `GET /agents/{id}`: who can be asked, and how they are.

use actix_web::{HttpResponse, web};
use schemars::JsonSchema;
use serde::Serialize;

use callboard_actors::agent::card::AgentCard;

use super::app::App;
use super::caller::Caller;
use super::error::HttpError;

/// The agents of a tenant.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Agents")]
pub struct AgentsView<'a> {
    agents: Vec<AgentView<'a>>,
}

/// An agent: who it is, and how it is now.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Agent")]
pub struct AgentView<'a> {
    name: &'a str,
    id: String,
    title: &'a str,
    description: &'a str,
    specialities: &'a [String],
    tools: &'a [String],
    brain: &'a str,
    greeting: &'a str,
    /// Whether it lives in another process.
    remote: bool,
    status: &'static str,
    current_task: Option<String>,
    queue_length: usize,
    mood: MoodView,
    /// In milliseconds.
    uptime: u64,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Mood")]
struct MoodView {
    emotion: &'static str,
    intensity: f32,
}

impl<'a> AgentView<'a> {
    /// The view of an agent.
    pub fn of(card: &'a AgentCard) -> Self {
        let (persona, status) = (&card.persona, card.status());
        Self {
            name: persona.name.as_str(),
            id: status.id.to_string(),
            title: &persona.title,
            description: &persona.description,
            specialities: &persona.specialities,
            tools: &persona.tools,
            brain: &persona.brain,
            greeting: &persona.greeting,
            remote: card.remote,
            status: status.state.as_str(),
            current_task: status.current_task,
            queue_length: status.queue_length,
            mood: MoodView { emotion: status.mood.emotion.as_str(), intensity: status.mood.intensity },
            uptime: status.uptime_ms,
        }
    }
}

/// Every agent of the tenant, in the order of the configuration, those of other processes after them.
pub async fn list(caller: Caller, app: web::Data<App>) -> HttpResponse {
    let listings = caller.tenant(&app).directory.all();
    let agents = listings.iter().map(|listing| AgentView::of(&listing.card)).collect();
    HttpResponse::Ok().json(AgentsView { agents })
}

/// One agent, by name or id.
pub async fn get(caller: Caller, app: web::Data<App>, name: web::Path<String>) -> Result<HttpResponse, HttpError> {
    let listing = caller.tenant(&app).directory.get(&name)?;
    Ok(HttpResponse::Ok().json(AgentView::of(&listing.card)))
}
