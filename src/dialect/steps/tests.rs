#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use callboard_actors::protocol::{
    AgentId, AgentName, Code, Message, MessageId, Mood, Part, Role, Run, RunId, RunKind, RunStatus, Step, StepKind,
    TenantId, Turn,
};

use super::*;
use crate::dialect::Asked;

const BOUNDS: Bounds = Bounds { content: 1024, batch: 10 };

fn dialect() -> Steps {
    Steps::new(ConversationId::trusted("chat_id47"))
}

fn run(turn: Turn) -> Arc<Run> {
    let (tenant, agent) = (TenantId::default_tenant(), AgentName::trusted("nyx"));
    Arc::new(Run {
        id: RunId::trusted("run-1-1-1"),
        kind: RunKind::Chat,
        agent_id: AgentId::of(&tenant, &agent),
        agent,
        conversation: ConversationId::trusted("chat_id47"),
        asked_by: MessageId::trusted("m1"),
        asked_at: 1,
        request_id: Some("abc123".into()),
        turn,
        created_at: Timestamp(0),
    })
}

fn message(role: Role, parts: Vec<Part>) -> Arc<Message> {
    Arc::new(Message {
        id: MessageId::trusted("m2"),
        conversation: ConversationId::trusted("chat_id47"),
        seq: 2,
        role,
        agent: None,
        parts,
        created_at: Timestamp(1_743_713_116_000),
        run: None,
    })
}

fn step(kind: StepKind, content: &str) -> Step {
    Step { at: Timestamp(1_743_713_115_999), ..Step::now(kind, content, 0.5) }
}

fn wire(event: &Event, to: Audience<'_>) -> Vec<Value> {
    let frames = dialect().encode(event, Timestamp(0), to);
    frames.as_slice().iter().map(|frame| serde_json::from_str(frame).unwrap()).collect()
}

fn answered(turn: Turn) -> Event {
    let answer = message(Role::Assistant, vec![Part::Text("[]".into())]);
    Event::RunAnswered { run: run(turn), answer, mood: Mood::default(), duration_ms: 5 }
}

#[test]
fn the_documents_request_is_understood() {
    let frame = r#"{ "type": "client", "message": "get all contacts", "message_id": "abc123" }"#;
    let Ok(Inbound::Call(call)) = dialect().decode(frame, &BOUNDS) else { panic!("no call") };
    assert_eq!(call.id.as_deref(), Some("abc123"));
    let Command::Ask(ask) = call.command else { panic!("no question") };
    assert_eq!((ask.content.as_str(), ask.conversation.as_str()), ("get all contacts", "chat_id47"));
    assert!(ask.serial && ask.request_id.as_deref() == Some("abc123"));
}

#[test]
fn what_is_wrong_with_a_frame_names_the_field() {
    for (frame, id, says) in [
        (r#"{"type":"client","message":"x"}"#, None, "message_id"),
        (r#"{"type":"client","message":"x","message_id":7}"#, None, "message_id"),
        (r#"{"type":"client","message":"x","message_id":"a b"}"#, None, "message_id"),
        (r#"{"type":"client","message_id":"m"}"#, Some("m"), "message"),
        (r#"{"type":"client","message_id":"m","message":["x"]}"#, Some("m"), "message"),
        (r#"{"type":"client","message_id":"m","message":"  "}"#, Some("m"), "message"),
        (r#"{"type":"nonsense","message_id":"m"}"#, Some("m"), "Unknown message type: nonsense"),
        (r#"{"message_id":"m"}"#, Some("m"), "type"),
        ("not json", None, "valid JSON"),
        ("[]", None, "JSON object"),
    ] {
        let (given, error) = dialect().decode(frame, &BOUNDS).unwrap_err();
        assert_eq!(given.as_deref(), id, "{frame}");
        let asked = Asked { id: given, ..Asked::default() };
        let frames = wire(&Event::Refused { error }, Audience::Requester(&asked));
        assert!(frames[0]["error"].as_str().unwrap().contains(says), "{frame}: {}", frames[0]);
        assert_eq!(frames[0]["type"], "agent_error");
        assert_eq!(frames[0]["chat_id"], "chat_id47");
        assert_eq!(frames.len(), if id.is_some() { 2 } else { 1 }, "{frame}");
    }
}

#[test]
fn steps_and_the_answer_are_framed_as_documented() {
    let planned = Event::RunStep { run: run(Turn::ONLY), step: step(StepKind::Planning, "I will") };
    let expected = json!({
        "type": "agent_step", "step_type": "PlanningStep", "message": "I will", "message_id": "abc123",
        "chat_id": "chat_id47",
    });
    assert_eq!(wire(&planned, Audience::Requester(&Asked::default())), std::slice::from_ref(&expected));
    assert_eq!(wire(&planned, Audience::Member), [expected]);
    let concluded = Event::RunStep { run: run(Turn::ONLY), step: step(StepKind::Answer, "so") };
    assert!(wire(&concluded, Audience::Member).is_empty());
    assert!(wire(&planned, Audience::Subscriber).is_empty());
    let expected = [
        json!({ "type": "agent_step", "step_type": "FinalAnswerStep", "message": "[]", "message_id": "abc123", "chat_id": "chat_id47" }),
        json!({ "type": "message_end", "message_id": "abc123", "chat_id": "chat_id47" }),
    ];
    assert_eq!(wire(&answered(Turn::ONLY), Audience::Member), expected);
}

#[test]
fn of_several_answers_the_last_ends_the_message() {
    let asked = Asked::default();
    assert_eq!(wire(&answered(Turn { index: 1, of: 2 }), Audience::Requester(&asked)).len(), 1);
    assert_eq!(wire(&answered(Turn { index: 2, of: 2 }), Audience::Requester(&asked)).len(), 2);
    let error = Error::new(Code::AgentFailed, "nyx failed");
    let failed =
        Event::RunFailed { run: run(Turn { index: 2, of: 2 }), status: RunStatus::Failed, error, duration_ms: 1 };
    let frames = wire(&failed, Audience::Member);
    let error = json!({ "type": "agent_error", "error": "nyx failed", "message_id": "abc123", "chat_id": "chat_id47" });
    assert_eq!(frames[0], error);
    assert_eq!(frames[1]["type"], "message_end");
}

#[test]
fn a_run_without_a_request_id_refers_to_the_message_that_asked() {
    let run = Arc::new(Run { request_id: None, ..(*run(Turn::ONLY)).clone() });
    let event = Event::RunStep { run, step: step(StepKind::Action, "x") };
    assert_eq!(wire(&event, Audience::Member)[0]["message_id"], "m1");
}

#[test]
fn the_history_has_the_documents_shape() {
    let steps = [step(StepKind::Planning, "plan"), step(StepKind::Action, "logs"), step(StepKind::Answer, "[result]")];
    let mut parts: Vec<Part> = steps.into_iter().map(Part::Step).collect();
    parts.extend([Part::Text("[result]".into()), Part::Data("{}".into())]);
    let messages = vec![
        message(Role::User, vec![Part::Text("get all contacts".into())]),
        message(Role::Assistant, parts),
        message(Role::System, vec![Part::Text("nyx handed over".into())]),
    ];
    let conversation = ConversationId::trusted("chat_id47");
    let event = Event::History { conversation, messages, next_before: None, resume: None };
    let frames = wire(&event, Audience::Requester(&Asked::default()));
    let entry = |role: &str, content: &str, kind: Value, timestamp: &str| json!({ "role": role, "content": content, "step_type": kind, "timestamp": timestamp });
    let expected = json!({
        "type": "chat_history", "chat_id": "chat_id47",
        "history": [
            entry("user", "get all contacts", Value::Null, "2025-04-03 20:45:16"),
            entry("agent", "plan", "PlanningStep".into(), "2025-04-03 20:45:15"),
            entry("agent", "logs", "ActionStep".into(), "2025-04-03 20:45:15"),
            entry("agent", "[result]", "FinalAnswerStep".into(), "2025-04-03 20:45:16"),
            entry("agent", "nyx handed over", "SystemStep".into(), "2025-04-03 20:45:16"),
        ],
    });
    assert_eq!(frames, [expected]);
}

#[test]
fn a_chat_that_nobody_has_used_has_an_empty_history() {
    let error = Error::new(Code::ConversationNotFound, "Conversation not found: chat_id47");
    let frames = wire(&Event::Refused { error }, Audience::Requester(&Asked::default()));
    assert_eq!(frames, [json!({ "type": "chat_history", "chat_id": "chat_id47", "history": [] })]);
}

proptest! {
    #[test]
    fn whatever_comes_is_a_call_or_an_error(text in ".*", kind in "client|get_history|ping|x", value in ".{0,20}") {
        let _ = dialect().decode(&text, &BOUNDS);
        let frame = json!({ "type": kind, "message": value, "message_id": value, "limit": value }).to_string();
        let _ = dialect().decode(&frame, &BOUNDS);
    }
}
