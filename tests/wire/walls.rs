//! Tenants are walls, and so are threads of document 004 between the subjects of a tenant: whoever stands outside sees
//! nothing, reaches nobody and changes nothing, whatever is tried with the ids of those inside.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::client::{Client, Heard};
use crate::harness::pattern::{self, Captures};
use crate::harness::rest::{call, get, token};
use crate::harness::server::Server;

/// A conversation, a channel and an agent of tenant one.
const ROOM: &str = "room-of-one";
const CHANNEL: &str = "wire-of-one";
const BOT: &str = "bot-of-one";

/// A private thread of tenant one.
const THREAD: &str = "7d0f6a9e-3b0c-4c8e-9a53-1f2e3d4c5b6a";

/// What stands in tenant one's messages, publications and memories, and nowhere else.
const SECRET: &str = "swordfish";

/// Everything that tenant one has, and who listens there.
struct One {
    token: String,
    admin: String,
    /// Asks, and waits for the answer of its own agent.
    asker: Client,
    /// Subscribed to all that can be subscribed to, a member of the conversation.
    watcher: Client,
    /// On the conversation through document 001.
    steps: Client,
    /// On the thread through document 004.
    threads: Client,
    /// In the channel.
    listener: Client,
    /// The agent of another process.
    bot: Client,
    /// A run that ended, one that waits for the bot's answer, and the message that brought it there.
    ended: String,
    open: String,
    errand: String,
    subscription: String,
    bot_id: String,
}

async fn ask(client: &mut Client, kind: &str, data: Value) -> Value {
    let reply = client.ask(json!({ "id": format!("own-{kind}"), "type": kind, "data": data })).await;
    assert_ne!(reply["type"], "error", "{reply}");
    reply
}

/// Passes over what has come already, until nothing is on its way.
async fn drained(client: &mut Client) {
    client.send(json!({ "type": "ping" })).await;
    client.until(json!({ "type": "pong" })).await;
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

impl One {
    async fn settle(server: &Server) -> Self {
        let own = token(server, "one", "ann", &[]);
        let admin = token(server, "one", "root", &["--scope", "admin"]);
        let robot = token(server, "one", BOT, &[]);
        let mut watcher = server.connect(&format!("/ws?token={own}")).await;
        let mut asker = server.connect(&format!("/ws?token={own}")).await;
        let mut steps = server.connect(&format!("/chat/{ROOM}?token={own}")).await;
        let mut threads = server.connect(&format!("/chat/ws?token={own}")).await;
        let mut listener = server.connect(&format!("/v1/ws?token={own}&channel_id={CHANNEL}")).await;
        let mut bot = server.connect(&format!("/v1/ws?token={robot}&channel_id={CHANNEL}")).await;

        ask(
            &mut asker,
            "chat",
            json!({ "message": format!("remember that the password is {SECRET}"), "conversationId": ROOM }),
        )
        .await;
        let known =
            ask(&mut asker, "chat", json!({ "message": "What is the password?", "conversationId": "other-of-one" }))
                .await;
        assert!(known["data"]["response"].as_str().unwrap().contains(SECRET), "{known}");
        let ended = ask(&mut asker, "command", json!({ "instruction": "compute 6 * 7", "conversationId": ROOM })).await;
        for content in [json!({ "word": SECRET }), json!(2)] {
            ask(&mut asker, "publish", json!({ "channel": CHANNEL, "content": content, "messageId": format!("m-{content}").replace(['{', '}', '"'], "") })).await;
        }
        listener.send(json!({ "id": "direct", "type": "message", "target": BOT, "content": SECRET })).await;
        bot.until(json!({ "id": "direct", "content": SECRET })).await;
        threads
            .send(json!({ "type": "message", "thread_id": THREAD, "content": format!("my word is {SECRET}") }))
            .await;
        threads.until(json!({ "type": "message", "role": "assistant" })).await;
        steps.send(json!({ "type": "get_history" })).await;
        steps.until(json!({ "type": "chat_history" })).await;

        ask(&mut watcher, "join_conversation", json!({ "conversationId": ROOM, "agents": ["nyx", "aria"] })).await;
        let subscribed = ask(&mut watcher, "subscribe", json!({ "events": ["*"] })).await;
        for stream in ["thoughts", "actions", "tokens"] {
            ask(&mut watcher, "subscribe", json!({ "stream": stream })).await;
        }
        ask(&mut watcher, "subscribe", json!({ "channels": [CHANNEL] })).await;

        // A run that lasts as long as the bot does not answer.
        let data = json!({ "instruction": format!("guard {SECRET}"), "conversationId": "errand-of-one" });
        asker.send(json!({ "id": "open", "type": "command", "targetAgent": BOT, "data": data })).await;
        let errand = bot.until(json!({ "metadata": { "run_id": "<id>" } })).await;
        let open = text(&errand["metadata"]["run_id"]);
        while get(server, &format!("/runs/{open}"), &own).await["status"] != "processing" {}
        let bot_id = text(&get(server, &format!("/agents/{BOT}"), &own).await["id"]);
        let mut one = Self {
            token: own,
            admin,
            asker,
            watcher,
            steps,
            threads,
            listener,
            bot,
            ended: text(&ended["data"]["commandId"]),
            open,
            errand: text(&errand["id"]),
            subscription: text(&subscribed["data"]["subscriptions"][0]["id"]),
            bot_id,
        };
        for client in one.everybody() {
            drained(client).await;
        }
        one
    }

    fn everybody(&mut self) -> [&mut Client; 6] {
        [&mut self.asker, &mut self.watcher, &mut self.steps, &mut self.threads, &mut self.listener, &mut self.bot]
    }

    /// All that can be read of tenant one, but for what time alone changes.
    async fn state(&self, server: &Server) -> Vec<String> {
        let paths = [
            "/agents".to_owned(),
            "/status".to_owned(),
            "/conversations".to_owned(),
            format!("/conversations/{ROOM}"),
            format!("/conversations/{ROOM}/messages"),
            format!("/conversations/{ROOM}/runs"),
            format!("/conversations/{THREAD}"),
            format!("/conversations/{THREAD}/messages"),
            format!("/conversations/{THREAD}/runs"),
            format!("/history/{ROOM}"),
            "/channels".to_owned(),
            format!("/channels/{CHANNEL}"),
            format!("/channels/{CHANNEL}/messages"),
            "/v1/agents".to_owned(),
            format!("/v1/agents/{BOT}"),
            format!("/v1/channels/{CHANNEL}/messages"),
            format!("/runs/{}", self.ended),
            format!("/runs/{}", self.open),
        ];
        let mut state = Vec::new();
        for path in paths {
            state.push(format!("{path} {}", timeless(get(server, &path, &self.token).await)));
        }
        state.push(timeless(get(server, "/sessions", &self.admin).await).to_string());
        state
    }

    /// Nobody has heard anything: the next that each of them hears is what tenant one says itself.
    async fn has_heard_nothing(&mut self, server: &Server) {
        for client in self.everybody() {
            client.quiet().await;
        }
        let mut crier = server.connect(&format!("/ws?token={}", self.token)).await;
        let typing =
            json!({ "id": "t", "type": "typing_start", "data": { "conversationId": ROOM, "userId": "crier" } });
        crier.send(typing).await;
        for kind in ["typing_start", "event"] {
            // As a member and as a subscriber, in either order.
            let heard = self.watcher.next().await;
            assert!(heard["type"] == "typing_start" || heard["type"] == "event", "{kind}: {heard}");
            assert!(heard.to_string().contains("crier"), "{heard}");
        }
        let published = ask(&mut crier, "publish", json!({ "channel": CHANNEL, "content": "crier" })).await;
        assert_eq!(published["data"]["seq"], 3, "{published}");
        for client in [&mut self.listener, &mut self.bot] {
            client.expect(json!({ "type": "message", "seq": 3, "content": "crier" })).await;
        }
        self.watcher.expect(json!({ "type": "channel_message", "data": { "seq": 3, "content": "crier" } })).await;
        self.threads.send(json!({ "type": "message", "thread_id": THREAD, "content": "compute 1 + 1" })).await;
        self.threads.expect(json!({ "type": "message_received" })).await;
        self.threads.expect(json!({ "type": "message", "content": "~2" })).await;
        let data = json!({ "message": "compute 2 + 2", "conversationId": ROOM });
        crier.send(json!({ "id": "crier", "type": "chat", "targetAgent": "nyx", "data": data })).await;
        self.steps.expect(json!({ "type": "agent_step", "message_id": "crier" })).await;
        // The run that was open all the time ends as its own agent says.
        let answer = json!({ "id": "done", "type": "message", "reply_to": self.errand, "content": "guarded" });
        self.bot.send(answer).await;
        let ended = self.asker.next().await;
        let expected =
            json!({ "type": "command_result", "id": "open", "data": { "status": "completed", "result": "~guarded" } });
        let loose = json!({ "type": "command_result", "id": "open", "data": { "status": "completed" } });
        matching(&loose, &ended);
        assert!(ended.to_string().contains("guarded"), "{expected} {ended}");
    }
}

fn matching(pattern: &Value, frame: &Value) {
    pattern::matches(pattern, frame, &mut Captures::default()).unwrap_or_else(|why| panic!("{why} in {frame}"));
}

/// The same without what time alone changes.
fn timeless(mut value: Value) -> Value {
    match &mut value {
        Value::Object(fields) => {
            fields.retain(|name, _| name != "uptime" && name != "intensity");
            fields.values_mut().for_each(|field| *field = timeless(field.take()));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = timeless(item.take())),
        _ => {}
    }
    value
}

/// What must come of a frame.
enum Then {
    /// The first answer of this pattern ends it; before it nothing may come that gives anything away.
    Comes(Value),
    /// Nothing at all: the answer to a ping is the next frame, but for those on the way of one's own work.
    Silence,
}

use Then::{Comes, Silence};

fn refused(code: &str) -> Then {
    Comes(json!({ "type": "error", "data": { "code": code } }))
}

fn unacknowledged() -> Then {
    Comes(json!({ "type": "ERROR" }))
}

/// Sends a frame; whatever comes holds nothing of tenant one.
async fn attempt(client: &mut Client, frame: &Value, then: &Then, hidden: &[&str]) {
    client.send(frame.clone()).await;
    let last = match then {
        Comes(pattern) => pattern.clone(),
        Silence => {
            client.send(json!({ "type": "ping" })).await;
            json!({ "type": "pong" })
        }
    };
    let mut passed = Vec::new();
    loop {
        let Some(Heard::Json(heard)) = client.heard_within(std::time::Duration::from_secs(10)).await else {
            panic!("of {frame} comes no {last}, but {passed:?}")
        };
        let shown = heard.to_string();
        for secret in hidden {
            assert!(!shown.contains(secret), "{frame} gives {secret} away: {heard}");
        }
        if pattern::matches(&last, &heard, &mut Captures::default()).is_ok() {
            return;
        }
        let kind = heard["type"].as_str().unwrap_or_default();
        let wrong = frame["type"] != "batch" && ["error", "ERROR", "agent_error"].contains(&kind);
        assert!(!wrong, "{frame}: {heard}, expected {last}");
        passed.push(shown);
    }
}

/// What tenant two tries on `/ws`, with what tenant one has.
fn attempts_on_ws(one: &One) -> Vec<(Value, Then)> {
    let room = json!({ "conversationId": ROOM });
    let none = || refused("CONVERSATION_NOT_FOUND");
    vec![
        // A conversation of that name, before there is one in tenant two.
        (json!({ "type": "history", "data": room }), none()),
        (json!({ "type": "history", "data": { "conversationId": THREAD } }), none()),
        (json!({ "type": "typing_start", "data": { "conversationId": ROOM, "userId": "intruder" } }), none()),
        (json!({ "type": "typing_stop", "conversationId": ROOM, "userId": "intruder" }), none()),
        (
            json!({ "type": "agent_handoff", "data": { "fromAgent": "nyx", "toAgent": "sage", "conversationId": ROOM } }),
            none(),
        ),
        (json!({ "type": "leave_conversation", "data": room }), none()),
        // Requests that are none of its own.
        (json!({ "type": "cancel", "data": { "id": one.open } }), refused("RUN_NOT_FOUND")),
        (json!({ "type": "cancel", "data": { "id": "open" } }), refused("RUN_NOT_FOUND")),
        (json!({ "type": "cancel", "data": { "id": one.ended } }), refused("RUN_NOT_FOUND")),
        // Agents of the other tenant, by name and by id.
        (json!({ "type": "status", "targetAgent": BOT }), refused("AGENT_NOT_FOUND")),
        (json!({ "type": "status", "targetAgent": one.bot_id }), refused("AGENT_NOT_FOUND")),
        (json!({ "type": "status" }), Comes(json!({ "type": "status_update", "data": { "sessions": 1 } }))),
        (json!({ "type": "chat", "targetAgent": BOT, "data": { "message": "intruder" } }), refused("AGENT_NOT_FOUND")),
        (
            json!({ "type": "chat", "targetAgent": one.bot_id, "data": { "message": "intruder" } }),
            refused("AGENT_NOT_FOUND"),
        ),
        (
            json!({ "type": "command", "targetAgent": BOT, "data": { "instruction": "intruder" } }),
            refused("AGENT_NOT_FOUND"),
        ),
        (json!({ "type": "task", "agent": BOT, "content": "intruder" }), refused("AGENT_NOT_FOUND")),
        (
            json!({ "type": "join_conversation", "data": { "conversationId": "fresh", "agents": [BOT] } }),
            refused("AGENT_NOT_FOUND"),
        ),
        (json!({ "type": "subscribe", "data": { "stream": "thoughts", "agentId": BOT } }), refused("AGENT_NOT_FOUND")),
        (
            json!({ "type": "batch", "id": "b", "data": { "messages": [
            { "type": "history", "data": room },
            { "type": "cancel", "data": { "id": one.open } },
            { "type": "chat", "targetAgent": BOT, "data": { "message": "intruder" } } ] } }),
            Comes(json!({ "type": "batch_result", "data": { "results": [
                { "code": "CONVERSATION_NOT_FOUND" }, { "code": "RUN_NOT_FOUND" }, { "code": "AGENT_NOT_FOUND" }] } })),
        ),
        (json!({ "type": "ping" }), Silence),
    ]
}

/// What tenant two does on `/ws` that works, with the same names: in its own house.
fn doings_on_ws(one: &One) -> Vec<(Value, Then)> {
    let room = json!({ "conversationId": ROOM });
    let answered = |id: &str| Comes(json!({ "type": "chat_response", "id": id, "data": { "conversationId": ROOM } }));
    vec![
        (json!({ "type": "subscribe", "data": { "events": ["*"] } }), Comes(json!({ "type": "subscribed" }))),
        (
            json!({ "type": "subscribe", "data": { "stream": "thoughts", "agentId": "nyx" } }),
            Comes(json!({ "type": "subscribed" })),
        ),
        (json!({ "type": "subscribe", "data": { "stream": "tokens" } }), Comes(json!({ "type": "subscribed" }))),
        (
            json!({ "type": "unsubscribe", "data": { "subscriptionIds": [one.subscription] } }),
            Comes(json!({ "type": "unsubscribed" })),
        ),
        (
            json!({ "type": "subscribe", "data": { "channels": [CHANNEL], "since": 0 } }),
            Comes(json!({ "type": "subscribed" })),
        ),
        (
            json!({ "type": "publish", "id": "p", "data": { "channel": CHANNEL, "content": "intruder", "messageId": "m-2" } }),
            Comes(json!({ "type": "published", "id": "p", "data": { "seq": 1 } })),
        ),
        (
            json!({ "type": "chat", "id": "c1", "data": { "message": "What is the password?", "conversationId": ROOM } }),
            answered("c1"),
        ),
        (
            json!({ "type": "chat", "id": "c2", "data": { "message": "What do you remember?", "conversationId": ROOM } }),
            answered("c2"),
        ),
        (
            json!({ "type": "chat", "id": "c3", "data": { "message": "forget the password", "conversationId": ROOM } }),
            answered("c3"),
        ),
        (
            json!({ "type": "command", "id": "c4", "data": { "instruction": "recall the password", "conversationId": ROOM } }),
            Comes(json!({ "type": "command_result", "id": "c4" })),
        ),
        (
            json!({ "type": "task", "id": "c5", "content": "What is the password?" }),
            Comes(json!({ "type": "final_answer", "id": "c5" })),
        ),
        (
            json!({ "type": "join_conversation", "data": { "conversationId": ROOM, "agents": ["nyx", "sage"] } }),
            Comes(json!({ "type": "conversation_joined", "data": { "agents": ["nyx", "sage"] } })),
        ),
        (json!({ "type": "typing_start", "data": { "conversationId": ROOM, "userId": "intruder" } }), Silence),
        (
            json!({ "type": "agent_handoff", "id": "h", "data": { "fromAgent": "nyx", "toAgent": "sage", "conversationId": ROOM } }),
            Comes(json!({ "type": "agent_handoff", "id": "h" })),
        ),
        (json!({ "type": "history", "id": "own", "data": room }), Comes(json!({ "type": "history", "id": "own" }))),
        (json!({ "type": "leave_conversation", "data": room }), Comes(json!({ "type": "conversation_left" }))),
    ]
}

/// On `/chat/{id}`, on `/v1/ws` in a channel of that name, and on `/chat/ws`.
fn attempts_on_chat() -> Vec<(Value, Then)> {
    vec![
        (json!({ "type": "get_history" }), Comes(json!({ "type": "chat_history" }))),
        (
            json!({ "type": "client", "message": "What is the password?", "message_id": "x1" }),
            Comes(json!({ "type": "message_end", "message_id": "x1" })),
        ),
    ]
}

fn attempts_on_v1(one: &One) -> Vec<(Value, Then)> {
    let acknowledged = |id: &str| Comes(json!({ "type": "ACK", "message_id": id }));
    vec![
        (json!({ "id": "a1", "type": "message", "content": "intruder" }), acknowledged("a1")),
        (json!({ "id": "a2", "type": "message", "target": BOT, "content": "intruder" }), acknowledged("a2")),
        (json!({ "id": "a3", "type": "heartbeat" }), acknowledged("a3")),
        (json!({ "id": "a4", "type": "message", "reply_to": one.errand, "content": "intruder" }), unacknowledged()),
        (json!({ "id": "a5", "type": "step", "reply_to": one.errand, "content": "intruder" }), unacknowledged()),
        (
            json!({ "id": "a6", "type": "message", "tenant_id": "one", "channel_id": CHANNEL, "agent_id": BOT, "content": "intruder" }),
            acknowledged("a6"),
        ),
    ]
}

fn attempts_on_threads() -> Vec<(Value, Then)> {
    let none = || Comes(json!({ "type": "error", "message": "Thread not found" }));
    vec![
        (json!({ "type": "delete_thread", "thread_id": THREAD }), none()),
        (
            json!({ "type": "message", "thread_id": THREAD, "agent_id": BOT, "content": "intruder" }),
            Comes(json!({ "type": "error", "message": "Agent not found" })),
        ),
        (json!({ "type": "history", "thread_id": THREAD }), Comes(json!({ "type": "history_end", "count": 1 }))),
        (
            json!({ "type": "message", "thread_id": THREAD, "content": "What is my word?" }),
            Comes(json!({ "type": "message", "role": "assistant" })),
        ),
        (json!({ "type": "delete_thread", "thread_id": THREAD }), Comes(json!({ "type": "thread_deleted" }))),
    ]
}

/// Every resource, with the status that it has for tenant two before it has anything of that name.
fn attempts_over_http(one: &One) -> Vec<(Method, String, Option<Value>, u16)> {
    let (get, post, delete) = (Method::GET, Method::POST, Method::DELETE);
    let at = |path: &str| path.to_owned();
    let mut list = vec![
        (get.clone(), at("/"), None, 200),
        (get.clone(), at("/status"), None, 200),
        (get.clone(), at("/agents"), None, 200),
        (get.clone(), at("/sessions"), None, 200),
        (get.clone(), at("/metrics"), None, 200),
        (get.clone(), at("/conversations"), None, 200),
        (get.clone(), at("/conversations?after=a&limit=1000"), None, 200),
        (get.clone(), at("/channels"), None, 200),
        (get.clone(), at("/v1/agents"), None, 200),
        (get.clone(), at("/v1/channels"), None, 200),
        (get.clone(), format!("/history/{ROOM}"), None, 200),
        (get.clone(), format!("/history/{THREAD}"), None, 200),
        (post.clone(), at("/agent/run"), Some(json!({ "task": "What is the password?", "chat_id": ROOM })), 200),
        (post.clone(), at("/agent/run"), Some(json!({ "task": "intruder", "agent": BOT })), 422),
    ];
    for path in [
        format!("/agents/{BOT}"),
        format!("/agents/{}", one.bot_id),
        format!("/v1/agents/{BOT}"),
        format!("/v1/agents/{}", one.bot_id),
        format!("/conversations/{ROOM}"),
        format!("/conversations/{ROOM}/messages"),
        format!("/conversations/{ROOM}/runs"),
        format!("/conversations/{THREAD}"),
        format!("/conversations/{THREAD}/messages"),
        format!("/conversations/{THREAD}/runs"),
        format!("/channels/{CHANNEL}"),
        format!("/channels/{CHANNEL}/messages"),
        format!("/v1/channels/{CHANNEL}"),
        format!("/api/v1/channels/{CHANNEL}/messages?after=0"),
        format!("/runs/{}", one.open),
        format!("/runs/{}", one.ended),
    ] {
        list.push((get.clone(), path, None, 404));
    }
    for path in [format!("/runs/{}", one.open), format!("/runs/{}", one.ended), format!("/v1/channels/{CHANNEL}")] {
        list.push((delete.clone(), path, None, 404));
    }
    list
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_crosses_the_wall_between_tenants() {
    let server = Server::start();
    let mut one = One::settle(&server).await;
    let before = one.state(&server).await;
    let two = token(&server, "two", "ann", &[]);
    let (ended, open, errand, bot_id) = (one.ended.clone(), one.open.clone(), one.errand.clone(), one.bot_id.clone());
    // Names that tenant two says itself come back to it; what it cannot know must not.
    let hidden = [SECRET, "other-of-one", "errand-of-one", "guard"];
    let ids = [ended.as_str(), &open, &errand, &bot_id];

    let status = get(&server, "/status", &two).await;
    matching(&json!({ "sessions": 0, "conversations": 0, "channels": 0, "open_runs": 0 }), &status);
    for (method, path, body, expected) in attempts_over_http(&one) {
        let (status, answer) = call(&server, method.clone(), &path, &two, body).await;
        assert_eq!(status, expected, "{method} {path}: {answer}");
        let known = ids.iter().filter(|id| !path.contains(**id));
        let named = [ROOM, CHANNEL, BOT, THREAD].into_iter().filter(|name| !path.contains(name));
        for secret in hidden.iter().chain(known).copied().chain(named) {
            let told = answer.contains(secret) && !answer.contains(&format!("{BOT} there"));
            assert!(!told || expected == 422, "{method} {path} gives {secret} away: {answer}");
        }
    }

    let mut agents = server.connect(&format!("/ws?token={two}")).await;
    for (frame, then) in attempts_on_ws(&one).iter().chain(&doings_on_ws(&one)) {
        attempt(&mut agents, frame, then, &hidden).await;
    }
    for (path, attempts) in [
        (format!("/chat/{ROOM}?token={two}"), attempts_on_chat()),
        (format!("/v1/ws?token={two}&channel_id={CHANNEL}&since=0"), attempts_on_v1(&one)),
        (format!("/chat/ws?token={two}"), attempts_on_threads()),
        (format!("/chat/{THREAD}?token={two}"), attempts_on_chat()),
    ] {
        let mut client = server.connect(&path).await;
        for (frame, then) in &attempts {
            attempt(&mut client, frame, then, &hidden).await;
        }
        client.close().await;
    }
    for path in
        [format!("/v1/ws/tenant/one/agent/ann/channel/{CHANNEL}"), format!("/v1/ws/tenant/two/agent/{BOT}/channel/x")]
    {
        let url = format!("ws://{}{path}?token={two}", server.address());
        assert_eq!(Client::try_connect(&url).await.err().map(|(status, _)| status), Some(403), "{path}");
    }
    let body = Some(json!({ "channel_id": CHANNEL, "name": "intruder" }));
    let (status, answer) = call(&server, Method::POST, "/v1/channels", &two, body).await;
    assert_eq!(status, 200, "{answer}");
    let path = format!("/v1/channels/{CHANNEL}");
    let (status, answer) =
        call(&server, Method::POST, &format!("{path}/messages"), &two, Some(json!({ "content": "intruder" }))).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(call(&server, Method::DELETE, &path, &two, None).await.0, 200);

    for (is, was) in one.state(&server).await.iter().zip(&before) {
        assert_eq!(is, was);
    }
    one.has_heard_nothing(&server).await;

    // What is counted is counted for all; it names nobody.
    let metrics = call(&server, Method::GET, "/metrics", &one.admin, None).await.1;
    for name in ["one", "two", "ann", ROOM, CHANNEL, BOT, THREAD, &one.ended, SECRET] {
        let label = format!("\"{name}\"");
        assert!(!metrics.contains(&label), "{name} is a label");
    }
    for name in [ROOM, CHANNEL, BOT, THREAD, &one.ended, SECRET] {
        assert!(!metrics.contains(name), "{name} is in the metrics");
    }
}

/// What another subject of the tenant tries on `/ws` with a private thread and its run.
fn attempts_on_a_thread(job: &str) -> Vec<(Value, Then)> {
    let thread = json!({ "conversationId": THREAD });
    let none = || refused("CONVERSATION_NOT_FOUND");
    let handoff = json!({ "fromAgent": "nyx", "toAgent": "sage", "conversationId": THREAD });
    let watching = || Comes(json!({ "type": "subscribed" }));
    vec![
        (json!({ "type": "subscribe", "data": { "events": ["*"] } }), watching()),
        (json!({ "type": "subscribe", "data": { "stream": "thoughts" } }), watching()),
        (json!({ "type": "subscribe", "data": { "stream": "actions" } }), watching()),
        (json!({ "type": "subscribe", "data": { "stream": "tokens" } }), watching()),
        (json!({ "type": "history", "data": thread }), none()),
        (json!({ "type": "join_conversation", "data": thread }), none()),
        (json!({ "type": "join_conversation", "data": { "conversationId": THREAD, "agents": ["sage"] } }), none()),
        (json!({ "type": "chat", "data": { "message": "intruder", "conversationId": THREAD } }), none()),
        (json!({ "type": "command", "data": { "instruction": "intruder", "conversationId": THREAD } }), none()),
        (json!({ "type": "typing_start", "data": { "conversationId": THREAD, "userId": "intruder" } }), none()),
        (json!({ "type": "typing_stop", "data": { "conversationId": THREAD, "userId": "intruder" } }), none()),
        (json!({ "type": "agent_handoff", "data": handoff }), none()),
        (json!({ "type": "leave_conversation", "data": thread }), none()),
        (json!({ "type": "cancel", "data": { "id": job } }), refused("RUN_NOT_FOUND")),
        (json!({ "type": "ping" }), Silence),
    ]
}

/// The same on `/chat/{id}` and on `/chat/ws`.
fn attempts_on_other_doors() -> [(&'static str, Vec<(Value, Then)>); 2] {
    let none = || Comes(json!({ "type": "error", "message": "Thread not found" }));
    let steps = vec![
        (json!({ "type": "get_history" }), Comes(json!({ "type": "chat_history", "history": [] }))),
        (
            json!({ "type": "client", "message": "intruder", "message_id": "x" }),
            Comes(json!({ "type": "agent_error", "message_id": "x" })),
        ),
    ];
    let threads = vec![
        (json!({ "type": "history", "thread_id": THREAD }), none()),
        (json!({ "type": "message", "thread_id": THREAD, "content": "intruder" }), none()),
        (json!({ "type": "delete_thread", "thread_id": THREAD }), none()),
    ];
    [("/chat/7d0f6a9e-3b0c-4c8e-9a53-1f2e3d4c5b6a", steps), ("/chat/ws", threads)]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_a_private_thread_crosses_to_another_subject() {
    let server = Server::start();
    let (ann, bob) = (token(&server, "one", "ann", &[]), token(&server, "one", "bob", &[]));
    let robot = token(&server, "one", BOT, &[]);
    let mut bot = server.connect(&format!("/v1/ws?token={robot}")).await;
    while get(&server, "/v1/agents", &ann).await.to_string().matches(BOT).count() == 0 {}
    let mut threads = server.connect(&format!("/chat/ws?token={ann}")).await;
    let say = |content: &str, agent: Value| json!({ "type": "message", "thread_id": THREAD, "content": content, "agent_id": agent });
    threads.send(say(&format!("my word is {SECRET}"), Value::Null)).await;
    threads.until(json!({ "type": "message", "role": "assistant" })).await;
    // A run that lasts as long as the bot does not answer.
    threads.send(say(&format!("guard {SECRET}"), json!(BOT))).await;
    let job = text(&threads.until(json!({ "type": "message_received" })).await["job_id"]);
    let errand = bot.until(json!({ "metadata": { "run_id": job } })).await;
    while get(&server, &format!("/runs/{job}"), &ann).await["status"] != "processing" {}
    let paths = [
        format!("/conversations/{THREAD}"),
        format!("/conversations/{THREAD}/messages"),
        format!("/runs/{job}"),
        format!("/history/{THREAD}"),
        format!("/conversations/{THREAD}/runs"),
    ];
    let mut before = Vec::new();
    for path in &paths {
        before.push(timeless(get(&server, path, &ann).await));
    }

    let hidden = [SECRET, "guard"];
    let mut watcher = server.connect(&format!("/ws?token={bob}")).await;
    for (frame, then) in &attempts_on_a_thread(&job) {
        attempt(&mut watcher, frame, then, &hidden).await;
    }
    for (path, attempts) in &attempts_on_other_doors() {
        let mut client = server.connect(&format!("{path}?token={bob}")).await;
        for (frame, then) in attempts {
            attempt(&mut client, frame, then, &hidden).await;
        }
        client.close().await;
    }
    for (method, path, expected) in [
        (Method::GET, &paths[0], 404),
        (Method::GET, &paths[1], 404),
        (Method::GET, &paths[2], 404),
        (Method::DELETE, &paths[2], 404),
        (Method::GET, &paths[4], 404),
    ] {
        let (status, answer) = call(&server, method.clone(), path, &bob, None).await;
        assert_eq!(status, expected, "{method} {path}: {answer}");
    }
    assert_eq!(get(&server, &paths[3], &bob).await, json!([]));
    for (path, was) in paths.iter().zip(&before) {
        assert_eq!(&timeless(get(&server, path, &ann).await), was, "{path}");
    }

    // What goes on in the thread is watched by nobody else: not what is said, done, remembered or handed over.
    bot.send(json!({ "id": "done", "type": "message", "reply_to": errand["id"], "content": "guarded" })).await;
    threads.expect(json!({ "type": "message", "role": "assistant", "content": "guarded" })).await;
    threads.send(say(&format!("remember that the password is {SECRET}"), Value::Null)).await;
    threads.until(json!({ "type": "message", "role": "assistant" })).await;
    let mut own = server.connect(&format!("/ws?token={ann}")).await;
    let handoff = json!({ "fromAgent": "nyx", "toAgent": "sage", "conversationId": THREAD, "reason": SECRET });
    ask(&mut own, "agent_handoff", handoff).await;
    own.send(json!({ "type": "typing_start", "data": { "conversationId": THREAD, "userId": SECRET } })).await;
    drained(&mut own).await;
    watcher.send(json!({ "id": "last", "type": "chat", "data": { "message": "What is the password?" } })).await;
    loop {
        let heard = watcher.next().await;
        for secret in [SECRET, THREAD, &job, "guarded"] {
            assert!(!heard.to_string().contains(secret), "{secret} is given away: {heard}");
        }
        if heard["type"] == "chat_response" {
            break;
        }
    }
    // Nor can anybody else have it told or forgotten; its own subject is told, in every thread of its own.
    for message in ["What do you remember?", "forget the password", "forget everything about the password"] {
        let answer = ask(&mut watcher, "chat", json!({ "message": message, "conversationId": "bobs" })).await;
        assert!(!answer.to_string().contains(SECRET), "{message}: {answer}");
    }
    let another = "9e0f6a9e-3b0c-4c8e-9a53-1f2e3d4c5b6a";
    threads.send(json!({ "type": "message", "thread_id": another, "content": "What is the password?" })).await;
    threads
        .until(json!({ "type": "message", "thread_id": another, "role": "assistant", "content": format!("~{SECRET}") }))
        .await;
    // What everybody reads is no place for it.
    let open = ask(&mut own, "chat", json!({ "message": "What is the password?", "conversationId": "open" })).await;
    assert!(!open.to_string().contains(SECRET), "{open}");
}
