//! Appending a message behind exactly the one that is known to be the last, or finding out why not.
//!
//! An append that is not answered may stand in the stream all the same. Then the stream's leader is asked what its last
//! message is: this very one, the one before it, or somebody else's.

use std::time::{Duration, Instant};

use async_nats::HeaderMap;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::publish::PublishAck;
use async_nats::jetstream::{self, ErrorCode};
use bytes::Bytes;

use super::link::Link;
use super::message::Message;

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
    /// Not known, or no room.
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
                Ok(_) if is_full(&error) => {
                    return Err(NotPut::Unavailable(format!("the log in NATS is full: {}", said(&error))));
                }
                _ => {}
            }
            if Instant::now() > deadline {
                return Err(NotPut::Unavailable(format!("NATS did not take a write: {}", said(&error))));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// The last message, asked of the stream's leader; `None` if there is none.
    pub async fn last(&self) -> Result<Option<Last>, String> {
        use jetstream::stream::LastRawMessageErrorKind::NoMessageFound;
        let found = match self.stream.get_last_raw_message_by_subject(&self.subject).await {
            Ok(found) => found,
            Err(error) if error.kind() == NoMessageFound => return Ok(None),
            Err(error) => return Err(error.to_string()),
        };
        let message = Message::decode(&found.payload).ok_or("the last message of the log is of an unknown kind")?;
        let id = found.headers.get(ID).map(ToString::to_string).unwrap_or_default();
        Ok(Some(Last { sequence: found.sequence, id, message }))
    }

    async fn publish(&self, behind: u64, id: &str, body: Bytes) -> Result<PublishAck, PublishError> {
        // What is written while NATS is away would be sent later, when nobody waits for it any more.
        if self.client.connection_state() != async_nats::connection::State::Connected {
            return Err(PublishErrorKind::BrokenPipe.into());
        }
        let mut headers = HeaderMap::new();
        headers.insert(ID, id);
        headers.insert("Nats-Expected-Last-Sequence", behind.to_string());
        self.context.publish_with_headers(self.subject.clone(), headers, body).await?.await
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
