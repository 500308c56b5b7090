//! The way to a model's server, by the crate genai: the only file that knows it.
//!
//! What genai leaves open is settled here. A stream counts as ended only with the end marker of its protocol: for Gemini
//! and Ollama genai makes one up when the connection closes, so there the reason to stop must be told as well. Waiting
//! is bounded by what a model says, not by what keeps a connection warm. Errors are told without what the server said.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::StreamExt;
use genai::adapter::AdapterKind;
use genai::chat::{
    ChatMessage, ChatOptions, ChatRequest, ChatResponseFormat, ChatStreamEvent, ContentPart, JsonSpec, MessageContent,
    StopReason, StreamEnd, Tool, ToolCall, ToolResponse, Usage,
};
use genai::resolver::{AuthData, Endpoint};
use genai::{Client, ModelIden, ServiceTarget, WebConfig};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::fault::{Fault, Trouble};
use super::settings::{self, Settings, seconds};
use super::voice::{Call, Ear, Prompt, Reply, Said, Voice};
use crate::protocol::{Code, Error, Timestamp, Tokens, TraceParent};
use crate::text::shortened;

/// Bytes of one reply, words and arguments together. A message of a conversation may have a mebibyte with its steps.
const MOST_BYTES: usize = 256 * 1024;

/// Uses of tools that are read from one reply; what is done of them is decided elsewhere.
const MOST_CALLS: usize = 64;

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
        let client = Client::builder().with_web_config(web).build().map_err(|_| {
            Error::new(Code::InvalidMessage, "model: no client could be made for it; are there root certificates?")
        })?;
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
        told(error)
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

/// What came of a reply so far.
#[derive(Default)]
struct Heard {
    text: String,
    thought: String,
    size: usize,
}

impl Heard {
    fn words(&mut self, piece: &str, ear: Ear<'_>) -> bool {
        self.size += piece.len();
        self.text.push_str(piece);
        ear(piece);
        !piece.is_empty()
    }

    fn thought(&mut self, piece: &str) -> bool {
        self.size += piece.len();
        self.thought.push_str(piece);
        !piece.is_empty()
    }

    /// Chunks of a call repeat what came before; the whole stands in the end. Here they only show that it goes on.
    fn call(&mut self, call: &ToolCall) -> bool {
        let grown = call.fn_arguments.as_str().map_or(0, str::len);
        self.size = self.size.max(self.text.len() + self.thought.len() + grown);
        true
    }

    fn reply(self, end: StreamEnd, asked: usize) -> Result<Reply, Fault> {
        let cut = match &end.captured_stop_reason {
            Some(StopReason::MaxTokens(_)) => true,
            Some(StopReason::ContentFilter(_)) => {
                return Err(Fault::new(Trouble::Refused, "its provider withheld the reply"));
            }
            _ => false,
        };
        let usage = end.captured_usage.clone();
        let calls: Vec<Call> = calls(end.captured_into_tool_calls().unwrap_or_default());
        if self.text.trim().is_empty() && calls.is_empty() {
            return Err(Fault::new(Trouble::Broken, "its reply is empty"));
        }
        let said = self.size + calls.iter().map(|call| call.arguments.to_string().len()).sum::<usize>();
        let tokens = tokens(usage, asked, said);
        Ok(Reply { text: self.text, thought: self.thought, calls, tokens, cut })
    }
}

/// Calls with ids that are there and differ.
fn calls(calls: Vec<ToolCall>) -> Vec<Call> {
    let mut kept: Vec<Call> = Vec::new();
    for (call, number) in calls.into_iter().take(MOST_CALLS).zip(1..) {
        let ToolCall { call_id, fn_name, fn_arguments, thought_signatures } = call;
        let taken = call_id.is_empty() || kept.iter().any(|other| other.id == call_id);
        let id = if taken { format!("call_{number}") } else { call_id };
        kept.push(Call {
            id,
            tool: fn_name,
            arguments: fn_arguments,
            signatures: thought_signatures.unwrap_or_default(),
        });
    }
    kept
}

/// What the server counted, or an estimate of four bytes a token, so that budgets hold where it does not count.
fn tokens(usage: Option<Usage>, asked: usize, said: usize) -> Tokens {
    let counted = |count: Option<i32>| count.and_then(|count| u64::try_from(count).ok()).filter(|count| *count > 0);
    let estimate = |bytes: usize| (bytes as u64).div_ceil(4);
    let usage = usage.unwrap_or_default();
    Tokens {
        input: counted(usage.prompt_tokens).unwrap_or_else(|| estimate(asked)),
        output: counted(usage.completion_tokens).unwrap_or_else(|| estimate(said)),
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

/// An error without what the server said.
fn told(error: &genai::Error) -> Fault {
    let error = inner(error);
    if let Some(status) = error.status() {
        let reason = status.canonical_reason().unwrap_or("an error");
        let mut fault =
            Fault::new(Trouble::Status(status.as_u16()), format!("its server answered {} {reason}", status.as_u16()));
        fault.retry_after = error.headers().and_then(|headers| {
            let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
            wait(text("retry-after-ms"), text("retry-after"), Timestamp::now())
        });
        return fault;
    }
    match error {
        genai::Error::ChatResponse { .. } => {
            Fault::new(Trouble::Failed, "its server reported an error within the reply")
        }
        genai::Error::StreamParse { .. } | genai::Error::JsonValueExt(_) | genai::Error::SerdeJson(_) => {
            Fault::new(Trouble::Broken, "its reply makes no sense")
        }
        genai::Error::WebStream { error, .. } => match connection(&**error) {
            Some(std::io::ErrorKind::ConnectionRefused) => {
                Fault::new(Trouble::Unreachable, "its server refuses connections")
            }
            _ if never_connected(&**error) => Fault::new(Trouble::Unreachable, "its server cannot be reached"),
            Some(_) => Fault::new(Trouble::Broken, "the connection to its server broke off"),
            None => Fault::new(Trouble::Broken, "its reply broke off"),
        },
        _ => Fault::new(Trouble::Impossible, "the request could not be made"),
    }
}

/// A server's refusal arrives in the guise of a broken stream.
fn inner(error: &genai::Error) -> &genai::Error {
    match error {
        genai::Error::WebStream { error: cause, .. } => cause.downcast_ref::<genai::Error>().unwrap_or(error),
        other => other,
    }
}

/// What the operating system said of a connection, if that is what went wrong.
fn connection(error: &(dyn std::error::Error + 'static)) -> Option<std::io::ErrorKind> {
    causes(error).find_map(|cause| cause.downcast_ref::<std::io::Error>()).map(std::io::Error::kind)
}

/// Whether the chain of causes speaks of connecting: a name that is not known, or no answer in time.
fn never_connected(error: &(dyn std::error::Error + 'static)) -> bool {
    causes(error).any(|cause| {
        let text = cause.to_string();
        text.contains("connect error") || text.contains("dns error") || text.contains("client error (Connect)")
    })
}

fn causes<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    // A chain of causes is short; the bound is against one that goes in circles.
    std::iter::successors(Some(error), |cause: &&'a (dyn std::error::Error + 'static)| {
        let cause: &'a (dyn std::error::Error + 'static) = *cause;
        cause.source()
    })
    .take(16)
}

/// How long a server wants to be left alone: milliseconds, seconds, or a date of HTTP.
fn wait(milliseconds: Option<&str>, after: Option<&str>, now: Timestamp) -> Option<Duration> {
    if let Some(wait) = milliseconds.and_then(|text| text.trim().parse::<f64>().ok()) {
        return Duration::try_from_secs_f64(wait / 1000.0).ok();
    }
    let after = after?.trim();
    if let Ok(wait) = after.parse::<f64>() {
        return Duration::try_from_secs_f64(wait).ok();
    }
    let at = chrono::DateTime::parse_from_rfc2822(after).ok()?;
    Some(Duration::from_millis(Timestamp(at.timestamp_millis()).since(now)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_servers_wish_is_read_in_all_its_forms() {
        let now = Timestamp(1_000);
        assert_eq!(wait(None, Some("2"), now), Some(Duration::from_secs(2)));
        assert_eq!(wait(Some("1500"), Some("9"), now), Some(Duration::from_millis(1500)));
        assert_eq!(wait(None, Some("Thu, 01 Jan 1970 00:00:11 GMT"), now), Some(Duration::from_secs(10)));
        for odd in [None, Some("soon"), Some("-3"), Some("NaN")] {
            assert_eq!(wait(None, odd, now), None, "{odd:?}");
        }
    }

    #[test]
    fn calls_get_ids_that_differ() {
        let call = |id: &str| ToolCall {
            call_id: id.to_owned(),
            fn_name: "clock".to_owned(),
            fn_arguments: Value::Null,
            thought_signatures: None,
        };
        let ids: Vec<String> = calls(vec![call(""), call("a"), call("a")]).into_iter().map(|call| call.id).collect();
        assert_eq!(ids, ["call_1", "a", "call_3"]);
    }

    #[test]
    fn what_is_not_counted_is_estimated() {
        assert_eq!(tokens(None, 400, 5), Tokens { input: 100, output: 2 });
        let usage = Usage { prompt_tokens: Some(7), completion_tokens: Some(3), ..Usage::default() };
        assert_eq!(tokens(Some(usage), 400, 5), Tokens { input: 7, output: 3 });
    }
}
