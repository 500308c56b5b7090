//! The endpoint `/v1/ws`: document 003, publishing and direct messages between agents.
//!
//! Content and metadata are passed on as the client wrote them. What the server adds (tenant, agent, channel, time,
//! place) comes from the connection, whatever the frame says.

use bytestring::ByteString;
use serde::Serialize;

use callboard_actors::protocol::{
    AgentName, ChannelId, Command, Error, Event, Interest, MessageId, Publish, Result, Step, StepKind, Timestamp,
    ToolCall, TraceParent,
};

use super::fields::Fields;
use super::frames::Frames;
use super::view::{PublicationView, Rfc3339, frame};
use super::{Audience, Bounds, Call, Dialect, Inbound};

/// The longest type that a publisher may choose, in characters.
const MAX_TYPE: usize = 64;

/// Types that only the server sends: a publication must not pass for one of them.
const RESERVED: [&str; 3] = ["ack", "error", "presence"];

/// Names of the field that addresses one agent.
const TARGETS: [&str; 3] = ["target", "to", "target_agent_id"];

/// The dialect of `/v1/ws`.
#[derive(Debug)]
pub struct Channels {
    channel: Option<ChannelId>,
}

impl Channels {
    /// The dialect of a connection to `channel`; without one it only has direct messages.
    pub fn new(channel: Option<ChannelId>) -> Self {
        Self { channel }
    }

    fn inbound(&self, fields: &Fields<'_>, bounds: &Bounds) -> Result<Inbound> {
        let kind = fields.text("type")?.ok_or_else(|| fields.missing("type", "the type of the message"))?;
        let id = fields.id("id")?.map(|id| id.into_owned());
        let command = match &*kind {
            "ping" => return Ok(Inbound::Answer(Frames::One(ByteString::from_static(r#"{"type":"pong"}"#)))),
            "pong" => return Ok(Inbound::Silence),
            "heartbeat" => Command::Attend,
            "step" => Command::Report {
                of: MessageId::trusted(&*fields.required_id("reply_to")?),
                step: step(fields, bounds)?,
            },
            kind => self.addressed(kind, id.as_deref(), fields, bounds)?,
        };
        Ok(Inbound::Call(Call { id, command, interest: Interest::NOTHING }))
    }

    fn addressed(&self, kind: &str, id: Option<&str>, fields: &Fields<'_>, bounds: &Bounds) -> Result<Command> {
        let to = target(fields)?;
        let channel = self.channel.clone().filter(|_| to.is_none());
        let what = publication(kind, id, channel, fields, bounds, None)?;
        if to.is_none() && self.channel.is_none() && what.reply_to.is_none() {
            let expected = "an agent's name, as this connection has no channel; or connect with ?channel_id=";
            return Err(fields.missing("target", expected));
        }
        Ok(match to {
            Some(to) => Command::Direct { to, what },
            None => Command::Publish(what),
        })
    }
}

/// What the body of `POST /v1/channels/{id}/messages` comes to: a message without a type is a message. `trace` is where
/// the request stands in its trace.
pub fn published(
    channel: ChannelId,
    fields: &Fields<'_>,
    bounds: &Bounds,
    trace: Option<TraceParent>,
) -> Result<Command> {
    let kind = fields.text("type")?.unwrap_or("message".into());
    let id = fields.id("id")?;
    publication(&kind, id.as_deref(), Some(channel), fields, bounds, trace).map(Command::Publish)
}

fn publication(
    kind: &str,
    id: Option<&str>,
    channel: Option<ChannelId>,
    fields: &Fields<'_>,
    bounds: &Bounds,
    trace: Option<TraceParent>,
) -> Result<Publish> {
    check_type(kind, fields)?;
    let content = match fields.passed_on("content", bounds.content)? {
        Some(content) => content,
        None if kind == "message" => return Err(fields.missing("content", "what is sent: any JSON value")),
        None => "null",
    };
    Ok(Publish {
        channel,
        id: id.map(MessageId::trusted),
        kind: kind.to_owned(),
        content: content.to_owned(),
        metadata: metadata(fields, bounds, fields.trace().or(trace))?,
        reply_to: fields.id("reply_to")?.map(|id| MessageId::trusted(&*id)),
    })
}

fn check_type(kind: &str, fields: &Fields<'_>) -> Result<()> {
    let readable = kind.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-:".contains(&byte));
    if !readable || kind.is_empty() || kind.len() > MAX_TYPE {
        return Err(fields.invalid("type", &format!("1 to {MAX_TYPE} characters of A-Z a-z 0-9 . _ - :")));
    }
    if RESERVED.contains(&kind.to_ascii_lowercase().as_str()) {
        return Err(fields.invalid("type", "a type that is not the server's own; a message is of type message"));
    }
    Ok(())
}

fn target(fields: &Fields<'_>) -> Result<Option<AgentName>> {
    for name in TARGETS {
        if let Some(agent) = fields.id(name)? {
            return Ok(Some(AgentName::trusted(&*agent)));
        }
    }
    Ok(None)
}

/// What is passed on as metadata. A place in a trace goes there too, as it does when an agent is asked, unless the sender
/// has put one there.
fn metadata(fields: &Fields<'_>, bounds: &Bounds, trace: Option<TraceParent>) -> Result<Option<String>> {
    let metadata = fields.passed_on("metadata", bounds.content)?;
    let rest = match metadata {
        Some(text) => text.strip_prefix('{').ok_or_else(|| fields.invalid("metadata", "an object"))?,
        None => "}",
    };
    match trace {
        Some(place) if !fields.object("metadata")?.has("traceparent") => {
            let comma = if rest.trim_start().starts_with('}') { "" } else { "," };
            Ok(Some(format!("{{\"traceparent\":\"{place}\"{comma}{rest}")))
        }
        _ => Ok(metadata.map(str::to_owned)),
    }
}

/// What an agent reports of its work. `metadata` may say more of it: `stage` (`planning` or `action`), `importance`
/// (0 to 1), `tool`.
fn step(fields: &Fields<'_>, bounds: &Bounds) -> Result<Step> {
    let content = fields.content("content", bounds.content)?;
    let notes = fields.object("metadata")?;
    let tool = notes.note("tool", MAX_TYPE)?;
    let kind = match notes.text("stage")?.as_deref() {
        Some("action") => StepKind::Action,
        None if !tool.is_empty() => StepKind::Action,
        None | Some("planning") => StepKind::Planning,
        Some(_) => return Err(notes.invalid("stage", "planning or action")),
    };
    let importance = notes.fraction("importance")?.unwrap_or(0.5);
    let call =
        (!tool.is_empty()).then(|| ToolCall { tool, arguments: "{}".to_owned(), ok: true, ..ToolCall::default() });
    Ok(Step { call, ..Step::now(kind, content, importance) })
}

#[derive(Serialize)]
struct Ack<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_id: Option<&'a str>,
    timestamp: Rfc3339,
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
}

#[derive(Serialize)]
struct Failure<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    error: &'a str,
    code: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    details: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u32>,
    timestamp: Rfc3339,
}

fn ack(message_id: Option<&str>, seq: Option<u64>, at: Timestamp) -> Frames {
    frame(&Ack { kind: "ACK", message_id, timestamp: Rfc3339(at), seq })
}

fn failure(message_id: Option<&str>, error: &Error, at: Timestamp) -> Frames {
    let Error { code, message, details, retry_after, .. } = error;
    let (code, timestamp) = (code.as_str(), Rfc3339(at));
    frame(&Failure { kind: "ERROR", error: message, code, details, message_id, retry_after: *retry_after, timestamp })
}

impl Dialect for Channels {
    fn name(&self) -> &'static str {
        "channels"
    }

    fn slot(&self) -> usize {
        2
    }

    fn decode(&self, text: &str, bounds: &Bounds) -> std::result::Result<Inbound, (Option<String>, Error)> {
        let fields = Fields::of_frame(text).map_err(|error| (None, error))?;
        self.inbound(&fields, bounds).map_err(|error| (fields.own_id("id"), error))
    }

    fn id_of(&self, text: &str) -> Option<String> {
        Fields::of_frame(text).ok()?.own_id("id")
    }

    fn encode(&self, event: &Event, at: Timestamp, to: Audience<'_>) -> Frames {
        let asked = match to {
            Audience::Requester(asked) => Some(asked),
            Audience::Member => None,
            Audience::Subscriber => return Frames::None,
        };
        match (event, asked) {
            (Event::PublishAcknowledged { id, seq, at, .. }, Some(_)) => ack(Some(id.as_str()), Some(*seq), *at),
            (Event::Noted, Some(asked)) => ack(asked.id.as_deref(), None, at),
            (Event::Refused { error }, Some(asked)) => failure(asked.id.as_deref(), error, at),
            (Event::Published { publication } | Event::DirectMessage { publication }, None) => {
                frame(&PublicationView::of(publication))
            }
            (
                Event::RunAccepted { .. }
                | Event::RunStarted { .. }
                | Event::RunStep { .. }
                | Event::RunDelta { .. }
                | Event::RunAnswered { .. }
                | Event::RunFailed { .. }
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
                | Event::Refused { .. },
                _,
            ) => Frames::None,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use callboard_actors::protocol::Code;

    const BOUNDS: Bounds = Bounds { content: 1000, batch: 10 };

    fn connected() -> Channels {
        Channels::new(Some(ChannelId::trusted("news")))
    }

    fn command(dialect: &Channels, text: &str) -> Command {
        match dialect.decode(text, &BOUNDS).unwrap() {
            Inbound::Call(call) => call.command,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_message_goes_to_the_channel_of_the_connection_whatever_it_says() {
        let text = r#"{"id":"m1","type":"message","content":{"a":[1,2.50]},"channel_id":"other","tenant_id":"t",
            "agent_id":"mallory","timestamp":"1999","seq":7,"metadata":{"k":"v"}}"#;
        let Command::Publish(what) = command(&connected(), text) else { panic!() };
        assert_eq!(what.channel, Some(ChannelId::trusted("news")));
        assert_eq!(what.content, r#"{"a":[1,2.50]}"#);
        assert_eq!(what.metadata.as_deref(), Some(r#"{"k":"v"}"#));
        assert_eq!((what.kind.as_str(), what.id), ("message", Some(MessageId::trusted("m1"))));
    }

    #[test]
    fn a_target_makes_a_direct_message() {
        for name in TARGETS {
            let text = format!(r#"{{"type":"message","content":"x","{name}":"bob"}}"#);
            for dialect in [connected(), Channels::new(None)] {
                let Command::Direct { to, what } = command(&dialect, &text) else { panic!() };
                assert_eq!((to.as_str(), what.channel), ("bob", None));
            }
        }
    }

    #[test]
    fn a_place_in_a_trace_is_passed_on_in_the_metadata() {
        const PLACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let whole = |metadata: &str, place: &str| {
            let text = format!(r#"{{"type":"message","content":1,"traceparent":"{place}"{metadata}}}"#);
            let Command::Publish(what) = command(&connected(), &text) else { panic!() };
            what.metadata
        };
        let place = format!(r#""traceparent":"{PLACE}""#);
        assert_eq!(whole("", PLACE), Some(format!("{{{place}}}")));
        assert_eq!(whole(r#","metadata":{ }"#, PLACE), Some(format!("{{{place} }}")));
        assert_eq!(whole(r#","metadata":{"k":1.50}"#, PLACE), Some(format!(r#"{{{place},"k":1.50}}"#)));
        let own = r#"{"traceparent":"my own"}"#;
        assert_eq!(whole(&format!(r#","metadata":{own}"#), PLACE).as_deref(), Some(own));
        assert_eq!(whole("", "no place"), None, "what is none counts as absent");
    }

    #[test]
    fn what_is_wrong_is_said_with_the_id() {
        for (text, says) in [
            (r#"{"id":"m1","type":"message","content":"x"}"#, "target"),
            (r#"{"id":"m1","type":"message"}"#, "content"),
            (r#"{"id":"m1","content":"x"}"#, "type"),
            (r#"{"id":"m1","type":"ACK","content":"x"}"#, "type"),
            (r#"{"id":"m1","type":"a b","content":"x"}"#, "type"),
            (r#"{"id":"m1","type":"message","content":"x","metadata":[1]}"#, "metadata"),
            (r#"{"id":"m1","type":"message","content":"x","target":7}"#, "target"),
            (r#"{"id":"m1","type":"step","content":"x"}"#, "reply_to"),
            (r#"{"id":"m1","type":"step","reply_to":"r","content":"x","metadata":{"stage":"x"}}"#, "metadata.stage"),
        ] {
            let (id, error) = Channels::new(None).decode(text, &BOUNDS).unwrap_err();
            assert_eq!((id.as_deref(), error.code), (Some("m1"), Code::InvalidMessage), "{text}");
            assert!(error.details.contains(says), "{text}: {error}");
        }
        assert!(Channels::new(None).decode("[]", &BOUNDS).is_err());
    }

    #[test]
    fn a_step_says_what_it_is() {
        let text = r#"{"type":"step","reply_to":"run-1-1-1","content":"looking","metadata":{"tool":"grep"}}"#;
        let Command::Report { of, step } = command(&connected(), text) else { panic!() };
        assert_eq!((of.as_str(), step.kind), ("run-1-1-1", StepKind::Action));
        assert_eq!(step.call.unwrap().tool, "grep");
    }

    #[test]
    fn acknowledgements_and_errors_are_those_of_the_document() {
        let asked = super::super::Asked { id: Some("m1".into()), ..Default::default() };
        let at = Timestamp(1_688_212_800_000);
        let event = Event::PublishAcknowledged { channel: None, id: MessageId::trusted("m1"), seq: 3, at };
        let said = |event: &Event| {
            let frames = connected().encode(event, at, Audience::Requester(&asked));
            frames.as_slice().iter().map(ToString::to_string).collect::<String>()
        };
        assert_eq!(said(&event), r#"{"type":"ACK","message_id":"m1","timestamp":"2023-07-01T12:00:00.000Z","seq":3}"#);
        assert_eq!(said(&Event::Noted), r#"{"type":"ACK","message_id":"m1","timestamp":"2023-07-01T12:00:00.000Z"}"#);
        let error = Error::missing("content", "text");
        assert_eq!(
            said(&Event::Refused { error }),
            r#"{"type":"ERROR","error":"Missing required field: content","code":"INVALID_MESSAGE","details":"Missing required field: content (expected text)","message_id":"m1","timestamp":"2023-07-01T12:00:00.000Z"}"#
        );
    }
}
