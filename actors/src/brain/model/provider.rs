//! The way to a model's server, by the crate genai: with the folder beside it the only file that knows it.
//!
//! What genai leaves open is settled here. A stream counts as ended only with the end marker of its protocol: for Gemini
//! and Ollama genai makes one up when the connection closes, so there the reason to stop must be told as well. Waiting
//! is bounded by what a model says, not by what keeps a connection warm. Errors are told without what the server said.

mod heard;
mod told;

use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::StreamExt;
use genai::adapter::AdapterKind;
use genai::chat::{
    ChatMessage, ChatOptions, ChatRequest, ChatResponseFormat, ChatStreamEvent, ContentPart, JsonSpec, MessageContent,
    StreamEnd, Tool, ToolCall, ToolResponse,
};
use genai::resolver::{AuthData, Endpoint};
use genai::{Client, ModelIden, ServiceTarget, WebConfig};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use heard::Heard;

use super::fault::{Fault, Trouble};
use super::settings::{self, Settings, seconds};
use super::voice::{Ear, Prompt, Reply, Said, Voice};
use crate::protocol::{Code, Error, TraceParent};
use crate::text::shortened;

/// Bytes of one reply, words and arguments together. A message of a conversation may have a mebibyte with its steps.
const MOST_BYTES: usize = 256 * 1024;

/// Bytes of a server's error that go into the log.
const LOGGED: usize = 500;

/// Where the providers are, and which variable holds their key if the file says nothing of it.
fn home(provider: settings::Provider) -> (AdapterKind, &'static str, Option<&'static str>) {
    match provider {
        settings::Provider::OpenAi => (AdapterKind::OpenAI, "https://api.openai.com/v1/", Some("OPENAI_API_KEY")),
        settings::Provider::Anthropic => {
            (AdapterKind::Anthropic, "https://api.anthropic.com/v1/", Some("ANTHROPIC_API_KEY"))
        }
        settings::Provider::Gemini => {
            (AdapterKind::Gemini, "https://generativelanguage.googleapis.com/v1beta/", Some("GEMINI_API_KEY"))
        }
        settings::Provider::Ollama => (AdapterKind::Ollama, "http://127.0.0.1:11434/", None),
    }
}

/// A model behind a server.
pub struct Provider {
    client: Client,
    kind: AdapterKind,
    name: String,
    endpoint: String,
    key: SecretString,
    options: ChatOptions,
    first: Duration,
    between: Duration,
}

impl std::fmt::Debug for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Provider").field("name", &self.name).field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

impl Provider {
    /// The model that `settings` name. Reads the key now, unless it will not be asked; an error names the setting and not
    /// the key.
    pub fn new(settings: &Settings, sealed: bool) -> Result<Self, Error> {
        let (kind, home, _) = home(settings.provider);
        let endpoint = settings.endpoint.clone().unwrap_or_else(|| home.to_owned());
        // Paths are joined to it, which would replace a last part without a slash.
        let endpoint = if endpoint.ends_with('/') { endpoint } else { endpoint + "/" };
        let web = WebConfig::default().with_connect_timeout(seconds(settings.timeouts.connect_seconds));
        // Where a server points is not gone to: the operator named this one, and some keys travel in headers that a
        // redirect would take along.
        let http = web.apply_to_builder(reqwest::Client::builder()).redirect(reqwest::redirect::Policy::none());
        let http = http.build().map_err(|_| {
            Error::new(Code::InvalidMessage, "model: no client could be made for it; are there root certificates?")
        })?;
        let client = Client::builder()
            .with_reqwest(http)
            .build()
            .map_err(|_| Error::new(Code::InvalidMessage, "model: no client could be made for it"))?;
        Ok(Self {
            client,
            kind,
            name: settings.name.clone(),
            endpoint,
            key: if sealed { SecretString::default() } else { key(settings)? },
            options: options(settings),
            first: seconds(settings.timeouts.first_token_seconds),
            between: seconds(settings.timeouts.between_tokens_seconds),
        })
    }

    fn target(&self) -> ServiceTarget {
        ServiceTarget {
            endpoint: Endpoint::from_owned(self.endpoint.as_str()),
            auth: AuthData::from_single(self.key.expose_secret()),
            model: ModelIden::new(self.kind, self.name.as_str()),
        }
    }

    /// Whether the protocol's own end was there, where genai makes one up.
    fn is_ended(&self, end: &StreamEnd) -> bool {
        match self.kind {
            AdapterKind::Gemini | AdapterKind::Ollama => end.captured_stop_reason.is_some(),
            _ => true,
        }
    }

    fn fault(&self, error: &genai::Error) -> Fault {
        let text = error.to_string();
        let key = self.key.expose_secret();
        let text = if key.is_empty() { text } else { text.replace(key, "[key]") };
        log::warn!("the model {}: {}", self.name, shortened(&text.replace(char::is_control, " "), LOGGED));
        told::fault(error)
    }
}

/// The key, from where the settings say, or from the provider's usual variable where its usual address is meant.
fn key(settings: &Settings) -> Result<SecretString, Error> {
    let wrong = |setting: &str, what: String| Err(Error::new(Code::InvalidMessage, format!("{setting}: {what}")));
    let variable = |setting: &str, name: &str| match std::env::var(name) {
        Ok(key) if !key.trim().is_empty() => Ok(SecretString::from(key.trim())),
        _ => wrong(setting, format!("the variable {name} is not set")),
    };
    if let Some(name) = &settings.key_variable {
        return variable("model.key_variable", name);
    }
    if let Some(path) = &settings.key_file {
        return match std::fs::read_to_string(path) {
            Ok(key) if !key.trim().is_empty() => Ok(SecretString::from(key.trim())),
            Ok(_) => wrong("model.key_file", format!("{} is empty", path.display())),
            Err(error) => wrong("model.key_file", format!("{} cannot be read: {error}", path.display())),
        };
    }
    match (home(settings.provider).2, &settings.endpoint) {
        (Some(name), None) => variable("model.key_variable", name),
        // Servers of one's own need none, and take any.
        _ => Ok(SecretString::from("none")),
    }
}

fn options(settings: &Settings) -> ChatOptions {
    let mut options = ChatOptions::default().with_capture_usage(true).with_capture_tool_calls(true);
    options.temperature = settings.temperature;
    options.max_tokens = settings.max_tokens;
    let spec = |schema: &Value| ChatResponseFormat::JsonSpec(JsonSpec::new("answer", schema.clone()));
    options.response_format = settings.answer_schema.as_ref().map(spec);
    options
}

#[async_trait]
impl Voice for Provider {
    async fn ask(&self, prompt: &Prompt, place: Option<TraceParent>, ear: Ear<'_>) -> Result<Reply, Fault> {
        let begun = Instant::now();
        let request = request(prompt);
        let size = serde_json::to_vec(prompt).map_or(0, |bytes| bytes.len());
        let first = tokio::time::Instant::from_std(begun + self.first);
        let stalled = |waited: Duration| {
            let observed = format!("nothing came for {} seconds", waited.as_secs_f64());
            Fault::new(Trouble::Stalled, observed)
        };
        let mut options = self.options.clone();
        options.extra_headers = place.map(|place| ("traceparent", place.to_string()).into());
        let stream = self.client.exec_chat_stream(self.target(), request, Some(&options));
        let stream = tokio::time::timeout_at(first, stream).await.map_err(|_| stalled(self.first))?;
        let mut stream = stream.map_err(|error| self.fault(&error))?.stream;
        let (mut heard, mut limit, mut waited) = (Heard::default(), first, self.first);
        loop {
            let event = tokio::time::timeout_at(limit, stream.next()).await.map_err(|_| stalled(waited))?;
            let event = event.ok_or_else(|| Fault::new(Trouble::Broken, "its reply ended before its end marker"))?;
            let speaks = match event.map_err(|error| self.fault(&error))? {
                ChatStreamEvent::Chunk(chunk) => heard.words(&chunk.content, &mut *ear),
                ChatStreamEvent::ReasoningChunk(chunk) => heard.thought(&chunk.content),
                ChatStreamEvent::ToolCallChunk(chunk) => heard.call(&chunk.tool_call),
                ChatStreamEvent::End(end) if self.is_ended(&end) => return heard.reply(end, size),
                ChatStreamEvent::End(_) => {
                    return Err(Fault::new(Trouble::Broken, "its reply ended before its end marker"));
                }
                ChatStreamEvent::Start | ChatStreamEvent::Heartbeat | ChatStreamEvent::ThoughtSignatureChunk(_) => {
                    false
                }
            };
            if heard.size > MOST_BYTES {
                return Err(Fault::new(Trouble::Refused, format!("its reply is longer than {MOST_BYTES} bytes")));
            }
            if speaks {
                (limit, waited) = (tokio::time::Instant::now() + self.between, self.between);
            }
        }
    }
}

fn request(prompt: &Prompt) -> ChatRequest {
    let messages = prompt.said.iter().map(message).collect();
    let mut request = ChatRequest::new(messages).with_system(prompt.system.as_str());
    if !prompt.tools.is_empty() {
        request = request.with_tools(prompt.tools.iter().map(|card| {
            Tool::new(card.name.as_str()).with_description(&card.description).with_schema(card.parameters.clone())
        }));
    }
    request
}

fn message(said: &Said) -> ChatMessage {
    match said {
        Said::User { text } => ChatMessage::user(text.as_str()),
        Said::Model { text, calls } => {
            let text = Some(text).filter(|text| !text.is_empty()).map(|text| ContentPart::from_text(text.as_str()));
            let calls = calls.iter().map(|call| {
                ContentPart::ToolCall(ToolCall {
                    call_id: call.id.clone(),
                    fn_name: call.tool.clone(),
                    fn_arguments: call.arguments.clone(),
                    thought_signatures: Some(call.signatures.clone()).filter(|signatures| !signatures.is_empty()),
                })
            });
            ChatMessage::assistant(MessageContent::from_parts(text.into_iter().chain(calls).collect::<Vec<_>>()))
        }
        Said::Results { results } => {
            let results: Vec<ToolResponse> = results
                .iter()
                .map(|result| ToolResponse::new(&result.id, &result.text).with_fn_name(&result.tool))
                .collect();
            ChatMessage::from(results)
        }
    }
}
