#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use callboard_actors::protocol::{
    AgentId, AgentName, Code, Command, ConversationId, Interest, Message, MessageId, Mood, Part, Role, Run, RunId,
    RunKind, RunStatus, TenantId, Turn,
};

use super::*;
use crate::dialect::Asked;

const BOUNDS: Bounds = Bounds { content: 1024, batch: 10 };
const THREAD: &str = "123e4567-e89b-12d3-a456-426614174000";

fn run() -> Arc<Run> {
    let (tenant, agent) = (TenantId::default_tenant(), AgentName::trusted("nyx"));
    Arc::new(Run {
        id: RunId::trusted("run-1-1-1"),
        kind: RunKind::Chat,
        agent_id: AgentId::of(&tenant, &agent),
        agent,
        conversation: ConversationId::trusted(THREAD),
        asked_by: MessageId::trusted("msg_125"),
        asked_at: 1,
        request_id: None,
        turn: Turn::ONLY,
        created_at: Timestamp(0),
    })
}

fn message(id: MessageId, seq: u64, role: Role, text: &str) -> Arc<Message> {
    Arc::new(Message {
        id,
        conversation: ConversationId::trusted(THREAD),
        seq,
        role,
        agent: None,
        parts: vec![Part::Text(text.into())],
        created_at: Timestamp(1_686_839_400_000),
        run: None,
    })
}

fn wire(event: &Event, to: Audience<'_>) -> Vec<Value> {
    let frames = Threads::new().encode(event, Timestamp(0), to);
    frames.as_slice().iter().map(|frame| serde_json::from_str(frame).unwrap()).collect()
}

fn call(frame: &Value) -> crate::dialect::Call {
    match Threads::new().decode(&frame.to_string(), &BOUNDS) {
        Ok(Inbound::Call(call)) => call,
        other => panic!("{frame}: {other:?}"),
    }
}

#[test]
fn the_documents_requests_are_understood() {
    let opened = call(&json!({ "type": "history", "thread_id": THREAD }));
    assert_eq!(opened.command, Command::Open { conversation: ConversationId::trusted(THREAD), after: 0 });
    assert_eq!(opened.interest, Interest::MESSAGES);
    let agent = "234e5678-e89b-12d3-a456-426614174001";
    let said = json!({ "type": "message", "thread_id": THREAD, "agent_id": agent, "content": "How do DAOs work?" });
    let Command::Ask(ask) = call(&said).command else { panic!("no question") };
    assert_eq!(ask.agent, Some(AgentName::trusted(agent)));
    assert!(ask.private && !ask.stream && ask.kind == RunKind::Chat);
    let to_nobody = json!({ "type": "message", "thread_id": THREAD, "agent_id": null, "content": "x", "stream": true });
    let streamed = call(&to_nobody);
    assert!(streamed.interest.has(Interest::DELTAS) && streamed.asked().stream);
    let Command::Ask(ask) = streamed.command else { panic!("no question") };
    assert_eq!(ask.agent, None);
    let deleted = call(&json!({ "type": "delete_thread", "thread_id": THREAD }));
    assert_eq!(deleted.command, Command::Delete { conversation: ConversationId::trusted(THREAD) });
}

#[test]
fn a_thread_is_the_same_however_its_id_is_written() {
    for id in [THREAD.to_uppercase(), THREAD.replace('-', "")] {
        let opened = call(&json!({ "type": "history", "thread_id": id }));
        assert_eq!(opened.command, Command::Open { conversation: ConversationId::trusted(THREAD), after: 0 });
    }
}

#[test]
fn errors_are_in_the_words_of_the_document() {
    for (frame, says) in [
        (json!({ "type": "history" }), "Thread ID is required"),
        (json!({ "type": "history", "thread_id": null }), "Thread ID is required"),
        (json!({ "type": "message", "thread_id": "", "content": "x" }), "Thread ID is required"),
        (json!({ "type": "message", "thread_id": "thread-1", "content": "x" }), "Invalid thread ID"),
        (json!({ "type": "delete_thread", "thread_id": 7 }), "Invalid thread ID"),
        (json!({ "type": "message", "thread_id": THREAD }), "Content is required"),
        (json!({ "type": "message", "thread_id": THREAD, "content": " " }), "Content is required"),
        (json!({ "type": "message", "thread_id": THREAD, "content": {} }), "Content is required"),
        (json!({ "type": "message", "thread_id": THREAD, "content": "x", "agent_id": 5 }), "Agent not found"),
        (json!({ "type": "nonsense" }), "Unknown message type: nonsense"),
    ] {
        let (_, error) = Threads::new().decode(&frame.to_string(), &BOUNDS).unwrap_err();
        let frames = wire(&Event::Refused { error }, Audience::Requester(&Asked::default()));
        assert_eq!(frames, [json!({ "type": "error", "message": says })], "{frame}");
    }
    let error = Error::new(Code::AgentNotFound, "Agent not found: x").with_details("Available agents: nyx");
    let failed = Event::RunFailed { run: run(), status: RunStatus::Failed, error, duration_ms: 1 };
    let expected = json!({ "type": "error", "message": "Agent not found", "job_id": "run-1-1-1" });
    assert_eq!(wire(&failed, Audience::Requester(&Asked::default())), [expected]);
}

#[test]
fn a_message_is_acknowledged_and_answered_as_documented() {
    let asked = Asked::default();
    let question = message(MessageId::trusted("msg_125"), 1, Role::User, "x");
    let accepted = Event::RunAccepted { run: run(), question };
    let expected = json!({ "type": "message_received", "id": "msg_125", "thread_id": THREAD, "job_id": "run-1-1-1" });
    assert_eq!(wire(&accepted, Audience::Requester(&asked)), [expected]);
    let answer = message(run().answer_id(), 2, Role::Assistant, "A DAO is");
    let answered = Event::RunAnswered { run: run(), answer, mood: Mood::default(), duration_ms: 1 };
    let expected = json!({
        "type": "message", "id": "msg-1-1-1", "thread_id": THREAD, "role": "assistant", "content": "A DAO is",
        "created_at": "2023-06-15T14:30:00.000Z",
    });
    assert_eq!(wire(&answered, Audience::Requester(&asked)), [expected]);
}

#[test]
fn the_pieces_of_a_streamed_answer_have_its_id_and_join_to_it() {
    let asked = Asked { stream: true, ..Asked::default() };
    let answer = message(run().answer_id(), 2, Role::Assistant, "A DAO is");
    let events = [
        Event::RunDelta { run: run(), index: 0, delta: "A DAO".into() },
        Event::RunDelta { run: run(), index: 1, delta: " is".into() },
        Event::RunAnswered { run: run(), answer, mood: Mood::default(), duration_ms: 1 },
    ];
    let frames: Vec<Value> = events.iter().flat_map(|event| wire(event, Audience::Requester(&asked))).collect();
    assert!(frames.iter().all(|frame| frame["id"] == "msg-1-1-1" && frame["type"] == "message"));
    let joined: String = frames.iter().map(|frame| frame["content"].as_str().unwrap()).collect();
    assert_eq!(joined, "A DAO is");
    let status: Vec<&str> = frames.iter().map(|frame| frame["status"].as_str().unwrap()).collect();
    assert_eq!(status, ["streaming", "streaming", "complete"]);
}

#[test]
fn the_last_page_of_a_history_ends_with_the_count() {
    let page = |seqs: std::ops::RangeInclusive<u64>, resume| Event::History {
        conversation: ConversationId::trusted(THREAD),
        messages: seqs.map(|seq| message(MessageId::trusted(format!("m{seq}")), seq, Role::User, "x")).collect(),
        next_before: None,
        resume,
    };
    let asked = Asked::default();
    assert_eq!(wire(&page(1..=100, Some(100)), Audience::Requester(&asked)).len(), 100);
    let last = wire(&page(101..=103, None), Audience::Requester(&asked));
    assert_eq!(last[0]["id"], "m101");
    assert_eq!(last[3], json!({ "type": "history_end", "thread_id": THREAD, "count": 103 }));
}

#[test]
fn others_who_have_the_thread_open_see_each_message_once() {
    let added = Event::MessageAdded { message: message(MessageId::trusted("m9"), 9, Role::User, "hello") };
    assert_eq!(wire(&added, Audience::Member)[0]["content"], "hello");
    let delta = Event::RunDelta { run: run(), index: 0, delta: "x".into() };
    assert!(wire(&delta, Audience::Member).is_empty());
    assert!(wire(&added, Audience::Subscriber).is_empty());
}

proptest! {
    #[test]
    fn whatever_comes_is_a_call_or_an_error(text in ".*", kind in "history|message|delete_thread|x", value in ".{0,40}") {
        let _ = Threads::new().decode(&text, &BOUNDS);
        let frame = json!({ "type": kind, "thread_id": value, "content": value, "agent_id": value, "stream": value });
        let _ = Threads::new().decode(&frame.to_string(), &BOUNDS);
        let frame = json!({ "type": kind, "thread_id": THREAD, "content": value, "agent_id": value });
        let _ = Threads::new().decode(&frame.to_string(), &BOUNDS);
    }
}
