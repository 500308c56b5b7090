//! Runs as JSON: one with its steps, and pages of them without.

use schemars::JsonSchema;
use serde::{Serialize, Serializer};
use serde_json::Value;

use callboard_actors::archive::ListedRun;
use callboard_actors::protocol::{Approval, Error, Step, Tokens};
use callboard_actors::runs::RunReport;

use crate::dialect::view::{CallView, Rfc3339, calls};
use crate::record::TokensPart;

/// Runs that have not ended.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Runs")]
pub struct RunsView<'a> {
    runs: Vec<RunView<'a>>,
}

/// A page of a conversation's runs, newest first.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "RunPage")]
pub struct RunPageView<'a> {
    runs: Vec<RunView<'a>>,
    /// What to give as `before` for the next page; null on the last one.
    next_before: Option<u64>,
}

/// What an agent does, or did, for somebody.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Run")]
pub struct RunView<'a> {
    id: &'a str,
    kind: &'static str,
    agent: &'a str,
    conversation_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    status: &'static str,
    created_at: Rfc3339,
    started_at: Option<Rfc3339>,
    ended_at: Option<Rfc3339>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorView<'a>>,
    /// What it waits for, while it waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    approval: Option<ApprovalView<'a>>,
    /// What models read and wrote for it so far, if one was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<TokensPart>")]
    tokens: Option<Tokens>,
    steps: Vec<StepView<'a>>,
}

/// What a run waits to be allowed.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Approval")]
struct ApprovalView<'a> {
    calls: Vec<CallView<'a>>,
    requested_at: Rfc3339,
    expires_at: Rfc3339,
}

impl<'a> ApprovalView<'a> {
    fn of(approval: &'a Approval) -> Self {
        let Approval { asked_at, expires_at, .. } = *approval;
        Self { calls: calls(approval), requested_at: Rfc3339(asked_at), expires_at: Rfc3339(expires_at) }
    }
}

/// Why a run has no answer.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "RunError")]
struct ErrorView<'a> {
    code: &'static str,
    message: &'a str,
    details: &'a str,
}

/// A step of a run.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Step")]
struct StepView<'a> {
    kind: &'static str,
    content: &'a str,
    importance: f32,
    at: Rfc3339,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "json_text")]
    #[schemars(with = "Option<Value>")]
    arguments: Option<&'a str>,
    /// Whether the tool did what was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    ok: Option<bool>,
    /// What the model was given of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a str>,
    /// What the model read and wrote for this step.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<TokensPart>")]
    tokens: Option<Tokens>,
}

/// JSON text as the value it stands for.
fn json_text<S: Serializer>(text: &Option<&str>, serializer: S) -> Result<S::Ok, S::Error> {
    let value = text.map(|text| serde_json::from_str(text).unwrap_or_else(|_| serde_json::Value::from(text)));
    value.serialize(serializer)
}

impl<'a> StepView<'a> {
    fn of(step: &'a Step) -> Self {
        let call = step.call.as_ref();
        Self {
            kind: step.kind.as_str(),
            content: &step.content,
            importance: step.importance,
            at: Rfc3339(step.at),
            tool: call.map(|call| call.tool.as_str()),
            arguments: call.map(|call| call.arguments.as_str()),
            ok: call.map(|call| call.ok),
            result: call.map(|call| call.result.as_str()).filter(|result| !result.is_empty()),
            tokens: step.tokens,
        }
    }
}

impl<'a> RunsView<'a> {
    /// The view of runs that have not ended.
    pub fn of(listed: &'a [ListedRun]) -> Self {
        Self { runs: listed.iter().map(RunView::listed).collect() }
    }
}

impl<'a> RunPageView<'a> {
    /// The view of a page.
    pub fn of(listed: &'a [ListedRun], next: Option<u64>) -> Self {
        Self { runs: listed.iter().map(RunView::listed).collect(), next_before: next }
    }
}

impl<'a> RunView<'a> {
    fn listed(listed: &'a ListedRun) -> Self {
        Self { tokens: some(listed.tokens), ..Self::of(&listed.report) }
    }

    /// The view of a run.
    pub fn of(report: &'a RunReport) -> Self {
        let run = &report.run;
        let error = |error: &'a Error| ErrorView {
            code: error.code.as_str(),
            message: &error.message,
            details: &error.details,
        };
        Self {
            id: run.id.as_str(),
            kind: run.kind.as_str(),
            agent: run.agent.as_str(),
            conversation_id: run.conversation.as_str(),
            request_id: run.request_id.as_deref(),
            status: report.status.as_str(),
            created_at: Rfc3339(run.created_at),
            started_at: report.started_at.map(Rfc3339),
            ended_at: report.ended_at.map(Rfc3339),
            error: report.error.as_ref().map(error),
            approval: report.approval.as_deref().map(ApprovalView::of),
            tokens: some(report.tokens()),
            steps: report.steps.iter().map(StepView::of).collect(),
        }
    }
}

/// Nothing where no model was asked.
fn some(tokens: Tokens) -> Option<Tokens> {
    (tokens.total() > 0).then_some(tokens)
}
