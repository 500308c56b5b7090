//! Document 002, from the client.

use serde_json::Value;

use callboard_actors::protocol::{
    AgentName, Ask, CancelTarget, ChannelId, Code, Command, ConversationId, Error, Flow, Interest, MessageId, Mode,
    Pattern, Priority, Publish, Result, RunId, RunKind, SubscriptionId, Topic,
};

use crate::dialect::fields::Fields;
use crate::dialect::{Bounds, Call};

/// The frame types of the document, as an error lists them.
const TYPES: &str = "task, chat, command, subscribe, unsubscribe, publish, join_conversation, leave_conversation, \
                     history, agent_handoff, typing_start, typing_stop, status, batch, cancel, approve, reject, \
                     ping or pong";

/// Messages in a page of history unless the client says otherwise.
const PAGE: u64 = 50;

/// The longest reason of a handoff or a decision, in bytes; it is shown to people and given to the agent.
const MAX_REASON: usize = 4096;

/// What a frame inherits from the batch it came in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Inherited<'a> {
    pub agent: Option<&'a AgentName>,
    pub priority: Priority,
}

impl Inherited<'_> {
    /// What a frame has that came alone.
    pub const NOTHING: Self = Self { agent: None, priority: Priority::Normal };
}

/// What a single request comes to.
pub(super) fn call(
    kind: &str,
    fields: &Fields<'_>,
    own: &ConversationId,
    bounds: &Bounds,
    inherited: Inherited<'_>,
) -> Result<Call> {
    let id = fields.id("id")?.map(|id| id.into_owned());
    let data = fields.object("data")?;
    let command = match kind {
        "chat" => ask(RunKind::Chat, fields, &data, own, bounds, inherited)?,
        "command" => ask(RunKind::Command, fields, &data, own, bounds, inherited)?,
        "subscribe" => Command::Subscribe { patterns: some(patterns(&data)?, &data)? },
        "unsubscribe" => unsubscribe(&data)?,
        "publish" => publish(&data, bounds)?,
        "join_conversation" => join(&data)?,
        "leave_conversation" => Command::Leave { conversation: conversation(&data)? },
        "history" => Command::History {
            conversation: conversation(&data)?,
            limit: usize::try_from(data.number("limit")?.unwrap_or(PAGE)).unwrap_or(usize::MAX),
            before: data.number("before")?,
        },
        "agent_handoff" => handoff(&data)?,
        "typing_start" => typing(fields, &data, true)?,
        "typing_stop" => typing(fields, &data, false)?,
        "status" => Command::Status { agent: target(fields, inherited)? },
        "cancel" => {
            let id = data.required_id("id")?.into_owned();
            Command::Cancel { target: CancelTarget::Named(id) }
        }
        "approve" => decide(&data, true)?,
        "reject" => decide(&data, false)?,
        other => return Err(unknown_type(other)),
    };
    let interest = match &command {
        Command::Ask(ask) if ask.stream => Interest::DELTAS,
        Command::Join { .. } => Interest::MESSAGES.and(Interest::MANNERS),
        _ => Interest::NOTHING,
    };
    Ok(Call { id, command, interest })
}

/// The error for a type that nobody speaks here.
pub fn unknown_type(kind: &str) -> Error {
    let shown: String = kind.chars().take(64).collect();
    Error::new(Code::InvalidMessage, format!("Unknown message type: {shown}"))
        .with_details(format!("type: expected {TYPES}"))
}

/// A chat or a command: the same but for where it says what it wants.
fn ask(
    kind: RunKind,
    fields: &Fields<'_>,
    data: &Fields<'_>,
    own: &ConversationId,
    bounds: &Bounds,
    inherited: Inherited<'_>,
) -> Result<Command> {
    let (content, parameters, stream) = match kind {
        RunKind::Command => ("instruction", data.value("parameters")?, false),
        RunKind::Chat | RunKind::Task => ("message", Value::Null, data.flag("stream")?),
    };
    Ok(Command::Ask(Ask {
        conversation: optional_conversation(data)?.unwrap_or_else(|| own.clone()),
        agent: target(fields, inherited)?,
        content: data.content(content, bounds.content)?,
        parameters,
        kind,
        priority: priority(fields, inherited)?,
        stream,
        serial: false,
        request_id: fields.id("id")?.map(|id| id.into_owned()),
        private: false,
        context: Vec::new(),
        trace: fields.trace(),
    }))
}

fn join(data: &Fields<'_>) -> Result<Command> {
    let conversation = conversation(data)?;
    let names = data.texts("agents")?.unwrap_or_default();
    let agents = names.iter().map(|name| AgentName::parse("data.agents", name)).collect::<Result<_>>()?;
    let mode = data.text("mode")?;
    let mode = mode.map(|mode| Mode::named(&mode).ok_or_else(|| data.invalid("mode", "lead, all or auto")));
    Ok(Command::Join { conversation, agents, mode: mode.transpose()? })
}

fn handoff(data: &Fields<'_>) -> Result<Command> {
    Ok(Command::Handoff {
        conversation: conversation(data)?,
        from: AgentName::trusted(&*data.required_id("fromAgent")?),
        to: AgentName::trusted(&*data.required_id("toAgent")?),
        reason: data.note("reason", MAX_REASON)?,
    })
}

/// Whether a run that waits may do what it waits for.
fn decide(data: &Fields<'_>, approve: bool) -> Result<Command> {
    let run = RunId::trusted(&*data.required_id("runId")?);
    Ok(Command::Decide { run, approve, reason: data.note("reason", MAX_REASON)? })
}

/// The document has the fields of typing at the top level; in `data` they are understood as well.
fn typing(fields: &Fields<'_>, data: &Fields<'_>, typing: bool) -> Result<Command> {
    let place = if fields.has("conversationId") || !data.has("conversationId") { fields } else { data };
    let user = if fields.has("userId") { fields.id("userId")? } else { data.id("userId")? };
    Ok(Command::Typing { conversation: conversation(place)?, user: user.map(|user| user.into_owned()), typing })
}

fn publish(data: &Fields<'_>, bounds: &Bounds) -> Result<Command> {
    let content =
        data.passed_on("content", bounds.content)?.ok_or_else(|| data.missing("content", "any JSON value"))?;
    let metadata = data.passed_on("metadata", bounds.content)?;
    if metadata.is_some_and(|metadata| !metadata.starts_with('{')) {
        return Err(data.invalid("metadata", "an object"));
    }
    Ok(Command::Publish(Publish {
        channel: Some(ChannelId::trusted(&*data.required_id("channel")?)),
        id: data.id("messageId")?.map(|id| MessageId::trusted(&*id)),
        kind: "message".to_owned(),
        content: content.to_owned(),
        metadata: metadata.map(str::to_owned),
        reply_to: None,
    }))
}

fn unsubscribe(data: &Fields<'_>) -> Result<Command> {
    let ids = data.texts("subscriptionIds")?.unwrap_or_default();
    let ids: Vec<SubscriptionId> =
        ids.iter().map(|id| SubscriptionId::parse("data.subscriptionIds", id)).collect::<Result<_>>()?;
    let patterns = patterns(data)?;
    if ids.is_empty() && patterns.is_empty() {
        return Err(data.missing("events", "events, stream, channels or subscriptionIds"));
    }
    Ok(Command::Unsubscribe { patterns, ids })
}

/// Every pattern that the data of a subscription names.
fn patterns(data: &Fields<'_>) -> Result<Vec<Pattern>> {
    let mut patterns = Vec::new();
    for name in data.texts("events")?.unwrap_or_default() {
        patterns.push(Pattern::Topic(topic(&name, data)?));
    }
    if let Some(name) = data.text("stream")? {
        let known = || Flow::ALL.iter().map(|flow| flow.as_str()).collect::<Vec<_>>().join(", ");
        let flow = Flow::named(&name).ok_or_else(|| data.invalid("stream", &format!("one of {}", known())))?;
        let filter = data.object("filter")?;
        patterns.push(Pattern::Flow {
            flow,
            agent: data.id("agentId")?.map(|agent| AgentName::trusted(&*agent)),
            min_importance: filter.fraction("minImportance")?.unwrap_or(0.0),
        });
    }
    let since = data.number("since")?;
    for id in data.texts("channels")?.unwrap_or_default() {
        patterns.push(Pattern::Channel { channel: ChannelId::parse("data.channels", &id)?, since });
    }
    Ok(patterns)
}

fn topic(name: &str, data: &Fields<'_>) -> Result<Option<Topic>> {
    if name == "*" {
        return Ok(None);
    }
    let known = || Topic::ALL.iter().map(|topic| topic.as_str()).collect::<Vec<_>>().join(", ");
    Topic::named(name).map(Some).ok_or_else(|| data.invalid("events", &format!("names out of {}, *", known())))
}

fn some(patterns: Vec<Pattern>, data: &Fields<'_>) -> Result<Vec<Pattern>> {
    if patterns.is_empty() { Err(data.missing("events", "events, stream or channels")) } else { Ok(patterns) }
}

fn conversation(data: &Fields<'_>) -> Result<ConversationId> {
    data.required_id("conversationId").map(|id| ConversationId::trusted(&*id))
}

fn optional_conversation(data: &Fields<'_>) -> Result<Option<ConversationId>> {
    Ok(data.id("conversationId")?.map(|id| ConversationId::trusted(&*id)))
}

fn target(fields: &Fields<'_>, inherited: Inherited<'_>) -> Result<Option<AgentName>> {
    let named = fields.id("targetAgent")?.map(|agent| AgentName::trusted(&*agent));
    Ok(named.or_else(|| inherited.agent.cloned()))
}

pub(super) fn priority(fields: &Fields<'_>, inherited: Inherited<'_>) -> Result<Priority> {
    let Some(name) = fields.text("priority")? else { return Ok(inherited.priority) };
    Priority::named(&name).ok_or_else(|| fields.invalid("priority", "urgent, high, normal or low"))
}
