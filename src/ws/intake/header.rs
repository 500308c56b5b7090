//! The header of a client's frame (RFC 6455 §5.2).

use bytes::{BufMut, Bytes, BytesMut};

use super::super::close::Fault;
use super::super::frame::CONTROL_LIMIT;

const FIN: u8 = 0x80;
const RSV1: u8 = 0x40;
const RSV2_RSV3: u8 = 0x30;
const MASKED: u8 = 0x80;

/// The longest header: two bytes, an eight-byte length, a key.
pub(super) const LONGEST: usize = 14;

/// What a header declares.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub fin: bool,
    pub compressed: bool,
    pub opcode: u8,
    pub length: u64,
    pub key: [u8; 4],
    /// Of the header itself, in bytes.
    pub size: usize,
}

impl Header {
    /// Reads the header at the start of `bytes`; `None` if it is not all there. With `deflate`, the first frame of a
    /// message may have its first reserved bit set.
    ///
    /// # Errors
    /// The fault, as soon as the bytes that are there show it.
    pub fn read(bytes: &[u8], deflate: bool) -> Result<Option<Self>, Fault> {
        let Some(&first) = bytes.first() else { return Ok(None) };
        let (fin, opcode, compressed) = (first & FIN != 0, first & 0x0F, first & RSV1 != 0);
        let may_compress = deflate && matches!(opcode, 1 | 2);
        if first & RSV2_RSV3 != 0 || (compressed && !may_compress) {
            return Err(Fault::ReservedBits);
        }
        if !matches!(opcode, 0..=2 | 8..=10) {
            return Err(Fault::Opcode);
        }
        let Some(&second) = bytes.get(1) else { return Ok(None) };
        let short = second & !MASKED;
        if second & MASKED == 0 {
            return Err(Fault::Unmasked);
        }
        if opcode >= 8 && (!fin || usize::from(short) > CONTROL_LIMIT) {
            return Err(Fault::Control);
        }
        let Some((length, key_at)) = length(bytes, short) else { return Ok(None) };
        if length > i64::MAX as u64 {
            return Err(Fault::Length);
        }
        let Some(key) = array(bytes, key_at) else { return Ok(None) };
        Ok(Some(Self { fin, compressed, opcode, length, key, size: key_at + 4 }))
    }

    /// Whether it is a ping, a pong or a close.
    pub fn is_control(&self) -> bool {
        self.opcode >= 8
    }

    /// Whether it belongs to a message that another frame began.
    pub fn is_continuation(&self) -> bool {
        self.opcode == 0
    }

    /// The header of a frame with these marks, as a client would write it.
    pub fn write(fin: bool, opcode: u8, length: u64, key: [u8; 4]) -> Bytes {
        let mut out = BytesMut::with_capacity(LONGEST);
        out.put_u8(if fin { FIN | opcode } else { opcode });
        match length {
            0..=125 => out.put_u8(MASKED | length as u8),
            126..=0xFFFF => {
                out.put_u8(MASKED | 126);
                out.put_u16(length as u16);
            }
            _ => {
                out.put_u8(MASKED | 127);
                out.put_u64(length);
            }
        }
        out.put_slice(&key);
        out.freeze()
    }
}

/// The declared length, and where the key begins.
fn length(bytes: &[u8], short: u8) -> Option<(u64, usize)> {
    match short {
        126 => array(bytes, 2).map(|long| (u64::from(u16::from_be_bytes(long)), 4)),
        127 => array(bytes, 2).map(|long| (u64::from_be_bytes(long), 10)),
        _ => Some((u64::from(short), 2)),
    }
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

/// What the mask hid. By sixteen bytes at a time, which builds without an optimiser feel as well.
pub(super) fn unmasked(data: &[u8], key: [u8; 4]) -> BytesMut {
    let mut plain = BytesMut::with_capacity(data.len());
    let [a, b, c, d] = key;
    let wide = u128::from_ne_bytes([a, b, c, d, a, b, c, d, a, b, c, d, a, b, c, d]);
    let (blocks, rest) = data.as_chunks::<16>();
    for block in blocks {
        plain.put_slice(&(u128::from_ne_bytes(*block) ^ wide).to_ne_bytes());
    }
    for (byte, key) in rest.iter().zip(key.iter().cycle()) {
        plain.put_u8(byte ^ key);
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unmasking_is_the_same_at_every_length() {
        let data: Vec<u8> = (0..=255).cycle().take(100).collect();
        let key = [0x11, 0xF0, 0x5A, 0xC3];
        for length in 0..data.len() {
            let expected: Vec<u8> =
                data[..length].iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
            assert_eq!(unmasked(&data[..length], key), expected);
        }
    }
}
