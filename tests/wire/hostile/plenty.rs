//! Ten thousand of what one client needs a few of.

use serde_json::{Value, json};

use crate::harness::quiet::Quiet;
use crate::harness::rest::counted;
use crate::harness::server::Server;

/// Out of the way: the rates.
const UNPACED: &str = "[rate]\nframes_per_second = 1000000\nframes_burst = 1000000\n";

/// So many are asked for.
const PLENTY: usize = 10_000;

/// Asked for at a time, so that neither side's queue is what is tested.
const AT_A_TIME: usize = 200;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_subscriptions_are_sixty_four() {
    let server = Server::with(&format!("{UNPACED}[log]\nfilter = \"warn\""));
    let quiet = Quiet::begin(&server).await;
    let mut client = server.client().await;
    let before = server.resident();
    let (mut granted, mut refused) = (0, 0);
    for round in 0..PLENTY / AT_A_TIME {
        for number in 0..AT_A_TIME {
            let channel = format!("c{}", round * AT_A_TIME + number);
            client.send(json!({ "id": channel, "type": "subscribe", "data": { "channels": [channel] } })).await;
        }
        for number in 0..AT_A_TIME {
            let answer = client.next().await;
            match answer["type"].as_str() {
                Some("subscribed") => granted += 1,
                Some("error") => refused += 1,
                _ => panic!("{number}: {answer}"),
            }
        }
    }
    assert_eq!((granted, refused), (64, PLENTY - 64));
    let grown = server.resident().saturating_sub(before);
    assert!(grown < 64 << 20, "{grown} bytes");
    quiet.goes_on().await;
    // It is a session like any other.
    client.ask(json!({ "id": "u", "type": "unsubscribe", "data": { "channels": ["c0"] } })).await;
    client.ask(json!({ "id": "s", "type": "subscribe", "data": { "channels": ["again"] } })).await;
    client.ask(json!({ "id": "p", "type": "publish", "data": { "channel": "c1", "content": 1 } })).await;
    client.until(json!({ "type": "channel_message", "data": { "channel_id": "c1", "seq": 1 } })).await;
    quiet.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_channels_leave_memory_again() {
    let server = Server::with(&format!("{UNPACED}[runtime]\nidle = \"1s\"\n[log]\nfilter = \"warn\""));
    let quiet = Quiet::begin(&server).await;
    let mut client = server.client().await;
    let before = server.resident();
    let mut grown = 0;
    for round in 0..PLENTY / AT_A_TIME {
        for number in 0..AT_A_TIME {
            let channel = format!("c{}", round * AT_A_TIME + number);
            client
                .send(json!({ "id": channel, "type": "publish", "data": { "channel": channel, "content": 1 } }))
                .await;
        }
        for _ in 0..AT_A_TIME {
            client.expect(json!({ "type": "published", "data": { "seq": 1 } })).await;
        }
        grown = grown.max(server.resident().saturating_sub(before));
        if round % 10 == 0 {
            quiet.goes_on().await;
        }
    }
    assert!(grown < 256 << 20, "{grown} bytes");
    while counted(&server, "callboard_channels", "").await > 0.0 {
        quiet.goes_on().await;
    }
    // What was put away is what it was.
    let again = json!({ "id": "again", "type": "publish", "data": { "channel": "c4711", "content": 2 } });
    let seq: Value = client.ask(again).await["data"]["seq"].clone();
    assert_eq!(seq, 2);
    quiet.end().await;
}
