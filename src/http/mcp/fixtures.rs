//! What the protocol's official conformance suite asks of a server besides what it is for: tools, resources and prompts
//! with fixed contents. Offered only with `debug.mcp_fixtures`, as `debug.echo` offers an echo to suites of WebSocket.

use std::collections::HashMap;
use std::sync::OnceLock;
use std::time::Duration;

use rmcp::model::{
    CallToolRequestParams, CallToolResult, ContentBlock, GetPromptRequestParams, GetPromptResult, Prompt,
    PromptMessage, Resource, ResourceContents, ResourceTemplate, ServerNotification, ServerRequest, Tool,
};
use rmcp::service::{RequestContext, ServiceError};
use rmcp::{ErrorData, RoleServer};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// All of it, as it stands in the file.
#[derive(Debug, Deserialize)]
pub struct Fixtures {
    pub tools: Vec<Tool>,
    /// What tools return.
    results: HashMap<String, Value>,
    /// What tools ask the client's user for.
    requests: HashMap<String, Value>,
    pub resources: Vec<Resource>,
    pub templates: Vec<ResourceTemplate>,
    contents: HashMap<String, ResourceContents>,
    pub prompts: Vec<Prompt>,
    messages: HashMap<String, Value>,
}

type Context = RequestContext<RoleServer>;

/// Between two notifications of one call, so that they come one by one.
const PAUSE: Duration = Duration::from_millis(50);

impl Fixtures {
    /// The fixtures.
    pub fn get() -> Option<&'static Self> {
        static FIXTURES: OnceLock<Option<Fixtures>> = OnceLock::new();
        FIXTURES.get_or_init(|| serde_json::from_str(include_str!("fixtures.json")).ok()).as_ref()
    }

    /// What a tool of the fixtures does; `None` if it is none of them.
    pub async fn call(
        &self,
        call: &CallToolRequestParams,
        context: &Context,
    ) -> Option<Result<CallToolResult, ErrorData>> {
        let name = call.name.as_ref();
        self.tools.iter().find(|tool| tool.name == name)?;
        let argument = |name: &str| call.arguments.as_ref().and_then(|map| map.get(name)?.as_str()).unwrap_or_default();
        let asked = match name {
            "test_tool_with_logging" => log(context).await.map(|()| None),
            "test_tool_with_progress" => progress(context).await.map(|()| None),
            "test_sampling" => sample(argument("prompt"), context).await.map(Some),
            _ => match self.requests.get(name) {
                Some(schema) => elicit(argument("message"), schema, context).await.map(Some),
                None => Ok(None),
            },
        };
        Some(match asked {
            Ok(Some(said)) => Ok(CallToolResult::success(vec![ContentBlock::text(said)])),
            Ok(None) => read(self.results.get(name).cloned().unwrap_or_default()),
            Err(error) => Ok(CallToolResult::error(vec![ContentBlock::text(error.to_string())])),
        })
    }

    /// What a resource holds.
    pub fn read(&self, uri: &str) -> Option<ResourceContents> {
        if let Some(contents) = self.contents.get(uri) {
            return Some(contents.clone());
        }
        let id = uri.strip_prefix("test://template/")?.strip_suffix("/data")?;
        let text = json!({ "id": id, "templateTest": true, "data": format!("Data for ID: {id}") }).to_string();
        Some(ResourceContents::text(text, uri).with_mime_type("application/json"))
    }

    /// A prompt with its arguments filled in.
    pub fn prompt(&self, get: &GetPromptRequestParams) -> Option<GetPromptResult> {
        let filled = filled(self.messages.get(&get.name)?, get.arguments.as_ref().unwrap_or(&Map::new()));
        let messages: Vec<PromptMessage> = serde_json::from_value(filled).ok()?;
        Some(GetPromptResult::new(messages))
    }
}

fn read<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, ErrorData> {
    serde_json::from_value(value).map_err(|error| ErrorData::internal_error(error.to_string(), None))
}

/// The same with `{name}` in its texts replaced by the arguments of these names.
fn filled(value: &Value, arguments: &Map<String, Value>) -> Value {
    match value {
        Value::String(text) => {
            let fill = |text: String, (name, value): (&String, &Value)| {
                text.replace(&format!("{{{name}}}"), value.as_str().unwrap_or_default())
            };
            Value::from(arguments.iter().fold(text.clone(), fill))
        }
        Value::Array(items) => items.iter().map(|item| filled(item, arguments)).collect(),
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), filled(value, arguments))).collect(),
        other => other.clone(),
    }
}

async fn notify(context: &Context, notification: Value) -> Result<(), ServiceError> {
    let notification: ServerNotification =
        serde_json::from_value(notification).map_err(|_| ServiceError::UnexpectedResponse)?;
    context.peer.send_notification(notification).await?;
    tokio::time::sleep(PAUSE).await;
    Ok(())
}

async fn log(context: &Context) -> Result<(), ServiceError> {
    for said in ["Tool execution started", "Tool processing data", "Tool execution completed"] {
        let params = json!({ "level": "info", "logger": "callboard", "data": said });
        notify(context, json!({ "method": "notifications/message", "params": params })).await?;
    }
    Ok(())
}

async fn progress(context: &Context) -> Result<(), ServiceError> {
    let Some(token) = context.meta.get_progress_token() else { return Ok(()) };
    for progress in [0, 50, 100] {
        let params = json!({ "progressToken": token, "progress": progress, "total": 100 });
        notify(context, json!({ "method": "notifications/progress", "params": params })).await?;
    }
    Ok(())
}

/// Asks the client something and returns its answer as it came.
async fn ask(context: &Context, request: Value) -> Result<Value, ServiceError> {
    let request: ServerRequest = serde_json::from_value(request).map_err(|_| ServiceError::UnexpectedResponse)?;
    let answer = context.peer.send_request(request).await?;
    serde_json::to_value(answer).map_err(|_| ServiceError::UnexpectedResponse)
}

async fn sample(prompt: &str, context: &Context) -> Result<String, ServiceError> {
    let messages = json!([{ "role": "user", "content": { "type": "text", "text": prompt } }]);
    let params = json!({ "messages": messages, "maxTokens": 100 });
    let answer = ask(context, json!({ "method": "sampling/createMessage", "params": params })).await?;
    Ok(format!("LLM response: {}", answer["content"]["text"].as_str().unwrap_or_default()))
}

async fn elicit(message: &str, schema: &Value, context: &Context) -> Result<String, ServiceError> {
    let message = if message.is_empty() { "Please fill this in" } else { message };
    let params = json!({ "message": message, "requestedSchema": schema });
    let answer = ask(context, json!({ "method": "elicitation/create", "params": params })).await?;
    let action = answer["action"].as_str().unwrap_or_default();
    Ok(format!("User response: action={action}, content={}", answer["content"]))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_fixtures_read_and_every_tool_does_something() {
        let fixtures = Fixtures::get().unwrap();
        for tool in &fixtures.tools {
            let name = tool.name.as_ref();
            let answers = fixtures.results.contains_key(name) || fixtures.requests.contains_key(name);
            assert!(answers || name == "test_sampling", "{name}");
        }
        let arguments = json!({ "arg1": "a", "arg2": "b" });
        let get = json!({ "name": "test_prompt_with_arguments", "arguments": arguments });
        let prompt = fixtures.prompt(&serde_json::from_value(get).unwrap()).unwrap();
        assert!(serde_json::to_string(&prompt).unwrap().contains("arg1='a', arg2='b'"));
    }
}
