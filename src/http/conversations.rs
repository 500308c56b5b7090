//! `GET /conversations`, `GET /conversations/{id}`, `GET /conversations/{id}/messages`: what was said.

use actix_web::{HttpResponse, web};
use schemars::JsonSchema;
use serde::Serialize;

use callboard_actors::archive::ConversationSummary;
use callboard_actors::protocol::{AgentName, ConversationId, Scope};

use super::app::App;
use super::caller::Caller;
use super::error::HttpError;
use super::query::Query;
use crate::dialect::view::{MessageView, Rfc3339};

/// A page of conversations.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Conversations")]
pub struct ConversationsView<'a> {
    conversations: Vec<ConversationView<'a>>,
    /// Where the next page begins; null on the last one.
    next_after: Option<String>,
}

/// A page of messages, oldest first.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Messages")]
pub struct MessagesView<'a> {
    messages: Vec<MessageView<'a>>,
    /// Where the next older page ends; null on the one that holds the first message.
    next_before: Option<u64>,
}

/// A conversation.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Conversation")]
pub struct ConversationView<'a> {
    id: &'a str,
    #[schemars(with = "Vec<String>")]
    agents: &'a [AgentName],
    lead: &'a str,
    mode: &'static str,
    /// Whether only the subject that made it sees it.
    private: bool,
    /// How many there are.
    messages: u64,
    created_at: Rfc3339,
    updated_at: Rfc3339,
}

impl<'a> ConversationView<'a> {
    fn of(summary: &'a ConversationSummary) -> Self {
        let state = &summary.state;
        Self {
            id: summary.id.as_str(),
            agents: &state.agents,
            lead: state.lead.as_str(),
            mode: state.mode.as_str(),
            private: state.owner.is_some(),
            messages: summary.messages,
            created_at: Rfc3339(state.created_at),
            updated_at: Rfc3339(summary.updated_at),
        }
    }
}

/// A page of conversations in the order of their ids. `next_after` is null on the last page.
pub async fn list(caller: Caller, app: web::Data<App>, query: Query) -> Result<HttpResponse, HttpError> {
    caller.require(Scope::Chat)?;
    let (after, limit) = (query.id("after")?, query.limit()?);
    let (page, next) = caller.read(&app, move |archive| archive.conversations(after.as_deref(), limit)).await?;
    let conversations = page.iter().map(ConversationView::of).collect();
    Ok(HttpResponse::Ok().json(ConversationsView { conversations, next_after: next }))
}

/// One conversation.
pub async fn get(caller: Caller, app: web::Data<App>, id: web::Path<String>) -> Result<HttpResponse, HttpError> {
    caller.require(Scope::Chat)?;
    let id = ConversationId::parse("id", &id)?;
    let summary = caller.read(&app, move |archive| archive.conversation(&id)).await?;
    Ok(HttpResponse::Ok().json(ConversationView::of(&summary)))
}

/// A page of messages, oldest first: the last ones, or those before `before`. `next_before` is null on the page that
/// holds the first message.
pub async fn messages(
    caller: Caller,
    app: web::Data<App>,
    id: web::Path<String>,
    query: Query,
) -> Result<HttpResponse, HttpError> {
    caller.require(Scope::Chat)?;
    let id = ConversationId::parse("id", &id)?;
    let (before, limit) = (query.number("before", 1..=u64::MAX)?, query.limit()?);
    let (page, next) = caller.read(&app, move |archive| archive.messages(&id, before, limit)).await?;
    Ok(HttpResponse::Ok().json(MessagesView { messages: MessageView::all(&page), next_before: next }))
}
