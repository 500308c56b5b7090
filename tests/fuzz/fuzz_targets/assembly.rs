//! Fragments of messages: joined they are what came, text is UTF-8, nothing grows past its limit.
#![no_main]

use actix_http::ws::Item;
use bytes::Bytes;
use callboard::ws::Incoming;
use callboard::ws::assembly::Assembly;
use libfuzzer_sys::fuzz_target;

const LIMIT: usize = 64;

// The first byte of each fragment says what it is, the second how long.
fuzz_target!(|data: &[u8]| {
    let mut assembly = Assembly::new(LIMIT);
    let (mut rest, mut sent, mut text) = (data, Vec::new(), false);
    while let [kind, length, more @ ..] = rest {
        let (part, behind) = more.split_at(usize::from(*length).min(more.len()));
        rest = behind;
        let bytes = Bytes::copy_from_slice(part);
        let item = match kind % 4 {
            0 | 1 => {
                sent.clear();
                text = kind % 4 == 0;
                if text { Item::FirstText(bytes) } else { Item::FirstBinary(bytes) }
            }
            2 => Item::Continue(bytes),
            _ => Item::Last(bytes),
        };
        sent.extend_from_slice(part);
        match assembly.push(item) {
            Ok(Some(Incoming::Text(whole))) => assert!(text && **whole.as_bytes() == *sent && sent.len() <= LIMIT),
            Ok(Some(Incoming::Binary(whole))) => assert!(whole == sent && sent.len() <= LIMIT),
            Ok(Some(Incoming::Closed(_))) => unreachable!("an assembly closes nothing"),
            Ok(None) => assert!(sent.len() <= LIMIT),
            Err(_) => return,
        }
        if kind % 4 == 3 {
            // Nothing is open now: what goes on without a beginning is the session's to refuse.
            return;
        }
    }
});
