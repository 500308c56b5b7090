//! Contexts: what a model is told of all that is known, cut to a size.
//!
//! In goes who the agent is, what it remembers that has to do with the request, what was said, and the request. Out come
//! the latest messages as they are, a summary of what is older in its own sentences, the memories that fit, and an
//! account of what was left out. Pure: the same goes in, the same comes out. How it is put into words for a model is the
//! brain's matter.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::protocol::{Message, Role};
use crate::tape::{Known, LeftOut};
use crate::text::{beginning, sentences, shortened, terms};

/// Tokens that a message takes besides its words, whatever the model.
const FRAME: usize = 8;

/// Of what is left beside persona and request, memories get at most one part in so many.
const FACTS_PART: usize = 4;

/// Bytes of a message that its part of a summary is made of.
const READ: usize = 16 << 10;

/// Characters of one sentence of a summary.
const SENTENCE: usize = 240;

/// How large contexts are: the table `[model.context]` of an agent's file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Bounds {
    /// All of it, in estimated tokens. Who the agent is and what it is asked are always in it.
    pub tokens: usize,
    /// Memories.
    pub memories: usize,
    /// The summary of what is older, in estimated tokens.
    pub summary_tokens: usize,
    /// One message of the past, in estimated tokens; of a longer one its beginning.
    pub message_tokens: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { tokens: 6_000, memories: 8, summary_tokens: 400, message_tokens: 1_500 }
    }
}

/// What a context is made of.
#[derive(Clone, Copy, Debug)]
pub struct Sources<'a> {
    /// Who the agent is and what it is to observe.
    pub system: &'a str,
    /// What is asked.
    pub asked: &'a str,
    /// What is remembered, what fits best first.
    pub known: &'a [Known],
    /// What was said before, oldest first.
    pub history: &'a [Arc<Message>],
    /// Messages that were said before all of that.
    pub earlier: u64,
}

/// What a model is told besides who it is and what it is asked.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Context {
    /// Memories, what fits best first.
    pub known: Vec<Known>,
    /// What is older than the messages, in sentences of its own, one a line; empty where nothing is.
    pub summary: String,
    /// The latest messages with their words, or the beginning of them, oldest first.
    pub latest: Vec<(Arc<Message>, String)>,
    /// What was left out.
    pub left_out: LeftOut,
}

/// Makes a context of `sources` within `bounds`.
pub fn make(sources: Sources<'_>, bounds: &Bounds) -> Context {
    let Sources { system, asked, known, history, earlier } = sources;
    let base = tokens(system) + tokens(asked) + 2 * FRAME;
    let room = bounds.tokens.saturating_sub(base);
    let (known_in, known_tokens) = facts(known, bounds.memories, room / FACTS_PART);
    let room = room - known_tokens;
    // Where everything fits there is nothing to sum up.
    let (mut latest, mut used, mut shortened) = newest(history, room, bounds.message_tokens);
    let mut summary = Summary::default();
    if latest.len() < history.len() {
        let reserved = bounds.summary_tokens.min(room / 2);
        (latest, used, shortened) = newest(history, room - reserved, bounds.message_tokens);
        summary = sum_up(&history[..history.len() - latest.len()], asked, reserved);
    }
    let older = history.len() - latest.len();
    let left_out = LeftOut {
        messages: latest.len(),
        summarized: summary.messages,
        left_out: earlier + (older - summary.messages) as u64,
        shortened,
        facts: known_in.len(),
        facts_left_out: known.len() - known_in.len(),
        tokens: base + known_tokens + used + summary.tokens,
        most_tokens: bounds.tokens,
    };
    Context { known: known_in, summary: summary.text, latest, left_out }
}

/// About how many tokens a text has: four letters of the alphabet or one of another script each. Models differ; this is
/// rather too much than too little.
pub fn tokens(text: &str) -> usize {
    let other = text.chars().filter(|c| !c.is_ascii()).count();
    let ascii = text.len() - text.chars().filter(|c| !c.is_ascii()).map(char::len_utf8).sum::<usize>();
    ascii.div_ceil(4) + other
}

/// The best facts, as many as there is room for.
fn facts(known: &[Known], most: usize, room: usize) -> (Vec<Known>, usize) {
    let mut used = 0;
    let fits = |known: &&Known| {
        let more = tokens(&known.text) + FRAME;
        let fits = used + more <= room;
        used += if fits { more } else { 0 };
        fits
    };
    let chosen: Vec<Known> = known.iter().take(most).take_while(fits).cloned().collect();
    (chosen, used)
}

/// The latest messages that fit, oldest first; their tokens; how many of them are only begun.
fn newest(history: &[Arc<Message>], room: usize, most: usize) -> (Vec<(Arc<Message>, String)>, usize, usize) {
    let (mut latest, mut used, mut cut) = (Vec::new(), 0, 0);
    for message in history.iter().rev() {
        let text = message.text();
        let short = begun(&text, most);
        let more = tokens(&short) + FRAME;
        if used + more > room {
            break;
        }
        used += more;
        cut += usize::from(short.len() != text.len());
        latest.push((message.clone(), short));
    }
    latest.reverse();
    (latest, used, cut)
}

/// The beginning of a text that has about so many tokens.
fn begun(text: &str, most: usize) -> String {
    if tokens(text) <= most {
        return text.to_owned();
    }
    let mut kept = beginning(text, most.saturating_mul(4));
    while tokens(kept) > most {
        kept = beginning(kept, kept.len() / 2);
    }
    format!("{} …", kept.trim_end())
}

#[derive(Default)]
struct Summary {
    text: String,
    tokens: usize,
    /// Messages of which something is in it.
    messages: usize,
}

/// One sentence that may stand in a summary.
struct Candidate {
    message: usize,
    line: String,
    stems: HashSet<String>,
}

/// The weightiest sentences of some messages in their order: those whose words come up most often there, and before them
/// those that have to do with what is asked.
fn sum_up(older: &[Arc<Message>], asked: &str, room: usize) -> Summary {
    let candidates = candidates(older);
    let mut often: HashMap<&str, usize> = HashMap::new();
    for stem in candidates.iter().flat_map(|candidate| &candidate.stems) {
        *often.entry(stem).or_default() += 1;
    }
    let wanted: HashSet<String> = terms(asked).into_iter().collect();
    let weight = |candidate: &Candidate| {
        let stems = candidate.stems.iter();
        let sum: usize = stems
            .map(|stem| {
                often.get(stem.as_str()).copied().unwrap_or(0) + if wanted.contains(stem) { often.len() } else { 0 }
            })
            .sum();
        // By the word, but short ones say little.
        sum * 100 / candidate.stems.len().max(5)
    };
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    // Of equals the later one: it is what holds now.
    order.sort_by_cached_key(|at| std::cmp::Reverse((weight(&candidates[*at]), *at)));
    let (mut chosen, mut used) = (Vec::new(), 0);
    for at in order {
        let more = tokens(&candidates[at].line) + 1;
        if used + more <= room {
            used += more;
            chosen.push(at);
        }
    }
    chosen.sort_unstable();
    let messages: HashSet<usize> = chosen.iter().map(|at| candidates[*at].message).collect();
    let lines: Vec<&str> = chosen.iter().map(|at| candidates[*at].line.as_str()).collect();
    Summary { text: lines.join("\n"), tokens: used, messages: messages.len() }
}

fn candidates(older: &[Arc<Message>]) -> Vec<Candidate> {
    let mut candidates: Vec<Candidate> = Vec::new();
    for (at, message) in older.iter().enumerate() {
        let speaker = match (message.role, &message.agent) {
            (Role::User, _) => "user",
            (Role::Assistant, Some(agent)) => agent.as_str(),
            (Role::Assistant, None) => "agent",
            (Role::System, _) => "server",
        };
        let text = message.text();
        for sentence in sentences(beginning(&text, READ)) {
            let stems: HashSet<String> = terms(sentence).into_iter().collect();
            let known = candidates.iter().any(|other| other.stems == stems);
            if !stems.is_empty() && !known {
                candidates.push(Candidate {
                    message: at,
                    line: format!("{speaker}: {}", shortened(sentence, SENTENCE)),
                    stems,
                });
            }
        }
    }
    candidates
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::{AgentName, Timestamp};
    use crate::tool::tests::message;

    fn known(text: &str) -> Known {
        Known { agent: AgentName::trusted("nyx"), text: text.to_owned(), importance: 0.5, at: Timestamp(0) }
    }

    fn talk(texts: &[&str]) -> Vec<Arc<Message>> {
        let role = |seq: u64| if seq % 2 == 1 { Role::User } else { Role::Assistant };
        (1..).zip(texts).map(|(seq, text)| message(seq, role(seq), text)).collect()
    }

    fn bounds(tokens: usize) -> Bounds {
        Bounds { tokens, summary_tokens: 60, ..Bounds::default() }
    }

    #[test]
    fn what_fits_is_told_word_by_word_and_nothing_is_summed_up() {
        let history = talk(&["hello", "hi", "how are you?", "fine"]);
        let facts = [known("tea is at four")];
        let sources =
            Sources { system: "You are nyx.", asked: "and now?", known: &facts, history: &history, earlier: 0 };
        let context = make(sources, &bounds(1000));
        assert_eq!(context.latest.len(), 4);
        assert_eq!((context.summary.as_str(), context.known.len()), ("", 1));
        let left_out = context.left_out;
        assert_eq!((left_out.messages, left_out.left_out, left_out.facts_left_out), (4, 0, 0));
    }

    #[test]
    fn what_is_older_is_summed_up_by_what_matters_and_the_rest_is_accounted_for() {
        let chatter = "Well well. ".repeat(30);
        let texts: Vec<String> = (0..20)
            .map(|n| if n == 2 { "The staging database is called heron.".to_owned() } else { format!("{n} {chatter}") })
            .collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let history = talk(&texts);
        let asked = "What is the staging database called?";
        let sources = Sources { system: "You are nyx.", asked, known: &[], history: &history, earlier: 7 };
        let context = make(sources, &bounds(500));
        assert!(context.summary.contains("user: The staging database is called heron."), "{}", context.summary);
        let left_out = &context.left_out;
        assert!((1..20).contains(&left_out.messages), "{left_out:?}");
        assert_eq!(left_out.messages as u64 + left_out.summarized as u64 + left_out.left_out, 20 + 7);
        assert!(left_out.tokens <= 500, "{left_out:?}");
        // The latest are kept.
        assert_eq!(context.latest.last().unwrap().0.seq, 20);
    }

    #[test]
    fn one_long_message_does_not_push_out_the_others() {
        let long = "word ".repeat(10_000);
        let history = talk(&["first", &long, "last"]);
        let limits = Bounds { message_tokens: 100, ..bounds(1000) };
        let context = make(Sources { system: "", asked: "?", known: &[], history: &history, earlier: 0 }, &limits);
        assert_eq!((context.latest.len(), context.left_out.shortened), (3, 1));
        assert!(context.latest[1].1.ends_with('…') && tokens(&context.latest[1].1) < 110);
    }

    #[test]
    fn facts_are_bounded_and_the_request_is_always_in() {
        let facts: Vec<Known> = (0..20).map(|n| known(&format!("fact number {n}"))).collect();
        let asked = "x".repeat(4000);
        let history = talk(&["hello"]);
        let sources = Sources { system: "", asked: &asked, known: &facts, history: &history, earlier: 0 };
        let none = make(sources, &bounds(500));
        assert!(none.known.is_empty() && none.latest.is_empty());
        assert_eq!((none.left_out.facts_left_out, none.left_out.left_out), (20, 1));
        assert!(none.left_out.tokens > none.left_out.most_tokens, "it says so");
        assert_eq!(make(sources, &bounds(2000)).known.len(), Bounds::default().memories);
    }

    proptest! {
        #[test]
        fn a_context_keeps_its_bounds_and_accounts_for_every_message(
            texts in prop::collection::vec("[a-zäß ]{0,80}[.?!]", 0..30), most in 100_usize..2000,
        ) {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let history = talk(&texts);
            let sources = Sources { system: "s", asked: "what?", known: &[], history: &history, earlier: 0 };
            let context = make(sources, &bounds(most));
            let left_out = &context.left_out;
            prop_assert!(left_out.tokens <= most);
            prop_assert_eq!(left_out.messages as u64 + left_out.summarized as u64 + left_out.left_out, texts.len() as u64);
            prop_assert_eq!(&make(sources, &bounds(most)), &context);
        }
    }
}
