//! Joins fragments into messages and proves that text is UTF-8, as early as each fragment allows.

use actix_http::ws::Item;
use bytes::{Bytes, BytesMut};
use bytestring::ByteString;

use super::close::{CloseReason, Fault};

/// What a session is given.
#[derive(Debug, PartialEq, Eq)]
pub enum Incoming {
    /// A whole text message.
    Text(ByteString),
    /// A whole binary message.
    Binary(Bytes),
    /// The session is over and its actor stopping: the client closed it, or did something wrong. The reason is the
    /// client's own or the one it was told. Nothing can be sent any more.
    Closed(Option<CloseReason>),
}

/// The unfinished message of one session. Empty, it holds no memory.
#[derive(Debug)]
pub struct Assembly {
    limit: usize,
    text: bool,
    /// How much of a text is known to be UTF-8; what is behind it is the beginning of one character.
    valid: usize,
    joined: BytesMut,
}

impl Assembly {
    /// Joins messages up to `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { limit, text: false, valid: 0, joined: BytesMut::new() }
    }

    /// Takes a fragment; gives the message if it was the last.
    ///
    /// # Errors
    /// [`Fault::TooBig`] over the limit, [`Fault::NotUtf8`] as soon as no continuation could make the text valid.
    pub fn push(&mut self, item: Item) -> Result<Option<Incoming>, Fault> {
        match item {
            Item::FirstText(part) => self.begin(true, &part).map(|()| None),
            Item::FirstBinary(part) => self.begin(false, &part).map(|()| None),
            Item::Continue(part) => self.extend(&part).map(|()| None),
            Item::Last(part) => self.extend(&part).and_then(|()| self.finish().map(Some)),
        }
    }

    fn begin(&mut self, text: bool, part: &[u8]) -> Result<(), Fault> {
        self.joined = BytesMut::new();
        self.valid = 0;
        self.text = text;
        self.extend(part)
    }

    fn extend(&mut self, part: &[u8]) -> Result<(), Fault> {
        if part.len() > self.limit.saturating_sub(self.joined.len()) {
            return Err(Fault::TooBig);
        }
        self.joined.extend_from_slice(part);
        if self.text {
            self.valid += valid_prefix(self.joined.get(self.valid..).unwrap_or_default())?;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<Incoming, Fault> {
        let whole = std::mem::take(&mut self.joined).freeze();
        if !self.text {
            return Ok(Incoming::Binary(whole));
        }
        if self.valid < whole.len() {
            return Err(Fault::NotUtf8);
        }
        ByteString::try_from(whole).map(Incoming::Text).map_err(|_| Fault::NotUtf8)
    }
}

/// How many bytes are UTF-8 from the start, where the rest is an unfinished character.
fn valid_prefix(bytes: &[u8]) -> Result<usize, Fault> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.len()),
        Err(error) if error.error_len().is_none() => Ok(error.valid_up_to()),
        Err(_) => Err(Fault::NotUtf8),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn part(bytes: &'static [u8]) -> Bytes {
        Bytes::from_static(bytes)
    }

    #[test]
    fn a_character_may_be_split_between_fragments() {
        let mut assembly = Assembly::new(64);
        assert_eq!(assembly.push(Item::FirstText(part(b"a\xE2\x82"))).unwrap(), None);
        assert_eq!(assembly.push(Item::Continue(part(b""))).unwrap(), None);
        let whole = assembly.push(Item::Last(part(b"\xAC!"))).unwrap();
        assert_eq!(whole, Some(Incoming::Text("a€!".into())));
        assert_eq!(assembly.joined.capacity(), 0);
    }

    #[test]
    fn bad_text_is_refused_before_its_last_fragment() {
        let mut assembly = Assembly::new(64);
        assert_eq!(assembly.push(Item::FirstText(part(b"\xCE\xBA\xED\xA0\x80"))), Err(Fault::NotUtf8));
    }

    #[test]
    fn text_must_not_end_within_a_character() {
        let mut assembly = Assembly::new(64);
        assembly.push(Item::FirstText(part(b"\xE2"))).unwrap();
        assert_eq!(assembly.push(Item::Last(part(b"\x82"))), Err(Fault::NotUtf8));
    }

    #[test]
    fn the_whole_is_limited_not_the_fragment() {
        let mut assembly = Assembly::new(4);
        assembly.push(Item::FirstBinary(part(b"abc"))).unwrap();
        assert_eq!(assembly.push(Item::Last(part(b"de"))), Err(Fault::TooBig));
    }
}
