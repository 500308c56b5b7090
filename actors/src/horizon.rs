//! Which conversations and channels are in use, and how far back each may look: what it holds in memory is shown no longer
//! than it is kept, and nobody takes away what somebody uses.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};

use crate::journal::{Journal, Place, PlaceName};
use crate::protocol::Error;

/// The places in use, some 100 bytes each; there are as many as actors that hold one.
#[derive(Debug, Default)]
pub struct Horizons {
    list: Mutex<List>,
    reopened: Condvar,
}

#[derive(Debug, Default)]
struct List {
    used: HashMap<Place, Weak<AtomicU64>>,
    /// The place that is being taken away, by the one keeper there is.
    closed: Option<Place>,
}

impl Horizons {
    /// The horizon of a place that was reserved just now.
    pub fn fresh(self: &Arc<Self>, journal: &dyn Journal) -> Horizon {
        self.of(journal.reserve(), &mut self.lock())
    }

    /// The horizon of a place that comes into use by its name; `None` if there is no such place. What is read of it after
    /// this is behind no horizon that was missed, and the place stays for as long as this is held, unless who holds it
    /// deletes it. Waits for a keeper that is taking it away. Blocks.
    pub fn find(self: &Arc<Self>, journal: &dyn Journal, name: &PlaceName) -> Result<Option<Horizon>, Error> {
        while let Some(place) = journal.find(name)? {
            let mut list = self.lock();
            while list.closed == Some(place) {
                list = self.reopened.wait(list).unwrap_or_else(PoisonError::into_inner);
            }
            let horizon = self.of(place, &mut list);
            drop(list);
            // It may have been taken away before it was on the list.
            if journal.find(name)? == Some(place) {
                return Ok(Some(horizon));
            }
        }
        Ok(None)
    }

    fn of(self: &Arc<Self>, place: Place, list: &mut List) -> Horizon {
        let first = Arc::new(AtomicU64::new(0));
        list.used.insert(place, Arc::downgrade(&first));
        Horizon { first, place, list: self.clone() }
    }

    /// Notes that of a place nothing before `first` is to be shown from memory any more.
    pub(crate) fn raise(&self, place: Place, first: u64) {
        if let Some(horizon) = self.lock().used.get(&place).and_then(Weak::upgrade) {
            horizon.fetch_max(first, Ordering::Relaxed);
        }
    }

    /// Keeps a place that nobody uses from coming into use until this is dropped; `None` if it is in use. One keeper
    /// closes one place at a time.
    pub(crate) fn close(&self, place: Place) -> Option<Closed<'_>> {
        let mut list = self.lock();
        if list.used.contains_key(&place) || list.closed.is_some() {
            return None;
        }
        list.closed = Some(place);
        Some(Closed(self))
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place that is kept from coming into use.
#[derive(Debug)]
pub(crate) struct Closed<'a>(&'a Horizons);

impl Drop for Closed<'_> {
    fn drop(&mut self) {
        self.0.lock().closed = None;
        self.0.reopened.notify_all();
    }
}

/// A place in use, and what of it may be shown; dropping this takes it off the list.
#[derive(Debug)]
pub struct Horizon {
    first: Arc<AtomicU64>,
    place: Place,
    list: Arc<Horizons>,
}

impl Horizon {
    /// The place.
    pub fn place(&self) -> Place {
        self.place
    }

    /// Whether the record of that `seq` was not trimmed while the place was in use.
    pub fn shows(&self, seq: u64) -> bool {
        seq >= self.first.load(Ordering::Relaxed)
    }

    /// Takes the place off the list: who holds this uses it no longer.
    pub fn leave(&self) {
        let mut list = self.list.lock();
        // Another of the same place may have come meanwhile.
        if list.used.get(&self.place).is_some_and(|listed| listed.as_ptr() == Arc::as_ptr(&self.first)) {
            list.used.remove(&self.place);
        }
    }
}

impl Drop for Horizon {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::journal::fake::Fake;
    use crate::journal::{Entry, Kind};
    use crate::protocol::TenantId;

    fn name() -> PlaceName {
        PlaceName { tenant: TenantId::trusted("t"), kind: Kind::Conversation, id: "c".to_owned() }
    }

    fn made(journal: &Fake) -> Place {
        let place = journal.reserve();
        journal.append(vec![Entry::Create { place, name: name() }], Box::new(|result| result.unwrap()));
        place
    }

    #[test]
    fn a_place_is_shown_from_its_horizon_on_while_anybody_holds_it() {
        let (horizons, journal) = (Arc::new(Horizons::default()), Fake::default());
        let find = || horizons.find(&journal, &name()).unwrap();
        assert!(find().is_none() && horizons.lock().used.is_empty());
        let place = made(&journal);
        horizons.raise(place, 9);
        let before = find().unwrap();
        assert!(before.shows(1), "what was trimmed before it was read cannot be read");
        horizons.raise(place, 5);
        horizons.raise(Place(place.0 + 1), 7);
        assert!(!before.shows(4) && before.shows(5));
        let again = find().unwrap();
        drop(before);
        horizons.raise(place, 6);
        assert!(!again.shows(5) && again.shows(6), "who left took only itself off the list");
        drop(again);
        assert!(horizons.lock().used.is_empty());
    }

    #[test]
    fn a_place_in_use_is_not_closed_and_who_comes_for_a_closed_one_waits() {
        let (horizons, journal) = (Arc::new(Horizons::default()), Arc::new(Fake::default()));
        let place = made(&journal);
        let used = horizons.find(&*journal, &name()).unwrap().unwrap();
        assert!(horizons.close(place).is_none());
        drop(used);
        let closed = horizons.close(place).unwrap();
        let (other, its) = (horizons.clone(), journal.clone());
        let comes = std::thread::spawn(move || other.find(&*its, &name()).unwrap().map(|horizon| horizon.place()));
        assert!(horizons.fresh(&*journal).shows(1), "others do not wait");
        journal.append(vec![Entry::Delete { place }], Box::new(|result| result.unwrap()));
        drop(closed);
        assert_eq!(comes.join().unwrap(), None, "it is gone, and nobody holds what is gone");
        let again = made(&journal);
        let found = horizons.find(&*journal, &name()).unwrap().unwrap();
        assert_eq!(found.place(), again);
    }
}
