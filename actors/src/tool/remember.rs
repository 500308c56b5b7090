//! Remembering: keeps what somebody asks to be kept, in the words it was said in.

use serde_json::{Value, json};

use super::{Bid, Output, Scene, Tool, argument};
use crate::memory::Fact;
use crate::protocol::Error;
use crate::text::{beginning, shortened, unquoted};

/// How important a fact is where nothing is said about it.
const USUAL_IMPORTANCE: f64 = 0.6;

/// Keeps a fact in the tenant's memory.
#[derive(Debug)]
pub struct Remember;

impl Tool for Remember {
    fn name(&self) -> &str {
        "remember"
    }

    fn uses_memory(&self) -> bool {
        true
    }

    fn description(&self) -> &str {
        "remember what you tell me to, across conversations"
    }

    fn parameters(&self) -> Value {
        json!({
            "type": "object",
            "properties": {
                "text": { "type": "string", "description": "what to remember" },
                "importance": { "type": "number", "minimum": 0, "maximum": 1, "default": USUAL_IMPORTANCE }
            },
            "required": ["text"]
        })
    }

    fn bid(&self, text: &str, parameters: &Value, _scene: &Scene) -> Option<Bid> {
        let (fact, score) = wanted(text)?;
        let fact = argument::text(parameters, "text").unwrap_or(fact);
        let important = text.to_lowercase().contains("important");
        let importance = if important { 0.9 } else { USUAL_IMPORTANCE };
        let intent = format!("remember “{}”", shortened(fact, 80));
        Some(Bid { score, arguments: json!({ "text": fact, "importance": importance }), intent })
    }

    fn call(&self, arguments: &Value, scene: &Scene) -> Result<Output, Error> {
        let text = argument::required(arguments, "text", "what to remember")?;
        let importance = match arguments.get("importance") {
            None | Some(Value::Null) => USUAL_IMPORTANCE,
            Some(value) => match value.as_f64().filter(|importance| (0.0..=1.0).contains(importance)) {
                Some(importance) => importance,
                None => return Err(Error::invalid("importance", "a number from 0 to 1")),
            },
        };
        // Single precision is what a step's importance has as well.
        let fact = Fact::now(scene.agent.clone(), scene.conversation.clone(), text, importance as f32);
        let (kept, changes) = scene.memory.remember(scene.whose(), fact)?;
        let said = if changes.is_empty() { "I remember that already" } else { "I will remember that" };
        let dropped = changes.iter().find(|change| !change.kept);
        let aside =
            dropped.map(|change| format!(" For it I had to forget “{}”: my memory is full.", change.fact.short()));
        let text = format!("{said}: “{}”.{}", kept.text, aside.unwrap_or_default());
        let data =
            json!({ "id": kept.id, "text": kept.text, "at": kept.at.to_string(), "importance": kept.importance });
        Ok(Output { text, data, changes })
    }
}

/// The instruction to remember stands in the first bytes of a text.
const MAX_OPENING: usize = 160;

/// What stands before a fact; longer ones before those they begin with.
const CUES: [(&str, f32); 27] = [
    ("make a note that ", 0.95),
    ("make a note of ", 0.9),
    ("make a note: ", 0.95),
    ("take a note: ", 0.95),
    ("take note that ", 0.95),
    ("take note: ", 0.95),
    ("please note that ", 0.85),
    ("note that ", 0.85),
    ("note down ", 0.85),
    ("note to self: ", 0.95),
    ("note: ", 0.95),
    ("keep in mind ", 0.95),
    ("keep in mind: ", 0.95),
    ("bear in mind ", 0.9),
    ("don't forget ", 0.92),
    ("do not forget ", 0.92),
    ("never forget ", 0.92),
    ("remember this: ", 0.95),
    ("remember that ", 0.95),
    ("remember: ", 0.95),
    ("remember ", 0.9),
    ("memorize ", 0.92),
    ("memorise ", 0.92),
    ("write down ", 0.85),
    ("save this: ", 0.85),
    ("store this: ", 0.85),
    ("for the record, ", 0.8),
];

/// What may stand before a cue.
const OPENERS: [&str; 16] = [
    "", "please", "can you", "could you", "would you", "will you", "can you please", "could you please",
    "i want you to", "i'd like you to", "hey", "ok", "okay", "also", "and", "you should",
];

/// What is to be remembered, and how sure that is.
fn wanted(text: &str) -> Option<(&str, f32)> {
    let text = text.trim();
    // Of the same length as the text, so that places in one are places in the other.
    let lower = beginning(text, MAX_OPENING).to_ascii_lowercase();
    let (at, cue, score) = CUES.iter().find_map(|(cue, score)| {
        let at = lower.find(cue)?;
        let opener = lower.get(..at)?.trim_matches(|c: char| !c.is_alphanumeric());
        // A name before the cue is an address: `sage, remember that …`.
        let addressed = opener.split_whitespace().count() == 1 && lower.get(..at)?.trim_end().ends_with([',', ':']);
        (OPENERS.contains(&opener) || addressed).then_some((at, *cue, *score))
    })?;
    let fact = unquoted(text.get(at + cue.len()..)?.trim_start_matches([':', ',', ' ']));
    let fact = ["that ", "this: ", "to "].iter().find_map(|word| strip_start(fact, word)).unwrap_or(fact);
    let fact = unquoted(fact);
    let asks =
        fact.ends_with('?') && !lower.starts_with("can") && !lower.starts_with("could") && !lower.starts_with("will");
    let asks = asks
        || ["when ", "what ", "who ", "how ", "where ", "why "].iter().any(|word| strip_start(fact, word).is_some());
    let vague = fact.split_whitespace().count() < 2 && cue == "remember ";
    let fact = fact.trim_end_matches('?');
    let recalls = asks && cue.starts_with("remember");
    (!fact.is_empty() && !recalls && !vague).then_some((fact, score))
}

fn strip_start<'a>(text: &'a str, start: &str) -> Option<&'a str> {
    let head = text.get(..start.len())?;
    head.eq_ignore_ascii_case(start).then(|| text[start.len()..].trim_start())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::tool::tests::scene;

    #[test]
    fn it_knows_what_is_to_be_kept() {
        let cases = [
            ("remember that my favourite colour is teal", "my favourite colour is teal"),
            ("Keep in mind that the deploy is on Friday", "the deploy is on Friday"),
            ("note: buy milk on 2026-11-21", "buy milk on 2026-11-21"),
            ("Please note that the office is closed", "the office is closed"),
            ("don't forget to call Ada", "call Ada"),
            ("make a note that I prefer tea", "I prefer tea"),
            ("Can you remember that I live in Berlin?", "I live in Berlin"),
            ("remember this: \"the code is 1234\"", "the code is 1234"),
            ("please keep in mind: I only speak English", "I only speak English"),
            ("memorize my name is Ada", "my name is Ada"),
            ("write down that the key is under the mat", "the key is under the mat"),
            ("sage, remember that tea is at four", "tea is at four"),
        ];
        for (text, fact) in cases {
            assert_eq!(wanted(text).map(|(fact, _)| fact), Some(fact), "{text}");
        }
        for text in ["do you remember my name?", "remember when we met?", "I can't remember that", "Hello", "remember?"]
        {
            assert_eq!(wanted(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_kept_is_told_once() {
        let scene = scene();
        let arguments = json!({ "text": "tea at four" });
        let first = Remember.call(&arguments, &scene).unwrap();
        assert_eq!((first.text.as_str(), first.changes.len()), ("I will remember that: “tea at four”.", 1));
        let again = Remember.call(&arguments, &scene).unwrap();
        assert_eq!((again.text.as_str(), again.changes.len()), ("I remember that already: “tea at four”.", 0));
        for bad in [json!({}), json!({ "text": 5 }), json!({ "text": "x", "importance": 2 })] {
            assert!(Remember.call(&bad, &scene).is_err(), "{bad}");
        }
    }
}
