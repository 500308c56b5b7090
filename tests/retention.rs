//! Retention: what is kept no longer is shown to nobody, costs nothing, and is never under a reader.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "harness/harness.rs"]
mod harness;

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use harness::rest::{call, get, token};
use harness::server::Server;
use harness::talk::{FAST, chat, join, publish};

/// Between two looks at what a keeper does in its own time.
const LOOK: Duration = Duration::from_millis(20);

fn first(page: &Value) -> Option<u64> {
    page["messages"][0]["seq"].as_u64()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_kept_no_longer_is_a_clear_error_and_its_numbers_are_gone() {
    let retention = "[retention]\nchannel_messages = 10\nconversation_messages = 4\nevery = \"1s\"\n\
         channels = { audit = {}, brief = { messages = 2 } }";
    let mut server = Server::with(&format!("{FAST}{retention}"));
    let reader = token(&server, "default", "reader", &[]);
    let mut client = server.client().await;
    for number in 1..=300 {
        for channel in ["news", "audit", "brief"] {
            assert_eq!(publish(&mut client, channel, json!(number)).await, number);
        }
    }
    for number in 0..5 {
        chat(&mut client, "talk", &format!("compute {number} + 1")).await;
    }
    for (path, kept) in [("/channels/news", 291), ("/channels/brief", 299), ("/conversations/talk", 7)] {
        while first(&get(&server, &format!("{path}/messages?limit=1000"), "").await) != Some(kept) {
            tokio::time::sleep(LOOK).await;
        }
    }
    for restarted in [false, true] {
        assert_eq!(first(&get(&server, "/channels/audit/messages", "").await), Some(1), "{restarted}");
        for path in ["/channels/news/messages?after=5", "/conversations/talk/messages?before=3"] {
            let (status, body) = call(&server, Method::GET, path, "", None).await;
            assert_eq!(status, 410, "{body}");
            assert!(body.contains("CURSOR_EXPIRED"), "{body}");
        }
        let page = get(&server, "/conversations/talk/messages?limit=2", "").await;
        assert_eq!(page["next_before"], 9);
        let page = get(&server, "/conversations/talk/messages?before=9", "").await;
        assert_eq!((first(&page), &page["next_before"]), (Some(7), &Value::Null));
        if !restarted {
            server.restart();
        }
    }
    // On a socket: told, and then live.
    let mut late = server.client().await;
    late.ask(json!({ "id": "s", "type": "subscribe", "data": { "channels": ["news"], "since": 5 } })).await;
    late.expect(json!({ "type": "error", "data": { "code": "CURSOR_EXPIRED" } })).await;
    let mut socket = server.connect(&format!("/v1/ws?token={reader}&channel_id=news&since=5")).await;
    socket.expect(json!({ "type": "ERROR", "code": "CURSOR_EXPIRED" })).await;
    let mut client = server.client().await;
    assert_eq!(publish(&mut client, "news", json!("now")).await, 301);
    late.expect(json!({ "type": "channel_message", "data": { "seq": 301 } })).await;
    socket.expect(json!({ "type": "message", "seq": 301 })).await;
    let mut anew = server.client().await;
    anew.ask(json!({ "id": "s", "type": "subscribe", "data": { "channels": ["news"], "since": 0 } })).await;
    let mut seq = 0;
    while seq < 301 {
        let frame = anew.expect(json!({ "type": "channel_message" })).await;
        let next = frame["data"]["seq"].as_u64().unwrap();
        assert!(seq == 0 && next > 280 || next == seq + 1, "{seq} {next}");
        seq = next;
    }
    assert_eq!(server.tool(&["verify"]), "The store is sound.");
}

/// A conversation and a channel that are in use hold their latest in memory; of that, too, only what is kept is shown.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_kept_no_longer_is_shown_to_nobody_who_comes_in() {
    let retention = "[retention]\nchannel_messages = 2\nconversation_messages = 4\nevery = \"1s\"\n";
    let server = Server::with(&format!("{FAST}{retention}"));
    let mut client = server.client().await;
    client.ask(json!({ "id": "s", "type": "subscribe", "data": { "channels": ["news"] } })).await;
    for number in 1..=5 {
        assert_eq!(publish(&mut client, "news", json!(number)).await, number);
        chat(&mut client, "talk", &format!("compute {number} + 1")).await;
    }
    for (path, kept) in [("/channels/news", 4), ("/conversations/talk", 7)] {
        while first(&get(&server, &format!("{path}/messages?limit=1000"), "").await) != Some(kept) {
            tokio::time::sleep(LOOK).await;
        }
    }
    let mut late = server.client().await;
    let joined =
        late.ask(json!({ "id": "j", "type": "join_conversation", "data": { "conversationId": "talk" } })).await;
    let seqs = joined["data"]["messages"].as_array().unwrap().iter().map(|message| message["seq"].as_u64());
    assert_eq!(seqs.collect::<Vec<_>>(), [Some(7), Some(8), Some(9), Some(10)], "{joined}");
    late.ask(json!({ "id": "s", "type": "subscribe", "data": { "channels": ["news"], "since": 0 } })).await;
    let told = late.expect(json!({ "type": "channel_message" })).await;
    assert_eq!(told["data"]["seq"], 4, "{told}");
    let mut missed = server.client().await;
    missed.ask(json!({ "id": "s", "type": "subscribe", "data": { "channels": ["news"], "since": 1 } })).await;
    missed.expect(json!({ "type": "error", "data": { "code": "CURSOR_EXPIRED" } })).await;
}

/// What is noted of a conversation is kept no longer than what was said in it; but not while somebody is in it, and not
/// while a run of it waits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conversation_of_which_nothing_is_kept_goes_when_nobody_uses_it() {
    let retention = "[retention]\nconversation_age = \"1s\"\nchannel_age = \"1s\"\nevery = \"1s\"\n\
         conversations = { audit = { messages = 1 } }\n[runtime]\nidle = \"1s\"\n";
    let mut server = Server::with(&format!("{FAST}{retention}"));
    let (mut client, mut member) = (server.client().await, server.client().await);
    for conversation in ["gone", "held", "audit"] {
        chat(&mut client, conversation, "compute 7 * 8").await;
    }
    join(&mut client, "unsaid").await;
    join(&mut member, "held").await;
    assert_eq!(publish(&mut client, "news", json!("once")).await, 1);
    drop(client);

    for conversation in ["gone", "unsaid"] {
        let path = format!("/conversations/{conversation}");
        while call(&server, Method::GET, &path, "", None).await.0 != 404 {
            tokio::time::sleep(LOOK).await;
        }
    }
    for path in ["/conversations/held/messages", "/channels/news/messages"] {
        while first(&get(&server, path, "").await).is_some() {
            tokio::time::sleep(LOOK).await;
        }
    }
    let listed = get(&server, "/conversations", "").await;
    let ids: Vec<_> =
        listed["conversations"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["audit", "held"], "one that was named has its own rule, and one has a member");
    assert_eq!(first(&get(&server, "/conversations/audit/messages", "").await), Some(2));

    // A channel's numbers go on, and so do those of a conversation that stayed; one that went begins anew.
    let mut client = server.client().await;
    assert_eq!(publish(&mut client, "news", json!("again")).await, 2);
    chat(&mut client, "held", "compute 7 * 8").await;
    member.expect(json!({ "type": "conversation_message", "data": { "message": { "seq": 3 } } })).await;
    let begun = join(&mut client, "gone").await;
    assert_eq!(begun["data"]["messages"], json!([]), "{begun}");
    let answer = chat(&mut client, "gone", "compute 6 * 7").await;
    assert_eq!(answer["data"]["response"], "6 * 7 = 42", "{answer}");

    // When its member has left it goes as the others went, over a restart too.
    drop((client, member));
    server.restart();
    while call(&server, Method::GET, "/conversations/held", "", None).await.0 != 404 {
        tokio::time::sleep(LOOK).await;
    }
    assert_eq!(server.tool(&["verify"]), "The store is sound.");
}
