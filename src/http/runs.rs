//! `GET /runs`, `GET /conversations/{id}/runs`, `GET /runs/{id}`, `DELETE /runs/{id}`: what agents do, or did, for
//! somebody, and ending it.

mod view;

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use schemars::JsonSchema;
use serde::Deserialize;

use callboard_actors::archive::ListedRun;
use callboard_actors::protocol::{CancelTarget, Code, Command, ConversationId, Error, RunId, RunStatus, Scope};
use callboard_actors::runs::{LiveRun, RunReport};

use super::app::App;
use super::ask::ask;
use super::caller::Caller;
use super::error::HttpError;
use super::query::Query;
use crate::record::Record;

pub use view::{RunPageView, RunView, RunsView};

/// Open runs in one answer: what a page shows at a glance. There may be many more where agents are far behind.
const MAX_LISTED: usize = 100;

/// The newest runs that have not ended, of those that the caller may see. Their steps are told one by one.
pub async fn list(caller: Caller, app: web::Data<App>) -> Result<HttpResponse, HttpError> {
    caller.require(Scope::Chat)?;
    let tenant = caller.tenant(&app);
    let seen = tenant.runs.iter().filter(|live| live.is_visible_to(&caller.0.subject));
    let mut open: Vec<Arc<LiveRun>> = seen.map(|live| live.clone()).collect();
    open.sort_by(|one, other| (other.run.created_at, &other.run.id).cmp(&(one.run.created_at, &one.run.id)));
    open.truncate(MAX_LISTED);
    let listed: Vec<ListedRun> = open.iter().map(|live| RunReport::live(live).into()).collect();
    Ok(HttpResponse::Ok().json(RunsView::of(&listed)))
}

/// A page of the runs that a conversation's messages asked for, newest first, whether they have ended or not.
/// `next_before` is null on the last page.
pub async fn of_conversation(
    caller: Caller,
    app: web::Data<App>,
    id: web::Path<String>,
    query: Query,
) -> Result<HttpResponse, HttpError> {
    caller.require(Scope::Chat)?;
    let (id, tenant) = (ConversationId::parse("id", &id)?, caller.tenant(&app));
    let (before, limit) = (query.number("before", 1..=u64::MAX)?, query.limit()?);
    let read = caller.read(&app, move |archive| archive.runs(&id, before, limit, &tenant.runs));
    let (page, next) = read.await?;
    Ok(HttpResponse::Ok().json(RunPageView::of(&page, next)))
}

/// One run, whether it has ended or not.
pub async fn get(caller: Caller, app: web::Data<App>, id: web::Path<String>) -> Result<HttpResponse, HttpError> {
    caller.require(Scope::Chat)?;
    let report = find(&caller, &app, &RunId::parse("id", &id)?).await?;
    Ok(HttpResponse::Ok().json(RunView::of(&report)))
}

/// Cancels a run: 202 with the run as it is then, 409 if it has ended. What ends is the whole request that it belongs
/// to, with the runs of other agents that were to follow.
pub async fn cancel(caller: Caller, app: web::Data<App>, id: web::Path<String>) -> Result<HttpResponse, HttpError> {
    caller.require(Scope::Chat)?;
    let id = RunId::parse("id", &id)?;
    let Some(live) = live(&caller, &app, &id) else {
        find(&caller, &app, &id).await?;
        return Err(ended(&id));
    };
    let (tenant, conversation) = (caller.tenant(&app), live.run.conversation.clone());
    let command = Command::Cancel { target: CancelTarget::Named(id.to_string()) };
    let asked = ask(caller.0.clone(), command, app.patience(), |request| {
        tenant.to_conversation(&conversation, request);
    });
    // It was there a moment ago.
    asked.await.map_err(|error| if error.is(Code::RunNotFound) { ended(&id) } else { error })?;
    let report = find(&caller, &app, &id).await?;
    Ok(HttpResponse::Accepted().json(RunView::of(&report)))
}

/// All that is known of a run: what its agent was told, what it did, what came of it.
pub async fn record(caller: Caller, app: web::Data<App>, id: web::Path<String>) -> Result<HttpResponse, HttpError> {
    caller.require(Scope::Chat)?;
    let id = RunId::parse("id", &id)?;
    let live = live(&caller, &app, &id);
    let report = find(&caller, &app, &id).await?;
    // Of a run that has ended since, what is written is all of it.
    let tape = live.filter(|_| report.ended_at.is_none()).map(|live| live.tape.read());
    let record = caller.read(&app, move |archive| archive.record(report, tape)).await?;
    Ok(HttpResponse::Ok().json(Record::of(&record)?))
}

/// What `POST /runs/{id}/approval` takes.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "Decision")]
pub struct DecisionBody {
    decision: Word,
    /// Shown to people, at most 4096 bytes.
    #[serde(default)]
    #[schemars(skip_serializing_if = "String::is_empty")]
    reason: String,
}

#[derive(Clone, Copy, PartialEq, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Word {
    Approve,
    Reject,
}

/// The longest reason of a decision, in bytes; it is shown to people.
const MAX_REASON: usize = 4096;

/// Decides about a run that waits: 200 with the run as it is then; 409 if it does not wait, or has ended.
pub async fn decide(
    caller: Caller,
    app: web::Data<App>,
    id: web::Path<String>,
    body: web::Bytes,
) -> Result<HttpResponse, HttpError> {
    caller.require(Scope::Chat)?;
    let id = RunId::parse("id", &id)?;
    let body: DecisionBody = serde_json::from_slice(&body).map_err(|error| {
        Error::invalid("decision", &format!("\"approve\" or \"reject\" in a JSON object ({error})"))
    })?;
    if body.reason.len() > MAX_REASON {
        return Err(Error::invalid("reason", &format!("a string of at most {MAX_REASON} bytes")).into());
    }
    let report = find(&caller, &app, &id).await?;
    if report.status != RunStatus::InputRequired {
        return Err(if report.ended_at.is_some() || report.error.is_some() { ended(&id) } else { busy(&id) });
    }
    let (tenant, conversation) = (caller.tenant(&app), report.run.conversation.clone());
    let approve = body.decision == Word::Approve;
    let command = Command::Decide { run: id.clone(), approve, reason: body.reason };
    let asked = ask(caller.0.clone(), command, app.patience(), |request| {
        tenant.to_conversation(&conversation, request);
    });
    // It waited a moment ago.
    asked.await.map_err(|error| if error.is(Code::RunNotFound) { busy(&id) } else { error })?;
    let mut report = find(&caller, &app, &id).await?;
    if !approve && report.status == RunStatus::InputRequired {
        // Where it ends the run, that stands with the decision, whether its conversation has told of it by now or not.
        report = caller.read(&app, move |archive| archive.run(&id)).await?;
    }
    Ok(HttpResponse::Ok().json(RunView::of(&report)))
}

fn busy(id: &RunId) -> HttpError {
    HttpError::new(StatusCode::CONFLICT, "NOT_WAITING", format!("The run {id} does not wait for approval"))
}

fn ended(id: &RunId) -> HttpError {
    HttpError::new(StatusCode::CONFLICT, "RUN_ENDED", format!("The run {id} has ended"))
}

/// A run that has not ended and that the caller may see.
fn live(caller: &Caller, app: &App, id: &RunId) -> Option<Arc<LiveRun>> {
    let tenant = caller.tenant(app);
    let live = tenant.runs.get(id).map(|live| live.clone())?;
    live.is_visible_to(&caller.0.subject).then_some(live)
}

async fn find(caller: &Caller, app: &App, id: &RunId) -> Result<RunReport, HttpError> {
    if let Some(live) = live(caller, app, id) {
        return Ok(RunReport::live(&live));
    }
    let known = id.clone();
    let report = caller.read(app, move |archive| archive.run(&known)).await?;
    if report.status != RunStatus::Pending {
        return Ok(report);
    }
    // Written between the two looks, or never to be ended: nobody is at it.
    Ok(live(caller, app, id).map_or_else(|| report.interrupted(), |live| RunReport::live(&live)))
}
