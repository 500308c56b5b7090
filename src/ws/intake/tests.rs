#![allow(clippy::unwrap_used)]

use std::collections::VecDeque;
use std::task::Waker;

use proptest::prelude::*;

use super::super::deflate::{Compression, negotiate};
use super::*;

/// Gives out prepared chunks, then waits for ever.
struct Chunks(VecDeque<Bytes>);

impl Stream for Chunks {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.pop_front().map_or(Poll::Pending, |chunk| Poll::Ready(Some(Ok(chunk))))
    }
}

/// What became of a client's bytes: the frames handed on, `(fin, opcode, payload)`, and the fault.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    frames: Vec<(bool, u8, Vec<u8>)>,
    fault: Option<Fault>,
}

impl Outcome {
    /// The frames with fragments joined.
    fn messages(&self) -> Vec<(u8, Vec<u8>)> {
        let mut whole = Vec::new();
        let mut open: Option<(u8, Vec<u8>)> = None;
        for (fin, opcode, payload) in &self.frames {
            match (opcode, open.as_mut()) {
                (8.., _) => whole.push((*opcode, payload.clone())),
                (0, Some(message)) => message.1.extend(payload),
                _ => open = Some((*opcode, payload.clone())),
            }
            if *opcode < 8 && *fin {
                whole.extend(open.take());
            }
        }
        whole
    }
}

/// What is agreed on an offer.
fn agreed(offer: &str, takeover: bool) -> Deflation {
    let mut headers = actix_web::http::header::HeaderMap::new();
    headers.insert(actix_web::http::header::SEC_WEBSOCKET_EXTENSIONS, offer.parse().unwrap());
    negotiate(&headers, Compression { floor: 0, takeover }).unwrap()
}

fn run(chunks: impl IntoIterator<Item = Bytes>, limit: usize, deflate: bool) -> Outcome {
    run_agreed(chunks, limit, deflate.then(|| agreed("permessage-deflate", false)))
}

fn run_agreed(chunks: impl IntoIterator<Item = Bytes>, limit: usize, agreed: Option<Deflation>) -> Outcome {
    let line = Line::new();
    let mut intake = Intake::new(Chunks(chunks.into_iter().collect()), line.clone(), limit, agreed);
    let mut passed = BytesMut::new();
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        while let Poll::Ready(Some(Ok(bytes))) = Pin::new(&mut intake).poll_next(&mut cx) {
            passed.extend_from_slice(&bytes);
        }
        if !line.has_unread() {
            break;
        }
        while line.has_unread() {
            line.frame_read();
        }
    }
    Outcome { frames: frames(passed, line.fault().is_some()), fault: line.fault() }
}

fn frames(mut bytes: BytesMut, refused: bool) -> Vec<(bool, u8, Vec<u8>)> {
    if refused {
        assert_eq!(bytes.split_off(bytes.len() - REFUSED.len()), REFUSED);
    }
    let mut frames = Vec::new();
    while let Some(header) = Header::read(&bytes, false).unwrap() {
        let payload = bytes.split_to(header.size + header.length as usize).split_off(header.size);
        frames.push((header.fin, header.opcode, unmasked(&payload, header.key).to_vec()));
    }
    frames
}

fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let key = [7, 77, 177, 1];
    let mut bytes = Header::write(first & 0x80 != 0, first & 0x0F, payload.len() as u64, key).to_vec();
    bytes[0] = first;
    bytes.extend_from_slice(&unmasked(payload, key));
    bytes
}

fn whole(bytes: Vec<u8>) -> [Bytes; 1] {
    [bytes.into()]
}

#[test]
fn a_declared_size_over_the_limit_is_refused_at_its_header() {
    let mut bytes = frame(0x81, b"before");
    bytes.extend([0x82, 0xFF, 0, 0, 0, 0, 0x40, 0, 0, 0, 1, 2, 3, 4]);
    let outcome = run(whole(bytes), 1 << 20, false);
    assert_eq!(outcome.fault, Some(Fault::TooBig));
    assert_eq!(outcome.frames, [(true, 1, b"before".to_vec())]);
}

#[test]
fn fragments_count_together() {
    let bytes = [frame(0x01, &[b'a'; 60]), frame(0x89, b""), frame(0x80, &[b'b'; 41])].concat();
    assert_eq!(run(whole(bytes.clone()), 100, false).fault, Some(Fault::TooBig));
    assert_eq!(run(whole(bytes), 101, false).fault, None);
}

#[test]
fn what_the_protocol_forbids_is_named() {
    let cases: [(&[u8], Fault); 9] = [
        (&[0x81, 0x00], Fault::Unmasked),
        (&[0xC1], Fault::ReservedBits),
        (&[0xA1], Fault::ReservedBits),
        (&[0x83], Fault::Opcode),
        (&[0x8B], Fault::Opcode),
        (&[0x09, 0x80], Fault::Control),
        (&[0x89, 0xFE], Fault::Control),
        (&[0x80, 0x80, 1, 2, 3, 4], Fault::Fragment),
        (&[0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4], Fault::Length),
    ];
    for (bytes, fault) in cases {
        assert_eq!(run(whole(bytes.to_vec()), 100, false).fault, Some(fault), "{bytes:x?}");
    }
    let inside = [frame(0x01, b"a"), frame(0x81, b"b")].concat();
    assert_eq!(run(whole(inside), 100, false).fault, Some(Fault::Fragment));
}

#[test]
fn the_compression_bit_belongs_on_the_first_data_frame() {
    let late = [frame(0x01, b"a"), frame(0xC0, b"b")].concat();
    assert_eq!(run(whole(late), 100, true).fault, Some(Fault::ReservedBits));
    assert_eq!(run(whole(frame(0xC9, b"")), 100, true).fault, Some(Fault::ReservedBits));
}

#[test]
fn a_message_that_inflates_over_the_limit_is_refused() {
    let bomb = deflated(&vec![0; 1 << 20]);
    assert!(bomb.len() < 2_000);
    assert_eq!(run(whole(frame(0xC2, &bomb)), 1 << 20, true).fault, None);
    assert_eq!(run(whole(frame(0xC2, &bomb)), (1 << 20) - 1, true).fault, Some(Fault::TooBig));
}

#[test]
fn damaged_compressed_data_is_refused() {
    assert_eq!(run(whole(frame(0xC1, &[0xFF; 20])), 100, true).fault, Some(Fault::Deflate));
}

#[test]
fn blocks_marked_final_do_not_end_a_message() {
    // RFC 7692 §7.2.3.4: "Hello" in a final block, and the byte that makes room for the tail.
    let hello = [0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00, 0x00];
    let outcome = run(whole(frame(0xC1, &hello)), 100, true);
    assert_eq!(outcome.messages(), [(1, b"Hello".to_vec())]);
}

#[test]
fn messages_lean_on_those_before_only_where_that_was_agreed() {
    let text = b"to be or not to be, that is the question that comes again".repeat(4);
    let mut compress = flate2::Compress::new(flate2::Compression::best(), false);
    let mut packed = Vec::new();
    for _ in 0..3 {
        let mut message = Vec::with_capacity(1024);
        compress.compress_vec(&text, &mut message, flate2::FlushCompress::Sync).unwrap();
        message.truncate(message.len() - 4);
        packed.push(frame(0xC1, &message));
        // What is not compressed is no part of the context.
        packed.push(frame(0x81, b"between"));
    }
    let all: Vec<u8> = packed.iter().flat_map(|frame| frame.to_vec()).collect();
    let whole = |agreed: Deflation| run_agreed([Bytes::from(all.clone())], 1024, Some(agreed));
    let kept = whole(agreed("permessage-deflate", true));
    assert_eq!(kept.fault, None);
    let texts: Vec<_> = kept.messages().into_iter().map(|(_, payload)| payload).collect();
    assert_eq!(texts, [&text[..], b"between"].repeat(3));
    for forgotten in
        [agreed("permessage-deflate", false), agreed("permessage-deflate; client_no_context_takeover", true)]
    {
        assert_eq!(whole(forgotten).fault, Some(Fault::Deflate));
    }
}

fn deflated(plain: &[u8]) -> Vec<u8> {
    let mut compress = flate2::Compress::new(flate2::Compression::best(), false);
    let mut out = Vec::with_capacity(plain.len() + 64);
    compress.compress_vec(plain, &mut out, flate2::FlushCompress::Sync).unwrap();
    out.truncate(out.len() - 4);
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However the bytes are cut by the network, and however large the frames, the messages are those sent.
    #[test]
    fn messages_survive_any_cut(
        sizes in prop::collection::vec(prop_oneof![0usize..300, 16_000..70_000usize], 1..6),
        cuts in prop::collection::vec(1usize..20_000, 1..40),
        compress in any::<bool>(),
    ) {
        let (mut bytes, mut sent) = (Vec::new(), Vec::new());
        for (index, size) in sizes.iter().enumerate() {
            let plain: Vec<u8> = (0..*size).map(|at| (at * (index + 7) / 3) as u8).collect();
            let body = if compress { deflated(&plain) } else { plain.clone() };
            let (head, tail) = body.split_at(body.len() / 3);
            let rsv = if compress { 0x40 } else { 0 };
            bytes.extend(frame(0x02 | rsv, head));
            bytes.extend(frame(0x89, b"ping"));
            bytes.extend(frame(0x80, tail));
            sent.push((9, b"ping".to_vec()));
            sent.push((2, plain));
        }
        let mut rest = Bytes::from(bytes);
        let mut chunks = Vec::new();
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            chunks.push(rest.split_to((*cut).min(rest.len())));
        }
        let outcome = run(chunks, 1 << 20, compress);
        prop_assert_eq!(outcome.fault, None);
        prop_assert!(outcome.frames.iter().all(|(_, _, payload)| payload.len() <= PIECE));
        prop_assert_eq!(outcome.messages(), sent);
    }
}
