//! The connection to NATS, and the stream that holds the log.

use std::path::PathBuf;
use std::time::Duration;

use async_nats::jetstream::stream::{self, DiscardPolicy, StorageType};
use async_nats::jetstream::{self, ErrorCode, consumer, context};
use async_nats::{Client, ConnectErrorKind, ConnectOptions, Event};
use tokio::sync::mpsc;

use crate::journal::log::LogError;

/// The oldest NATS whose JetStream keeps what it acknowledged when all its servers are killed: 2.9 lost some of it.
const OLDEST: (u64, u64) = (2, 12);

/// How long NATS may take for an answer: far longer than it does, and short enough to try again within the patience of
/// those who wait.
const ANSWER: Duration = Duration::from_secs(2);

/// How often the connection is probed; a server that does not answer two probes is left for another.
const PROBE: Duration = Duration::from_secs(1);

/// How long a message's id is remembered, within which it may be sent again: longer than anybody tries.
const REMEMBERED: Duration = Duration::from_mins(10);

/// How long to wait before NATS is tried again.
const PAUSE: Duration = Duration::from_secs(1);

/// Which log, and how to reach it.
#[derive(Clone, Debug)]
pub struct Options {
    /// Addresses of NATS servers, `nats://` or `tls://`, at least one.
    pub servers: Vec<String>,
    /// Names the stream and the subjects: 1 to 32 of `A-Z a-z 0-9 _ -`.
    pub name: String,
    /// What this server is called in messages.
    pub node: String,
    /// Copies that JetStream keeps: 1, 3 or 5.
    pub replicas: usize,
    /// The most bytes of the log; past it, nothing is written any more.
    pub max_bytes: u64,
    /// How long the leader may be silent.
    pub silence: Duration,
    /// How long an append is tried.
    pub patience: Duration,
    /// A file with NATS credentials.
    pub credentials: Option<PathBuf>,
    /// The certificates that NATS servers are trusted by, as PEM; `None`: the system's.
    pub ca_file: Option<PathBuf>,
}

impl Options {
    /// The subject of the log.
    pub(super) fn log_subject(&self) -> String {
        format!("{}.log", self.name)
    }

    /// The subject of the pieces of copies.
    pub(super) fn copy_subject(&self) -> String {
        format!("{}.copy", self.name)
    }

    /// The subject of what says that a copy is whole.
    pub(super) fn copied_subject(&self) -> String {
        format!("{}.copied", self.name)
    }

    /// The subject of the leader's heartbeat.
    pub(super) fn beat_subject(&self) -> String {
        format!("{}.beat", self.name)
    }
}

/// The connection, and the stream.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub client: Client,
    pub context: jetstream::Context,
    pub stream: stream::Stream,
    /// Of the log.
    pub subject: String,
    /// Of the pieces of copies.
    pub copy: String,
    /// Of what says that a copy is whole.
    pub copied: String,
    /// Bytes that a message may have.
    pub room: usize,
}

impl Link {
    /// Connects, waiting for NATS as long as it takes, and makes the stream where it is missing. `events` is told what
    /// becomes of the connection.
    pub async fn open(options: &Options, events: mpsc::Sender<Event>) -> Result<Self, LogError> {
        let client = connect(options, events).await?;
        let info = client.server_info();
        check_version(&info.version)?;
        let context = context::ContextBuilder::new().timeout(ANSWER).ack_timeout(ANSWER).build(client.clone());
        let stream = make_stream(&context, options).await?;
        let (subject, copy, copied) = (options.log_subject(), options.copy_subject(), options.copied_subject());
        Ok(Self { client, context, stream, subject, copy, copied, room: info.max_payload })
    }

    /// What tells this stream from any other of its name: when it was made.
    pub fn lineage(&self) -> String {
        self.stream.cached_info().created.to_string()
    }

    /// The messages behind `position`, as they come.
    pub async fn tail(&self, position: u64) -> Result<consumer::pull::Ordered, String> {
        let config = consumer::pull::OrderedConfig {
            filter_subject: self.subject.clone(),
            deliver_policy: consumer::DeliverPolicy::ByStartSequence { start_sequence: position + 1 },
            ..Default::default()
        };
        let consumer = self.stream.create_consumer(config).await.map_err(|error| error.to_string())?;
        consumer.messages().await.map_err(|error| error.to_string())
    }
}

async fn connect(options: &Options, events: mpsc::Sender<Event>) -> Result<Client, LogError> {
    let mut told = false;
    loop {
        let events = events.clone();
        let mut how = ConnectOptions::new()
            .name(format!("callboard {}", options.node))
            .ping_interval(PROBE)
            .connection_timeout(ANSWER)
            .request_timeout(Some(ANSWER))
            .event_callback(move |event| {
                // Nobody listens once the log is dropped; and what is too much to tell is not told.
                let _ = events.try_send(event);
                async {}
            });
        if let Some(file) = &options.ca_file {
            how = how.add_root_certificates(file.clone());
        }
        if let Some(file) = &options.credentials {
            how = how.credentials_file(file).await.map_err(|error| {
                LogError::Unfit(format!("The credentials of NATS in {} cannot be read: {error}", file.display()))
            })?;
        }
        let error = match how.connect(&options.servers).await {
            Ok(client) => return Ok(client),
            Err(error) => error,
        };
        let kinds = [ConnectErrorKind::ServerParse, ConnectErrorKind::Authentication];
        if kinds.contains(&error.kind()) || error.kind() == ConnectErrorKind::AuthorizationViolation {
            return Err(LogError::Unfit(format!("NATS cannot be used: {error}")));
        }
        if !told {
            log::warn!("NATS cannot be reached: {error}; waiting for it");
            told = true;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn check_version(version: &str) -> Result<(), LogError> {
    let mut numbers = version.split(['.', '-']).map(|number| number.parse::<u64>().ok());
    let found = (numbers.next().flatten(), numbers.next().flatten());
    match found {
        (Some(major), Some(minor)) if (major, minor) >= OLDEST => Ok(()),
        _ => Err(LogError::Unfit(format!(
            "NATS has version {version}; {}.{} or newer is needed, since older ones may lose what they acknowledged",
            OLDEST.0, OLDEST.1
        ))),
    }
}

/// Makes the stream, or has an older one keep as many bytes and copies as the options say.
async fn make_stream(context: &jetstream::Context, options: &Options) -> Result<stream::Stream, LogError> {
    let config = stream::Config {
        name: options.name.clone(),
        description: Some("The journal of Callboard".to_owned()),
        subjects: vec![options.log_subject(), options.copy_subject(), options.copied_subject()],
        storage: StorageType::File,
        discard: DiscardPolicy::New,
        max_bytes: i64::try_from(options.max_bytes).unwrap_or(i64::MAX),
        num_replicas: options.replicas,
        duplicate_window: REMEMBERED,
        deny_delete: true,
        ..Default::default()
    };
    let mut told = false;
    loop {
        let made = match context.get_or_create_stream(config.clone()).await {
            Ok(stream) if fits(&stream.cached_info().config, &config) => return Ok(stream),
            Ok(_) => context.update_stream(config.clone()).await.map(|_| ()).map_err(|error| error.to_string()),
            Err(error) => match error.kind() {
                context::CreateStreamErrorKind::JetStream(refusal) if is_final(&refusal) => Err(refusal.to_string()),
                _ => {
                    if !told {
                        log::warn!("JetStream does not answer yet: {error}; waiting for it");
                        told = true;
                    }
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            },
        };
        made.map_err(|error| {
            LogError::Unfit(format!("JetStream refuses the stream {}, or to change it: {error}", options.name))
        })?;
    }
}

/// Whether JetStream would say the same again: its other refusals pass when all its servers are there.
fn is_final(refusal: &jetstream::Error) -> bool {
    let code = refusal.error_code();
    let passing = code == ErrorCode::CLUSTER_NO_PEERS;
    let lasting = [ErrorCode::STORAGE_RESOURCES_EXCEEDED, ErrorCode::STREAM_REPLICAS_NOT_SUPPORTED];
    !passing && (refusal.code() < 500 || lasting.contains(&code))
}

fn fits(found: &stream::Config, wanted: &stream::Config) -> bool {
    found.max_bytes == wanted.max_bytes && found.num_replicas == wanted.num_replicas
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_old_nats_is_refused_by_its_version() {
        for good in ["2.12.0", "2.15.1", "3.0.0-beta.1", "2.12.0-RC.1"] {
            check_version(good).unwrap();
        }
        for bad in ["2.9.10", "2.11.9", "1.4.0", "x"] {
            assert!(check_version(bad).unwrap_err().to_string().contains("2.12 or newer"));
        }
    }
}
