//! Sentiment: whether a text sounds positive or negative, by a lexicon that knows negation and intensifiers.

use std::cell::RefCell;
use std::collections::HashSet;
use std::sync::LazyLock;

use serde_json::{Value, json};
use vader_sentimental::SentimentIntensityAnalyzer;

use super::{Bid, Output, Scene, Tool, argument};
use crate::protocol::{Error, Role};
use crate::text::{Reading, beginning, sentences, shortened, unquoted};

/// The longest text that is looked at, in bytes: a long article, done in some ten milliseconds.
const MAX_TEXT: usize = 64 << 10;

/// Built once: the lexicon has 7,500 entries.
static ANALYZER: LazyLock<SentimentIntensityAnalyzer<'static>> = LazyLock::new(SentimentIntensityAnalyzer::new);

thread_local! {
    /// Words that sound like nothing, as they stand in texts: a text of such words alone sounds like nothing as well,
    /// and the analyzer, which looks at each of its letters, need not be asked.
    static PLAIN: RefCell<HashSet<Box<str>>> = RefCell::default();
}

/// How many plain words a thread keeps, the first ones: the frequent words of a language are among its first thousands.
const PLAIN_WORDS: usize = 4096;

/// The longest word that is kept, in bytes.
const PLAIN_WORD: usize = 24;

/// The longest word of the lexicon, in letters.
const LONGEST: usize = 19;

/// The most digits that one of its words has.
const DIGITS: usize = 4;

/// How a text sounds: from -1, as bad as can be, to 1.
pub fn score(text: &str) -> f64 {
    if text.split_whitespace().all(is_plain) { 0.0 } else { analyzed(text) }
}

fn analyzed(text: &str) -> f64 {
    let score = ANALYZER.polarity_scores(text).compound;
    if score.is_finite() { score } else { 0.0 }
}

/// Whether a word is none of the lexicon at a glance: a number, an id, or what nobody says.
fn is_foreign(word: &str) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    (word.len() > LONGEST || digits > DIGITS) && word.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Whether a word between spaces sounds like nothing. What modifies others, as *very* or *not*, does nothing alone.
fn is_plain(word: &str) -> bool {
    if is_foreign(word) {
        return true;
    }
    if word.len() > PLAIN_WORD {
        return analyzed(word) == 0.0;
    }
    if PLAIN.with_borrow(|known| known.contains(word)) {
        return true;
    }
    let plain = analyzed(word) == 0.0;
    PLAIN.with_borrow_mut(|known| {
        if plain && known.len() < PLAIN_WORDS {
            known.insert(word.into());
        }
    });
    plain
}

/// Tells how a text sounds.
#[derive(Debug)]
pub struct Sentiment;

impl Tool for Sentiment {
    fn name(&self) -> &str {
        "sentiment"
    }

    fn description(&self) -> &str {
        "analyze the sentiment of a text: positive, negative or neutral, with a score"
    }

    fn parameters(&self) -> Value {
        json!({
            "type": "object",
            "properties": { "text": { "type": "string", "description": "the text to judge" } },
            "required": ["text"]
        })
    }

    fn bid(&self, text: &str, parameters: &Value, scene: &Scene) -> Option<Bid> {
        let reading = Reading::of(text);
        let score = wanted(&reading)?;
        let spelled = argument::text(parameters, "text").or(reading.subject).or_else(|| tail(reading.whole));
        let subject = spelled.map(str::to_owned).or_else(|| last_said(scene)).unwrap_or_default();
        let intent = format!("judge the sentiment of “{}”", shortened(&subject, 60));
        Some(Bid { score, arguments: json!({ "text": subject }), intent })
    }

    fn call(&self, arguments: &Value, scene: &Scene) -> Result<Output, Error> {
        let text = argument::required(arguments, "text", "the text to judge, in quotes or after a colon")?;
        if text.len() > MAX_TEXT {
            return Err(Error::invalid("text", "at most 64 KiB of text"));
        }
        scene.check()?;
        let scores: Vec<f64> = sentences(text).into_iter().flat_map(portions).map(score).collect();
        let told: Vec<f64> = scores.iter().copied().filter(|score| *score != 0.0).collect();
        // Sentences that say nothing either way do not water down those that do.
        let mean = if told.is_empty() { score(text) } else { told.iter().sum::<f64>() / told.len() as f64 };
        let rounded = (mean * 1000.0).round() / 1000.0;
        let label = label(rounded);
        let strength = match rounded.abs() {
            strong if strong >= 0.6 => "clearly ",
            weak if (0.05..0.25).contains(&weak) => "slightly ",
            _ => "",
        };
        let mixed = scores.iter().any(|score| *score >= 0.3) && scores.iter().any(|score| *score <= -0.3);
        let aside = if mixed { " It is mixed: some sentences are positive, some negative." } else { "" };
        let text = format!("That sounds {strength}{label}: {rounded:.2} on a scale from -1 to 1.{aside}");
        let data = json!({ "sentiment": label, "score": rounded, "sentences": scores.len(), "mixed": mixed });
        Ok(Output { text, data, ..Output::default() })
    }
}

/// A sentence in portions of about a thousand bytes: the analyzer's work grows with the square of what it gets.
fn portions(sentence: &str) -> impl Iterator<Item = &str> {
    const PORTION: usize = 1000;
    let mut rest = sentence;
    std::iter::from_fn(move || {
        let most = beginning(rest, PORTION).len();
        let end = if most < rest.len() { rest[..most].rfind(' ').filter(|at| *at > 0).unwrap_or(most) } else { most };
        let (portion, behind) = rest.split_at(end);
        rest = behind;
        (!portion.is_empty()).then_some(portion)
    })
}

fn label(score: f64) -> &'static str {
    match score {
        positive if positive >= 0.05 => "positive",
        negative if negative <= -0.05 => "negative",
        _ => "neutral",
    }
}

fn wanted(reading: &Reading<'_>) -> Option<f32> {
    let words = &reading.words;
    let named =
        words.any(&["sentiment*", "polarity", "emotional tone", "tone of", "mood of", "the tone", "connotation"]);
    let feels = words.any(&[
        "how do you feel about this", "how does this sound", "how does that sound", "how does it sound",
        "how would you rate", "what emotion*", "which emotion*", "feeling* behind", "what feeling*",
        "how does this feel", "what mood", "how do you feel about", "how does", "come across", "sound",
    ]);
    let either = words.any(&[
        "positive", "negative", "happy", "angry", "upset", "friendly", "hostile", "sad", "pleased", "satisfied",
        "complain*",
    ]);
    let asks = words.any(&["is", "are", "does", "was", "or", "sound*", "classify", "rate", "judge", "whether"]);
    let text = words.any(&[
        "review", "text", "comment", "message", "sentence", "feedback", "tweet", "statement", "quote", "this",
        "following",
    ]);
    let subject = reading.subject.is_some();
    let bare =
        words.len() <= 3 && words.any(&["analy*", "judge", "classify", "rate"]) && !words.any(&["code", "project"]);
    match (named, subject) {
        (true, _) => Some(0.93),
        (false, true) if feels || either && asks => Some(0.85),
        // `Analyze: "I love Rust"`
        (false, true) if bare => Some(0.6),
        (false, false) if either && asks && text && words.any(&["positive", "negative"]) => Some(0.6),
        _ => None,
    }
}

/// What stands behind `sentiment of` and the like, where nothing is in quotes.
fn tail(whole: &str) -> Option<&str> {
    let lower = whole.to_ascii_lowercase();
    let behind = |cue: &str| lower.find(cue).and_then(|at| whole.get(at + cue.len()..));
    let tail = ["sentiment of ", "tone of ", "polarity of ", "mood of ", "sentiment in "]
        .iter()
        .find_map(|cue| behind(cue))?;
    let tail = unquoted(tail.trim_end_matches('?'));
    const POINTING: [&str; 12] = [
        "this", "that", "it", "this text", "that message", "my message", "my last message", "the text",
        "the last message", "this message", "the following text", "the following",
    ];
    (!POINTING.contains(&tail.to_lowercase().as_str()) && !tail.is_empty()).then_some(tail)
}

/// What was said last by a person, for `what is the sentiment of that?`.
fn last_said(scene: &Scene) -> Option<String> {
    scene.history.iter().rev().find(|message| message.role == Role::User).map(|message| message.text().into_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::tool::tests::{message, scene};

    fn ask(text: &str) -> Option<String> {
        let scene = scene();
        let bid = Sentiment.bid(text, &Value::Null, &scene).filter(|bid| bid.score >= 0.5)?;
        Some(Sentiment.call(&bid.arguments, &scene).unwrap().data["sentiment"].as_str().unwrap().to_owned())
    }

    #[test]
    fn it_judges_as_people_do() {
        let cases = [
            ("Analyze the sentiment of the following text: 'I love this product!'", "positive"),
            ("how do you feel about this: not good at all", "negative"),
            ("how does this sound: the service was terrible", "negative"),
            ("is this review positive? \"It was very, very good\"", "positive"),
            ("What's the sentiment of 'The sky is blue'?", "neutral"),
            ("Is the following comment positive or negative: it isn't bad", "positive"),
            ("determine the tone of “I am extremely disappointed.”", "negative"),
            ("sentiment of I hate waiting", "negative"),
            ("sentiment analysis: what a wonderful day", "positive"),
            ("classify this as positive or negative: I can't recommend it, it was awful", "negative"),
        ];
        for (text, label) in cases {
            assert_eq!(ask(text).as_deref(), Some(label), "{text}");
        }
        assert!(score("very good") > score("good") && score("not good") < 0.0);
    }

    #[test]
    fn a_text_of_plain_words_is_a_plain_text() {
        let texts = [
            "the train to Zürich leaves at 9:15",
            "I can't say that it was not very good!!! But it isn't BAD either.",
            "kind of slow",
            "this was the bomb, a hand to mouth existence",
            "ok :) no ... hmm 🙂 really?",
            "very very not least never without doubt",
            "",
        ];
        for text in texts.into_iter().chain(texts) {
            assert_eq!(score(text), analyzed(text), "{text}");
        }
    }

    #[test]
    fn what_the_lexicon_cannot_know_is_not_looked_up() {
        for known in
            ["tenderheartednesses", "disadvantageousness", "14aa41", "1337", "2g2b4g", "good!!!!!!!!!!!!!!!!!!!!"]
        {
            assert!(!is_foreign(known), "{known}");
            assert_eq!(score(known), analyzed(known));
        }
        assert_ne!(score("tenderheartednesses"), 0.0);
        for foreign in ["12345", "ts1700000000000", "a1b2c3d4e5", &"good".repeat(5), &"x".repeat(300)] {
            assert!(is_foreign(foreign) && analyzed(foreign) == 0.0, "{foreign}");
        }
    }

    #[test]
    fn it_is_not_meant_by_everything() {
        for text in
            ["I love this product!", "Hello, agent!", "what is 2+2", "I feel great", "tell me about black holes"]
        {
            assert_eq!(ask(text), None, "{text}");
        }
    }

    #[test]
    fn a_long_sentence_is_judged_in_portions() {
        let long = "good ".repeat(12_000);
        assert!(portions(&long).all(|portion| portion.len() <= 1000));
        assert_eq!(portions(&long).collect::<String>(), long);
        let start = std::time::Instant::now();
        let output = Sentiment.call(&json!({ "text": long }), &scene()).unwrap();
        assert_eq!(output.data["sentiment"], "positive");
        // Some ten milliseconds; judged in one piece it takes minutes.
        assert!(start.elapsed().as_secs() < 20);
    }

    #[test]
    fn it_can_judge_what_was_said_last() {
        let mut scene = scene();
        scene.history.push(message(1, Role::User, "this is awful"));
        scene.history.push(message(2, Role::Assistant, "great"));
        let bid = Sentiment.bid("what was the sentiment of that?", &Value::Null, &scene).unwrap();
        assert_eq!(bid.arguments["text"], "this is awful");
        let error = Sentiment.call(&json!({ "text": "" }), &scene).unwrap_err();
        assert!(error.to_string().contains("text"), "{error}");
    }
}
