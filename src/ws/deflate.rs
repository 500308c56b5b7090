//! `permessage-deflate` (RFC 7692): what is agreed in the handshake, and the two directions of it.
//!
//! Usually the server declines context takeover, its own and the client's. Then nothing is kept between two messages: an
//! idle session costs no memory for compression, one compressor a thread serves every session, and a broadcast is
//! compressed once for all of them. The price is a few percent of size on long runs of alike messages.
//!
//! Where it is told to, it keeps the contexts that the client does not decline: a compressor and an inflater a session,
//! up to 350 KiB once both were used. A broadcast is compressed once all the same, without context, which any inflater
//! understands; the session's own compressor then begins anew, for what it remembers is no longer what the client does.

use actix_web::http::header::HeaderMap;

mod deflater;
mod inflater;
mod offer;
mod packer;

pub(super) use inflater::Inflater;
pub(super) use packer::Packer;

/// Messages below this many bytes usually go uncompressed: what is saved is less than the packet's own headers.
pub const FLOOR: usize = 1024;
/// The window that is used unless the client asks for a smaller one: 32 KiB.
const FULL_WINDOW: u8 = 15;
/// The smallest window the compressor can keep: 512 bytes.
const LEAST_WINDOW: u8 = 9;

/// How messages are compressed for the clients that offer it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compression {
    /// What is smaller goes uncompressed, in bytes. Zero: everything is compressed, even where that makes it larger.
    pub floor: usize,
    /// Whether contexts are kept where the client lets them be.
    pub takeover: bool,
}

impl Default for Compression {
    fn default() -> Self {
        Self { floor: FLOOR, takeover: false }
    }
}

/// What was agreed with one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deflation {
    /// The window of what the server sends, as a power of two, if the client limits it.
    window_bits: Option<u8>,
    /// What is smaller goes uncompressed.
    floor: usize,
    /// Whether what the server sends leans on what it sent before.
    server_keeps: bool,
    /// Whether what the client sends leans on what it sent before.
    client_keeps: bool,
}

/// Takes the first offer in a request's headers that can be kept, if there is one.
pub fn negotiate(headers: &HeaderMap, terms: Compression) -> Option<Deflation> {
    offer::first_acceptable(headers).map(|offer| Deflation {
        window_bits: offer.window_bits,
        floor: terms.floor,
        server_keeps: terms.takeover && !offer.server_forgets,
        client_keeps: terms.takeover && !offer.client_forgets,
    })
}

impl Deflation {
    /// The `Sec-WebSocket-Extensions` of the answer.
    pub fn answer(self) -> String {
        let mut answer = String::from("permessage-deflate");
        if !self.server_keeps {
            answer.push_str("; server_no_context_takeover");
        }
        if !self.client_keeps {
            answer.push_str("; client_no_context_takeover");
        }
        if let Some(bits) = self.window_bits {
            answer.push_str(&format!("; server_max_window_bits={bits}"));
        }
        answer
    }

    /// Whether the client's next message leans on those before.
    pub(super) fn client_keeps(self) -> bool {
        self.client_keeps
    }

    fn bits(self) -> u8 {
        self.window_bits.unwrap_or(FULL_WINDOW)
    }
}
