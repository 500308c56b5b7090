//! Compresses what goes to one client.

use bytes::Bytes;
use flate2::Compress;

use super::{Deflation, FULL_WINDOW, deflater};

/// Compresses what goes to one client, as was agreed with it. Without context takeover it holds nothing.
#[derive(Debug)]
pub struct Packer {
    deflation: Option<Deflation>,
    /// The session's own context, from its first message of its own on.
    own: Option<Box<Compress>>,
}

impl Packer {
    /// A packer for what was agreed; `None`: everything goes plain.
    pub fn new(deflation: Option<Deflation>) -> Self {
        Self { deflation, own: None }
    }

    /// Whether everything goes plain.
    pub fn is_plain(&self) -> bool {
        self.deflation.is_none()
    }

    /// The compressed form of a message for this client alone; `None` if it goes plain.
    pub fn pack(&mut self, payload: &[u8]) -> Option<Bytes> {
        let deflation = self.deflation.filter(|deflation| payload.len() >= deflation.floor)?;
        let most = if deflation.floor == 0 { usize::MAX } else { payload.len() };
        if !deflation.server_keeps {
            return deflater::deflate(payload, deflation.bits(), most);
        }
        let own = self.own.get_or_insert_with(|| Box::new(deflater::compressor(deflation.bits())));
        let packed = deflater::run(own, payload, most);
        if packed.is_none() {
            // It remembers what the client will not get to see.
            own.reset();
        }
        packed
    }

    /// The compressed form of a message for many, which `make` makes for the first of them; `None` if it goes plain.
    pub fn pack_shared(&mut self, payload: &[u8], made: &std::sync::OnceLock<Option<Bytes>>) -> Option<Bytes> {
        let deflation = self.deflation.filter(|deflation| payload.len() >= deflation.floor)?;
        if deflation.bits() != FULL_WINDOW {
            return self.pack(payload);
        }
        let most = if deflation.floor == 0 { usize::MAX } else { payload.len() };
        let packed = made.get_or_init(|| deflater::deflate(payload, FULL_WINDOW, most)).clone();
        if packed.is_some()
            && let Some(own) = self.own.as_mut()
        {
            own.reset();
        }
        packed
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::OnceLock;

    use super::super::inflater::Inflater;
    use super::*;

    fn packer(server_keeps: bool) -> Packer {
        Packer::new(Some(Deflation { window_bits: None, floor: 16, server_keeps, client_keeps: false }))
    }

    #[test]
    fn with_a_context_a_second_alike_message_is_hardly_anything() {
        let text = br#"{"type":"event","data":{"eventType":"agent_status","agentId":"nyx","status":"busy"}}"#;
        let mut forgetful = packer(false);
        let size = forgetful.pack(text).unwrap().len();
        assert_eq!(forgetful.pack(text).unwrap().len(), size);
        let mut packer = packer(true);
        packer.pack(text).unwrap();
        assert!(packer.pack(text).unwrap().len() * 4 < size);
    }

    #[test]
    fn what_a_client_keeps_stays_in_step_with_broadcasts_noise_and_small_talk() {
        let mut noise = vec![0; 4_096];
        getrandom::fill(&mut noise).unwrap();
        let (mut packer, mut inflater) = (packer(true), Inflater::take());
        let own = "this is what I told you before, and now again ".repeat(20);
        for round in 0..5 {
            let broadcast = format!("to everybody who listens, for time number {round} ").repeat(30);
            for (payload, shared) in [
                (own.as_bytes(), false),
                (broadcast.as_bytes(), true),
                (&noise, false),
                (b"short", false),
                (own.as_bytes(), false),
            ] {
                let packed = if shared { packer.pack_shared(payload, &OnceLock::new()) } else { packer.pack(payload) };
                if let Some(packed) = packed {
                    assert_eq!(inflater.inflate(&packed, true, 1 << 20).unwrap(), payload);
                } else {
                    assert!(payload.len() < 16 || payload == noise);
                }
            }
        }
    }

    #[test]
    fn a_broadcast_is_compressed_for_the_first_and_given_to_all() {
        let (made, text) = (OnceLock::new(), "again and again ".repeat(100));
        let first = packer(false).pack_shared(text.as_bytes(), &made).unwrap();
        let other = packer(true).pack_shared(text.as_bytes(), &made).unwrap();
        assert_eq!(first.as_ptr(), other.as_ptr());
    }
}
