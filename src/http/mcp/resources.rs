//! Conversations and channels as resources: `callboard://conversations/{id}`, `callboard://channels/{id}`.
//!
//! What is read is what the HTTP resources of the same names hold, for the same callers: the latest page, or with
//! `?before=` (messages) and `?after=` (publications) another.

use std::sync::Arc;

use rmcp::ErrorData;
use rmcp::model::{ListResourcesResult, ReadResourceResult, Resource, ResourceContents, ResourceTemplate};
use serde_json::{Value, json};

use callboard_actors::archive::Archive;
use callboard_actors::protocol::{ChannelId, ConversationId, Error, Principal, Result, Scope};

use super::board::{Board, refusal};
use crate::dialect::view::{MessageView, PublicationView};

const CONVERSATIONS: &str = "callboard://conversations/";
const CHANNELS: &str = "callboard://channels/";

/// What a page of resources holds, and a page of messages: as much as HTTP gives at once without being asked for more.
const PAGE: usize = 50;

/// The kind of resource by which a cursor goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Conversation,
    Channel,
}

type Answer<T> = std::result::Result<T, ErrorData>;

/// How what is not listed is named.
pub fn templates() -> Vec<ResourceTemplate> {
    let template = |uri: &str, name: &str, about: &str| {
        let uri = format!("{uri}{{id}}");
        ResourceTemplate::new(uri, name).with_description(about).with_mime_type("application/json")
    };
    vec![
        template(CONVERSATIONS, "conversation", "The messages of a conversation"),
        template(CHANNELS, "channel", "The publications in a channel"),
    ]
}

/// A page of what the caller may see: conversations, then channels.
pub async fn list(board: &Board, caller: Arc<Principal>, cursor: Option<String>) -> Answer<ListResourcesResult> {
    let (kind, after) = match cursor.as_deref() {
        None => (Kind::Conversation, None),
        Some(cursor) => read_cursor(cursor).map_err(|error| refusal(&error))?,
    };
    let page = blocking(board, caller, move |archive, caller| match kind {
        Kind::Conversation => conversations(archive, caller, after.as_deref()),
        Kind::Channel => channels(archive, caller, after.as_deref()),
    });
    let (resources, next) = page.await?;
    let mut list = ListResourcesResult::with_all_items(resources);
    list.next_cursor = next;
    Ok(list)
}

type Page = (Vec<Resource>, Option<String>);

fn conversations(archive: &Archive<'_>, caller: &Principal, after: Option<&str>) -> Result<Page> {
    if !caller.scopes.has(Scope::Chat) {
        return channels(archive, caller, None);
    }
    let (page, next) = archive.conversations(after, PAGE)?;
    let resource = |id: &ConversationId, messages: u64| {
        let about = format!("A conversation of {messages} messages");
        Resource::new(format!("{CONVERSATIONS}{id}"), id.as_str())
            .with_description(about)
            .with_mime_type("application/json")
    };
    let resources = page.iter().map(|summary| resource(&summary.id, summary.messages)).collect();
    let next = next.map_or_else(|| "channels:".to_owned(), |next| format!("conversations:{next}"));
    Ok((resources, Some(next).filter(|_| caller.scopes.has(Scope::ChannelSubscribe))))
}

fn channels(archive: &Archive<'_>, caller: &Principal, after: Option<&str>) -> Result<Page> {
    if !caller.scopes.has(Scope::ChannelSubscribe) {
        return Ok((Vec::new(), None));
    }
    let (page, next) = archive.channels(after, PAGE)?;
    let resources = page.iter().map(|summary| {
        let about = summary.state.description.clone().unwrap_or_else(|| "A channel".to_owned());
        let name = summary.state.name.clone().unwrap_or_else(|| summary.id.to_string());
        Resource::new(format!("{CHANNELS}{}", summary.id), name)
            .with_description(about)
            .with_mime_type("application/json")
    });
    Ok((resources.collect(), next.map(|next| format!("channels:{next}"))))
}

fn read_cursor(cursor: &str) -> Result<(Kind, Option<String>)> {
    let (kind, after) = cursor.split_once(':').ok_or_else(|| Error::invalid("cursor", "one that was given"))?;
    let kind = match kind {
        "conversations" => Kind::Conversation,
        "channels" => Kind::Channel,
        _ => return Err(Error::invalid("cursor", "one that was given")),
    };
    Ok((kind, Some(after.to_owned()).filter(|after| !after.is_empty())))
}

/// What a resource holds.
pub async fn read(board: &Board, caller: Arc<Principal>, uri: &str) -> Answer<ReadResourceResult> {
    let wanted = uri.to_owned();
    let content = blocking(board, caller, move |archive, caller| content(archive, caller, &wanted)).await?;
    let contents = ResourceContents::text(content.to_string(), uri).with_mime_type("application/json");
    Ok(ReadResourceResult::new(vec![contents]))
}

fn content(archive: &Archive<'_>, caller: &Principal, uri: &str) -> Result<Value> {
    let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
    let number = |name: &str| -> Result<Option<u64>> {
        let Some((_, value)) = form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name) else {
            return Ok(None);
        };
        value.parse().map(Some).map_err(|_| Error::invalid(name, "a whole number from 0"))
    };
    if let Some(id) = path.strip_prefix(CONVERSATIONS) {
        caller.require(Scope::Chat)?;
        let id = ConversationId::parse("id", id)?;
        let (page, next) = archive.messages(&id, number("before")?, PAGE)?;
        return Ok(json!({ "id": id, "messages": MessageView::all(&page), "next_before": next }));
    }
    if let Some(id) = path.strip_prefix(CHANNELS) {
        caller.require(Scope::ChannelSubscribe)?;
        let id = ChannelId::parse("id", id)?;
        let (page, next) = archive.publications(&id, number("after")?.unwrap_or(0), PAGE)?;
        let views = page.iter().map(|publication| PublicationView::of(publication)).collect::<Vec<_>>();
        return Ok(json!({ "id": id, "messages": views, "next_after": next }));
    }
    let expected = format!("{CONVERSATIONS}<id> or {CHANNELS}<id>");
    Err(Error::new(callboard_actors::protocol::Code::ConversationNotFound, "There is no such resource")
        .with_details(format!("uri: expected {expected}")))
}

/// Reads the archive off the thread that serves requests.
async fn blocking<T: Send + 'static>(
    board: &Board,
    caller: Arc<Principal>,
    read: impl FnOnce(&Archive<'_>, &Principal) -> Result<T> + Send + 'static,
) -> Answer<T> {
    let journal = board.runtime.house().journal.clone();
    let work = move || read(&Archive::new(&*journal, &caller), &caller);
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map_err(|error| refusal(&error)),
        Err(_) => Err(ErrorData::internal_error("Reading the store failed unexpectedly", None)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_says_where_a_listing_goes_on() {
        assert_eq!(read_cursor("conversations:a:b").unwrap(), (Kind::Conversation, Some("a:b".into())));
        assert_eq!(read_cursor("channels:").unwrap(), (Kind::Channel, None));
        for bad in ["", "x", "agents:1"] {
            assert!(read_cursor(bad).is_err(), "{bad}");
        }
    }
}
