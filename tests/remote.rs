//! The commands that speak to a server, as a shell meets them: in pipes, over restarts, with and without credentials.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "harness/harness.rs"]
mod harness;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use harness::server::{Server, Setup};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::{Value, json};

/// The program, pointed at an address.
fn program(address: &str, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_callboard"));
    command.args(args).env_clear().env("CALLBOARD_URL", address);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs it to its end, with `input` to read.
fn run(address: &str, args: &[&str], input: &str) -> Output {
    let mut child = program(address, args).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// What it printed, for one that did what it was asked: no terminal, no colours.
fn said(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(!said.contains('\u{1b}'), "{said:?}");
    said
}

fn objects(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"))).collect()
}

/// The one line of an error, for a run that ended with this status.
fn refused(output: &Output, status: i32) -> String {
    assert_eq!(output.status.code(), Some(status), "{output:?}");
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    text
}

/// An address that stays the same over restarts of the server behind it.
struct Front {
    address: String,
    behind: Arc<Mutex<String>>,
}

impl Front {
    fn of(server: &Server) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let behind = Arc::new(Mutex::new(server.address().to_owned()));
        let known = behind.clone();
        thread::spawn(move || {
            for socket in listener.incoming().map_while(Result::ok) {
                // While the server is away the connection just ends.
                let Ok(server) = TcpStream::connect(known.lock().unwrap().as_str()) else { continue };
                for (mut from, mut to) in [(socket.try_clone().unwrap(), server.try_clone().unwrap()), (server, socket)]
                {
                    thread::spawn(move || {
                        let _ = std::io::copy(&mut from, &mut to);
                        let _ = from.shutdown(Shutdown::Both);
                        let _ = to.shutdown(Shutdown::Both);
                    });
                }
            }
        });
        Self { address, behind }
    }

    fn now(&self, server: &Server) {
        *self.behind.lock().unwrap() = server.address().to_owned();
    }
}

/// A program that goes on until it is dropped.
struct Going(Child);

impl Drop for Going {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn agents_are_listed_asked_and_looked_at() {
    let server = Server::start();
    let at = server.address();
    let listed = said(&run(at, &["agents"], ""));
    assert!(
        listed.starts_with("AGENT") && ["nyx", "aria", "sage"].iter().all(|name| listed.contains(name)),
        "{listed}"
    );
    assert_eq!(objects(&said(&run(at, &["agents", "--json"], "")))[0]["agents"].as_array().unwrap().len(), 3);

    assert_eq!(said(&run(at, &["send", "nyx", "what is 15% of 240?"], "")), "15% of 240 = 36\n");
    assert_eq!(said(&run(at, &["send", "nyx"], "what is 6 times 7?")), "6 * 7 = 42\n");
    let command = ["send", "nyx", "project", "--command", "--parameters", r#"{"path": "."}"#, "--json"];
    assert!(objects(&said(&run(at, &command, "")))[0]["data"]["result"]["files"].is_u64());
    let unknown = refused(&run(at, &["send", "bob", "hello"], ""), 1);
    assert!(unknown.contains("nyx, aria, sage") && unknown.contains("`callboard agents`"), "{unknown}");

    let status = said(&run(at, &["status"], ""));
    assert!(status.contains("ready") && status.contains("nyx"), "{status}");
    let mut watch = Going(program(at, &["status", "--watch=1", "--json"]).spawn().unwrap());
    let mut lines = BufReader::new(watch.0.stdout.take().unwrap()).lines();
    for _ in 0..2 {
        assert_eq!(objects(&lines.next().unwrap().unwrap())[0]["status"], "ready");
    }
}

#[test]
fn who_is_not_let_in_or_finds_nobody_is_told_what_to_do() {
    let server = Server::with("[auth]\nrequired = true");
    for args in [&["agents"][..], &["send", "nyx", "hello"], &["tail", "news"], &["chat"]] {
        let why = refused(&run(server.address(), args, ""), 4);
        assert!(why.contains("--token") && why.contains("`callboard token`"), "{why}");
    }
    let token = server.tool(&["token", "--tenant", "t", "--agent", "a"]);
    assert_eq!(said(&run(server.address(), &["send", "nyx", "6 * 7", "--token", &token], "")), "6 * 7 = 42\n");
    let key = server.tool(&["key", "create", "--tenant", "t", "--name", "k"]);
    assert_eq!(said(&run(server.address(), &["publish", "news", "x", "--token", &key], "")), "news 1\n");
    assert_eq!(said(&run(server.address(), &["status", "--ready"], "")), "ready\n");
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    for args in [&["agents"][..], &["watch"], &["publish", "news", "x"], &["status", "--ready"]] {
        let why = refused(&run(&free, args, ""), 3);
        assert!(why.contains("`callboard serve`") && why.contains("--url") && !why.contains(&token), "{why}");
    }
    let wrong = refused(&run("ftp://here", &["agents"], ""), 2);
    assert!(wrong.contains("--url"), "{wrong}");
}

#[test]
fn a_chat_goes_through_a_pipe() {
    let server = Server::start();
    let input =
        "what is 6 times 7?\n\n/join nyx aria\nhow are you?\n/handoff sage knows best\nwho are you?\n/history\n";
    let talked = said(&run(server.address(), &["chat", "nyx", "--conversation", "c"], input));
    let answers: Vec<&str> = talked.lines().collect();
    assert_eq!(answers[0], "nyx: 6 * 7 = 42", "{talked}");
    assert_eq!(answers[1], "(conversation c with nyx, aria: all answer)", "{talked}");
    assert!(answers[2].starts_with("nyx: ") && answers[3].starts_with("aria: "), "{talked}");
    assert_eq!(answers[4], "(conversation c with nyx, aria, sage: sage answers)", "{talked}");
    assert!(answers[5].starts_with("sage: I am sage"), "{talked}");
    assert!(talked.contains("system: nyx handed the conversation over to sage: knows best"), "{talked}");

    // The conversation stays; an order that there is none of, and an agent that is not there, cost only themselves.
    let input = "/dance\n/handoff bob\n/history\n";
    let output = run(server.address(), &["chat", "--conversation", "c", "--json"], input);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let history = &objects(std::str::from_utf8(&output.stdout).unwrap())[0];
    assert!(history["messages"].as_array().unwrap().len() >= 7, "{history}");
    assert_eq!(std::str::from_utf8(&output.stderr).unwrap().lines().count(), 2, "{output:?}");
}

#[test]
fn a_tail_goes_on_over_a_restart_without_hole_or_double() {
    let mut server = Server::start();
    let front = Front::of(&server);
    let publish = |server: &Server, from: u64, to: u64| {
        let lines: String = (from..=to).map(|n| format!("{n}\n")).collect();
        said(&run(server.address(), &["publish", "news", "--parse"], &lines));
    };
    publish(&server, 1, 30);
    let mut tail = Going(program(&front.address, &["tail", "news", "--since", "0", "--json"]).spawn().unwrap());
    let mut lines = BufReader::new(tail.0.stdout.take().unwrap()).lines();
    let mut take = |count: usize| -> Vec<u64> {
        let lines = lines.by_ref().take(count).map(|line| objects(&line.unwrap())[0].clone());
        lines.inspect(|it| assert_eq!(it["seq"], it["content"])).map(|it| it["seq"].as_u64().unwrap()).collect()
    };
    assert_eq!(take(30), (1..=30).collect::<Vec<_>>());
    publish(&server, 31, 40);
    assert_eq!(take(5), (31..=35).collect::<Vec<_>>());
    server.restart();
    publish(&server, 41, 60);
    front.now(&server);
    assert_eq!(take(25), (36..=60).collect::<Vec<_>>());
    publish(&server, 61, 61);
    assert_eq!(take(1), [61]);
    drop(tail);

    let last = said(&run(server.address(), &["tail", "news", "-n", "2", "--no-follow"], ""));
    assert_eq!(last, "60 60\n61 61\n");
    assert_eq!(said(&run(server.address(), &["tail", "other", "--no-follow"], "")), "");
    let some = said(&run(server.address(), &["tail", "news", "--since", "5", "--count", "2"], ""));
    assert_eq!(some, "6 6\n7 7\n");
}

#[test]
fn events_and_streams_are_watched_as_lines_of_json() {
    let server = Server::start();
    for (args, kind) in [
        (&["watch", "--event", "run_status", "--count", "3", "--json"][..], "event"),
        (&["watch", "--stream", "thoughts", "--agent", "nyx", "--count", "1", "--json"], "stream_data"),
    ] {
        let mut watch = Going(program(server.address(), args).spawn().unwrap());
        // Nobody says when it has subscribed, so something happens until it has seen enough.
        while watch.0.try_wait().unwrap().is_none() {
            said(&run(server.address(), &["send", "nyx", "6 * 7"], ""));
        }
        let mut seen = String::new();
        watch.0.stdout.take().unwrap().read_to_string(&mut seen).unwrap();
        let seen = objects(&seen);
        assert!(watch.0.wait().unwrap().success() && !seen.is_empty());
        assert!(seen.iter().all(|frame| frame["type"] == kind && frame["data"]["agentId"] == "nyx"), "{seen:?}");
    }
}

/// A server of which the certificate was made for this test, and the file that holds it.
fn encrypted() -> (Server, tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let (file, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&file, cert.pem()).unwrap();
    std::fs::write(&key, signing_key.serialize_pem()).unwrap();
    let server = Setup::with(&format!("[tls]\ncert = {file:?}\nkey = {key:?}\n")).start();
    (server, folder, file.to_str().unwrap().to_owned())
}

#[test]
fn a_server_over_tls_is_spoken_to_by_whoever_trusts_its_certificate() {
    let (server, folder, file) = encrypted();
    let at = format!("wss://{}", server.address());
    for args in [&["agents"][..], &["send", "nyx", "6 * 7"], &["watch"], &["tail", "news"]] {
        let told = refused(&run(&at, args, ""), 3);
        assert!(told.contains("is not trusted") && told.contains("--ca-file"), "{told}");
    }
    for (args, expected) in [
        (&["send", "nyx", "6 * 7"][..], "6 * 7 = 42\n"),
        (&["publish", "news", "hello"], ""),
        (&["tail", "news", "--count", "1"], "1 hello\n"),
        (&["chat", "nyx"], "nyx: 6 * 8 = 48\n"),
    ] {
        let given = said(&run(&at, &[args, &["--ca-file", &file]].concat(), "6 * 8\n"));
        assert!(given.ends_with(expected), "{args:?}: {given}");
        // As the variable, and as the one that TLS itself has for whom the system trusts.
        for variable in ["CALLBOARD_CA_FILE", "SSL_CERT_FILE"] {
            let mut agents = program(&at, &["send", "nyx", "2 + 2"]);
            assert_eq!(said(&agents.env(variable, &file).output().unwrap()), "2 + 2 = 4\n");
        }
    }
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    for (path, why) in [(empty.to_str().unwrap(), "no certificate"), ("/nowhere.pem", "cannot be read")] {
        let told = refused(&run(&at, &["agents", "--ca-file", path], ""), 2);
        assert!(told.contains("--ca-file") && told.contains(why), "{told}");
    }
}

#[test]
fn a_server_tells_programs_where_it_listens() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let serve = ["serve", "--json", "--bind", "127.0.0.1:0", "--data-dir", data];
    let mut server = Going(program("", &serve).spawn().unwrap());
    let mut greeting = String::new();
    BufReader::new(server.0.stdout.take().unwrap()).read_line(&mut greeting).unwrap();
    let told = &objects(&greeting)[0];
    assert_eq!((&told["agents"], &told["data_dir"]), (&json!(["nyx", "aria", "sage"]), &json!(data)));
    let at = told["listening"][0].as_str().unwrap();
    assert_eq!(said(&run(at, &["status", "--ready"], "")), "ready\n");

    let bound = at.strip_prefix("http://").unwrap();
    let other = folder.path().join("other");
    let again = refused(&run("", &["serve", "--bind", bound, "--data-dir", other.to_str().unwrap()], ""), 1);
    assert!(again.contains("cannot listen on") && again.contains("--bind"), "{again}");
}

#[test]
fn a_watch_tells_what_it_could_not_see() {
    let mut server = Server::start();
    let front = Front::of(&server);
    let mut watch = Going(program(&front.address, &["watch", "--event", "run_status", "--json"]).spawn().unwrap());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (lines, known) = (BufReader::new(watch.0.stdout.take().unwrap()).lines(), seen.clone());
    let reading = thread::spawn(move || lines.for_each(|line| known.lock().unwrap().extend(objects(&line.unwrap()))));
    // Nobody says when it has subscribed, so something happens until it has seen enough.
    let until = |server: &Server, enough: &dyn Fn(&[Value]) -> bool| {
        while !enough(&seen.lock().unwrap()) {
            said(&run(server.address(), &["send", "nyx", "6 * 7"], ""));
        }
    };
    until(&server, &|seen| !seen.is_empty());
    server.restart();
    said(&run(server.address(), &["send", "nyx", "6 * 7"], ""));
    front.now(&server);
    let gap = |frame: &Value| frame["type"] == "gap";
    let text = |frame: &Value, name: &str| frame["data"][name].as_str().unwrap().to_owned();
    until(&server, &|seen| seen.iter().position(gap).is_some_and(|at| at + 1 < seen.len()));
    let seen = seen.lock().unwrap().clone();
    let gaps: Vec<&Value> = seen.iter().filter(|frame| gap(frame)).collect();
    let [told] = gaps[..] else { panic!("{seen:?}") };
    assert!(text(told, "since") < text(told, "until") && !text(told, "reason").is_empty(), "{told}");
    assert_eq!(told["data"]["replayed"], 0);
    drop(watch);
    reading.join().unwrap();
}

#[test]
fn what_was_said_in_an_outage_is_told_by_watch_each_once() {
    let mut server = Server::start();
    let front = Front::of(&server);
    let say = |server: &Server, text: &str| said(&run(server.address(), &["send", "nyx", text, "-c", "talk"], ""));
    say(&server, "compute 0 + 1");
    let mut watch = Going(program(&front.address, &["watch", "-e", "conversation_message", "--json"]).spawn().unwrap());
    let mut lines =
        BufReader::new(watch.0.stdout.take().unwrap()).lines().map(|line| objects(&line.unwrap())[0].clone());
    // Nobody says when it has subscribed: the first line tells.
    let (told, heard) = std::sync::mpsc::channel();
    let reading = thread::spawn(move || {
        let first = lines.next();
        told.send(()).unwrap();
        (first, lines)
    });
    let mut asked = 1;
    while heard.try_recv().is_err() {
        asked += 1;
        say(&server, &format!("compute 0 + {asked}"));
    }
    let (first, mut lines) = reading.join().unwrap();
    server.restart();
    for _ in 0..3 {
        asked += 1;
        say(&server, &format!("compute 0 + {asked}"));
    }
    front.now(&server);
    // One more than there are exchanges in the outage: what follows live is told after what was said meanwhile.
    let (mut gaps, mut seqs) = (0, vec![first.unwrap()["data"]["message"]["seq"].as_u64().unwrap()]);
    while seqs.last() < Some(&(asked * 2)) {
        let event = lines.next().unwrap();
        match event["type"].as_str().unwrap() {
            "gap" => gaps += 1,
            _ => seqs.push(event["data"]["message"]["seq"].as_u64().unwrap()),
        }
    }
    assert_eq!(gaps, 1);
    // What was written as it subscribed may have been too early for it.
    let first = seqs[0];
    seqs.retain(|seq| *seq >= first);
    assert_eq!(seqs, (first..=asked * 2).collect::<Vec<_>>(), "neither hole nor double");
}

#[test]
fn whoever_closes_the_pipe_ends_it() {
    let server = Server::start();
    said(&run(server.address(), &["publish", "news", "first"], ""));
    let mut tail = Going(program(server.address(), &["tail", "news"]).spawn().unwrap());
    let mut out = BufReader::new(tail.0.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    assert_eq!(line, "1 first\n");
    drop(out);
    while tail.0.try_wait().unwrap().is_none() {
        said(&run(server.address(), &["publish", "news", "more"], ""));
    }
    assert!(tail.0.wait().unwrap().success());
}
