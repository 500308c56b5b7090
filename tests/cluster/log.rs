//! The servers of NATS are lost, all or some, or their log is full, and the same server goes on leading.

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

use crate::boards::{Boards, any_token};
use crate::harness::rest::call;
use crate::harness::server::{Server, Setup};
use crate::kept::{self, check};
use crate::load::{CHANNEL, Load};
use crate::nats::Nats;
use crate::patience::{PATIENCE, until};

async fn ready(server: &Server) -> u16 {
    call(server, Method::GET, "/health/ready", "", None).await.0
}

/// Which of them leads those that keep the log.
async fn leader(nats: &[Nats]) -> usize {
    let mut found = None;
    until("somebody leads the log", async || {
        for (at, one) in nats.iter().enumerate() {
            if one.leads().await {
                found = Some(at);
            }
        }
        found.is_some()
    })
    .await;
    found.unwrap()
}

async fn publish(server: &Server, token: &str, content: &Value) -> (u16, String) {
    let path = format!("/v1/channels/{CHANNEL}/messages");
    let request = reqwest::Client::new().post(server.http(&path)).bearer_auth(token).timeout(PATIENCE);
    let answer = request.body(json!({ "content": content }).to_string()).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// Longer than any election, so that nobody has to be refused, and nobody takes over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_of_nats_are_killed_and_the_same_server_goes_on() {
    let mut nats = Nats::three().await;
    let boards = Boards { silence: "10m", stall: "5m", ..Boards::over(&nats) };
    let mut first = boards.lead("first");
    let second = boards.stand_by("second");
    let (token, before) = (any_token(&first), first.pid());
    let load = Load::begin(&first, &token, "one").await;
    load.more(100).await;
    let killed = leader(&nats).await;
    nats[killed].kill9();
    load.more(100).await;
    nats[killed].begin_again();
    nats[killed].healthy().await;
    load.more(20).await;

    for one in &mut nats {
        one.kill9();
    }
    for one in &mut nats {
        one.begin_again();
    }
    load.more(100).await;
    assert_eq!(load.refusals(), 0, "somebody was refused");
    let told = load.end().await;
    check(&first, &token, &told).await;
    first.serving(PATIENCE);
    assert_eq!(first.pid(), before);
    assert!(!second.printed().contains("listening"), "another leads:\n{}", second.stderr());
}

/// Each in turn, so that one of them is the one that the server is connected to, and one leads the log.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_of_nats_that_stalls_is_left_for_another() {
    let mut nats = Nats::three().await;
    let mut server = Boards { silence: "10m", stall: "5m", ..Boards::over(&nats) }.lead("first");
    let token = any_token(&server);
    let load = Load::begin(&server, &token, "one").await;
    for one in &mut nats {
        one.signal("STOP");
        load.more(50).await;
        one.signal("CONT");
        one.healthy().await;
    }
    assert_eq!(load.refusals(), 0, "somebody was refused");
    let told = load.end().await;
    check(&server, &token, &told).await;
    server.serving(PATIENCE);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_majority_nothing_is_acknowledged_and_with_one_again_all_goes_on() {
    let mut nats = Nats::three().await;
    let mut server = Boards { stall: "1s", ..Boards::over(&nats) }.lead("first");
    let token = any_token(&server);
    let load = Load::begin(&server, &token, "one").await;
    load.more(100).await;
    nats[0].kill9();
    nats[1].kill9();
    load.refused().await;
    until("the server is not ready", async || ready(&server).await == 503).await;
    let (status, body) = publish(&server, &token, &json!("without a majority")).await;
    assert!(status == 503 && body.contains("STORE_UNAVAILABLE"), "{status}: {body}");
    let known = kept::publications(&server, &token).await;
    assert!(!known.is_empty(), "reads go on");

    for one in &mut nats[..2] {
        one.begin_again();
    }
    server.serving(PATIENCE);
    let told = load.end().await;
    let load = Load::begin(&server, &token, "two").await;
    load.more(50).await;
    let mut all = told;
    all.add(load.end().await);
    all.refused.push("without a majority".to_owned());
    check(&server, &token, &all).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_is_full_takes_nothing_more_and_all_of_it_is_read() {
    let nats = [Nats::alone().await];
    let boards = Boards { most: "4MiB", ..Boards::over(&nats) };
    let server = boards.lead("first");
    let token = any_token(&server);
    let mut acknowledged = Vec::new();
    let refused = loop {
        let content = format!("{} {}", acknowledged.len(), "x".repeat(50_000));
        match publish(&server, &token, &json!(content)).await {
            (200, _) => acknowledged.push(content),
            refused => break refused,
        }
    };
    assert!(refused.0 == 503 && refused.1.contains("STORE_UNAVAILABLE"), "{refused:?}");
    assert!(acknowledged.len() > 20, "{}", acknowledged.len());
    until("the server is not ready", async || ready(&server).await == 503).await;
    assert!(server.stderr().contains("is full"), "{}", server.stderr());
    assert_eq!(kept::publications(&server, &token).await, acknowledged);
    drop(server);

    // One that is started with room for more goes on.
    let server = Boards { most: "64MiB", ..boards }.lead("second");
    assert_eq!(kept::publications(&server, &token).await, acknowledged);
    let (status, body) = publish(&server, &token, &json!("room again")).await;
    assert_eq!(status, 200, "{body}");
    acknowledged.push("room again".to_owned());
    assert_eq!(kept::publications(&server, &token).await, acknowledged);
}

/// Whoever adds a log to a server that had none loses nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_was_alone_begins_a_log_with_all_that_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let nats = [Nats::alone().await];
    let boards = Boards::over(&nats);
    let data = Some(folder.path().join("data"));
    let mut server = Boards { servers: Vec::new(), data: data.clone(), ..boards.clone() }.lead("alone");
    let token = any_token(&server);
    let load = Load::begin(&server, &token, "one").await;
    load.more(100).await;
    let mut told = load.end().await;
    assert!(server.terminate().success());

    let mut server = Boards { data, ..boards.clone() }.lead("first");
    server.says("the log keeps a copy of the store", PATIENCE);
    let mut second = boards.stand_by("second");
    let load = Load::begin(&server, &token, "two").await;
    load.more(50).await;
    told.add(load.end().await);
    check(&server, &token, &told).await;
    server.kill9();
    second.serving(PATIENCE);
    check(&second, &token, &told).await;
}

/// A log that is lost does not take what its servers hold with it: one of them begins the next.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_is_lost_begins_anew_with_what_a_server_has() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let first = Nats::alone().await;
    let over = |nats: Nats| (Boards { data: Some(data.clone()), ..Boards::over(std::slice::from_ref(&nats)) }, nats);
    let (boards, nats) = over(first);
    let mut server = boards.lead("first");
    let token = any_token(&server);
    let load = Load::begin(&server, &token, "one").await;
    load.more(50).await;
    let told = load.end().await;
    assert!(server.terminate().success());
    drop(nats);

    let (boards, _nats) = over(Nats::alone().await);
    let mut server = boards.begin("first");
    assert_eq!(server.wait_for(PATIENCE).code(), Some(1));
    assert!(server.stderr().contains("another log"), "{}", server.stderr());
    let lines = folder.path().join("all.jsonl");
    server.tool(&["export", lines.to_str().unwrap()]);
    std::fs::rename(data.join("journal"), data.join("journal.before")).unwrap();
    server.tool(&["import", lines.to_str().unwrap()]);
    server.begin_again();
    server.serving(PATIENCE);
    check(&server, &token, &told).await;
    let load = Load::begin(&server, &token, "two").await;
    load.more(20).await;
    check(&server, &token, &load.end().await).await;
}

/// What a log holds cannot be taken back, but another can begin with less.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_begins_a_log_of_another_name() {
    let folder = tempfile::tempdir().unwrap();
    let nats = [Nats::alone().await];
    let boards = Boards { data: Some(folder.path().join("data")), ..Boards::over(&nats) };
    let mut server = boards.lead("first");
    let token = any_token(&server);
    let load = Load::begin(&server, &token, "one").await;
    load.more(50).await;
    let told = load.end().await;
    let copy = folder.path().join("copy");
    server.tool(&["backup", copy.to_str().unwrap()]);
    let before = kept::publications(&server, &token).await;
    assert_eq!(publish(&server, &token, &json!("a mistake")).await.0, 200);
    assert!(server.terminate().success());
    server.tool(&["restore", copy.to_str().unwrap(), "--replace"]);
    drop(server);

    let mut server = boards.begin("first");
    assert_eq!(server.wait_for(PATIENCE).code(), Some(1));
    let server = Boards { name: "again", ..boards }.lead("first");
    assert_eq!(kept::publications(&server, &token).await, before);
    check(&server, &token, &told).await;
}

/// A server that greets as NATS of a given version does.
async fn greeter(version: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("nats://{}", listener.local_addr().unwrap());
    let info = json!({
        "server_id": "N", "server_name": "n", "version": version, "proto": 1, "go": "go1.19", "host": "127.0.0.1",
        "port": 4222, "headers": true, "max_payload": 1_048_576, "jetstream": true, "client_id": 1,
    });
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let greeting = format!("INFO {info}\r\n");
            tokio::spawn(async move {
                let (reading, mut writing) = socket.split();
                let mut lines = BufReader::new(reading).lines();
                let _ = writing.write_all(greeting.as_bytes()).await;
                while let Ok(Some(line)) = lines.next_line().await {
                    if line.starts_with("PING") {
                        let _ = writing.write_all(b"PONG\r\n").await;
                    }
                }
            });
        }
    });
    url
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_nats_that_is_too_old_is_refused_at_the_start() {
    let url = greeter("2.9.10").await;
    let mut server = Setup::with(&format!("[replication]\nservers = [{url:?}]\n")).begin();
    let status = server.wait_for(PATIENCE);
    assert!(!status.success(), "{}", server.stderr());
    let said = server.stderr();
    assert!(said.contains("2.9.10") && said.contains("2.12"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_of_nats_is_never_printed() {
    let nats = Nats::alone().await;
    let url = nats.url().replace("nats://", "nats://somebody:never-to-be-seen@");
    let config = format!("log.filter = \"trace\"\n[replication]\nservers = [{url:?}]\nmax_bytes = \"16MiB\"\n");
    let mut server = Setup::with(&config).begin();
    server.serving(PATIENCE);
    let settings = call(&server, Method::GET, "/settings", "", None).await.1;
    assert!(settings.contains("(hidden)@"), "{settings}");
    let printed = [settings, server.stderr(), server.printed()].concat();
    assert!(!printed.contains("never-to-be-seen"), "{printed}");
}
