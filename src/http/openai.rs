//! The agents as the models of OpenAI's API: whoever speaks that reaches them by another base URL, `http://host/v1`.
//!
//! A model is an agent. What a client sends is a question in a conversation like any other: durable, in the history,
//! a run at `GET /runs/{id}`. Clients of this API keep the past themselves and send all of it with each question; what
//! stands before the last message is told to the agent and not written again, in a conversation of its own each time.
//! A client that would rather have the server remember names one: `metadata.conversation_id` or `conversation`, or with
//! [`responses`] the answer that it goes on from. In a named conversation its own history counts.
//!
//! What would change the kind of answer is refused where it cannot be had (tools of the client, several choices, a
//! schema, sound); what only tunes a model (temperature, seed, a limit of tokens) is the agent's own matter and passed
//! over. These routes stand beside those of document 003 and share nothing with them but the prefix.

pub mod chat;
pub mod error;
mod input;
pub mod models;
pub mod responses;
mod sse;

use std::future::{Ready, ready};

use actix_web::web;
use actix_web::{FromRequest, HttpRequest, HttpResponse, HttpResponseBuilder, dev};

use callboard_actors::protocol::{Code, Error, Message, Run, Tokens};

use super::app::App;
use super::caller::{Caller, judge_any_key};
use super::error::HttpError;
use super::resource::Routes;

/// The paths of this API; their errors have its shape.
const PATHS: [&str; 3] = ["/v1/models", "/v1/chat/completions", "/v1/responses"];

/// Mounts the API below `/v1`.
pub fn mount(routes: &mut Routes<'_>) {
    routes
        .read("/models", models::list)
        .read("/models/{id}", models::get)
        .at("/chat/completions", |place| place.post(chat::create))
        .at("/responses", |place| place.post(responses::create))
        .read("/responses/{id}", responses::get);
}

/// The caller. Clients of this API insist on sending a key; where the server asks for none, one that cannot be meant
/// for it is passed over.
pub struct Client(pub Caller);

impl FromRequest for Client {
    type Error = HttpError;
    type Future = Ready<Result<Self, HttpError>>;

    fn from_request(req: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        ready(match req.app_data::<web::Data<App>>() {
            Some(app) => judge_any_key(req, app).map(|principal| Self(Caller(principal))),
            None => Err(Error::internal("The server is not set up").into()),
        })
    }
}

/// A body as text.
fn utf8(body: &[u8]) -> Result<&str, Error> {
    std::str::from_utf8(body).map_err(|_| Error::invalid("body", "JSON in UTF-8"))
}

/// The beginning of a response with an answer: where it stands is said for those who read headers.
fn answered(run: &Run) -> HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    response.insert_header(("x-conversation-id", run.conversation.as_str()));
    response
}

/// The tokens that went into an answer. An agent need not have a model; where none was asked, none were used.
fn used(answer: &Message) -> Tokens {
    let mut used = Tokens::default();
    answer.steps().filter_map(|step| step.tokens).for_each(|tokens| used += tokens);
    used
}

/// What is left to say when the client has gone; nobody reads it.
fn given_up() -> HttpError {
    Error::new(Code::Cancelled, "The client closed its connection").into()
}
