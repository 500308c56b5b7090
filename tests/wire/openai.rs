//! The agents as OpenAI's API has models: what its own client does not show.

use std::time::Instant;

use reqwest::{Client, Method, Response};
use serde_json::{Value, json};

use crate::harness::PATIENCE;
use crate::harness::client;
use crate::harness::rest::{call, get, token};
use crate::harness::server::Server;

fn chat(agent: &str, content: &str, stream: bool) -> Value {
    json!({ "model": agent, "stream": stream, "messages": [{ "role": "user", "content": content }] })
}

async fn post(server: &Server, path: &str, token: &str, body: &Value) -> Response {
    let request = Client::new().post(server.http(path)).timeout(PATIENCE).json(body);
    let request = if token.is_empty() { request } else { request.bearer_auth(token) };
    request.send().await.unwrap()
}

/// An agent that is asked, and does nothing.
async fn silent(server: &Server, name: &str) -> client::Client {
    let token = token(server, "default", name, &[]);
    let mut agent = server.connect(&format!("/v1/ws?token={token}")).await;
    agent.send(json!({ "type": "heartbeat", "id": "here" })).await;
    agent.until(json!({ "type": "ACK" })).await;
    agent
}

/// Waits until a run has ended and says how.
async fn end(server: &Server, run: &str) -> String {
    let began = Instant::now();
    loop {
        let status = get(server, &format!("/runs/{run}"), "").await["status"].as_str().unwrap().to_owned();
        if !matches!(status.as_str(), "pending" | "processing") {
            return status;
        }
        assert!(began.elapsed() < PATIENCE, "{run} is {status}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_goes_away_takes_its_run_with_it() {
    let server = Server::start();
    let mut agent = silent(&server, "mute").await;
    for (path, stream) in [("/v1/chat/completions", false), ("/v1/chat/completions", true), ("/v1/responses", true)] {
        let body = match path {
            "/v1/responses" => json!({ "model": "mute", "input": "are you there?", "stream": stream }),
            _ => chat("mute", "are you there?", stream),
        };
        let request = Client::new().post(server.http(path)).json(&body).send();
        let waiting = tokio::spawn(request);
        let asked = agent.until(json!({ "metadata": { "run_id": "<id>" } })).await;
        // A stream has begun by then, the whole answer has not.
        waiting.abort();
        let _ = waiting.await;
        let run = asked["metadata"]["run_id"].as_str().unwrap();
        assert_eq!(end(&server, run).await, "cancelled", "{path} {stream}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_fails_is_an_error_before_the_answer_and_within_a_stream() {
    let server = Server::start();
    for stream in [false, true] {
        let mut agent = silent(&server, "leaver").await;
        let body = chat("leaver", "are you there?", stream);
        let url = server.http("/v1/chat/completions");
        let request = tokio::spawn(Client::new().post(url).timeout(PATIENCE).json(&body).send());
        agent.until(json!({ "metadata": { "run_id": "<id>" } })).await;
        agent.close().await;
        let response = request.await.unwrap().unwrap();
        let (status, again) = (response.status().as_u16(), response.headers().get("x-should-retry").cloned());
        let text = response.text().await.unwrap();
        assert!(text.contains("\"code\":\"agent_failed\"") && text.contains("server_error"), "{text}");
        match stream {
            // It has done what it has done: a client that repeats itself would have it done twice.
            false => assert_eq!((status, again.unwrap().to_str().unwrap()), (502, "false")),
            true => assert!(status == 200 && !text.contains("[DONE]"), "{status} {text}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_response_that_is_not_to_be_stored_is_not() {
    let server = Server::start();
    let somebody = token(&server, "t", "somebody", &[]);
    let body = |stream: bool, more: Value| {
        let mut body = json!({ "model": "nyx", "input": "what is 6 times 7?", "stream": stream, "store": false });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let response: Value =
        post(&server, "/v1/responses", &somebody, &body(false, json!({}))).await.json().await.unwrap();
    assert_eq!((&response["store"], &response["conversation"]), (&json!(false), &Value::Null), "{response}");
    assert!(response["output"][0]["content"][0]["text"].as_str().unwrap().contains("42"), "{response}");
    let streamed = post(&server, "/v1/responses", &somebody, &body(true, json!({}))).await.text().await.unwrap();
    assert!(streamed.contains("response.completed") && streamed.contains("42"), "{streamed}");
    let began = Instant::now();
    while get(&server, "/conversations", &somebody).await["conversations"] != json!([]) {
        assert!(began.elapsed() < PATIENCE, "they are still there");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let path = format!("/v1/responses/{}", response["id"].as_str().unwrap());
    assert_eq!(call(&server, Method::GET, &path, &somebody, None).await.0, 404);

    // A conversation that the client keeps is kept.
    let kept = post(&server, "/v1/responses", &somebody, &body(false, json!({ "conversation": "mine" }))).await;
    assert_eq!(kept.json::<Value>().await.unwrap()["store"], true);
    let messages = get(&server, "/conversations/mine/messages", &somebody).await;
    assert_eq!(messages["messages"].as_array().unwrap().len(), 2, "{messages}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_refusal_has_the_shape_that_its_clients_read() {
    let server = Server::with("[auth]\nrequired = true\n[server]\nmax_body = \"4KiB\"");
    let somebody = token(&server, "t", "somebody", &[]);
    let mute = token(&server, "t", "reader", &["--scope", "channel:subscribe"]);
    let large = json!({ "model": "nyx", "messages": [{ "role": "user", "content": "x".repeat(8192) }] });
    let hello = chat("nyx", "hello", false);
    for (token, method, path, body, status, code) in [
        ("", Method::GET, "/v1/models", None, 401, "unauthorized"),
        ("a.b.c", Method::GET, "/v1/models", None, 401, "unauthorized"),
        (mute.as_str(), Method::POST, "/v1/chat/completions", Some(hello.clone()), 403, "unauthorized"),
        (&somebody, Method::GET, "/v1/models/nobody", None, 404, "model_not_found"),
        (&somebody, Method::POST, "/v1/chat/completions", Some(chat("nobody", "x", true)), 404, "model_not_found"),
        (&somebody, Method::POST, "/v1/chat/completions", Some(json!([])), 400, "invalid_message"),
        (&somebody, Method::POST, "/v1/chat/completions", Some(large), 413, "invalid_message"),
        (&somebody, Method::DELETE, "/v1/chat/completions", None, 405, "method_not_allowed"),
        (&somebody, Method::GET, "/v1/responses/resp_x", None, 404, "run_not_found"),
    ] {
        let (came, text) = call(&server, method, path, token, body).await;
        assert_eq!(came, status, "{path}: {text}");
        let error = &serde_json::from_str::<Value>(&text).unwrap()["error"];
        assert!(error["message"].is_string() && error["type"].is_string(), "{text}");
        let known = error["code"].as_str().unwrap();
        assert!(known == code || (status == 401 && known == "invalid_api_key"), "{path}: {text}");
        assert!(error.get("param").is_some(), "{text}");
    }
    // What stands beside it under the same prefix keeps its own shape.
    let (_, text) = call(&server, Method::GET, "/v1/channels", "", None).await;
    assert!(text.contains("\"details\""), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_tenant_says_is_not_gone_on_from_by_another() {
    let server = Server::start();
    let (one, other) = (token(&server, "one", "a", &[]), token(&server, "other", "a", &[]));
    let first = post(&server, "/v1/responses", &one, &json!({ "model": "nyx", "input": "what is 2 + 3?" })).await;
    let first: Value = first.json().await.unwrap();
    let id = first["id"].as_str().unwrap();
    let on = json!({ "model": "nyx", "input": "and then?", "previous_response_id": id });
    assert_eq!(post(&server, "/v1/responses", &other, &on).await.status().as_u16(), 404);
    assert_eq!(post(&server, "/v1/responses", &one, &on).await.status().as_u16(), 200);
    let conversation = first["conversation"]["id"].as_str().unwrap();
    let said = get(&server, &format!("/conversations/{conversation}/messages"), &one).await;
    assert_eq!(said["messages"].as_array().unwrap().len(), 4, "{said}");
    // It belongs to its subject: another of the same tenant does not see it.
    let neighbour = token(&server, "one", "b", &[]);
    let path = format!("/conversations/{conversation}/messages");
    assert_eq!(call(&server, Method::GET, &path, &neighbour, None).await.0, 404);
}
