//! What decoding a frame and encoding an event costs, for each dialect: `cargo bench --bench codec`.

#![allow(clippy::unwrap_used, missing_docs)]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};

use callboard::dialect::agents::Agents;
use callboard::dialect::channels::Channels;
use callboard::dialect::steps::Steps;
use callboard::dialect::threads::Threads;
use callboard::dialect::{Asked, Audience, Bounds, Dialect};
use callboard_actors::protocol::{
    AgentId, AgentName, ChannelId, ConversationId, Event, Message, MessageId, Mood, Part, Publication, Role, Run,
    RunId, RunKind, Subject, TenantId, Timestamp, Turn,
};

const BOUNDS: Bounds = Bounds { content: 256 * 1024, batch: 100 };

/// Each dialect with a request of 256 bytes of content.
fn dialects() -> Vec<(&'static str, Box<dyn Dialect>, String)> {
    let text = "x".repeat(256);
    let conversation = || ConversationId::trusted("conv_123");
    vec![
        (
            "symindx",
            Box::new(Agents::new(conversation())),
            format!(
                r#"{{"id":"m1","type":"chat","data":{{"message":"{text}"}},"targetAgent":"nyx","priority":"normal"}}"#
            ),
        ),
        ("task", Box::new(Agents::new(conversation())), format!(r#"{{"type":"task","content":"{text}"}}"#)),
        (
            "steps",
            Box::new(Steps::new(conversation())),
            format!(r#"{{"type":"client","message":"{text}","message_id":"abc123"}}"#),
        ),
        (
            "channels",
            Box::new(Channels::new(Some(ChannelId::trusted("c")))),
            format!(r#"{{"id":"m1","type":"message","content":"{text}","metadata":{{"key":"value"}}}}"#),
        ),
        (
            "threads",
            Box::new(Threads::new()),
            format!(
                r#"{{"type":"message","thread_id":"123e4567-e89b-12d3-a456-426614174000","agent_id":null,"content":"{text}"}}"#
            ),
        ),
    ]
}

fn answered(kind: RunKind) -> Event {
    let (agent, tenant) = (AgentName::trusted("nyx"), TenantId::default_tenant());
    let run = Run {
        id: RunId::trusted("run-1-1-1"),
        kind,
        agent_id: AgentId::of(&tenant, &agent),
        agent: agent.clone(),
        conversation: ConversationId::trusted("conv_123"),
        asked_by: MessageId::random(),
        asked_at: 1,
        request_id: Some("abc123".into()),
        turn: Turn::ONLY,
        created_at: Timestamp::now(),
    };
    let answer = Message {
        id: run.answer_id(),
        conversation: run.conversation.clone(),
        seq: 2,
        role: Role::Assistant,
        agent: Some(agent),
        parts: vec![Part::Text("x".repeat(256))],
        created_at: Timestamp::now(),
        run: Some(run.id.clone()),
    };
    Event::RunAnswered { run: Arc::new(run), answer: Arc::new(answer), mood: Mood::default(), duration_ms: 5 }
}

fn published() -> Event {
    let publication = Publication {
        id: MessageId::random(),
        tenant: TenantId::default_tenant(),
        channel: Some(ChannelId::trusted("c")),
        seq: 7,
        agent: Some(AgentName::trusted("worker")),
        subject: Subject::trusted("worker"),
        kind: "message".into(),
        content: format!("\"{}\"", "x".repeat(256)),
        metadata: None,
        reply_to: None,
        created_at: Timestamp::now(),
    };
    Event::Published { publication: Arc::new(publication) }
}

fn decode(c: &mut Criterion) {
    let mut group = c.benchmark_group("decode");
    for (name, dialect, frame) in dialects() {
        dialect.decode(&frame, &BOUNDS).unwrap();
        group.bench_function(name, |b| b.iter(|| black_box(dialect.decode(black_box(&frame), &BOUNDS))));
    }
}

fn encode(c: &mut Criterion) {
    let mut group = c.benchmark_group("encode");
    for (name, dialect, _) in dialects() {
        let kind = if name == "task" { RunKind::Task } else { RunKind::Chat };
        let asked = Asked { id: Some("m1".into()), kind: Some(kind), ..Asked::default() };
        let (event, audience) = match name {
            "channels" => (published(), Audience::Member),
            _ => (answered(kind), Audience::Requester(&asked)),
        };
        group.bench_function(name, |b| b.iter(|| black_box(dialect.encode(black_box(&event), Timestamp(0), audience))));
    }
}

criterion_group!(benches, decode, encode);
criterion_main!(benches);
