//! Other projects' clients and suites against the server. `tests/gateway/setup` installs what they need.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "harness/harness.rs"]
mod harness;

use std::path::{Path, PathBuf};
use std::process::Command;

use harness::server::Server;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gateway")
}

/// A folder of what `tests/gateway/setup` installs; without it nothing here can be tested, which is a failure.
fn tools(name: &str) -> PathBuf {
    let path = folder().join(".tools").join(name);
    assert!(path.exists(), "{} is missing: run `bash tests/gateway/setup` first", path.display());
    path
}

/// What a program prints, which must end well. Its own limits of time end it.
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?} cannot be run: {error}"));
    let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{said}\n{complained}", output.status);
    said.into_owned()
}

fn openai(server: &Server) -> Command {
    let mut command = Command::new("python3");
    command.arg(folder().join("openai_client.py")).env("PYTHONPATH", tools("python"));
    command.env("CALLBOARD_URL", server.http(""));
    command
}

#[test]
fn the_client_of_openai_works_by_another_base_url() {
    let server = Server::start();
    assert!(run(&mut openai(&server)).starts_with("OK"));
}

#[test]
fn the_client_of_openai_works_with_a_key_where_one_is_asked_for() {
    let server = Server::with("[auth]\nrequired = true");
    let key = server.tool(&["key", "create", "--tenant", "t", "--name", "somebody"]);
    let mut client = openai(&server);
    assert!(run(client.env("CALLBOARD_TOKEN", key).env("CALLBOARD_CLOSED", "1")).starts_with("OK"));
}
