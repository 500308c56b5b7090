//! `permessage-deflate` (RFC 7692): what is agreed in the handshake, and the two directions of it.
//!
//! The server always declines context takeover, its own and the client's. So nothing is kept between two messages: an
//! idle session costs no memory for compression, one compressor a thread serves every session, and a broadcast is
//! compressed once for all of them. The price is a few percent of size on long runs of alike messages.

use actix_web::http::header::HeaderMap;
use bytes::Bytes;

mod deflater;
mod inflater;
mod offer;

pub(super) use inflater::Inflater;

/// Messages below this many bytes usually go uncompressed: what is saved is less than the packet's own headers.
pub const FLOOR: usize = 1024;
/// The window that is used unless the client asks for a smaller one: 32 KiB.
const FULL_WINDOW: u8 = 15;
/// The smallest window the compressor can keep: 512 bytes.
const LEAST_WINDOW: u8 = 9;

/// What was agreed with one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deflation {
    /// The window of what the server sends, as a power of two, if the client limits it.
    window_bits: Option<u8>,
    /// What is smaller goes uncompressed. Zero: everything is compressed, even where that makes it larger.
    floor: usize,
}

/// Takes the first offer in a request's headers that can be kept, if there is one.
pub fn negotiate(headers: &HeaderMap, floor: usize) -> Option<Deflation> {
    offer::first_acceptable(headers).map(|window_bits| Deflation { window_bits, floor })
}

impl Deflation {
    /// The `Sec-WebSocket-Extensions` of the answer.
    pub fn answer(self) -> String {
        let mut answer = String::from("permessage-deflate; server_no_context_takeover; client_no_context_takeover");
        if let Some(bits) = self.window_bits {
            answer.push_str(&format!("; server_max_window_bits={bits}"));
        }
        answer
    }

    /// Whether what is compressed for this client serves every other such client too.
    pub(super) fn is_shared(self) -> bool {
        self.bits() == FULL_WINDOW
    }

    /// The compressed payload; `None` if it is not worth it.
    pub(super) fn compress(self, payload: &[u8]) -> Option<Bytes> {
        if payload.len() < self.floor {
            return None;
        }
        let most = if self.floor == 0 { usize::MAX } else { payload.len() };
        deflater::deflate(payload, self.bits(), most)
    }

    fn bits(self) -> u8 {
        self.window_bits.unwrap_or(FULL_WINDOW)
    }
}
