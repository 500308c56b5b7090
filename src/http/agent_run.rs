//! `POST /agent/run`: document 001 without a chat. An agent does a task; its steps and its answer come back, and nothing
//! is stored.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use schemars::JsonSchema;
use serde::Serialize;

use callboard_actors::errand::{self, Outcome};
use callboard_actors::protocol::{AgentName, Code, ConversationId, Error, Result, Scope};

use super::app::App;
use super::body::too_large;
use super::caller::Caller;
use super::error::HttpError;
use super::trace;
use crate::dialect::fields::Fields;
use crate::dialect::steps::history::{FINAL_ANSWER, step_type};

/// One entry of the documented list.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "RunEntry")]
pub struct Entry<'a> {
    step_type: &'static str,
    content: &'a str,
}

/// What the body says.
struct Task {
    agent: Option<AgentName>,
    chat: ConversationId,
    task: String,
}

/// Answers the request.
pub async fn run(
    caller: Caller,
    app: web::Data<App>,
    req: HttpRequest,
    body: web::Payload,
) -> std::result::Result<HttpResponse, HttpError> {
    caller.require(Scope::Chat)?;
    let most = app.config.server.max_body;
    let body = body.to_bytes_limited(most).await.map_err(|_| too_large(most))?;
    let body = body.map_err(|_| refused(Error::invalid("body", "the whole of it")))?;
    let Task { agent, chat, task } = read(&body, app.config.limits.content).map_err(refused)?;
    let trace = trace::parent(&req);
    let outcome = errand::run(&caller.tenant(&app), agent.as_ref(), chat, task, trace).await.map_err(refused)?;
    Ok(HttpResponse::Ok().json(list(&outcome)))
}

fn read(body: &[u8], most: usize) -> Result<Task> {
    let text = std::str::from_utf8(body).map_err(|_| Error::invalid("body", "JSON in UTF-8"))?;
    let fields = Fields::of_frame(text)?;
    let chat = fields.id("chat_id")?.map(|chat| ConversationId::trusted(&*chat));
    Ok(Task {
        task: fields.content("task", most)?,
        chat: chat.unwrap_or_else(ConversationId::random),
        agent: fields.id("agent")?.map(|agent| AgentName::trusted(&*agent)),
    })
}

fn list(outcome: &Outcome) -> Vec<Entry<'_>> {
    let steps = outcome.steps.iter().filter_map(|step| {
        let step_type = step_type(step)?;
        Some(Entry { step_type, content: &step.content })
    });
    steps.chain(std::iter::once(Entry { step_type: FINAL_ANSWER, content: &outcome.answer.text })).collect()
}

/// What is wrong with the body is 422, what went wrong behind it 502; the rest as everywhere.
fn refused(error: Error) -> HttpError {
    let code = error.code;
    let refused = HttpError::from(error);
    match code {
        Code::InvalidMessage | Code::AgentNotFound => refused.with_status(StatusCode::UNPROCESSABLE_ENTITY),
        Code::AgentFailed | Code::InternalError => refused.with_status(StatusCode::BAD_GATEWAY),
        _ => refused,
    }
}
