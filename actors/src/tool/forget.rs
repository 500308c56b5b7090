//! Forgetting: removes one fact from the tenant's memory, the one that fits best what somebody names.

use serde_json::{Value, json};

use super::{Bid, Output, Scene, Tool, argument};
use crate::protocol::{Error, MessageId};
use crate::text::{Reading, Words, shortened, terms, unquoted};

/// The share of what is named that a fact must have to be the one that is meant.
const LEAST_COVERAGE: f32 = 0.5;

/// Removes a fact from the tenant's memory.
#[derive(Debug)]
pub struct Forget;

impl Tool for Forget {
    fn name(&self) -> &str {
        "forget"
    }

    fn uses_memory(&self) -> bool {
        true
    }

    fn description(&self) -> &str {
        "forget something that was remembered"
    }

    fn parameters(&self) -> Value {
        json!({
            "type": "object",
            "properties": {
                "text": { "type": "string", "description": "what the memory is about" },
                "id": { "type": "string", "description": "the id of the memory, instead of a text" }
            }
        })
    }

    fn bid(&self, text: &str, _parameters: &Value, _scene: &Scene) -> Option<Bid> {
        let reading = Reading::of(text);
        let words = &reading.words;
        let begins = words
            .begins_any(&["forget", "please forget", "you can forget", "can you forget", "unlearn", "please unlearn"]);
        let removes = words.any(&["delete", "remove", "erase", "drop"])
            && words.any(&["memory", "memories", "note", "fact", "remembered", "you remember"]);
        if words.any(&["don't forget", "not forget", "forget it", "never forget"]) || !(begins || removes) {
            return None;
        }
        let lower = reading.whole.to_ascii_lowercase();
        let behind = |cue: &str| lower.find(cue).and_then(|at| reading.whole.get(at + cue.len()..));
        let named = reading
            .subject
            .or_else(|| [" about ", " that ", "forget ", "unlearn "].iter().find_map(|cue| behind(cue)))
            .unwrap_or(reading.whole);
        let named = unquoted(named.trim_end_matches(['.', '?', '!']));
        let intent = format!("forget what I remember about “{}”", shortened(named, 60));
        Some(Bid { score: 0.95, arguments: json!({ "text": named }), intent })
    }

    fn call(&self, arguments: &Value, scene: &Scene) -> Result<Output, Error> {
        let id = match argument::optional(arguments, "id", "the id of a memory")? {
            Some(id) => Some(MessageId::parse("id", id)?),
            None => {
                let text = argument::required(arguments, "text", "what the memory is about")?;
                if terms(text).is_empty() || Words::of(text).any(&["everything", "all", "all of it"]) {
                    return Err(Error::invalid("text", "what one memory is about; I forget one at a time"));
                }
                let best = scene.memory.search(scene.whose(), text, 1)?.into_iter().next();
                best.filter(|found| found.coverage >= LEAST_COVERAGE).map(|found| found.fact.id.clone())
            }
        };
        let change = match id {
            Some(id) => scene.memory.forget(scene.whose(), &id)?,
            None => None,
        };
        let (text, data) = match &change {
            Some(change) => (
                format!("I have forgotten “{}”.", change.fact.text),
                json!({ "id": change.fact.id, "text": change.fact.text }),
            ),
            None => ("I remember nothing like that, so there is nothing to forget.".to_owned(), Value::Null),
        };
        Ok(Output { text, data, changes: change.into_iter().collect() })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::memory::tests::fact;
    use crate::tool::tests::scene;

    #[test]
    fn it_forgets_the_one_that_is_meant() {
        let scene = scene();
        scene.memory.remember(&scene.tenant, fact("my favourite colour is teal")).unwrap();
        scene.memory.remember(&scene.tenant, fact("the deploy is on Friday")).unwrap();
        let cases = [
            ("forget about black holes", 2),
            ("Forget that the deploy is on Friday", 1),
            ("delete the note about my favorite color", 0),
        ];
        for (text, left) in cases {
            let bid = Forget.bid(text, &Value::Null, &scene).unwrap();
            Forget.call(&bid.arguments, &scene).unwrap();
            assert_eq!(scene.memory.len(&scene.tenant).unwrap(), left, "{text}");
        }
        for text in ["don't forget to call", "forget it", "Hello", "I forget things"] {
            assert_eq!(Forget.bid(text, &Value::Null, &scene), None, "{text}");
        }
        assert!(Forget.call(&json!({ "text": "everything" }), &scene).is_err());
    }
}
