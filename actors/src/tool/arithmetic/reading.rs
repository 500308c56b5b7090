//! Finds the expression in what somebody says: digits and signs, and the words that stand for them.

use super::number::number_words;
use super::parse;
use crate::text::Words;

/// An expression found.
#[derive(Debug)]
pub(super) struct Found {
    /// In normal form: digits, signs, `mod`, `of`, `sqrt`.
    pub(super) expression: String,
    /// How sure it is that it is meant.
    pub(super) score: f32,
}

/// Words that ask for a computation.
const CUES: [&str; 28] = [
    "calc*", "comput*", "evaluat*", "what is", "what's", "whats", "how much", "solve", "sum", "add", "plus",
    "multipl*", "product", "divid*", "subtract", "minus", "times", "work out", "result", "equal*", "math*", "percent*",
    "increase", "average", "mean", "decrease", "raise", "reduce",
];

/// Words that ask for nothing but a computation.
const COMMANDS: [&str; 10] =
    ["calc*", "comput*", "evaluat*", "solve", "minus", "divid*", "subtract*", "work out", "over", "how much is"];

/// Words that may stand around an expression without making it something else.
#[rustfmt::skip]
const FILLERS: [&str; 52] = [
    "what", "what's", "whats", "is", "the", "result", "of", "please", "can", "could", "you", "me", "tell", "calculate",
    "compute", "evaluate", "how", "much", "solve", "work", "out", "equals", "equal", "to", "and", "find", "value", "for",
    "do", "does", "give", "add", "sum", "multiply", "divide", "subtract", "by", "from", "product", "difference", "between",
    "expression", "following", "i", "need", "answer", "quickly", "average", "increase", "decrease", "raise", "reduce",
];

/// The longest text that is searched, in bytes; sums are not found in essays.
const MAX_TEXT: usize = 2000;

/// The expression in `text`, if it has one that is meant to be computed; `head` is an instruction before it.
pub(super) fn find(head: &str, text: &str) -> Option<Found> {
    if text.len() > MAX_TEXT {
        return None;
    }
    let pieces = pieces(text);
    let spelled = operation(&pieces).or_else(|| longest(&pieces))?;
    let cued = Words::of(head).any(&CUES) || Words::of(text).any(&CUES) || text.trim_end().ends_with('=');
    let alone = pieces.iter().all(|piece| match piece {
        Piece::Math(_) => true,
        Piece::Word(word) => FILLERS.contains(&word.as_str()),
    });
    // `2-3` and `1/2` in the middle of a sentence are a range, a date or a score rather than a sum.
    let bare = !text.contains(" of ") && spelled.chars().all(|c| c.is_ascii_digit() || "-/. ,".contains(c));
    let cued = cued && (!bare || alone || Words::of(&format!("{head} {text}")).any(&COMMANDS));
    let clear = spelled.contains(['*', '^', '(', '!', '+', 'm', 'q']) || text.contains(" - ") || text.contains(" / ");
    let score = match (alone, cued, clear) {
        (true, true, _) | (true, _, true) => 0.95,
        (true, false, false) => 0.8,
        (false, true, true) => 0.85,
        (false, true, false) => 0.7,
        (false, false, true) => 0.6,
        (false, false, false) => return None,
    };
    Some(Found { expression: spelled, score })
}

/// The normal form of an expression that a client spelled out; what is no expression stays as it is.
pub(super) fn normal(text: &str) -> String {
    let trimmed = text.trim().trim_end_matches(['=', '?']).trim();
    let plain = trimmed.chars().all(|c| c.is_ascii_digit() || "+-*/^%!()., ".contains(c));
    if plain {
        return trimmed.to_owned();
    }
    let pieces = pieces(trimmed);
    if let Some(operation) = operation(&pieces) {
        return operation;
    }
    let all: Option<Vec<&str>> = pieces.iter().map(Piece::math).collect();
    all.map_or_else(|| trimmed.to_owned(), |math| join(&math))
}

/// A piece of what was said: something that can stand in an expression, or not.
#[derive(Clone, PartialEq, Debug)]
enum Piece {
    Math(String),
    Word(String),
}

impl Piece {
    fn math(&self) -> Option<&str> {
        match self {
            Self::Math(text) => Some(text),
            Self::Word(_) => None,
        }
    }
}

fn pieces(text: &str) -> Vec<Piece> {
    let text = text.to_lowercase().replace(['×', '·', '⋅'], "*").replace('÷', "/").replace(['−', '–'], "-");
    let text = text.replace('²', "^2").replace('³', "^3").replace('√', " sqrt ");
    let mut words = Vec::new();
    for chunk in text.split_whitespace() {
        split_chunk(chunk, &mut words);
    }
    phrases(&number_words(&words))
}

/// Takes what stands between blanks apart: an expression into its signs and numbers, anything else as one word.
fn split_chunk(chunk: &str, words: &mut Vec<String>) {
    let core = chunk.trim_end_matches(['?', '=', ';', ':']).trim_end_matches(['.', ',']).trim_end_matches(['?', '=']);
    let core = core.trim_matches(['"', '\'', '`', '“', '”']);
    if core.is_empty() || looks_like_a_date(core) {
        words.push("|".to_owned());
        return;
    }
    let simple = core.chars().all(|c| c.is_ascii_digit() || "+-*/^%!().,".contains(c));
    if !simple && !is_mixed(core) {
        // Hyphens join number words: `twenty-five`.
        words.extend(core.split('-').map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()).to_owned()));
        if chunk.ends_with(',') {
            words.push(",".to_owned());
        }
        return;
    }
    let mut rest = core;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '0'..='9' | '.' => parse::number_length(rest),
            '*' if rest.starts_with("**") => 2,
            'a'..='z' => rest.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        words.push(rest[..length].to_owned());
        rest = &rest[length..];
    }
    if chunk.ends_with(',') {
        words.push(",".to_owned());
    }
}

/// Whether letters in an expression are only those of a root, of `x` between numbers, of `mod` or of an exponent.
fn is_mixed(core: &str) -> bool {
    let letters = core.replace("sqrt", "").replace("mod", "");
    let allowed = |c: char| c.is_ascii_digit() || "+-*/^%!().,xe".contains(c);
    letters.chars().all(allowed) && letters.contains(|c: char| c.is_ascii_digit() || c == '(') && letters != core
        || core.split('x').all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit() || c == '.'))
        || core.chars().all(|c| c.is_ascii_digit() || "+-*/^%!().,e".contains(c)) && is_exponent(core)
}

fn is_exponent(core: &str) -> bool {
    core.starts_with(|c: char| c.is_ascii_digit()) && core.matches('e').count() == 1 && !core.ends_with('e')
}

/// Dates, telephone numbers and versions: numbers joined without blanks by one kind of sign.
fn looks_like_a_date(core: &str) -> bool {
    ['-', '/', '.', ':'].into_iter().any(|sign| {
        let parts: Vec<&str> = core.split(sign).collect();
        let numbers = parts.iter().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
        let three =
            parts.len() == 3 && (sign != '-' || parts.iter().any(|part| part.len() == 4 || part.starts_with('0')));
        let three = three && (sign != '/' || parts.iter().any(|part| part.len() == 4));
        numbers && (three || (sign == ':' && parts.len() == 2) || (sign == '.' && parts.len() > 2))
    })
}

/// Phrases that stand for signs; longer ones before those that they begin with.
const PHRASES: [(&str, &[&str]); 31] = [
    ("to the power of", &["^"]),
    ("raised to the power of", &["^"]),
    ("raised to", &["^"]),
    ("multiplied by", &["*"]),
    ("divided by", &["/"]),
    ("the square root of", &["sqrt"]),
    ("square root of", &["sqrt"]),
    ("root of", &["sqrt"]),
    ("sqrt of", &["sqrt"]),
    ("per cent", &["%"]),
    ("percent", &["%"]),
    ("half of", &["0.5", "*"]),
    ("a third of", &["1", "/", "3", "*"]),
    ("a quarter of", &["0.25", "*"]),
    ("twice", &["2", "*"]),
    ("double", &["2", "*"]),
    ("plus", &["+"]),
    ("minus", &["-"]),
    ("negative", &["-"]),
    ("times", &["*"]),
    ("x", &["*"]),
    ("over", &["/"]),
    ("modulo", &["mod"]),
    ("modulus", &["mod"]),
    ("mod", &["mod"]),
    ("squared", &["^", "2"]),
    ("cubed", &["^", "3"]),
    ("factorial", &["!"]),
    ("sqrt", &["sqrt"]),
    ("square root", &["sqrt"]),
    ("of", &["of"]),
];

fn phrases(words: &[String]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut at = 0;
    while let Some(word) = words.get(at) {
        // `factorial of 5` has its sign behind the number.
        let factorial = word == "factorial" && words.get(at + 1).is_some_and(|next| next == "of");
        if let Some(number) = words.get(at + 2).filter(|number| factorial && is_number(number)) {
            pieces.push(Piece::Math(number.clone()));
            pieces.push(Piece::Math("!".to_owned()));
            at += 3;
            continue;
        }
        let phrase = PHRASES.iter().find(|(phrase, _)| {
            phrase.split(' ').zip(at..).all(|(part, place)| words.get(place).is_some_and(|word| word == part))
        });
        match phrase {
            Some((phrase, signs)) => {
                pieces.extend(signs.iter().map(|sign| Piece::Math((*sign).to_owned())));
                at += phrase.split(' ').count();
            }
            None => {
                let math = is_number(word) || (word.len() <= 2 && word.chars().all(|c| "+-*/^%!()".contains(c)));
                pieces.push(if math { Piece::Math(word.clone()) } else { Piece::Word(word.clone()) });
                at += 1;
            }
        }
    }
    pieces
}

fn is_number(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit() || c == '.') && word.contains(|c: char| c.is_ascii_digit())
}

/// `add 3 and 4`, `multiply 6 by 7`, `the sum of 3, 4 and 5`: a verb, and what it joins.
fn operation(pieces: &[Piece]) -> Option<String> {
    let (start, sign, joint) = pieces.iter().enumerate().find_map(|(at, piece)| {
        let Piece::Word(word) = piece else { return None };
        Some(match word.as_str() {
            "add" | "sum" => (at, "+", &["and", ",", "to", "with"][..]),
            "average" | "mean" => (at, "mean", &["and", ","][..]),
            "multiply" | "product" => (at, "*", &["and", ",", "by", "with"][..]),
            "divide" => (at, "/", &["by"][..]),
            "subtract" => (at, "from", &["from"][..]),
            "increase" | "raise" => (at, "+", &["by"][..]),
            "decrease" | "reduce" | "lower" => (at, "-", &["by"][..]),
            "difference" => (at, "-", &["and"][..]),
            _ => return None,
        })
    })?;
    let mut operands: Vec<Vec<&str>> = vec![Vec::new()];
    for piece in pieces.get(start + 1..)? {
        match piece {
            Piece::Math(math) if math == "of" && operands.len() == 1 && operands.iter().all(Vec::is_empty) => {}
            Piece::Math(math) => operands.last_mut()?.push(math),
            Piece::Word(word) if joint.contains(&word.as_str()) => operands.push(Vec::new()),
            Piece::Word(word) if matches!(word.as_str(), "of" | "the" | "up" | "between") => {}
            Piece::Word(_) => break,
        }
    }
    operands.retain(|operand| !operand.is_empty());
    let mean = sign == "mean";
    let sign = if mean { "+" } else { sign };
    let mut spelled: Vec<String> = operands.iter().map(|operand| join(operand)).collect();
    if sign == "from" {
        spelled.reverse();
    }
    let sign = if sign == "from" { "-" } else { sign };
    let complete = spelled.len() >= 2 && spelled.iter().all(|operand| parse::parse(operand).is_ok());
    let joined = spelled.join(&format!(" {sign} "));
    complete.then(|| if mean { format!("({joined}) / {}", spelled.len()) } else { joined })
}

/// The longest run of pieces that is an expression and has something to compute.
fn longest(pieces: &[Piece]) -> Option<String> {
    let runs = pieces.split(|piece| piece.math().is_none());
    let candidates = runs.filter_map(|run| {
        let math: Vec<&str> = run.iter().filter_map(Piece::math).collect();
        let trimmed = trim(&math);
        let spelled = join(trimmed);
        let computes = trimmed.len() > 1 && trimmed.iter().skip(1).any(|sign| !is_number(sign) && *sign != ")");
        let only_percent = trimmed.len() == 2 && trimmed.last() == Some(&"%");
        let computes = computes || trimmed.first() == Some(&"sqrt");
        (computes && !only_percent && parse::parse(&spelled).is_ok()).then_some((trimmed.len(), spelled))
    });
    candidates.max_by_key(|(length, _)| *length).map(|(_, spelled)| spelled)
}

/// A run without the signs at its ends that belong to the sentence, not to the sum.
fn trim<'a>(math: &'a [&'a str]) -> &'a [&'a str] {
    let begins = |sign: &&str| is_number(sign) || matches!(*sign, "(" | "-" | "+" | "sqrt");
    let ends = |sign: &&str| is_number(sign) || matches!(*sign, ")" | "!" | "%");
    let start = math.iter().position(begins).unwrap_or(math.len());
    let end = math.iter().rposition(ends).map_or(start, |at| at + 1);
    math.get(start..end.max(start)).unwrap_or_default()
}

/// Puts an expression together as people write it.
fn join(math: &[&str]) -> String {
    let mut spelled = String::new();
    let mut operand_before = false;
    for (at, sign) in math.iter().enumerate() {
        let operand_after = math.get(at + 1).is_some_and(|next| is_number(next) || matches!(*next, "(" | "sqrt"));
        match *sign {
            "%" if operand_after => {
                spelled.push_str(" mod ");
                operand_before = false;
            }
            "+" | "-" | "*" | "/" | "mod" | "of" if operand_before => {
                spelled.push_str(&format!(" {sign} "));
                operand_before = false;
            }
            "%" | "!" | ")" => {
                spelled.push_str(sign);
                operand_before = true;
            }
            number if is_number(number) => {
                if operand_before {
                    spelled.push(' ');
                }
                spelled.push_str(number);
                operand_before = true;
            }
            sign => {
                spelled.push_str(if sign == "**" { "^" } else { sign });
                if sign == "sqrt" {
                    spelled.push(' ');
                }
                operand_before = false;
            }
        }
    }
    spelled
}
