//! The programs that the documents print, run as they stand there against the server; only its address and the token
//! are filled in. `tests/samples/setup` installs what they need.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "harness/harness.rs"]
mod harness;

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use harness::PATIENCE;
use harness::server::Server;

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples")
}

/// A folder of what `tests/samples/setup` installs; without it nothing here can be tested, which is a failure.
fn tools(folder: &str) -> PathBuf {
    let path = samples().join(".tools").join(folder);
    assert!(path.exists(), "{} is missing: run `bash tests/samples/setup` first", path.display());
    path
}

/// A sample with the server's address and a token filled in.
fn filled(server: &Server, name: &str) -> String {
    let token = server.tool(&["token", "--tenant", "default", "--agent", "reader"]);
    let text = std::fs::read_to_string(samples().join(name)).unwrap();
    let text = text.replace("wss://your-api-url", &format!("ws://{}", server.address()));
    assert!(text.contains(server.address()) && text.contains("your-bearer-token"), "{name} is not the document's");
    text.replace("your-bearer-token", &token)
}

fn start(command: &mut Command) -> Child {
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    child.unwrap_or_else(|error| panic!("{command:?} cannot be run: {error}"))
}

/// Ends the program when the test has waited too long for it.
fn ended(child: &mut Child) -> std::process::ExitStatus {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if Instant::now() > deadline {
            let _ = child.kill();
            panic!("the program does not end");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn rest(from: Option<impl Read>) -> String {
    let mut text = String::new();
    from.unwrap().read_to_string(&mut text).unwrap();
    text
}

#[test]
fn the_javascript_example_of_document_004_shows_greeting_and_answer() {
    let server = Server::start();
    let page = |name: &str| std::fs::read_to_string(samples().join(name)).unwrap();
    let program = [page("004_prelude.js"), filled(&server, "004_complete.js"), page("004_postlude.js")].join("\n");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("page.js");
    std::fs::write(&path, program).unwrap();

    let mut child = start(Command::new("node").arg(&path).env("NODE_PATH", tools("node_modules")));
    let status = ended(&mut child);
    let (said, complained) = (rest(child.stdout.take()), rest(child.stderr.take()));
    assert!(status.success() && complained.is_empty(), "{status}\n{said}\n{complained}");
    let shown = said.lines().find_map(|line| line.strip_prefix("SHOWN ")).expect(&said);
    let shown: Vec<serde_json::Value> = serde_json::from_str(shown).unwrap();
    assert_eq!(shown.len(), 2, "{said}");
    assert_eq!(shown[0]["className"], "message assistant");
    assert!(shown[0]["textContent"].as_str().unwrap().contains("Nyx"), "{said}");
    assert_eq!(shown[1]["className"], "message assistant");
    assert!(shown[1]["textContent"].as_str().unwrap().contains("42"), "{said}");
    for expected in ["Connection established", "type: 'history_end'", "type: 'message_received'"] {
        assert!(said.contains(expected), "{expected} is missing:\n{said}");
    }
    assert!(said.contains("Connection closed cleanly, code=1000"), "{said}");
}

#[test]
fn the_python_example_of_document_004_gets_its_answer_and_ends_with_the_server() {
    let mut server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("client.py");
    std::fs::write(&path, filled(&server, "004_client.py")).unwrap();

    let mut child = start(Command::new("python3").arg("-u").arg(&path).env("PYTHONPATH", tools("python")));
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut said = String::new();
    let mut next = |wanted: &str| {
        // A server that says nothing more closes silent sockets in the end, and the program's output ends with it.
        let line = lines.by_ref().map(Result::unwrap).inspect(|line| said.push_str(&format!("{line}\n")));
        let found = { line }.find(|line| line.contains(wanted));
        found.unwrap_or_else(|| panic!("{wanted} never came:\n{said}"))
    };
    next("'role': 'assistant'");
    next("'type': 'history_end'");
    next("'type': 'message_received'");
    next("'role': 'assistant'");
    // The example listens until the connection ends; a server that drains ends it in good order.
    assert!(server.terminate().success());
    let status = ended(&mut child);
    let complained = rest(child.stderr.take());
    assert!(status.success() && complained.is_empty(), "{status}\n{complained}");
}
