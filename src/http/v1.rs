//! The resources of document 003, `/v1/…`: channels to make, describe, read and publish into, and who is there.
//!
//! Always with credentials. What can be read without a version in its path is answered by the same handlers.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, HttpResponse, Responder};
use schemars::JsonSchema;
use serde::Serialize;

use callboard_actors::presence::Attendance;
use callboard_actors::protocol::{AgentId, AgentName, ChannelId, Code, Command, Error, Event, Scope, TenantId};

use super::app::App;
use super::ask::ask;
use super::caller::{Caller, KnownCaller, acting};
use super::channels::{self, covered};
use super::error::HttpError;
use super::query::Query;
use super::resource::Routes;
use super::{sockets, trace};
use crate::dialect::channels::published;
use crate::dialect::fields::Fields;
use crate::dialect::view::Rfc3339;

/// The longest description of a channel, in bytes: a page of text.
const MAX_DESCRIPTION: usize = 4096;

/// The longest name of a channel, in bytes: a line.
const MAX_NAME: usize = 256;

type Answer = Result<HttpResponse, HttpError>;

/// Mounts the resources and sockets below `/v1`.
pub fn mount(routes: &mut Routes<'_>) {
    routes
        .at("/ws", |place| place.socket(sockets::channels))
        .at("/ws/tenant/{tenant_id}/agent/{agent_id}/channel/{channel_id}", |place| place.socket(sockets::one_channel))
        .at("/channels", |place| place.read(list).post(describe))
        .at("/channels/{id}", |place| place.read(get).delete(remove))
        .at("/channels/{id}/messages", |place| place.read(messages).post(publish))
        .read("/channels/{id}/presence", presence)
        .read("/agents", agents)
        .read("/agents/{id}", agent);
}

async fn list(caller: KnownCaller, app: web::Data<App>, query: Query) -> Answer {
    channels::list(Caller(caller.0), app, query).await
}

async fn get(caller: KnownCaller, app: web::Data<App>, id: web::Path<String>) -> Answer {
    covered(&caller.0, &id)?;
    channels::get(Caller(caller.0), app, id).await
}

async fn messages(caller: KnownCaller, app: web::Data<App>, id: web::Path<String>, query: Query) -> Answer {
    covered(&caller.0, &id)?;
    channels::messages(Caller(caller.0), app, id, query).await
}

async fn presence(caller: KnownCaller, app: web::Data<App>, id: web::Path<String>) -> Answer {
    channels::presence(Caller(caller.0), app, id).await
}

/// Has the actor of a channel carry out a command.
async fn tell(
    caller: &KnownCaller,
    app: &App,
    channel: &ChannelId,
    command: Command,
) -> Result<Arc<callboard_actors::protocol::Envelope>, HttpError> {
    caller.0.require(Scope::ChannelPublish)?;
    let tenant = app.runtime.tenant(&caller.0.tenant);
    ask(acting(&caller.0), command, app.patience(), |request| tenant.to_channel(channel, request)).await
}

fn fields_of(body: &Bytes) -> Result<Fields<'_>, HttpError> {
    let text = std::str::from_utf8(body).map_err(|_| Error::invalid("body", "JSON in UTF-8"))?;
    Ok(Fields::of_frame(text)?)
}

/// JSON that says something else than it should.
fn unfit(error: Error) -> HttpError {
    HttpError::from(error).with_status(StatusCode::UNPROCESSABLE_ENTITY)
}

/// Makes a channel, 201, or describes one anew, 200.
async fn describe(caller: KnownCaller, app: web::Data<App>, body: Bytes) -> Answer {
    let (channel, command) = {
        let fields = fields_of(&body)?;
        let said = |name: &str, most| -> Result<Option<String>, Error> {
            Ok(Some(fields.note(name, most)?).filter(|text| !text.is_empty()))
        };
        let read = || -> Result<_, Error> {
            let given = match fields.id("channel_id")? {
                Some(id) => Some(id),
                None => fields.id("id")?,
            };
            let id = given.map_or_else(|| format!("channel-{}", uuid::Uuid::new_v4()), |id| id.into_owned());
            Ok((id, said("name", MAX_NAME)?, said("description", MAX_DESCRIPTION)?))
        };
        let (id, name, description) = read().map_err(unfit)?;
        let channel = covered(&caller.0, &id)?;
        (channel.clone(), Command::Describe { channel, name, description })
    };
    let reply = tell(&caller, &app, &channel, command).await?;
    let created = matches!(reply.event, Event::ChannelDescribed { created: true, .. });
    let reader = Caller(acting(&caller.0));
    let id = channel.clone();
    let summary = reader.read(&app, move |archive| archive.channel(&id)).await?;
    let status = if created { StatusCode::CREATED } else { StatusCode::OK };
    Ok(HttpResponse::build(status).json(channels::ChannelView::of(&summary)))
}

async fn remove(caller: KnownCaller, app: web::Data<App>, id: web::Path<String>) -> Answer {
    let channel = covered(&caller.0, &id)?;
    tell(&caller, &app, &channel, Command::Remove { channel: channel.clone() }).await?;
    Ok(HttpResponse::Ok().json(RemovedView { success: true, channel_id: channel.to_string() }))
}

async fn publish(
    caller: KnownCaller,
    app: web::Data<App>,
    req: HttpRequest,
    id: web::Path<String>,
    body: Bytes,
) -> Answer {
    let channel = covered(&caller.0, &id)?;
    let command = {
        let fields = fields_of(&body)?;
        let bounds = app.manners(true).bounds;
        let large = fields.raw("content").is_some_and(|content| content.get().len() > bounds.content.saturating_add(2));
        published(channel.clone(), &fields, &bounds, trace::parent(&req)).map_err(|error| match large {
            true => HttpError::from(error).with_status(StatusCode::PAYLOAD_TOO_LARGE),
            false => unfit(error),
        })?
    };
    let reply = tell(&caller, &app, &channel, command).await?;
    match &reply.event {
        Event::PublishAcknowledged { id, seq, at, .. } => Ok(HttpResponse::Ok().json(PublishedView {
            success: true,
            message_id: id.to_string(),
            seq: *seq,
            timestamp: Rfc3339(*at),
        })),
        _ => Err(Error::internal("The channel gave no acknowledgement").into()),
    }
}

/// The end of a channel.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Removed")]
pub struct RemovedView {
    success: bool,
    channel_id: String,
}

/// A publication that is on disk.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Published")]
pub struct PublishedView {
    success: bool,
    message_id: String,
    seq: u64,
    timestamp: Rfc3339,
}

/// Everybody of a tenant.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Attendances")]
pub struct AgentsView {
    agents: Vec<AgentView>,
}

/// An agent of the tenant: of the server, or of another process, there or gone.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Attendance")]
pub struct AgentView {
    #[schemars(with = "String")]
    agent_id: AgentName,
    #[schemars(with = "uuid::Uuid")]
    id: AgentId,
    status: &'static str,
    /// Whether it lives in another process.
    remote: bool,
    /// Whether it can be asked now.
    serves: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    sockets: Option<usize>,
    /// When it last came or went.
    #[serde(skip_serializing_if = "Option::is_none")]
    changed_at: Option<Rfc3339>,
}

impl AgentView {
    fn of_process(tenant: &TenantId, name: AgentName, attendance: Attendance, serves: bool) -> Self {
        Self {
            id: AgentId::of(tenant, &name),
            agent_id: name,
            status: if attendance.sockets > 0 { "online" } else { "offline" },
            remote: true,
            serves,
            sockets: Some(attendance.sockets),
            changed_at: Some(Rfc3339(attendance.changed_at)),
        }
    }
}

/// Those of the server, then those of other processes by name.
fn everybody(caller: &KnownCaller, app: &App) -> Vec<AgentView> {
    let tenant = app.runtime.tenant(&caller.0.tenant);
    let listed = tenant.directory.all();
    let of_server = listed.iter().filter(|listing| !listing.card.remote).map(|listing| AgentView {
        agent_id: listing.card.name().clone(),
        id: listing.card.id,
        status: "online",
        remote: false,
        serves: true,
        sockets: None,
        changed_at: None,
    });
    let of_processes = tenant.presence.all().into_iter().map(|(name, attendance)| {
        let serves = listed.iter().any(|listing| listing.card.remote && *listing.card.name() == name);
        AgentView::of_process(&tenant.id, name, attendance, serves)
    });
    of_server.chain(of_processes).collect()
}

async fn agents(caller: KnownCaller, app: web::Data<App>) -> impl Responder {
    HttpResponse::Ok().json(AgentsView { agents: everybody(&caller, &app) })
}

async fn agent(caller: KnownCaller, app: web::Data<App>, id: web::Path<String>) -> Answer {
    let found = everybody(&caller, &app)
        .into_iter()
        .find(|agent| agent.agent_id.as_str() == *id || agent.id.to_string() == *id);
    let found = found.ok_or_else(|| Error::new(Code::AgentNotFound, "There is no such agent"))?;
    Ok(HttpResponse::Ok().json(found))
}
