//! The unruly tool: does to the house what a faulty one would. Made only where the operator asks for it
//! (`debug.unruly`), to see that the house withstands it.

use serde_json::{Value, json};

use super::argument::text;
use super::{Bid, Output, Scene, Tool};
use crate::protocol::Error;

/// Misbehaves as it is told: `unruly panic`, `unruly block`, `unruly bulk`.
#[derive(Debug)]
pub struct Unruly;

/// What is returned by those that return too much: many times what a run may produce.
pub(crate) const BULK: usize = 64 << 20;

/// Panics or blocks, if it is told to.
pub(crate) fn misbehave(how: &str) {
    match how {
        "panic" => panic!("as told"),
        "block" => loop {
            std::thread::park();
        },
        _ => {}
    }
}

impl Tool for Unruly {
    fn name(&self) -> &'static str {
        "unruly"
    }

    fn description(&self) -> &'static str {
        "misbehave as told, to see that the house withstands it"
    }

    fn parameters(&self) -> Value {
        json!({ "type": "object", "properties": { "how": { "type": "string" } }, "required": ["how"] })
    }

    fn bid(&self, asked: &str, _: &Value, _: &Scene) -> Option<Bid> {
        let how = asked.strip_prefix("unruly ")?;
        Some(Bid { score: 1.0, arguments: json!({ "how": how }), intent: format!("misbehave: {how}") })
    }

    fn call(&self, arguments: &Value, _: &Scene) -> Result<Output, Error> {
        let how = text(arguments, "how").unwrap_or_default();
        misbehave(how);
        let said = if how == "bulk" { "x".repeat(BULK) } else { format!("I did not misbehave: {how}") };
        Ok(Output { text: said, ..Output::default() })
    }
}
