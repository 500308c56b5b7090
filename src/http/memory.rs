//! `GET /agents/{id}/memory`, `DELETE /agents/{id}/memory/{id}`: what an agent remembers, as far as the caller may know it.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use schemars::JsonSchema;
use serde::Serialize;

use callboard_actors::memory::{Cursor, Fact, Memory, Whose};
use callboard_actors::protocol::{Envelope, Error, Event, MessageId, Scope, Timestamp};

use super::app::App;
use super::caller::Caller;
use super::error::HttpError;
use super::query::Query;
use crate::dialect::view::{Rfc3339, rounded};

/// What an agent remembers.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Memories")]
pub struct MemoriesView<'a> {
    memories: Vec<MemoryView<'a>>,
    /// Where the next page begins; null on the last one.
    next_after: Option<String>,
}

/// Something remembered.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Memory")]
pub struct MemoryView<'a> {
    id: &'a str,
    agent: &'a str,
    content: &'a str,
    importance: f64,
    /// Where it was said.
    conversation_id: &'a str,
    created_at: Rfc3339,
    /// Whether only the caller may know it.
    private: bool,
    /// How well it fits what was asked for, 0 to 1: the share of the meaning that it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    fit: Option<f64>,
}

impl<'a> MemoryView<'a> {
    fn of(fact: &'a Fact, private: bool, fit: Option<f32>) -> Self {
        Self {
            id: fact.id.as_str(),
            agent: fact.agent.as_str(),
            content: &fact.text,
            importance: rounded(fact.importance),
            conversation_id: fact.conversation.as_str(),
            created_at: Rfc3339(fact.at),
            private,
            fit: fit.map(rounded),
        }
    }
}

/// What an agent remembers: with `q` what fits it, best first; without, a page of it, newest first. `next_after` is null
/// on the last page.
pub async fn list(
    caller: Caller,
    app: web::Data<App>,
    agent: web::Path<String>,
    query: Query,
) -> Result<HttpResponse, HttpError> {
    caller.require(Scope::Chat)?;
    let whose = whose(&caller, &app, &agent)?;
    let limit = query.limit()?;
    if let Some(words) = query.words("q")? {
        let found = look(&app, move |memory| memory.search(whose, &words, limit)).await?;
        let views = found.iter().map(|found| MemoryView::of(&found.fact, found.private, Some(found.coverage)));
        return Ok(HttpResponse::Ok().json(MemoriesView { memories: views.collect(), next_after: None }));
    }
    let after = query.id("after")?.map(|text| cursor(&text)).transpose()?;
    let mut page = look(&app, move |memory| memory.page(whose, after.as_ref(), limit + 1)).await?;
    let more = page.len() > limit;
    page.truncate(limit);
    let next = page.last().filter(|_| more).map(|(fact, _)| format!("{}.{}", fact.at.0, fact.id));
    let memories = page.iter().map(|(fact, private)| MemoryView::of(fact, *private, None)).collect();
    Ok(HttpResponse::Ok().json(MemoriesView { memories, next_after: next }))
}

/// Has an agent forget something: 200 with what it was. Who watches memories is told.
pub async fn forget(
    caller: Caller,
    app: web::Data<App>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, HttpError> {
    caller.require(Scope::Chat)?;
    let (agent, id) = path.into_inner();
    let whose = whose(&caller, &app, &agent)?;
    let id = MessageId::parse("id", &id)?;
    let known = id.clone();
    let gone = look(&app, move |memory| memory.forget(whose, &known)).await?;
    let Some(change) = gone else {
        let error = HttpError::new(StatusCode::NOT_FOUND, "MEMORY_NOT_FOUND", format!("There is no memory {id}"));
        return Err(error);
    };
    let fact = &change.fact;
    let event = Event::MemoryChanged {
        agent: fact.agent.clone(),
        id: fact.id.clone(),
        content: fact.text.clone(),
        kept: false,
    };
    caller.tenant(&app).subscriptions.emit(&Envelope::new(event), change.owner.as_ref());
    Ok(HttpResponse::Ok().json(MemoryView::of(fact, change.owner.is_some(), None)))
}

/// What the caller may know of an agent's memory: what the tenant shares, and what it was told in the caller's threads.
fn whose(caller: &Caller, app: &App, agent: &str) -> Result<Whose, HttpError> {
    let tenant = caller.tenant(app);
    let agent = tenant.directory.get(agent)?.card.name().clone();
    Ok(Whose { tenant: tenant.id.clone(), owner: Some(caller.0.subject.clone()), agent: Some(agent) })
}

/// The end of the page before: the moment and the id of its last memory.
fn cursor(text: &str) -> Result<Cursor, Error> {
    let read = text
        .split_once('.')
        .and_then(|(at, id)| Some(Cursor { at: Timestamp(at.parse().ok()?), id: MessageId::parse("after", id).ok()? }));
    read.ok_or_else(|| Error::invalid("after", "next_after of the page before"))
}

/// Looks into the memory off the worker: it may have to be read from disk.
async fn look<T: Send + 'static>(
    app: &App,
    look: impl FnOnce(&Memory) -> Result<T, Error> + Send + 'static,
) -> Result<T, HttpError> {
    let memory: Arc<Memory> = app.memory.clone();
    match web::block(move || look(&memory)).await {
        Ok(result) => result.map_err(HttpError::from),
        Err(_) => Err(Error::internal("Reading the store failed unexpectedly").into()),
    }
}
