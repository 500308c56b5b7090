//! Extractive summary: the sentences of a text, or of the conversation, that say most of what it says.
//!
//! Nothing is put into other words: a sentence weighs what its words weigh in the whole, and one that repeats what is
//! chosen already weighs less.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};

use super::workspace;
use super::{Bid, Output, Scene, Tool, argument};
use crate::protocol::{Error, Role};
use crate::text::{Reading, Words, beginning, count, sentences, shortened, terms};

/// The longest text that is looked at, in bytes: that of the longest message.
const MAX_TEXT: usize = 256 << 10;

/// The beginning of a message that counts where the conversation is summarized, in bytes.
const MAX_MESSAGE: usize = 8 << 10;

/// Sentences that are weighed; of a longer text the first ones.
const MAX_SENTENCES: usize = 2000;

/// The most sentences of a summary.
const MAX_SUMMARY: u64 = 20;

/// Shortens texts to their weightiest sentences.
#[derive(Debug)]
pub struct Summary;

impl Tool for Summary {
    fn name(&self) -> &str {
        "summary"
    }

    fn description(&self) -> &str {
        "summarize a text or this conversation in its own sentences"
    }

    fn parameters(&self) -> Value {
        json!({
            "type": "object",
            "properties": {
                "text": { "type": "string", "description": "what to summarize; without it, the conversation" },
                "path": { "type": "string", "description": "a file of the workspace to summarize instead" },
                "sentences": { "type": "integer", "minimum": 1, "maximum": MAX_SUMMARY, "description": "how many to keep" }
            }
        })
    }

    fn bid(&self, text: &str, parameters: &Value, scene: &Scene) -> Option<Bid> {
        let reading = Reading::of(text);
        let score = wanted(&reading.words)?;
        let subject = argument::text(parameters, "text").or(reading.subject).or_else(|| tail(&reading));
        let file = if subject.is_none() { file(&reading, scene) } else { None };
        let mut arguments = json!({});
        if let Some(wanted) = asked_sentences(&reading.words) {
            arguments["sentences"] = json!(wanted);
        }
        let intent = match subject {
            Some(subject) => {
                arguments["text"] = json!(subject);
                format!("summarize “{}”", shortened(subject, 60))
            }
            None => match file {
                Some(path) => {
                    arguments["path"] = json!(path);
                    format!("summarize the file {path}")
                }
                None => "summarize what was said in this conversation".to_owned(),
            },
        };
        Some(Bid { score, arguments, intent })
    }

    fn call(&self, arguments: &Value, scene: &Scene) -> Result<Output, Error> {
        let wanted = argument::number(arguments, "sentences", 1, MAX_SUMMARY, 0)?;
        let read;
        let mut text = argument::optional(arguments, "text", "the text to summarize")?;
        if let Some(path) = argument::optional(arguments, "path", "a file of the workspace")?.filter(|_| text.is_none())
        {
            let spot = workspace::find(&scene.workspace, path)?;
            read = spot.text().ok_or_else(|| Error::invalid("path", "a text file of at most 2 MiB"))?;
            text = Some(beginning(&read, MAX_TEXT));
        }
        match text {
            Some(text) if text.len() > MAX_TEXT => Err(Error::invalid("text", "at most 256 KiB of text")),
            Some(text) => {
                let all = sentences(text);
                let chosen = choose(&all, wanted, scene)?;
                let text = if all.is_empty() {
                    "There is nothing to summarize in that text.".into()
                } else {
                    chosen.join(" ")
                };
                Ok(output(text, chosen.len(), all.len()))
            }
            None => conversation(wanted, scene),
        }
    }
}

fn output(text: String, kept: usize, of: usize) -> Output {
    let data = json!({ "summary": text, "sentences": kept, "of": of });
    Output { text, data, ..Output::default() }
}

/// The weightiest of what people and agents said, each with its speaker.
fn conversation(wanted: u64, scene: &Scene) -> Result<Output, Error> {
    let spoken: Vec<(String, String)> = scene
        .history
        .iter()
        .filter_map(|message| {
            let speaker = match message.role {
                Role::User => "You".to_owned(),
                Role::Assistant => message.agent.as_ref().map_or_else(|| "Agent".to_owned(), ToString::to_string),
                Role::System => return None,
            };
            let text = message.text();
            let text = beginning(&text, MAX_MESSAGE);
            (!text.trim().is_empty()).then(|| (speaker, text.to_owned()))
        })
        .collect();
    let all: Vec<&str> = spoken.iter().flat_map(|(_, text)| sentences(text)).collect();
    if all.is_empty() {
        return Ok(output("There is nothing to summarize yet: nothing was said before this.".into(), 0, 0));
    }
    let chosen = choose(&all, wanted, scene)?;
    let lines: Vec<String> = chosen
        .iter()
        .map(|sentence| {
            let within = |text: &str| text.as_bytes().as_ptr_range().contains(&sentence.as_ptr());
            let speaker = spoken.iter().find(|(_, text)| within(text)).map_or("", |(speaker, _)| speaker);
            format!("- {speaker}: {}", shortened(sentence, 300))
        })
        .collect();
    let messages = count(spoken.len() as u64, "message", "messages");
    Ok(output(format!("Of {messages} so far, this says most:\n{}", lines.join("\n")), chosen.len(), all.len()))
}

/// The sentences that say most, in their order. Without a number: a third of them, from 1 to 5.
fn choose<'a>(all: &[&'a str], wanted: u64, scene: &Scene) -> Result<Vec<&'a str>, Error> {
    let all = all.get(..all.len().min(MAX_SENTENCES)).unwrap_or_default();
    let wanted = if wanted == 0 { all.len().div_ceil(3).clamp(1, 5) } else { usize::try_from(wanted).unwrap_or(1) };
    let sets: Vec<HashSet<String>> = all.iter().map(|sentence| terms(sentence).into_iter().collect()).collect();
    let mut weights: HashMap<&str, f64> = HashMap::new();
    for term in sets.iter().flatten() {
        *weights.entry(term).or_default() += 1.0;
    }
    let mut chosen: Vec<usize> = Vec::new();
    while chosen.len() < wanted.min(all.len()) {
        scene.check()?;
        let weigh = |at: usize, set: &HashSet<String>| {
            let sum: f64 = set.iter().filter_map(|term| weights.get(term.as_str())).sum();
            // Divided by the root of the length: neither the longest nor the shortest wins; the opening counts more.
            sum / (set.len().max(3) as f64).sqrt() * if at == 0 { 1.25 } else { 1.0 }
        };
        let rest = sets.iter().enumerate().filter(|(at, _)| !chosen.contains(at));
        let ranked = rest.map(|(at, set)| (at, weigh(at, set)));
        // Of equals the first.
        let Some((best, _)) = ranked.reduce(|best, next| if next.1 > best.1 { next } else { best }) else { break };
        chosen.push(best);
        for term in sets.get(best).into_iter().flatten() {
            if let Some(weight) = weights.get_mut(term.as_str()) {
                *weight *= 0.3;
            }
        }
    }
    chosen.sort_unstable();
    Ok(chosen.into_iter().filter_map(|at| all.get(at).copied()).collect())
}

fn wanted(words: &Words) -> Option<f32> {
    let named = words.any(&[
        "summar*", "tl dr", "tldr", "gist", "recap*", "condens*", "sum up", "sum it up", "boil down", "boil it down",
    ]);
    let points = words
        .any(&["main points", "key points", "main idea*", "in a nutshell", "essence", "shorten", "abridge", "digest"]);
    let talked = words.any(&["talked about", "talk about", "discussed", "discuss"])
        && words.any(&["what have we", "what did we", "what we"]);
    // About something in particular it is a question for the memory.
    let talked = talked && terms(&words.iter().collect::<Vec<_>>().join(" ")).len() <= 2;
    let short = words.any(&["in short", "in brief", "short version", "brief me"]);
    match (named, points, short) {
        (true, ..) => Some(0.92),
        _ if talked => Some(0.94),
        (_, true, _) => Some(0.8),
        (.., true) => Some(0.65),
        _ => None,
    }
}

/// The file that the instruction names.
fn file(reading: &Reading<'_>, scene: &Scene) -> Option<String> {
    let named = workspace::path_in(reading.whole, &scene.workspace);
    let word = || {
        reading.whole.split_whitespace().map(|word| word.trim_matches(['?', ',', '!'])).find(|word| word.contains('.'))
    };
    named.or_else(|| word().map(str::to_owned)).filter(|path| {
        path.starts_with('.') || workspace::find(&scene.workspace, path).is_ok_and(|spot| spot.path.is_file())
    })
}

/// A long text behind the instruction, without quotes or a colon.
fn tail<'a>(reading: &Reading<'a>) -> Option<&'a str> {
    let all = sentences(reading.whole);
    let second = all.get(1).filter(|_| all.len() > 2)?;
    let start = second.as_ptr() as usize - reading.whole.as_ptr() as usize;
    reading.whole.get(start..)
}

/// `in two sentences`, `in 3 sentences`, `in one line`.
fn asked_sentences(words: &Words) -> Option<u64> {
    const NAMES: [&str; 6] = ["one", "two", "three", "four", "five", "six"];
    let all: Vec<&str> = words.iter().collect();
    let at = all.iter().position(|word| matches!(*word, "sentence" | "sentences" | "line" | "lines" | "points"))?;
    let before = *all.get(at.checked_sub(1)?)?;
    let named = || NAMES.iter().zip(1..).find(|(name, _)| **name == before).map(|(_, number)| number);
    let single = || matches!(before, "a" | "single").then_some(1);
    before.parse().ok().or_else(named).or_else(single).filter(|number| (1..=MAX_SUMMARY).contains(number))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::tool::tests::{message, scene};

    const TEXT: &str = "Bees make honey. Honey is stored by bees in combs of wax. The weather was fine. \
        Bees visit many flowers to make honey for the winter. My uncle owns a car.";

    #[test]
    fn the_weightiest_sentences_are_kept_in_their_order() {
        let scene = scene();
        let output = Summary.call(&json!({ "text": TEXT, "sentences": 2 }), &scene).unwrap();
        assert_eq!(output.data["sentences"], 2);
        assert!(output.text.contains("honey") && !output.text.contains("uncle"), "{}", output.text);
        for sentence in sentences(&output.text) {
            assert!(TEXT.contains(sentence), "{sentence}");
        }
        let usual = Summary.call(&json!({ "text": TEXT }), &scene).unwrap();
        assert_eq!((usual.data["sentences"].as_u64(), usual.data["of"].as_u64()), (Some(2), Some(5)));
    }

    #[test]
    fn without_a_text_it_is_about_the_conversation() {
        let mut scene = scene();
        let empty = Summary.call(&json!({}), &scene).unwrap();
        assert!(empty.text.contains("nothing to summarize yet"), "{}", empty.text);
        scene.history.push(message(1, Role::User, "Our server uses sled. The weather is nice."));
        scene.history.push(message(2, Role::Assistant, "The server keeps its journal in sled."));
        let said = Summary.call(&json!({ "sentences": 1 }), &scene).unwrap();
        assert!(said.text.contains("sled") && said.text.contains(": "), "{}", said.text);
    }

    #[test]
    fn a_file_of_the_workspace_can_be_summarized() {
        let scene = scene();
        let bid = Summary.bid("Please summarize the file src/lib.rs", &Value::Null, &scene).unwrap();
        assert_eq!(bid.arguments, json!({ "path": "src/lib.rs" }));
        assert!(Summary.call(&bid.arguments, &scene).unwrap().text.contains("journal"));
        for bad in ["../../etc/passwd", "/etc/passwd", "src"] {
            assert!(Summary.call(&json!({ "path": bad }), &scene).is_err(), "{bad}");
        }
    }

    #[test]
    fn it_knows_when_it_is_meant_and_with_what() {
        let scene = scene();
        let cases = [
            ("summarize", None),
            ("give me the gist of: Bees make honey. It is sweet.", Some("Bees make honey. It is sweet.")),
            ("please summarise this text:\nA. B.", Some("A. B.")),
            ("tl;dr", None),
            ("Can you recap our conversation?", None),
            ("what are the main points of 'A is B. C is D.'?", Some("A is B. C is D.")),
            ("sum up what we said", None),
            ("condense the following: One thing. Another.", Some("One thing. Another.")),
            (
                "Summarize this. Bees make honey. It is sweet. They like flowers.",
                Some("Bees make honey. It is sweet. They like flowers."),
            ),
        ];
        for (text, subject) in cases {
            let bid = Summary.bid(text, &Value::Null, &scene).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(bid.arguments.get("text").and_then(Value::as_str), subject, "{text}");
        }
        let bid = Summary.bid("summarize in two sentences: A. B. C.", &Value::Null, &scene).unwrap();
        assert_eq!(bid.arguments["sentences"], 2);
        for text in ["Hello", "what is the sum of 3 and 4", "First question"] {
            assert_eq!(Summary.bid(text, &Value::Null, &scene), None, "{text}");
        }
    }
}
