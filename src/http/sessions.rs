//! `GET /sessions`: who is connected.

use actix_web::{HttpResponse, web};
use schemars::JsonSchema;
use serde::Serialize;

use callboard_actors::protocol::SessionId;
use callboard_actors::tenant::SessionCard;

use super::app::App;
use super::caller::Caller;
use super::error::HttpError;
use super::query::Query;
use crate::dialect::view::Rfc3339;

/// A page of sessions.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Sessions")]
pub struct SessionsView<'a> {
    sessions: Vec<SessionView<'a>>,
    /// Where the next page begins; null on the last one.
    #[schemars(with = "Option<u64>")]
    next_after: Option<SessionId>,
}

/// A socket that is connected.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Session")]
pub struct SessionView<'a> {
    #[schemars(with = "u64")]
    id: SessionId,
    dialect: &'static str,
    subject: &'a str,
    agent: Option<&'a str>,
    connected_at: Rfc3339,
}

impl<'a> SessionView<'a> {
    fn of(card: &'a SessionCard) -> Self {
        Self {
            id: card.id,
            dialect: card.dialect,
            subject: card.subject.as_str(),
            agent: card.agent.as_ref().map(|agent| agent.as_str()),
            connected_at: Rfc3339(card.connected_at),
        }
    }
}

/// A page of the tenant's sessions with a number above `after`, in the order they began. `next_after` is null on the
/// last page.
pub async fn list(caller: Caller, app: web::Data<App>, query: Query) -> Result<HttpResponse, HttpError> {
    caller.require_operator(&app)?;
    let (after, limit) = (query.number("after", 0..=u64::MAX)?.unwrap_or(0), query.limit()?);
    let tenant = caller.tenant(&app);
    let later = tenant.sessions.iter().filter(|entry| entry.key().0 > after);
    let mut cards: Vec<SessionCard> = later.map(|entry| entry.value().clone()).collect();
    cards.sort_by_key(|card| card.id);
    let more = cards.len() > limit;
    cards.truncate(limit);
    let next = cards.last().filter(|_| more).map(|card| card.id);
    let sessions = cards.iter().map(SessionView::of).collect();
    Ok(HttpResponse::Ok().json(SessionsView { sessions, next_after: next }))
}
