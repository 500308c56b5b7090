//! What the agents of a tenant remember: facts in a journal stream, found again by their words. Each agent knows what it
//! was told itself, and nothing of what others were.
//!
//! A fact is kept once `remember` has returned: its record is on disk then. Each tenant has one stream, and each subject
//! with private conversations one of its own besides; a stream is loaded when it is first needed, and has one writer at
//! a time. What a conversation holds is not here; the recall tool looks at both.

pub mod index;
pub(crate) mod record;
mod shelf;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

use crate::journal::nowhere::Nowhere;
use crate::journal::{Batch, Journal};
use crate::protocol::{AgentName, Code, ConversationId, Error, MessageId, Subject, TenantId, Timestamp};
use crate::text::shortened;

use shelf::Shelf;

/// Facts a tenant may have: with 4 KiB each they take 40 MB at worst, usually 2, and load in well under a second.
pub const MAX_FACTS: usize = 10_000;

/// The longest fact, in bytes: a page of text. Longer ones are documents, not facts.
pub const MAX_FACT: usize = 4096;

/// Tenants whose facts are held in memory; past it those that nobody uses at the moment are dropped and loaded again
/// when needed. At 2 MB a tenant this is 256 MB.
const MAX_SHELVES: usize = 128;

/// How long a write may take until it is given up: a disk that needs longer is as good as gone.
const WRITE_TIME: Duration = Duration::from_secs(30);

/// Whose memory is meant. What is told in a private conversation is remembered for its owner alone, and what is shared is
/// known there as well.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Whose {
    /// The tenant.
    pub tenant: TenantId,
    /// The owner of the private conversation in which it is used; `None`: what all of the tenant share.
    pub owner: Option<Subject>,
    /// The agent that remembers; `None`: all of them.
    pub agent: Option<AgentName>,
}

impl From<&TenantId> for Whose {
    fn from(tenant: &TenantId) -> Self {
        Self { tenant: tenant.clone(), owner: None, agent: None }
    }
}

impl Whose {
    /// The shelves that are looked into, the innermost first; a shelf holds what all agents remember.
    fn reach(&self) -> impl Iterator<Item = Self> {
        let shelf = Self { agent: None, ..self.clone() };
        let shared = self.owner.is_some().then(|| Self { owner: None, ..shelf.clone() });
        std::iter::once(shelf).chain(shared)
    }
}

/// Something remembered.
#[derive(Clone, PartialEq, Debug)]
pub struct Fact {
    /// Unique within the tenant.
    pub id: MessageId,
    /// The agent that remembered it.
    pub agent: AgentName,
    /// Where it was said.
    pub conversation: ConversationId,
    /// What is remembered, as it was said.
    pub text: String,
    /// From 0 to 1; where there is no room the least important facts go first.
    pub importance: f32,
    /// When.
    pub at: Timestamp,
}

/// A fact found, and how well it fits.
#[derive(Clone, PartialEq, Debug)]
pub struct Found {
    /// The fact.
    pub fact: Arc<Fact>,
    /// Comparable within one search; higher fits better.
    pub score: f32,
    /// The share of the query's meaning that the fact has, 0 to 1.
    pub coverage: f32,
    /// Whether it is known to one subject alone.
    pub private: bool,
}

/// A place among the facts of somebody, newest first: behind the fact of that moment and id.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cursor {
    /// When the last one was remembered.
    pub at: Timestamp,
    /// Its id.
    pub id: MessageId,
}

/// A change of the memory, for those who watch it.
#[derive(Clone, PartialEq, Debug)]
pub struct Change {
    /// What was remembered or forgotten.
    pub fact: Arc<Fact>,
    /// Remembered, or forgotten.
    pub kept: bool,
    /// The only subject that may know; `None`: everybody of the tenant.
    pub owner: Option<Subject>,
}

/// What the agents of all tenants remember.
#[derive(Debug)]
pub struct Memory {
    journal: Arc<dyn Journal>,
    shelves: Mutex<HashMap<Whose, Arc<Mutex<Shelf>>>>,
}

impl Memory {
    /// A memory over a journal. Nothing is read before it is needed.
    pub fn new(journal: Arc<dyn Journal>) -> Self {
        Self { journal, shelves: Mutex::default() }
    }

    /// A memory of these facts, which nothing can be added to: for what is played again far from its world.
    pub fn frozen(whose: &Whose, facts: impl IntoIterator<Item = Fact>) -> Self {
        let shelf = Shelf::frozen(facts.into_iter().map(Arc::new));
        let shelves = HashMap::from([(Whose { agent: None, ..whose.clone() }, Arc::new(Mutex::new(shelf)))]);
        Self { journal: Arc::new(Nowhere), shelves: Mutex::new(shelves) }
    }

    /// Keeps a fact; blocks until it is on disk.
    ///
    /// Tells what changed: the fact kept, and the one that had to go for it where there was no room. A fact that is
    /// remembered already, word by word, is not written again; then nothing changed and the old one is returned.
    pub fn remember(&self, whose: impl Into<Whose>, fact: Fact) -> Result<(Arc<Fact>, Vec<Change>), Error> {
        if fact.text.trim().is_empty() {
            return Err(Error::missing("text", "what to remember"));
        }
        if fact.text.len() > MAX_FACT {
            return Err(Error::invalid("text", "at most 4096 bytes to remember at a time"));
        }
        let whose = Whose { agent: None, ..whose.into() };
        self.with(&whose, |shelf| {
            if let Some(same) = shelf.same(&fact) {
                return Ok((same, Vec::new()));
            }
            let fact = Arc::new(fact);
            let change = shelf.keep(self.journal.as_ref(), &whose, &fact)?;
            self.write(change.batch)?;
            Ok((fact, shelf.apply(change.effects, &whose)))
        })
    }

    /// Forgets a fact; blocks until that is on disk. `None`: there is none of that id.
    pub fn forget(&self, whose: impl Into<Whose>, id: &MessageId) -> Result<Option<Change>, Error> {
        let whose = whose.into();
        for shelf in whose.reach() {
            let gone = self.with(&shelf, |facts| {
                let Some(change) = facts.drop_fact(id, whose.agent.as_ref())? else { return Ok(None) };
                self.write(change.batch)?;
                Ok(facts.apply(change.effects, &shelf).pop())
            })?;
            if gone.is_some() {
                return Ok(gone);
            }
        }
        Ok(None)
    }

    /// The facts that fit a query best, best first.
    pub fn search(&self, whose: impl Into<Whose>, query: &str, limit: usize) -> Result<Vec<Found>, Error> {
        let (whose, mut found) = (whose.into(), Vec::new());
        for shelf in whose.reach() {
            found.extend(self.with(&shelf, |facts| {
                let mut found = facts.search(query, limit, whose.agent.as_ref());
                found.iter_mut().for_each(|found| found.private = shelf.owner.is_some());
                Ok(found)
            })?);
        }
        found.sort_by(|a, b| b.coverage.total_cmp(&a.coverage).then(b.score.total_cmp(&a.score)));
        found.truncate(limit);
        Ok(found)
    }

    /// The latest facts, newest first.
    pub fn list(&self, whose: impl Into<Whose>, limit: usize) -> Result<Vec<Arc<Fact>>, Error> {
        Ok(self.page(whose, None, limit)?.into_iter().map(|(fact, _)| fact).collect())
    }

    /// Facts behind `after`, newest first, each with whether it is private.
    pub fn page(
        &self,
        whose: impl Into<Whose>,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<Vec<(Arc<Fact>, bool)>, Error> {
        let (whose, mut facts) = (whose.into(), Vec::new());
        for shelf in whose.reach() {
            let all = self.with(&shelf, |facts| Ok(facts.of(whose.agent.as_ref())))?;
            facts.extend(all.into_iter().map(|fact| (fact, shelf.owner.is_some())));
        }
        let place = |fact: &Fact| (fact.at, fact.id.as_str().to_owned());
        let upto = after.map(|after| (after.at, after.id.as_str().to_owned()));
        facts.retain(|(fact, _)| upto.as_ref().is_none_or(|upto| place(fact) < *upto));
        facts.sort_by_cached_key(|(fact, _)| std::cmp::Reverse(place(fact)));
        facts.truncate(limit);
        Ok(facts)
    }

    /// How many facts there are.
    pub fn len(&self, whose: impl Into<Whose>) -> Result<usize, Error> {
        let whose = whose.into();
        whose.reach().map(|shelf| self.with(&shelf, |facts| Ok(facts.of(whose.agent.as_ref()).len()))).sum()
    }

    /// Does something with somebody's facts, loaded; after an error they are loaded afresh the next time, because only
    /// the journal knows then what was written.
    fn with<T>(&self, whose: &Whose, act: impl FnOnce(&mut Shelf) -> Result<T, Error>) -> Result<T, Error> {
        let shelf = self.shelf(whose);
        let mut shelf = lock(&shelf);
        let done = shelf.load(self.journal.as_ref(), whose).and_then(|()| act(&mut shelf));
        if done.is_err() {
            *shelf = Shelf::default();
        }
        done
    }

    fn shelf(&self, whose: &Whose) -> Arc<Mutex<Shelf>> {
        let mut shelves = lock(&self.shelves);
        if let Some(shelf) = shelves.get(whose) {
            return Arc::clone(shelf);
        }
        if shelves.len() >= MAX_SHELVES {
            shelves.retain(|_, shelf| Arc::strong_count(shelf) > 1);
        }
        Arc::clone(shelves.entry(whose.clone()).or_default())
    }

    fn write(&self, batch: Batch) -> Result<(), Error> {
        let (told, done) = mpsc::sync_channel(1);
        self.journal.append(
            batch,
            Box::new(move |result| {
                // Nobody listens any more once the writer gave up waiting.
                let _ = told.send(result);
            }),
        );
        done.recv_timeout(WRITE_TIME)
            .unwrap_or_else(|_| Err(Error::new(Code::StoreUnavailable, "The memory could not be written in time")))
    }
}

impl Fact {
    /// A fact said now.
    pub fn now(agent: AgentName, conversation: ConversationId, text: &str, importance: f32) -> Self {
        let importance = if importance.is_finite() { importance.clamp(0.0, 1.0) } else { 0.0 };
        let text = text.trim().to_owned();
        Self { id: MessageId::random(), agent, conversation, text, importance, at: Timestamp::now() }
    }

    /// The fact in at most 80 characters.
    pub fn short(&self) -> String {
        shortened(&self.text, 80).into_owned()
    }
}

/// A panic while the lock was held leaves at worst a shelf that is loaded again after its next error.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod tests {
    use super::*;
    use crate::journal::fake::Fake;
    use crate::journal::{Kind, PlaceName, Stream};

    pub(crate) fn memory() -> Arc<Memory> {
        Arc::new(Memory::new(Arc::new(Fake::default())))
    }

    pub(crate) fn fact(text: &str) -> Fact {
        Fact::now(AgentName::trusted("nyx"), ConversationId::trusted("c"), text, 0.5)
    }

    #[test]
    fn what_is_remembered_is_found_by_its_words_and_only_in_its_tenant() {
        let memory = memory();
        let (one, other) = (TenantId::trusted("one"), TenantId::trusted("other"));
        memory.remember(&one, fact("my favourite colour is teal")).unwrap();
        memory.remember(&one, fact("the deployment happens on Friday")).unwrap();
        let found = memory.search(&one, "What is my favorite color?", 5).unwrap();
        assert_eq!(found.first().unwrap().fact.text, "my favourite colour is teal");
        assert!(found.first().unwrap().coverage > 0.9);
        assert_eq!(memory.search(&one, "when do we deploy", 1).unwrap().len(), 1);
        assert!(memory.search(&one, "black holes", 5).unwrap().is_empty());
        assert!(memory.search(&other, "colour", 5).unwrap().is_empty());
    }

    #[test]
    fn memory_survives_in_the_journal_and_so_does_forgetting() {
        let journal = Arc::new(Fake::default());
        let tenant = TenantId::trusted("t");
        let memory = Memory::new(Arc::clone(&journal) as Arc<dyn Journal>);
        let (kept, changes) = memory.remember(&tenant, fact("tea at four")).unwrap();
        assert_eq!(changes, [Change { fact: Arc::clone(&kept), kept: true, owner: None }]);
        let (gone, _) = memory.remember(&tenant, fact("coffee at two")).unwrap();
        assert!(!memory.forget(&tenant, &gone.id).unwrap().unwrap().kept);
        assert_eq!(memory.forget(&tenant, &gone.id).unwrap(), None);

        let again = Memory::new(journal);
        assert_eq!(again.list(&tenant, 10).unwrap(), [kept]);
        assert!(again.search(&tenant, "coffee", 5).unwrap().is_empty());
        again.remember(&tenant, fact("milk at six")).unwrap();
        assert_eq!(again.len(&tenant).unwrap(), 2);
    }

    #[test]
    fn what_is_told_in_private_is_found_by_its_owner_alone() {
        let memory = memory();
        let tenant = TenantId::trusted("t");
        let of = |name| Whose { tenant: tenant.clone(), owner: Some(Subject::trusted(name)), agent: None };
        memory.remember(&tenant, fact("the wifi is called garden")).unwrap();
        let (secret, _) = memory.remember(of("ada"), fact("the wifi password is swordfish")).unwrap();
        let texts = |found: Vec<Found>| found.iter().map(|found| found.fact.text.clone()).collect::<Vec<_>>();
        assert_eq!(texts(memory.search(of("ada"), "wifi password", 5).unwrap()).len(), 2);
        assert_eq!(texts(memory.search(of("bob"), "wifi password", 5).unwrap()), ["the wifi is called garden"]);
        assert_eq!(memory.list(&tenant, 9).unwrap().len(), 1);
        assert_eq!(memory.forget(of("bob"), &secret.id).unwrap(), None);
        assert!(memory.forget(of("ada"), &secret.id).unwrap().is_some());
    }

    /// A stream is as long as what it holds, not as what it ever held; and nothing of what it holds goes with the rest.
    #[test]
    fn what_was_forgotten_leaves_the_journal() {
        let journal = Arc::new(Fake::default());
        let memory = Memory::new(Arc::clone(&journal) as Arc<dyn Journal>);
        let tenant = TenantId::trusted("t");
        let mut kept = Vec::new();
        for number in 0..40 {
            kept.insert(0, memory.remember(&tenant, fact(&format!("kept{number}"))).unwrap().0);
        }
        for number in 0..1000 {
            let (fact, _) = memory.remember(&tenant, fact(&format!("passing{number}"))).unwrap();
            memory.forget(&tenant, &fact.id).unwrap().unwrap();
        }
        let name = PlaceName { tenant: tenant.clone(), kind: Kind::Memory, id: "memory".to_owned() };
        let place = journal.find(&name).unwrap().unwrap();
        let stream = Stream { place, lane: 0 };
        let left = journal.read_after(stream, 0, 9999).unwrap().len();
        assert!(left <= 40 * 2 + 256 + 40, "{left} records are left");
        for memory in [&memory, &Memory::new(Arc::clone(&journal) as Arc<dyn Journal>)] {
            assert_eq!(memory.list(&tenant, 99).unwrap(), kept);
            assert_eq!(memory.search(&tenant, "kept7", 1).unwrap().len(), 1);
        }
    }

    #[test]
    fn an_agent_knows_what_it_was_told_itself() {
        let memory = memory();
        let tenant = TenantId::trusted("t");
        let of = |name| Whose { agent: Some(AgentName::trusted(name)), ..Whose::from(&tenant) };
        let told = |name: &str, text: &str| Fact { agent: AgentName::trusted(name), ..fact(text) };
        let (nyxs, _) = memory.remember(of("nyx"), told("nyx", "tea at four")).unwrap();
        let (sages, changes) = memory.remember(of("sage"), told("sage", "Tea at four")).unwrap();
        assert_eq!((changes.len(), memory.len(&tenant).unwrap()), (1, 2), "the same words, told to another");
        assert_eq!(memory.search(of("nyx"), "tea", 5).unwrap().first().unwrap().fact, nyxs);
        assert_eq!(memory.list(of("sage"), 5).unwrap(), [Arc::clone(&sages)]);
        assert!(memory.list(of("aria"), 5).unwrap().is_empty());
        assert_eq!(memory.forget(of("nyx"), &sages.id).unwrap(), None);
        assert!(memory.forget(of("sage"), &sages.id).unwrap().is_some());
    }

    #[test]
    fn pages_have_every_fact_once_newest_first() {
        let memory = memory();
        let tenant = TenantId::trusted("t");
        let alone = Whose { owner: Some(Subject::trusted("ada")), ..Whose::from(&tenant) };
        for number in 0..5 {
            // Two of one moment each.
            let at = Timestamp(number / 2);
            memory.remember(&tenant, Fact { at, ..fact(&format!("shared{number}")) }).unwrap();
            memory.remember(alone.clone(), Fact { at, ..fact(&format!("private{number}")) }).unwrap();
        }
        let (mut after, mut seen) = (None, Vec::new());
        loop {
            let page = memory.page(alone.clone(), after.as_ref(), 3).unwrap();
            let Some((last, _)) = page.last() else { break };
            after = Some(Cursor { at: last.at, id: last.id.clone() });
            seen.extend(page);
        }
        assert_eq!((seen.len(), seen.iter().filter(|(_, private)| *private).count()), (10, 5));
        assert!(seen.windows(2).all(|pair| pair[0].0.at >= pair[1].0.at));
        assert_eq!(memory.page(&tenant, None, 99).unwrap().len(), 5);
    }

    #[test]
    fn the_same_words_are_kept_once() {
        let memory = memory();
        let tenant = TenantId::trusted("t");
        let (first, _) = memory.remember(&tenant, fact("tea at four")).unwrap();
        let (again, changes) = memory.remember(&tenant, fact("Tea at four ")).unwrap();
        assert_eq!((again, changes.len(), memory.len(&tenant).unwrap()), (first, 0, 1));
    }

    #[test]
    fn where_there_is_no_room_the_oldest_of_the_least_important_goes() {
        let memory = memory();
        let tenant = TenantId::trusted("t");
        memory.remember(&tenant, Fact { importance: 0.9, ..fact("vital") }).unwrap();
        for number in 1..MAX_FACTS {
            memory.remember(&tenant, fact(&format!("fact{number}"))).unwrap();
        }
        let (_, changes) = memory.remember(&tenant, fact("one more")).unwrap();
        let told: Vec<_> = changes.iter().map(|change| (change.fact.text.as_str(), change.kept)).collect();
        assert_eq!(told, [("fact1", false), ("one more", true)]);
        assert_eq!(memory.len(&tenant).unwrap(), MAX_FACTS);
        assert!(memory.search(&tenant, "fact1", 1).unwrap().is_empty());
        assert_eq!(memory.search(&tenant, "vital", 1).unwrap().len(), 1);
    }

    #[test]
    fn a_failed_write_keeps_nothing_and_the_next_one_works() {
        let journal = Arc::new(Fake::default());
        let memory = Memory::new(Arc::clone(&journal) as Arc<dyn Journal>);
        let tenant = TenantId::trusted("t");
        memory.remember(&tenant, fact("tea")).unwrap();
        journal.fail_next();
        assert_eq!(memory.remember(&tenant, fact("milk")).unwrap_err().code, Code::StoreUnavailable);
        assert!(memory.search(&tenant, "milk", 1).unwrap().is_empty());
        memory.remember(&tenant, fact("milk")).unwrap();
        assert_eq!(memory.len(&tenant).unwrap(), 2);
    }

    #[test]
    fn several_agents_remember_at_once_without_holes() {
        let memory = memory();
        let tenant = TenantId::trusted("t");
        std::thread::scope(|scope| {
            for agent in 0..4 {
                let (memory, tenant) = (&memory, &tenant);
                scope.spawn(move || {
                    for number in 0..50 {
                        memory.remember(tenant, fact(&format!("agent{agent} fact{number}"))).unwrap();
                    }
                });
            }
        });
        assert_eq!(memory.len(&tenant).unwrap(), 200);
    }

    #[test]
    fn what_is_no_fact_is_refused() {
        let memory = memory();
        let tenant = TenantId::trusted("t");
        assert_eq!(memory.remember(&tenant, fact("  ")).unwrap_err().code, Code::InvalidMessage);
        assert_eq!(memory.remember(&tenant, fact(&"x".repeat(MAX_FACT + 1))).unwrap_err().code, Code::InvalidMessage);
    }

    #[test]
    fn tenants_are_held_up_to_a_bound_and_loaded_again() {
        let memory = memory();
        for number in 0..MAX_SHELVES + 5 {
            memory.remember(&TenantId::trusted(format!("t{number}")), fact("tea")).unwrap();
        }
        assert!(lock(&memory.shelves).len() <= MAX_SHELVES);
        assert_eq!(memory.search(&TenantId::trusted("t0"), "tea", 5).unwrap().len(), 1);
    }
}
