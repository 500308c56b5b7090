//! How far back a conversation in use may look: what it holds in memory is shown no longer than it is kept.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use dashmap::DashMap;

use crate::journal::Place;

/// The horizons of the places in use, some 100 bytes each; there are as many as actors that hold one.
#[derive(Debug, Default)]
pub struct Horizons(DashMap<Place, Weak<AtomicU64>>);

impl Horizons {
    /// The horizon of a place that comes into use. What is read of the place after this is behind none that was missed.
    pub fn of(self: &Arc<Self>, place: Place) -> Horizon {
        let first = Arc::new(AtomicU64::new(0));
        self.0.insert(place, Arc::downgrade(&first));
        Horizon { first, place, list: self.clone() }
    }

    /// Notes that of a place nothing before `first` is to be shown from memory any more.
    pub(crate) fn raise(&self, place: Place, first: u64) {
        if let Some(horizon) = self.0.get(&place).and_then(|listed| listed.upgrade()) {
            horizon.fetch_max(first, Ordering::Relaxed);
        }
    }
}

/// What of one place may be shown; dropping this takes it off the list.
#[derive(Debug)]
pub struct Horizon {
    first: Arc<AtomicU64>,
    place: Place,
    list: Arc<Horizons>,
}

impl Horizon {
    /// Whether the record of that `seq` was not trimmed while the place was in use.
    pub fn shows(&self, seq: u64) -> bool {
        seq >= self.first.load(Ordering::Relaxed)
    }
}

impl Drop for Horizon {
    fn drop(&mut self) {
        // Another of the same place may have come meanwhile.
        self.list.0.remove_if(&self.place, |_, listed| listed.as_ptr() == Arc::as_ptr(&self.first));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_shown_from_its_horizon_on_while_anybody_holds_it() {
        let horizons = Arc::new(Horizons::default());
        horizons.raise(Place(1), 9);
        let before = horizons.of(Place(1));
        assert!(before.shows(1), "what was trimmed before it was read cannot be read");
        horizons.raise(Place(1), 5);
        horizons.raise(Place(2), 7);
        assert!(!before.shows(4) && before.shows(5));
        let again = horizons.of(Place(1));
        drop(before);
        horizons.raise(Place(1), 6);
        assert!(!again.shows(5) && again.shows(6), "who left took only itself off the list");
        drop(again);
        assert!(horizons.0.is_empty());
    }
}
