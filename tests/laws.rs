//! Laws of the dialects: what was encoded decodes to what it was, and whatever comes is a request or an error.
#![allow(clippy::unwrap_used, clippy::panic)]

use callboard::dialect::agents::Agents;
use callboard::dialect::channels::Channels;
use callboard::dialect::steps::Steps;
use callboard::dialect::threads::Threads;
use callboard::dialect::{Audience, Bounds, Call, Dialect, Inbound};
use callboard_actors::protocol::*;
use proptest::option::of;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

const BOUNDS: Bounds = Bounds { content: 4096, batch: 10 };

fn own() -> ConversationId {
    ConversationId::trusted("own")
}

fn dialects() -> [Box<dyn Dialect>; 5] {
    [
        Box::new(Agents::new(own())),
        Box::new(Steps::new(own())),
        Box::new(Channels::new(Some(ChannelId::trusted("news")))),
        Box::new(Channels::new(None)),
        Box::new(Threads::new()),
    ]
}

fn id() -> impl Strategy<Value = String> {
    "[A-Za-z0-9._:-]{1,128}"
}

/// What somebody says: not blank.
fn said() -> impl Strategy<Value = String> {
    prop_oneof!["\\PC{1,60}", "[ -~\\n\\t\"\\\\/\\u{feff}\\u{202e}\\u{2028}ß😀]{1,200}"]
        .prop_filter("not blank", |text| !text.trim().is_empty())
}

/// Any JSON, not null, no deeper than is passed on.
fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        "\\PC{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec(("\\PC{0,8}", inner), 0..5).prop_map(|pairs| Value::from(Map::from_iter(pairs))),
        ]
    })
}

fn object() -> impl Strategy<Value = Value> {
    prop::collection::vec(("\\PC{0,8}", json_value()), 0..5).prop_map(|pairs| Value::from(Map::from_iter(pairs)))
}

/// A frame with the fields that are there.
fn frame(fields: impl IntoIterator<Item = (&'static str, Option<Value>)>) -> Value {
    fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect::<Map<_, _>>().into()
}

fn call(dialect: &dyn Dialect, frame: &Value) -> Call {
    match dialect.decode(&frame.to_string(), &BOUNDS) {
        Ok(Inbound::Call(call)) => call,
        other => panic!("{frame}: {other:?}"),
    }
}

fn publication() -> impl Strategy<Value = Publication> {
    let (content, metadata) = (json_value(), of(object()));
    (id(), of(id()), content, metadata, of(id()), 1..u64::MAX, 0..4_000_000_000_000_i64).prop_map(
        |(id, agent, content, metadata, reply_to, seq, at)| Publication {
            id: MessageId::trusted(id),
            tenant: TenantId::trusted("t"),
            channel: Some(ChannelId::trusted("news")),
            seq,
            agent: agent.map(AgentName::trusted),
            subject: Subject::trusted("s"),
            kind: "message".to_owned(),
            content: content.to_string(),
            metadata: metadata.map(|metadata| metadata.to_string()),
            reply_to: reply_to.map(MessageId::trusted),
            created_at: Timestamp(at),
        },
    )
}

proptest! {
    /// Document 003 says the same to the client as the client to the server: a publication that is sent back is the
    /// publication that was received, and what the server adds is taken from nobody.
    #[test]
    fn a_publication_decodes_as_it_was_encoded(publication in publication()) {
        let dialect = Channels::new(publication.channel.clone());
        let publication = std::sync::Arc::new(publication);
        let event = Event::Published { publication: publication.clone() };
        let frames = dialect.encode(&event, publication.created_at, Audience::Member);
        let [frame] = frames.as_slice() else { panic!("{frames:?}") };
        let Ok(Inbound::Call(Call { command: Command::Publish(what), .. })) = dialect.decode(frame, &BOUNDS) else {
            panic!("{frame}")
        };
        prop_assert_eq!(what, Publish {
            channel: publication.channel.clone(),
            id: Some(publication.id.clone()),
            kind: publication.kind.clone(),
            content: publication.content.clone(),
            metadata: publication.metadata.clone(),
            reply_to: publication.reply_to.clone(),
        });
        let read: Value = serde_json::from_str(frame).unwrap();
        prop_assert_eq!(&read["seq"], &json!(publication.seq));
        prop_assert_eq!(&read["agent_id"], &json!(publication.agent));
    }

    /// Document 002: what is asked arrives as it was said, whatever is in it.
    #[test]
    fn a_chat_and_a_command_decode_as_they_were_said(
        id in of(id()), text in said(), conversation in of(id()), agent in of(id()), stream: bool,
        parameters in object(), priority in 0..4_usize,
    ) {
        let priority = Priority::ALL[priority];
        let common = |kind: &'static str, data: Value| frame([
            ("type", Some(json!(kind))),
            ("id", id.clone().map(Value::from)),
            ("targetAgent", agent.clone().map(Value::from)),
            ("priority", Some(json!(format!("{priority:?}").to_lowercase()))),
            ("data", Some(data)),
        ]);
        let expected = Ask {
            conversation: conversation.clone().map_or_else(own, ConversationId::trusted),
            agent: agent.clone().map(AgentName::trusted),
            content: text.clone(),
            parameters: Value::Null,
            kind: RunKind::Chat,
            priority,
            stream,
            serial: false,
            request_id: id.clone(),
            private: false,
            context: Vec::new(),
            trace: None,
        };
        let dialect = Agents::new(own());
        let conversation = conversation.clone().map(Value::from);
        let data = frame([("message", Some(json!(text))), ("stream", Some(json!(stream))), ("conversationId", conversation.clone())]);
        let chat = call(&dialect, &common("chat", data));
        prop_assert_eq!((chat.id.clone(), chat.command), (id.clone(), Command::Ask(expected.clone())));
        let data = frame([("instruction", Some(json!(text))), ("parameters", Some(parameters.clone())), ("conversationId", conversation)]);
        let command = call(&dialect, &common("command", data));
        let expected = Ask { kind: RunKind::Command, parameters, stream: false, ..expected };
        prop_assert_eq!(command.command, Command::Ask(expected));
    }

    /// Documents 000, 001 and 004 likewise.
    #[test]
    fn a_task_a_question_and_a_threads_message_decode_as_they_were_said(text in said(), id in id(), thread: u128, stream: bool) {
        let task = call(&Agents::new(own()), &json!({ "type": "task", "id": id, "content": text }));
        let Command::Ask(task) = task.command else { panic!() };
        prop_assert_eq!((&task.content, task.kind, &task.conversation), (&text, RunKind::Task, &own()));
        let question = call(&Steps::new(own()), &json!({ "type": "client", "message": text, "message_id": id }));
        prop_assert_eq!(question.id.as_ref(), Some(&id));
        let Command::Ask(question) = question.command else { panic!() };
        prop_assert_eq!((&question.content, &question.conversation), (&text, &own()));
        let thread = uuid::Uuid::from_u128(thread).to_string();
        let said = json!({ "type": "message", "thread_id": thread, "content": text, "stream": stream });
        let Command::Ask(said) = call(&Threads::new(), &said).command else { panic!() };
        prop_assert_eq!((said.content, said.conversation.as_str(), said.stream), (text, &*thread, stream));
    }

    /// Every error that a dialect can be told of is one frame of JSON that says so, whatever is in it.
    #[test]
    fn an_error_is_a_frame_in_every_dialect(says in said(), at in 0..4_000_000_000_000_i64) {
        for dialect in dialects() {
            let error = Error::new(Code::InvalidMessage, says.clone());
            let asked = callboard::dialect::Asked { id: Some("r".to_owned()), ..Default::default() };
            let frames = dialect.encode(&Event::Refused { error }, Timestamp(at), Audience::Requester(&asked));
            let [frame, ..] = frames.as_slice() else { panic!("{}: nothing is said", dialect.name()) };
            let frame: Value = serde_json::from_str(frame).unwrap();
            prop_assert!(frame.is_object() && frame.to_string().contains(&json!(says).to_string()), "{frame}");
        }
    }

    #[test]
    fn whatever_comes_is_a_request_or_an_error(text in prop_oneof![".*", "[\\{\\}\\[\\],:\"a-z0-9\\\\]{0,80}"]) {
        for dialect in dialects() {
            let _ = dialect.decode(&text, &BOUNDS);
        }
    }

    /// Frames of every type with fields of every kind.
    #[test]
    fn whatever_the_fields_hold_is_a_request_or_an_error(
        kind in prop::sample::select(&TYPES[..]),
        fields in prop::collection::vec((prop::sample::select(&FIELDS[..]), json_value()), 0..8),
        data in prop::collection::vec((prop::sample::select(&FIELDS[..]), json_value()), 0..8),
    ) {
        let mut frame: Map<String, Value> = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let data: Map<String, Value> = data.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        frame.insert("type".to_owned(), json!(kind));
        frame.insert("data".to_owned(), data.into());
        let text = Value::from(frame).to_string();
        for dialect in dialects() {
            if let Ok(Inbound::Batch { items, .. }) = dialect.decode(&text, &BOUNDS) {
                prop_assert!(items.len() <= BOUNDS.batch);
            }
        }
    }
}

const TYPES: [&str; 24] = [
    "task", "chat", "command", "subscribe", "unsubscribe", "publish", "join_conversation", "leave_conversation",
    "history", "agent_handoff", "typing_start", "typing_stop", "status", "batch", "cancel", "ping", "pong", "client",
    "get_history", "message", "step", "heartbeat", "delete_thread", "x",
];

const FIELDS: [&str; 32] = [
    "id", "content", "message", "message_id", "agent", "targetAgent", "priority", "conversationId", "stream",
    "instruction", "parameters", "events", "filter", "channels", "since", "subscriptionIds", "agents", "mode", "limit",
    "before", "fromAgent", "toAgent", "reason", "userId", "messages", "thread_id", "agent_id", "target", "reply_to",
    "metadata", "channel", "type",
];
