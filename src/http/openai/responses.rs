//! `POST /v1/responses`: what chat completions are, with the past kept by the server, and `GET /v1/responses/{id}`.
//!
//! An answer's id holds its run's, which says where it stands; so going on from an answer needs nothing remembered.

use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::{Stream, StreamExt, stream};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use callboard_actors::protocol::{
    AgentName, Code, ConversationId, Error, Message, Result, Role, Run, RunId, RunStatus,
};

use super::chat::Standing;
use super::input::{Said, list, question, refuse, refuse_tools};
use super::{Client, answered, given_up, sse, used};
use crate::dialect::fields::Fields;
use crate::http::app::App;
use crate::http::caller::Caller;
use crate::http::error::HttpError;
use crate::http::talk::{Next, Question, Talk};
use crate::http::trace;

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
        (view.store, view.conversation, view.metadata) = (false, None, Standing::default());
    }
    (view.previous_response_id, view.instructions) = (previous, instructions);
    if stream {
        return Ok(sse::response(&req, events(talk, view)));
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

/// An answer, or what will be one.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Response")]
pub struct ResponseView {
    id: String,
    object: &'static str,
    /// Seconds since 1970.
    created_at: i64,
    /// `in_progress`, `completed`, `failed` or `cancelled`.
    status: &'static str,
    background: bool,
    error: Option<Failure>,
    incomplete_details: Option<Value>,
    instructions: Option<String>,
    max_output_tokens: Option<u64>,
    /// The agent.
    model: String,
    output: Vec<Item>,
    parallel_tool_calls: bool,
    previous_response_id: Option<String>,
    conversation: Option<Place>,
    reasoning: Map<String, Value>,
    store: bool,
    temperature: Option<f64>,
    text: Map<String, Value>,
    tool_choice: &'static str,
    tools: Vec<Value>,
    top_p: Option<f64>,
    truncation: &'static str,
    usage: Option<Usage>,
    user: Option<String>,
    metadata: Standing,
}

/// Why there is no answer.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "ResponseFailure")]
struct Failure {
    code: &'static str,
    message: String,
}

/// The conversation that an answer stands in.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "ResponseConversation")]
struct Place {
    id: String,
}

/// What an agent says.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "ResponseItem")]
struct Item {
    #[serde(rename = "type")]
    kind: &'static str,
    id: String,
    status: &'static str,
    role: &'static str,
    content: Vec<Piece>,
}

/// A text of what it says.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "ResponseText")]
struct Piece {
    #[serde(rename = "type")]
    kind: &'static str,
    text: String,
    annotations: Vec<Value>,
    logprobs: Vec<Value>,
}

/// What models read and wrote for it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "ResponseUsage")]
struct Usage {
    input_tokens: u64,
    input_tokens_details: Map<String, Value>,
    output_tokens: u64,
    output_tokens_details: Map<String, Value>,
    total_tokens: u64,
}

fn map<const N: usize>(fields: [(&str, Value); N]) -> Map<String, Value> {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

impl ResponseView {
    /// An answer that is being made.
    fn of(run: &Run) -> Self {
        Self {
            id: format!("{PREFIX}{}", run.id),
            object: "response",
            created_at: run.created_at.0 / 1000,
            status: "in_progress",
            background: false,
            error: None,
            incomplete_details: None,
            instructions: None,
            max_output_tokens: None,
            model: run.agent.to_string(),
            output: Vec::new(),
            parallel_tool_calls: true,
            previous_response_id: None,
            conversation: Some(Place { id: run.conversation.to_string() }),
            reasoning: map([("effort", Value::Null), ("summary", Value::Null)]),
            store: true,
            temperature: None,
            text: map([("format", json!({ "type": "text" }))]),
            tool_choice: "auto",
            tools: Vec::new(),
            top_p: None,
            truncation: "disabled",
            usage: None,
            user: None,
            metadata: Standing::of(run),
        }
    }

    fn complete(&mut self, run: &Run, answer: &Message) {
        self.status = "completed";
        self.output = vec![item(run, "completed", vec![part(&answer.text())])];
        let used = used(answer);
        self.usage = Some(Usage {
            input_tokens: used.input,
            input_tokens_details: map([("cached_tokens", 0.into())]),
            output_tokens: used.output,
            output_tokens_details: map([("reasoning_tokens", 0.into())]),
            total_tokens: used.total(),
        });
    }

    fn fail(&mut self, error: &Error, status: RunStatus) {
        self.status = if status == RunStatus::Cancelled { "cancelled" } else { "failed" };
        self.error = Some(Failure { code: "server_error", message: error.to_string() });
    }
}

fn item(run: &Run, status: &'static str, content: Vec<Piece>) -> Item {
    Item { kind: "message", id: run.answer_id().to_string(), status, role: "assistant", content }
}

fn part(text: &str) -> Piece {
    Piece { kind: "output_text", text: text.to_owned(), annotations: Vec::new(), logprobs: Vec::new() }
}

/// The events of one answer, numbered.
struct Events {
    talk: Talk,
    view: ResponseView,
    sequence: u64,
}

impl Events {
    fn event(&mut self, kind: &str, mut value: Value) -> Bytes {
        value["type"] = kind.into();
        value["sequence_number"] = self.sequence.into();
        self.sequence += 1;
        sse::event(kind, &value)
    }

    fn opening(&mut self) -> Vec<Bytes> {
        let view = self.view.clone();
        let id = self.talk.run().answer_id();
        let added = item(self.talk.run(), "in_progress", Vec::new());
        vec![
            self.event("response.created", json!({ "response": view })),
            self.event("response.in_progress", json!({ "response": view })),
            self.event("response.output_item.added", json!({ "output_index": 0, "item": added })),
            self.event(
                "response.content_part.added",
                json!({ "item_id": id, "output_index": 0, "content_index": 0, "part": part("") }),
            ),
        ]
    }

    fn piece(&mut self, piece: &str) -> Bytes {
        let id = self.talk.run().answer_id();
        let value = json!({ "item_id": id, "output_index": 0, "content_index": 0, "delta": piece, "logprobs": [] });
        self.event("response.output_text.delta", value)
    }

    fn ending(&mut self, answer: &Message) -> Vec<Bytes> {
        let (run, text) = (self.talk.run().clone(), answer.text().into_owned());
        let (id, whole) = (run.answer_id(), part(&text));
        self.view.complete(&run, answer);
        let (view, done) = (self.view.clone(), item(&run, "completed", vec![whole.clone()]));
        let at = json!({ "item_id": id, "output_index": 0, "content_index": 0 });
        let (mut said, mut finished) = (at.clone(), at);
        (said["text"], said["logprobs"], finished["part"]) = (text.into(), json!([]), json!(whole));
        vec![
            self.event("response.output_text.done", said),
            self.event("response.content_part.done", finished),
            self.event("response.output_item.done", json!({ "output_index": 0, "item": done })),
            self.event("response.completed", json!({ "response": view })),
        ]
    }

    fn failure(&mut self, error: &Error) -> Bytes {
        self.view.fail(error, RunStatus::of(error.code));
        let view = self.view.clone();
        self.event("response.failed", json!({ "response": view }))
    }
}

fn events(talk: Talk, view: ResponseView) -> impl Stream<Item = Bytes> {
    let mut events = Events { talk, view, sequence: 0 };
    let opening = events.opening();
    let rest = stream::unfold(events, |mut events| async move {
        let frames = match events.talk.next().await? {
            Next::Step(_) => Vec::new(),
            Next::Piece(piece) => vec![events.piece(&piece)],
            Next::Failed(error) => vec![events.failure(&error)],
            Next::Answer(answer) => events.ending(&answer),
        };
        Some((frames, events))
    });
    stream::once(std::future::ready(opening)).chain(rest).flat_map(stream::iter)
}
