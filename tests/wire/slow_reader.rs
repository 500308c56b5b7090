//! A reader that does not read costs itself its session, and nobody else a thing.

use serde_json::json;

use crate::harness::client::Heard;
use crate::harness::server::Server;

/// Publications of 64 KiB: 4 MiB in all, more than the buffers of the two kernels and the session's queue take, and soon
/// enough published that the slow reader reads again before its socket is cut: then it can still be told why.
const PUBLICATIONS: u64 = 64;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscriber_that_does_not_read_is_closed_and_others_are_unaffected() {
    let server = Server::with("[rate]\nframes_per_second = 100000\nframes_burst = 100000\n[log]\nfilter = \"warn\"");
    let mut slow = server.client().await;
    let mut reader = server.client().await;
    let mut publisher = server.client().await;
    let subscribe = json!({ "id": "s", "type": "subscribe", "data": { "channels": ["c"], "since": 0 } });
    slow.ask(subscribe.clone()).await;
    reader.ask(subscribe).await;

    let reading = tokio::spawn(async move {
        for seq in 1..=PUBLICATIONS {
            reader.expect(json!({ "type": "channel_message", "data": { "seq": seq } })).await;
        }
        reader
    });
    let text = "x".repeat(64 << 10);
    for seq in 1..=PUBLICATIONS {
        let id = format!("p{seq}");
        let data = json!({ "channel": "c", "content": text });
        let published = publisher.ask(json!({ "id": id, "type": "publish", "data": data })).await;
        assert_eq!(published["data"]["seq"], seq, "{}", published["type"]);
    }
    let mut reader = reading.await.unwrap();
    reader.quiet().await;

    // What it was sent before is still in its buffers; then comes the end.
    let mut seq = 0;
    let (code, reason) = loop {
        match slow.heard().await {
            Heard::Json(frame) => {
                seq += 1;
                assert_eq!(frame["data"]["seq"], seq);
            }
            Heard::Closed(code, reason) => break (code, reason),
        }
    };
    assert_eq!((code, reason.as_str()), (1008, "slow consumer"), "after {seq} publications");
    assert!(seq < PUBLICATIONS, "it was never slow");
    let house = publisher.ask(json!({ "id": "h", "type": "status" })).await;
    assert_eq!(house["data"]["sessions"], 2, "{house}");
}
