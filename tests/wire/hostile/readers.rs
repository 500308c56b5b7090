//! Clients that do not read, or hardly do, or are gone without a word.

use std::collections::HashMap;
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::client::{Client, Heard};
use crate::harness::quiet::Quiet;
use crate::harness::raw::Raw;
use crate::harness::rest::token;
use crate::harness::server::Server;
use crate::harness::{PATIENCE, pattern};

/// A burst that one publisher may send at once: twice what waits for a session at most.
const BURST: u64 = 2_000;

/// Publishes a burst without waiting for anything, then reads the acknowledgements: each its own, in order.
/// The reader may be behind by `lag` at most, however slow the machine is: less than its queue holds.
async fn publish_burst(server: &Server, token: &str, content: &str, read: &AtomicU64, lag: u64) {
    let mut publisher = server.connect(&format!("/v1/ws?token={token}&channel_id=c")).await;
    // One that writes and does not read meanwhile would be slow itself.
    let mut left = BURST;
    let mut acknowledged = 0;
    while acknowledged < BURST {
        while read.load(Ordering::Relaxed) + lag < acknowledged + 100 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        for _ in 0..left.min(100) {
            let id = format!("m{}", BURST - left);
            publisher.send(json!({ "id": id, "type": "message", "content": content })).await;
            left -= 1;
        }
        let until = BURST - left;
        while acknowledged < until {
            let frame = publisher.next().await;
            if frame["type"] == "ACK" {
                assert_eq!(frame["message_id"], format!("m{acknowledged}"), "{frame}");
                acknowledged += 1;
                assert_eq!(frame["seq"], acknowledged, "{frame}");
            }
        }
    }
}

/// Everything that a subscriber was sent, in order and without a hole; then nothing more, or the end as a slow consumer.
async fn read_all(client: &mut Client, read: &AtomicU64) -> u64 {
    let mut seq = 0;
    loop {
        match client.heard_within(PATIENCE).await {
            Some(Heard::Json(frame)) => {
                seq += 1;
                assert_eq!(frame["data"]["seq"], seq, "{frame}");
                read.store(seq, Ordering::Relaxed);
                if seq == BURST {
                    client.quiet().await;
                    return seq;
                }
            }
            Some(Heard::Closed(code, reason)) => {
                assert!(seq < BURST);
                // Told why, or cut after its grace.
                let told = (code, reason.as_str()) == (1008, "slow consumer");
                assert!(told || code == 1006, "{code} {reason} after {seq}");
                return seq;
            }
            None => panic!("after {seq} neither more nor the end"),
        }
    }
}

/// With the limits as they are by default: who reads gets all of a burst, who does not gets its beginning, and then the
/// end, and never a hole.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_of_two_thousand_leaves_no_hole_with_anybody() {
    for (size, lag) in [(10, 900), (4_000, 200)] {
        let server = Server::with("[log]\nfilter = \"warn\"");
        let quiet = Quiet::begin(&server).await;
        let token = token(&server, "default", "ann", &[]);
        let mut slow = server.client().await;
        let mut reader = server.client().await;
        let subscribe = json!({ "id": "s", "type": "subscribe", "data": { "channels": ["c"], "since": 0 } });
        slow.ask(subscribe.clone()).await;
        reader.ask(subscribe).await;
        let progress = Arc::new(AtomicU64::new(0));
        let read = progress.clone();
        let reading = tokio::spawn(async move { read_all(&mut reader, &read).await });
        publish_burst(&server, &token, &"x".repeat(size), &progress, lag).await;
        assert_eq!(reading.await.unwrap(), BURST, "publications of {size} bytes: a reader is not slow");
        quiet.goes_on().await;
        let read = read_all(&mut slow, &progress).await;
        // 8 MB are more than the buffers of two kernels and the queue take.
        assert!(size < 4_000 || read < BURST, "it was never slow");
        // What it missed is there for it.
        let mut back = server.client().await;
        let since = json!({ "id": "s", "type": "subscribe", "data": { "channels": ["c"], "since": read } });
        back.send(since).await;
        for seq in read + 1..=BURST {
            back.until(json!({ "type": "channel_message", "data": { "seq": seq } })).await;
        }
        quiet.end().await;
    }
}

/// What is replayed comes as fast as it is read, however little the line takes at a time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thin_line_is_replayed_everything() {
    let server = Server::with("[log]\nfilter = \"warn\"");
    let token = token(&server, "default", "ann", &[]);
    publish_burst(&server, &token, &"x".repeat(8_000), &AtomicU64::new(BURST), 1).await;
    let mut reader = Client::connect_narrow(&format!("ws://{}/ws", server.address())).await;
    reader.send(json!({ "id": "s", "type": "subscribe", "data": { "channels": ["c"], "since": 0 } })).await;
    for seq in 1..=BURST {
        reader.until(json!({ "type": "channel_message", "data": { "seq": seq } })).await;
    }
}

/// So are many channels at once, of each of which more is missing than may wait for a client.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thin_line_is_replayed_many_channels() {
    const CHANNELS: usize = 12;
    const EACH: u64 = 40;
    let server = Server::with(FAST);
    let mut publisher = server.client().await;
    let text = "x".repeat(8_000);
    let names: Vec<String> = (0..CHANNELS).map(|number| format!("c{number}")).collect();
    for seq in 1..=EACH {
        for channel in &names {
            let data = json!({ "channel": channel, "content": text });
            let published = publisher.ask(json!({ "id": "p", "type": "publish", "data": data })).await;
            assert_eq!(published["data"]["seq"], seq, "{published}");
        }
    }
    let mut reader = Client::connect_narrow(&format!("ws://{}/ws", server.address())).await;
    reader.send(json!({ "id": "s", "type": "subscribe", "data": { "channels": names, "since": 0 } })).await;
    let mut read: HashMap<String, u64> = HashMap::new();
    while read.values().sum::<u64>() < EACH * CHANNELS as u64 {
        let frame = reader.until(json!({ "type": "channel_message" })).await;
        let seq = read.entry(frame["data"]["channel_id"].as_str().unwrap().to_owned()).or_default();
        *seq += 1;
        assert_eq!(frame["data"]["seq"], *seq);
    }
}

/// Who leaves a channel whose past is still to come hears no more of it, and nothing that it did not ask for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_leaves_in_the_middle_of_a_replay_is_told_nothing_more_of_it() {
    let server = Server::with("[log]\nfilter = \"warn\"");
    let token = token(&server, "default", "ann", &[]);
    publish_burst(&server, &token, &"x".repeat(8_000), &AtomicU64::new(BURST), 1).await;
    let mut reader = Client::connect_narrow(&format!("ws://{}/ws", server.address())).await;
    for _ in 0..20 {
        for kind in ["subscribe", "unsubscribe"] {
            reader.send(json!({ "id": kind, "type": kind, "data": { "channels": ["c"], "since": 0 } })).await;
        }
    }
    // Replays come one after another, so this one comes behind all that may still be said of the others.
    let other = json!({ "channel": "other", "content": "the end" });
    server.client().await.ask(json!({ "id": "p", "type": "publish", "data": other })).await;
    reader.send(json!({ "id": "s", "type": "subscribe", "data": { "channels": ["other"], "since": 0 } })).await;
    let (mut heard, mut left) = (0, 0);
    loop {
        let frame = reader.next().await;
        match frame["type"].as_str() {
            Some("channel_message") if frame["data"]["content"] == "the end" => break,
            Some("channel_message") => heard += 1,
            Some("unsubscribed") => left += 1,
            Some("subscribed") => {}
            _ => panic!("{frame}"),
        }
    }
    assert!(left == 20 && heard < BURST, "it left {left} times and heard {heard}");
}

/// Publishes 16 MiB, which no kernel keeps for anybody.
async fn publish_much(server: &Server) {
    let mut publisher = server.client().await;
    let text = "x".repeat(64 << 10);
    for seq in 1..=256 {
        let publish =
            json!({ "id": format!("p{seq}"), "type": "publish", "data": { "channel": "c", "content": text } });
        let published = publisher.ask(publish).await;
        assert_eq!(published["data"]["seq"], seq, "{}", published["type"]);
    }
}

/// Waits until so many sessions are left.
async fn wait_for_sessions(server: &Server, expected: u64) {
    let mut witness = server.client().await;
    let since = Instant::now();
    loop {
        let house = witness.ask(json!({ "id": "h", "type": "status" })).await;
        if house["data"]["sessions"] == expected + 1 {
            return witness.close().await;
        }
        assert!(since.elapsed() < PATIENCE, "{house}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

const FAST: &str = "[rate]\nframes_per_second = 100000\nframes_burst = 100000\n[log]\nfilter = \"warn\"\n";

/// Subscribes to the channel and reads the answer.
fn subscribed(server: &Server) -> Raw {
    let mut client = Raw::connect(server.address(), "/ws", "");
    assert!(client.text(r#"{"type":"subscribe","id":"s","data":{"channels":["c"]}}"#));
    let (_, answer) = client.read().unwrap();
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    let granted = json!({ "type": "subscribed" });
    pattern::matches(&granted, &answer, &mut Default::default()).unwrap();
    client
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_never_reads_and_one_that_reads_a_byte_at_a_time_are_cut() {
    let server = Server::with(FAST);
    let quiet = Quiet::begin(&server).await;
    let never = subscribed(&server);
    let mut slowly = subscribed(&server);
    let before = server.resident();
    let reading = std::thread::spawn(move || {
        let since = Instant::now();
        let mut bytes = 0_u32;
        // Until it is cut: reading a byte at a time it would take weeks.
        while since.elapsed() < PATIENCE {
            match slowly.stream.read(&mut [0]) {
                Ok(1) => bytes += 1,
                _ => return bytes,
            }
            if let Ok(Some(_)) = slowly.stream.take_error() {
                return bytes;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("it was let go on for {bytes} bytes");
    });
    publish_much(&server).await;
    let grown = server.resident().saturating_sub(before);
    assert!(grown < 64 << 20, "{grown} bytes");
    quiet.goes_on().await;
    // The quiet one is left.
    wait_for_sessions(&server, 1).await;
    drop(never);
    drop(reading);
    quiet.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_that_vanish_without_closing_are_missed() {
    let server = Server::with("[heartbeat]\nping = \"1s\"\nsilence = \"5s\"\n[log]\nfilter = \"warn\"");
    let quiet = Quiet::begin(&server).await;
    let vanished: Vec<Raw> = (0..100).map(|_| Raw::connect(server.address(), "/ws", "")).collect();
    assert!(vanished.iter().all(Raw::is_upgraded));
    quiet.goes_on().await;
    wait_for_sessions(&server, 1).await;
    quiet.end().await;
}
