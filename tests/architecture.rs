//! Who may know whom: the rules of ARCHITECTURE.md, held against the `use` lines of the code.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

/// Every source file below a folder, with what it says outside its tests.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|ending| ending == "rs") && !path.ends_with("tests.rs") {
                let text = fs::read_to_string(&path).unwrap();
                let code =
                    text.split("#[cfg(test)]\n#[allow").next().unwrap().split("#[cfg(test)]\nmod").next().unwrap();
                found.push((path, code.to_owned()));
            }
        }
    }
    let mut found = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut found);
    assert!(!found.is_empty(), "{folder} holds no sources");
    found
}

/// Files below `folder` must not say any of `never`, save those whose path contains one of `save`.
fn forbid(folder: &str, never: &[&str], save: &[&str]) {
    let mut broken = Vec::new();
    for (path, code) in sources(folder) {
        let shown = path.display().to_string();
        if save.iter().any(|part| shown.contains(part)) {
            continue;
        }
        for (number, line) in code.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            if let Some(word) = never.iter().find(|word| code.contains(*word)) {
                broken.push(format!("{shown}:{}: {word}", number + 1));
            }
        }
    }
    assert!(broken.is_empty(), "who may know whom:\n{}", broken.join("\n"));
}

#[test]
fn the_runtime_knows_no_wire() {
    forbid("actors/src", &["actix_web", "callboard::"], &[]);
}

#[test]
fn the_protocol_knows_nobody() {
    forbid(
        "actors/src/protocol",
        &["actix", "crate::agent", "crate::conversation", "crate::channel", "crate::journal", "crate::brain"],
        &[],
    );
}

#[test]
fn the_journal_knows_the_protocol_alone() {
    forbid(
        "actors/src/journal",
        &[
            "actix", "crate::agent", "crate::conversation", "crate::channel", "crate::brain", "crate::tool",
            "crate::house",
        ],
        &[],
    );
}

#[test]
fn brains_and_tools_know_no_actor() {
    let never =
        ["actix::", "crate::conversation", "crate::channel", "crate::router", "crate::agent::Agent", "crate::runtime"];
    forbid("actors/src/brain", &never, &[]);
    forbid("actors/src/tool", &never, &[]);
}

#[test]
fn actors_address_messages_and_not_each_other() {
    forbid("actors/src/conversation", &["crate::channel", "crate::router", "agent::Agent,", "agent::Agent;"], &[]);
    forbid("actors/src/channel", &["crate::conversation", "crate::router", "agent::Agent,", "agent::Agent;"], &[]);
    forbid("actors/src/agent", &["crate::conversation", "crate::channel", "crate::router"], &[]);
}

#[test]
fn dialects_are_pure() {
    forbid(
        "src/dialect",
        &[
            "actix",
            "tokio",
            "callboard_actors::agent",
            "callboard_actors::conversation",
            "callboard_actors::channel",
            "crate::ws",
            "crate::http",
        ],
        &[],
    );
}

#[test]
fn sockets_and_http_reach_the_runtime_by_its_entrances() {
    let never = [
        "callboard_actors::router",
        "callboard_actors::conversation::Conversation",
        "callboard_actors::channel::Channel",
    ];
    forbid("src/ws", &never, &[]);
    forbid("src/http", &never, &[]);
}

#[test]
fn the_client_knows_nothing_of_the_server() {
    forbid("src/client", &["callboard_actors", "crate::server", "crate::http", "crate::ws", "crate::dialect"], &[]);
}
