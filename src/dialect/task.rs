//! Document 000: a task, its progress, its final answer.

use bytestring::ByteString;
use serde_json::{Value, json};

use callboard_actors::protocol::{
    AgentName, Ask, Command, ConversationId, Error, Event, Interest, Message, Part, Priority, Result, Run, RunKind,
    Step, StepKind, Timestamp,
};

use super::fields::Fields;
use super::frames::Frames;
use super::symindx;
use super::view::{Rfc3339, text};
use super::{Bounds, Call};

/// What a task comes to. `own` is the session's own conversation; its tasks run one after another.
pub fn decode(fields: &Fields<'_>, own: &ConversationId, bounds: &Bounds) -> Result<Call> {
    let id = fields.id("id")?.map(|id| id.into_owned());
    let ask = Ask {
        conversation: own.clone(),
        agent: fields.id("agent")?.map(|agent| AgentName::trusted(&*agent)),
        content: fields.content("content", bounds.content)?,
        parameters: Value::Null,
        kind: RunKind::Task,
        priority: Priority::Normal,
        stream: false,
        serial: true,
        request_id: id.clone(),
        private: false,
        context: Vec::new(),
        trace: fields.trace(),
    };
    Ok(Call { id, command: Command::Ask(ask), interest: Interest::PROGRESS.and(Interest::STEPS) })
}

/// How an event of a task is put on the wire, to the one who asked.
pub fn encode(event: &Event, id: Option<&str>, at: Timestamp) -> Frames {
    match event {
        Event::RunAccepted { run, .. } => {
            let said = format!("Task accepted; {} will work on it", run.agent);
            one(run, id, json!({ "type": "status", "message": said }), at)
        }
        Event::RunStarted { run } => one(run, id, json!({ "type": "agent_called", "agent": run.agent }), at),
        Event::RunStep { run, step } => one(run, id, log(run, step), at),
        Event::RunAnswered { run, answer, duration_ms, .. } => answered(run, id, answer, *duration_ms, at),
        Event::RunFailed { run, error, .. } => failed(Some(run), id, error, at),
        Event::Refused { error } => failed(None, id, error, at),
        Event::RunDelta { .. }
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
        | Event::Noted => Frames::None,
    }
}

fn one(run: &Run, id: Option<&str>, frame: Value, at: Timestamp) -> Frames {
    Frames::One(sealed(run, id, frame, at))
}

/// All frames of a task carry its `task_id`.
fn sealed(run: &Run, id: Option<&str>, mut frame: Value, at: Timestamp) -> ByteString {
    frame["task_id"] = run.id.as_str().into();
    frame["timestamp"] = json!(Rfc3339(at));
    if let Some(id) = id {
        frame["id"] = id.into();
    }
    text(&frame)
}

fn log(run: &Run, step: &Step) -> Value {
    let kind = match step.kind {
        StepKind::Planning => "planning",
        StepKind::Action => "action",
        StepKind::Answer => "answer",
    };
    let source = step.call.as_ref().map_or("agent", |call| call.tool.as_str());
    let data = json!({
        "timestamp": Rfc3339(step.at), "type": kind, "source": source, "message": step.content, "agent": run.agent,
    });
    json!({ "type": "log", "data": data })
}

fn answered(run: &Run, id: Option<&str>, answer: &Message, duration_ms: u64, at: Timestamp) -> Frames {
    let said = answer.text();
    let mut data = json!({
        "task_id": run.id, "agent": run.agent, "answer": said, "steps": answer.steps().count(),
        "duration_ms": duration_ms,
    });
    let found = answer.parts.iter().find_map(|part| match part {
        Part::Data(json) => serde_json::from_str::<Value>(json).ok(),
        Part::Text(_) | Part::Step(_) => None,
    });
    if let Some(found) = found {
        data["data"] = found;
    }
    let frames = [
        json!({ "type": "agent_output", "agent": run.agent, "message": said }),
        json!({ "type": "result", "message": format!("{} completed the task", run.agent), "data": data }),
        json!({ "type": "final_answer", "message": said }),
    ];
    Frames::Many(frames.into_iter().map(|frame| sealed(run, id, frame, at)).collect())
}

/// The error of a task: document 000 begins its `details` with `Traceback: `.
fn failed(run: Option<&Run>, id: Option<&str>, error: &Error, at: Timestamp) -> Frames {
    let mut value = symindx::error_value(id, error, at);
    value["details"] = format!("Traceback: {}: {error}", error.code.as_str()).into();
    if let Some(run) = run {
        value["task_id"] = run.id.as_str().into();
    }
    Frames::One(text(&value))
}
