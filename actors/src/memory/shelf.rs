//! The facts of one memory: a projection of its stream, and the changes to that stream.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::index::{Index, coverage};
use super::record::Entry;
use super::{Change, Fact, Found, MAX_FACTS, Whose};
use crate::journal::{self, Batch, Journal, Kind, Place, PlaceName, Position, Stream};
use crate::protocol::{AgentName, Error, MessageId, Timestamp};

/// Records read at a time while loading.
const PAGE: usize = 512;

/// Records beyond twice the facts that a stream may have before its beginning is given up: not worth the while below.
const SPARE: u64 = 256;

/// Facts written again at a time, so that what stands before them can go: a write stays below 128 KiB.
const MOVED: usize = 32;

/// The facts of one memory.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    loaded: bool,
    place: Option<Place>,
    /// The first record of the stream that is kept.
    first: u64,
    head: u64,
    facts: BTreeMap<u64, Arc<Fact>>,
    seqs: HashMap<MessageId, u64>,
    index: Index<u64>,
}

/// A change to be written, and what it does to the shelf once it is.
pub(super) struct Planned {
    pub(super) batch: Batch,
    pub(super) effects: Effects,
}

/// What a written change does.
pub(super) struct Effects {
    place: Place,
    head: u64,
    drop: Option<u64>,
    keep: Option<(u64, Arc<Fact>)>,
    /// Facts that stand at another place now: from, to.
    moved: Vec<(u64, u64)>,
    first: u64,
}

impl Shelf {
    /// A shelf with these facts, the oldest first, and no stream.
    pub(super) fn frozen(facts: impl Iterator<Item = Arc<Fact>>) -> Self {
        let mut shelf = Self { loaded: true, ..Self::default() };
        (1..).zip(facts).for_each(|(seq, fact)| shelf.insert(seq, fact));
        shelf
    }

    /// Reads the stream, if that has not been done yet.
    pub(super) fn load(&mut self, journal: &dyn Journal, whose: &Whose) -> Result<(), Error> {
        if self.loaded {
            return Ok(());
        }
        *self = Self { place: journal.find(&name(whose))?, ..Self::default() };
        if let Some(place) = self.place {
            self.head = journal.head(stream(place))?;
            self.first = journal.first(stream(place))?;
            let mut after = 0;
            while after < self.head {
                let page = journal.read_after(stream(place), after, PAGE)?;
                let Some(last) = page.last() else { break };
                after = last.seq;
                for record in &page {
                    self.replay(record.seq, &record.bytes)?;
                }
            }
        }
        self.loaded = true;
        Ok(())
    }

    fn replay(&mut self, seq: u64, bytes: &[u8]) -> Result<(), Error> {
        match Entry::decode(bytes)? {
            Entry::Kept { id, agent, conversation, text, importance, at } => {
                self.insert(seq, Arc::new(Fact { id, agent, conversation, text, importance, at }));
            }
            Entry::Forgotten { seq } => {
                self.remove(seq);
            }
        }
        Ok(())
    }

    /// The change that keeps a fact, and that drops another if there is no room.
    pub(super) fn keep(&self, journal: &dyn Journal, whose: &Whose, fact: &Arc<Fact>) -> Result<Planned, Error> {
        let mut batch = Batch::new();
        let place = self.place.unwrap_or_else(|| {
            let place = journal.reserve();
            batch.push(journal::Entry::Create { place, name: name(whose) });
            place
        });
        let drop = if self.facts.len() >= MAX_FACTS { self.least(&fact.agent) } else { None };
        let mut head = self.head;
        for entry in drop.map(|seq| Entry::Forgotten { seq }).into_iter().chain([Entry::from(fact.as_ref())]) {
            head += 1;
            batch.push(append(place, head, &entry)?);
        }
        let keep = Some((head, Arc::clone(fact)));
        self.planned(batch, Effects { place, head, drop, keep, moved: Vec::new(), first: self.first })
    }

    /// The change that forgets a fact, if it is there and the agent's.
    pub(super) fn drop_fact(&self, id: &MessageId, agent: Option<&AgentName>) -> Result<Option<Planned>, Error> {
        let (Some(place), Some(&seq)) = (self.place, self.seqs.get(id)) else { return Ok(None) };
        if !self.facts.get(&seq).is_some_and(|fact| is_of(fact, agent)) {
            return Ok(None);
        }
        let head = self.head + 1;
        let batch = vec![append(place, head, &Entry::Forgotten { seq })?];
        let effects = Effects { place, head, drop: Some(seq), keep: None, moved: Vec::new(), first: self.first };
        self.planned(batch, effects).map(Some)
    }

    /// A change, and with it, where most of the stream is of the past, a step towards giving up its beginning: the oldest
    /// facts are written again at its end, and it begins behind where they stood.
    fn planned(&self, mut batch: Batch, mut effects: Effects) -> Result<Planned, Error> {
        let length = effects.head - effects.first.max(1) + 1;
        if length > 2 * self.facts.len() as u64 + SPARE {
            let stays = |(seq, _): &(&u64, &Arc<Fact>)| Some(**seq) != effects.drop;
            let mut oldest = self.facts.iter().filter(stays);
            let mut moved = Vec::new();
            for (seq, fact) in oldest.by_ref().take(MOVED) {
                effects.head += 1;
                batch.push(append(effects.place, effects.head, &Entry::from(fact.as_ref()))?);
                moved.push((*seq, effects.head));
            }
            let kept = effects.keep.as_ref().map(|(seq, _)| *seq);
            let next = oldest.next().map(|(seq, _)| *seq).or(kept).or(moved.first().map(|(_, to)| *to));
            effects.first = next.unwrap_or(effects.head + 1);
            batch.push(journal::Entry::Trim { stream: stream(effects.place), first: effects.first });
            effects.moved = moved;
        }
        Ok(Planned { batch, effects })
    }

    /// Does what a change, now written, does; tells what happened.
    pub(super) fn apply(&mut self, effects: Effects, whose: &Whose) -> Vec<Change> {
        self.place = Some(effects.place);
        self.head = effects.head;
        self.first = effects.first;
        let owner = || whose.owner.clone();
        let dropped = effects.drop.and_then(|seq| self.remove(seq));
        let dropped = dropped.map(|fact| Change { fact, kept: false, owner: owner() });
        let kept = effects.keep.map(|(seq, fact)| {
            self.insert(seq, Arc::clone(&fact));
            Change { fact, kept: true, owner: owner() }
        });
        for (from, to) in effects.moved {
            if let Some(fact) = self.remove(from) {
                self.insert(to, fact);
            }
        }
        dropped.into_iter().chain(kept).collect()
    }

    /// The facts that fit best: by their words, then by importance, then the newest.
    pub(super) fn search(&self, query: &str, limit: usize, agent: Option<&AgentName>) -> Vec<Found> {
        // Ties in the score are settled below, so a few more than asked for are looked at; where one agent's facts are
        // meant those of the others may stand before them.
        let enough = limit.saturating_mul(4).saturating_add(16);
        let candidates = self.index.search(query, if agent.is_some() { usize::MAX } else { enough });
        let mut found: Vec<(u64, Found)> = candidates
            .into_iter()
            .filter_map(|(seq, score)| {
                let fact = self.facts.get(&seq).filter(|fact| is_of(fact, agent))?;
                Some((seq, fact, score))
            })
            .take(enough)
            .map(|(seq, fact, score)| {
                let (coverage, fact) = (coverage(query, &fact.text), Arc::clone(fact));
                (seq, Found { coverage, fact, score, private: false })
            })
            .collect();
        found.sort_by(|(_, a), (_, b)| {
            let by_words = b.coverage.total_cmp(&a.coverage).then(b.score.total_cmp(&a.score));
            by_words.then(b.fact.importance.total_cmp(&a.fact.importance)).then(age(&b.fact).cmp(&age(&a.fact)))
        });
        found.truncate(limit);
        found.into_iter().map(|(_, found)| found).collect()
    }

    /// The fact of the same agent with the same words, if there is one.
    pub(super) fn same(&self, fact: &Fact) -> Option<Arc<Fact>> {
        let found = self.search(&fact.text, 8, Some(&fact.agent)).into_iter().map(|found| found.fact);
        let words = |text: &str| text.trim().to_lowercase();
        found.into_iter().find(|known| words(&known.text) == words(&fact.text))
    }

    /// The facts of an agent, or all of them, newest first.
    pub(super) fn of(&self, agent: Option<&AgentName>) -> Vec<Arc<Fact>> {
        let mut facts: Vec<_> = self.facts.values().filter(|fact| is_of(fact, agent)).collect();
        facts.sort_by_key(|fact| Reverse(age(fact)));
        facts.into_iter().map(Arc::clone).collect()
    }

    /// The oldest of the least important facts: of the agent that needs room, or of all if it has none yet.
    fn least(&self, agent: &AgentName) -> Option<u64> {
        let less = |a: &Fact, b: &Fact| a.importance.total_cmp(&b.importance).then(age(a).cmp(&age(b)));
        let least = |agent: Option<&AgentName>| {
            let facts = self.facts.iter().filter(|(_, fact)| is_of(fact, agent));
            facts.min_by(|(_, a), (_, b)| less(a, b)).map(|(&seq, _)| seq)
        };
        least(Some(agent)).or_else(|| least(None))
    }

    fn insert(&mut self, seq: u64, fact: Arc<Fact>) {
        self.index.add(&seq, &fact.text);
        self.seqs.insert(fact.id.clone(), seq);
        self.facts.insert(seq, fact);
    }

    fn remove(&mut self, seq: u64) -> Option<Arc<Fact>> {
        let fact = self.facts.remove(&seq)?;
        self.index.remove(&seq);
        self.seqs.remove(&fact.id);
        Some(fact)
    }
}

/// What is older comes before. Not by its place: a fact that was written again stands behind newer ones. Ids begin with the
/// time too, and two of one millisecond are in their order.
fn age(fact: &Fact) -> (Timestamp, &str) {
    (fact.at, fact.id.as_str())
}

fn is_of(fact: &Fact, agent: Option<&AgentName>) -> bool {
    agent.is_none_or(|agent| fact.agent == *agent)
}

fn name(whose: &Whose) -> PlaceName {
    let id = match &whose.owner {
        None => "memory".to_owned(),
        Some(owner) => format!("memory of {owner}"),
    };
    PlaceName { tenant: whose.tenant.clone(), kind: Kind::Memory, id }
}

fn stream(place: Place) -> Stream {
    Stream { place, lane: 0 }
}

fn append(place: Place, seq: u64, entry: &Entry) -> Result<journal::Entry, Error> {
    let at = Position { stream: stream(place), seq };
    Ok(journal::Entry::Append { at, bytes: entry.encode()?, opens: false, closes: Vec::new() })
}
