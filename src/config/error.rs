//! What is wrong with a configuration, as one line.

use std::fmt;
use std::path::Path;

use crate::logging::one_line;

/// What is wrong with a configuration: where it was said, which setting, what it says, and what is allowed.
///
/// Shown, it is one line of printable characters, whatever stood in the file or the variable.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigError {
    /// Who said it: a file, a variable, a flag; empty when several settings disagree.
    origin: String,
    /// Which setting, as `section.key`, with the value it was given.
    setting: Option<(String, String)>,
    /// What is wrong, and what would be right.
    reason: String,
}

impl std::error::Error for ConfigError {}

/// The longest value that is shown whole, in characters: enough for any path or address.
const SHOWN: usize = 120;

impl ConfigError {
    /// A setting, named by `setting`, that reads and yet cannot be used; `reason` says why.
    pub fn new(setting: &str, reason: impl Into<String>) -> Self {
        Self::source(setting, reason)
    }

    /// A value that will not do.
    pub(super) fn value(origin: &str, setting: &str, value: &toml::Value, reason: impl Into<String>) -> Self {
        let mut shown = value.to_string();
        if let Some((cut, _)) = shown.char_indices().nth(SHOWN) {
            shown.truncate(cut);
            shown.push('…');
        }
        Self { origin: origin.to_owned(), setting: Some((setting.to_owned(), shown)), reason: reason.into() }
    }

    /// A source that cannot be read at all.
    pub(super) fn source(origin: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { origin: origin.into(), setting: None, reason: reason.into() }
    }

    /// Settings that are right one by one, and wrong together.
    pub(super) fn together(reason: impl Into<String>) -> Self {
        Self::source(String::new(), reason)
    }

    /// A TOML text that does not parse.
    pub(super) fn toml(path: &Path, text: &str, error: &toml::de::Error) -> Self {
        let before = error.span().and_then(|span| text.get(..span.start));
        let line = before.map(|before| format!("line {}: ", before.matches('\n').count() + 1));
        Self::source(path.display().to_string(), format!("{}{}", line.unwrap_or_default(), error.message()))
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        if !self.origin.is_empty() {
            text = format!("{}: ", self.origin);
        }
        if let Some((key, value)) = &self.setting {
            text += &format!("{key} = {value}: ");
        }
        text += &self.reason;
        f.write_str(&one_line(&text))
    }
}
