//! What came of a reply so far, and what it comes to.

use genai::chat::{StopReason, StreamEnd, ToolCall, Usage};

use crate::brain::model::fault::{Fault, Trouble};
use crate::brain::model::voice::{Call, Ear, Reply};
use crate::protocol::Tokens;

/// Uses of tools that are read from one reply; what is done of them is decided elsewhere.
const MOST_CALLS: usize = 64;

/// What came of a reply so far.
#[derive(Default)]
pub(super) struct Heard {
    text: String,
    thought: String,
    /// Bytes, words and arguments together.
    pub size: usize,
}

impl Heard {
    /// Words, which are told on; says whether there were any.
    pub fn words(&mut self, piece: &str, ear: Ear<'_>) -> bool {
        self.size += piece.len();
        self.text.push_str(piece);
        ear(piece);
        !piece.is_empty()
    }

    /// A thought, which is kept; says whether there was any.
    pub fn thought(&mut self, piece: &str) -> bool {
        self.size += piece.len();
        self.thought.push_str(piece);
        !piece.is_empty()
    }

    /// Chunks of a call repeat what came before; the whole stands in the end. Here they only show that it goes on.
    pub fn call(&mut self, call: &ToolCall) -> bool {
        let grown = call.fn_arguments.as_str().map_or(0, str::len);
        self.size = self.size.max(self.text.len() + self.thought.len() + grown);
        true
    }

    /// The whole, once the end is there; `asked` are the bytes of the request.
    pub fn reply(self, end: StreamEnd, asked: usize) -> Result<Reply, Fault> {
        let cut = match &end.captured_stop_reason {
            Some(StopReason::MaxTokens(_)) => true,
            Some(StopReason::ContentFilter(_)) => {
                return Err(Fault::new(Trouble::Refused, "its provider withheld the reply"));
            }
            _ => false,
        };
        let usage = end.captured_usage.clone();
        let calls: Vec<Call> = calls(end.captured_into_tool_calls().unwrap_or_default());
        if self.text.trim().is_empty() && calls.is_empty() {
            return Err(Fault::new(Trouble::Broken, "its reply is empty"));
        }
        let said = self.size + calls.iter().map(|call| call.arguments.to_string().len()).sum::<usize>();
        let tokens = tokens(usage, asked, said);
        Ok(Reply { text: self.text, thought: self.thought, calls, tokens, cut })
    }
}

/// Calls with ids that are there and differ.
fn calls(calls: Vec<ToolCall>) -> Vec<Call> {
    let mut kept: Vec<Call> = Vec::new();
    for (call, number) in calls.into_iter().take(MOST_CALLS).zip(1..) {
        let ToolCall { call_id, fn_name, fn_arguments, thought_signatures } = call;
        let taken = call_id.is_empty() || kept.iter().any(|other| other.id == call_id);
        let id = if taken { format!("call_{number}") } else { call_id };
        kept.push(Call {
            id,
            tool: fn_name,
            arguments: fn_arguments,
            signatures: thought_signatures.unwrap_or_default(),
        });
    }
    kept
}

/// What the server counted, or an estimate of four bytes a token, so that budgets hold where it does not count.
fn tokens(usage: Option<Usage>, asked: usize, said: usize) -> Tokens {
    let counted = |count: Option<i32>| count.and_then(|count| u64::try_from(count).ok()).filter(|count| *count > 0);
    let estimate = |bytes: usize| (bytes as u64).div_ceil(4);
    let usage = usage.unwrap_or_default();
    Tokens {
        input: counted(usage.prompt_tokens).unwrap_or_else(|| estimate(asked)),
        output: counted(usage.completion_tokens).unwrap_or_else(|| estimate(said)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn calls_get_ids_that_differ() {
        let call = |id: &str| ToolCall {
            call_id: id.to_owned(),
            fn_name: "clock".to_owned(),
            fn_arguments: Value::Null,
            thought_signatures: None,
        };
        let ids: Vec<String> = calls(vec![call(""), call("a"), call("a")]).into_iter().map(|call| call.id).collect();
        assert_eq!(ids, ["call_1", "a", "call_3"]);
    }

    #[test]
    fn what_is_not_counted_is_estimated() {
        assert_eq!(tokens(None, 400, 5), Tokens { input: 100, output: 2 });
        let usage = Usage { prompt_tokens: Some(7), completion_tokens: Some(3), ..Usage::default() };
        assert_eq!(tokens(Some(usage), 400, 5), Tokens { input: 7, output: 3 });
    }
}
