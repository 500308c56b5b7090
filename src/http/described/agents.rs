//! Who can be asked, and what they remember; the same as tools of the Model Context Protocol.

use actix_web::http::Method;
use serde_json::{Map, Value, json};

use super::Api;
use crate::http::agents::{AgentView, AgentsView};
use crate::http::memory::{MemoriesView, MemoryView};
use crate::http::query::MAX_WORDS;

/// Where a page of memories begins: the moment and the id of the last one before it.
const CURSOR: &str = "^[0-9]{1,15}\\.[A-Za-z0-9._:-]{1,100}$";

const TAG: &str = "agents";

/// Describes these resources.
pub fn describe(api: &mut Api) {
    api.on(TAG, Method::GET, "/agents", "listAgents", "Every agent of the tenant")
        .answers::<AgentsView<'static>>(200, "In the order of the configuration, those of other processes after them.")
        .refuses_also(&[]);
    api.on(TAG, Method::GET, "/agents/{id}", "readAgent", "One agent, by name or id")
        .answers::<AgentView<'static>>(200, "The agent.")
        .refuses_also(&[404]);
    api.on(
        TAG,
        Method::GET,
        "/agents/{id}/memory",
        "listMemories",
        "What an agent remembers, as far as the caller may know it",
    )
    .query("q", json!({ "type": "string" }), &format!("Words, at most {MAX_WORDS} bytes: what fits them, best first."))
    .query("after", json!({ "type": "string", "pattern": CURSOR }), "`next_after` of the page before.")
    .limited()
    .answers::<MemoriesView<'static>>(200, "What fits, or a page of all, newest first.")
    .refuses_also(&[404, 503]);
    api.on(TAG, Method::DELETE, "/agents/{id}/memory/{memory}", "forgetMemory", "Has an agent forget something")
        .answers::<MemoryView<'static>>(200, "What it was.")
        .refuses_also(&[400, 404, 503]);
    protocol(api);
}

/// The methods of `/mcp`; what is said there is that protocol's matter.
fn protocol(api: &mut Api) {
    let words = "The Model Context Protocol over streamable HTTP: each agent is a tool, `ask_<name>`, conversations and \
                 channels are resources. Clients of that protocol know how it is spoken.";
    let refusals = [400, 404, 405, 406, 409, 413, 415, 422, 503];
    api.on(TAG, Method::POST, "/mcp", "callMcp", "Sends a message of the Model Context Protocol")
        .says(words)
        .takes::<Map<String, Value>>()
        .answers::<Value>(200, "The reply, or a stream with it.")
        .gives::<String>(200, "text/event-stream", "The reply, or a stream with it.")
        .silently(202, "Taken; there is nothing to say.")
        .refuses_also(&refusals);
    api.on(TAG, Method::GET, "/mcp", "hearMcp", "Opens the stream of a session of the Model Context Protocol")
        .says(words)
        .gives::<String>(200, "text/event-stream", "The stream.")
        .refuses_also(&refusals);
    api.on(TAG, Method::DELETE, "/mcp", "endMcp", "Ends a session of the Model Context Protocol")
        .says(words)
        .silently(200, "It has ended.")
        .silently(202, "It ends.")
        .silently(204, "It has ended.")
        .refuses_also(&refusals);
}
