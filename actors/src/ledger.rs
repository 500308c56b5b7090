//! The ledger: how many tokens the models of each tenant have used today (UTC), so that budgets of a day hold.
//!
//! Every use appends where the day stands by then, so the last record says everything and a restart loses nothing that
//! was synced. Budgets are checked before a run begins: what begins within the budget is finished.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::journal::format::{decode, encode};
use crate::journal::{Entry, Journal, Kind, Place, PlaceName, Position, Stream};
use crate::protocol::{AgentName, Error, TenantId, Timestamp};

/// Milliseconds of a day.
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// What the models of a tenant have used today.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Used {
    /// By the agent asked about.
    pub agent: u64,
    /// By all agents of the tenant.
    pub tenant: u64,
}

/// What the models of each tenant have used.
#[derive(Debug)]
pub struct Ledger {
    journal: Arc<dyn Journal>,
    /// One a tenant; tenants come from credentials, so their number is in the owner's hand.
    books: Mutex<HashMap<TenantId, Arc<Book>>>,
}

/// The book of one tenant.
#[derive(Debug, Default)]
struct Book {
    pages: Mutex<Pages>,
    /// Set when an append failed: the head must be read again.
    stale: Arc<AtomicBool>,
}

#[derive(Debug, Default)]
struct Pages {
    loaded: bool,
    place: Option<Place>,
    head: u64,
    today: Day,
}

/// Where a day stands. Agents are those of the configuration, so there are few.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Day {
    /// Days since 1970.
    number: i64,
    used: BTreeMap<AgentName, u64>,
}

impl Day {
    /// This day, or the one that has begun since.
    fn at(&mut self, now: Timestamp) -> &mut Self {
        let number = now.0.div_euclid(DAY_MS);
        // A clock that goes back begins no day: it would give the budget out twice.
        if number > self.number {
            *self = Self { number, used: BTreeMap::new() };
        }
        self
    }

    fn of(&self, agent: &AgentName) -> Used {
        let sum = |sum: u64, used: &u64| sum.saturating_add(*used);
        Used { agent: self.used.get(agent).copied().unwrap_or(0), tenant: self.used.values().fold(0, sum) }
    }
}

impl Ledger {
    /// The ledger that a journal keeps.
    pub fn new(journal: Arc<dyn Journal>) -> Self {
        Self { journal, books: Mutex::default() }
    }

    /// What was used today. Blocks on disk the first time for each tenant.
    pub fn used(&self, tenant: &TenantId, agent: &AgentName, now: Timestamp) -> Result<Used, Error> {
        let book = self.book(tenant);
        let mut pages = lock(&book.pages);
        self.load(&book, &mut pages, tenant)?;
        Ok(pages.today.at(now).of(agent))
    }

    /// Notes what a model has used. Neither blocks nor waits for the disk: what a crash takes is the last moment's.
    pub fn spend(&self, tenant: &TenantId, agent: &AgentName, tokens: u64, now: Timestamp) {
        let book = self.book(tenant);
        let mut pages = lock(&book.pages);
        let used = pages.today.at(now).used.entry(agent.clone()).or_default();
        *used = used.saturating_add(tokens);
        if !pages.loaded || book.stale.load(Ordering::Acquire) {
            return;
        }
        let Ok(bytes) = encode(&pages.today) else { return };
        let mut batch = Vec::new();
        let place = *pages.place.get_or_insert_with(|| {
            let place = self.journal.reserve();
            batch.push(Entry::Create { place, name: name(tenant) });
            place
        });
        pages.head += 1;
        let at = Position { stream: stream(place), seq: pages.head };
        batch.push(Entry::Append { at, bytes, opens: false, closes: Vec::new() });
        let stale = book.stale.clone();
        self.journal.append(batch, Box::new(move |result| stale.store(result.is_err(), Ordering::Release)));
    }

    /// Reads where the day stands. What could not be written is kept in memory and written with the next use.
    fn load(&self, book: &Book, pages: &mut Pages, tenant: &TenantId) -> Result<(), Error> {
        if pages.loaded && !book.stale.load(Ordering::Acquire) {
            return Ok(());
        }
        pages.place = self.journal.find(&name(tenant))?;
        pages.head = pages.place.map_or(Ok(0), |place| self.journal.head(stream(place)))?;
        if let (false, Some(place)) = (pages.loaded, pages.place)
            && let Some(record) = self.journal.read_before(stream(place), None, 1)?.first()
        {
            pages.today = decode(record)?;
        }
        pages.loaded = true;
        book.stale.store(false, Ordering::Release);
        Ok(())
    }

    fn book(&self, tenant: &TenantId) -> Arc<Book> {
        lock(&self.books).entry(tenant.clone()).or_default().clone()
    }
}

/// Milliseconds until the next day begins.
pub fn until_tomorrow(now: Timestamp) -> u64 {
    u64::try_from(DAY_MS - now.0.rem_euclid(DAY_MS)).unwrap_or(0)
}

fn name(tenant: &TenantId) -> PlaceName {
    PlaceName { tenant: tenant.clone(), kind: Kind::Ledger, id: "tokens".to_owned() }
}

fn stream(place: Place) -> Stream {
    Stream { place, lane: 0 }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod tests {
    use super::*;
    use crate::journal::fake::Fake;

    pub(crate) fn ledger() -> Arc<Ledger> {
        Arc::new(Ledger::new(Arc::new(Fake::default())))
    }

    const MORNING: Timestamp = Timestamp(20_000 * DAY_MS);

    fn names() -> (TenantId, AgentName, AgentName) {
        (TenantId::trusted("t"), AgentName::trusted("nyx"), AgentName::trusted("sage"))
    }

    #[test]
    fn a_day_survives_a_restart_and_ends_at_midnight() {
        let (tenant, nyx, sage) = names();
        let journal = Arc::new(Fake::default());
        let ledger = Ledger::new(journal.clone());
        assert_eq!(ledger.used(&tenant, &nyx, MORNING).unwrap(), Used::default());
        ledger.spend(&tenant, &nyx, 100, MORNING);
        ledger.spend(&tenant, &sage, 11, MORNING);
        let again = Ledger::new(journal);
        assert_eq!(again.used(&tenant, &nyx, MORNING).unwrap(), Used { agent: 100, tenant: 111 });
        assert_eq!(again.used(&TenantId::trusted("u"), &nyx, MORNING).unwrap(), Used::default());
        let before = Timestamp(MORNING.0 - 1);
        assert_eq!(again.used(&tenant, &nyx, before).unwrap().agent, 100, "a clock that goes back gives nothing out");
        let tomorrow = Timestamp(MORNING.0 + DAY_MS);
        assert_eq!(again.used(&tenant, &nyx, tomorrow).unwrap(), Used::default());
        assert_eq!(until_tomorrow(Timestamp(tomorrow.0 - 5)), 5);
    }

    #[test]
    fn what_could_not_be_written_counts_all_the_same() {
        let (tenant, nyx, _) = names();
        let journal = Arc::new(Fake::default());
        let ledger = Ledger::new(journal.clone());
        ledger.used(&tenant, &nyx, MORNING).unwrap();
        ledger.spend(&tenant, &nyx, 1, MORNING);
        journal.fail_next();
        ledger.spend(&tenant, &nyx, 10, MORNING);
        assert_eq!(ledger.used(&tenant, &nyx, MORNING).unwrap().agent, 11);
        ledger.spend(&tenant, &nyx, 100, MORNING);
        assert_eq!(Ledger::new(journal).used(&tenant, &nyx, MORNING).unwrap().agent, 111);
    }
}
