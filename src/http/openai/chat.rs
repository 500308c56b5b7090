//! `POST /v1/chat/completions`: a list of messages in, an answer out, whole or piece by piece.

use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::{Stream, future, stream};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use callboard_actors::protocol::{AgentName, ConversationId, Message, Result, Role, Run};

use super::error::late;
use super::input::{list, question, refuse, refuse_tools};
use super::{Client, answered, given_up, sse, used};
use crate::dialect::fields::Fields;
use crate::http::app::App;
use crate::http::error::HttpError;
use crate::http::talk::{Next, Question, Talk};
use crate::http::trace;

/// An answer.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ChatCompletion")]
pub struct CompletionView {
    #[serde(flatten)]
    head: Head,
    choices: Vec<Choice>,
    usage: Usage,
}

/// What an answer and each of its pieces begin with.
#[derive(Debug, Serialize, JsonSchema)]
struct Head {
    id: String,
    object: &'static str,
    /// Seconds since 1970.
    created: i64,
    /// The agent.
    model: String,
    system_fingerprint: Option<String>,
    metadata: Standing,
}

/// Where an answer stands; nothing is said of one that is not kept.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Standing {
    #[serde(skip_serializing_if = "Option::is_none")]
    conversation_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_id: Option<String>,
}

/// The one answer that there is.
#[derive(Debug, Serialize, JsonSchema)]
struct Choice {
    index: u32,
    message: Reply,
    logprobs: Option<Value>,
    finish_reason: &'static str,
}

/// What the agent says.
#[derive(Debug, Serialize, JsonSchema)]
struct Reply {
    role: &'static str,
    content: String,
    refusal: Option<String>,
    annotations: Vec<Value>,
}

/// What a model read and wrote for it.
#[derive(Debug, Serialize, JsonSchema)]
struct Usage {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
}

impl Standing {
    /// Where the answer of a run stands.
    pub fn of(run: &Run) -> Self {
        Self { conversation_id: Some(run.conversation.to_string()), run_id: Some(run.id.to_string()) }
    }
}

/// Answers a request.
pub async fn create(
    client: Client,
    app: web::Data<App>,
    req: HttpRequest,
    body: Bytes,
) -> std::result::Result<HttpResponse, HttpError> {
    let (mut question, usage) = read(&body, app.config.limits.content)?;
    question.trace = trace::parent(&req);
    let stream = question.stream;
    let talk = Talk::begin(&client.0.0, &app.runtime, question).await?;
    if stream {
        return Ok(sse::response(&req, chunks(talk, usage)));
    }
    let (run, answer) = tokio::select! {
        answer = talk.answer() => answer?,
        () = sse::gone(&req) => return Err(given_up()),
    };
    let content = answer.text().into_owned();
    let message = Reply { role: "assistant", content, refusal: None, annotations: Vec::new() };
    let choice = Choice { index: 0, message, logprobs: None, finish_reason: "stop" };
    let head = Head::of(&run, "chat.completion");
    Ok(answered(&run).json(CompletionView { head, choices: vec![choice], usage: Usage::of(&answer) }))
}

/// What a body asks for, and whether a stream is to end with the usage.
fn read(body: &[u8], most: usize) -> Result<(Question, bool)> {
    let text = super::utf8(body)?;
    let fields = Fields::of_frame(text)?;
    let agent = AgentName::trusted(&*fields.required_id("model")?);
    refuse_tools(&fields)?;
    refuse(&fields, "n", "1: an agent gives one answer", &["1"])?;
    refuse(&fields, "logprobs", "false: an agent's answer has none", &["false"])?;
    refuse(&fields, "response_format", "text", &[r#"{"type":"text"}"#])?;
    refuse(&fields, "modalities", "text", &[r#"["text"]"#])?;
    refuse(&fields, "audio", "nothing: agents only write", &[])?;
    let (content, mut context) = question(list(&fields, "messages")?, "messages", most, &agent)?;
    let conversation = fields.object("metadata")?.id("conversation_id")?.map(|id| ConversationId::trusted(&*id));
    if conversation.is_some() {
        // The conversation has its own past; how the agent is told to answer holds for this answer.
        context.retain(|message| message.role == Role::System);
    }
    let usage = fields.object("stream_options")?.flag("include_usage")?;
    let stream = fields.flag("stream")?;
    Ok((Question { agent, conversation, content, context, stream, steps: false, trace: None }, usage))
}

impl Head {
    fn of(run: &Run, object: &'static str) -> Self {
        Self {
            id: format!("chatcmpl-{}", run.id.as_str().trim_start_matches("run-")),
            object,
            created: run.created_at.0 / 1000,
            model: run.agent.to_string(),
            system_fingerprint: None,
            metadata: Standing::of(run),
        }
    }
}

impl Usage {
    fn of(answer: &Message) -> Self {
        let used = used(answer);
        Self { prompt_tokens: used.input, completion_tokens: used.output, total_tokens: used.total() }
    }
}

/// The answer as chunks: the role, the pieces, the reason of the end, the usage if it is wanted, `[DONE]`.
fn chunks(talk: Talk, usage: bool) -> impl Stream<Item = Bytes> {
    let head = json!(Head::of(talk.run(), "chat.completion.chunk"));
    let chunk = move |delta: Value, reason: Value| {
        let mut chunk = head.clone();
        chunk["choices"] = json!([{ "index": 0, "delta": delta, "logprobs": null, "finish_reason": reason }]);
        if usage {
            chunk["usage"] = Value::Null;
        }
        chunk
    };
    let first = sse::data(&chunk(json!({ "role": "assistant", "content": "" }), Value::Null));
    let rest = stream::unfold(talk, move |mut talk| {
        let chunk = chunk.clone();
        async move {
            let frame = match talk.next().await? {
                Next::Step(_) => Bytes::from_static(b": a step\n\n"),
                Next::Piece(piece) => sse::data(&chunk(json!({ "content": piece }), Value::Null)),
                Next::Failed(error) => sse::data(&late(&error)),
                Next::Answer(answer) => {
                    let mut end = sse::data(&chunk(json!({}), "stop".into())).to_vec();
                    if usage {
                        let mut last = chunk(Value::Null, Value::Null);
                        (last["choices"], last["usage"]) = (json!([]), json!(Usage::of(&answer)));
                        end.extend_from_slice(&sse::data(&last));
                    }
                    end.extend_from_slice(b"data: [DONE]\n\n");
                    Bytes::from(end)
                }
            };
            Some((frame, talk))
        }
    });
    stream::StreamExt::chain(stream::once(future::ready(first)), rest)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_named_conversation_has_its_own_past() {
        let body = |metadata: &str| {
            format!(
                r#"{{"model":"nyx","temperature":0.2,"messages":[{{"role":"user","content":"a"}},
                    {{"role":"assistant","content":"b"}},{{"role":"user","content":"c"}}]{metadata}}}"#
            )
        };
        let (question, _) = read(body("").as_bytes(), 100).unwrap();
        assert_eq!((question.content.as_str(), question.context.len(), question.conversation), ("c", 2, None));
        let (question, _) = read(body(r#","metadata":{"conversation_id":"x"}"#).as_bytes(), 100).unwrap();
        assert_eq!((question.context.len(), question.conversation.unwrap().as_str()), (0, "x"));
    }

    #[test]
    fn what_cannot_be_had_is_refused_by_name() {
        for (more, field) in [
            (r#""n":2"#, "n"),
            (r#""tools":[{"type":"function"}]"#, "tools"),
            (r#""response_format":{"type":"json_object"}"#, "response_format"),
            (r#""logprobs":true"#, "logprobs"),
            (r#""modalities":["text","audio"]"#, "modalities"),
        ] {
            let body = format!(r#"{{"model":"nyx","messages":[{{"role":"user","content":"a"}}],{more}}}"#);
            let error = read(body.as_bytes(), 100).unwrap_err();
            assert!(error.details.starts_with(&format!("{field}: expected")), "{error}");
        }
    }
}
