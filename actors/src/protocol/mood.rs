//! Moods: what an agent shows of how it is addressed and how its work goes. The names are those of document 002.

use serde::{Deserialize, Serialize};

/// The emotions that document 002 names.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Emotion {
    /// Nothing in particular; where every mood decays to.
    #[default]
    Neutral,
    /// Asked about something, or puzzled.
    Curious,
    /// At work for somebody, or for somebody who has trouble.
    Helpful,
    /// Praised, or successful.
    Excited,
}

impl Emotion {
    /// The emotion as it stands on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Neutral => "neutral",
            Self::Curious => "curious",
            Self::Helpful => "helpful",
            Self::Excited => "excited",
        }
    }
}

/// An emotion and how strong it is.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Mood {
    /// Which emotion.
    pub emotion: Emotion,
    /// From 0 to 1.
    pub intensity: f32,
}
