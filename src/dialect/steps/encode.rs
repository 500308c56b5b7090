//! Document 001, to the client.

use std::sync::Arc;

use bytestring::ByteString;
use serde::Serialize;

use callboard_actors::protocol::{Code, ConversationId, Error, Event, Message, Run, Step};

use super::history::{Entry, FINAL_ANSWER, entries, step_type};
use crate::dialect::Asked;
use crate::dialect::frames::Frames;
use crate::dialect::view::{frame, sentence, text};

/// Every frame of the document but the history.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Frame<'a> {
    AgentStep { step_type: &'static str, message: &'a str, message_id: &'a str, chat_id: &'a str },
    MessageEnd { message_id: &'a str, chat_id: &'a str },
    AgentError(AgentError<'a>),
}

#[derive(Serialize)]
struct AgentError<'a> {
    error: std::borrow::Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_id: Option<&'a str>,
    chat_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(rename = "retryAfter", skip_serializing_if = "Option::is_none")]
    retry_after: Option<u32>,
}

#[derive(Serialize)]
struct ChatHistory<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    chat_id: &'a str,
    history: Vec<Entry<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_before: Option<u64>,
}

/// How an event is put on the wire for the one who asked.
pub fn reply(event: &Event, asked: &Asked, chat: &ConversationId) -> Frames {
    match event {
        Event::RunStep { run, step } => stepped(run, step),
        Event::RunAnswered { run, answer, .. } => answered(run, answer),
        Event::RunFailed { run, error, .. } => failed(run, error),
        Event::History { messages, next_before, .. } => history(chat, messages, *next_before),
        // What is refused for want of the chat and asked for no run was reading: nothing is known, the list is empty.
        Event::Refused { error } if asked.kind.is_none() && error.code == Code::ConversationNotFound => {
            history(chat, &[], None)
        }
        Event::Refused { error } => refused(asked.id.as_deref(), error, chat),
        Event::RunAccepted { .. }
        | Event::RunStarted { .. }
        | Event::RunDelta { .. }
        | Event::RunWaits { .. }
        | Event::ApprovalRequested { .. }
        | Event::ApprovalDecided { .. }
        | Event::MessageAdded { .. }
        | Event::Typing { .. }
        | Event::HandedOff { .. }
        | Event::Deleted { .. }
        | Event::AgentChanged { .. }
        | Event::MoodChanged { .. }
        | Event::MemoryChanged { .. }
        | Event::Presence { .. }
        | Event::Published { .. }
        | Event::DirectMessage { .. }
        | Event::ReplayPaused { .. }
        | Event::Joined { .. }
        | Event::Left { .. }
        | Event::Subscribed { .. }
        | Event::Unsubscribed { .. }
        | Event::PublishAcknowledged { .. }
        | Event::AgentReport { .. }
        | Event::HouseReport { .. }
        | Event::ChannelDescribed { .. }
        | Event::Noted => Frames::None,
    }
}

/// How an event is put on the wire for the other sockets of the chat.
pub fn member(event: &Event) -> Frames {
    match event {
        Event::RunStep { run, step } => stepped(run, step),
        Event::RunAnswered { run, answer, .. } => answered(run, answer),
        Event::RunFailed { run, error, .. } => failed(run, error),
        Event::RunAccepted { .. }
        | Event::RunStarted { .. }
        | Event::RunDelta { .. }
        | Event::RunWaits { .. }
        | Event::ApprovalRequested { .. }
        | Event::ApprovalDecided { .. }
        | Event::MessageAdded { .. }
        | Event::Typing { .. }
        | Event::HandedOff { .. }
        | Event::Deleted { .. }
        | Event::AgentChanged { .. }
        | Event::MoodChanged { .. }
        | Event::MemoryChanged { .. }
        | Event::Presence { .. }
        | Event::Published { .. }
        | Event::DirectMessage { .. }
        | Event::ReplayPaused { .. }
        | Event::Joined { .. }
        | Event::Left { .. }
        | Event::History { .. }
        | Event::Subscribed { .. }
        | Event::Unsubscribed { .. }
        | Event::PublishAcknowledged { .. }
        | Event::AgentReport { .. }
        | Event::HouseReport { .. }
        | Event::ChannelDescribed { .. }
        | Event::Noted
        | Event::Refused { .. } => Frames::None,
    }
}

/// What the frames of a run refer to: the id that its client gave it, or else that of the message that asked.
fn message_id(run: &Run) -> &str {
    run.request_id.as_deref().unwrap_or(run.asked_by.as_str())
}

fn step(run: &Run, step_type: &'static str, message: &str) -> ByteString {
    text(&Frame::AgentStep { step_type, message, message_id: message_id(run), chat_id: run.conversation.as_str() })
}

fn end(message_id: &str, chat: &ConversationId) -> ByteString {
    text(&Frame::MessageEnd { message_id, chat_id: chat.as_str() })
}

fn stepped(run: &Run, taken: &Step) -> Frames {
    step_type(taken).map_or(Frames::None, |kind| Frames::One(step(run, kind, &taken.content)))
}

/// Where several agents answer in turn, the last answer ends the message.
fn answered(run: &Run, answer: &Message) -> Frames {
    closing(run, step(run, FINAL_ANSWER, &answer.text()))
}

fn failed(run: &Run, error: &Error) -> Frames {
    closing(run, error_frame(Some(message_id(run)), error, &run.conversation))
}

fn closing(run: &Run, last: ByteString) -> Frames {
    if !run.turn.is_last() {
        return Frames::One(last);
    }
    Frames::Many(vec![last, end(message_id(run), &run.conversation)])
}

fn refused(id: Option<&str>, error: &Error, chat: &ConversationId) -> Frames {
    let said = error_frame(id, error, chat);
    match id {
        Some(id) => Frames::Many(vec![said, end(id, chat)]),
        None => Frames::One(said),
    }
}

/// The document's error is a sentence. A client that is to wait before it tries again is told so for programs as well.
fn error_frame(message_id: Option<&str>, error: &Error, chat: &ConversationId) -> ByteString {
    let retry_after = error.retry_after;
    let code = retry_after.map(|_| error.code.as_str());
    let error = AgentError { error: sentence(error), message_id, chat_id: chat.as_str(), code, retry_after };
    text(&Frame::AgentError(error))
}

fn history(chat: &ConversationId, messages: &[Arc<Message>], next_before: Option<u64>) -> Frames {
    let history = messages.iter().flat_map(|message| entries(message)).collect();
    frame(&ChatHistory { kind: "chat_history", chat_id: chat.as_str(), history, next_before })
}
