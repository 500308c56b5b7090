//! A full-text index over short texts, ranked by BM25, in the stems of their meaningful words.

use std::collections::HashSet;
use std::fmt;
use std::hash::Hash;

use bm25::{Embedder, EmbedderBuilder, Scorer, Tokenizer};

use crate::text::terms;

/// A sentence has about this many meaningful words; BM25 weighs longer texts down against it.
const USUAL_LENGTH: f32 = 8.0;

/// What a word counts towards coverage that says little without its neighbour: `favourite colour`.
const WEAK: f32 = 0.3;

/// Stems of such words.
const WEAK_TERMS: [&str; 12] =
    ["favorit", "favourit", "name", "thing", "day", "time", "like", "number", "use", "want", "get", "go"];

/// Texts by key, found by their words.
pub struct Index<K> {
    embedder: Embedder<u64, Stems>,
    scorer: Scorer<K, u64>,
}

#[derive(Default)]
struct Stems;

impl Tokenizer for Stems {
    fn tokenize(&self, text: &str) -> Vec<String> {
        terms(text)
    }
}

impl<K: Clone + Eq + Hash> Default for Index<K> {
    fn default() -> Self {
        Self { embedder: EmbedderBuilder::with_avgdl(USUAL_LENGTH).build(), scorer: Scorer::new() }
    }
}

impl<K> fmt::Debug for Index<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Index")
    }
}

impl<K: Clone + Eq + Hash> Index<K> {
    /// Adds a text, or puts it in the place of the one with that key.
    pub fn add(&mut self, key: &K, text: &str) {
        self.scorer.upsert(key, self.embedder.embed(text));
    }

    /// Removes a text.
    pub fn remove(&mut self, key: &K) {
        self.scorer.remove(key);
    }

    /// The keys of the texts that share a word with the query, best first, each with its score.
    pub fn search(&self, query: &str, limit: usize) -> Vec<(K, f32)> {
        let mut found = self.scorer.matches(&self.embedder.embed(query));
        found.truncate(limit);
        found.into_iter().map(|document| (document.id, document.score)).collect()
    }
}

/// The share of a query's meaningful words that a text has, 0 to 1.
pub fn coverage(query: &str, text: &str) -> f32 {
    let wanted: HashSet<String> = terms(query).into_iter().collect();
    let there: HashSet<String> = terms(text).into_iter().collect();
    let weigh = |term: &String| if WEAK_TERMS.contains(&term.as_str()) { WEAK } else { 1.0 };
    let all: f32 = wanted.iter().map(weigh).sum();
    if all == 0.0 { 0.0 } else { wanted.intersection(&there).map(weigh).sum::<f32>() / all }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rarer_word_ranks_higher() {
        let mut index = Index::default();
        for (key, text) in [(1, "the red house"), (2, "the red car"), (3, "the blue boat")] {
            index.add(&key, text);
        }
        let keys = |query: &str| index.search(query, 9).into_iter().map(|(key, _)| key).collect::<Vec<_>>();
        assert_eq!(keys("red car").first(), Some(&2));
        assert_eq!(keys("boats"), [3]);
        assert!(keys("the").is_empty());
    }

    #[test]
    fn coverage_wants_the_word_that_matters() {
        assert!(coverage("my favourite colour", "my favourite food is rice") < 0.4);
        assert!(coverage("what's my name", "my name is Ada") > 0.9);
        assert_eq!(coverage("", "anything"), 0.0);
    }
}
