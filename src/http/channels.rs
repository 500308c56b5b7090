//! `GET /channels`, `GET /channels/{id}`, `GET /channels/{id}/messages`, `GET /channels/{id}/presence`: what was
//! published, and who listens.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, web};
use schemars::JsonSchema;
use serde::Serialize;

use callboard_actors::archive::ChannelSummary;
use callboard_actors::protocol::{AgentName, ChannelId, Code, Error, Principal, Scope};

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

/// Who listens to a channel now.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ChannelPresence")]
pub struct PresenceView {
    channel_id: String,
    /// By name.
    agents: Vec<PresentView>,
    /// Sessions of people and programs that are no agents.
    others: usize,
}

/// An agent that listens.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "PresentAgent")]
struct PresentView {
    agent_id: String,
    /// Its sockets in this channel.
    sockets: usize,
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

/// Who listens to a channel now, whether it has been made or not.
pub async fn presence(caller: Caller, app: web::Data<App>, id: web::Path<String>) -> Result<HttpResponse, HttpError> {
    caller.require(Scope::ChannelSubscribe)?;
    let (channel, tenant) = (covered(&caller.0, &id)?, caller.tenant(&app));
    let (mut agents, mut others) = (BTreeMap::<AgentName, usize>::new(), 0);
    // Who is on no list of sessions any more has left meanwhile.
    let cards = tenant.presence.within(&channel).into_iter().filter_map(|session| tenant.sessions.get(&session));
    for card in cards {
        match &card.agent {
            Some(agent) => *agents.entry(agent.clone()).or_default() += 1,
            None => others += 1,
        }
    }
    let present = |(agent, sockets): (AgentName, usize)| PresentView { agent_id: agent.to_string(), sockets };
    let agents = agents.into_iter().map(present).collect();
    Ok(HttpResponse::Ok().json(PresenceView { channel_id: channel.to_string(), agents, others }))
}

/// The channel of that id, if the credentials cover it.
pub fn covered(principal: &Principal, id: &str) -> Result<ChannelId, Error> {
    let channel = ChannelId::parse("channel_id", id)?;
    if principal.may_use(&channel) {
        return Ok(channel);
    }
    Err(Error::new(Code::Unauthorized, format!("These credentials do not cover the channel {channel}")))
}
