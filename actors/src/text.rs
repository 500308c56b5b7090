//! Text as tools, memory and brains read it: what is instruction and what is subject, words, stems, sentences.
//!
//! Everything here is pure and bounded by the text it is given. What a tool makes of a text belongs to the tool.

use std::borrow::Cow;

use rust_stemmers::{Algorithm, Stemmer};
use unicode_segmentation::UnicodeSegmentation;

/// An instruction is read up to here for its cues, in words; a longer text is a subject, not an instruction.
const MAX_CUE_WORDS: usize = 400;

/// An instruction before a colon or a line break is at most this long, in bytes; otherwise the colon is just a colon.
const MAX_HEAD: usize = 160;

/// The words of a text in lower case, to be asked for cues.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Words(Vec<String>);

impl Words {
    /// The words of `text`, of a long one the first 400.
    pub fn of(text: &str) -> Self {
        let lower = |word: &str| {
            let word = word.to_lowercase();
            if word.contains('’') { word.replace('’', "'") } else { word }
        };
        Self(text.unicode_words().take(MAX_CUE_WORDS).map(lower).collect())
    }

    /// Whether a cue occurs: one or several words in a row, each whole (`file`) or its beginning (`analy*`).
    pub fn has(&self, cue: &str) -> bool {
        self.find(cue).is_some()
    }

    /// Whether any of the cues occurs.
    pub fn any(&self, cues: &[&str]) -> bool {
        cues.iter().any(|cue| self.has(cue))
    }

    /// Whether the text begins with the cue.
    pub fn begins(&self, cue: &str) -> bool {
        self.matches_at(0, cue)
    }

    /// Whether the text begins with any of the cues.
    pub fn begins_any(&self, cues: &[&str]) -> bool {
        cues.iter().any(|cue| self.begins(cue))
    }

    /// Where the cue occurs first, counted in words.
    pub fn find(&self, cue: &str) -> Option<usize> {
        (0..self.0.len()).find(|&start| self.matches_at(start, cue))
    }

    /// The words, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// How many words there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn matches_at(&self, start: usize, cue: &str) -> bool {
        // Most cues fail at their first letter.
        if self.0.get(start).and_then(|word| word.as_bytes().first()) != cue.as_bytes().first() {
            return false;
        }
        let mut words = self.0.iter().skip(start);
        cue.split(' ').all(|part| {
            words.next().is_some_and(|word| match part.strip_suffix('*') {
                Some(beginning) => word.starts_with(beginning),
                None => word == part,
            })
        })
    }
}

/// A request taken apart: the instruction, and the text that it is about, if it brings one.
#[derive(Clone, Debug)]
pub struct Reading<'a> {
    /// All of it, trimmed.
    pub whole: &'a str,
    /// The instruction, without the subject.
    pub head: Cow<'a, str>,
    /// What stands in quotes, after a colon, or on the lines after the first; without its quotes.
    pub subject: Option<&'a str>,
    /// The words of the instruction.
    pub words: Words,
}

impl<'a> Reading<'a> {
    /// Takes a request apart. Whichever comes first, a quote or a colon, begins the subject.
    pub fn of(text: &'a str) -> Self {
        let whole = text.trim();
        let quote = quotation(whole);
        let colon = colon(whole).filter(|at| quote.is_none_or(|(start, _)| *at < start));
        let (head, subject) = match (colon, quote) {
            (Some(at), _) => (Cow::from(&whole[..at]), Some(unquoted(&whole[at + 1..]))),
            (None, Some((start, end))) => {
                (Cow::from(format!("{} {}", &whole[..start], &whole[end..])), Some(unquoted(&whole[start..end])))
            }
            (None, None) => match whole.split_once('\n') {
                Some((first, rest)) if first.len() <= MAX_HEAD => (Cow::from(first), Some(rest.trim())),
                _ => (Cow::from(whole), None),
            },
        };
        let words = Words::of(&head);
        Self { whole, head, subject: subject.filter(|subject| !subject.is_empty()), words }
    }
}

/// The beginning of a text, at most `bytes` long.
pub fn beginning(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

/// Where quotations begin and end, quotes included, in order.
pub fn quotations(text: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some((start, end)) = quotation(&text[from..]) {
        found.push((from + start, from + end));
        from += end;
    }
    found
}

/// Where the colon stands that ends the instruction: one followed by white space or a quote, not inside a word.
pub fn colon(text: &str) -> Option<usize> {
    let head = text.char_indices().take_while(|(at, _)| *at <= MAX_HEAD).filter(|(_, c)| *c == ':');
    head.map(|(at, _)| at).find(|at| text[at + 1..].starts_with(|c: char| c.is_whitespace() || "\"'“‘«`".contains(c)))
}

/// The first quotation, from its opening quote up to behind its closing one.
fn quotation(text: &str) -> Option<(usize, usize)> {
    let mut before = ' ';
    // A closing quote that is missing here is missing further on as well: each kind is looked for in vain only once.
    let mut missing = Vec::new();
    for (start, c) in text.char_indices() {
        let opens = before.is_whitespace() || "([{:;,=".contains(before);
        before = c;
        if let Some(closing) = closing_of(c).filter(|closing| opens && !missing.contains(closing)) {
            let inner = start + c.len_utf8();
            if let Some(end) = closing_quote(text, inner, closing) {
                return Some((start, end + closing.len_utf8()));
            }
            missing.push(closing);
        }
    }
    None
}

/// The place of the quote that closes a quotation begun before `from`; an apostrophe inside a word closes nothing.
fn closing_quote(text: &str, from: usize, closing: char) -> Option<usize> {
    text[from..].char_indices().map(|(at, c)| (from + at, c)).find_map(|(at, c)| {
        let ends = !text[at + c.len_utf8()..].starts_with(char::is_alphanumeric);
        (c == closing && ends && at > from).then_some(at)
    })
}

fn closing_of(opening: char) -> Option<char> {
    Some(match opening {
        '"' => '"',
        '\'' => '\'',
        '`' => '`',
        '“' => '”',
        '„' => '“',
        '‘' => '’',
        '«' => '»',
        _ => return None,
    })
}

/// The text without white space around it and without the quotes that enclose all of it.
pub fn unquoted(text: &str) -> &str {
    let text = text.trim();
    let Some(opening) = text.chars().next() else { return text };
    let inner = closing_of(opening).and_then(|closing| text[opening.len_utf8()..].strip_suffix(closing));
    inner.map_or(text, str::trim)
}

/// The sentences of a text, trimmed. A line break ends one, an abbreviation does not.
pub fn sentences(text: &str) -> Vec<&str> {
    let mut found: Vec<&str> = Vec::new();
    for line in text.lines() {
        let mut start = 0;
        let mut end = 0;
        for bound in line.split_sentence_bounds() {
            end += bound.len();
            if !ends_in_abbreviation(&line[start..end]) {
                found.push(line[start..end].trim());
                start = end;
            }
        }
        found.push(line[start..].trim());
    }
    found.retain(|sentence| sentence.chars().any(char::is_alphanumeric));
    found
}

fn ends_in_abbreviation(text: &str) -> bool {
    const ABBREVIATIONS: [&str; 16] = [
        "mr.", "mrs.", "ms.", "dr.", "prof.", "st.", "vs.", "e.g.", "i.e.", "etc.", "approx.", "no.", "fig.", "cf.",
        "jr.", "inc.",
    ];
    let last = text.split_whitespace().next_back().unwrap_or_default().to_lowercase();
    ABBREVIATIONS.contains(&last.as_str()) && !text.ends_with('\n')
}

/// The stems of the meaningful words of a text, in order, repeated ones repeated.
pub fn terms(text: &str) -> Vec<String> {
    let stemmer = Stemmer::create(Algorithm::English);
    text.unicode_words()
        .map(|word| word.to_lowercase().replace('’', "'"))
        .filter(|word| !is_stop_word(word))
        .map(|word| {
            let word = word.strip_suffix("'s").unwrap_or(&word);
            american(&stemmer.stem(word))
        })
        .collect()
}

/// British and American spelling meet in one stem.
fn american(stem: &str) -> String {
    match stem {
        "colour" => "color".to_owned(),
        "favourit" => "favorit".to_owned(),
        "centr" => "center".to_owned(),
        _ => match stem.strip_suffix("is").filter(|root| root.len() > 3) {
            Some(root) => format!("{root}iz"),
            None => stem.to_owned(),
        },
    }
}

/// Whether a word, in lower case, says nothing by itself.
pub fn is_stop_word(word: &str) -> bool {
    STOP_WORDS.binary_search(&word).is_ok()
}

/// Sorted.
#[rustfmt::skip]
const STOP_WORDS: &[&str] = &[
    "a", "about", "after", "again", "all", "also", "am", "an", "and", "any", "are", "aren't", "as", "at", "be",
    "because", "been", "before", "being", "both", "but", "by", "can", "can't", "cannot", "could", "couldn't", "did",
    "didn't", "do", "does", "doesn't", "doing", "don't", "each", "few", "for", "from", "had", "hadn't", "has",
    "hasn't", "have", "haven't", "he", "her", "here", "hers", "him", "his", "how", "how's", "i", "i'd", "i'll", "i'm",
    "i've", "if", "in", "into", "is", "isn't", "it", "it's", "its", "just", "let", "let's", "may", "me", "might",
    "mine", "more", "most", "much", "must", "my", "no", "nor", "not", "of", "off", "on", "once", "only", "or", "other",
    "our", "ours", "out", "over", "own", "please", "s", "same", "shall", "she", "should", "so", "some", "such", "than",
    "that", "that's", "the", "their", "theirs", "them", "then", "there", "there's", "these", "they", "they're", "this",
    "those", "through", "to", "too", "under", "until", "up", "us", "very", "was", "wasn't", "we", "we're", "we've",
    "were", "weren't", "what", "what's", "when", "when's", "where", "where's", "which", "while", "who", "who's",
    "whom", "whose", "why", "will", "with", "won't", "would", "wouldn't", "you", "you're", "you've", "your", "yours",
];

/// At most `limit` characters of a text, marked where it was cut.
pub fn shortened(text: &str, limit: usize) -> Cow<'_, str> {
    match text.char_indices().nth(limit) {
        None => text.into(),
        Some((at, _)) => format!("{}…", text[..at].trim_end()).into(),
    }
}

/// A number with its noun: `1 file`, `2 files`, `1,234 lines`.
pub fn count(number: u64, singular: &str, plural: &str) -> String {
    format!("{} {}", grouped(number), if number == 1 { singular } else { plural })
}

/// A number with a comma between thousands.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_taken_apart() {
        let cases = [
            ("Analyze the following text: 'I love this!'", "Analyze the following text", Some("I love this!")),
            ("is “not bad” positive?", "is   positive?", Some("not bad")),
            ("search for 'Journal' in src", "search for   in src", Some("Journal")),
            ("summarize this\n\nOne. Two.", "summarize this", Some("One. Two.")),
            ("meet at 10:30 tomorrow", "meet at 10:30 tomorrow", None),
            ("see http://a.b/c", "see http://a.b/c", None),
            ("I don't know what's wrong", "I don't know what's wrong", None),
            ("gist of: He said \"go\" and left.", "gist of", Some("He said \"go\" and left.")),
            ("sentiment of 'it isn't good'", "sentiment of ", Some("it isn't good")),
            ("note:", "note:", None),
        ];
        for (text, head, subject) in cases {
            let reading = Reading::of(text);
            assert_eq!((reading.head.trim_end(), reading.subject), (head.trim_end(), subject), "{text}");
        }
    }

    #[test]
    fn cues_are_whole_words_or_beginnings() {
        let words = Words::of("Please analyse how many files there are");
        assert!(words.has("analy*") && words.has("how many") && words.has("how many file*"));
        assert!(!words.has("file") && !words.has("many how"));
        assert!(words.begins("please analy*") && !words.begins("files"));
    }

    #[test]
    fn sentences_survive_abbreviations() {
        assert_eq!(sentences("Dr. Who came. He left!\nNew line"), ["Dr. Who came.", "He left!", "New line"]);
        assert_eq!(sentences("Costs 3.5 units. Done?"), ["Costs 3.5 units.", "Done?"]);
        assert!(sentences(" ... \n").is_empty());
    }

    #[test]
    fn terms_meet_in_their_stems() {
        assert_eq!(terms("The favourite colours"), terms("my favorite color"));
        assert_eq!(terms("deployments"), terms("deploying"));
        assert!(STOP_WORDS.is_sorted());
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(count(1, "file", "files"), "1 file");
        assert_eq!(count(1_234_567, "file", "files"), "1,234,567 files");
    }
}
