//! Who is let in, and what for: credentials over real sockets, against the program as it ships.

use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self, http::HeaderValue};

use crate::harness::client::Client;
use crate::harness::rest::{get, token};
use crate::harness::server::Server;

/// The endpoints of every document.
const ENDPOINTS: [&str; 4] = ["/ws", "/chat/somewhere", "/v1/ws", "/chat/ws"];

/// The status of a refusal; `None`: it was let in.
async fn refusal(server: &Server, path: &str) -> Option<u16> {
    match Client::try_connect(&format!("ws://{}{path}", server.address())).await {
        Ok(client) => {
            client.close().await;
            None
        }
        Err((status, body)) => {
            let body: Value = serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error} in {body}"));
            assert!(body["error"]["code"].is_string() && body["error"]["message"].is_string(), "{path}: {body}");
            Some(status)
        }
    }
}

/// Connects with headers of its own: the subprotocol that was agreed to, or the status of the refusal.
async fn with_headers(server: &Server, path: &str, headers: &[(&'static str, &str)]) -> Result<Option<String>, u16> {
    let mut request = format!("ws://{}{path}", server.address()).into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, HeaderValue::from_str(value).unwrap());
    }
    match tokio_tungstenite::connect_async(request).await {
        Ok((_, response)) => {
            let agreed = response.headers().get("sec-websocket-protocol");
            Ok(agreed.map(|agreed| agreed.to_str().unwrap().to_owned()))
        }
        Err(tungstenite::Error::Http(response)) => Err(response.status().as_u16()),
        Err(error) => panic!("{error}"),
    }
}

/// Nothing of a credential is among what the server printed, not even one of its parts.
fn assert_unprinted(server: &Server, credentials: &[&str]) {
    let printed = server.printed();
    assert!(printed.contains("access: "), "the log is missing:\n{printed}");
    for credential in credentials {
        for part in credential.split('.').filter(|part| part.len() > 20) {
            assert!(!printed.contains(part), "{credential} was printed:\n{printed}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_expires_ends_its_sockets_and_opens_no_more() {
    let server = Server::start();
    let brief = token(&server, "t", "ann", &["--ttl", "3s"]);
    let mut clients = Vec::new();
    for path in ENDPOINTS {
        clients.push(server.connect(&format!("{path}?token={brief}")).await);
    }
    for (client, path) in clients.iter_mut().zip(ENDPOINTS) {
        let (code, reason) = client.closed().await;
        assert_eq!((code, reason.as_str()), (1008, "the token has expired"), "{path}");
    }
    for path in ENDPOINTS {
        assert_eq!(refusal(&server, &format!("{path}?token={brief}")).await, Some(401), "{path}");
    }
    assert_unprinted(&server, &[&brief]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_not_signed_here_is_refused_before_the_upgrade() {
    let server = Server::start();
    let good = token(&server, "t", "ann", &[]);
    let claims = json!({ "sub": "ann", "tenant_id": "other", "agent_id": "ann", "exp": 4_000_000_000_u64 });
    let key = EncodingKey::from_secret(b"a secret of somebody else's, of 32 bytes and more");
    let foreign = jsonwebtoken::encode(&Header::default(), &claims, &key).unwrap();
    let parts = |token: &str| token.split('.').map(str::to_owned).collect::<Vec<_>>();
    let (own, other) = (parts(&good), parts(&foreign));
    // {"alg":"none","typ":"JWT"}
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
    let bad = [
        foreign.clone(),
        format!("{}.{}.{}", own[0], other[1], own[2]),
        format!("{none}.{}.", own[1]),
        format!("{none}.{}.{}", own[1], own[2]),
        format!("{}.{}.", own[0], own[1]),
        format!("{}.{}", own[0], own[1]),
        good.to_uppercase(),
        "nonsense".to_owned(),
    ];
    for path in ENDPOINTS {
        assert_eq!(refusal(&server, &format!("{path}?token={good}")).await, None, "{path}");
        for token in &bad {
            assert_eq!(refusal(&server, &format!("{path}?token={token}")).await, Some(401), "{path} {token}");
            let bearer = with_headers(&server, path, &[("authorization", &format!("Bearer {token}"))]).await;
            assert_eq!(bearer, Err(401), "{path} {token}");
        }
        assert_eq!(refusal(&server, &format!("{path}?key=cbk_123_456")).await, Some(401), "{path}");
    }
    for path in ["/v1/ws", "/api/v1/ws", "/chat/ws", "/v1/ws/tenant/t/agent/ann/channel/c"] {
        assert_eq!(refusal(&server, path).await, Some(401), "{path}");
    }
    let credentials: Vec<&str> = bad.iter().map(String::as_str).chain([good.as_str()]).collect();
    assert_unprinted(&server, &credentials);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_path_of_a_channel_is_held_to_the_token() {
    let server = Server::start();
    let narrow = token(&server, "t", "ann", &["--channel", "news"]);
    for (path, expected) in [
        ("/v1/ws/tenant/t/agent/ann/channel/news", None),
        ("/api/v1/ws/tenant/t/agent/ann/channel/news", None),
        ("/v1/ws/tenant/other/agent/ann/channel/news", Some(403)),
        ("/v1/ws/tenant/t/agent/bob/channel/news", Some(403)),
        ("/v1/ws/tenant/t/agent/ann/channel/secret", Some(403)),
        ("/v1/ws/tenant/t/agent/ann/channel", Some(404)),
    ] {
        assert_eq!(refusal(&server, &format!("{path}?token={narrow}")).await, expected, "{path}");
    }
    assert_eq!(refusal(&server, &format!("/v1/ws?token={narrow}&channel_id=secret")).await, Some(403));
    assert_unprinted(&server, &[&narrow]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_good_until_it_is_revoked() {
    let server = Server::start();
    let key = server.tool(&["key", "create", "--tenant", "t", "--name", "robot"]);
    let other = server.tool(&["key", "create", "--tenant", "t", "--name", "other"]);
    for path in ENDPOINTS {
        assert_eq!(refusal(&server, &format!("{path}?key={key}")).await, None, "{path}");
        let bearer = with_headers(&server, path, &[("authorization", &format!("Bearer {key}"))]).await;
        assert_eq!(bearer, Ok(None), "{path}");
    }
    server.tool(&["key", "revoke", "robot"]);
    for path in ENDPOINTS {
        assert_eq!(refusal(&server, &format!("{path}?key={key}")).await, Some(401), "{path}");
        assert_eq!(refusal(&server, &format!("{path}?key={other}")).await, None, "{path}");
    }
    assert_unprinted(&server, &[&key, &other]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_page_is_refused_and_the_own_one_is_not() {
    let server = Server::with("[auth]\norigins = [\"https://app.example.com\"]");
    let good = token(&server, "t", "ann", &[]);
    let own = format!("http://{}", server.address());
    for path in ENDPOINTS {
        let path = format!("{path}?token={good}");
        for origin in [own.as_str(), "https://app.example.com"] {
            assert_eq!(with_headers(&server, &path, &[("origin", origin)]).await, Ok(None), "{path} {origin}");
        }
        for origin in ["https://evil.example.com", "http://127.0.0.1:1", "https://app.example.com.evil.org", "null"] {
            assert_eq!(with_headers(&server, &path, &[("origin", origin)]).await, Err(403), "{path} {origin}");
        }
    }
    assert_unprinted(&server, &[&good]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bearer_among_the_subprotocols_is_taken_and_not_given_back() {
    let server = Server::with("[auth]\nrequired = true");
    let good = token(&server, "t", "ann", &[]);
    for path in ENDPOINTS {
        let offered = format!("callboard, bearer.{good}");
        let agreed = with_headers(&server, path, &[("sec-websocket-protocol", &offered)]).await;
        assert_eq!(agreed, Ok(Some("callboard".to_owned())), "{path}");
        let wrong = with_headers(&server, path, &[("sec-websocket-protocol", "callboard, bearer.a.b.c")]).await;
        assert_eq!(wrong, Err(401), "{path}");
        assert_eq!(refusal(&server, path).await, Some(401), "{path}, anonymous");
    }
    assert_unprinted(&server, &[&good]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scopes_are_the_bounds_of_what_a_token_can_do() {
    let server = Server::start();
    let reader = token(&server, "t", "reader", &["--scope", "channel:subscribe"]);
    let usual = token(&server, "t", "usual", &[]);
    let unauthorized = || json!({ "type": "error", "id": "x", "data": { "code": "UNAUTHORIZED" } });

    let mut client = server.connect(&format!("/ws?token={reader}")).await;
    for frame in [
        json!({ "type": "chat", "id": "x", "data": { "message": "hello" } }),
        json!({ "type": "command", "id": "x", "data": { "instruction": "compute 1 + 1" } }),
        json!({ "type": "task", "id": "x", "content": "compute 1 + 1" }),
        json!({ "type": "publish", "id": "x", "data": { "channel": "news", "content": 1 } }),
        json!({ "type": "join_conversation", "id": "x", "data": { "conversationId": "c" } }),
        json!({ "type": "history", "id": "x", "data": { "conversationId": "c" } }),
        json!({ "type": "subscribe", "id": "x", "data": { "events": ["*"] } }),
        json!({ "type": "agent_handoff", "id": "x", "data": { "conversationId": "c", "fromAgent": "nyx", "toAgent": "sage" } }),
        json!({ "type": "typing_start", "id": "x", "data": { "conversationId": "c", "userId": "u" } }),
        json!({ "type": "cancel", "id": "x", "data": { "id": "run-1-1-1" } }),
    ] {
        client.send(frame.clone()).await;
        let heard = client.next().await;
        let fits = crate::harness::pattern::matches(&unauthorized(), &heard, &mut Default::default());
        fits.unwrap_or_else(|why| panic!("{frame}: {why} in {heard}"));
    }
    client.ask(json!({ "type": "subscribe", "id": "s", "data": { "channels": ["news"] } })).await;

    let mut steps = server.connect(&format!("/chat/c?token={reader}")).await;
    steps.send(json!({ "type": "client", "message": "hello", "message_id": "m" })).await;
    steps.until(json!({ "type": "agent_error", "message_id": "m" })).await;
    let mut threads = server.connect(&format!("/chat/ws?token={reader}")).await;
    let thread = "123e4567-e89b-12d3-a456-426614174000";
    threads.send(json!({ "type": "message", "thread_id": thread, "content": "hello" })).await;
    threads.expect(json!({ "type": "error" })).await;

    // In a channel it listens, and is no agent that others could ask.
    let mut listener = server.connect(&format!("/v1/ws?token={reader}&channel_id=news")).await;
    listener.send(json!({ "id": "x", "type": "message", "content": 1 })).await;
    listener.expect(json!({ "type": "ERROR", "message_id": "x", "code": "UNAUTHORIZED" })).await;
    listener.send(json!({ "id": "x", "type": "message", "target": "usual", "content": 1 })).await;
    listener.expect(json!({ "type": "ERROR", "message_id": "x", "code": "UNAUTHORIZED" })).await;
    let mut agent = server.connect(&format!("/v1/ws?token={usual}&channel_id=news")).await;
    agent.send(json!({ "id": "y", "type": "message", "content": "open" })).await;
    agent.expect(json!({ "type": "ACK", "message_id": "y" })).await;
    listener.expect(json!({ "type": "message", "content": "open", "seq": 1 })).await;
    client.until(json!({ "type": "channel_message", "data": { "seq": 1 } })).await;
    while get(&server, "/v1/agents/usual", &usual).await["serves"] != true {}
    let agents = get(&server, "/agents", &usual).await;
    let names: Vec<&str> =
        agents["agents"].as_array().unwrap().iter().map(|agent| agent["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"usual") && !names.contains(&"reader"), "{names:?}");
    assert_eq!(get(&server, "/v1/agents/reader", &usual).await["serves"], false);
    assert_unprinted(&server, &[&reader, &usual]);
}
