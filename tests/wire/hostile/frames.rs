//! Frames that nobody should send: forbidden by WebSocket, larger than they may be, or JSON that breaks parsers.

use serde_json::Value;

use super::endpoints;
use super::floods::flood;
use crate::harness::quiet::Quiet;
use crate::harness::raw::{Raw, frame};
use crate::harness::server::Server;

/// The usual limits, but for the rate.
const UNPACED: &str = "[rate]\nframes_per_second = 1000000\nframes_burst = 1000000\n\
                       channel_frames_per_second = 1000000\nchannel_frames_burst = 1000000\n[log]\nfilter = \"warn\"";

/// One message of this size is a byte too large.
const TOO_LARGE: usize = (1 << 20) + 1;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_websocket_forbids_closes_with_its_code() {
    let server = Server::with(UNPACED);
    let quiet = Quiet::begin(&server).await;
    let text = |bytes: &[u8]| frame(0x81, bytes);
    let mut faults: Vec<(&str, Vec<u8>, u16)> = vec![
        ("a frame without a mask", b"\x81\x02{}".to_vec(), 1002),
        ("an unmasked ping", b"\x89\x00".to_vec(), 1002),
        ("a fragmented ping", frame(0x09, b""), 1002),
        ("a ping of 126 bytes", frame(0x89, &[b'x'; 126]), 1002),
        ("a continuation of nothing", frame(0x80, b"{}"), 1002),
        ("a message within a message", [frame(0x01, b"{"), frame(0x81, b"}")].concat(), 1002),
        ("a close code for local use", frame(0x88, &1006_u16.to_be_bytes()), 1002),
        ("a close code of one byte", frame(0x88, b"x"), 1002),
        ("a length with its highest bit set", [&[0x81, 0xFF, 0x80][..], &[0; 11]].concat(), 1002),
        ("invalid UTF-8", text(b"{\"type\":\"\xFF\"}"), 1007),
        ("an overlong slash", text(b"\xC0\xAF"), 1007),
        ("a surrogate in UTF-8", text(b"\xED\xA0\x80"), 1007),
        ("half a character", text(b"\xE2\x82"), 1007),
        ("invalid UTF-8 in a fragment", frame(0x01, b"\xF4\x90\x80\x80"), 1007),
        ("one byte over the limit", text(&vec![b' '; TOO_LARGE]), 1009),
        ("one byte over it in fragments", [frame(0x01, &vec![b' '; TOO_LARGE - 1]), frame(0x80, b" ")].concat(), 1009),
    ];
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        faults.push(("an opcode that is none", frame(0x80 | opcode, b""), 1002));
    }
    for bits in [0x10, 0x20, 0x40, 0x70] {
        faults.push(("reserved bits", frame(0x81 | bits, b"{}"), 1002));
        faults.push(("reserved bits of a ping", frame(0x89 | bits, b""), 1002));
    }
    for path in endpoints(&server) {
        for (what, bytes, code) in &faults {
            let mut client = Raw::connect(server.address(), &path, "");
            assert!(client.is_upgraded(), "{path}: {}", client.head);
            // It may hang up before it has read it all.
            client.put(bytes);
            let came = client.closed();
            // Whoever sends on is reset, and may then not hear the code.
            let reset = bytes.len() > 64 * 1024 && came == 1006;
            assert!(came == *code || reset, "{path}: {what} closed with {came}, expected {code}");
        }
        quiet.goes_on().await;
    }
    quiet.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fragments_without_end_are_ended() {
    let server = Server::with(UNPACED);
    let quiet = Quiet::begin(&server).await;
    for (path, size) in endpoints(&server).iter().zip([0, 1, 1000, 0]) {
        let mut client = Raw::connect(server.address(), path, "");
        assert!(client.frame(0x01, b"{"));
        let (_, code) = flood(client, &frame(0x00, &vec![b' '; size]).repeat(16));
        assert_eq!(code, 1009, "{path}: fragments of {size} bytes");
        quiet.goes_on().await;
    }
    quiet.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_does_not_follow_a_frame_that_declares_a_gibibyte() {
    let server = Server::with(UNPACED);
    let quiet = Quiet::begin(&server).await;
    let mut grown = 0;
    let before = server.resident();
    for path in endpoints(&server) {
        for first in [0x81, 0x82] {
            let mut client = Raw::connect(server.address(), &path, "");
            client.put(&[first, 0xFF, 0, 0, 0, 0, 0x40, 0, 0, 0, 0, 0, 0, 0]);
            let mut sent = 0;
            while sent < 64 << 20 && client.put(&[b' '; 64 * 1024]) {
                sent += 64 * 1024;
                grown = grown.max(server.resident().saturating_sub(before));
            }
        }
        quiet.goes_on().await;
    }
    assert!(grown < 32 << 20, "{grown} bytes");
    quiet.end().await;
}

/// Frames of each endpoint, with a `@` in the place of a value.
const FRAMES: [&[&str]; 4] = [
    &[
        "@",
        r#"{"type":@,"id":"x"}"#,
        r#"{"type":"chat","id":@,"data":{"message":5}}"#,
        r#"{"type":"chat","id":"x","data":@}"#,
        r#"{"type":"chat","id":"x","data":{"message":@}}"#,
        r#"{"type":"chat","id":"x","data":{"message":5,"conversationId":@}}"#,
        r#"{"type":"publish","id":"x","data":{"channel":@,"content":1}}"#,
        r#"{"type":"publish","id":"x","data":{"channel":"c","content":@}}"#,
        r#"{"type":"publish","id":"x","data":{"channel":"c","content":1,"metadata":@}}"#,
        r#"{"type":"batch","id":"x","data":{"messages":@}}"#,
        r#"{"type":"history","id":"x","data":{"conversationId":"c","before":@}}"#,
        r#"{"type":"unheard","id":"x","unheard":@}"#,
    ],
    &[
        "@",
        r#"{"type":@,"message_id":"x"}"#,
        r#"{"type":"client","message_id":@,"message":5}"#,
        r#"{"type":"client","message_id":"x","message":@}"#,
        r#"{"type":"get_history","limit":@}"#,
    ],
    &[
        "@",
        r#"{"type":@,"id":"x"}"#,
        r#"{"type":"message","id":@,"content":1}"#,
        r#"{"type":"message","content":@}"#,
        r#"{"type":"message","content":1,"metadata":@}"#,
        r#"{"type":"message","content":1,"target":@}"#,
        r#"{"type":"message","content":1,"reply_to":@}"#,
        r#"{"type":"step","reply_to":"x","content":@}"#,
    ],
    &[
        "@",
        r#"{"type":@,"thread_id":"x"}"#,
        r#"{"type":"history","thread_id":@}"#,
        r#"{"type":"message","thread_id":"7d0f6a9e-3b0c-4c8e-9a53-1f2e3d4c5b6a","content":@}"#,
        r#"{"type":"message","thread_id":"7d0f6a9e-3b0c-4c8e-9a53-1f2e3d4c5b6a","content":5,"agent_id":@}"#,
        r#"{"type":"delete_thread","thread_id":@}"#,
    ],
];

/// What breaks parsers: nesting, numbers, surrogates; and ids of every odd kind.
fn values() -> Vec<String> {
    let mut values = vec![
        format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)),
        "[".repeat(100_000),
        format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000)),
        format!("[{}", "{\"a\":[".repeat(50_000)),
        format!("1{}", "0".repeat(10_000)),
        format!("0.{}1", "0".repeat(10_000)),
        format!("\"{}\"", "a".repeat(129)),
        format!("\"{}\"", "a".repeat(300_000)),
    ];
    let plain = [
        "1e999",
        "-1e999",
        "1e-999",
        "-0",
        "-0.0",
        "18446744073709551616",
        "9007199254740993",
        "1E400",
        "0x10",
        "01",
        "+1",
        ".5",
        "1.",
        "NaN",
        "-Infinity",
        "null",
        "true",
        "5",
        "[]",
        "{}",
        "[null]",
        r#""\ud800""#,
        r#""\udfff and more""#,
        r#""\ud800\ud800""#,
        r#""\ud83d\ude00""#,
        r#""\u0000""#,
        r#""a\u0000b""#,
        r#""""#,
        r#"" ""#,
        r#""a b""#,
        r#""a/b""#,
        r#""../../etc/passwd""#,
        r#""..""#,
        r#""%00""#,
        r#""a\nb""#,
        r#""\u001b[2J""#,
        r#""ü""#,
        r#""\u202e""#,
        r#""__proto__""#,
        r#""constructor""#,
        r#""'; DROP TABLE agents; --""#,
        r#""<script>alert(1)</script>""#,
        r#""${jndi:ldap://x}""#,
        r#""{{7*7}}""#,
        r#""😀""#,
        "\"\u{feff}\"",
        "\"\u{2028}\"",
        "\"\t\"",
    ];
    values.extend(plain.map(str::to_owned));
    values
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn json_that_breaks_parsers_costs_its_sender_an_error() {
    let server = Server::with(UNPACED);
    let quiet = Quiet::begin(&server).await;
    let values = values();
    for (path, frames) in endpoints(&server).iter().zip(FRAMES) {
        let mut client = Raw::connect(server.address(), path, "");
        for template in frames {
            for value in &values {
                let text = template.replacen('@', value, 1);
                assert!(client.text(&text));
                assert!(client.text(r#"{"type":"ping"}"#));
                let shown: String = text.chars().take(200).collect();
                until_pong(&mut client, &shown);
            }
        }
        quiet.goes_on().await;
    }
    quiet.end().await;
}

/// Reads up to the answer to a ping: nothing on the way may be a fault of the server's own.
fn until_pong(client: &mut Raw, shown: &str) {
    loop {
        let Some((first, text)) = client.read() else { panic!("{shown}: the connection ended") };
        if first == 0x89 {
            client.frame(0x8A, &text);
            continue;
        }
        assert_eq!(first, 0x81, "{shown}: {}", String::from_utf8_lossy(&text));
        let heard: Value = serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{shown}: {error}"));
        if heard["type"] == "pong" {
            return;
        }
        let text = heard.to_string();
        let internal = ["INTERNAL_ERROR", "AGENT_FAILED", "panicked", ".rs:"].iter().any(|word| text.contains(word));
        assert!(!internal && heard["type"].is_string(), "{shown}: {heard}");
    }
}
