//! `GET /history/{chat_id}`: a chat as document 001 lists it, oldest first; an unknown one is an empty list.
//!
//! Without `limit` the whole chat, sent page by page so that it never has to be in memory at once. With it the last so
//! many messages, or those before `before`; the header `x-next-before` says where the next older page begins. A message
//! stays together with its steps.

use actix_web::{HttpResponse, web};
use bytes::Bytes;
use futures_util::stream;
use std::sync::Arc;

use callboard_actors::protocol::{Code, ConversationId, Error, Message, Result, Scope};

use super::app::App;
use super::caller::Caller;
use super::error::HttpError;
use super::query::Query;
use crate::dialect::steps::history::entries;

/// Messages read and sent at a time.
const PAGE: usize = 100;

/// Where the next older page begins.
pub const NEXT_BEFORE: &str = "x-next-before";

/// Answers the request.
pub async fn list(
    caller: Caller,
    app: web::Data<App>,
    path: web::Path<String>,
    query: Query,
) -> std::result::Result<HttpResponse, HttpError> {
    caller.require(Scope::Chat)?;
    let chat = ConversationId::parse("chat_id", &path)?;
    let before = query.number("before", 1..=u64::MAX)?;
    if query.has("limit") {
        return page(&caller, &app, chat, query.limit()?, before).await;
    }
    whole(caller, app, chat, before.unwrap_or(u64::MAX)).await
}

async fn page(
    caller: &Caller,
    app: &App,
    chat: ConversationId,
    limit: usize,
    before: Option<u64>,
) -> std::result::Result<HttpResponse, HttpError> {
    let read = caller.read(app, move |archive| or_empty(archive.messages(&chat, before, limit)));
    let (messages, next) = read.await?;
    let mut response = HttpResponse::Ok();
    if let Some(next) = next {
        response.insert_header((NEXT_BEFORE, next.to_string()));
    }
    let list: Vec<_> = messages.iter().flat_map(|message| entries(message)).collect();
    Ok(response.json(list))
}

/// What is still to be sent of a chat.
struct Rest {
    caller: Caller,
    app: web::Data<App>,
    chat: ConversationId,
    before: u64,
    /// Read and not sent.
    messages: Vec<Arc<Message>>,
    begun: bool,
}

async fn whole(
    caller: Caller,
    app: web::Data<App>,
    chat: ConversationId,
    before: u64,
) -> std::result::Result<HttpResponse, HttpError> {
    // The first page is read before anything is sent, so that what is wrong can still be said.
    let messages = read(&caller, &app, &chat, 0, before).await?;
    let rest = Rest { caller, app, chat, before, messages, begun: false };
    let body = stream::try_unfold(Some(rest), |rest| async {
        let Some(mut rest) = rest else { return Ok::<_, HttpError>(None) };
        let mut text = rest.written()?;
        let Some(last) = rest.messages.last().filter(|_| rest.messages.len() == PAGE) else {
            text.push(']');
            return Ok(Some((Bytes::from(text), None)));
        };
        rest.messages = read(&rest.caller, &rest.app, &rest.chat, last.seq, rest.before).await?;
        Ok(Some((Bytes::from(text), Some(rest))))
    });
    Ok(HttpResponse::Ok().content_type("application/json").streaming(Box::pin(body)))
}

impl Rest {
    /// The messages at hand as a part of the list.
    fn written(&mut self) -> std::result::Result<String, HttpError> {
        let mut text = String::new();
        for entry in self.messages.iter().flat_map(|message| entries(message)) {
            text.push(if self.begun { ',' } else { '[' });
            self.begun = true;
            let entry = serde_json::to_string(&entry).map_err(|_| Error::internal("A message could not be written"))?;
            text.push_str(&entry);
        }
        if !self.begun {
            self.begun = true;
            text.push('[');
        }
        Ok(text)
    }
}

async fn read(
    caller: &Caller,
    app: &App,
    chat: &ConversationId,
    after: u64,
    before: u64,
) -> std::result::Result<Vec<Arc<Message>>, HttpError> {
    let chat = chat.clone();
    let read = caller.read(app, move |archive| or_empty(archive.messages_after(&chat, after, PAGE)));
    let mut messages = read.await?;
    messages.retain(|message| message.seq < before);
    Ok(messages)
}

/// Of an unknown chat there is nothing to read.
fn or_empty<T: Default>(read: Result<T>) -> Result<T> {
    match read {
        Err(error) if error.code == Code::ConversationNotFound => Ok(T::default()),
        read => read,
    }
}
