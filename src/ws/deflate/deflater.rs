//! Compresses whole messages, without memory of those before.

use std::cell::RefCell;

use bytes::Bytes;
use flate2::{Compress, Compression, FlushCompress, Status};

use super::FULL_WINDOW;
use crate::metrics;

/// Fast rather than small: JSON shrinks to a fifth at this level as well, at a third of the time of the default.
const LEVEL: u32 = 3;
/// What a sync flush ends with, and a message does not carry (RFC 7692 §7.2.1).
const TAIL: [u8; 4] = [0, 0, 0xFF, 0xFF];

thread_local! {
    /// The compressor of this thread for the full window, about 300 KB once it was used.
    static SHARED: RefCell<Option<Compress>> = const { RefCell::new(None) };
}

/// The compressed payload without its tail; `None` if it would not be under `most` bytes.
pub(super) fn deflate(payload: &[u8], bits: u8, most: usize) -> Option<Bytes> {
    if bits != FULL_WINDOW {
        // Hardly any client asks for less; none is worth a compressor kept for it.
        return run(&mut compressor(bits), payload, most);
    }
    SHARED.with_borrow_mut(|shared| {
        let compress = shared.get_or_insert_with(|| compressor(FULL_WINDOW));
        let deflated = run(compress, payload, most);
        compress.reset();
        deflated
    })
}

/// A compressor with a window of `bits`, as a power of two.
pub(super) fn compressor(bits: u8) -> Compress {
    Compress::new_with_window_bits(Compression::new(LEVEL), false, bits)
}

/// The compressed payload without its tail, behind what the compressor was given before; `None` if it would not be under
/// `most` bytes, and then the compressor is out of step with whoever reads.
pub(super) fn run(compress: &mut Compress, payload: &[u8], most: usize) -> Option<Bytes> {
    metrics::compressed();
    let before = compress.total_in();
    // What does not compress grows by five bytes a block of 16 KiB and the tail.
    let worst = payload.len() + payload.len() / 1024 + 64;
    let mut out = Vec::with_capacity(worst.min(most));
    let status = compress.compress_vec(payload, &mut out, FlushCompress::Sync).ok()?;
    let complete = status == Status::Ok && compress.total_in() - before == payload.len() as u64;
    // A flush cut short by the end of the room does not end with the tail.
    let body = out.len().checked_sub(TAIL.len()).filter(|at| complete && out.get(*at..) == Some(&TAIL[..]))?;
    out.truncate(body);
    // The room was that of the payload; what is kept, perhaps for a thousand sessions, is what it came to.
    out.shrink_to_fit();
    Some(out.into())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::inflater::Inflater;
    use super::*;

    fn back(deflated: &[u8]) -> Bytes {
        Inflater::take().inflate(deflated, true, 1 << 20).unwrap()
    }

    #[test]
    fn every_window_gives_back_what_went_in() {
        let text = "to be or not to be, that is the question. ".repeat(2_000);
        for bits in 9..=15 {
            let deflated = deflate(text.as_bytes(), bits, text.len()).unwrap();
            assert!(deflated.len() < text.len() / 10);
            assert_eq!(back(&deflated), text.as_bytes());
        }
    }

    #[test]
    fn messages_do_not_lean_on_each_other() {
        let text = "alike ".repeat(500);
        let once = deflate(text.as_bytes(), 15, text.len());
        assert!(once.is_some());
        assert_eq!(deflate(text.as_bytes(), 15, text.len()), once);
    }

    #[test]
    fn what_does_not_shrink_stays_plain() {
        let mut noise = vec![0; 4_096];
        getrandom::fill(&mut noise).unwrap();
        assert_eq!(deflate(&noise, 15, noise.len()), None);
        let grown = deflate(&noise, 15, usize::MAX).unwrap();
        assert_eq!(back(&grown), noise);
    }

    #[test]
    fn an_empty_message_is_one_byte() {
        assert_eq!(deflate(b"", 15, usize::MAX).as_deref(), Some(&[0][..]));
    }
}
