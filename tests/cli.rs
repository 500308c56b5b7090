//! The program as a shell meets it: what it prints, and with which status it ends.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::{Command, Output};

use callboard::auth::{Authenticator, Need, Presented};
use callboard::config::Config;
use callboard_actors::protocol::{ChannelId, Principal, Scope, Subject};

/// Runs the program with `args`, in an environment with nothing but `variables`.
fn callboard(args: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_callboard"));
    command.args(args).env_clear().envs(variables.iter().copied()).output().unwrap()
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn last_line(output: &Output) -> String {
    stdout(output).lines().last().unwrap().to_owned()
}

/// Who a server with this data folder takes the bearer of `credential` for.
fn principal(data: &Path, credential: &str) -> Option<Principal> {
    let door = Authenticator::new(&Config::default().auth, data).unwrap();
    let presented = Presented::read("", Some(&format!("Bearer {credential}")), None);
    door.authenticate(&presented, Need::Always, &Subject::trusted("nobody")).ok()
}

#[test]
fn a_token_is_printed_alone_and_is_good_at_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let args = ["token", "--tenant", "acme", "--agent", "worker", "--data-dir", data.to_str().unwrap()];
    let output = callboard(&args, &[]);
    assert_eq!(stdout(&output).lines().count(), 1);
    let usual = principal(&data, &last_line(&output)).unwrap();
    assert_eq!((usual.tenant.as_str(), usual.subject.as_str()), ("acme", "worker"));
    assert!(usual.scopes.has(Scope::AgentServe) && !usual.scopes.has(Scope::Admin));

    let more = ["--channel", "a", "--channel", "b", "--scope", "admin", "--scope", "channel:publish", "--ttl", "15m"];
    let limited = principal(&data, &last_line(&callboard(&[&args[..], &more].concat(), &[]))).unwrap();
    assert!(limited.scopes.has(Scope::Admin) && !limited.scopes.has(Scope::Chat));
    assert_eq!(limited.channels, Some(vec![ChannelId::trusted("a"), ChannelId::trusted("b")]));
}

#[test]
fn a_key_is_shown_once_listed_without_its_secret_and_revoked() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let here = [("CALLBOARD_DATA_DIR", data.to_str().unwrap())];
    let key = last_line(&callboard(&["key", "create", "--tenant", "acme", "--name", "worker"], &here));
    assert!(key.starts_with("cbk_"), "{key}");
    assert_eq!(principal(data, &key).unwrap().subject.as_str(), "worker");

    let (id, secret) = key.strip_prefix("cbk_").unwrap().split_once('_').unwrap();
    let list = stdout(&callboard(&["key", "list"], &here));
    assert!(list.contains(id) && list.contains("worker") && list.contains("in use"), "{list}");
    assert!(!list.contains(secret));

    stdout(&callboard(&["key", "revoke", "worker"], &here));
    assert!(principal(data, &key).is_none());
    assert!(stdout(&callboard(&["key", "list"], &here)).contains("revoked 20"));
    let again = callboard(&["key", "revoke", id], &here);
    assert_eq!(again.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&again.stderr).lines().count(), 1);
}

#[test]
fn keys_made_by_programs_at_once_are_all_kept() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    std::thread::scope(|scope| {
        for n in 0..6 {
            let args = ["key", "create", "--tenant", "t", "--name"];
            let name = format!("k{n}");
            scope.spawn(move || stdout(&callboard(&[&args[..], &[&name, "--data-dir", data]].concat(), &[])));
        }
    });
    let list = stdout(&callboard(&["key", "list", "--data-dir", data], &[]));
    assert_eq!(list.matches("in use").count(), 6, "{list}");
}

#[test]
fn wrong_configuration_is_one_line_and_status_2() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("my.toml");
    std::fs::write(&file, "[limits]\nfrme = 1\n").unwrap();
    let file = file.to_str().unwrap();
    for (args, variables, expected) in [
        (vec!["serve", "--config", file], vec![], "my.toml: limits.frme = 1: unknown field `frme`, expected one of"),
        (vec!["--config", file], vec![], "limits.frme"),
        (vec!["serve"], vec![("CALLBOARD_CONFIG", file)], "limits.frme"),
        (vec!["serve", "--config", "no/such.toml"], vec![], "no/such.toml: the configuration file cannot be read"),
        (vec!["--bind", "here"], vec![], "--bind: server.bind = [\"here\"]"),
        (vec!["--bind", "0.0.0.0:0"], vec![], "set auth.required = true to ask for credentials, or auth.allow_open"),
        (vec![], vec![("CALLBOARD_SERVER__DRAIN", "soon\nish")], "CALLBOARD_SERVER__DRAIN: server.drain = "),
        (vec!["key", "list", "--config", file], vec![], "limits.frme"),
    ] {
        let output = callboard(&args, &variables);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?} {variables:?}: {said}");
        assert!(said.contains(expected) && said.lines().count() == 1, "{args:?} {variables:?}: {said}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn the_configuration_is_checked_and_shown_without_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("my.toml");
    std::fs::write(&file, "[limits]\nbatch = 7\n[mcp.a]\nurl = \"http://me:s3cret@a.example/mcp\"\n").unwrap();
    let file = file.to_str().unwrap();
    let checked = stdout(&callboard(&["config", "check", "--config", file], &[]));
    assert!(checked.contains("sound") && checked.contains("nyx, aria, sage"), "{checked}");
    let shown = stdout(&callboard(&["config", "show", "--config", file, "--bind", "127.0.0.1:9"], &[]));
    let table: toml::Table = toml::from_str(&shown).unwrap();
    assert_eq!(table["limits"]["batch"].as_integer(), Some(7));
    assert_eq!(table["server"]["bind"][0].as_str(), Some("127.0.0.1:9"));
    assert!(!shown.contains("s3cret"), "{shown}");
    let json = stdout(&callboard(&["config", "show", "--json", "--config", file], &[]));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["limits"]["batch"], 7);
    let wrong = callboard(&["config", "check", "--bind", "here"], &[]);
    assert_eq!(wrong.status.code(), Some(2));
}

#[test]
fn the_manual_and_the_completions_know_every_command() {
    let help = stdout(&callboard(&["--help"], &[]));
    let listed = help.split("Commands:").nth(1).unwrap().split("Options:").next().unwrap();
    let commands: Vec<&str> = listed
        .lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .map(|line| line.split_whitespace().next().unwrap())
        .collect();
    for known in ["serve", "chat", "send", "watch", "publish", "tail", "status", "agents", "config", "backup", "man"] {
        assert!(commands.contains(&known), "{known} is missing: {commands:?}");
    }
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("man");
    stdout(&callboard(&["man", "--to", to.to_str().unwrap()], &[]));
    let page = stdout(&callboard(&["man"], &[]));
    assert!(page.contains(".TH callboard 1") && page.contains("Exit status"), "{page}");
    let scripts = ["bash", "zsh", "fish"].map(|shell| stdout(&callboard(&["completions", shell], &[])));
    for command in commands {
        assert!(page.contains(command) && scripts.iter().all(|script| script.contains(command)), "{command}");
        assert!(command == "help" || to.join(format!("callboard-{command}.1")).exists(), "{command} has no page");
    }
}

#[test]
fn programs_read_json() {
    let folder = tempfile::tempdir().unwrap();
    let here = [("CALLBOARD_DATA_DIR", folder.path().to_str().unwrap())];
    let json = |args: &[&str]| -> serde_json::Value {
        serde_json::from_str(&stdout(&callboard(&[args, &["--json"]].concat(), &here))).unwrap()
    };
    assert_eq!(json(&["man"])["page"], stdout(&callboard(&["man"], &[])));
    assert_eq!(json(&["completions", "zsh"])["script"], stdout(&callboard(&["completions", "zsh"], &[])));
    let token = json(&["token", "--tenant", "t", "--agent", "a"])["token"].as_str().unwrap().to_owned();
    assert_eq!(principal(folder.path(), &token).unwrap().subject.as_str(), "a");
    let made = json(&["key", "create", "--tenant", "t", "--name", "n"]);
    assert_eq!(principal(folder.path(), made["key"].as_str().unwrap()).unwrap().subject.as_str(), "n");
    let listed = json(&["key", "list"]);
    assert_eq!((&listed["keys"][0]["id"], &listed["keys"][0]["key"]), (&made["id"], &serde_json::Value::Null));
    assert!(json(&["key", "revoke", "n"])["revoked_at"].is_string());
}

#[test]
fn wrong_usage_is_status_2_and_help_is_not() {
    for args in [
        &["dance"][..],
        &["token", "--agent", "a"],
        &["token", "--tenant", "a/b", "--agent", "a"],
        &["token", "--tenant", "t", "--agent", "a", "--scope", "root"],
        &["token", "--tenant", "t", "--agent", "a", "--ttl", "forever"],
        &["token", "--tenant", "t", "--agent", "a", "--ttl", "0s"],
        &["key", "create", "--tenant", "t", "--name", ""],
        &["--bind", "127.0.0.1:0", "token"],
        &["tail", "a/b"],
        &["tail", "a", "--since", "1", "--lines", "2"],
        &["status", "--watch=0"],
        &["completions", "abacus"],
    ] {
        let output = callboard(args, &[]);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{args:?}");
    }
    for (args, expected) in [
        (&["--help"][..], "Usage: callboard"),
        (&["serve", "--help"], "--data-dir"),
        (&["token", "--help"], "channel:publish"),
        (&["--version"], env!("CARGO_PKG_VERSION")),
    ] {
        let help = stdout(&callboard(args, &[]));
        assert!(help.contains(expected), "{help}");
    }
}
