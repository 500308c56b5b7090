//! The shapes of document 002's frames.

use serde::Serialize;
use serde_json::{Value, json};

use callboard_actors::protocol::{
    AgentStatus, Approval, Code, Error, Event, Flow, HouseStatus, Message, Mood, Part, Publication, Run, RunStatus,
    Step, StepKind, SubscriptionId, Timestamp, Typist,
};

use crate::dialect::frames::Frames;
use crate::dialect::view::{AgentStatusView, ErrorView, PublicationView, Rfc3339, calls, frame, rounded};

/// Every frame of the document but errors and typing.
#[derive(Serialize)]
pub(super) struct Reply<'a, D> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(rename = "type")]
    kind: &'static str,
    data: D,
    timestamp: Rfc3339,
}

/// An error frame that satisfies documents 000 and 002 alike.
pub fn error(id: Option<&str>, error: &Error, at: Timestamp) -> Frames {
    frame(&error_value(id, error, at))
}

pub(in crate::dialect) fn error_value(id: Option<&str>, error: &Error, at: Timestamp) -> Value {
    let mut value = json!({
        "type": "error",
        "message": error.message,
        "details": error.details,
        "data": ErrorView::of(error),
        "timestamp": Rfc3339(at),
    });
    if let Some(id) = id {
        value["id"] = id.into();
    }
    value
}

pub(super) fn send(kind: &'static str, id: Option<&str>, data: impl Serialize, at: Timestamp) -> Frames {
    frame(&Reply { id, kind, data, timestamp: Rfc3339(at) })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ChatResponse<'a> {
    response: std::borrow::Cow<'a, str>,
    agent_id: &'a str,
    conversation_id: &'a str,
    message_id: &'a str,
    processing_time: u64,
    emotion: &'static str,
    turn: callboard_actors::protocol::Turn,
}

impl<'a> ChatResponse<'a> {
    pub(super) fn of(run: &'a Run, answer: &'a Message, mood: Mood, duration_ms: u64) -> Self {
        Self {
            response: answer.text(),
            agent_id: run.agent.as_str(),
            conversation_id: run.conversation.as_str(),
            message_id: answer.id.as_str(),
            processing_time: duration_ms,
            emotion: mood.emotion.as_str(),
            turn: run.turn,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CommandResult<'a> {
    command_id: &'a str,
    status: &'static str,
    result: Value,
    execution_time: u64,
    agent_id: &'a str,
    conversation_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<std::borrow::Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    emotion: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorView<'a>>,
}

impl<'a> CommandResult<'a> {
    pub(super) fn completed(run: &'a Run, answer: &'a Message, mood: Mood, execution_time: u64) -> Self {
        let text = answer.text();
        Self {
            command_id: run.id.as_str(),
            status: RunStatus::Completed.as_str(),
            result: data_of(answer).unwrap_or_else(|| json!({ "text": text })),
            execution_time,
            agent_id: run.agent.as_str(),
            conversation_id: run.conversation.as_str(),
            message: Some(text),
            emotion: Some(mood.emotion.as_str()),
            error: None,
        }
    }

    pub(super) fn failed(run: &'a Run, status: RunStatus, error: &'a Error, execution_time: u64) -> Self {
        Self {
            command_id: run.id.as_str(),
            status: status.as_str(),
            result: Value::Null,
            execution_time,
            agent_id: run.agent.as_str(),
            conversation_id: run.conversation.as_str(),
            message: None,
            emotion: None,
            error: Some(ErrorView::of(error)),
        }
    }
}

/// What an answer says to programs.
pub(super) fn data_of(answer: &Message) -> Option<Value> {
    answer.parts.iter().find_map(|part| match part {
        Part::Data(json) => serde_json::from_str(json).ok(),
        Part::Text(_) | Part::Step(_) => None,
    })
}

/// The error of a chat; among several answers it says whose it is.
pub(super) fn failed(id: Option<&str>, run: &Run, error: &Error, at: Timestamp) -> Frames {
    let mut value = error_value(id, error, at);
    let data = &mut value["data"];
    data["agentId"] = run.agent.as_str().into();
    data["conversationId"] = run.conversation.as_str().into();
    data["runId"] = run.id.as_str().into();
    data["turn"] = json!(run.turn);
    value["turn"] = json!(run.turn);
    if error.code == Code::Cancelled {
        value["data"]["status"] = RunStatus::Cancelled.as_str().into();
    }
    frame(&value)
}

pub(super) fn handoff_data(event: &Event) -> Value {
    match event {
        Event::HandedOff { conversation, from, to, reason } => json!({
            "conversationId": conversation, "fromAgent": from, "toAgent": to, "reason": reason, "status": "completed",
        }),
        _ => Value::Null,
    }
}

/// What a run waits for.
pub(super) fn approval_data(run: &Run, approval: &Approval) -> Value {
    json!({
        "runId": run.id, "kind": run.kind.as_str(), "agentId": run.agent, "conversationId": run.conversation,
        "calls": calls(approval), "requestedAt": Rfc3339(approval.asked_at), "expiresAt": Rfc3339(approval.expires_at),
    })
}

/// The type of the frame that tells of a decision.
pub(super) fn decided(approved: bool) -> &'static str {
    if approved { "approved" } else { "rejected" }
}

pub(super) fn decision_data(event: &Event) -> Value {
    match event {
        Event::ApprovalDecided { run, approved, by, reason } => json!({
            "runId": run.id, "agentId": run.agent, "conversationId": run.conversation, "decision": decided(*approved),
            "by": by, "reason": reason,
        }),
        _ => Value::Null,
    }
}

pub(super) fn with_type(kind: &str, mut data: Value) -> Value {
    data["eventType"] = kind.into();
    data
}

pub(super) fn run_data(run: &Run, status: RunStatus, error: Option<&Error>) -> Value {
    let mut data = json!({
        "eventType": "run_status", "runId": run.id, "kind": run.kind.as_str(), "agentId": run.agent,
        "conversationId": run.conversation, "status": status.as_str(),
    });
    if let Some(error) = error {
        data["error"] = json!(ErrorView::of(error));
    }
    data
}

pub(super) fn step_data(run: &Run, step: &Step) -> Value {
    let stream = match step.kind {
        StepKind::Planning | StepKind::Answer => Flow::Thoughts,
        StepKind::Action => Flow::Actions,
    };
    let mut data = json!({
        "stream": stream.as_str(), "agentId": run.agent, "conversationId": run.conversation, "runId": run.id,
        "content": step.content, "importance": rounded(step.importance), "stage": step.kind.as_str(),
    });
    if let Some(call) = &step.call {
        data["tool"] = call.tool.as_str().into();
        // What a model asked for, and what it was given; other steps say it in their content.
        if !call.id.is_empty() {
            let arguments = serde_json::from_str(&call.arguments).unwrap_or_else(|_| call.arguments.as_str().into());
            data["arguments"] = arguments;
            data["ok"] = call.ok.into();
            data["result"] = call.result.as_str().into();
        }
    }
    if let Some(tokens) = step.tokens {
        data["tokens"] = json!(tokens);
    }
    data
}

/// The document has typing at the top level; `data` repeats it.
pub(super) fn typing_frame(event: &Event, typing: bool, at: Timestamp) -> Frames {
    let Event::Typing { conversation, who, .. } = event else { return Frames::None };
    let (key, name) = typist(who);
    frame(&json!({
        "type": if typing { "typing_start" } else { "typing_stop" },
        "conversationId": conversation,
        key: name,
        "data": { "conversationId": conversation, key: name, "isTyping": typing },
        "timestamp": Rfc3339(at),
    }))
}

pub(super) fn typist(who: &Typist) -> (&'static str, &str) {
    match who {
        Typist::User(user) => ("userId", user),
        Typist::Agent(agent) => ("agentId", agent.as_str()),
    }
}

pub(super) fn channel_message(publication: &Publication, at: Timestamp) -> Frames {
    send("channel_message", None, PublicationView::of(publication), at)
}

pub(super) fn listed(subscriptions: &[(SubscriptionId, String)], active: bool) -> Value {
    let one = |(id, pattern): &(SubscriptionId, String)| json!({ "id": id, "pattern": pattern, "active": active });
    subscriptions.iter().map(one).collect()
}

pub(super) fn house(status: &HouseStatus) -> Value {
    let agents: Vec<AgentStatusView> =
        status.agents.iter().map(|agent: &AgentStatus| AgentStatusView::of(agent)).collect();
    json!({
        "agents": agents, "sessions": status.sessions, "conversations": status.conversations,
        "channels": status.channels, "uptime": status.uptime_ms,
    })
}
