//! Who an agent is: what its TOML file says.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::brain::model::settings::Settings;
use crate::protocol::AgentName;

/// An agent's file, `config/agents/<name>.toml`. Unknown keys are errors.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Persona {
    /// What it is addressed by.
    pub name: AgentName,
    /// What it is, in a few words: `code and project analyst`.
    pub title: String,
    /// Who it is, in one or two sentences, as it would say it of itself.
    pub description: String,
    /// Words for what it is good at; requests without an address are matched against them.
    #[serde(default)]
    pub specialities: Vec<String>,
    /// What it says first in a new thread.
    pub greeting: String,
    /// Names of the tools it may use.
    #[serde(default)]
    pub tools: Vec<String>,
    /// What it may use of the servers of tools that the server's configuration lists: `files`, `files/read_*`.
    #[serde(default)]
    pub mcp: Vec<String>,
    /// Names of tools that it may use only when somebody has approved of it; `*`: all of them.
    #[serde(default)]
    pub approval: Vec<String>,
    /// What makes its answers: `builtin`, `echo` or `model`.
    #[serde(default = "builtin")]
    pub brain: String,
    /// The model it thinks with, where its brain is `model`.
    #[serde(default)]
    pub model: Option<Settings>,
    /// What it is bounded by.
    #[serde(default)]
    pub limits: Limits,
}

impl Persona {
    /// Whether its brain goes on when it is not allowed what it wanted to do: a model is told, and finds another way.
    /// Other brains have no other way, and their runs end.
    pub fn hears_refusals(&self) -> bool {
        self.brain == "model"
    }
}

/// What an agent is bounded by.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Runs that may wait for it; one more is refused with `QUEUE_FULL`.
    pub queue: usize,
    /// Runs it does at a time.
    pub concurrency: usize,
    /// Seconds after which a run is given up.
    pub run_seconds: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { queue: 1024, concurrency: 1, run_seconds: 60 }
    }
}

impl Limits {
    /// How long a run may take.
    pub fn run_time(&self) -> Duration {
        Duration::from_secs(self.run_seconds)
    }
}

fn builtin() -> String {
    "builtin".to_owned()
}
