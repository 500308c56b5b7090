//! The heads of the streams last written to, so that the writer need not ask the index for each append.

use std::collections::HashMap;

use super::state::Effect;
use crate::journal::Stream;

/// Streams a generation holds; two generations are kept, about 5 MB in all. More streams at once than this cost a read
/// of the index each.
const GENERATION: usize = 65_536;

/// The heads of the streams last written to.
#[derive(Debug, Default)]
pub(super) struct Heads {
    young: HashMap<Stream, u64>,
    old: HashMap<Stream, u64>,
}

impl Heads {
    /// The head of a stream, if it is known here.
    pub fn get(&self, stream: Stream) -> Option<u64> {
        self.young.get(&stream).or_else(|| self.old.get(&stream)).copied()
    }

    /// Notes the head of a stream.
    pub fn put(&mut self, stream: Stream, head: u64) {
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(stream, head);
    }

    /// Takes in a change that is synced.
    pub fn apply(&mut self, effect: &Effect) {
        match effect {
            Effect::Appended { at, .. } => self.put(at.stream, at.seq),
            Effect::Deleted { place, .. } => {
                for lane in 0..=u8::MAX {
                    let stream = Stream { place: *place, lane };
                    self.young.remove(&stream);
                    self.old.remove(&stream);
                }
            }
            // A stream that never had a record begins there.
            Effect::Trimmed { stream, first, .. } if self.get(*stream).is_some_and(|head| head < *first) => {
                self.put(*stream, first.saturating_sub(1));
            }
            Effect::Created(..) | Effect::Closed(_) | Effect::Trimmed { .. } => {}
        }
    }
}
