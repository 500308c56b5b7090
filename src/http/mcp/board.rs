//! What is offered to clients of the protocol, and to whom.

use std::sync::Arc;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CompleteRequestParams, CompleteResult, GetPromptRequestParams,
    GetPromptResponse, Implementation, ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult,
    ListToolsResult, PaginatedRequestParams, ReadResourceRequestParams, ReadResourceResponse, ReadResourceResult,
    ServerCapabilities, ServerConfig, SubscribeRequestParams, UnsubscribeRequestParams,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};

use callboard_actors::protocol::{Code, Error, Principal, TraceParent};
use callboard_actors::runtime::Runtime;

use super::fixtures::Fixtures;
use super::{resources, tools};

type Context = RequestContext<RoleServer>;

/// What is offered. Cheap to clone: one for each session.
#[derive(Clone)]
pub struct Board {
    pub(super) runtime: Arc<Runtime>,
    /// The longest question, in bytes.
    pub(super) content: usize,
    fixtures: Option<&'static Fixtures>,
}

impl Board {
    /// What a runtime offers.
    pub fn new(runtime: Arc<Runtime>, content: usize, fixtures: bool) -> Self {
        Self { runtime, content, fixtures: fixtures.then(Fixtures::get).flatten() }
    }
}

/// Who makes a request: put there when it was handed over.
pub(super) fn caller(context: &Context) -> Result<Arc<Principal>, ErrorData> {
    let parts = context.extensions.get::<http::request::Parts>();
    let principal = parts.and_then(|parts| parts.extensions.get::<Arc<Principal>>()).cloned();
    principal.ok_or_else(|| ErrorData::internal_error("The caller is not known", None))
}

/// Where a request stands in a trace: by the field that the protocol reserves for it, or by its header.
pub(super) fn trace(context: &Context) -> Option<TraceParent> {
    let field = context.meta.0.get_traceparent();
    let parts = context.extensions.get::<http::request::Parts>();
    let header = parts.and_then(|parts| parts.headers.get("traceparent")?.to_str().ok());
    field.or(header).and_then(TraceParent::parse)
}

/// An error of ours in the protocol's own.
pub(super) fn refusal(error: &Error) -> ErrorData {
    match error.code {
        Code::ConversationNotFound | Code::ChannelNotFound => {
            ErrorData::resource_not_found(error.to_string(), Some(serde_json::json!({ "code": error.code })))
        }
        Code::InvalidMessage | Code::AgentNotFound => ErrorData::invalid_params(error.to_string(), None),
        _ => ErrorData::internal_error(error.to_string(), Some(serde_json::json!({ "code": error.code }))),
    }
}

// What only the fixtures use is deprecated in later versions of the protocol; the suite asks for it.
#[allow(deprecated)]
impl ServerHandler for Board {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder().enable_tools().enable_resources();
        let capabilities = match self.fixtures {
            None => capabilities.build(),
            Some(_) => {
                let more = capabilities.enable_prompts().enable_logging().enable_completions();
                more.enable_resources_subscribe().build()
            }
        };
        let about = Implementation::new("callboard", env!("CARGO_PKG_VERSION")).with_title("Callboard");
        ServerConfig::new(capabilities).with_server_info(about).with_instructions(
            "Each tool asks one of the agents of this server. Name a conversation_id to go on where you were; without \
             one a new conversation begins. Conversations and channels can be read as resources.",
        )
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        context: Context,
    ) -> Result<ListToolsResult, ErrorData> {
        let mut list = tools::list(self, &*caller(&context)?);
        list.extend(self.fixtures.iter().flat_map(|fixtures| fixtures.tools.iter().cloned()));
        Ok(ListToolsResult::with_all_items(list))
    }

    async fn call_tool(&self, call: CallToolRequestParams, context: Context) -> Result<CallToolResponse, ErrorData> {
        if let Some(fixtures) = self.fixtures
            && let Some(result) = fixtures.call(&call, &context).await
        {
            return result.map(Into::into);
        }
        tools::call(self, call, &context).await.map(Into::into)
    }

    async fn list_resources(
        &self,
        page: Option<PaginatedRequestParams>,
        context: Context,
    ) -> Result<ListResourcesResult, ErrorData> {
        let cursor = page.and_then(|page| page.cursor);
        let first = cursor.is_none();
        let mut list = resources::list(self, caller(&context)?, cursor).await?;
        if let Some(fixtures) = self.fixtures.filter(|_| first) {
            list.resources.extend(fixtures.resources.iter().cloned());
        }
        Ok(list)
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: Context,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let mut list = resources::templates();
        list.extend(self.fixtures.iter().flat_map(|fixtures| fixtures.templates.iter().cloned()));
        Ok(ListResourceTemplatesResult::with_all_items(list))
    }

    async fn read_resource(
        &self,
        read: ReadResourceRequestParams,
        context: Context,
    ) -> Result<ReadResourceResponse, ErrorData> {
        if let Some(contents) = self.fixtures.and_then(|fixtures| fixtures.read(&read.uri)) {
            return Ok(ReadResourceResult::new(vec![contents]).into());
        }
        resources::read(self, caller(&context)?, &read.uri).await.map(Into::into)
    }

    async fn subscribe(&self, request: SubscribeRequestParams, _: Context) -> Result<(), ErrorData> {
        self.watched(&request.uri)
    }

    async fn unsubscribe(&self, request: UnsubscribeRequestParams, _: Context) -> Result<(), ErrorData> {
        self.watched(&request.uri)
    }

    async fn set_level(&self, _: rmcp::model::SetLevelRequestParams, _: Context) -> Result<(), ErrorData> {
        self.fixtures.map(|_| ()).ok_or_else(ErrorData::method_not_found::<rmcp::model::SetLevelRequestMethod>)
    }

    async fn complete(&self, _: CompleteRequestParams, _: Context) -> Result<CompleteResult, ErrorData> {
        Ok(CompleteResult::default())
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: Context,
    ) -> Result<ListPromptsResult, ErrorData> {
        let list = self.fixtures.map(|fixtures| fixtures.prompts.clone()).unwrap_or_default();
        Ok(ListPromptsResult::with_all_items(list))
    }

    async fn get_prompt(&self, get: GetPromptRequestParams, _: Context) -> Result<GetPromptResponse, ErrorData> {
        let prompt = self.fixtures.and_then(|fixtures| fixtures.prompt(&get));
        prompt.map(Into::into).ok_or_else(|| ErrorData::invalid_params("There is no such prompt", None))
    }
}

impl Board {
    /// Nothing of the fixtures ever changes, so to be told of changes is to be told nothing.
    fn watched(&self, uri: &str) -> Result<(), ErrorData> {
        let known = self.fixtures.is_some_and(|fixtures| fixtures.read(uri).is_some());
        if known { Ok(()) } else { Err(ErrorData::invalid_params("This resource tells nobody of its changes", None)) }
    }
}
