//! `GET /channels`, `GET /channels/{id}`, `GET /channels/{id}/messages`: what was published.

use actix_web::{HttpResponse, web};
use schemars::JsonSchema;
use serde::Serialize;

use callboard_actors::archive::ChannelSummary;
use callboard_actors::protocol::{ChannelId, Scope};

use super::app::App;
use super::caller::Caller;
use super::error::HttpError;
use super::query::Query;
use crate::dialect::view::{PublicationView, Rfc3339};

/// A page of channels.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Channels")]
pub struct ChannelsView<'a> {
    channels: Vec<ChannelView<'a>>,
    /// Where the next page begins; null on the last one.
    next_after: Option<String>,
}

/// A page of publications, oldest first.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Publications")]
pub struct PublicationsView<'a> {
    messages: Vec<PublicationView<'a>>,
    /// Where the next page begins; null on the last one.
    next_after: Option<u64>,
}

/// A channel.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Channel")]
pub struct ChannelView<'a> {
    id: &'a str,
    /// The same, as document 003 calls it.
    channel_id: &'a str,
    name: Option<&'a str>,
    description: Option<&'a str>,
    /// The last `seq`.
    head: u64,
    created_by: &'a str,
    created_at: Rfc3339,
}

impl<'a> ChannelView<'a> {
    /// The view of a channel.
    pub fn of(summary: &'a ChannelSummary) -> Self {
        let state = &summary.state;
        Self {
            id: summary.id.as_str(),
            channel_id: summary.id.as_str(),
            name: state.name.as_deref(),
            description: state.description.as_deref(),
            head: summary.head,
            created_by: state.created_by.as_str(),
            created_at: Rfc3339(state.created_at),
        }
    }
}

/// A page of the channels that the caller may use, in the order of their ids. `next_after` is null on the last page.
pub async fn list(caller: Caller, app: web::Data<App>, query: Query) -> Result<HttpResponse, HttpError> {
    caller.require(Scope::ChannelSubscribe)?;
    let (after, limit) = (query.id("after")?, query.limit()?);
    let (page, next) = caller.read(&app, move |archive| archive.channels(after.as_deref(), limit)).await?;
    let channels = page.iter().map(ChannelView::of).collect();
    Ok(HttpResponse::Ok().json(ChannelsView { channels, next_after: next }))
}

/// One channel.
pub async fn get(caller: Caller, app: web::Data<App>, id: web::Path<String>) -> Result<HttpResponse, HttpError> {
    caller.require(Scope::ChannelSubscribe)?;
    let id = ChannelId::parse("id", &id)?;
    let summary = caller.read(&app, move |archive| archive.channel(&id)).await?;
    Ok(HttpResponse::Ok().json(ChannelView::of(&summary)))
}

/// A page of publications with a `seq` above `after`, oldest first. `next_after` is null on the last page.
pub async fn messages(
    caller: Caller,
    app: web::Data<App>,
    id: web::Path<String>,
    query: Query,
) -> Result<HttpResponse, HttpError> {
    caller.require(Scope::ChannelSubscribe)?;
    let id = ChannelId::parse("id", &id)?;
    let (after, limit) = (query.number("after", 0..=u64::MAX)?.unwrap_or(0), query.limit()?);
    let (page, next) = caller.read(&app, move |archive| archive.publications(&id, after, limit)).await?;
    let messages = page.iter().map(|publication| PublicationView::of(publication)).collect();
    Ok(HttpResponse::Ok().json(PublicationsView { messages, next_after: next }))
}
