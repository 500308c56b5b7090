//! Chats and threads longer than a page, and requests that come all at once.

use serde_json::{Value, json};

use crate::harness::server::{Server, Setup};

const THREAD: &str = "123e4567-e89b-12d3-a456-426614174000";

/// Questions that are asked without waiting for answers; fewer than a session may have in flight.
const BURST: usize = 30;

/// Rounds of them: enough messages for several pages of 100.
const ROUNDS: usize = 4;

async fn get(server: &Server, path: &str) -> (Value, Option<String>) {
    let response = reqwest::get(server.http(path)).await.unwrap();
    assert_eq!(response.status(), 200, "{path}");
    let next = response.headers().get("x-next-before").map(|next| next.to_str().unwrap().to_owned());
    (serde_json::from_str(&response.text().await.unwrap()).unwrap(), next)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_chat_is_answered_in_order_and_read_whole_through_every_door() {
    let server = Setup::default().agent("parrot", "brain = \"echo\"").start();
    let mut chat = server.connect(&format!("/chat/{THREAD}")).await;
    let asked: Vec<String> = (0..BURST * ROUNDS).map(|number| format!("say {number}")).collect();
    for round in asked.chunks(BURST) {
        for said in round {
            chat.send(json!({ "type": "client", "message": said, "message_id": said.replace(' ', "-") })).await;
        }
        for said in round {
            let end = chat.until(json!({ "type": "message_end" })).await;
            assert_eq!(end["message_id"], said.replace(' ', "-"));
        }
    }

    let (whole, _) = get(&server, &format!("/history/{THREAD}")).await;
    let whole = whole.as_array().unwrap();
    let users: Vec<&str> =
        whole.iter().filter(|entry| entry["role"] == "user").map(|entry| entry["content"].as_str().unwrap()).collect();
    assert_eq!(users.len(), asked.len());
    assert!(asked.iter().all(|said| users.contains(&said.as_str())));
    let finals = whole.iter().filter(|entry| entry["step_type"] == "FinalAnswerStep").count();
    assert_eq!(finals, asked.len());

    chat.send(json!({ "type": "get_history" })).await;
    let history = chat.until(json!({ "type": "chat_history" })).await;
    assert_eq!(history["history"].as_array().unwrap(), whole);

    // Page by page from the end: the same list.
    let (mut paged, mut before) = (Vec::new(), String::new());
    loop {
        let (page, next) = get(&server, &format!("/history/{THREAD}?limit=70{before}")).await;
        paged.splice(0..0, page.as_array().unwrap().clone());
        let Some(next) = next else { break };
        before = format!("&before={next}");
    }
    assert_eq!(&paged, whole);

    // As a thread of document 004: every message once, in the same order, and their number at the end.
    let token = server.tool(&["token", "--tenant", "default", "--agent", "reader"]);
    let mut thread = server.connect(&format!("/chat/ws?token={token}")).await;
    thread.send(json!({ "type": "history", "thread_id": THREAD })).await;
    let mut seen = Vec::new();
    let end = loop {
        let frame = thread.next().await;
        if frame["type"] == "history_end" {
            break frame;
        }
        seen.push(frame["content"].clone());
    };
    assert_eq!((end["count"].as_u64().unwrap(), seen.len()), (2 * asked.len() as u64, 2 * asked.len()));
    let said: Vec<&Value> = whole
        .iter()
        .filter(|entry| entry["role"] == "user" || entry["step_type"] == "FinalAnswerStep")
        .map(|entry| &entry["content"])
        .collect();
    assert_eq!(seen.iter().collect::<Vec<_>>(), said);
}
