//! A frame on its way to clients, and how a server writes one (RFC 6455 §5.2).

use std::sync::{Arc, OnceLock};

use actix_web_actors::ws::CloseReason;
use bytes::{BufMut, Bytes, BytesMut};
use bytestring::ByteString;

use super::deflate::Packer;

const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;
const FIN: u8 = 0x80;
const RSV1: u8 = 0x40;

/// What a control frame may carry.
pub const CONTROL_LIMIT: usize = 125;
/// The longest header of a server's frame.
pub const HEADER_LIMIT: usize = 10;

/// One whole message for one client or for many. Clones share the payload; those for many share its compressed form as
/// well, which is made at most once, when the first client that takes it so is written to.
#[derive(Clone, Debug)]
pub struct Frame(Arc<Content>);

#[derive(Debug)]
struct Content {
    opcode: u8,
    payload: Bytes,
    /// Whether it is for many.
    shared: bool,
    /// `None` within: compressing does not make it smaller.
    deflated: OnceLock<Option<Bytes>>,
    /// The frames that this one holds, if it is a bundle; its payload is all of them as they go over the wire.
    frames: Vec<Frame>,
}

impl Frame {
    /// A text frame.
    pub fn text(text: impl Into<ByteString>) -> Self {
        Self::new(TEXT, text.into().into_bytes())
    }

    /// A text frame for many.
    pub fn broadcast(text: impl Into<ByteString>) -> Self {
        Self::of(TEXT, text.into().into_bytes(), true)
    }

    /// A binary frame.
    pub fn binary(payload: impl Into<Bytes>) -> Self {
        Self::new(BINARY, payload.into())
    }

    pub(super) fn ping() -> Self {
        Self::new(PING, Bytes::new())
    }

    pub(super) fn pong(payload: Bytes) -> Self {
        Self::new(PONG, payload)
    }

    pub(super) fn close(reason: Option<&CloseReason>) -> Self {
        let mut payload = BytesMut::new();
        if let Some(reason) = reason {
            payload.put_u16(reason.code.into());
            let words = reason.description.as_deref().unwrap_or_default();
            payload.put_slice(clip(words, CONTROL_LIMIT - 2).as_bytes());
        }
        Self::new(CLOSE, payload.freeze())
    }

    /// Several text frames that go out together; `None` if there are none.
    pub(super) fn bundle(frames: Vec<Self>) -> Option<Self> {
        if frames.len() < 2 {
            return frames.into_iter().next();
        }
        let mut plain = Packer::new(None);
        let mut wire = BytesMut::with_capacity(frames.iter().map(|frame| HEADER_LIMIT + frame.size()).sum());
        for frame in &frames {
            let payload = frame.encode(&mut plain, &mut wire);
            wire.extend_from_slice(&payload);
        }
        let payload = wire.freeze();
        Some(Self(Arc::new(Content { opcode: TEXT, payload, shared: true, deflated: OnceLock::new(), frames })))
    }

    fn new(opcode: u8, payload: Bytes) -> Self {
        Self::of(opcode, payload, false)
    }

    fn of(opcode: u8, payload: Bytes, shared: bool) -> Self {
        Self(Arc::new(Content { opcode, payload, shared, deflated: OnceLock::new(), frames: Vec::new() }))
    }

    /// The size of the payload in bytes, before compression.
    pub fn size(&self) -> usize {
        self.0.payload.len()
    }

    /// How many frames it is on the wire.
    pub(super) fn count(&self) -> usize {
        self.0.frames.len().max(1)
    }

    /// Whether it holds other frames.
    pub(super) fn is_bundle(&self) -> bool {
        !self.0.frames.is_empty()
    }

    pub(super) fn is_close(&self) -> bool {
        self.0.opcode == CLOSE
    }

    pub(super) fn is_ping(&self) -> bool {
        self.0.opcode == PING
    }

    /// Whether the gate counts the frame. Pings and closes are the server's own doing, at most one each at a time.
    pub(super) fn is_charged(&self) -> bool {
        !matches!(self.0.opcode, CLOSE | PING)
    }

    /// Writes the frame, if it goes to the client of `packer` as it is and has at most `most` bytes; says whether.
    pub(super) fn write(&self, packer: &Packer, most: usize, out: &mut BytesMut) -> bool {
        let content = &*self.0;
        let plain = packer.is_plain() || !matches!(content.opcode, TEXT | BINARY);
        if !plain || self.is_bundle() || content.payload.len() > most {
            return false;
        }
        put_header(out, FIN | content.opcode, content.payload.len());
        out.extend_from_slice(&content.payload);
        true
    }

    /// The header and the payload as they go to the client of `packer`.
    pub(super) fn encode(&self, packer: &mut Packer, header: &mut BytesMut) -> Bytes {
        let content = &*self.0;
        if self.is_bundle() {
            if packer.is_plain() {
                return content.payload.clone();
            }
            for frame in &content.frames {
                let payload = frame.encode(packer, header);
                header.extend_from_slice(&payload);
            }
            return Bytes::new();
        }
        let deflated = match content.opcode {
            TEXT | BINARY if content.shared => packer.pack_shared(&content.payload, &content.deflated),
            TEXT | BINARY => packer.pack(&content.payload),
            _ => None,
        };
        let first = FIN | content.opcode | if deflated.is_some() { RSV1 } else { 0 };
        let payload = deflated.unwrap_or_else(|| content.payload.clone());
        put_header(header, first, payload.len());
        payload
    }
}

/// Writes the header of an unmasked frame.
fn put_header(out: &mut BytesMut, first: u8, length: usize) {
    out.put_u8(first);
    match length {
        0..=125 => out.put_u8(length as u8),
        126..=0xFFFF => {
            out.put_u8(126);
            out.put_u16(length as u16);
        }
        _ => {
            out.put_u8(127);
            out.put_u64(length as u64);
        }
    }
}

/// The longest beginning of `words` within `limit` bytes.
fn clip(words: &str, limit: usize) -> &str {
    let mut end = words.len().min(limit);
    while !words.is_char_boundary(end) {
        end -= 1;
    }
    words.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web_actors::ws::CloseCode;

    fn head(frame: &Frame) -> (Vec<u8>, Bytes) {
        let mut header = BytesMut::new();
        let payload = frame.encode(&mut Packer::new(None), &mut header);
        (header.to_vec(), payload)
    }

    #[test]
    fn lengths_take_the_shortest_form() {
        assert_eq!(head(&Frame::text("a".repeat(125))).0, [0x81, 125]);
        assert_eq!(head(&Frame::binary(vec![0; 126])).0, [0x82, 126, 0, 126]);
        assert_eq!(head(&Frame::binary(vec![0; 0x1_0000])).0, [0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
    }

    #[test]
    fn the_words_of_a_close_frame_end_at_a_character() {
        let reason = CloseReason::from((CloseCode::Policy, "é".repeat(100)));
        let (_, payload) = head(&Frame::close(Some(&reason)));
        assert_eq!(payload.len(), 2 + 122);
        assert!(std::str::from_utf8(&payload[2..]).is_ok());
    }

    #[test]
    fn a_bundle_is_its_frames_one_after_the_other() {
        let frames = [Frame::broadcast("one"), Frame::broadcast("two".repeat(100))];
        let Some(bundle) = Frame::bundle(frames.to_vec()) else { panic!("no bundle") };
        let (header, payload) = head(&bundle);
        let apart: Vec<u8> =
            frames.iter().map(head).flat_map(|(header, payload)| [header, payload.to_vec()].concat()).collect();
        assert!(header.is_empty() && bundle.count() == 2);
        assert_eq!(payload, apart);
        assert!(Frame::bundle(Vec::new()).is_none());
    }
}
