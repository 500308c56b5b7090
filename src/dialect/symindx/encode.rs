//! Document 002, to the client.

use serde_json::json;

use callboard_actors::protocol::{Event, Flow, RunKind, RunStatus, Timestamp};

use super::shapes::{
    ChatResponse, CommandResult, approval_data, channel_message, decided, decision_data, error, failed, handoff_data,
    house, listed, run_data, send, step_data, typing_frame, typist, with_type,
};
use crate::dialect::frames::Frames;
use crate::dialect::view::{AgentStatusView, MessageView, rounded};
use crate::dialect::{Asked, Audience};

/// How an event is put on the wire.
pub fn encode(event: &Event, at: Timestamp, to: Audience<'_>) -> Frames {
    match to {
        Audience::Requester(asked) => reply(event, at, asked),
        Audience::Member => member(event, at),
        Audience::Subscriber => subscriber(event, at),
    }
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
        Event::ApprovalRequested { run, approval } => send("approval_request", id, approval_data(run, approval), at),
        Event::ApprovalDecided { approved, .. } => send(decided(*approved), id, decision_data(event), at),
        Event::RunAccepted { .. }
        | Event::RunStarted { .. }
        | Event::RunStep { .. }
        | Event::RunWaits { .. }
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
        Event::ApprovalRequested { run, approval } => send("approval_request", None, approval_data(run, approval), at),
        Event::ApprovalDecided { approved, .. } => send(decided(*approved), None, decision_data(event), at),
        Event::Typing { typing, .. } => typing_frame(event, *typing, at),
        Event::Deleted { conversation } => {
            send("conversation_deleted", None, json!({ "conversationId": conversation }), at)
        }
        Event::Published { publication } => channel_message(publication, at),
        Event::RunAccepted { .. }
        | Event::RunStarted { .. }
        | Event::RunStep { .. }
        | Event::RunDelta { .. }
        | Event::RunWaits { .. }
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
        Event::RunWaits { run } => run_data(run, RunStatus::InputRequired, None),
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
        Event::ApprovalRequested { run, approval } => with_type("approval_request", approval_data(run, approval)),
        Event::ApprovalDecided { .. } => with_type("approval_decision", decision_data(event)),
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
