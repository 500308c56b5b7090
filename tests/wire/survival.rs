//! What was acknowledged outlives the process, however it ends.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::harness::client::{Client, Heard};
use crate::harness::server::Server;
use crate::harness::transcript::make_heavy;

async fn join(client: &mut Client, agents: &[&str]) -> Value {
    let data = json!({ "conversationId": "team", "agents": agents });
    client.ask(json!({ "id": "j", "type": "join_conversation", "data": data })).await
}

async fn history(client: &mut Client, conversation: &str) -> Vec<Value> {
    let data = json!({ "conversationId": conversation, "limit": 1000 });
    let page = client.ask(json!({ "id": "h", "type": "history", "data": data })).await;
    match page["data"]["messages"].as_array() {
        Some(messages) => messages.clone(),
        None => panic!("{conversation}: {page}"),
    }
}

/// Two clients and three agents, one of whom hands over: all of it is there after a crash.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conversation_survives_a_crash_with_all_that_belongs_to_it() {
    let mut server = Server::start();
    let (mut ann, mut bob) = (server.client().await, server.client().await);
    join(&mut ann, &["nyx", "aria", "sage"]).await;
    let joined = join(&mut bob, &[]).await;
    assert_eq!((&joined["data"]["mode"], &joined["data"]["lead"]), (&json!("all"), &json!("nyx")));

    let chat = |id: &str, text: &str| json!({ "id": id, "type": "chat", "data": { "message": text, "conversationId": "team" } });
    ann.send(chat("1", "compute 6 * 7")).await;
    for turn in 1..=3 {
        let answer = ann.until(json!({ "type": "chat_response", "id": "1" })).await;
        assert_eq!(answer["data"]["turn"], json!({ "index": turn, "of": 3 }));
    }
    let data = json!({ "fromAgent": "nyx", "toAgent": "sage", "conversationId": "team", "reason": "memory is needed" });
    ann.ask(json!({ "id": "2", "type": "agent_handoff", "data": data })).await;
    let kept = bob.ask(chat("3", "remember that the deploy is on Friday at noon")).await;
    assert_eq!(kept["data"]["agentId"], "sage", "{kept}");
    for seq in 1..=3 {
        let data = json!({ "channel": "news", "content": { "number": seq } });
        let published = bob.ask(json!({ "id": "p", "type": "publish", "data": data })).await;
        assert_eq!(published["data"]["seq"], seq);
    }
    let before = history(&mut ann, "team").await;
    assert_eq!(before.len(), 4 + 1 + 2, "{before:?}");

    server.kill9();
    server.restart();
    let (mut ann, mut bob) = (server.client().await, server.client().await);
    let joined = join(&mut ann, &[]).await;
    assert_eq!(joined["data"]["agents"], json!(["nyx", "aria", "sage"]));
    assert_eq!((&joined["data"]["mode"], &joined["data"]["lead"]), (&json!("lead"), &json!("sage")));
    assert_eq!(joined["data"]["messages"], json!(before));
    assert_eq!(join(&mut bob, &[]).await["data"], joined["data"], "every member sees the same");
    assert_eq!(history(&mut bob, "team").await, before);

    let recalled = ann.ask(chat("4", "When is the deploy?")).await;
    assert_eq!(recalled["data"]["agentId"], "sage");
    assert!(recalled["data"]["response"].as_str().unwrap().contains("Friday at noon"), "{recalled}");
    bob.until(json!({ "type": "conversation_message", "data": { "message": { "seq": 9, "agent": "sage" } } })).await;

    let subscribe = json!({ "channels": ["news"], "since": 0 });
    bob.ask(json!({ "id": "s", "type": "subscribe", "data": subscribe })).await;
    for seq in 1..=3 {
        bob.expect(json!({ "type": "channel_message", "data": { "seq": seq, "content": { "number": seq } } })).await;
    }
    let data = json!({ "channel": "news", "content": 4 });
    let published = ann.ask(json!({ "id": "p", "type": "publish", "data": data })).await;
    assert_eq!(published["data"]["seq"], 4, "{published}");
}

/// What a client under load was told.
#[derive(Debug, Default)]
struct Acknowledged {
    /// Answers by the ids of their messages, with what was asked.
    answers: Vec<(String, String, String)>,
    /// Publications by their places.
    publications: BTreeMap<u64, String>,
}

/// Chats and publishes until the server is gone. Everything it returns was acknowledged.
async fn load(mut client: Client, name: String, count: Arc<AtomicUsize>) -> Acknowledged {
    let mut told = Acknowledged::default();
    for number in 0.. {
        let text = format!("compute {number} + 1");
        let data = json!({ "message": text, "conversationId": name });
        let chat = json!({ "id": format!("c{number}"), "type": "chat", "targetAgent": "aria", "data": data });
        let content = format!("{name} {number}");
        let data = json!({ "channel": "shared", "content": content });
        let publish = json!({ "id": format!("p{number}"), "type": "publish", "data": data });
        for frame in [chat, publish] {
            if client.try_send_raw(&frame.to_string()).await.is_err() {
                return told;
            }
        }
        for _ in 0..2 {
            let frame = match client.heard().await {
                Heard::Json(frame) => frame,
                Heard::Closed(..) => return told,
            };
            count.fetch_add(1, Ordering::Relaxed);
            let data = &frame["data"];
            let text_of = |field: &str| data[field].as_str().unwrap_or_else(|| panic!("{frame}")).to_owned();
            match frame["type"].as_str().unwrap() {
                "chat_response" => told.answers.push((text_of("messageId"), text.clone(), text_of("response"))),
                "published" => drop(told.publications.insert(data["seq"].as_u64().unwrap(), content.clone())),
                other => panic!("{other}: {frame}"),
            }
        }
    }
    told
}

/// Numbers that differ from run to run; a failure names them.
fn random(below: usize) -> usize {
    use std::hash::{BuildHasher, RandomState};
    usize::try_from(RandomState::new().hash_one(0) % below as u64).unwrap()
}

/// Killed at a random moment under load, five times over one store: whatever was acknowledged is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_in_a_crash_under_load() {
    let mut server = Server::with("[log]\nfilter = \"warn\"");
    make_heavy(&server.workspace(), 3000);
    let mut published: BTreeMap<u64, String> = BTreeMap::new();
    for round in 0..5 {
        // A run that will not have ended.
        let mut hanging = server.client().await;
        hanging.ask(json!({ "id": "s", "type": "subscribe", "data": { "events": ["run_status"] } })).await;
        let data = json!({
            "instruction": "analyze project structure", "parameters": { "path": "./heavy" },
            "conversationId": format!("hanging-{round}"),
        });
        hanging.send(json!({ "id": "slow", "type": "command", "targetAgent": "nyx", "data": data })).await;
        let run = hanging.until(json!({ "data": { "agentId": "nyx", "status": "processing" } })).await;
        let run = run["data"]["runId"].as_str().unwrap().to_owned();
        drop(hanging);

        let count = Arc::new(AtomicUsize::new(0));
        let mut clients = Vec::new();
        for client in 0..4 {
            let name = format!("load-{round}-{client}");
            clients.push(tokio::spawn(load(server.client().await, name, count.clone())));
        }
        let moment = 20 + random(150);
        while count.load(Ordering::Relaxed) < moment {
            assert!(!clients.iter().all(tokio::task::JoinHandle::is_finished), "the server is gone");
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        server.kill9();
        let mut told = Vec::new();
        for client in clients {
            told.push(client.await.unwrap());
        }
        server.restart();
        let shown = format!("round {round}, killed after {moment} acknowledgements");
        let mut client = server.client().await;
        for (number, told) in told.into_iter().enumerate() {
            check_answers(&mut client, &format!("load-{round}-{number}"), &told, &shown).await;
            published.extend(told.publications);
        }
        check_channel(&mut client, &mut published, &shown).await;
        let run: Value = reqwest::get(server.http(&format!("/runs/{run}"))).await.unwrap().json().await.unwrap();
        assert_eq!(
            (&run["status"], &run["error"]["code"]),
            (&json!("failed"), &json!("INTERRUPTED")),
            "{shown}: {run}"
        );
    }
}

/// Every answer is there with its question before it, and the places have no holes.
async fn check_answers(client: &mut Client, conversation: &str, told: &Acknowledged, shown: &str) {
    if told.answers.is_empty() {
        return;
    }
    let messages = history(client, conversation).await;
    let seqs: Vec<u64> = messages.iter().map(|message| message["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, (1..=messages.len() as u64).collect::<Vec<_>>(), "{shown}: {conversation}");
    for (id, question, answer) in &told.answers {
        let at = messages.iter().position(|message| message["id"] == **id);
        let at = at.unwrap_or_else(|| panic!("{shown}: {conversation} lost {answer}"));
        assert_eq!(messages[at]["content"], **answer);
        assert_eq!(messages[at - 1]["content"], **question);
    }
}

/// Every publication that was acknowledged is in its place, and the places have no holes. What was never acknowledged
/// may be there as well; from here on it has to stay.
async fn check_channel(client: &mut Client, published: &mut BTreeMap<u64, String>, shown: &str) {
    let data = json!({ "channel": "shared", "content": "fence" });
    let last = client.ask(json!({ "id": "fence", "type": "publish", "data": data })).await;
    let last = last["data"]["seq"].as_u64().unwrap();
    let subscribe = json!({ "channels": ["shared"], "since": 0 });
    client.ask(json!({ "id": "s", "type": "subscribe", "data": subscribe })).await;
    for seq in 1..=last {
        let frame = client.expect(json!({ "type": "channel_message", "data": { "seq": seq } })).await;
        let content = frame["data"]["content"].as_str().unwrap().to_owned();
        let known = published.entry(seq).or_insert_with(|| content.clone());
        assert_eq!(*known, content, "{shown}: place {seq}");
    }
    assert!(published.keys().all(|seq| *seq <= last), "{shown}: the channel ends at {last}");
}

/// A run outlives the socket that asked for it: its answer is in the history.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_outlives_its_socket() {
    let server = Server::start();
    make_heavy(&server.workspace(), 10);
    let (mut asker, mut watcher) = (server.client().await, server.client().await);
    watcher.ask(json!({ "id": "s", "type": "subscribe", "data": { "events": ["run_status"] } })).await;
    let data = json!({
        "instruction": "analyze project structure", "parameters": { "path": "./heavy" }, "conversationId": "left",
    });
    asker.send(json!({ "id": "slow", "type": "command", "data": data })).await;
    watcher.until(json!({ "data": { "status": "processing" } })).await;
    asker.close().await;
    let end = watcher.until(json!({ "data": { "status": "completed" } })).await;
    let messages = history(&mut watcher, "left").await;
    assert!(messages[1]["content"].as_str().unwrap().contains("10 files"), "{messages:?}");
    let run = reqwest::get(server.http(&format!("/runs/{}", end["data"]["runId"].as_str().unwrap()))).await.unwrap();
    let run: Value = run.json().await.unwrap();
    assert_eq!(run["status"], "completed", "{run}");
}
