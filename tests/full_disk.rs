//! A disk that is full, under the program as it ships: nothing is acknowledged that is not kept, every dialect is told
//! why, the server says that it is not ready, and when there is room again it goes on by itself.
//!
//! Full in two ways. A limit on the size of the process's files needs no rights and is always tried: the kernel then
//! refuses sled's writes as a full disk does, with another number. A small file system is tried where one can be
//! mounted, by `tests/disk/run`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "harness/harness.rs"]
mod harness;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use harness::client::Client;
use harness::rest::{call, get, token};
use harness::server::{Server, Setup};

const THREAD: &str = "00000000-0000-4000-8000-000000000001";

/// A client on each dialect.
struct Clients {
    agents: Client,
    tasks: Client,
    steps: Client,
    channel: Client,
    thread: Client,
}

impl Clients {
    async fn of(server: &Server, token: &str) -> Self {
        Self {
            agents: server.connect(&format!("/ws?token={token}")).await,
            tasks: server.connect(&format!("/ws?token={token}")).await,
            steps: server.connect(&format!("/chat/steps?token={token}")).await,
            channel: server.connect(&format!("/v1/ws?token={token}&channel_id=other")).await,
            thread: server.connect(&format!("/chat/ws?token={token}")).await,
        }
    }

    /// Says something on each dialect, and hears how it ended.
    async fn say(&mut self) -> [Value; 5] {
        let chat = json!({ "message": "compute 6 * 7", "conversationId": "talk" });
        let chatted = self.agents.ask(json!({ "id": "chat", "type": "chat", "data": chat })).await;
        self.tasks.send(json!({ "type": "task", "content": "compute 6 * 7" })).await;
        let task = end(&mut self.tasks, &["final_answer", "error"]).await;
        self.steps.send(json!({ "type": "client", "message": "compute 6 * 7", "message_id": "m" })).await;
        let steps = end(&mut self.steps, &["message_end", "agent_error"]).await;
        self.channel.send(json!({ "id": uuid::Uuid::new_v4().to_string(), "type": "message", "content": 1 })).await;
        let channel = end(&mut self.channel, &["ACK", "ERROR"]).await;
        self.thread.send(json!({ "type": "message", "thread_id": THREAD, "content": "compute 6 * 7" })).await;
        let thread = end(&mut self.thread, &["message_received", "error"]).await;
        [chatted, task, steps, channel, thread]
    }
}

/// The first frame of one of these types.
async fn end(client: &mut Client, types: &[&str]) -> Value {
    loop {
        let frame = client.next().await;
        if types.contains(&frame["type"].as_str().unwrap_or_default()) {
            // A failure of document 001 has an end of its own behind it.
            if frame["type"] == "agent_error" && frame["message_id"].is_string() {
                client.until(json!({ "type": "message_end" })).await;
            }
            return frame;
        }
    }
}

async fn status(server: &Server, path: &str) -> u16 {
    call(server, Method::GET, path, "", None).await.0
}

/// Publishes until the store takes no more; answers what was acknowledged, in the order of `seq`.
async fn fill(server: &Server, token: &str) -> Vec<String> {
    let mut client = server.connect(&format!("/ws?token={token}")).await;
    let mut acknowledged = Vec::new();
    loop {
        let content = format!("{} {}", acknowledged.len(), "x".repeat(20_000));
        let data = json!({ "channel": "news", "content": content });
        let told = client.ask(json!({ "id": "p", "type": "publish", "data": data })).await;
        if told["type"] == "published" {
            assert_eq!(told["data"]["seq"].as_u64(), Some(acknowledged.len() as u64 + 1));
            acknowledged.push(content);
            continue;
        }
        assert_eq!((&told["type"], &told["data"]["code"]), (&json!("error"), &json!("STORE_UNAVAILABLE")), "{told}");
        return acknowledged;
    }
}

async fn published(server: &Server, token: &str) -> Vec<String> {
    let (mut all, mut after) = (Vec::new(), Some(0));
    while let Some(from) = after {
        let page = get(server, &format!("/channels/news/messages?after={from}&limit=100"), token).await;
        for message in page["messages"].as_array().unwrap() {
            assert_eq!(message["seq"].as_u64(), Some(all.len() as u64 + 1));
            all.push(message["content"].as_str().unwrap().to_owned());
        }
        after = page["next_after"].as_u64();
    }
    all
}

/// All of it, with a disk that `full` makes full and `room` makes room on.
async fn full_and_room_again(mut server: Server, full: impl Fn(&Server), room: impl Fn(&Server)) {
    let token = token(&server, "default", "writer", &[]);
    let mut clients = Clients::of(&server, &token).await;
    let before = clients.say().await;
    assert!(before.iter().all(|end| !end["type"].as_str().unwrap().to_lowercase().contains("error")), "{before:?}");

    full(&server);
    let acknowledged = fill(&server, &token).await;
    assert_eq!((status(&server, "/health/ready").await, status(&server, "/health/live").await), (503, 200));
    let told = clients.say().await;
    let [chat, task, steps, channel, thread] = &told;
    for (end, code) in [(chat, &chat["data"]["code"]), (task, &task["data"]["code"]), (channel, &channel["code"])] {
        assert_eq!(*code, "STORE_UNAVAILABLE", "{end}");
    }
    for (end, words) in [(steps, &steps["error"]), (thread, &thread["message"])] {
        assert!(words.as_str().unwrap().contains("store does not take writes"), "{end}");
    }
    let body = Some(json!({ "content": 1 }));
    let (refused, body) = call(&server, Method::POST, "/v1/channels/news/messages", &token, body).await;
    assert!(refused == 503 && body.contains("STORE_UNAVAILABLE"), "{refused}: {body}");
    assert_eq!(published(&server, &token).await, acknowledged, "reads go on, and show what was acknowledged");

    room(&server);
    while status(&server, "/health/ready").await != 200 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let after = clients.say().await;
    assert!(after.iter().all(|end| !end["type"].as_str().unwrap().to_lowercase().contains("error")), "{after:?}");
    let data = json!({ "channel": "news", "content": "room again" });
    let next = clients.agents.ask(json!({ "id": "p", "type": "publish", "data": data })).await;
    assert_eq!(next["data"]["seq"].as_u64(), Some(acknowledged.len() as u64 + 1), "{next}");

    server.restart();
    let mut expected = acknowledged;
    expected.push("room again".to_owned());
    assert_eq!(published(&server, &token).await, expected);
    assert_eq!(server.tool(&["verify"]), "The store is sound.");
}

fn limit(server: &Server, bytes: &str) {
    let set = Command::new("prlimit").args(["--pid", &server.pid().to_string(), &format!("--fsize={bytes}:")]).status();
    assert!(set.expect("prlimit, of util-linux, is missing").success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_whose_files_may_not_grow_says_so_and_goes_on_when_they_may() {
    let server = Setup { limited: true, ..Setup::with("[log]\nfilter = \"warn\"") }.start();
    full_and_room_again(server, |server| limit(server, "2000000"), |server| limit(server, "unlimited")).await;
}

/// Run by `tests/disk/run`, which mounts the file system.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a small disk of its own, named in CALLBOARD_SMALL_DISK"]
async fn a_server_on_a_full_disk_says_so_and_goes_on_when_there_is_room() {
    let disk = PathBuf::from(std::env::var_os("CALLBOARD_SMALL_DISK").unwrap());
    let folder = tempfile::tempdir_in(&disk).unwrap();
    let ballast = folder.path().join("ballast");
    std::fs::write(&ballast, vec![1; 12 << 20]).unwrap();
    let data = Some(folder.path().join("data"));
    let server = Setup { data, ..Setup::with("[log]\nfilter = \"warn\"") }.start();
    let room = |_: &Server| remove(&ballast);
    full_and_room_again(server, |_| {}, room).await;
}

fn remove(path: &Path) {
    std::fs::remove_file(path).unwrap();
}
