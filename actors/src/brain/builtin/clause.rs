//! Requests that ask for several things, taken apart where one ends and the next begins.

use crate::text::{beginning, colon, quotations};

/// What may stand between two requests; longer ones before those they begin with.
const JOINTS: [&str; 13] = [
    ", and then ", " and then ", ", and also ", " and also ", ", then ", " then ", ", and ", " and ", ". ", "? ", "! ",
    "; ", ", ",
];

/// Several requests stand in so many bytes, or it is one with a long subject.
const MAX_CUTTABLE: usize = 2000;

/// More parts than this are not looked for: four times what one plan holds.
const MAX_CLAUSES: usize = 32;

/// The joints that end a sentence.
const ENDS: [&str; 4] = [". ", "? ", "! ", "; "];

/// Words that a request begins with.
const OPENERS: [&str; 52] = [
    "compute", "calculate", "what", "what's", "whats", "how", "how's", "tell", "show", "find", "search", "grep",
    "count", "analyze", "analyse", "summarize", "summarise", "remember", "recall", "forget", "extract", "give", "list",
    "multiply", "add", "divide", "subtract", "judge", "classify", "is", "who", "when", "where", "where's", "which",
    "do", "does", "did", "note", "please", "evaluate", "also", "can", "could", "determine", "detect", "locate", "look",
    "keep", "make", "recap", "check",
];

/// The parts of a text that may be requests of their own; joined they are the text. Nothing in quotes or behind the
/// colon of a subject is cut, and with `sentences_only` nothing but sentences.
pub(super) fn clauses(text: &str, sentences_only: bool) -> Vec<&str> {
    let end = cuttable(text);
    let quoted = quotations(&text[..end]);
    let mut clauses = Vec::new();
    let mut start = 0;
    let mut at = 0;
    while at < end && clauses.len() < MAX_CLAUSES {
        let joint = JOINTS.iter().find(|joint| text.get(at..).is_some_and(|rest| rest.starts_with(**joint)));
        let free = !quoted.iter().any(|(from, to)| (*from..*to).contains(&at));
        let fits = |joint: &&&str| free && (!sentences_only || ENDS.contains(joint)) && at + joint.len() <= end;
        match joint.filter(fits).filter(|joint| opens(&text[at + joint.len()..])) {
            Some(joint) => {
                clauses.push(&text[start..at + joint.len()]);
                start = at + joint.len();
                at = start;
            }
            None => at += text[at..].chars().next().map_or(1, char::len_utf8),
        }
    }
    clauses.push(&text[start..]);
    clauses
}

/// Up to where a text may be cut: its first line, and not behind a colon that begins a subject.
fn cuttable(text: &str) -> usize {
    let line = text.find('\n').unwrap_or(text.len()).min(beginning(text, MAX_CUTTABLE).len());
    colon(text).map_or(line, |at| at.min(line))
}

fn opens(rest: &str) -> bool {
    let mut words = rest.split(|c: char| c.is_whitespace() || ",:;?!.".contains(c)).map(str::to_lowercase);
    let first = words.find(|word| !matches!(word.as_str(), "" | "and" | "then")).unwrap_or_default();
    OPENERS.contains(&first.replace('’', "'").as_str())
}

/// A clause without the joint at its end.
pub(super) fn bare(clause: &str) -> &str {
    let mut bare = clause.trim();
    for joint in [" and then", " and also", " then", " and", ","] {
        bare = bare.strip_suffix(joint).unwrap_or(bare).trim_end();
    }
    bare.trim_end_matches([',', ';'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_cut_where_the_next_begins() {
        let cases: [(&str, &[&str]); 6] = [
            ("compute 3*4 and tell me the sentiment of 'great'", &["compute 3*4", "tell me the sentiment of 'great'"]),
            ("what time is it? What is 2+2?", &["what time is it?", "What is 2+2?"]),
            ("search for foo and bar in src", &["search for foo and bar in src"]),
            ("sentiment of 'good and what not'", &["sentiment of 'good and what not'"]),
            ("summarize: it works and what follows is fine", &["summarize: it works and what follows is fine"]),
            ("count the files, then find TODO in src", &["count the files", "find TODO in src"]),
        ];
        for (text, parts) in cases {
            let found: Vec<&str> = clauses(text, false).into_iter().map(bare).collect();
            assert_eq!(found, parts, "{text}");
            assert_eq!(clauses(text, false).concat(), text);
        }
        assert_eq!(clauses("remember that I cook and find it fun. What is 2+2?", true).len(), 2);
    }
}
