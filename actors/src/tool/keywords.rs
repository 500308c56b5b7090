//! Keywords: the words and phrases that a text is about, by YAKE, which needs nothing but the text itself.

use std::collections::HashSet;

use serde_json::{Value, json};
use yake_rust::{Config, StopWords};

use super::{Bid, Output, Scene, Tool, argument};
use crate::protocol::{Error, Role};
use crate::text::{Reading, shortened};

/// The longest text that is looked at, in bytes: the work grows with the square of the phrases in it.
const MAX_TEXT: usize = 32 << 10;

/// The most keywords told.
const MAX_KEYWORDS: u64 = 20;

/// Names what a text is about.
#[derive(Debug)]
pub struct Keywords;

impl Tool for Keywords {
    fn name(&self) -> &str {
        "keywords"
    }

    fn description(&self) -> &str {
        "extract the keywords and key phrases of a text or of this conversation"
    }

    fn parameters(&self) -> Value {
        json!({
            "type": "object",
            "properties": {
                "text": { "type": "string", "description": "where to look; without it, in the conversation" },
                "limit": { "type": "integer", "minimum": 1, "maximum": MAX_KEYWORDS, "default": 8 }
            }
        })
    }

    fn bid(&self, text: &str, parameters: &Value, _scene: &Scene) -> Option<Bid> {
        let reading = Reading::of(text);
        let words = &reading.words;
        let named = words.any(&[
            "keyword*", "key word*", "key term*", "key phrase*", "keyphrase*", "important term*", "important words",
        ]);
        let topics = words.any(&[
            "topic*", "tags", "tag this", "buzzword*", "main terms", "key concept*", "main concept*", "key idea*",
        ]);
        let about = words.begins_any(&["what is", "what's"])
            && words.any(&["text about", "about"])
            && reading.subject.is_some();
        let score = match (named, topics || about) {
            (true, _) => 0.92,
            (_, true) => 0.75,
            _ => return None,
        };
        let subject = argument::text(parameters, "text").or(reading.subject).or_else(|| tail(reading.whole));
        let (arguments, place) = match subject {
            Some(subject) => (json!({ "text": subject }), format!("“{}”", shortened(subject, 60))),
            None => (json!({}), "this conversation".to_owned()),
        };
        Some(Bid { score, arguments, intent: format!("extract the keywords of {place}") })
    }

    fn call(&self, arguments: &Value, scene: &Scene) -> Result<Output, Error> {
        let limit = argument::number(arguments, "limit", 1, MAX_KEYWORDS, 8)?;
        let limit = usize::try_from(limit).unwrap_or(8);
        let said;
        let text = match argument::optional(arguments, "text", "the text to look at")? {
            Some(text) if text.len() > MAX_TEXT => return Err(Error::invalid("text", "at most 32 KiB of text")),
            Some(text) => text,
            None => {
                said = conversation(scene);
                &said
            }
        };
        scene.check()?;
        let found = extract(text, limit);
        let sentence = match found.as_slice() {
            [] => "There are no keywords: the text is too short, or all of its words are common ones.".to_owned(),
            [only] => format!("The keyword is: {only}."),
            many => format!("The keywords are: {}.", many.join(", ")),
        };
        Ok(Output { text: sentence, data: json!({ "keywords": found }), ..Output::default() })
    }
}

/// The latest of what people and agents said that fits into the bound.
fn conversation(scene: &Scene) -> String {
    let mut parts = Vec::new();
    let mut room = MAX_TEXT;
    for message in scene.history.iter().rev().filter(|message| message.role != Role::System) {
        let text = message.text().into_owned();
        let Some(left) = room.checked_sub(text.len() + 1) else { break };
        room = left;
        parts.push(text);
    }
    parts.reverse();
    parts.join("\n")
}

/// The keywords, most telling first; one that only repeats words of earlier ones is left out.
fn extract(text: &str, limit: usize) -> Vec<String> {
    let Some(stop_words) = StopWords::predefined("en") else { return Vec::new() };
    let config = Config { ngrams: 2, minimum_chars: 3, ..Config::default() };
    let mut told = HashSet::new();
    let mut found = Vec::new();
    for item in yake_rust::get_n_best(limit.saturating_mul(4), text, &stop_words, &config) {
        let words: Vec<String> = item.keyword.split_whitespace().map(str::to_owned).collect();
        if found.len() < limit && words.iter().any(|word| !told.contains(word)) {
            told.extend(words);
            found.push(item.raw);
        }
    }
    found
}

/// A text behind `keywords of`, where nothing is in quotes.
fn tail(whole: &str) -> Option<&str> {
    let lower = whole.to_ascii_lowercase();
    let start = [
        "keywords of ", "keywords from ", "keywords in ", "terms in ", "terms of ", "phrases in ", "topics of ",
        "topics in ",
    ]
    .iter()
    .find_map(|cue| lower.find(cue).map(|at| at + cue.len()))?;
    // A pointer such as `this conversation` is no text.
    whole.get(start..).filter(|tail| tail.split_whitespace().count() > 4)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::tool::tests::{message, scene};
    use proptest::prelude::*;

    const TEXT: &str = "The Rust compiler checks ownership at compile time. Ownership lets the compiler free memory.";

    #[test]
    fn it_names_what_a_text_is_about() {
        let output = Keywords.call(&json!({ "text": TEXT }), &scene()).unwrap();
        let lower = output.text.to_lowercase();
        assert!(lower.contains("compiler") && lower.contains("ownership"), "{lower}");
        let one = Keywords.call(&json!({ "text": TEXT, "limit": 1 }), &scene()).unwrap();
        assert_eq!(one.data["keywords"].as_array().unwrap().len(), 1);
        let none = Keywords.call(&json!({ "text": "it is so" }), &scene()).unwrap();
        assert!(none.text.contains("no keywords"), "{}", none.text);
        assert!(Keywords.call(&json!({ "text": "x".repeat(MAX_TEXT + 1) }), &scene()).is_err());
    }

    #[test]
    fn it_knows_when_it_is_meant() {
        let mut scene = scene();
        scene.history.push(message(1, Role::User, TEXT));
        for text in [
            "keywords",
            "what are the key terms in 'A compiler checks ownership'?",
            "extract the keywords from this text: A compiler checks ownership",
            "Which topics did we talk about?",
            "list the key phrases of our conversation",
            "give me tags for: A compiler checks ownership",
            "find the most important terms in the following: A compiler checks ownership",
            "keyword extraction: A compiler checks ownership",
        ] {
            let bid = Keywords.bid(text, &Value::Null, &scene).unwrap_or_else(|| panic!("{text}"));
            let found = Keywords.call(&bid.arguments, &scene).unwrap();
            assert!(found.text.to_lowercase().contains("compiler"), "{text}: {}", found.text);
        }
        assert_eq!(Keywords.bid("Hello, agent!", &Value::Null, &scene), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,200}") {
            let _ = extract(&text, 5);
        }
    }
}
