//! The runs of a conversation over HTTP: all of them, however they ended, also those of an earlier process.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::client::Client;
use crate::harness::models::{Act, Models, says, status};
use crate::harness::rest::{call, get};
use crate::harness::server::{Server, Setup};

/// A page of a conversation's runs.
async fn page(server: &Server, conversation: &str, query: &str) -> Value {
    get(server, &format!("/conversations/{conversation}/runs{query}"), "").await
}

/// What stands in a field of each run of a page.
fn each<'a>(page: &'a Value, field: &str) -> Vec<&'a Value> {
    page["runs"].as_array().unwrap().iter().map(|run| &run[field]).collect()
}

fn chat(id: &str, conversation: &str, message: &str) -> Value {
    json!({ "id": id, "type": "chat", "data": { "message": message, "conversationId": conversation } })
}

/// The messages after which runs are looked at: one that is answered, one that fails, one that is still under way.
async fn three_turns(client: &mut Client, models: &Models) {
    client.send(chat("1", "thought", "Good morning")).await;
    client.until(json!({ "type": "chat_response", "id": "1" })).await;
    client.send(chat("2", "thought", "And now?")).await;
    client.until(json!({ "type": "error", "id": "2" })).await;
    client.send(chat("3", "thought", "And at last?")).await;
    models.asked_times(3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_are_listed_however_they_ended() {
    let scripts = vec![
        says(&["Good ", "morning."]),
        status(400, "", r#"{"error":{"message":"no such model"}}"#),
        vec![Act::Stall],
    ];
    let models = Models::start(scripts).await;
    let lines = format!("brain = \"model\"\n[model]\nname = \"tiny\"\nendpoint = \"{}\"\n", models.endpoint());
    let mut server = Setup::default().agent("nyx", &lines).start();
    let mut client = server.client().await;
    three_turns(&mut client, &models).await;

    let seen = page(&server, "thought", "").await;
    assert_eq!(each(&seen, "status"), ["processing", "failed", "completed"], "{seen}");
    assert_eq!(each(&seen, "request_id"), ["3", "2", "1"]);
    assert_eq!(seen["next_before"], Value::Null);
    for run in seen["runs"].as_array().unwrap() {
        let alone = get(&server, &format!("/runs/{}", run["id"].as_str().unwrap()), "").await;
        for field in
            ["id", "kind", "agent", "conversation_id", "status", "created_at", "started_at", "ended_at", "error"]
        {
            assert_eq!(run[field], alone[field], "{field} of {run}");
        }
        assert_eq!((&run["agent"], &run["steps"]), (&json!("nyx"), &json!([])), "{run}");
    }
    let [open, failed, answered] = &seen["runs"].as_array().unwrap()[..] else { panic!("{seen}") };
    assert_eq!((&open["ended_at"], &open["tokens"]), (&Value::Null, &Value::Null));
    assert!(failed["error"]["message"].is_string() && failed["ended_at"].is_string(), "{failed}");
    assert!(answered["tokens"]["output"].as_u64().is_some_and(|written| written > 0), "{answered}");

    server.kill9();
    server.restart();
    let again = page(&server, "thought", "").await;
    let [lost, rest @ ..] = &again["runs"].as_array().unwrap()[..] else { panic!("{again}") };
    assert_eq!((&lost["id"], &lost["status"]), (&open["id"], &json!("failed")), "{lost}");
    assert_eq!(lost["error"]["code"], "INTERRUPTED");
    assert_eq!(rest, [failed.clone(), answered.clone()]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_ends_where_it_is_full_also_within_one_request() {
    let mut server = Server::start();
    let mut client = server.client().await;
    let data = json!({ "conversationId": "team", "agents": ["nyx", "aria"], "mode": "all" });
    client.ask(json!({ "id": "j", "type": "join_conversation", "data": data })).await;
    for id in ["1", "2", "3"] {
        client.send(chat(id, "team", "compute 6 * 7")).await;
        client.until(json!({ "type": "chat_response", "id": id, "data": { "turn": { "index": 2 } } })).await;
    }
    let whole = page(&server, "team", "").await;
    assert_eq!(each(&whole, "agent"), ["aria", "nyx", "aria", "nyx", "aria", "nyx"]);
    assert_eq!(each(&whole, "request_id"), ["3", "3", "2", "2", "1", "1"]);
    assert_eq!(whole["next_before"], Value::Null);

    server.kill9();
    server.restart();
    for limit in 1..=6 {
        let (mut pieced, mut query) = (Vec::new(), format!("?limit={limit}"));
        loop {
            let part = page(&server, "team", &query).await;
            let runs = part["runs"].as_array().unwrap();
            assert!(!runs.is_empty() && runs.len() <= limit, "{query}: {part}");
            pieced.extend(runs.clone());
            let Some(next) = part["next_before"].as_u64() else { break };
            query = format!("?limit={limit}&before={next}");
        }
        assert_eq!(json!(pieced), whole["runs"], "{limit}");
    }
    for (path, expected) in [
        ("/conversations/nowhere/runs", 404),
        ("/conversations/team/runs?before=run-1", 400),
        ("/conversations/team/runs?before=0", 400),
        ("/conversations/team/runs?before=1", 200),
        ("/conversations/team/runs?before=18446744073709551615", 200),
        ("/conversations/team/runs?limit=0", 400),
    ] {
        let (status, body) = call(&server, Method::GET, path, "", None).await;
        assert_eq!(status, expected, "{path}: {body}");
    }
}
