//! Document 003: channels, direct messages and agents of other processes, beyond what a transcript can say.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::harness::client::Client;
use crate::harness::server::Server;

/// Rates that no test runs into.
/// Fast clients, and room for readers that a busy machine holds up: what is tested with this is the order and not the
/// patience.
const FAST: &str = "[rate]\nchannel_frames_per_second = 100000\nchannel_frames_burst = 100000\n\
    frames_per_second = 100000\nframes_burst = 100000\n[limits]\nqueue_frames = 100000\nqueue_bytes = \"64MiB\"\n";

fn token(server: &Server, tenant: &str, agent: &str, more: &[&str]) -> String {
    let mut args = vec!["token", "--tenant", tenant, "--agent", agent];
    args.extend(more);
    server.tool(&args)
}

async fn agent(server: &Server, name: &str, query: &str) -> Client {
    let token = token(server, "t", name, &[]);
    server.connect(&format!("/v1/ws?token={token}{query}")).await
}

async fn publish(client: &mut Client, id: &str, content: Value) {
    client.send(json!({ "id": id, "type": "message", "content": content })).await;
}

/// Publishes `count` messages and waits for all acknowledgements; gives each with its `seq`. Copies are passed over.
async fn publish_all(client: &mut Client, prefix: &str, count: usize) -> Vec<(String, u64)> {
    for number in 0..count {
        publish(client, &format!("{prefix}-{number}"), json!(number)).await;
    }
    let mut acknowledged = Vec::new();
    while acknowledged.len() < count {
        let frame = client.next().await;
        assert_ne!(frame["type"], "ERROR", "{frame}");
        if frame["type"] == "ACK" {
            acknowledged.push((frame["message_id"].as_str().unwrap().to_owned(), frame["seq"].as_u64().unwrap()));
        }
    }
    acknowledged
}

/// The next `count` publications; acknowledgements are passed over.
async fn publications(client: &mut Client, count: usize) -> Vec<Value> {
    let mut list = Vec::new();
    while list.len() < count {
        let frame = client.next().await;
        if frame["type"] == "message" {
            list.push(frame);
        }
    }
    list
}

fn seqs(publications: &[Value]) -> Vec<u64> {
    publications.iter().map(|one| one["seq"].as_u64().unwrap()).collect()
}

/// Waits until the sockets of an agent are as many as they should be.
async fn until_present(server: &Server, name: &str, token: &str, sockets: u64) {
    let url = server.http(&format!("/v1/agents/{name}?token={token}"));
    loop {
        let response = reqwest::get(&url).await.unwrap();
        if response.status() == 200 {
            let agent: Value = response.json().await.unwrap();
            if agent["sockets"] == sockets {
                return;
            }
        }
        tokio::task::yield_now().await;
    }
}

/// Until so many requests wait in an agent's queue: they were taken, and no more of them are on their way.
async fn until_waiting(asker: &mut Client, name: &str, requests: u64) {
    let status = json!({ "id": "waiting", "type": "status", "targetAgent": name });
    while asker.ask(status.clone()).await["data"]["queueLength"] != requests {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_is_acknowledged_before_its_own_copy_and_everybody_has_it_once() {
    let server = Server::start();
    // More listeners than a relay needs.
    let mut others = Vec::new();
    for number in 0..8 {
        let mut other = agent(&server, &format!("other-{number}"), "&channel_id=news").await;
        other.quiet().await;
        others.push(other);
    }
    let mut sender = agent(&server, "sender", "&channel_id=news").await;
    for round in 0..50_u64 {
        let id = format!("m-{round}");
        let frame = json!({
            "id": id, "type": "message", "content": { "round": round }, "metadata": { "key": "value" },
            "tenant_id": "forged", "agent_id": "forged", "channel_id": "forged", "timestamp": "forged", "seq": 99999,
        });
        sender.send(frame).await;
        sender.expect(json!({ "type": "ACK", "message_id": id, "timestamp": "<time>", "seq": round + 1 })).await;
        let copy = json!({
            "id": id, "type": "message", "content": { "round": round }, "metadata": { "key": "value" },
            "tenant_id": "t", "agent_id": "sender", "channel_id": "news", "timestamp": "<time>", "seq": round + 1,
        });
        sender.expect(copy.clone()).await;
        for other in &mut others {
            other.expect(copy.clone()).await;
        }
    }
    for other in &mut others {
        other.quiet().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_publishers_and_four_subscribers_see_one_order_without_holes() {
    const EACH: usize = 100;
    let server = Server::with(FAST);
    let mut readers = Vec::new();
    for number in 0..4 {
        let mut reader = agent(&server, &format!("reader-{number}"), "&channel_id=busy").await;
        reader.quiet().await;
        readers.push(tokio::spawn(async move { publications(&mut reader, 10 * EACH).await }));
    }
    let mut writers = Vec::new();
    for number in 0..10 {
        let mut writer = agent(&server, &format!("writer-{number}"), "&channel_id=busy").await;
        writers.push(tokio::spawn(async move { publish_all(&mut writer, &format!("w{number}"), EACH).await }));
    }
    let mut acknowledged = HashSet::new();
    for writer in writers {
        let mine = writer.await.unwrap();
        assert!(mine.windows(2).all(|pair| pair[0].1 < pair[1].1), "a publisher's order is kept");
        acknowledged.extend(mine);
    }
    let expected: Vec<u64> = (1..=10 * EACH as u64).collect();
    let mut first: Option<Vec<Value>> = None;
    for reader in readers {
        let seen = reader.await.unwrap();
        assert_eq!(seqs(&seen), expected);
        for one in &seen {
            let key = (one["id"].as_str().unwrap().to_owned(), one["seq"].as_u64().unwrap());
            assert!(acknowledged.contains(&key), "{one} was heard under another seq than acknowledged");
        }
        match &first {
            Some(first) => assert_eq!(first, &seen),
            None => first = Some(seen),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_is_taken_whole() {
    let server = Server::with(FAST);
    let mut writer = agent(&server, "writer", "&channel_id=burst").await;
    let acknowledged = publish_all(&mut writer, "b", 2000).await;
    assert_eq!(acknowledged.last().unwrap().1, 2000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_goes_live_without_hole_or_double_while_others_publish() {
    const STORED: usize = 5000;
    const MORE: usize = 1000;
    let server = Server::with(FAST);
    let mut writer = agent(&server, "writer", "&channel_id=log").await;
    for part in 0..5 {
        publish_all(&mut writer, &format!("old{part}"), STORED / 5).await;
    }
    let publishing = tokio::spawn(async move {
        publish_all(&mut writer, "new", MORE).await;
        writer
    });
    let readers = [0, 1, 2500, 4990].map(|since| {
        let address = server.address().to_owned();
        let token = token(&server, "t", &format!("reader-{since}"), &[]);
        tokio::spawn(async move {
            let url = format!("ws://{address}/api/v1/ws?token={token}&channel_id=log&since={since}");
            let mut reader = Client::connect(&url).await;
            let seen = publications(&mut reader, STORED + MORE - since as usize).await;
            assert_eq!(seqs(&seen), (since + 1..=(STORED + MORE) as u64).collect::<Vec<_>>());
            reader.quiet().await;
        })
    });
    for reader in readers {
        reader.await.unwrap();
    }
    publishing.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_seen_before_is_acknowledged_and_not_published_again() {
    let mut server = Server::start();
    let mut client = agent(&server, "a", "&channel_id=once").await;
    // The second comes while the first is still being written.
    for _ in 0..2 {
        publish(&mut client, "same", json!("x")).await;
    }
    client.expect(json!({ "type": "ACK", "message_id": "same", "seq": 1 })).await;
    // Unless it came after all when that was done: then it is acknowledged behind the one delivery.
    let mut rest = [client.next().await, client.next().await];
    rest.sort_by_key(|frame| frame["type"] == "message");
    assert_eq!((&rest[0]["type"], &rest[0]["message_id"], &rest[0]["seq"]), (&json!("ACK"), &json!("same"), &json!(1)));
    assert_eq!((&rest[1]["type"], &rest[1]["id"], &rest[1]["seq"]), (&json!("message"), &json!("same"), &json!(1)));
    publish(&mut client, "same", json!("x")).await;
    client.expect(json!({ "type": "ACK", "message_id": "same", "seq": 1 })).await;
    client.quiet().await;

    server.restart();
    let mut client = agent(&server, "a", "&channel_id=once").await;
    publish(&mut client, "same", json!("x")).await;
    client.expect(json!({ "type": "ACK", "message_id": "same", "seq": 1 })).await;
    publish(&mut client, "other", json!("y")).await;
    client.expect(json!({ "type": "ACK", "message_id": "other", "seq": 2 })).await;
    client.expect(json!({ "type": "message", "id": "other", "seq": 2 })).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn direct_messages_wait_for_who_is_away_and_come_once() {
    let mut server = Server::with("[runtime]\ninbox_messages = 5\n");
    let mut sender = agent(&server, "sender", "").await;
    for (number, name) in (0..8).zip(["target", "to", "target_agent_id"].iter().cycle()) {
        let id = format!("d{number}");
        sender.send(json!({ "id": id, "type": "message", "content": number, (*name): "late" })).await;
        sender.expect(json!({ "type": "ACK", "message_id": id, "seq": number + 1 })).await;
    }
    server.restart();
    let mut late = agent(&server, "late", "").await;
    for number in 3..8 {
        let frame = late.expect(json!({ "type": "message", "content": number, "agent_id": "sender" })).await;
        assert!(frame.get("channel_id").is_none(), "{frame}");
    }
    late.quiet().await;
    let mut second = agent(&server, "late", "&channel_id=any").await;
    second.quiet().await;
    let mut sender = agent(&server, "sender", "").await;
    sender.send(json!({ "id": "live", "type": "message", "content": "now", "target": "late" })).await;
    sender.expect(json!({ "type": "ACK", "message_id": "live" })).await;
    late.expect(json!({ "id": "live" })).await;
    second.expect(json!({ "id": "live" })).await;
    sender.quiet().await;
    late.close().await;
    second.close().await;
    let mut again = agent(&server, "late", "").await;
    again.quiet().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_is_an_error_with_the_id_and_the_socket_goes_on() {
    let server = Server::start();
    let mut client = agent(&server, "a", "").await;
    for (frame, code) in [
        (json!({ "id": "e", "type": "message", "content": "to nobody" }), "INVALID_MESSAGE"),
        (json!({ "id": "e", "type": "message", "target": "b" }), "INVALID_MESSAGE"),
        (json!({ "id": "e", "type": "ACK", "target": "b", "content": 1 }), "INVALID_MESSAGE"),
        (json!({ "id": "e", "type": "message", "content": 1, "target": "nyx" }), "INVALID_MESSAGE"),
        (json!({ "id": "e", "type": "message", "content": 1, "reply_to": "run-1-1-1" }), "RUN_NOT_FOUND"),
        (json!({ "id": "e", "type": "step", "content": "x", "reply_to": "run-1-1-1" }), "RUN_NOT_FOUND"),
    ] {
        client.send(frame).await;
        let error =
            json!({ "type": "ERROR", "message_id": "e", "error": "<any>", "code": code, "timestamp": "<time>" });
        client.expect(error).await;
    }
    client.send_raw("no json").await;
    let error = client.expect(json!({ "type": "ERROR", "code": "INVALID_MESSAGE" })).await;
    assert!(error.get("message_id").is_none());
    client.send_binary(vec![1]).await;
    client.expect(json!({ "type": "ERROR", "code": "INVALID_MESSAGE" })).await;
    client.send(json!({ "type": "heartbeat", "id": "h" })).await;
    client.expect(json!({ "type": "ACK", "message_id": "h", "timestamp": "<time>" })).await;
    client.send(json!({ "type": "heartbeat" })).await;
    client.expect(json!({ "type": "ACK", "timestamp": "<time>" })).await;
    client.quiet().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_is_refused_before_the_upgrade() {
    let server = Server::start();
    let mine = token(&server, "t", "a", &["--channel", "open"]);
    let no_reading = token(&server, "t", "a", &["--scope", "channel:publish"]);
    let shadow = token(&server, "t", "nyx", &[]);
    for (path, status) in [
        ("/v1/ws".to_owned(), 401),
        ("/v1/ws?token=nonsense".to_owned(), 401),
        (format!("/v1/ws?token={mine}&channel_id=closed"), 403),
        (format!("/v1/ws?token={mine}&channel_id=a%20b"), 400),
        (format!("/v1/ws?token={no_reading}&channel_id=open"), 403),
        (format!("/v1/ws?token={shadow}"), 403),
        (format!("/v1/ws/tenant/u/agent/a/channel/open?token={mine}"), 403),
        (format!("/v1/ws/tenant/t/agent/b/channel/open?token={mine}"), 403),
        (format!("/api/v1/ws/tenant/t/agent/a/channel/closed?token={mine}"), 403),
    ] {
        let url = format!("ws://{}{path}", server.address());
        let (refused, body) = Client::try_connect(&url).await.err().expect("a refusal");
        assert_eq!(refused, status, "{path}: {body}");
        assert!(body.is_empty() || serde_json::from_str::<Value>(&body).unwrap()["error"]["code"].is_string());
    }
    let path = format!("/api/v1/ws/tenant/t/agent/a/channel/open?token={mine}");
    let mut client = server.connect(&path).await;
    publish(&mut client, "m", json!("x")).await;
    client.expect(json!({ "type": "ACK", "message_id": "m" })).await;
    client.expect(json!({ "type": "message", "channel_id": "open" })).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn presence_is_online_with_the_first_socket_and_offline_with_the_last() {
    let server = Server::start();
    let watcher_token = token(&server, "t", "watcher", &[]);
    let mut watcher = server.connect(&format!("/ws?token={watcher_token}")).await;
    watcher.ask(json!({ "id": "s", "type": "subscribe", "data": { "events": ["presence"] } })).await;
    let mut first = agent(&server, "bee", "").await;
    let online = json!({ "type": "event", "data": { "eventType": "presence", "agentId": "bee", "status": "online" } });
    watcher.expect(online).await;
    let mut second = agent(&server, "bee", "&channel_id=c").await;
    second.quiet().await;
    first.quiet().await;
    first.close().await;
    until_present(&server, "bee", &watcher_token, 1).await;
    watcher.quiet().await;
    let agents: Value = reqwest::get(server.http(&format!("/api/v1/agents?token={watcher_token}")))
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let bee = agents["agents"].as_array().unwrap().iter().find(|one| one["agent_id"] == "bee").unwrap();
    assert_eq!((bee["status"].as_str(), bee["serves"].as_bool()), (Some("online"), Some(true)));
    second.close().await;
    let offline =
        json!({ "type": "event", "data": { "eventType": "presence", "agentId": "bee", "status": "offline" } });
    watcher.expect(offline).await;
    until_present(&server, "bee", &watcher_token, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connected_agent_does_what_others_ask_of_it() {
    let server = Server::start();
    let asker_token = token(&server, "t", "asker", &[]);
    let mut asker = server.connect(&format!("/ws?token={asker_token}")).await;
    let mut worker = agent(&server, "worker", "").await;
    worker.send(json!({ "type": "heartbeat" })).await;
    worker.expect(json!({ "type": "ACK" })).await;

    let chat = json!({
        "id": "c1", "type": "chat", "targetAgent": "worker", "data": { "message": "double 21", "conversationId": "conv" },
    });
    asker.send(chat).await;
    let asked = worker.expect(json!({ "type": "message", "content": "double 21" })).await;
    let run = asked["id"].clone();
    assert_eq!(asked["metadata"]["run_id"], run);
    assert_eq!((&asked["metadata"]["conversation_id"], &asked["metadata"]["kind"]), (&json!("conv"), &json!("chat")));
    assert_eq!(asked["metadata"]["history"], json!([]));
    worker.send(json!({ "id": "st", "type": "step", "reply_to": run, "content": "multiplying" })).await;
    worker.expect(json!({ "type": "ACK", "message_id": "st" })).await;
    worker.send(json!({ "id": "an", "type": "message", "reply_to": run, "content": "42" })).await;
    worker.expect(json!({ "type": "ACK", "message_id": "an", "seq": 2 })).await;
    let reply = json!({ "type": "chat_response", "id": "c1", "data": { "response": "42", "agentId": "worker" } });
    asker.expect(reply).await;
    // What is acknowledged is in the history.
    let history = server.http(&format!("/conversations/conv/messages?token={asker_token}"));
    let history: Value = reqwest::get(history).await.unwrap().json().await.unwrap();
    assert_eq!(history["messages"][1]["content"], "42");
    worker.send(json!({ "id": "an2", "type": "message", "reply_to": run, "content": "43" })).await;
    worker.expect(json!({ "type": "ERROR", "message_id": "an2", "code": "RUN_NOT_FOUND" })).await;

    asker.send(json!({ "id": "t1", "type": "task", "agent": "worker", "content": "sum up" })).await;
    asker.until(json!({ "type": "agent_called" })).await;
    let asked = worker.expect(json!({ "type": "message", "content": "sum up", "metadata": { "kind": "task" } })).await;
    let step = json!({
        "type": "step", "reply_to": asked["id"], "content": "read the file", "metadata": { "stage": "action", "tool": "cat" },
    });
    worker.send(step).await;
    worker.send(json!({ "id": "an3", "type": "message", "reply_to": asked["id"], "content": { "sum": 3 } })).await;
    asker.until(json!({ "type": "log", "data": { "message": "read the file", "source": "cat" } })).await;
    asker.until(json!({ "type": "result", "data": { "agent": "worker", "data": { "sum": 3 } } })).await;
    asker.expect(json!({ "type": "final_answer" })).await;
    worker.until(json!({ "type": "ACK", "message_id": "an3" })).await;

    // The next one knows what was said.
    asker.send(json!({ "id": "c2", "type": "chat", "targetAgent": "worker", "data": { "message": "and?", "conversationId": "conv" } })).await;
    let asked = worker.until(json!({ "type": "message", "content": "and?" })).await;
    let said: Vec<_> =
        asked["metadata"]["history"].as_array().unwrap().iter().map(|one| one["content"].clone()).collect();
    assert_eq!(said, ["double 21", "42"]);
    asker.send(json!({ "id": "k", "type": "cancel", "data": { "id": "c2" } })).await;
    asker.until(json!({ "type": "error", "id": "c2", "data": { "code": "CANCELLED" } })).await;
    worker.send(json!({ "id": "late", "type": "message", "reply_to": asked["id"], "content": "too late" })).await;
    worker.expect(json!({ "type": "ERROR", "message_id": "late", "code": "RUN_NOT_FOUND" })).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_goes_fails_its_runs_and_only_those() {
    let server = Server::start();
    let asker_token = token(&server, "t", "asker", &[]);
    let mut asker = server.connect(&format!("/ws?token={asker_token}")).await;
    let mut one = agent(&server, "worker", "").await;
    let mut other = agent(&server, "worker", "").await;
    until_present(&server, "worker", &asker_token, 2).await;
    for (id, place) in [("c1", "p1"), ("c2", "p2")] {
        let data = json!({ "message": id, "conversationId": place });
        asker.send(json!({ "id": id, "type": "chat", "targetAgent": "worker", "data": data })).await;
    }
    let first = one.expect(json!({ "type": "message" })).await;
    let second = other.expect(json!({ "type": "message" })).await;
    one.close().await;
    asker.expect(json!({ "type": "error", "id": first["content"], "data": { "code": "AGENT_FAILED" } })).await;
    other.send(json!({ "id": "a", "type": "message", "reply_to": second["id"], "content": "done" })).await;
    other.expect(json!({ "type": "ACK", "message_id": "a" })).await;
    asker.expect(json!({ "type": "chat_response", "id": second["content"], "data": { "response": "done" } })).await;

    // More than it is given at a time: those that wait fail with those that run.
    for number in 0..12 {
        let data = json!({ "message": "x", "conversationId": format!("q{number}") });
        asker.send(json!({ "id": format!("q{number}"), "type": "chat", "targetAgent": "worker", "data": data })).await;
    }
    for _ in 0..8 {
        other.expect(json!({ "type": "message", "content": "x" })).await;
    }
    other.quiet().await;
    until_waiting(&mut asker, "worker", 4).await;
    other.close().await;
    let mut failed = HashSet::new();
    for _ in 0..12 {
        let error = asker.expect(json!({ "type": "error", "data": { "code": "AGENT_FAILED" } })).await;
        failed.insert(error["id"].to_string());
    }
    assert_eq!(failed.len(), 12);
    let gone = json!({ "id": "g", "type": "chat", "targetAgent": "worker", "data": { "message": "there?" } });
    assert_eq!(asker.ask(gone).await["data"]["code"], "AGENT_NOT_FOUND");
    assert_eq!(
        asker.ask(json!({ "id": "n", "type": "chat", "targetAgent": "nyx", "data": { "message": "hello" } })).await["type"],
        "chat_response"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_crosses_from_one_tenant_to_another() {
    let server = Server::start();
    let (red, blue) = (token(&server, "red", "a", &[]), token(&server, "blue", "a", &[]));
    let mut one = server.connect(&format!("/v1/ws?token={red}&channel_id=same")).await;
    let mut other = server.connect(&format!("/v1/ws?token={blue}&channel_id=same")).await;
    one.quiet().await;
    other.quiet().await;
    publish(&mut one, "m", json!("red")).await;
    one.expect(json!({ "type": "ACK", "seq": 1 })).await;
    one.expect(json!({ "type": "message", "tenant_id": "red" })).await;
    publish(&mut other, "m", json!("blue")).await;
    other.expect(json!({ "type": "ACK", "seq": 1 })).await;
    other.expect(json!({ "type": "message", "tenant_id": "blue", "content": "blue" })).await;
    one.send(json!({ "id": "d", "type": "message", "content": "for a", "target": "a" })).await;
    one.expect(json!({ "type": "ACK", "message_id": "d" })).await;
    one.expect(json!({ "type": "message", "content": "for a" })).await;
    other.quiet().await;
    let read = |token: String| {
        let url = server.http(&format!("/v1/channels/same/messages?token={token}"));
        async move { reqwest::get(url).await.unwrap().json::<Value>().await.unwrap() }
    };
    assert_eq!(read(red.clone()).await["messages"][0]["content"], "red");
    assert_eq!(read(blue).await["messages"][0]["content"], "blue");
    let mut green = server.connect(&format!("/ws?token={}", token(&server, "green", "g", &[]))).await;
    let chat = json!({ "id": "c", "type": "chat", "targetAgent": "a", "data": { "message": "there?" } });
    assert_eq!(green.ask(chat).await["data"]["code"], "AGENT_NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_over_http() {
    let server = Server::start();
    let good = token(&server, "t", "a", &[]);
    let http = reqwest::Client::new();
    let call = async |method: &str, path: &str, token: &str, body: Option<&str>| {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = http.request(method, server.http(path)).bearer_auth(token);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_owned());
        }
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json::<Value>().await.unwrap())
    };
    let made = Some(r#"{"channel_id":"news","name":"News"}"#);
    assert_eq!(call("POST", "/v1/channels", &good, made).await.0, 201);
    let (status, channel) =
        call("POST", "/api/v1/channels", &good, Some(r#"{"id":"news","name":"News","description":"All"}"#)).await;
    assert_eq!((status, &channel["description"], &channel["created_by"]), (200, &json!("All"), &json!("a")));

    let mut listener = server.connect(&format!("/v1/ws?token={good}&channel_id=news")).await;
    listener.quiet().await;
    let body = Some(r#"{"id":"h1","content":{"n":1},"metadata":{"k":2}}"#);
    let (status, published) = call("POST", "/v1/channels/news/messages", &good, body).await;
    assert_eq!(
        (status, &published["success"], &published["message_id"], &published["seq"]),
        (200, &json!(true), &json!("h1"), &json!(1))
    );
    let heard = listener.expect(json!({ "id": "h1", "type": "message", "agent_id": "a", "seq": 1 })).await;
    assert_eq!(call("POST", "/v1/channels/news/messages", &good, body).await.1["seq"], 1);
    for number in 2..=5 {
        let body = format!(r#"{{"content":{number}}}"#);
        assert_eq!(call("POST", "/v1/channels/news/messages", &good, Some(&body)).await.1["seq"], number);
    }
    let (_, page) = call("GET", "/v1/channels/news/messages?after=0&limit=3", &good, None).await;
    assert_eq!((page["messages"].as_array().unwrap().len(), &page["next_after"]), (3, &json!(3)));
    assert_eq!(page["messages"][0], heard, "as on the wire");
    let (_, page) = call("GET", "/v1/channels/news/messages?after=3&limit=1000", &good, None).await;
    assert_eq!((seqs(page["messages"].as_array().unwrap()), &page["next_after"]), (vec![4, 5], &Value::Null));
    assert_eq!(call("GET", "/v1/channels", &good, None).await.1["channels"][0]["channel_id"], "news");

    let narrow = token(&server, "t", "a", &["--channel", "other"]);
    let reader = token(&server, "t", "a", &["--scope", "channel:subscribe"]);
    let huge = format!(r#"{{"content":"{}"}}"#, "x".repeat(300 * 1024));
    for (method, path, token, body, status) in [
        ("GET", "/v1/channels", "bad", None, 401),
        ("GET", "/v1/channels/news", &*narrow, None, 403),
        ("GET", "/v1/channels/news/messages", &*narrow, None, 403),
        ("POST", "/v1/channels/news/messages", &*reader, body, 403),
        ("DELETE", "/v1/channels/news", &*reader, None, 403),
        ("GET", "/v1/channels/none", &*good, None, 404),
        ("DELETE", "/v1/channels/none", &*good, None, 404),
        ("GET", "/v1/agents/nobody", &*good, None, 404),
        ("POST", "/v1/channels/news/messages", &*good, Some("{"), 400),
        ("POST", "/v1/channels/news/messages", &*good, Some("{}"), 422),
        ("POST", "/v1/channels/news/messages", &*good, Some(r#"{"content":1,"metadata":3}"#), 422),
        ("POST", "/v1/channels/news/messages", &*good, Some(&huge), 413),
        ("GET", "/v1/channels/news/messages?limit=1001", &*good, None, 400),
    ] {
        let (found, answer) = call(method, path, token, body).await;
        assert_eq!(found, status, "{method} {path}: {answer}");
        assert!(answer["error"]["code"].is_string(), "{answer}");
    }
    assert_eq!(call("DELETE", "/v1/channels/news", &good, None).await.0, 200);
    assert_eq!(call("GET", "/v1/channels/news", &good, None).await.0, 404);
    // Made anew it begins anew, also for ids that were known.
    assert_eq!(call("POST", "/v1/channels/news/messages", &good, body).await.1["seq"], 1);
    listener.until(json!({ "id": "h1", "seq": 1 })).await;
    assert!(matches!(call("GET", "/v1/agents/nyx", &good, None).await, (200, agent) if agent["status"] == "online"));
}
