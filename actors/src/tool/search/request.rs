//! What a request wants found in the code, and how sure that is.

use super::MAX_QUERY;
use crate::text::{Reading, Words};

/// What a request wants found.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) query: String,
    pub(super) definition: bool,
    pub(super) score: f32,
}

/// Words that name a kind of definition.
const KINDS: [&str; 16] = [
    "function", "method", "struct", "class", "enum", "trait", "interface", "type", "constant", "const", "variable",
    "module", "macro", "fn", "definition", "symbol",
];

/// What is to be found, if the request is about finding something in the workspace.
pub(super) fn wanted(reading: &Reading<'_>) -> Option<Wanted> {
    let words = &reading.words;
    let elsewhere = words
        .any(&["memory", "conversation", "remember*", "recall*", "history", "note", "notes", "sentiment", "summar*"]);
    let said =
        words.any(&["i said", "i say", "you said", "did i", "did you", "we talk*", "i told", "keyword*", "difference"]);
    if elsewhere && !words.any(&KINDS) || said {
        return None;
    }
    let code = words.any(&[
        "code", "codebase", "source*", "src", "file*", "repo", "repository", "project", "workspace", "line*",
        "occurrence*", "usage*", "uses", "implement*", "todo", "todos", "fixme", "module*", "crate",
    ]) || words.any(&KINDS)
        || reading.head.contains("./");
    let definition = words.any(&["defined", "definition*", "declared", "implemented", "defines", "declares"])
        || words.begins("where") && words.any(&KINDS);
    let verb = words.any(&["search*", "find", "grep", "look for", "look up", "locate", "scan*", "list"])
        || words.any(&[
            "which file*", "what file*", "where is", "where are", "where's", "where do", "where does", "show me",
        ])
        || words.any(&[
            "occurrences of", "usages of", "uses of", "references to", "who calls", "mentions of", "is there any",
            "are there any", "do we use", "does the code use",
        ]);
    if !verb && !definition {
        return None;
    }
    let (query, marked) = match reading.subject {
        Some(subject) if subject.len() <= MAX_QUERY && !subject.contains('\n') => (subject.to_owned(), true),
        _ => object(&reading.head)?,
    };
    let searches =
        words.any(&["grep", "search* for", "search* the", "search* in"]) || marked && words.begins("search*");
    let score = match (code || marked && definition, definition, searches || looks_like_code(&query)) {
        (true, true, _) => 0.9,
        (true, false, true) => 0.88,
        (true, false, false)
            if words.any(&["find", "which file*", "what file*", "look for", "locate", "occurrences of"]) =>
        {
            0.8
        }
        (true, false, false) => 0.6,
        (false, true, _) if looks_like_code(&query) => 0.75,
        // `where is Timestamp defined`
        (false, true, _) if words.len() <= 6 && !query.contains(char::is_whitespace) => 0.7,
        (false, false, true)
            if words.begins_any(&["search", "grep", "find", "please search", "please find", "look for"]) =>
        {
            0.6
        }
        _ => return None,
    };
    Some(Wanted { query, definition, score })
}

/// Names as programs have them, and the marks that programmers leave.
fn looks_like_code(text: &str) -> bool {
    let inner_capital = text.chars().skip(1).any(char::is_uppercase);
    let single = !text.contains(char::is_whitespace);
    single && (text.contains(['_', ':', '(', '.', '<', '!', '#']) || inner_capital)
}

/// What is looked for, where nothing is in quotes: behind the words that ask for it, up to those that say where.
fn object(head: &str) -> Option<(String, bool)> {
    const BEFORE: [&str; 25] = [
        "for", "of", "function", "method", "struct", "class", "enum", "trait", "interface", "type", "constant",
        "const", "variable", "module", "macro", "fn", "to", "contain", "contains", "mention", "mentions", "called",
        "named", "use", "any",
    ];
    const VERBS: [&str; 12] =
        ["find", "grep", "locate", "search", "is", "are", "me", "list", "calls", "containing", "mentioning", "using"];
    const FILL: [&str; 12] = ["the", "a", "an", "all", "any", "every", "word", "text", "string", "for", "of", "to"];
    const AFTER: [&str; 19] = [
        "in", "defined", "declared", "implemented", "within", "inside", "under", "across", "throughout", "anywhere",
        "below", "through", "used", "please", "located", "definition", "left", "struct", "function",
    ];
    let words: Vec<&str> = head.split_whitespace().map(|word| word.trim_matches(|c| "?,;\"'`".contains(c))).collect();
    let lower: Vec<String> = words.iter().map(|word| word.to_lowercase()).collect();
    let last_of = |list: &[&str]| lower.iter().position(|word| list.contains(&word.as_str()));
    let start = lower
        .iter()
        .position(|word| KINDS.contains(&word.as_str()))
        .or_else(|| last_of(&BEFORE))
        .or_else(|| last_of(&VERBS))
        .or_else(|| last_of(&["defines", "declares"]))?
        + 1;
    let from_start = || lower.iter().enumerate().skip(start);
    let begin = from_start().find(|(_, word)| !FILL.contains(&word.as_str())).map(|(at, _)| at);
    let end = begin.and_then(|begin| {
        lower.iter().enumerate().skip(begin + 1).find(|(_, word)| AFTER.contains(&word.as_str())).map(|(at, _)| at)
    });
    let mut object = begin.and_then(|begin| words.get(begin..end.unwrap_or(words.len()))).unwrap_or_default().join(" ");
    object.truncate(object.trim_end_matches(['.', '!']).len());
    let named = object.to_lowercase();
    if KINDS.contains(&named.as_str()) || AFTER.contains(&named.as_str()) || named.is_empty() {
        // `where is the Journal trait`: the name stands before its kind.
        let at = lower.iter().position(|word| KINDS.contains(&word.as_str()))?;
        object = (*words.get(at.checked_sub(1)?)?).to_owned();
    }
    (!object.is_empty() && object.len() <= MAX_QUERY && Words::of(&object).len() <= 6).then_some((object, false))
}
