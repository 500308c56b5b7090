//! A server that leads is lost in each way there is, and one that stands by goes on.

use std::time::Instant;

use serde_json::{Value, json};

use crate::boards::{Boards, any_token};
use crate::harness::client::{Client, Heard};
use crate::harness::server::Server;
use crate::harness::transcript::make_heavy;
use crate::kept::{self, check};
use crate::load::{CHANNEL, Load, Told, publish_again};
use crate::nats::{self, Nats};
use crate::patience::PATIENCE;
use crate::wire::Wire;

/// Somebody who listens to the channel, over lost connections.
struct Listener {
    client: Client,
    last: u64,
}

impl Listener {
    /// Goes on behind `last`.
    async fn begin(server: &Server, token: &str, last: u64) -> Self {
        let path = format!("/v1/ws?token={token}&channel_id={CHANNEL}&since={last}");
        Self { client: server.connect(&path).await, last }
    }

    /// Listens up to a place, or to the end of the connection.
    async fn up_to(&mut self, seq: u64) {
        while self.last < seq {
            match self.client.heard_within(PATIENCE).await.expect("nothing comes") {
                Heard::Json(frame) => {
                    assert_eq!(frame["seq"].as_u64(), Some(self.last + 1), "a hole, or a double: {frame}");
                    self.last += 1;
                }
                Heard::Closed(..) => return,
            }
        }
    }
}

/// A run that will not have ended when the server is lost.
async fn hang(server: &Server, token: &str) -> String {
    make_heavy(&server.workspace(), 3000);
    let mut client = server.connect(&format!("/ws?token={token}")).await;
    client.ask(json!({ "id": "s", "type": "subscribe", "data": { "events": ["run_status"] } })).await;
    let parameters = json!({ "path": "./heavy" });
    let data = json!({ "instruction": "analyze project structure", "parameters": parameters, "conversationId": "h" });
    client.send(json!({ "id": "slow", "type": "command", "targetAgent": "nyx", "data": data })).await;
    let run = client.until(json!({ "data": { "agentId": "nyx", "status": "processing" } })).await;
    run["data"]["runId"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_is_killed_and_whatever_it_acknowledged_is_true_on_the_next() {
    let nats = [Nats::alone().await];
    let boards = Boards::over(&nats);
    let mut first = boards.lead("first");
    let mut second = boards.stand_by("second");
    let token = any_token(&first);
    let hanging = hang(&first, &token).await;
    let mut listener = Listener::begin(&first, &token, 0).await;
    let load = Load::begin(&first, &token, "one").await;
    load.more(150).await;
    let killed = Instant::now();
    first.kill9();
    listener.up_to(u64::MAX).await;
    let mut told = load.end().await;
    second.serving(PATIENCE);
    println!("killed: served again after {:?}, with a silence of {}", killed.elapsed(), boards.silence);
    check(&second, &token, &told).await;
    kept::ended(&second, &token, &hanging).await;

    // Clients come back: what they heard nothing about they say again, and it is there once.
    let again = publish_again(&second, &token, &told.unsure).await;
    told.add(Told { publications: again, ..Told::default() });
    let load = Load::begin(&second, &token, "two").await;
    load.more(50).await;
    told.add(load.end().await);
    check(&second, &token, &told).await;
    let mut listener = Listener::begin(&second, &token, listener.last).await;
    listener.up_to(*told.publications.last_key_value().unwrap().0).await;

    // The lost one comes back to stand by, and takes over in its turn.
    first.begin_again();
    first.says("standing by", PATIENCE);
    second.kill9();
    first.serving(PATIENCE);
    check(&first, &token, &told).await;
    kept::ended(&first, &token, &hanging).await;
    assert!(first.terminate().success());
    assert_eq!(first.tool(&["verify"]), "The store is sound.");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_was_stopped_for_a_while_acknowledges_nothing_more() {
    let nats = [Nats::alone().await];
    let boards = Boards::over(&nats);
    let mut first = boards.lead("first");
    let mut second = boards.stand_by("second");
    let token = any_token(&first);
    let mut late = first.connect(&format!("/ws?token={token}")).await;
    let load = Load::begin(&first, &token, "one").await;
    load.more(100).await;
    first.signal("STOP");
    let stopped = Instant::now();
    second.serving(PATIENCE);
    println!("stopped: served again after {:?}, with a silence of {}", stopped.elapsed(), boards.silence);
    // The other leads: what is asked of the old one now is never true.
    let data = json!({ "channel": CHANNEL, "content": "too late" });
    late.send(json!({ "id": "late", "type": "publish", "data": data })).await;
    first.signal("CONT");
    while let Heard::Json(frame) = late.heard_within(PATIENCE).await.expect("nothing comes") {
        assert_ne!(frame["type"], "published", "{frame}");
    }
    let mut told = load.end().await;
    assert_eq!(first.wait_for(PATIENCE).code(), Some(1), "{}", first.stderr());
    check(&second, &token, &told).await;
    let all = kept::publications(&second, &token).await;
    assert!(!all.iter().any(|content| content == "too late"));

    let load = Load::begin(&second, &token, "two").await;
    load.more(50).await;
    told.add(load.end().await);
    check(&second, &token, &told).await;
    first.begin_again();
    first.says("standing by", PATIENCE);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_is_cut_off_acknowledges_nothing_more() {
    let nats = [Nats::alone().await];
    let (boards, wire) = (Boards::over(&nats), Wire::to(&nats[0]).await);
    let mut first = Boards { servers: vec![wire.url()], ..boards.clone() }.lead("first");
    let mut second = boards.stand_by("second");
    let token = any_token(&first);
    let mut late = first.connect(&format!("/ws?token={token}")).await;
    let load = Load::begin(&first, &token, "one").await;
    load.more(100).await;
    wire.cut();
    second.serving(PATIENCE);
    let data = json!({ "channel": CHANNEL, "content": "too late" });
    late.send(json!({ "id": "late", "type": "publish", "data": data })).await;
    let load_on_second = Load::begin(&second, &token, "two").await;
    load_on_second.more(50).await;
    // What the old leader had sent arrives after all.
    wire.mend();
    while let Heard::Json(frame) = late.heard_within(PATIENCE).await.expect("nothing comes") {
        assert_ne!(frame["type"], "published", "{frame}");
    }
    let mut told = load.end().await;
    assert_eq!(first.wait_for(PATIENCE).code(), Some(1), "{}", first.stderr());
    // What it did not get an answer to may have been in the log before the cut, and in the other's hands then.
    told.refused.clear();
    told.add(load_on_second.end().await);
    check(&second, &token, &told).await;
    let all = kept::publications(&second, &token).await;
    assert!(!all.iter().any(|content| content == "too late"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_is_told_to_stop_hands_over_at_once() {
    let nats = [Nats::alone().await];
    // Far longer than the test waits for anything: nobody takes over because of it.
    let boards = Boards { silence: "10m", ..Boards::over(&nats) };
    let mut first = boards.lead("first");
    let mut second = boards.stand_by("second");
    let token = any_token(&first);
    let load = Load::begin(&first, &token, "one").await;
    load.more(100).await;
    let told_to = Instant::now();
    first.begin_to_terminate();
    let told = load.end().await;
    assert_eq!(first.wait_for(PATIENCE).code(), Some(0), "{}", first.stderr());
    let gone = Instant::now();
    second.serving(PATIENCE);
    println!("told to stop: gone after {:?}, served again after another {:?}", gone - told_to, gone.elapsed());
    check(&second, &token, &told).await;

    // In turn, as for an upgrade.
    first.begin_again();
    first.says("standing by", PATIENCE);
    assert!(second.terminate().success());
    first.serving(PATIENCE);
    check(&first, &token, &told).await;
}

/// For those who ask whether it lives, and start it again if not; and nobody who hangs about there is in its way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stands_by_answers_probes_until_it_serves_there() {
    let nats = [Nats::alone().await];
    let boards = Boards { silence: "10m", ..Boards::over(&nats) };
    let mut first = boards.lead("first");
    let port = nats::port();
    let mut second = Boards { probes: Some(port), ..boards }.stand_by("second");
    second.says("answers /health/live alone", PATIENCE);
    let ask = async |path: &str| {
        let answer = reqwest::get(format!("http://127.0.0.1:{port}{path}")).await.unwrap();
        let later = answer.headers().contains_key("retry-after");
        let status = answer.status().as_u16();
        (status, later, answer.json::<Value>().await.unwrap())
    };
    assert_eq!(ask("/health/live").await, (200, false, json!({ "status": "live" })));
    let (status, _, body) = ask("/health/ready").await;
    assert_eq!((status, &body["status"]), (503, &json!("unready")), "{body}");
    for path in ["/status", "/ws", "/", "/metrics"] {
        let (status, later, body) = ask(path).await;
        assert_eq!((status, later, &body["error"]["code"]), (503, true, &json!("UNAVAILABLE")), "{path} {body}");
    }
    let hanging: Vec<_> = (0..80).map(|_| std::net::TcpStream::connect(("127.0.0.1", port)).unwrap()).collect();
    assert!(first.terminate().success());
    second.serving(PATIENCE);
    assert_eq!(second.address(), format!("127.0.0.1:{port}"));
    assert_eq!(ask("/health/ready").await, (200, false, json!({ "status": "ready" })));
    drop(hanging);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_servers_that_start_at_the_same_moment_one_serves() {
    let nats = [Nats::alone().await];
    let boards = Boards::over(&nats);
    let mut all: Vec<Server> = ["one", "two", "three"].map(|node| boards.begin(node)).into();
    // Each says one of the two.
    let deadline = Instant::now() + PATIENCE;
    while !all.iter().all(|server| says(server, "listening") || says(server, "standing by")) {
        assert!(Instant::now() < deadline, "somebody is undecided");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let leads: Vec<bool> = all.iter().map(|server| says(server, "listening")).collect();
    assert_eq!(leads.iter().filter(|leads| **leads).count(), 1, "{leads:?}");
    let at = leads.iter().position(|leads| *leads).unwrap();
    let mut leader = all.remove(at);
    leader.serving(PATIENCE);
    let token = any_token(&leader);
    let load = Load::begin(&leader, &token, "one").await;
    load.more(20).await;
    check(&leader, &token, &load.end().await).await;
    assert!(!all.iter().any(|server| says(server, "listening")));
    // Those that stand by end as one that leads does.
    for mut server in all {
        assert_eq!(server.terminate().code(), Some(0), "{}", server.stderr());
    }
}

fn says(server: &Server, words: &str) -> bool {
    server.printed().contains(words)
}

/// A folder that is lost is made anew from the log: all of it, by a server that never saw any of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_with_an_empty_folder_has_everything() {
    let nats = [Nats::alone().await];
    let boards = Boards::over(&nats);
    let mut first = boards.lead("first");
    let token = any_token(&first);
    let hanging = hang(&first, &token).await;
    let load = Load::begin(&first, &token, "one").await;
    load.more(150).await;
    first.kill9();
    let told = load.end().await;
    drop(first);
    let mut anew = boards.lead("anew");
    check(&anew, &token, &told).await;
    kept::ended(&anew, &token, &hanging).await;
    let status: Value = crate::harness::rest::get(&anew, "/status", &token).await;
    assert_eq!(status["status"], "ready", "{status}");
    assert!(anew.terminate().success());
    assert_eq!(anew.tool(&["verify"]), "The store is sound.");
}
