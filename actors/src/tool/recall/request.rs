//! What a request wants recalled, and how sure that is.

use crate::text::{Reading, Words};

/// How much the words ask for what was said or is remembered.
pub(super) fn wanted(words: &Words) -> Option<f32> {
    let asked = words.any(&[
        "do you remember", "do you recall", "can you recall", "can you remember", "did i say", "did i tell",
        "did i mention", "did i ask", "i said about", "i told you", "did we say", "did we discuss", "did we talk",
        "we talked about", "we discussed", "did you say", "you said about", "have i said", "have i told",
        "have i mentioned", "was said", "remind me", "you remember", "did i just say", "were we talking", "did i call",
        "did nyx say", "did aria say", "did sage say", "my notes", "i mentioned", "thing i said", "i said last",
        "i said first", "i just said", "i said earlier", "what i said",
    ]);
    let verbs = words.begins_any(&[
        "recall", "please recall", "look up what", "tell me what i said", "what have i", "remember what",
        "remember when",
    ]);
    let place = words.any(&["search", "look", "find", "check", "what is in", "what's in", "show", "list"])
        && words.any(&["memory", "memories", "conversation", "history", "notes"]);
    let own =
        words.begins_any(&["what do you know about me", "what do you know about my", "what do you know about us"]);
    let message = words.any(&["my first", "my last", "my previous", "my earlier"])
        && words.any(&["message", "question", "request"])
        && words.any(&["what", "which", "repeat"]);
    if words.any(&["summar*", "keyword*", "sentiment", "topics", "recap*"]) {
        return None;
    }
    match (asked || verbs, place, own || message) {
        (true, ..) => Some(0.92),
        (_, true, _) => Some(0.85),
        (.., true) => Some(0.88),
        _ if is_personal(words) => Some(0.6),
        _ => None,
    }
}

/// `What is my …`, `when is our …`: only what was said can tell.
fn is_personal(words: &Words) -> bool {
    let asks = words.begins_any(&[
        "do you know", "what*", "who*", "when*", "where*", "which", "how old", "do i", "am i", "tell me",
    ]);
    let mine = words.any(&["my", "our", "do i", "am i", "i like", "i live", "mine"]);
    asks && mine && words.len() <= 20
}

/// Whether what was said `first` or `last` is wanted.
pub(super) fn order(words: &Words) -> Option<&'static str> {
    let first = words.any(&["first", "begin*", "start*"]);
    let last = words.any(&["last", "just say", "just said", "just ask*", "previous", "before"]);
    match (first, last) {
        (true, false) => Some("first"),
        (_, true) => Some("last"),
        _ if words.any(&["did i say", "did i ask"]) => Some("last"),
        _ => None,
    }
}

/// What a question is about: its meaningful words without those that ask for recalling.
pub(super) fn topic(reading: &Reading<'_>) -> String {
    #[rustfmt::skip]
    const ASKING: [&str; 50] = [
        "remember", "recall", "remembered", "said", "say", "told", "tell", "mention", "mentioned", "know", "remind", "talk",
        "talked", "talking", "discuss", "discussed", "search", "memory", "memories", "conversation", "history", "look",
        "find", "earlier", "previously", "check", "show", "list", "notes", "first", "last", "previous", "message",
        "question", "request", "anything", "something", "ask", "asked", "nyx", "aria", "sage", "call", "called",
        "everything", "repeat", "what", "far", "thing", "today",
    ];
    if let Some(subject) = reading.subject {
        return subject.to_owned();
    }
    let words: Vec<&str> = reading
        .whole
        .split_whitespace()
        .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()))
        .filter(|word| {
            let word = word.to_lowercase();
            !ASKING.contains(&word.as_str()) && !crate::text::is_stop_word(&word.replace('’', "'"))
        })
        .filter(|word| !word.is_empty())
        .collect();
    words.join(" ")
}
