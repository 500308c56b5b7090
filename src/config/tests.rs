//! The configuration as an operator meets it: what wins, and what a mistake is answered with.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;

use super::*;

fn variables(pairs: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    pairs.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))).collect()
}

fn file(text: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("my.toml");
    std::fs::write(&path, text).unwrap();
    (folder, path)
}

/// Loads with a file of `text` and `vars`.
fn load(text: &str, vars: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let (_folder, path) = file(text);
    Config::load(&Flags { config: Some(path), ..Flags::default() }, variables(vars))
}

#[test]
fn the_built_in_file_is_the_default() {
    let config = Config::default();
    assert!(config.check().is_ok());
    assert_eq!(config.server.bind, ["127.0.0.1:3001".parse().unwrap()]);
    assert_eq!((config.limits.frame, config.limits.content), (1 << 20, 256 << 10));
    assert_eq!(config.heartbeat.silence, Duration::from_secs(45));
    assert_eq!(config.default_agent().unwrap().as_str(), "nyx");
    assert_eq!(load(DEFAULTS, &[]).unwrap(), config, "the file given as a file changes nothing");
}

#[test]
fn flags_win_over_variables_over_the_file_over_the_defaults() {
    let (_folder, path) = file(
        "[server]\nbind = [\"127.0.0.1:1\"]\ndata_dir = \"file\"\nworkers = 3\n\
         [limits]\nframe = 2097152\n[heartbeat]\nping = \"1s\"",
    );
    let vars = variables(&[
        ("CALLBOARD_SERVER__BIND", "127.0.0.1:2, [::1]:2"),
        ("CALLBOARD_SERVER__DATA_DIR", "variable"),
        ("CALLBOARD_LIMITS__FRAME", "4MiB"),
        ("CALLBOARD_DEBUG__ECHO", "true"),
        ("CALLBOARD_LIMITS__BATCH", "7"),
        ("CALLBOARD_PEERS", "not a setting"),
        ("PATH", "/bin"),
    ]);
    let flags = Flags { config: Some(path), bind: vec!["127.0.0.1:3".into()], data_dir: None };
    let config = Config::load(&flags, vars).unwrap();
    assert_eq!(config.server.bind, ["127.0.0.1:3".parse().unwrap()]);
    assert_eq!(config.server.data_dir, PathBuf::from("variable"));
    assert_eq!(config.server.workers, 3);
    assert_eq!((config.limits.frame, config.limits.batch), (4 << 20, 7));
    assert_eq!(config.heartbeat.ping, Duration::from_secs(1));
    assert!(config.debug.echo);
    assert_eq!(config.server.max_sessions, 10_000);
}

#[test]
fn short_variables_name_the_file_the_address_and_the_folder() {
    let (_folder, path) = file("[limits]\nbatch = 9");
    let path = path.to_str().unwrap();
    let vars = [("CALLBOARD_CONFIG", path), ("CALLBOARD_BIND", "127.0.0.1:9"), ("CALLBOARD_DATA_DIR", "there")];
    let config = Config::load(&Flags::default(), variables(&vars)).unwrap();
    assert_eq!((config.limits.batch, config.server.data_dir), (9, PathBuf::from("there")));
    assert_eq!(config.server.bind, ["127.0.0.1:9".parse().unwrap()]);
}

#[test]
fn a_mistake_in_the_file_names_key_value_and_what_is_allowed() {
    for (text, expected) in [
        ("[limits]\nfrme = 1", "my.toml: limits.frme = 1: unknown field `frme`, expected one of `frame`, `content`"),
        ("[limit]\nframe = 1", "limit: unknown section, expected one of auth, compression, debug, heartbeat"),
        ("[limit]", "limit: unknown section"),
        ("limits = 5", "limits = 5: expected a section"),
        ("frame = 5", "frame: unknown section"),
        ("[limits]\nframe = 100", "limits.frame = 100: expected 1KiB to 64MiB"),
        (
            "[limits]\nframe = \"much\"",
            "limits.frame = \"much\": invalid value: string \"much\", expected a size such as",
        ),
        ("[limits]\nbatch = -1", "limits.batch = -1: invalid value: integer `-1`, expected a whole number"),
        ("[limits]\nbatch = [1]", "limits.batch = [1]: invalid type: array, expected a whole number"),
        ("[heartbeat]\nping = 15", "heartbeat.ping = 15: invalid value: integer `15`, expected a duration such as"),
        ("[heartbeat]\nping = \"0s\"", "heartbeat.ping = \"0s\": expected 100ms to 1h"),
        (
            "[server]\nbind = [\"here\"]",
            "server.bind = [\"here\"]: invalid value: string \"here\", expected an address",
        ),
        ("[server]\nbind = []", "server.bind = []: expected 1 to 16 addresses"),
        ("[server]\nbind = \"127.0.0.1:1\"", "server.bind = \"127.0.0.1:1\": invalid type: string"),
        ("[auth]\nrequired = \"yes\"", "auth.required = \"yes\": invalid type: string \"yes\", expected a boolean"),
        ("[auth]\norigins = [\"example.com\"]", "expected origins such as https://app.example.com"),
        ("[log]\nfilter = \"callboard=loud\"", "log.filter = \"callboard=loud\": expected a level"),
        ("[runtime]\ndefault_agent = \"a b\"", "runtime.default_agent = \"a b\": Invalid field"),
        ("[server]\nbind = [\n", "my.toml: line "),
    ] {
        let error = load(text, &[]).unwrap_err().to_string();
        assert!(error.contains(expected), "{text:?} gave {error}");
        assert!(!error.contains('\n'), "{error}");
    }
}

#[test]
fn a_mistake_in_a_variable_names_the_variable() {
    for (name, value, expected) in [
        ("CALLBOARD_LIMITS__FRME", "1", "CALLBOARD_LIMITS__FRME: limits.frme = \"1\": unknown field"),
        ("CALLBOARD_LIMITS__BATCH", "many", "CALLBOARD_LIMITS__BATCH: limits.batch = \"many\": invalid value"),
        ("CALLBOARD_NOWHERE__KEY", "1", "CALLBOARD_NOWHERE__KEY: nowhere: unknown section"),
        ("CALLBOARD_BIND", "here", "CALLBOARD_BIND: server.bind = [\"here\"]"),
        ("CALLBOARD_AUTH__REQUIRED", "maybe", "auth.required = \"maybe\": invalid type: string"),
        ("CALLBOARD_CONFIG", "no/such.toml", "no/such.toml: the configuration file cannot be read"),
        ("CALLBOARD_LOG__FILTER", "a=b\nc", "log.filter = "),
    ] {
        let error = Config::load(&Flags::default(), variables(&[(name, value)])).unwrap_err().to_string();
        assert!(error.contains(expected) && !error.contains('\n'), "{name}={value} gave {error}");
    }
}

#[test]
fn settings_that_disagree_are_refused_together() {
    for (text, expected) in [
        ("[server]\nbind = [\"0.0.0.0:1\"]", "set auth.required = true to ask for credentials, or auth.allow_open"),
        ("[server]\nbind = [\"127.0.0.1:1\", \"[::]:1\"]", "listens beyond loopback"),
        ("[limits]\nframe = \"1KiB\"", "limits.content (262144 bytes) must not be larger"),
        ("[heartbeat]\nsilence = \"15s\"", "heartbeat.silence must be longer"),
        ("[rate]\nframes_burst = 1", "rate.frames_burst (1) must not be smaller than rate.frames_per_second (200)"),
        ("[runtime]\ndefault_agent = \"zoe\"", "expected one of nyx, aria, sage"),
        ("[server]\nworkspace = \"no/such\"", "server.workspace = \"no/such\": expected a folder"),
        ("[server]\nagents_dir = \"no/such\"", "no/such: the agents cannot be read"),
        ("[auth]\njwks_file = \"no/such\"", "auth.jwks_file = \"no/such\": expected a file"),
    ] {
        let error = load(text, &[]).unwrap_err().to_string();
        assert!(error.contains(expected) && !error.contains('\n'), "{text:?} gave {error}");
    }
}

#[test]
fn openness_beyond_loopback_must_be_meant() {
    for way_out in ["required", "allow_open"] {
        let text = format!("[server]\nbind = [\"0.0.0.0:1\"]\n[auth]\n{way_out} = true");
        assert!(load(&text, &[]).is_ok(), "{way_out}");
    }
    assert!(load("[server]\nbind = [\"[::1]:1\", \"127.9.9.9:1\"]", &[]).is_ok());
}

#[test]
fn the_data_folder_is_found_without_what_only_a_server_needs() {
    let vars = variables(&[("CALLBOARD_BIND", "0.0.0.0:1"), ("CALLBOARD_DATA_DIR", "there")]);
    let config = Config::settings(&Flags::default(), vars).unwrap();
    assert_eq!(config.server.data_dir, PathBuf::from("there"));
}

#[test]
fn short_variables_set_to_nothing_count_as_not_set() {
    let vars = variables(&[("CALLBOARD_CONFIG", ""), ("CALLBOARD_BIND", ""), ("CALLBOARD_DATA_DIR", "")]);
    assert_eq!(Config::load(&Flags::default(), vars).unwrap(), Config::default());
}

/// Every key by section, as the built-in file has them.
fn every_key() -> Vec<(String, String)> {
    let table: Table = toml::from_str(DEFAULTS).unwrap();
    let keys = |(section, keys): (String, Value)| {
        let Value::Table(keys) = keys else { panic!("{section} is no section") };
        keys.into_iter().map(move |(key, _)| (section.clone(), key)).collect::<Vec<_>>()
    };
    table.into_iter().flat_map(keys).collect()
}

#[test]
fn every_key_can_be_set_from_the_environment_to_what_it_is() {
    let table: Table = toml::from_str(DEFAULTS).unwrap();
    for (section, key) in every_key() {
        let text = match &table[&section][&key] {
            Value::String(text) => text.clone(),
            Value::Array(list) => list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","),
            other => other.to_string(),
        };
        let name = format!("CALLBOARD_{section}__{key}").to_uppercase();
        let config = Config::load(&Flags::default(), variables(&[(&name, &text)]));
        assert_eq!(config.as_ref(), Ok(&Config::default()), "{name}={text}");
    }
}

proptest::proptest! {
    #[test]
    fn no_text_in_a_variable_makes_more_than_one_line(pick in 0..1000_usize, text in "\\PC*|[\\x00-\\x7f]*") {
        let keys = every_key();
        let (section, key) = &keys[pick % keys.len()];
        let name = format!("CALLBOARD_{section}__{key}").to_uppercase();
        if let Err(error) = Config::settings(&Flags::default(), variables(&[(&name, &text)])) {
            let said = error.to_string();
            proptest::prop_assert!(said.starts_with(&name) && !said.contains(char::is_control), "{said:?}");
        }
    }

    #[test]
    fn no_text_in_a_file_makes_more_than_one_line(text in "(\\[[a-z]{1,6}\\]\n)?[a-z]{0,8} ?=? ?[\\x00-\\x7f]{0,40}") {
        if let Err(error) = load(&text, &[]) {
            proptest::prop_assert!(!error.to_string().contains(char::is_control), "{error}");
        }
    }
}
