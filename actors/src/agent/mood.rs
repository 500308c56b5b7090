//! The mood of an agent as it changes: pure state, fed with what is said to the agent and how its work goes.
//!
//! Praise excites, questions make curious, requests and trouble make helpful; a mood fades by half every five minutes
//! and is neutral again below a tenth. A change is told when the emotion changes or its intensity leaps.

use crate::protocol::{Emotion, Mood, Timestamp};
use crate::text::Words;
use crate::tool::sentiment;

/// Milliseconds in which an intensity fades to half: a mood outlasts a pause in a conversation, not the lunch break.
const HALF_LIFE_MS: f32 = 300_000.0;

/// Below this intensity a mood is neutral.
const FAINT: f32 = 0.1;

/// A leap of the intensity that is worth telling.
const LEAP: f32 = 0.25;

/// Bytes of a message that the mood goes by: the beginning has the tone, and reading it all would cost.
const READ: usize = 200;

/// The sentiment from which praise is praise, and below whose negative trouble is trouble.
const STRONG: f64 = 0.35;

/// An agent's mood as it changes.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct MoodState {
    mood: Mood,
    at: Timestamp,
    failed: bool,
}

/// A mood before and after it changed.
pub type Change = (Mood, Mood);

impl MoodState {
    /// Neutral.
    pub fn new() -> Self {
        Self::default()
    }

    /// The mood by now: what it was, faded.
    pub fn current(&self, now: Timestamp) -> Mood {
        // Precise enough: the intensity is shown with few digits, and a mood is gone within the hour.
        let halves = now.since(self.at) as f32 / HALF_LIFE_MS;
        let intensity = self.mood.intensity * (-halves).exp2();
        if intensity < FAINT { Mood::default() } else { Mood { intensity, ..self.mood } }
    }

    /// Somebody said something to the agent.
    pub fn on_message(&mut self, text: &str, now: Timestamp) -> Option<Change> {
        let text = text.get(..text.floor_char_boundary(READ)).unwrap_or_default();
        let (emotion, intensity) = felt(text)?;
        self.feel(emotion, intensity, now)
    }

    /// The agent did what was asked. After a failure that is a joy, else it strengthens the mood there is.
    pub fn on_success(&mut self, now: Timestamp) -> Option<Change> {
        if std::mem::take(&mut self.failed) {
            return self.feel(Emotion::Excited, 0.6, now);
        }
        let mood = self.current(now);
        let stronger = (mood.intensity + 0.1).min(1.0);
        if mood.emotion == Emotion::Neutral {
            self.feel(Emotion::Helpful, 0.3, now)
        } else {
            self.feel(mood.emotion, stronger, now)
        }
    }

    /// The agent could not do what was asked: it wonders why.
    pub fn on_failure(&mut self, now: Timestamp) -> Option<Change> {
        self.failed = true;
        self.feel(Emotion::Curious, 0.5, now)
    }

    fn feel(&mut self, emotion: Emotion, intensity: f32, now: Timestamp) -> Option<Change> {
        let before = self.current(now);
        // The same again adds to what is there; another emotion replaces it.
        let stays = before.emotion == emotion;
        let intensity = if stays { intensity.max(before.intensity) } else { intensity };
        let after = Mood { emotion, intensity };
        self.mood = after;
        self.at = now;
        (!stays || (after.intensity - before.intensity).abs() >= LEAP).then_some((before, after))
    }
}

/// What a message makes the agent feel, and how much; `None`: nothing.
fn felt(text: &str) -> Option<(Emotion, f32)> {
    let words = Words::of(text);
    let sentiment = sentiment::score(text);
    let trouble = words.any(&["error*", "bug*", "broken", "crash*", "fail*", "stuck", "problem*", "wrong", "help"]);
    let praise = sentiment >= STRONG
        && (words.any(&[
            "you", "you're", "your", "thank*", "thx", "well done", "work", "job", "this", "that", "love*", "it",
            "agent",
        ]) || words.len() <= 4);
    let question = text.trim_end().ends_with('?')
        || words.begins_any(&[
            "what*", "how*", "why", "who*", "when", "where*", "which", "is", "are", "do", "does", "can", "could",
        ]);
    let help = trouble || sentiment <= -STRONG || words.any(&["help me", "please", "need"]);
    Some(match (praise && !trouble, help, question) {
        (true, _, _) => (Emotion::Excited, sentiment.clamp(0.4, 1.0) as f32),
        (_, true, _) => (Emotion::Helpful, sentiment.abs().clamp(0.5, 1.0) as f32),
        (_, _, true) => (Emotion::Curious, 0.5),
        _ if words.is_empty() => return None,
        _ if words.begins_any(&["hello*", "hi", "hey*", "good morning"]) => (Emotion::Curious, 0.4),
        _ => (Emotion::Helpful, 0.4),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp(1_000_000_000 + seconds * 1000)
    }

    #[test]
    fn what_is_said_moves_the_mood() {
        let cases = [
            ("What can you help me with?", Emotion::Helpful),
            ("Which files are there?", Emotion::Curious),
            ("Hello, agent!", Emotion::Curious),
            ("You did a great job, thank you!", Emotion::Excited),
            ("I love this!", Emotion::Excited),
            ("The server crashed and I am stuck", Emotion::Helpful),
            ("count the files in src", Emotion::Helpful),
            ("This is terrible, it never works", Emotion::Helpful),
        ];
        for (text, emotion) in cases {
            let (before, after) = MoodState::new().on_message(text, at(0)).unwrap();
            assert_eq!((before, after.emotion), (Mood::default(), emotion), "{text}");
            assert!((FAINT..=1.0).contains(&after.intensity), "{text}: {after:?}");
        }
        assert_eq!(MoodState::new().on_message("", at(0)), None);
    }

    #[test]
    fn a_mood_fades_and_is_told_only_when_it_changes() {
        let mut state = MoodState::new();
        assert!(state.on_message("Which files are there?", at(0)).is_some());
        assert_eq!(state.on_message("And which folders?", at(1)), None);
        let fresh = state.current(at(1)).intensity;
        let half = state.current(at(301)).intensity;
        assert!((half * 2.0 - fresh).abs() < 0.001, "{fresh} {half}");
        assert_eq!(state.current(at(3600)), Mood::default());
        assert_eq!(state.current(at(-60)).intensity, fresh, "a clock that goes back changes nothing");
    }

    #[test]
    fn success_after_failure_excites() {
        let mut state = MoodState::new();
        assert_eq!(state.on_failure(at(0)).unwrap().1.emotion, Emotion::Curious);
        assert_eq!(state.on_success(at(1)).unwrap().1.emotion, Emotion::Excited);
        assert_eq!(state.on_success(at(2)), None);
        assert!(state.current(at(2)).intensity > 0.6);
    }

    /// `cargo test -p callboard-actors --release -- --ignored --nocapture what_a_message_costs`
    #[test]
    #[ignore = "a measurement"]
    fn what_a_message_costs() {
        let mut state = MoodState::new();
        state.on_message("warm up", at(0));
        let start = std::time::Instant::now();
        for second in 0..100_000 {
            state.on_message("Hello, agent! Can you count the files?", at(second));
        }
        println!("{:?} a message", start.elapsed() / 100_000);
    }
}
