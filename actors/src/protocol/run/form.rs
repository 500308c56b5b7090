//! The durable form of a step.
//!
//! Records name no fields, so a field more would make the older ones unreadable. A step used to begin with the number
//! of its kind, 0 to 2, and the fields followed; that is how the first three variants are still written. What says more
//! is the fourth.

use serde::{Deserialize, Serialize};

use super::{Step, StepKind, Timestamp, Tokens, ToolCall};

/// The order of the variants is the format.
#[derive(Clone, Serialize, Deserialize)]
pub(super) enum Form {
    Planning(Plain),
    Action(Plain),
    Answer(Plain),
    Full(Full),
}

/// What every step says.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Plain {
    content: String,
    importance: f32,
    at: Timestamp,
    call: Option<PlainCall>,
}

#[derive(Clone, Serialize, Deserialize)]
struct PlainCall {
    tool: String,
    arguments: String,
    ok: bool,
}

/// What the steps of a model say.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Full {
    kind: StepKind,
    plain: Plain,
    id: String,
    result: String,
    tokens: Option<Tokens>,
}

impl From<Step> for Form {
    fn from(step: Step) -> Self {
        let Step { kind, content, importance, at, call, tokens } = step;
        let mut more = (String::new(), String::new());
        let call = call.map(|ToolCall { tool, arguments, ok, id, result }| {
            more = (id, result);
            PlainCall { tool, arguments, ok }
        });
        let plain = Plain { content, importance, at, call };
        let (id, result) = more;
        if tokens.is_some() || !id.is_empty() || !result.is_empty() {
            return Self::Full(Full { kind, plain, id, result, tokens });
        }
        match kind {
            StepKind::Planning => Self::Planning(plain),
            StepKind::Action => Self::Action(plain),
            StepKind::Answer => Self::Answer(plain),
        }
    }
}

impl From<Form> for Step {
    fn from(form: Form) -> Self {
        let plain = |kind, plain| Full { kind, plain, id: String::new(), result: String::new(), tokens: None };
        let Full { kind, plain, id, result, tokens } = match form {
            Form::Planning(step) => plain(StepKind::Planning, step),
            Form::Action(step) => plain(StepKind::Action, step),
            Form::Answer(step) => plain(StepKind::Answer, step),
            Form::Full(full) => full,
        };
        let Plain { content, importance, at, call } = plain;
        let call = call.map(|PlainCall { tool, arguments, ok }| ToolCall { tool, arguments, ok, id, result });
        Self { kind, content, importance, at, call, tokens }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// A step as it was written before models: fields in their order, without names.
    #[derive(Serialize)]
    struct Before {
        kind: StepKind,
        content: String,
        importance: f32,
        at: Timestamp,
        call: Option<PlainCall>,
    }

    #[test]
    fn steps_written_before_there_were_models_read_as_they_were() {
        for kind in [StepKind::Planning, StepKind::Action, StepKind::Answer] {
            for named in [None, Some("clock")] {
                let tool = named.map(str::to_owned);
                let call = tool.clone().map(|tool| PlainCall { tool, arguments: "{}".into(), ok: true });
                let before = Before { kind, content: "so".into(), importance: 0.5, at: Timestamp(7), call };
                let bytes = postcard::to_allocvec(&before).unwrap();
                let read: Step = postcard::from_bytes(&bytes).unwrap();
                let call = tool.map(|tool| ToolCall { tool, arguments: "{}".into(), ok: true, ..ToolCall::default() });
                assert_eq!(read, Step { call, at: Timestamp(7), ..Step::now(kind, "so", 0.5) });
                assert_eq!(postcard::to_allocvec(&read).unwrap(), bytes, "and are written as they were");
            }
        }
    }

    #[test]
    fn a_models_step_survives_being_written() {
        let call =
            ToolCall { tool: "t".into(), arguments: "{}".into(), ok: false, id: "c1".into(), result: "r".into() };
        let tokens = Some(Tokens { input: 3, output: 4 });
        for step in [
            Step { call: Some(call), ..Step::now(StepKind::Action, "did", 0.8) },
            Step { tokens, ..Step::now(StepKind::Planning, "think", 0.2) },
        ] {
            let bytes = postcard::to_allocvec(&step).unwrap();
            assert_eq!(postcard::from_bytes::<Step>(&bytes).unwrap(), step);
        }
    }
}
