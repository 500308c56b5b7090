//! Where WebSockets begin.

use actix_web::http::Method;

use super::Api;
use super::operation::{Operation, id, whole};

const TAG: &str = "sockets";

/// Describes these endpoints.
pub fn describe(api: &mut Api) {
    socket(api.on(TAG, Method::GET, "/ws", "openAgents", "Documents 000 and 002: tasks, and chat with agents"));
    socket(api.on(TAG, Method::GET, "/chat/{chat_id}", "openSteps", "Document 001: an agent's steps as they happen"));
    socket(api.on(TAG, Method::GET, "/chat/ws", "openThreads", "Document 004: threads and jobs")).guarded();
    channels(api, "/v1/ws", "openChannelsV1");
    channels(api, "/api/v1/ws", "openChannelsApiV1");
    let one = "/v1/ws/tenant/{tenant_id}/agent/{agent_id}/channel/{channel_id}";
    channel(api, one, "openChannelV1");
    let one = "/api/v1/ws/tenant/{tenant_id}/agent/{agent_id}/channel/{channel_id}";
    channel(api, one, "openChannelApiV1");
}

fn socket(operation: Operation<'_>) -> Operation<'_> {
    operation.silently(101, "From here on frames are exchanged.").refuses_also(&[400, 426, 503])
}

fn channels(api: &mut Api, path: &'static str, name: &str) {
    let summary = "Document 003: one channel, or direct messages alone";
    let operation = api.on(TAG, Method::GET, path, name, summary).query("channel_id", id(), "The channel.");
    since(socket(operation)).guarded();
}

fn channel(api: &mut Api, path: &'static str, name: &str) {
    let summary = "Document 003: the channel that the path names, as the credentials name it";
    since(socket(api.on(TAG, Method::GET, path, name, summary))).guarded();
}

fn since(operation: Operation<'_>) -> Operation<'_> {
    operation.query("since", whole(0, None), "Replays what came after this `seq`, then goes live.")
}
