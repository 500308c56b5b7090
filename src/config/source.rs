//! Where settings come from: the file, the environment, the flags; each as a list of single settings.
//!
//! What a setting means is no matter of this file: values are passed on as they were written.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::error::ConfigError;

/// What the command line says about the configuration.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--config FILE`.
    pub config: Option<PathBuf>,
    /// `--bind ADDR:PORT`, each.
    pub bind: Vec<String>,
    /// `--data-dir DIR`.
    pub data_dir: Option<PathBuf>,
}

/// One setting and who said it.
#[derive(Debug)]
pub(super) struct Setting {
    /// The file, variable or flag.
    pub origin: String,
    /// Its section.
    pub section: String,
    /// Its key; `None` where all that was written is the section itself.
    pub key: Option<String>,
    /// Its value, as written.
    pub value: Value,
}

impl Setting {
    fn new(origin: impl Into<String>, section: &str, key: &str, value: Value) -> Self {
        Self { origin: origin.into(), section: section.to_owned(), key: Some(key.to_owned()), value }
    }
}

/// The settings of a file.
pub(super) fn file(path: &Path) -> Result<Vec<Setting>, ConfigError> {
    let origin = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| {
        ConfigError::source(&origin, format!("the configuration file cannot be read: {error}; --config names another"))
    })?;
    let table: Table = toml::from_str(&text).map_err(|error| ConfigError::toml(path, &text, &error))?;
    let mut settings = Vec::new();
    for (section, value) in table {
        match value {
            Value::Table(keys) if !keys.is_empty() => {
                settings.extend(keys.into_iter().map(|(key, value)| Setting::new(&origin, &section, &key, value)));
            }
            value => settings.push(Setting { origin: origin.clone(), section, key: None, value }),
        }
    }
    Ok(settings)
}

/// The environment: the file it names, and the settings of `CALLBOARD_BIND`, `CALLBOARD_DATA_DIR` and every
/// `CALLBOARD_<SECTION>__<KEY>`. Other variables are somebody else's.
#[derive(Debug, Default)]
pub(super) struct Environment {
    /// `CALLBOARD_CONFIG`.
    pub config: Option<PathBuf>,
    /// The settings, by the names of their variables.
    pub settings: Vec<Setting>,
}

/// Reads the variables that are ours; `known` is the configuration so far, whose types the texts follow.
pub(super) fn environment(
    variables: impl IntoIterator<Item = (OsString, OsString)>,
    known: &Table,
) -> Result<Environment, ConfigError> {
    let mut ours: Vec<_> =
        variables.into_iter().filter_map(|(name, text)| Some((name.into_string().ok()?, text))).collect();
    ours.sort();
    let mut environment = Environment::default();
    for (name, text) in ours {
        let Some(rest) = name.strip_prefix("CALLBOARD_") else { continue };
        // A short form that is set to nothing counts as not set, as compose files leave them.
        if matches!(rest, "CONFIG" | "BIND" | "DATA_DIR") && text.is_empty() {
            continue;
        }
        if rest == "CONFIG" {
            environment.config = Some(PathBuf::from(text));
            continue;
        }
        let (section, key) = match (rest, rest.split_once("__")) {
            ("BIND", _) => ("server".to_owned(), "bind".to_owned()),
            ("DATA_DIR", _) => ("server".to_owned(), "data_dir".to_owned()),
            (_, Some((section, key))) => (section.to_lowercase(), key.to_lowercase()),
            _ => continue,
        };
        let text = text.into_string().map_err(|_| ConfigError::source(&name, "the value is not UTF-8"))?;
        let default = known.get(&section).and_then(|section| section.get(&key));
        environment.settings.push(Setting::new(&name, &section, &key, typed(text, default)));
    }
    Ok(environment)
}

/// The settings of the flags.
pub(super) fn flags(flags: &Flags) -> Result<Vec<Setting>, ConfigError> {
    let mut settings = Vec::new();
    if !flags.bind.is_empty() {
        let bind = flags.bind.iter().cloned().map(Value::String).collect();
        settings.push(Setting::new("--bind", "server", "bind", Value::Array(bind)));
    }
    if let Some(path) = &flags.data_dir {
        let path = path.to_str().ok_or_else(|| ConfigError::source("--data-dir", "the path is not UTF-8"))?;
        settings.push(Setting::new("--data-dir", "server", "data_dir", Value::String(path.to_owned())));
    }
    Ok(settings)
}

/// A variable's text as the type that the setting has by default; text where it does not fit, which is then refused.
fn typed(text: String, default: Option<&Value>) -> Value {
    let trimmed = text.trim();
    let read = match default {
        Some(Value::Array(_)) => Some(Value::Array(
            trimmed.split(',').map(str::trim).filter(|item| !item.is_empty()).map(Value::from).collect(),
        )),
        // A table is written as TOML writes one in a line.
        Some(Value::Table(_)) => {
            toml::from_str::<Table>(&format!("value = {trimmed}")).ok().and_then(|mut t| t.remove("value"))
        }
        Some(Value::Boolean(_)) => trimmed.parse().ok().map(Value::Boolean),
        Some(Value::Integer(_)) => trimmed.parse().ok().map(Value::Integer),
        _ => None,
    };
    read.unwrap_or(Value::String(text))
}
