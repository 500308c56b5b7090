//! placeholder until merged
use crate::protocol::{Mood, Timestamp};
#[derive(Debug, Default)]
pub struct MoodState;
impl MoodState {
    pub fn new() -> Self {
        Self
    }
    pub fn on_message(&mut self, _: &str, _: Timestamp) -> Option<(Mood, Mood)> {
        None
    }
    pub fn on_success(&mut self, _: Timestamp) -> Option<(Mood, Mood)> {
        None
    }
    pub fn on_failure(&mut self, _: Timestamp) -> Option<(Mood, Mood)> {
        None
    }
    pub fn current(&self, _: Timestamp) -> Mood {
        Mood::default()
    }
}
