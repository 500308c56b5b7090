//! The endpoint `/chat/ws`: document 004, threads and jobs.

mod decode;
mod encode;

use callboard_actors::protocol::{Error, Event, Timestamp};

use super::fields::Fields;
use super::frames::Frames;
use super::{Audience, Bounds, Dialect, Inbound};

/// The dialect of `/chat/ws`.
#[derive(Debug, Default)]
pub struct Threads;

impl Threads {
    /// The dialect of a session, which may speak of any number of threads.
    pub fn new() -> Self {
        Self
    }
}

impl Dialect for Threads {
    fn name(&self) -> &'static str {
        "threads"
    }

    fn slot(&self) -> usize {
        3
    }

    fn decode(&self, text: &str, bounds: &Bounds) -> Result<Inbound, (Option<String>, Error)> {
        let inbound = Fields::of_frame(text).and_then(|fields| decode::decode(&fields, bounds));
        inbound.map_err(|error| (None, error))
    }

    fn encode(&self, event: &Event, at: Timestamp, to: Audience<'_>) -> Frames {
        match to {
            Audience::Requester(asked) => encode::reply(event, asked, at),
            Audience::Member => encode::member(event),
            Audience::Subscriber => Frames::None,
        }
    }
}

#[cfg(test)]
mod tests;
