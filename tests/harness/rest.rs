//! Credentials of a server under test, and its resources over HTTP.

use reqwest::{Client, Method};
use serde_json::Value;

use super::PATIENCE;
use super::server::Server;

/// A token of an agent; `more` are further arguments of `callboard token`.
pub fn token(server: &Server, tenant: &str, agent: &str, more: &[&str]) -> String {
    server.tool(&[&["token", "--tenant", tenant, "--agent", agent][..], more].concat())
}

/// What the server answers to a request: the status and the body as it came. An empty `token` is none.
pub async fn call(server: &Server, method: Method, path: &str, token: &str, body: Option<Value>) -> (u16, String) {
    let mut request = Client::new().request(method, server.http(path)).timeout(PATIENCE);
    if !token.is_empty() {
        request = request.bearer_auth(token);
    }
    if let Some(body) = body {
        request = request.header("content-type", "application/json").body(body.to_string());
    }
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    (status, response.text().await.unwrap())
}

/// What a metric counts, over all its labels that hold `label`; 0 if it is not shown.
pub async fn counted(server: &Server, metric: &str, label: &str) -> f64 {
    let (status, text) = call(server, Method::GET, "/metrics", "", None).await;
    assert_eq!(status, 200, "{text}");
    let lines = text.lines().filter(|line| line.starts_with(metric) && line.contains(label));
    lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
}

/// What is found at a path; anything but 200 is a failure.
pub async fn get(server: &Server, path: &str, token: &str) -> Value {
    let (status, body) = call(server, Method::GET, path, token, None).await;
    assert_eq!(status, 200, "{path}: {body}");
    serde_json::from_str(&body).unwrap()
}
