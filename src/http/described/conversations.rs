//! What was said.

use actix_web::http::Method;
use serde_json::json;

use super::Api;
use super::bodies::TaskBody;
use super::operation::{id, whole};
use crate::dialect::steps::history::Entry;
use crate::http::agent_run;
use crate::http::conversations::{ConversationView, ConversationsView, MessagesView};
use crate::http::history::NEXT_BEFORE;

const TAG: &str = "conversations";

/// Describes these resources.
pub fn describe(api: &mut Api) {
    api.on(TAG, Method::GET, "/conversations", "listConversations", "The conversations that the caller may see")
        .query("after", id(), "`next_after` of the page before.")
        .limited()
        .answers::<ConversationsView<'static>>(200, "A page in the order of their ids.")
        .refuses_also(&[503]);
    api.on(TAG, Method::GET, "/conversations/{id}", "readConversation", "One conversation")
        .answers::<ConversationView<'static>>(200, "The conversation.")
        .refuses_also(&[400, 404, 503]);
    api.on(TAG, Method::GET, "/conversations/{id}/messages", "listMessages", "What was said in a conversation")
        .query("before", whole(1, None), "`next_before` of the page after.")
        .limited()
        .answers::<MessagesView<'static>>(200, "The last messages, or those before `before`, oldest first.")
        .refuses_also(&[404, 410, 503]);
    api.on(TAG, Method::GET, "/history/{chat_id}", "readHistory", "A chat as document 001 lists it")
        .says("Without `limit` all of it; an unknown chat is an empty list.")
        .query("before", whole(1, None), "Where the page before it began.")
        .limited()
        .answers::<Vec<Entry<'static>>>(200, "The entries, oldest first.")
        .header(200, NEXT_BEFORE, json!({ "type": "integer" }), "Where the next older page ends.")
        .refuses_also(&[410, 503]);
    api.on(TAG, Method::POST, "/agent/run", "runAgent", "Has an agent do a task of which nothing is stored")
        .takes::<TaskBody>()
        .answers::<Vec<agent_run::Entry<'static>>>(200, "Its steps and its answer.")
        .refuses_also(&[409, 422, 502, 503, 504]);
}
