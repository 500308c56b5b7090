//! `permessage-deflate` with the program as it ships: who gets what compressed, how often it is done, and what it costs.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use serde_json::{Value, json};

use crate::harness::quiet::Quiet;
use crate::harness::raw::Raw;
use crate::harness::rest::counted;
use crate::harness::server::Server;

const OFFER: &str = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
const TAIL: [u8; 4] = [0, 0, 0xFF, 0xFF];

/// A client that compresses, and keeps the context of either direction or not.
struct Deflating {
    raw: Raw,
    compress: Compress,
    decompress: Decompress,
    keeps: bool,
}

impl Deflating {
    fn connect(server: &Server, offer: &str, keeps: bool) -> Self {
        let raw = Raw::connect(server.address(), "/ws", offer);
        assert!(raw.head.contains("permessage-deflate"), "{}", raw.head);
        assert_eq!(!raw.head.contains("no_context_takeover"), keeps, "{}", raw.head);
        Self { raw, compress: Compress::new(Compression::best(), false), decompress: Decompress::new(false), keeps }
    }

    /// Sends a compressed text; returns how many bytes it came to.
    fn send(&mut self, frame: &Value) -> usize {
        let text = frame.to_string();
        let mut packed = Vec::with_capacity(text.len() * 2 + 64);
        self.compress.compress_vec(text.as_bytes(), &mut packed, FlushCompress::Sync).unwrap();
        packed.truncate(packed.len() - TAIL.len());
        if !self.keeps {
            self.compress.reset();
        }
        assert!(self.raw.frame(0xC1, &packed));
        packed.len()
    }

    /// The next text, and how many bytes it came to if it was compressed.
    fn next(&mut self) -> (Value, Option<usize>) {
        loop {
            let (first, payload) = self.raw.read().expect("the connection ended");
            match first {
                0x81 => return (serde_json::from_slice(&payload).unwrap(), None),
                0xC1 => return (serde_json::from_slice(&self.inflated(&payload)).unwrap(), Some(payload.len())),
                0x89 => assert!(self.raw.frame(0x8A, &payload)),
                other => panic!("{other:x}: {payload:?}"),
            }
        }
    }

    fn inflated(&mut self, payload: &[u8]) -> Vec<u8> {
        let mut plain = Vec::with_capacity(4 << 20);
        for part in [payload, &TAIL] {
            self.decompress.decompress_vec(part, &mut plain, FlushDecompress::Sync).unwrap();
        }
        if !self.keeps {
            self.decompress.reset(false);
        }
        plain
    }

    /// Sends a request, and passes over what comes before its answer.
    fn ask(&mut self, frame: &Value) -> (Value, Option<usize>) {
        self.send(frame);
        loop {
            let (answer, size) = self.next();
            if answer["id"] == frame["id"] {
                return (answer, size);
            }
        }
    }
}

fn publish(content: &str) -> Value {
    json!({ "type": "publish", "id": "p", "data": { "channel": "c", "content": content } })
}

fn subscribe() -> Value {
    json!({ "type": "subscribe", "id": "s", "data": { "channels": ["c"] } })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broadcast_is_compressed_once_and_small_talk_not_at_all() {
    let server = Server::with("[log]\nfilter = \"warn\"");
    let mut readers: Vec<Deflating> = (0..20).map(|_| Deflating::connect(&server, OFFER, false)).collect();
    for reader in &mut readers {
        let (answer, packed) = reader.ask(&subscribe());
        assert_eq!((&answer["type"], packed), (&json!("subscribed"), None), "{answer}");
    }
    let before = counted(&server, "callboard_compressed_total", "").await;
    let content = "a line that comes again and again\n".repeat(300);
    let mut publisher = server.client().await;
    publisher.ask(publish(&content)).await;
    publisher.ask(publish("short")).await;
    for reader in &mut readers {
        let (heard, packed) = reader.next();
        assert_eq!(heard["data"]["content"], content);
        assert!(packed.is_some_and(|size| size < content.len() / 10), "{packed:?}");
        let (heard, packed) = reader.next();
        assert_eq!((&heard["data"]["content"], packed), (&json!("short"), None));
    }
    assert_eq!(counted(&server, "callboard_compressed_total", "").await - before, 1.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn contexts_are_kept_where_both_sides_want_them() {
    let server = Server::with("[compression]\nfloor = 0\ncontext_takeover = true\n[log]\nfilter = \"warn\"");
    let mut one = Deflating::connect(&server, OFFER, true);
    let declined = "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; \
                    client_no_context_takeover\r\n";
    let mut other = Deflating::connect(&server, declined, false);
    one.ask(&subscribe());
    other.ask(&subscribe());
    let status = |id: u32| json!({ "type": "status", "id": id.to_string(), "targetAgent": "nyx" });
    let (sent, (first, before)) = (one.send(&status(10)), one.next());
    let (again, (second, after)) = (one.send(&status(11)), one.next());
    assert_eq!((&first["id"], &second["id"]), (&json!("10"), &json!("11")));
    // The agent's time goes on, and little else changes.
    assert!(again < sent && after.unwrap() * 2 < before.unwrap(), "{sent} {again} {before:?} {after:?}");
    let before = counted(&server, "callboard_compressed_total", "").await;
    for round in 12..20 {
        let content = format!("{round}: a line that comes again and again\n").repeat(100);
        // Its own answer, what it hears as a subscriber, and the same at the other's.
        for client in [&mut one, &mut other] {
            client.ask(&status(round));
        }
        one.send(&publish(&content));
        let (mut published, mut heard) = (false, false);
        while !published || !heard {
            let (frame, _) = one.next();
            published |= frame["type"] == "published";
            heard |= frame["data"]["content"] == content;
        }
        assert_eq!(other.next().0["data"]["content"], content);
    }
    // Three answers of its own and one broadcast a round.
    assert_eq!(counted(&server, "callboard_compressed_total", "").await - before, 8.0 * 4.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bomb_is_closed_with_1009_and_memory_does_not_follow() {
    for takeover in [false, true] {
        let server = Server::with(&format!("[compression]\ncontext_takeover = {takeover}\n[log]\nfilter = \"warn\""));
        let quiet = Quiet::begin(&server).await;
        let mut compress = Compress::new(Compression::best(), false);
        let mut bomb = Vec::with_capacity(1 << 20);
        compress.compress_vec(&vec![b' '; 128 << 20], &mut bomb, FlushCompress::Sync).unwrap();
        let before = server.resident();
        for _ in 0..20 {
            let mut client = Raw::connect(server.address(), "/ws", OFFER);
            client.frame(0xC1, &bomb[..bomb.len() - TAIL.len()]);
            assert_eq!(client.closed(), 1009);
        }
        let grown = server.resident().saturating_sub(before);
        assert!(grown < 32 << 20, "{grown} bytes");
        quiet.goes_on().await;
        // Damaged data ends its sender, and the inflater that it broke serves nobody else.
        for _ in 0..20 {
            let mut client = Raw::connect(server.address(), "/ws", OFFER);
            client.frame(0xC1, &[0xFF; 100]);
            assert_eq!(client.closed(), 1007);
            let mut honest = Deflating::connect(&server, OFFER, takeover);
            let (answer, _) = honest.ask(&json!({ "type": "status", "id": "s", "targetAgent": "nyx" }));
            assert_eq!(answer["type"], "status_update");
        }
        quiet.end().await;
    }
}
