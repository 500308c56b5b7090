//! How many of each there are at a time, and how many there may be.

use std::hash::Hash;
use std::sync::Arc;

use dashmap::DashMap;

/// Counts those that are here by what they have in common. It holds as many entries as there are different ones here,
/// which is at most as many as there are connections.
#[derive(Debug)]
pub struct Crowd<K: Eq + Hash> {
    most: usize,
    here: DashMap<K, usize>,
}

/// A place in a crowd, given back when dropped.
#[derive(Debug)]
pub struct Place<K: Eq + Hash> {
    crowd: Arc<Crowd<K>>,
    key: K,
}

impl<K: Eq + Hash + Clone> Crowd<K> {
    /// Lets in at most `most` of one kind at a time.
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, here: DashMap::new() })
    }

    /// How many of one kind may be here.
    pub fn most(&self) -> usize {
        self.most
    }

    /// A place for one more of this kind; `None` where there are as many as there may be.
    pub fn enter(self: &Arc<Self>, key: K) -> Option<Place<K>> {
        let mut count = self.here.entry(key.clone()).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Place { crowd: Arc::clone(self), key })
    }
}

impl<K: Eq + Hash> Drop for Place<K> {
    fn drop(&mut self) {
        // Under the entry's lock, so that nobody enters between the last one's leaving and the entry's end.
        self.crowd.here.remove_if_mut(&self.key, |_, count| {
            *count = count.saturating_sub(1);
            *count == 0
        });
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_own_places_and_gives_them_back() {
        let crowd = Crowd::new(2);
        let first = crowd.enter("a").unwrap();
        let _second = crowd.enter("a").unwrap();
        assert!(crowd.enter("a").is_none());
        let other = crowd.enter("b").unwrap();
        drop(first);
        let _third = crowd.enter("a").unwrap();
        assert!(crowd.enter("a").is_none());
        drop(other);
        assert_eq!(crowd.here.len(), 1, "nobody of b is here");
    }

    #[test]
    fn many_threads_leave_nobody_behind() {
        let crowd = Crowd::new(3);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for number in 0..20_000 {
                        drop(crowd.enter(number % 3));
                    }
                });
            }
        });
        assert!(crowd.here.is_empty());
    }
}
