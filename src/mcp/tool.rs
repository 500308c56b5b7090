//! A tool of a server, as the agents' brains know tools.

use std::sync::Arc;

use async_trait::async_trait;
use rmcp::RoleClient;
use rmcp::model::{
    CallToolRequest, CallToolRequestParams, CallToolResult, ClientRequest, ContentBlock, RequestMetaObject,
    ResourceContents, ServerResult,
};
use rmcp::service::{Peer, PeerRequestOptions, ServiceError};
use serde_json::Value;
use tokio::time::Instant;

use callboard_actors::protocol::{Code, Error, Result};
use callboard_actors::text::shortened;
use callboard_actors::tool::{Output, Scene, Tool};

use super::server::Server;

/// The longest name that models take.
const NAME: usize = 64;

/// The longest description that is passed on, in characters: it goes to a model with every question.
const DESCRIPTION: usize = 2000;

/// The largest schema, in bytes, for the same reason.
const SCHEMA: usize = 64 * 1024;

/// The longest result, in bytes: what a model can read at all, and little enough to keep in a run's record.
const RESULT: usize = 256 * 1024;

/// A tool of a server.
#[derive(Debug)]
pub struct McpTool {
    server: Arc<Server>,
    /// The server's name and the tool's, in what a tool's name may hold.
    name: String,
    /// What the server calls it.
    original: String,
    description: String,
    schema: Value,
}

impl McpTool {
    /// The tool that a server has told of.
    ///
    /// # Errors
    /// Why it cannot be used, as a sentence.
    pub fn new(server: &Arc<Server>, tool: &rmcp::model::Tool) -> std::result::Result<Self, String> {
        let fit = |c: char| if c.is_ascii_alphanumeric() || c == '_' || c == '-' { c } else { '_' };
        let name: String = format!("{}_{}", server.name(), tool.name).chars().map(fit).take(NAME).collect();
        let schema = Value::Object((*tool.input_schema).clone());
        if schema.to_string().len() > SCHEMA {
            return Err(format!("the schema of {name} has more than {SCHEMA} bytes"));
        }
        let description = tool.description.as_deref().or(tool.title.as_deref()).unwrap_or(&tool.name);
        let description = shortened(description.trim(), DESCRIPTION).trim_end_matches('.').to_owned();
        Ok(Self { server: server.clone(), name, original: tool.name.to_string(), description, schema })
    }

    /// The server it belongs to.
    pub fn server(&self) -> &str {
        self.server.name()
    }

    /// What its server calls it.
    pub fn original(&self) -> &str {
        &self.original
    }

    /// What agents call it.
    pub fn full_name(&self) -> &str {
        &self.name
    }

    /// Whether agents could not tell it from another.
    pub fn same_name(&self, other: &Self) -> bool {
        self.name == other.name
    }

    /// Calls it; the server is told when the call is given up.
    async fn use_it(&self, peer: &Peer<RoleClient>, arguments: Value, scene: &Scene) -> Result<CallToolResult> {
        let mut params = CallToolRequestParams::new(self.original.clone());
        params.arguments = arguments.as_object().cloned();
        let options = PeerRequestOptions::no_options();
        let options = match scene.trace.passed_on() {
            Some(place) => {
                let mut meta = RequestMetaObject::new();
                meta.0.set_traceparent(place.to_string());
                options.with_meta(meta)
            }
            None => options,
        };
        let request = ClientRequest::CallToolRequest(CallToolRequest::new(params));
        let mut call = peer.send_cancellable_request(request, options).await.map_err(|error| self.failed(&error))?;
        let own = Instant::now() + self.server.patience();
        let late = own.min(Instant::from_std(scene.deadline));
        let why = tokio::select! {
            answer = &mut call.rx => {
                let answer = answer.map_err(|_| self.gone())?.map_err(|error| self.failed(&error))?;
                return match answer {
                    ServerResult::CallToolResult(result) => Ok(result),
                    _ => Err(Error::new(Code::AgentFailed, format!("{} answered something else than a result", self.name))),
                };
            }
            () = scene.cancelled.cancelled() => Error::new(Code::Cancelled, "The work was cancelled"),
            () = tokio::time::sleep_until(late) => self.slow(late == own),
        };
        let _ = call.cancel(Some(why.message.clone())).await;
        Err(why)
    }

    /// It took longer than it may: an error of the tool, unless the run itself is over.
    fn slow(&self, own: bool) -> Error {
        if !own {
            return Error::new(Code::Timeout, "The work took longer than it may");
        }
        let seconds = self.server.patience().as_secs_f64();
        Error::new(Code::AgentFailed, format!("{} did not answer within {seconds} seconds", self.name))
    }

    fn gone(&self) -> Error {
        Error::new(Code::AgentFailed, format!("The server {} is not there at present", self.server.name()))
    }

    fn failed(&self, error: &ServiceError) -> Error {
        match error {
            ServiceError::McpError(error) => {
                let said = shortened(&error.message, 1000);
                let code = match error.code {
                    rmcp::model::ErrorCode::INVALID_PARAMS => Code::InvalidMessage,
                    _ => Code::AgentFailed,
                };
                Error::new(code, format!("{} failed: {said}", self.name))
            }
            // What went wrong on the way is for the log: it may hold addresses and paths.
            error => {
                log::warn!(target: "mcp", "{}: {error}", self.name);
                self.gone()
            }
        }
    }
}

#[async_trait]
impl Tool for McpTool {
    fn name(&self) -> &str {
        &self.name
    }

    fn description(&self) -> &str {
        &self.description
    }

    fn parameters(&self) -> Value {
        self.schema.clone()
    }

    async fn perform(self: Arc<Self>, arguments: Value, scene: Scene) -> Result<Output> {
        scene.check()?;
        let peer = self.server.peer().ok_or_else(|| self.gone())?;
        let result = self.use_it(&peer, arguments, &scene).await?;
        let text = text(&result.content);
        if result.is_error == Some(true) {
            return Err(Error::new(Code::AgentFailed, format!("{} failed: {}", self.name, shortened(&text, 2000))));
        }
        let data = result.structured_content.filter(|data| data.to_string().len() <= RESULT).unwrap_or_default();
        let text = match &data {
            data if text.is_empty() && !data.is_null() => data.to_string(),
            _ => text,
        };
        Ok(Output { text, data, ..Output::default() })
    }
}

/// What a result says, in one text; what is no text is named. Cut where it is longer than anybody reads.
fn text(content: &[ContentBlock]) -> String {
    let mut text = String::new();
    for block in content {
        let said = match block {
            ContentBlock::Text(said) => said.text.clone(),
            ContentBlock::Image(image) => {
                format!("[an image, {}, {} bytes in base64]", image.mime_type, image.data.len())
            }
            ContentBlock::Audio(sound) => {
                format!("[a sound, {}, {} bytes in base64]", sound.mime_type, sound.data.len())
            }
            ContentBlock::Resource(resource) => match &resource.resource {
                ResourceContents::TextResourceContents { text, .. } => text.clone(),
                ResourceContents::BlobResourceContents { uri, .. } => format!("[the resource {uri}]"),
                _ => "[a resource]".to_owned(),
            },
            ContentBlock::ResourceLink(link) => format!("[the resource {}]", link.uri),
            _ => "[something that is no text]".to_owned(),
        };
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&said);
        if text.len() > RESULT {
            let end = (0..=RESULT).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
            text.truncate(end);
            text.push_str("\n[cut here: the result was longer]");
            break;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_one_text_of_bounded_length() {
        let blocks = [ContentBlock::text("one"), ContentBlock::image("AAAA", "image/png"), ContentBlock::text("two")];
        assert_eq!(text(&blocks), "one\n[an image, image/png, 4 bytes in base64]\ntwo");
        let long = text(&[ContentBlock::text("ü".repeat(RESULT))]);
        assert!(long.len() < RESULT + 64 && long.ends_with("longer]"), "{}", long.len());
    }
}
