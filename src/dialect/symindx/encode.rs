//! Document 002, to the client.

use serde::Serialize;
use serde_json::{Value, json};

use callboard_actors::protocol::{
    AgentStatus, Code, Error, Event, Flow, HouseStatus, Message, Mood, Part, Publication, Run, RunKind, RunStatus,
    Step, StepKind, SubscriptionId, Timestamp, Typist,
};

use crate::dialect::frames::Frames;
use crate::dialect::view::{AgentStatusView, ErrorView, MessageView, PublicationView, Rfc3339, frame};
use crate::dialect::{Asked, Audience};

/// Every frame of the document but errors and typing.
#[derive(Serialize)]
struct Reply<'a, D> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(rename = "type")]
    kind: &'static str,
    data: D,
    timestamp: Rfc3339,
}

/// How an event is put on the wire.
pub fn encode(event: &Event, at: Timestamp, to: Audience<'_>) -> Frames {
    match to {
        Audience::Requester(asked) => reply(event, at, asked),
        Audience::Member => member(event, at),
        Audience::Subscriber => subscriber(event, at),
    }
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

fn send(kind: &'static str, id: Option<&str>, data: impl Serialize, at: Timestamp) -> Frames {
    frame(&Reply { id, kind, data, timestamp: Rfc3339(at) })
}

fn reply(event: &Event, at: Timestamp, asked: &Asked) -> Frames {
    let id = asked.id.as_deref();
    match event {
        Event::RunDelta { run, index, delta } => {
            let data =
                json!({ "delta": delta, "index": index, "agentId": run.agent, "conversationId": run.conversation });
            send("chat_chunk", id, data, at)
        }
        Event::RunAnswered { run, answer, mood, duration_ms } if run.kind == RunKind::Command => {
            send("command_result", id, CommandResult::completed(run, answer, *mood, *duration_ms), at)
        }
        Event::RunAnswered { run, answer, mood, duration_ms } => {
            send("chat_response", id, ChatResponse::of(run, answer, *mood, *duration_ms), at)
        }
        Event::RunFailed { run, status, error, duration_ms } if run.kind == RunKind::Command => {
            send("command_result", id, CommandResult::failed(run, *status, error, *duration_ms), at)
        }
        Event::RunFailed { run, error, .. } => failed(id, run, error, at),
        Event::HandedOff { .. } => send("agent_handoff", id, handoff_data(event), at),
        Event::Joined { conversation, agents, mode, lead, messages } => {
            let data = json!({
                "conversationId": conversation, "agents": agents, "mode": mode.as_str(), "lead": lead,
                "messages": MessageView::all(messages),
            });
            send("conversation_joined", id, data, at)
        }
        Event::Left { conversation } => send("conversation_left", id, json!({ "conversationId": conversation }), at),
        Event::Deleted { conversation } => {
            send("conversation_deleted", id, json!({ "conversationId": conversation }), at)
        }
        Event::History { conversation, messages, next_before, .. } => {
            let data = json!({
                "conversationId": conversation, "messages": MessageView::all(messages), "nextBefore": next_before,
            });
            send("history", id, data, at)
        }
        Event::Subscribed { subscriptions } => {
            send("subscribed", id, json!({ "subscriptions": listed(subscriptions, true) }), at)
        }
        Event::Unsubscribed { subscriptions } => {
            send("unsubscribed", id, json!({ "subscriptions": listed(subscriptions, false) }), at)
        }
        Event::PublishAcknowledged { channel, id: message, seq, .. } => {
            send("published", id, json!({ "channel": channel, "seq": seq, "messageId": message }), at)
        }
        Event::AgentReport { status } => send("status_update", id, AgentStatusView::of(status), at),
        Event::HouseReport { status } => send("status_update", id, house(status), at),
        Event::Refused { error: why } => error(id, why, at),
        Event::RunAccepted { .. }
        | Event::RunStarted { .. }
        | Event::RunStep { .. }
        | Event::MessageAdded { .. }
        | Event::Typing { .. }
        | Event::AgentChanged { .. }
        | Event::MoodChanged { .. }
        | Event::MemoryChanged { .. }
        | Event::Presence { .. }
        | Event::Published { .. }
        | Event::DirectMessage { .. }
        | Event::ReplayPaused { .. }
        | Event::ChannelDescribed { .. }
        | Event::Noted => Frames::None,
    }
}

fn member(event: &Event, at: Timestamp) -> Frames {
    match event {
        Event::MessageAdded { message } => {
            let data = json!({ "conversationId": message.conversation, "message": MessageView::of(message) });
            send("conversation_message", None, data, at)
        }
        Event::HandedOff { .. } => send("agent_handoff", None, handoff_data(event), at),
        Event::Typing { typing, .. } => typing_frame(event, *typing, at),
        Event::Deleted { conversation } => {
            send("conversation_deleted", None, json!({ "conversationId": conversation }), at)
        }
        Event::Published { publication } => channel_message(publication, at),
        Event::RunAccepted { .. }
        | Event::RunStarted { .. }
        | Event::RunStep { .. }
        | Event::RunDelta { .. }
        | Event::RunAnswered { .. }
        | Event::RunFailed { .. }
        | Event::AgentChanged { .. }
        | Event::MoodChanged { .. }
        | Event::MemoryChanged { .. }
        | Event::Presence { .. }
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

fn subscriber(event: &Event, at: Timestamp) -> Frames {
    let data = match event {
        Event::RunStep { run, step } => return send("stream_data", None, step_data(run, step), at),
        Event::RunDelta { run, delta, .. } => {
            let data = json!({
                "stream": Flow::Tokens.as_str(), "agentId": run.agent, "conversationId": run.conversation,
                "runId": run.id, "content": delta, "importance": 0.1, "stage": "answer",
            });
            return send("stream_data", None, data, at);
        }
        Event::Published { publication } => return channel_message(publication, at),
        Event::RunAccepted { run, .. } => run_data(run, RunStatus::Pending, None),
        Event::RunStarted { run } => run_data(run, RunStatus::Processing, None),
        Event::RunAnswered { run, .. } => run_data(run, RunStatus::Completed, None),
        Event::RunFailed { run, status, error, .. } => run_data(run, *status, Some(error)),
        Event::MessageAdded { message } => json!({
            "eventType": "conversation_message", "conversationId": message.conversation,
            "message": MessageView::of(message),
        }),
        Event::Typing { conversation, who, typing } => {
            let mut data = json!({ "eventType": "typing", "conversationId": conversation, "isTyping": typing });
            let (key, name) = typist(who);
            data[key] = name.into();
            data
        }
        Event::HandedOff { .. } => with_type("agent_handoff", handoff_data(event)),
        Event::AgentChanged { status } => {
            with_type("agent_status", serde_json::to_value(AgentStatusView::of(status)).unwrap_or_default())
        }
        Event::MoodChanged { agent, previous, current } => json!({
            "eventType": "emotion_change", "agentId": agent, "previousEmotion": previous.emotion.as_str(),
            "currentEmotion": current.emotion.as_str(), "intensity": rounded(current.intensity),
        }),
        Event::MemoryChanged { agent, id, content, kept } => json!({
            "eventType": "memory_update", "agentId": agent, "action": if *kept { "remembered" } else { "forgotten" },
            "memoryId": id, "content": content,
        }),
        Event::Presence { agent, online } => json!({
            "eventType": "presence", "agentId": agent, "status": if *online { "online" } else { "offline" },
        }),
        Event::Deleted { .. }
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
        | Event::Refused { .. } => return Frames::None,
    };
    send("event", None, data, at)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ChatResponse<'a> {
    response: std::borrow::Cow<'a, str>,
    agent_id: &'a str,
    conversation_id: &'a str,
    message_id: &'a str,
    processing_time: u64,
    emotion: &'static str,
    turn: callboard_actors::protocol::Turn,
}

impl<'a> ChatResponse<'a> {
    fn of(run: &'a Run, answer: &'a Message, mood: Mood, duration_ms: u64) -> Self {
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
struct CommandResult<'a> {
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
    fn completed(run: &'a Run, answer: &'a Message, mood: Mood, execution_time: u64) -> Self {
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

    fn failed(run: &'a Run, status: RunStatus, error: &'a Error, execution_time: u64) -> Self {
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
fn data_of(answer: &Message) -> Option<Value> {
    answer.parts.iter().find_map(|part| match part {
        Part::Data(json) => serde_json::from_str(json).ok(),
        Part::Text(_) | Part::Step(_) => None,
    })
}

/// The error of a chat; among several answers it says whose it is.
fn failed(id: Option<&str>, run: &Run, error: &Error, at: Timestamp) -> Frames {
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

fn handoff_data(event: &Event) -> Value {
    match event {
        Event::HandedOff { conversation, from, to, reason } => json!({
            "conversationId": conversation, "fromAgent": from, "toAgent": to, "reason": reason, "status": "completed",
        }),
        _ => Value::Null,
    }
}

fn with_type(kind: &str, mut data: Value) -> Value {
    data["eventType"] = kind.into();
    data
}

fn run_data(run: &Run, status: RunStatus, error: Option<&Error>) -> Value {
    let mut data = json!({
        "eventType": "run_status", "runId": run.id, "kind": run.kind.as_str(), "agentId": run.agent,
        "conversationId": run.conversation, "status": status.as_str(),
    });
    if let Some(error) = error {
        data["error"] = json!(ErrorView::of(error));
    }
    data
}

fn step_data(run: &Run, step: &Step) -> Value {
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
    }
    data
}

/// The document has typing at the top level; `data` repeats it.
fn typing_frame(event: &Event, typing: bool, at: Timestamp) -> Frames {
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

fn typist(who: &Typist) -> (&'static str, &str) {
    match who {
        Typist::User(user) => ("userId", user),
        Typist::Agent(agent) => ("agentId", agent.as_str()),
    }
}

fn channel_message(publication: &Publication, at: Timestamp) -> Frames {
    send("channel_message", None, PublicationView::of(publication), at)
}

fn listed(subscriptions: &[(SubscriptionId, String)], active: bool) -> Value {
    let one = |(id, pattern): &(SubscriptionId, String)| json!({ "id": id, "pattern": pattern, "active": active });
    subscriptions.iter().map(one).collect()
}

fn house(status: &HouseStatus) -> Value {
    let agents: Vec<AgentStatusView> =
        status.agents.iter().map(|agent: &AgentStatus| AgentStatusView::of(agent)).collect();
    json!({
        "agents": agents, "sessions": status.sessions, "conversations": status.conversations,
        "channels": status.channels, "uptime": status.uptime_ms,
    })
}

/// Two decimals are all that an importance or intensity means.
fn rounded(number: f32) -> f64 {
    (f64::from(number) * 100.0).round() / 100.0
}
