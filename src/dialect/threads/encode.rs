//! Document 004, to the client.

use std::borrow::Cow;

use bytestring::ByteString;
use serde::Serialize;

use callboard_actors::protocol::{Code, ConversationId, Error, Event, Message, MessageId, Role, Run, RunId, Timestamp};

use crate::dialect::Asked;
use crate::dialect::frames::Frames;
use crate::dialect::view::{Rfc3339, frame, sentence, text};

/// Every frame of the document but errors.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Frame<'a> {
    Message(Part<'a>),
    HistoryEnd { thread_id: &'a ConversationId, count: u64 },
    MessageReceived { id: &'a MessageId, thread_id: &'a ConversationId, job_id: &'a RunId },
    ThreadDeleted { thread_id: &'a ConversationId },
}

/// A message, or a piece of one.
#[derive(Serialize)]
struct Part<'a> {
    id: &'a MessageId,
    thread_id: &'a ConversationId,
    role: &'static str,
    content: Cow<'a, str>,
    created_at: Rfc3339,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
}

#[derive(Serialize)]
struct Refusal<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    message: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    job_id: Option<&'a RunId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(rename = "retryAfter", skip_serializing_if = "Option::is_none")]
    retry_after: Option<u32>,
}

/// How an event is put on the wire for the one who asked.
pub fn reply(event: &Event, asked: &Asked, at: Timestamp) -> Frames {
    match event {
        Event::RunAccepted { run, question } => {
            frame(&Frame::MessageReceived { id: &question.id, thread_id: &run.conversation, job_id: &run.id })
        }
        Event::RunDelta { run, delta, .. } => piece(run, delta, at),
        Event::RunAnswered { answer, .. } if asked.stream => last_piece(answer),
        Event::RunAnswered { answer, .. } => Frames::One(whole(answer)),
        Event::RunFailed { run, error, .. } => refused(Some(&run.id), error),
        Event::History { conversation, messages, resume, .. } => {
            let mut frames: Vec<ByteString> = messages.iter().map(|message| whole(message)).collect();
            if resume.is_none() {
                // Messages are counted from 1 without holes, and the first page began with the first of them.
                let count = messages.last().map_or(0, |last| last.seq);
                frames.push(text(&Frame::HistoryEnd { thread_id: conversation, count }));
            }
            Frames::Many(frames)
        }
        Event::Deleted { conversation } => frame(&Frame::ThreadDeleted { thread_id: conversation }),
        Event::Refused { error } => refused(None, error),
        Event::RunStarted { .. }
        | Event::RunStep { .. }
        | Event::RunWaits { .. }
        | Event::ApprovalRequested { .. }
        | Event::ApprovalDecided { .. }
        | Event::MessageAdded { .. }
        | Event::Typing { .. }
        | Event::HandedOff { .. }
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

/// How an event is put on the wire for others who have the thread open.
pub fn member(event: &Event) -> Frames {
    match event {
        Event::MessageAdded { message } => Frames::One(whole(message)),
        Event::Deleted { conversation } => frame(&Frame::ThreadDeleted { thread_id: conversation }),
        Event::RunAccepted { .. }
        | Event::RunStarted { .. }
        | Event::RunStep { .. }
        | Event::RunDelta { .. }
        | Event::RunAnswered { .. }
        | Event::RunFailed { .. }
        | Event::RunWaits { .. }
        | Event::ApprovalRequested { .. }
        | Event::ApprovalDecided { .. }
        | Event::Typing { .. }
        | Event::HandedOff { .. }
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

fn part<'a>(message: &'a Message, content: Cow<'a, str>, status: Option<&'static str>) -> Part<'a> {
    Part {
        id: &message.id,
        thread_id: &message.conversation,
        role: message.role.as_str(),
        content,
        created_at: Rfc3339(message.created_at),
        status,
    }
}

fn whole(message: &Message) -> ByteString {
    text(&Frame::Message(part(message, message.text(), None)))
}

/// A piece of an answer bears the id that the answer will have.
fn piece(run: &Run, delta: &str, at: Timestamp) -> Frames {
    frame(&Frame::Message(Part {
        id: &run.answer_id(),
        thread_id: &run.conversation,
        role: Role::Assistant.as_str(),
        content: delta.into(),
        created_at: Rfc3339(at),
        status: Some("streaming"),
    }))
}

/// The pieces before it joined are the answer, so the last one has nothing left to say but that it is durable.
fn last_piece(answer: &Message) -> Frames {
    frame(&Frame::Message(part(answer, Cow::Borrowed(""), Some("complete"))))
}

/// The document's error is a sentence. A client that is to wait before it tries again is told so for programs as well.
fn refused(job_id: Option<&RunId>, error: &Error) -> Frames {
    let message = match error.code {
        Code::AgentNotFound => "Agent not found".into(),
        Code::ConversationNotFound => "Thread not found".into(),
        Code::InvalidMessage
        | Code::ChannelNotFound
        | Code::RunNotFound
        | Code::Unauthorized
        | Code::RateLimitExceeded
        | Code::QueueFull
        | Code::Timeout
        | Code::Cancelled
        | Code::Interrupted
        | Code::AgentFailed
        | Code::Unavailable
        | Code::StoreUnavailable
        | Code::InternalError
        | Code::Rejected
        | Code::CursorExpired => sentence(error),
    };
    let code = error.retry_after.map(|_| error.code.as_str());
    frame(&Refusal { kind: "error", message, job_id, code, retry_after: error.retry_after })
}
