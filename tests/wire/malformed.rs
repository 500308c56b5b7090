//! A thousand frames that nobody should send: each costs one error, and nothing else.

use std::time::Instant;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::harness::PATIENCE;
use crate::harness::client::Client;
use crate::harness::quiet::Quiet;
use crate::harness::server::Server;

/// A good frame of every type, with the fields that must be of a certain kind.
fn good() -> Vec<(Value, &'static [(&'static str, Kind)])> {
    use Kind::{Bool, Fraction, Id, List, Number, Object, Text};
    let of = |kind: &str, data: Value| json!({ "type": kind, "id": "x", "data": data });
    vec![
        (
            json!({ "type": "task", "id": "x", "content": "hello", "agent": "nyx" }),
            &[("/type", Text), ("/id", Id), ("/content", Text), ("/agent", Id)],
        ),
        (
            json!({ "type": "chat", "id": "x", "targetAgent": "nyx", "priority": "normal",
            "data": { "message": "hello", "conversationId": "c", "stream": false } }),
            &[
                ("/id", Id),
                ("/targetAgent", Id),
                ("/priority", Text),
                ("/data", Object),
                ("/data/message", Text),
                ("/data/conversationId", Id),
                ("/data/stream", Bool),
            ],
        ),
        (
            json!({ "type": "command", "id": "x", "targetAgent": "nyx", "priority": "low",
            "data": { "instruction": "hello", "conversationId": "c", "parameters": {} } }),
            &[
                ("/id", Id),
                ("/targetAgent", Id),
                ("/priority", Text),
                ("/data", Object),
                ("/data/instruction", Text),
                ("/data/conversationId", Id),
                ("/data/parameters", Object),
            ],
        ),
        (
            of("subscribe", json!({ "events": ["typing"] })),
            &[("/data", Object), ("/data/events", List), ("/data/events/0", Text)],
        ),
        (
            of("subscribe", json!({ "stream": "thoughts", "agentId": "nyx", "filter": { "minImportance": 0.5 } })),
            &[
                ("/data/stream", Text),
                ("/data/agentId", Id),
                ("/data/filter", Object),
                ("/data/filter/minImportance", Fraction),
            ],
        ),
        (
            of("subscribe", json!({ "channels": ["c"], "since": 1 })),
            &[("/data/channels", List), ("/data/channels/0", Id), ("/data/since", Number)],
        ),
        (
            of("unsubscribe", json!({ "subscriptionIds": ["s"] })),
            &[("/data/subscriptionIds", List), ("/data/subscriptionIds/0", Id)],
        ),
        (
            of("publish", json!({ "channel": "c", "content": 1, "metadata": {}, "messageId": "m" })),
            &[("/data", Object), ("/data/channel", Id), ("/data/metadata", Object), ("/data/messageId", Id)],
        ),
        (
            of("join_conversation", json!({ "conversationId": "c", "agents": ["nyx"], "mode": "lead" })),
            &[
                ("/data", Object),
                ("/data/conversationId", Id),
                ("/data/agents", List),
                ("/data/agents/0", Id),
                ("/data/mode", Text),
            ],
        ),
        (
            of("leave_conversation", json!({ "conversationId": "c" })),
            &[("/data", Object), ("/data/conversationId", Id)],
        ),
        (
            of("history", json!({ "conversationId": "c", "limit": 5, "before": 5 })),
            &[("/data", Object), ("/data/conversationId", Id), ("/data/limit", Number), ("/data/before", Number)],
        ),
        (
            of("agent_handoff", json!({ "conversationId": "c", "fromAgent": "nyx", "toAgent": "sage", "reason": "r" })),
            &[
                ("/data", Object),
                ("/data/conversationId", Id),
                ("/data/fromAgent", Id),
                ("/data/toAgent", Id),
                ("/data/reason", Text),
            ],
        ),
        (
            json!({ "type": "typing_start", "conversationId": "c", "userId": "u" }),
            &[("/conversationId", Id), ("/userId", Id)],
        ),
        (
            json!({ "type": "typing_stop", "data": { "conversationId": "c", "userId": "u" } }),
            &[("/data", Object), ("/data/conversationId", Id), ("/data/userId", Id)],
        ),
        (json!({ "type": "status", "id": "x", "targetAgent": "nyx" }), &[("/id", Id), ("/targetAgent", Id)]),
        (of("cancel", json!({ "id": "r" })), &[("/data", Object), ("/data/id", Id)]),
        (
            json!({ "type": "batch", "id": "x", "priority": "high", "targetAgent": "nyx", "data": { "messages": [{ "type": "status" }] } }),
            &[("/id", Id), ("/priority", Text), ("/targetAgent", Id), ("/data", Object), ("/data/messages", List)],
        ),
    ]
}

/// What a field has to be.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Text,
    Id,
    Object,
    List,
    Number,
    Fraction,
    Bool,
}

/// JSON that a field of that kind must not be.
fn wrong(kind: Kind) -> Vec<String> {
    let long = format!("\"{}\"", "a".repeat(129));
    let huge = format!("1{}", "0".repeat(400));
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let anything = [
        ("5", Some(Kind::Number)),
        ("-1", None),
        ("1.5", None),
        ("1e999", None),
        (&huge, None),
        ("true", Some(Kind::Bool)),
        ("[]", Some(Kind::List)),
        ("{}", Some(Kind::Object)),
        (&deep, Some(Kind::List)),
        (r#""\ud800""#, None),
        (r#""\udfff and more""#, None),
    ];
    let fitting = anything.iter().filter(|(_, fits)| *fits != Some(kind));
    let mut values: Vec<String> = fitting.map(|(text, _)| (*text).to_owned()).collect();
    let more: &[&str] = match kind {
        Kind::Id => &[
            r#""""#, r#"" ""#, r#""a b""#, r#""ü""#, r#""a\u0000""#, r#""a/b""#, r#""..\\x""#, r#""\ud83d\ude00""#,
            &long,
        ],
        Kind::Fraction => &["1.01", "-0.1", "\"0.5\""],
        // Whether a free text is meant to be a name is not told by its kind.
        Kind::Text => &["[5]"],
        Kind::Object | Kind::List | Kind::Number | Kind::Bool => &["\"text\""],
    };
    values.extend(more.iter().map(|text| (*text).to_owned()));
    values
}

/// The frame with the value at `place` written as `text`.
fn with(frame: &Value, place: &str, text: &str) -> String {
    let mut frame = frame.clone();
    *frame.pointer_mut(place).unwrap_or_else(|| panic!("{place}")) = json!("@@@");
    frame.to_string().replacen("\"@@@\"", text, 1)
}

/// The same frame without the field at `place`.
fn without(frame: &Value, place: &str) -> String {
    let mut frame = frame.clone();
    let (parent, name) = place.rsplit_once('/').unwrap();
    frame.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name);
    frame.to_string()
}

fn frames() -> Vec<String> {
    let mut frames = Vec::new();
    for (frame, fields) in good() {
        for (place, kind) in fields {
            frames.extend(wrong(*kind).iter().map(|value| with(&frame, place, value)));
        }
        // No beginning of an object is one.
        let text = frame.to_string();
        frames.extend((1..text.len()).step_by(3).map(|end| text[..end].to_owned()));
        frames.push(format!("{text}}}"));
        frames.push(format!("{text}{text}"));
        frames.push(format!("[{text}]"));
        frames.push(without(&frame, "/type"));
        frames.push(text.replacen(":", "=", 1));
        frames.push(text.replacen('"', "'", 2));
        frames.push(text.replacen('{', "{,", 1));
        frames.push(text.replacen('{', "{\u{0}", 1));
        frames.push(text.replacen("\"type\"", "\"type\\ud800\"", 1));
        frames.push(with(&frame, "/type", "\"no such type\""));
    }
    let required = [
        "/data/message", "/data/instruction", "/data/channel", "/data/content", "/data/conversationId",
        "/data/fromAgent", "/data/toAgent", "/data/messages", "/data/id", "/content",
    ];
    for (frame, _) in good() {
        let kind = frame["type"].as_str().unwrap();
        let optional = |place: &str| place == "/data/conversationId" && matches!(kind, "chat" | "command");
        for place in required.iter().filter(|place| frame.pointer(place).is_some() && !optional(place)) {
            frames.extend([without(&frame, place), with(&frame, place, "null")]);
        }
    }
    frames.extend(odd());
    let mut runner = TestRunner::deterministic();
    let random = "[ -~\\n\\tüß😀\\u{0}\\u{feff}\\u{202e}]{0,80}";
    let random = proptest::string::string_regex(random).unwrap();
    frames.extend((0..150).map(|_| random.new_tree(&mut runner).unwrap().current()));
    let broken = proptest::string::string_regex(r#"\{("[a-z]{0,5}":("?[a-z0-9]{0,5}"?|\[|\{|null),?){1,6}"#).unwrap();
    frames.extend((0..150).map(|_| broken.new_tree(&mut runner).unwrap().current()));
    frames
}

/// Picked by hand.
fn odd() -> Vec<String> {
    let (open, close) = ("[".repeat(100_000), "]".repeat(100_000));
    let objects = "{\"a\":".repeat(50_000);
    let content = "x".repeat((256 << 10) + 1);
    let mut frames: Vec<String> = [
        "",
        " ",
        "null",
        "true",
        "5",
        "-",
        "\"",
        "\\",
        "{",
        "}",
        "[",
        "]",
        "{}",
        "[]",
        "NaN",
        "Infinity",
        "undefined",
        "\u{feff}{\"type\":\"ping\"}",
        "{\"type\":\"ping\"}\u{0}",
        "{\"type\":null}",
        "{\"type\":\"\"}",
        "{\"type\":[\"ping\"]}",
        "{\"TYPE\":\"ping\"}",
        "{\"type\":\"PING\"}",
        "{\"type\":\"ping\",}",
        "{'type':'ping'}",
        "{type:\"ping\"}",
        "{\"type\":\"ping\" \"id\":1}",
        "{\"type\":\"ping\",\"type\":5}",
        "{\"type\":\"pin\\u0000g\"}",
        "{\"type\":\"\\ud800\"}",
        "{\"type\":\"__proto__\"}",
        "// {\"type\":\"ping\"}",
        "<xml/>",
        "type=ping",
        "{\"type\":\"chat\",\"data\":{\"message\":\"tab\tin a string\"}}",
    ]
    .map(str::to_owned)
    .to_vec();
    frames.push(format!("{open}{close}"));
    frames.push(open.clone());
    frames.push(objects);
    frames.push(format!(r#"{{"type":"chat","data":{{"message":{open}{close}}}}}"#));
    frames.push(format!(r#"{{"type":"publish","data":{{"channel":"c","content":{open}{close}}}}}"#));
    frames.push(format!(
        r#"{{"type":"publish","data":{{"channel":"c","content":{}1{}}}}}"#,
        "[".repeat(65),
        "]".repeat(65)
    ));
    frames.push(format!(r#"{{"type":"command","data":{{"instruction":"x","parameters":{{"a":{open}{close}}}}}}}"#));
    frames.push(format!(r#"{{"type":"chat","data":{{"message":"{content}"}}}}"#));
    frames.push(format!(r#"{{"type":"publish","data":{{"channel":"c","content":"{content}"}}}}"#));
    frames.push(format!(r#"{{"type":"{content}"}}"#));
    frames.push(r#"{"type":"publish","data":{"channel":"c","content":"\ud800"}}"#.to_owned());
    frames.push(r#"{"type":"publish","data":{"channel":"c","content":{"\udc00":1}}}"#.to_owned());
    frames
}

/// Sends a frame that costs exactly one error: what comes next.
async fn refused(client: &mut Client, frame: &str) {
    client.send_raw(frame).await;
    let error = client.next().await;
    let shown: String = frame.chars().take(300).collect();
    assert_eq!(error["type"], "error", "{shown}\ngot {error}");
    assert_eq!(error["data"]["code"], "INVALID_MESSAGE", "{shown}\ngot {error}");
    for text in [&error["message"], &error["details"], &error["data"]["message"], &error["data"]["details"]] {
        assert!(text.as_str().is_some_and(|text| !text.is_empty() && text.len() < 1000), "{shown}\ngot {error}");
    }
}

/// The house as a session sees it, without what changes by itself.
async fn house(witness: &mut Client) -> Value {
    let mut status = witness.ask(json!({ "id": "s", "type": "status" })).await;
    status["data"]["agents"].take();
    status["data"]["uptime"].take();
    status["data"].take()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_malformed_frames_cost_an_error_each_and_nothing_else() {
    let rates = "[rate]\nframes_per_second = 1000000\nframes_burst = 1000000\n[log]\nfilter = \"warn\"";
    let server = Server::with(rates);
    let mut witness = server.client().await;
    let chat =
        |id: &str| json!({ "id": id, "type": "chat", "data": { "message": "compute 1 + 1", "conversationId": "c" } });
    witness.ask(chat("before")).await;
    let publish = json!({ "id": "p", "type": "publish", "data": { "channel": "c", "content": 1 } });
    assert_eq!(witness.ask(publish.clone()).await["data"]["seq"], 1);
    let stored = json!({ "id": "h", "type": "history", "data": { "conversationId": "c" } });
    let before = witness.ask(stored.clone()).await["data"].clone();
    let mut client = server.client().await;
    // Only then is its session among those that are counted: the upgrade alone does not say so.
    client.quiet().await;
    let house_before = house(&mut witness).await;

    let frames = frames();
    assert!(frames.len() >= 1000, "only {} frames", frames.len());
    let quiet = Quiet::begin(&server).await;
    for some in frames.chunks(100) {
        for frame in some {
            refused(&mut client, frame).await;
        }
        quiet.goes_on().await;
        // One that does not read does not answer pings either, and is given up in the end.
        witness.send(json!({ "type": "ping" })).await;
        witness.until(json!({ "type": "pong" })).await;
    }
    // One each and no more, on a socket that is as good as ever.
    client.quiet().await;
    quiet.end().await;

    assert_eq!(witness.ask(stored).await["data"], before);
    // The quiet client's own conversation is left, and its session goes when the server has noticed.
    let mut expected = house_before;
    expected["conversations"] = json!(expected["conversations"].as_u64().unwrap() + 1);
    let since = Instant::now();
    loop {
        let house_after = house(&mut witness).await;
        if house_after == expected {
            break;
        }
        let still_there =
            house_after["sessions"].as_u64() == expected["sessions"].as_u64().map(|sessions| sessions + 1);
        assert!(still_there && since.elapsed() < PATIENCE, "{house_after}, expected {expected}");
    }
    assert_eq!(witness.ask(publish).await["data"]["seq"], 2);
    assert!(client.ask(chat("after")).await["data"]["response"].is_string());
}
