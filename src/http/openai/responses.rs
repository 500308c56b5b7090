//! `POST /v1/responses`: what chat completions are, with the past kept by the server, and `GET /v1/responses/{id}`.
//!
//! An answer's id holds its run's, which says where it stands; so going on from an answer needs nothing remembered.

mod events;
mod view;

use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, HttpResponse};

use callboard_actors::protocol::{AgentName, Code, ConversationId, Error, Result, Role, RunId};

use super::input::{Said, list, question, refuse, refuse_tools};
use super::{Client, answered, given_up, sse};
use crate::dialect::fields::Fields;
use crate::http::app::App;
use crate::http::caller::Caller;
use crate::http::error::HttpError;
use crate::http::talk::{Question, Talk};
use crate::http::trace;
pub use view::ResponseView;

/// What an id of an answer begins with; a run's id follows.
const PREFIX: &str = "resp_";

type Answer = std::result::Result<HttpResponse, HttpError>;

/// What a body asks for.
struct Asked {
    question: Question,
    previous: Option<String>,
    instructions: Option<String>,
    /// Whether the answer can be asked for again.
    store: bool,
}

/// Answers a request.
pub async fn create(client: Client, app: web::Data<App>, req: HttpRequest, body: Bytes) -> Answer {
    let Asked { mut question, previous, instructions, store } = read(&body, app.config.limits.content)?;
    if let Some(previous) = &previous {
        question.conversation = Some(conversation_of(&client.0, &app, previous).await?);
        question.context.retain(|message| message.role == Role::System);
    }
    question.trace = trace::parent(&req);
    let stream = question.stream;
    // What goes on in a conversation that is kept is kept with it.
    let store = store || question.conversation.is_some();
    let mut talk = Talk::begin(&client.0.0, &app.runtime, question).await?;
    let mut view = ResponseView::of(talk.run());
    if !store {
        talk.forget();
        view.forget();
    }
    view.follow(previous, instructions);
    if stream {
        return Ok(sse::response(&req, events::of(talk, view)));
    }
    let (run, answer) = tokio::select! {
        answer = talk.answer() => answer?,
        () = sse::gone(&req) => return Err(given_up()),
    };
    view.complete(&run, &answer);
    Ok(answered(&run).json(view))
}

/// An answer that was given before.
pub async fn get(client: Client, app: web::Data<App>, id: web::Path<String>) -> Answer {
    let Client(caller) = client;
    caller.require(callboard_actors::protocol::Scope::Chat)?;
    let run = run_id(&id)?;
    let (report, answer) = caller
        .read(&app, move |archive| {
            let report = archive.run(&run)?;
            let answers = archive.messages_after(&report.run.conversation, report.run.asked_at, 100)?;
            let answer = answers.iter().find(|message| message.run.as_ref() == Some(&run));
            Ok((report, answer.cloned()))
        })
        .await
        .map_err(|error| unknown(error, &id))?;
    let mut view = ResponseView::of(&report.run);
    match (answer, report.error) {
        (Some(answer), _) => view.complete(&report.run, &answer),
        (None, Some(error)) => view.fail(&error, report.status),
        (None, None) => {}
    }
    Ok(HttpResponse::Ok().json(view))
}

fn read(body: &[u8], most: usize) -> Result<Asked> {
    let fields = Fields::of_frame(super::utf8(body)?)?;
    let agent = AgentName::trusted(&*fields.required_id("model")?);
    refuse_tools(&fields)?;
    refuse(&fields, "background", "false: the answer comes with the response", &["false"])?;
    refuse(&fields, "prompt", "nothing: prompts are the agents' own", &[])?;
    refuse(&fields.object("text")?, "format", "text", &[r#"{"type":"text"}"#])?;
    let instructions = fields.text("instructions")?.map(|text| text.into_owned()).filter(|text| !text.is_empty());
    let mut said: Vec<Said> = instructions.iter().map(|text| Said { role: Role::System, text: text.clone() }).collect();
    match fields.raw("input") {
        Some(raw) if raw.get().starts_with('"') => {
            let text = fields.text("input")?.unwrap_or_default().into_owned();
            said.push(Said { role: Role::User, text });
        }
        _ => said.extend(list(&fields, "input")?),
    }
    let (content, mut context) = question(said, "input", most, &agent)?;
    let conversation = conversation(&fields)?;
    let previous = fields.text("previous_response_id")?.map(|id| id.into_owned());
    if conversation.is_some() && previous.is_some() {
        return Err(Error::invalid("previous_response_id", "nothing beside conversation"));
    }
    if conversation.is_some() {
        // As with chat completions.
        context.retain(|message| message.role == Role::System);
    }
    let question =
        Question { agent, conversation, content, context, stream: fields.flag("stream")?, steps: false, trace: None };
    let store = !fields.has("store") || fields.flag("store")?;
    Ok(Asked { question, previous, instructions, store })
}

/// The conversation that a request names: `conversation`, as a text or an object, or `metadata.conversation_id`.
fn conversation(fields: &Fields<'_>) -> Result<Option<ConversationId>> {
    let named = match fields.raw("conversation") {
        Some(raw) if raw.get().starts_with('{') => fields.object("conversation")?.id("id")?,
        Some(_) => fields.id("conversation")?,
        None => fields.object("metadata")?.id("conversation_id")?,
    };
    Ok(named.map(|id| ConversationId::trusted(&*id)))
}

fn run_id(id: &str) -> Result<RunId> {
    let run = id.strip_prefix(PREFIX).unwrap_or_default();
    RunId::parse("id", run).map_err(|_| Error::new(Code::RunNotFound, "There is no such response"))
}

/// Where the answer of that id was given.
async fn conversation_of(caller: &Caller, app: &App, id: &str) -> std::result::Result<ConversationId, HttpError> {
    let run = run_id(id)?;
    let report = caller.read(app, move |archive| archive.run(&run)).await.map_err(|error| unknown(error, id))?;
    Ok(report.run.conversation.clone())
}

fn unknown(error: HttpError, id: &str) -> HttpError {
    if !error.is(Code::RunNotFound) {
        return error;
    }
    let shown: String = id.chars().take(200).collect();
    Error::new(Code::RunNotFound, format!("There is no response {shown}")).into()
}
