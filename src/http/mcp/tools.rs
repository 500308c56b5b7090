//! The agents as tools: `ask_<agent>`.

use std::sync::Arc;

use rmcp::model::{CallToolRequestParams, CallToolResult, ContentBlock, ProgressNotificationParam, Tool};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer};
use serde_json::{Map, Value, json};

use callboard_actors::agent::card::AgentCard;
use callboard_actors::protocol::{ConversationId, Error, Message, Part, Principal, Result, Run};

use super::board::{Board, caller, trace};
use crate::http::talk::{Next, Question, Talk};

/// What a tool's name begins with.
const PREFIX: &str = "ask_";

/// Every agent of the caller's tenant.
pub fn list(board: &Board, caller: &Principal) -> Vec<Tool> {
    let listings = board.runtime.tenant(&caller.tenant).directory.all();
    listings.iter().map(|listing| tool(&listing.card)).collect()
}

fn tool(card: &AgentCard) -> Tool {
    let persona = &card.persona;
    let description = format!("Ask {}, {}: {}", persona.name, persona.title, persona.description);
    Tool::new(name(card), description, schema()).with_title(format!("Ask {}", persona.name))
}

/// The name of an agent's tool: what an agent's may hold and a tool's may not becomes a line.
fn name(card: &AgentCard) -> String {
    let fit = |c: char| if c.is_ascii_alphanumeric() || "_-.".contains(c) { c } else { '_' };
    format!("{PREFIX}{}", card.name().as_str().chars().map(fit).collect::<String>())
}

fn schema() -> Map<String, Value> {
    let schema = json!({
        "type": "object",
        "properties": {
            "message": { "type": "string", "description": "What to ask or tell the agent" },
            "conversation_id": {
                "type": "string",
                "description": "The conversation to go on with; without it a new one begins, and is named in the answer",
            },
        },
        "required": ["message"],
    });
    schema.as_object().cloned().unwrap_or_default()
}

/// Has an agent answer. What goes wrong there is the tool's result, for the model that called it; only a tool that does
/// not exist is an error of the protocol.
pub async fn call(
    board: &Board,
    call: CallToolRequestParams,
    context: &RequestContext<RoleServer>,
) -> std::result::Result<CallToolResult, ErrorData> {
    let caller = caller(context)?;
    let listings = board.runtime.tenant(&caller.tenant).directory.all();
    let listing = listings.iter().find(|listing| name(&listing.card) == call.name);
    let unknown = || ErrorData::invalid_params(format!("There is no tool {}", shown(&call.name)), None);
    let listing = listing.ok_or_else(unknown)?;
    let arguments = call.arguments.as_ref();
    let asked = question(arguments.unwrap_or(&Map::new()), board.content).map(|(content, conversation)| Question {
        agent: listing.card.name().clone(),
        conversation,
        content,
        context: Vec::new(),
        stream: false,
        steps: context.meta.get_progress_token().is_some(),
        trace: trace(context),
    });
    let answered = match asked {
        Ok(question) => answer(board, &caller, question, context).await,
        Err(error) => Err(error),
    };
    Ok(match answered {
        Ok((run, answer)) => result(&run, &answer),
        Err(error) => CallToolResult::error(vec![ContentBlock::text(format!("{}: {error}", error.code.as_str()))]),
    })
}

fn shown(name: &str) -> String {
    name.chars().take(80).collect()
}

fn question(arguments: &Map<String, Value>, most: usize) -> Result<(String, Option<ConversationId>)> {
    let expected = || format!("a text of 1 to {most} bytes");
    let message = arguments.get("message").ok_or_else(|| Error::missing("message", &expected()))?;
    let message = message.as_str().filter(|text| !text.trim().is_empty() && text.len() <= most);
    let message = message.ok_or_else(|| Error::invalid("message", &expected()))?;
    let conversation = match arguments.get("conversation_id") {
        None | Some(Value::Null) => None,
        Some(Value::String(id)) => Some(ConversationId::parse("conversation_id", id)?),
        Some(_) => return Err(Error::invalid("conversation_id", "the id of a conversation")),
    };
    Ok((message.to_owned(), conversation))
}

/// Waits for the answer and tells of the steps on the way, if the client wants to hear of them. A call that the client
/// cancels, cancels the run.
async fn answer(
    board: &Board,
    caller: &Arc<Principal>,
    question: Question,
    context: &RequestContext<RoleServer>,
) -> Result<(Arc<Run>, Arc<Message>)> {
    let mut talk = Talk::begin(caller, &board.runtime, question).await?;
    let mut steps = 0_u32;
    loop {
        let next = tokio::select! {
            next = talk.next() => next,
            () = context.ct.cancelled() => None,
        };
        match next {
            Some(Next::Answer(answer)) => return Ok((talk.run().clone(), answer)),
            Some(Next::Failed(error)) => return Err(error),
            Some(Next::Step(step)) => {
                steps += 1;
                if let Some(token) = context.meta.get_progress_token() {
                    let told = ProgressNotificationParam::new(token, f64::from(steps)).with_message(step.content);
                    // A client that hears nothing more will not have the answer either.
                    let _ = context.peer.notify_progress(told).await;
                }
            }
            Some(Next::Piece(_)) => {}
            None => return Err(Error::new(callboard_actors::protocol::Code::Cancelled, "The call was cancelled")),
        }
    }
}

fn result(run: &Run, answer: &Message) -> CallToolResult {
    let data = answer.parts.iter().find_map(|part| match part {
        Part::Data(text) => serde_json::from_str::<Value>(text).ok(),
        Part::Text(_) | Part::Step(_) => None,
    });
    let mut result = CallToolResult::success(vec![ContentBlock::text(answer.text())]);
    result.structured_content = Some(json!({
        "answer": answer.text(), "agent": run.agent, "conversation_id": run.conversation, "run_id": run.id,
        "data": data,
    }));
    result
}
