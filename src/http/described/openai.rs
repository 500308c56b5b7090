//! The agents as models of OpenAI's API.

use actix_web::http::Method;
use serde_json::json;

use super::Api;
use super::bodies::{ChatBody, ResponseBody};
use super::operation::Operation;
use crate::http::openai::chat::CompletionView;
use crate::http::openai::error::ErrorBody;
use crate::http::openai::models::{ModelView, ModelsView};
use crate::http::openai::responses::ResponseView;

const TAG: &str = "openai";

/// Describes these resources.
pub fn describe(api: &mut Api) {
    on(api, Method::GET, "/v1/models", "listModels", "The agents as models")
        .answers::<ModelsView<'static>>(200, "Every agent of the tenant.")
        .refuses_also(&[]);
    on(api, Method::GET, "/v1/models/{id}", "readModel", "One agent as a model")
        .answers::<ModelView<'static>>(200, "The agent.")
        .refuses_also(&[404]);
    let operation = on(api, Method::POST, "/v1/chat/completions", "createChatCompletion", "Messages in, an answer out");
    answered(
        operation
            .says("Each request is a run in a conversation of its own unless `metadata.conversation_id` names one.")
            .takes::<ChatBody>()
            .answers::<CompletionView>(200, "The answer, or with `stream` its pieces."),
    );
    let operation =
        on(api, Method::POST, "/v1/responses", "createResponse", "The same, with the past kept by the server");
    answered(
        operation.takes::<ResponseBody>().answers::<ResponseView>(200, "The answer, or with `stream` its pieces."),
    );
    on(api, Method::GET, "/v1/responses/{id}", "readResponse", "An answer that was given before")
        .answers::<ResponseView>(200, "The answer.")
        .refuses_also(&[400, 404, 410, 503]);
}

/// Errors have the shape that clients of that API read.
fn on<'a>(api: &'a mut Api, method: Method, path: &'static str, id: &str, summary: &str) -> Operation<'a> {
    api.on(TAG, method, path, id, summary).errs::<ErrorBody<'static>>()
}

fn answered(operation: Operation<'_>) -> Operation<'_> {
    let id = json!({ "type": "string" });
    operation
        .gives::<String>(200, "text/event-stream", "The answer, or with `stream` its pieces.")
        .header(200, "x-conversation-id", id, "Where the answer stands; of a stream the pieces say so.")
        .refuses_also(&[404, 409, 410, 502, 503, 504])
}
