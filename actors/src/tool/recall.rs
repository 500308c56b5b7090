//! Recalling: finds what was said earlier in the conversation, or is remembered, by its words.
//!
//! It answers with the sentence itself and its time, never with a paraphrase, and says so when there is none.

mod request;

use serde_json::{Value, json};

use super::{Bid, Output, Scene, Tool, argument};
use crate::memory::index::{Index, coverage};
use crate::protocol::{Error, Role, Timestamp};
use crate::text::{Reading, Words, beginning, sentences, shortened, terms};

/// Sentences and facts told at most.
const MAX_TOLD: usize = 5;

/// The share of a question's meaning that an answer must have.
const LEAST_COVERAGE: f32 = 0.4;

/// The share from which a memory speaks up for a question that did not ask for it.
const SURE_COVERAGE: f32 = 0.65;

/// The longest query, in bytes; of a longer one the beginning counts.
const MAX_QUERY: usize = 500;

/// The beginning of a message that is searched, in bytes: some pages.
const MAX_MESSAGE: usize = 8 << 10;

/// Characters shown of a sentence.
const MAX_SHOWN: usize = 300;

/// Finds what was said and what is remembered.
#[derive(Debug)]
pub struct Recall;

impl Tool for Recall {
    fn name(&self) -> &str {
        "recall"
    }

    fn uses_memory(&self) -> bool {
        true
    }

    fn description(&self) -> &str {
        "recall what was said earlier in this conversation and what I was told to remember"
    }

    fn parameters(&self) -> Value {
        json!({
            "type": "object",
            "properties": {
                "query": { "type": "string", "description": "what it is about; without it, the latest" },
                "order": { "enum": ["first", "last"], "description": "without a query: which of what a person said" },
                "limit": { "type": "integer", "minimum": 1, "maximum": MAX_TOLD, "default": 3 }
            }
        })
    }

    fn bid(&self, text: &str, _parameters: &Value, scene: &Scene) -> Option<Bid> {
        let reading = Reading::of(text);
        let words = &reading.words;
        let query = request::topic(&reading);
        let score = request::wanted(words).or_else(|| known(words, reading.whole, &query, scene))?;
        let mut arguments = json!({ "query": query });
        if let Some(order) = request::order(words) {
            arguments["order"] = json!(order);
        }
        let intent = match query.is_empty() {
            true => "look at what was said and what I remember".to_owned(),
            false => format!("look for “{}” in what was said and what I remember", shortened(&query, 60)),
        };
        Some(Bid { score, arguments, intent })
    }

    fn call(&self, arguments: &Value, scene: &Scene) -> Result<Output, Error> {
        let query = argument::optional(arguments, "query", "what it is about")?.unwrap_or_default();
        let query = beginning(query, MAX_QUERY);
        let limit = argument::number(arguments, "limit", 1, MAX_TOLD as u64, 3)?;
        let limit = usize::try_from(limit).unwrap_or(MAX_TOLD);
        let order = argument::optional(arguments, "order", "first or last")?;
        if order.is_some_and(|order| !matches!(order, "first" | "last")) {
            return Err(Error::invalid("order", "first or last"));
        }
        let found = if let Some(order) = order.filter(|_| terms(query).is_empty()) {
            spoken(scene, order)
        } else if terms(query).is_empty() {
            remembered(scene)?
        } else {
            matching(query, limit, scene)?
        };
        Ok(output(query, found))
    }
}

/// Something found.
#[derive(Clone, Debug)]
struct Hit {
    text: String,
    at: Timestamp,
    /// Who said it; `None`: it stands in the memory.
    speaker: Option<String>,
    fit: f32,
}

impl Hit {
    fn sentence(&self) -> String {
        let when = self.at.to_utc().format("%Y-%m-%d at %H:%M UTC");
        match &self.speaker {
            Some(speaker) => format!("On {when} {speaker} said: “{}”", self.text),
            None => format!("I remember: “{}” (since {when})", self.text),
        }
    }

    fn data(&self) -> Value {
        let source = if self.speaker.is_some() { "conversation" } else { "memory" };
        json!({ "text": self.text, "at": self.at.to_string(), "source": source, "speaker": self.speaker })
    }
}

fn output(query: &str, found: Vec<Hit>) -> Output {
    let text = match found.as_slice() {
        [] if query.is_empty() => {
            "I remember nothing yet: nobody has told me to, and nothing was said before this.".to_owned()
        }
        [] => format!("I found nothing about “{query}” in this conversation or in my memory."),
        [only] => format!("{}.", only.sentence()),
        many => many.iter().map(|hit| format!("- {}", hit.sentence())).collect::<Vec<_>>().join("\n"),
    };
    let data = json!({ "query": query, "found": found.iter().map(Hit::data).collect::<Vec<_>>() });
    Output { text, data, ..Output::default() }
}

/// Facts and sentences that fit the query, best first.
fn matching(query: &str, limit: usize, scene: &Scene) -> Result<Vec<Hit>, Error> {
    let facts = scene.memory.search(scene.whose(), query, limit)?;
    let mut hits: Vec<Hit> = facts
        .into_iter()
        .filter(|found| found.coverage >= LEAST_COVERAGE)
        // What somebody wanted remembered counts a little more than what was merely said.
        .map(|found| Hit {
            text: found.fact.text.clone(),
            at: found.fact.at,
            speaker: None,
            fit: found.coverage + 0.05,
        })
        .collect();
    let said = said(query, limit, scene);
    let is_news = |hit: &Hit| !hits.iter().any(|fact| hit.text.to_lowercase().contains(&fact.text.to_lowercase()));
    let news: Vec<Hit> = said.into_iter().filter(is_news).collect();
    hits.extend(news);
    hits.sort_by(|a, b| b.fit.total_cmp(&a.fit).then(b.at.cmp(&a.at)));
    let best = hits.first().map_or(0.0, |hit| hit.fit);
    // A half as good answer beside a good one only confuses.
    hits.retain(|hit| hit.fit >= best * 0.75);
    hits.truncate(limit);
    Ok(hits)
}

/// Sentences of the conversation that fit the query. Questions and answers of this tool tell nothing themselves.
fn said(query: &str, limit: usize, scene: &Scene) -> Vec<Hit> {
    let mut hits: Vec<Hit> = Vec::new();
    for message in &scene.history {
        let Some(speaker) = speaker(message) else { continue };
        let text = message.text();
        let text = beginning(&text, MAX_MESSAGE);
        let telling = sentences(text).into_iter().filter(|sentence| !sentence.ends_with('?'));
        let telling = telling.filter(|sentence| message.role == Role::User || !is_echo(sentence));
        hits.extend(telling.map(|sentence| {
            let weight = if message.role == Role::User { 1.0 } else { 0.8 };
            let fit = coverage(query, sentence) * weight;
            Hit {
                text: shortened(sentence, MAX_SHOWN).into_owned(),
                at: message.created_at,
                speaker: Some(speaker.clone()),
                fit,
            }
        }));
    }
    let mut index = Index::default();
    for (at, hit) in hits.iter().enumerate().filter(|(_, hit)| hit.fit >= LEAST_COVERAGE) {
        index.add(&at, &hit.text);
    }
    let ranked = index.search(query, limit);
    ranked.into_iter().filter_map(|(at, _)| hits.get(at).cloned()).collect()
}

/// What agents say about recalling and remembering, or about what they cannot do, is no knowledge.
fn is_echo(sentence: &str) -> bool {
    let words = Words::of(sentence);
    words.any(&["i remember", "i will remember", "i found nothing", "said", "i cannot", "i can't", "i have forgotten"])
}

fn speaker(message: &crate::protocol::Message) -> Option<String> {
    match message.role {
        Role::User => Some("you".to_owned()),
        Role::Assistant => Some(message.agent.as_ref().map_or_else(|| "the agent".to_owned(), ToString::to_string)),
        Role::System => None,
    }
}

/// What somebody said first or last, of what is at hand.
fn spoken(scene: &Scene, order: &str) -> Vec<Hit> {
    let mut said = scene.history.iter().filter(|message| message.role == Role::User);
    let message = if order == "first" { said.next() } else { said.next_back() };
    message
        .map(|message| Hit {
            text: shortened(&message.text(), MAX_SHOWN).into_owned(),
            at: message.created_at,
            speaker: Some("you".to_owned()),
            fit: 1.0,
        })
        .into_iter()
        .collect()
}

/// The latest facts, or what was said last where there are none.
fn remembered(scene: &Scene) -> Result<Vec<Hit>, Error> {
    let facts = scene.memory.list(scene.whose(), MAX_TOLD)?;
    let hits: Vec<Hit> =
        facts.iter().map(|fact| Hit { text: fact.text.clone(), at: fact.at, speaker: None, fit: 1.0 }).collect();
    Ok(if hits.is_empty() { spoken(scene, "last") } else { hits })
}

/// A question whose answer is remembered, though nobody said that it was.
fn known(words: &Words, whole: &str, query: &str, scene: &Scene) -> Option<f32> {
    let asks = whole.ends_with('?')
        || words.begins_any(&["what*", "who*", "when*", "where*", "which", "how*", "tell me about", "why"]);
    if !asks || terms(query).is_empty() || query.len() > MAX_QUERY {
        return None;
    }
    let best = matching(query, 1, scene).ok()?.into_iter().next()?;
    (best.fit >= SURE_COVERAGE).then_some(0.52)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::memory::tests::fact;
    use crate::tool::tests::{message, scene};

    fn told() -> Scene {
        let mut scene = scene();
        scene.memory.remember(&scene.tenant, fact("my favourite colour is teal")).unwrap();
        scene.memory.remember(&scene.tenant, fact("the deployment happens on Friday")).unwrap();
        scene.history = vec![
            message(1, Role::User, "We use sled as our database. Lunch is at noon."),
            message(2, Role::Assistant, "I cannot say much about databases."),
            message(3, Role::User, "What is the database?"),
        ];
        scene
    }

    fn ask(text: &str, scene: &Scene) -> Option<String> {
        let bid = Recall.bid(text, &Value::Null, scene).filter(|bid| bid.score >= 0.5)?;
        Some(Recall.call(&bid.arguments, scene).unwrap().text)
    }

    #[test]
    fn it_finds_the_sentence_and_tells_its_time() {
        let scene = told();
        let cases = [
            ("What's my favourite colour?", "teal"),
            ("do you remember my favorite color?", "teal"),
            (
                "what did I say about the database?",
                "On 1970-01-01 at 00:01 UTC you said: “We use sled as our database.”",
            ),
            ("When do we deploy?", "Friday"),
            ("remind me when lunch is", "noon"),
            ("Did I mention a database?", "sled"),
            ("recall the deployment", "Friday"),
            ("search your memory for colours", "teal"),
            ("what was my first message?", "We use sled"),
            ("What do you remember?", "teal"),
            ("what did we discuss about lunch", "noon"),
        ];
        for (text, word) in cases {
            let said = ask(text, &scene).unwrap_or_default();
            assert!(said.contains(word), "{text}: {said}");
        }
    }

    #[test]
    fn it_says_when_there_is_nothing() {
        for text in ["What is my favourite food?", "do you remember my sister?"] {
            let said = ask(text, &told()).unwrap();
            assert!(said.starts_with("I found nothing about"), "{text}: {said}");
        }
        assert!(ask("what do you remember?", &scene()).unwrap().contains("nothing yet"));
    }

    #[test]
    fn it_is_not_meant_by_everything() {
        for text in [
            "Hello, agent!", "tell me about black holes", "What can you help me with?", "First question", "thanks",
            "remember that I like tea",
        ] {
            assert_eq!(ask(text, &told()), None, "{text}");
        }
    }
}
