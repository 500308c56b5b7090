//! What an agent's file says of its model: the table `[model]`.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::brain::context::Bounds;
use crate::protocol::{AgentName, Code, Error};
use crate::tape::MAX_KNOWN;

/// The most steps that may be allowed a run: beyond that a model goes in circles.
pub const MOST_STEPS: u32 = 32;

/// Whose protocol a model's server speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// OpenAI, and everything that speaks as it does: llama.cpp, vLLM, LM Studio, gateways.
    #[default]
    OpenAi,
    /// Anthropic.
    Anthropic,
    /// Google's Gemini.
    Gemini,
    /// Ollama, in its own protocol.
    Ollama,
}

impl Provider {
    /// What OpenTelemetry's conventions call it.
    pub fn as_told(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gcp.gemini",
            Self::Ollama => "ollama",
        }
    }
}

/// The table `[model]`. Unknown keys are errors. Where the model is and what opens it stand in no record.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What the server calls the model.
    pub name: String,
    /// Whose protocol it speaks.
    #[serde(default)]
    pub provider: Provider,
    /// Where it is, such as `http://127.0.0.1:8080/v1`; without it, the provider's own address.
    #[serde(default, skip_serializing)]
    pub endpoint: Option<String>,
    /// The variable of the environment that holds the key.
    #[serde(default, skip_serializing)]
    pub key_variable: Option<String>,
    /// The file that holds the key.
    #[serde(default, skip_serializing)]
    pub key_file: Option<PathBuf>,
    /// Instructions besides what the agent's file says of it.
    #[serde(default)]
    pub instructions: String,
    /// From 0 (the likeliest words) to 2; without it, what the server holds right.
    #[serde(default)]
    pub temperature: Option<f64>,
    /// Tokens that one reply may have; without it, what the server holds right.
    #[serde(default)]
    pub max_tokens: Option<u32>,
    /// The JSON schema that answers fit; without it, they are text.
    #[serde(default)]
    pub answer_schema: Option<Value>,
    /// How often the model may be asked in one run.
    #[serde(default = "steps")]
    pub steps: u32,
    /// How often one request may be passed on among agents; 0: not at all.
    #[serde(default = "handoffs")]
    pub handoffs: u32,
    /// The agents it may pass requests on to; without it, all.
    #[serde(default)]
    pub colleagues: Option<Vec<AgentName>>,
    /// Bytes of one tool's output that the model is given.
    #[serde(default = "tool_bytes")]
    pub tool_bytes: usize,
    /// How much of what was said and is remembered the model is given.
    #[serde(default)]
    pub context: Bounds,
    /// How long things may take.
    #[serde(default)]
    pub timeouts: Timeouts,
    /// How often it is tried again.
    #[serde(default)]
    pub retries: Retries,
    /// How much it may use.
    #[serde(default)]
    pub budget: Budget,
    /// Who answers when the model cannot be asked.
    #[serde(default)]
    pub fallback: Option<Fallback>,
}

/// How long things may take, in seconds. The whole run is bounded by the agent's `limits.run_seconds`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Timeouts {
    /// Until there is a connection.
    pub connect_seconds: f64,
    /// From the request to the first token.
    pub first_token_seconds: f64,
    /// From one token to the next.
    pub between_tokens_seconds: f64,
}

/// How often the model is tried again when it cannot be reached, is overloaded, or breaks off before anybody has heard
/// a word.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retries {
    /// How often after the first time.
    pub times: u32,
    /// How long before the first retry, in seconds; twice that before the next.
    pub first_seconds: f64,
    /// The longest wait, in seconds. A server that asks for more is not waited for.
    pub longest_seconds: f64,
}

/// How many tokens, read and written together, a model may use; without a number, as many as it likes.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Budget {
    /// In one run.
    pub run: Option<u64>,
    /// By this agent in each tenant, a day (UTC).
    pub day: Option<u64>,
    /// By all agents of a tenant together, a day (UTC); this agent begins no run beyond it.
    pub tenant_day: Option<u64>,
}

/// Who answers when the model cannot be asked: `"builtin"`, or another model.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(untagged)]
pub enum Fallback {
    /// A brain without a model, by name.
    Named(String),
    /// Another model. Without a budget of its own it has this one's.
    Model(Box<Settings>),
}

impl<'de> Deserialize<'de> for Fallback {
    /// By what is there, so that a mistake in the table is told as one.
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        match value {
            Value::String(name) => Ok(Self::Named(name)),
            table => {
                let settings = serde_json::from_value(table).map_err(serde::de::Error::custom)?;
                Ok(Self::Model(Box::new(settings)))
            }
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect_seconds: 5.0, first_token_seconds: 60.0, between_tokens_seconds: 30.0 }
    }
}

impl Default for Retries {
    fn default() -> Self {
        Self { times: 2, first_seconds: 0.5, longest_seconds: 10.0 }
    }
}

fn steps() -> u32 {
    8
}

fn handoffs() -> u32 {
    5
}

fn tool_bytes() -> usize {
    16 * 1024
}

/// Seconds of the configuration as a duration; they have been checked by then.
pub(super) fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

impl Settings {
    /// An error that names the key if something cannot be meant.
    pub fn check(&self) -> Result<(), Error> {
        self.check_at("model")
    }

    fn check_at(&self, table: &str) -> Result<(), Error> {
        let wrong = |key: &str, value: &dyn std::fmt::Display, expected: &str| {
            Err(Error::new(Code::InvalidMessage, format!("{table}.{key} = {value}: expected {expected}")))
        };
        if self.name.trim().is_empty() {
            return wrong("name", &"\"\"", "what the server calls the model");
        }
        if let Some(endpoint) = &self.endpoint {
            check_endpoint(endpoint).or_else(|expected| wrong("endpoint", &"…", expected))?;
        }
        if self.key_variable.is_some() && self.key_file.is_some() {
            return wrong("key_file", &"…", "either it or key_variable");
        }
        if let Some(warmth) = self.temperature.filter(|warmth| !(0.0..=2.0).contains(warmth)) {
            return wrong("temperature", &warmth, "0 to 2");
        }
        if self.answer_schema.as_ref().is_some_and(|schema| !schema.is_object()) {
            return wrong("answer_schema", &"…", "a table");
        }
        for (key, value, least, most) in self.numbers() {
            if !(least..=most).contains(&value) {
                return wrong(key, &value, &format!("{least} to {most}"));
            }
        }
        for (key, value, most) in self.times() {
            if !(value > 0.0 && value <= most) {
                return wrong(key, &value, &format!("more than 0, at most {most}"));
            }
        }
        match &self.fallback {
            Some(Fallback::Model(other)) => other.check_at(&format!("{table}.fallback")),
            Some(Fallback::Named(name)) if !["builtin", "echo"].contains(&name.as_str()) => {
                wrong("fallback", &format_args!("\"{name}\""), "\"builtin\", \"echo\" or a table that names a model")
            }
            _ => Ok(()),
        }
    }

    fn numbers(&self) -> [(&'static str, u64, u64, u64); 9] {
        [
            ("max_tokens", self.max_tokens.unwrap_or(1).into(), 1, 1_000_000),
            ("steps", self.steps.into(), 1, MOST_STEPS.into()),
            ("handoffs", self.handoffs.into(), 0, 100),
            ("tool_bytes", self.tool_bytes as u64, 256, 256 * 1024),
            ("context.tokens", self.context.tokens as u64, 64, 4_000_000),
            ("context.memories", self.context.memories as u64, 0, MAX_KNOWN as u64),
            ("context.summary_tokens", self.context.summary_tokens as u64, 0, 100_000),
            ("context.message_tokens", self.context.message_tokens as u64, 16, 1_000_000),
            ("retries.times", self.retries.times.into(), 0, 10),
        ]
    }

    fn times(&self) -> [(&'static str, f64, f64); 5] {
        const HOUR: f64 = 3600.0;
        [
            ("timeouts.connect_seconds", self.timeouts.connect_seconds, HOUR),
            ("timeouts.first_token_seconds", self.timeouts.first_token_seconds, HOUR),
            ("timeouts.between_tokens_seconds", self.timeouts.between_tokens_seconds, HOUR),
            ("retries.first_seconds", self.retries.first_seconds, HOUR),
            ("retries.longest_seconds", self.retries.longest_seconds, HOUR),
        ]
    }
}

/// An address that says no more than where: keys belong into variables and files, which are never shown.
fn check_endpoint(endpoint: &str) -> Result<(), &'static str> {
    let rest = endpoint.strip_prefix("http://").or_else(|| endpoint.strip_prefix("https://"));
    let rest = rest.ok_or("an address that begins with http:// or https://")?;
    let host = rest.split('/').next().unwrap_or_default();
    if host.is_empty() || rest.contains(char::is_whitespace) {
        return Err("an address with a host");
    }
    if host.contains('@') || rest.contains('?') {
        return Err("an address without credentials; they go into key_variable or key_file");
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn two_lines_are_enough() {
        let settings: Settings = toml::from_str("name = \"m\"\nendpoint = \"http://127.0.0.1:1/v1\"").unwrap();
        settings.check().unwrap();
        assert_eq!((settings.provider, settings.steps, settings.handoffs), (Provider::OpenAi, 8, 5));
    }

    #[test]
    fn a_mistake_names_its_key() {
        for (text, part) in [
            ("name = \" \"", "model.name"),
            ("name = \"m\"\nendpoint = \"127.0.0.1\"", "model.endpoint"),
            ("name = \"m\"\nendpoint = \"http://u:p@h/v1\"", "key_variable or key_file"),
            ("name = \"m\"\nendpoint = \"http://h/v1?key=s3cret\"", "key_variable or key_file"),
            ("name = \"m\"\ntemperature = 9", "model.temperature = 9: expected 0 to 2"),
            ("name = \"m\"\nsteps = 0", "model.steps = 0: expected 1 to 32"),
            ("name = \"m\"\nsteps = 33", "model.steps = 33"),
            ("name = \"m\"\nmax_tokens = 0", "model.max_tokens = 0"),
            ("name = \"m\"\nfallback = \"oracle\"", "model.fallback = \"oracle\""),
            ("name = \"m\"\n[fallback]\nname = \"n\"\nsteps = 0", "model.fallback.steps = 0"),
            ("name = \"m\"\n[timeouts]\nfirst_token_seconds = 0", "model.timeouts.first_token_seconds = 0"),
            ("name = \"m\"\nkey_file = \"a\"\nkey_variable = \"B\"", "model.key_file"),
        ] {
            let error = toml::from_str::<Settings>(text).unwrap().check().unwrap_err().to_string();
            assert!(error.contains(part) && !error.contains("s3cret") && !error.contains("u:p"), "{text}: {error}");
        }
        for (text, part) in [
            ("name = \"m\"\nwarmth = 1", "warmth"),
            ("name = \"m\"\n[fallback]\nnome = \"n\"", "nome"),
            ("name = \"m\"\nprovider = \"oracle\"", "oracle"),
            ("endpoint = \"http://h\"", "name"),
        ] {
            let error = toml::from_str::<Settings>(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
