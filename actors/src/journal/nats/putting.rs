//! Appending a message behind exactly the one that is known to be the last, or finding out why not.
//!
//! An append that is not answered may stand in the stream all the same. Then the stream's leader is asked what its last
//! message is: this very one, the one before it, or somebody else's.

use std::time::{Duration, Instant};

use async_nats::HeaderMap;
use async_nats::connection::State;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::publish::PublishAck;
use async_nats::jetstream::stream::LastRawMessageErrorKind;
use async_nats::jetstream::{self, ErrorCode};
use bytes::Bytes;

use super::link::Link;
use super::message::Message;
use crate::journal::log::LogError;

/// Where a message's id stands, by which JetStream knows one that is sent again.
const ID: &str = "Nats-Msg-Id";

/// How long to wait before an append is tried again.
const PAUSE: Duration = Duration::from_millis(100);

/// JetStream's words for having no room, which waiting alone does not make.
const FULL: [ErrorCode; 5] = [
    ErrorCode::STREAM_STORE_FAILED,
    ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM,
    ErrorCode::ACCOUNT_RESOURCES_EXCEEDED,
    ErrorCode::STORAGE_RESOURCES_EXCEEDED,
    ErrorCode::INSUFFICIENT_RESOURCES,
];

/// Why a message was not appended.
#[derive(Debug)]
pub(super) enum NotPut {
    /// Something else stands there.
    Overtaken(Last),
    /// There is no room.
    Full(String),
    /// Not known.
    Unavailable(String),
}

/// The last message of the stream.
#[derive(Debug)]
pub(super) struct Last {
    pub sequence: u64,
    pub id: String,
    pub message: Message,
}

impl Link {
    /// Appends a message behind the one at `behind`; answers where it stands. Tried until `patience` has passed.
    pub async fn put(&self, behind: u64, id: &str, body: Bytes, patience: Duration) -> Result<u64, NotPut> {
        let deadline = Instant::now() + patience;
        loop {
            let error = match self.publish(behind, id, body.clone()).await {
                Ok(ack) => return Ok(ack.sequence),
                Err(error) => error,
            };
            match self.last().await {
                Ok(Some(last)) if last.sequence > behind => {
                    return if last.id == id { Ok(last.sequence) } else { Err(NotPut::Overtaken(last)) };
                }
                Ok(_) if is_full(&error) => return Err(NotPut::Full(said(&error))),
                _ => {}
            }
            if Instant::now() > deadline {
                return Err(NotPut::Unavailable(format!("NATS did not take a write: {}", said(&error))));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// The last message of the log, asked of the stream's leader; `None` if there is none.
    pub async fn last(&self) -> Result<Option<Last>, String> {
        let Some(found) = self.last_of(&self.subject).await? else { return Ok(None) };
        let message = Message::decode(&found.payload).ok_or("the last message of the log is of an unknown kind")?;
        let id = found.headers.get(ID).map(ToString::to_string).unwrap_or_default();
        Ok(Some(Last { sequence: found.sequence, id, message }))
    }

    /// Whether the log goes on with segments that it never had.
    pub async fn begins_late(&self) -> Result<bool, LogError> {
        let first = self.stream.get_first_raw_message_by_subject(&self.subject, 1).await;
        let first = first.map_err(|error| LogError::Unavailable(error.to_string()))?;
        Ok(matches!(Message::decode(&first.payload), Some(Message::Term { next: 1.., .. })))
    }

    /// The last message of a subject, asked of the stream's leader.
    pub async fn last_of(&self, subject: &str) -> Result<Option<StreamMessage>, String> {
        match self.stream.get_last_raw_message_by_subject(subject).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Appends a message to a subject that nobody else writes to; answers where it stands. Tried until `patience` has
    /// passed.
    pub async fn add(&self, subject: &str, id: &str, body: Bytes, patience: Duration) -> Result<u64, String> {
        let deadline = Instant::now() + patience;
        loop {
            let mut headers = HeaderMap::new();
            headers.insert(ID, id);
            let error = match self.send(subject, headers, body.clone()).await {
                Ok(ack) => return Ok(ack.sequence),
                Err(error) => error,
            };
            if is_full(&error) || Instant::now() > deadline {
                return Err(said(&error));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn publish(&self, behind: u64, id: &str, body: Bytes) -> Result<PublishAck, PublishError> {
        let mut headers = HeaderMap::new();
        headers.insert(ID, id);
        headers.insert("Nats-Expected-Last-Subject-Sequence", behind.to_string());
        self.send(&self.subject, headers, body).await
    }

    async fn send(&self, subject: &str, headers: HeaderMap, body: Bytes) -> Result<PublishAck, PublishError> {
        // What is written while NATS is away would be sent later, when nobody waits for it any more.
        if self.client.connection_state() != State::Connected {
            return Err(PublishErrorKind::BrokenPipe.into());
        }
        self.context.publish_with_headers(subject.to_owned(), headers, body).await?.await
    }
}

fn refusal(error: &PublishError) -> Option<&jetstream::Error> {
    std::error::Error::source(error)?.downcast_ref()
}

fn is_full(error: &PublishError) -> bool {
    refusal(error).is_some_and(|refusal| FULL.contains(&refusal.error_code()))
}

fn said(error: &PublishError) -> String {
    match error.kind() {
        PublishErrorKind::BrokenPipe => "it is not connected".to_owned(),
        _ => refusal(error).map_or_else(|| error.to_string(), ToString::to_string),
    }
}
