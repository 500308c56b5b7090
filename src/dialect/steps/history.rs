//! A chat's history as document 001 lists it, on the socket and at `GET /history/{chat_id}`.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Serialize, Serializer};

use callboard_actors::protocol::{Message, Role, Step, StepKind, Timestamp};

/// The step type of an answer.
pub const FINAL_ANSWER: &str = "FinalAnswerStep";

/// The step type of what the server itself wrote, such as a handoff.
const SYSTEM: &str = "SystemStep";

/// One entry of the list.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "HistoryEntry")]
pub struct Entry<'a> {
    role: &'static str,
    content: Cow<'a, str>,
    step_type: Option<&'static str>,
    /// `YYYY-MM-DD HH:MM:SS`, in UTC.
    #[schemars(with = "String")]
    timestamp: Documented,
}

/// A moment as the document writes it: `YYYY-MM-DD HH:MM:SS`, in UTC.
#[derive(Debug)]
struct Documented(Timestamp);

impl Serialize for Documented {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0.to_utc().format("%Y-%m-%d %H:%M:%S"))
    }
}

/// The step type of a step on the way; `None` for a conclusion, which the answer itself repeats.
pub fn step_type(step: &Step) -> Option<&'static str> {
    match step.kind {
        StepKind::Planning => Some("PlanningStep"),
        StepKind::Action => Some("ActionStep"),
        StepKind::Answer => None,
    }
}

/// What a message is in the list: a user's message one entry, an agent's its steps and then its answer.
pub fn entries(message: &Message) -> impl Iterator<Item = Entry<'_>> {
    let (role, last) = match message.role {
        Role::User => ("user", None),
        Role::Assistant => ("agent", Some(FINAL_ANSWER)),
        Role::System => ("agent", Some(SYSTEM)),
    };
    let steps = message.steps().filter_map(|step| {
        let kind = step_type(step)?;
        let content = Cow::Borrowed(step.content.as_str());
        Some(Entry { role: "agent", content, step_type: Some(kind), timestamp: Documented(step.at) })
    });
    let said = Entry { role, content: message.text(), step_type: last, timestamp: Documented(message.created_at) };
    steps.chain(std::iter::once(said))
}
