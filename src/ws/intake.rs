//! Reads frame headers in what the client sends, before the codec buffers anything.
//!
//! The codec of `actix-http` waits for the whole of a declared frame before it looks at the size, and it knows no
//! extension. So the intake stands before it and hands on
//! - small frames as they came,
//! - large frames as fragments, piece by piece as their bytes arrive, so that the codec never holds a large buffer,
//!   and text is checked while it arrives,
//! - compressed messages inflated, likewise in fragments, limited by their inflated size.
//!
//! On a fault the reason is noted on the session's line, and the codec is fed a frame that it must refuse: what the
//! client sent before it is still answered in order.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::error::PayloadError;
use bytes::{Bytes, BytesMut};
use futures_util::Stream;

use self::header::{Header, LONGEST, unmasked};
use super::close::Fault;
use super::deflate::{Deflation, Inflater};
use super::line::Line;

mod header;

/// Data frames over this are handed on in fragments of at most this: the codec keeps, for as long as the session lives,
/// a buffer of the largest frame it was given. What a socket is read in at a time is no more than a few of these.
const PIECE: usize = 16 * 1024;
/// With whole frames unread, no more than this is handed on, for the codec takes all it can get before it gives out one.
const AHEAD: usize = PIECE;
/// Frames that one message may come in, by its size limit: sixteen bytes a frame, where the smallest of browsers and of
/// the conformance suite hold 64. Without it a message could go on for ever in frames that hold nothing.
const BYTES_A_FRAME: u64 = 16;
/// Frames that one message may always come in.
const FRAMES: u64 = 1024;
/// A text frame without a mask: the codec refuses it.
const REFUSED: &[u8] = &[0x81, 0x00];

/// The payload of an upgraded request, made safe for the codec.
pub struct Intake<S> {
    inner: S,
    line: Rc<Line>,
    limit: u64,
    deflate: bool,
    /// Whether compressed messages lean on those before.
    keeps: bool,
    /// The context of the client's messages, between two of them.
    kept: Option<Inflater>,
    /// Read from the socket and not yet looked at.
    chunk: Bytes,
    /// The beginning of a header that the next chunk completes.
    begun: BytesMut,
    part: Part,
    message: Message,
    /// What of the message waits to be handed on in fragments.
    open: Option<Opened>,
    /// Handed on behind the header that went before it.
    next: Option<Bytes>,
    ahead: usize,
    refused: bool,
}

/// Where in a frame the next byte lies.
enum Part {
    Header,
    /// In a frame that goes on as it came.
    Whole {
        left: u64,
    },
    /// In a frame that goes on in pieces, inflated if the message is compressed.
    Pieces {
        left: u64,
        key: [u8; 4],
        fin: bool,
    },
}

/// Bytes of a message out of their frame.
struct Opened {
    data: Bytes,
    key: [u8; 4],
    /// Whether they end the message.
    last: bool,
}

/// The message whose frames are being read.
#[derive(Default)]
struct Message {
    /// Its first frame was read, its last was not.
    open: bool,
    /// Its frames so far.
    frames: u64,
    /// Its declared bytes so far.
    declared: u64,
    /// Its inflated bytes so far.
    inflated: u64,
    /// Present while a compressed message is open.
    inflater: Option<Inflater>,
    /// The opcode of the next fragment handed on: that of the message, then 0.
    opcode: u8,
}

impl<S> Intake<S> {
    /// Reads `inner` with messages up to `limit` bytes; `deflation` says which compression was agreed.
    pub(super) fn new(inner: S, line: Rc<Line>, limit: usize, deflation: Option<Deflation>) -> Self {
        Self {
            inner,
            line,
            limit: limit as u64,
            deflate: deflation.is_some(),
            keeps: deflation.is_some_and(Deflation::client_keeps),
            kept: None,
            chunk: Bytes::new(),
            begun: BytesMut::new(),
            part: Part::Header,
            message: Message::default(),
            open: None,
            next: None,
            ahead: 0,
            refused: false,
        }
    }

    /// Whether nothing more is read for now. No waker is kept: the codec goes on with the frames it holds, and the actor
    /// asks again after each.
    fn holds_back(&mut self) -> bool {
        if !self.line.has_unread() {
            self.ahead = 0;
        }
        self.ahead >= AHEAD
    }

    /// Whether there is anything to look at without reading on.
    fn has_work(&self) -> bool {
        self.open.is_some() || !self.chunk.is_empty()
    }

    /// Looks at the next header or piece of the chunk. Gives what is to be handed on, if anything yet.
    fn step(&mut self) -> Result<Option<Bytes>, Fault> {
        if let Some(opened) = self.open.take() {
            return Ok(Some(self.fragment(opened)));
        }
        match self.part {
            Part::Header => self.header(),
            Part::Whole { left } => Ok(Some(self.whole(left, 0))),
            Part::Pieces { left, key, fin } => self.piece(left, key, fin),
        }
    }

    fn header(&mut self) -> Result<Option<Bytes>, Fault> {
        let begun = self.begun.len();
        let Some(header) = self.read_header()? else { return Ok(None) };
        self.admit(&header)?;
        let control = header.is_control();
        if !control && (self.message.inflater.is_some() || header.length > PIECE as u64) {
            self.skip(header.size - begun);
            self.begun = BytesMut::new();
            return self.piece(header.length, header.key, header.fin);
        }
        if !control {
            // Its own header says what it is; only a continuation can follow it.
            self.message.opcode = 0;
        }
        if begun == 0 {
            return Ok(Some(self.whole(header.length, header.size)));
        }
        self.skip(header.size - begun);
        let mut head = std::mem::take(&mut self.begun);
        head.truncate(header.size);
        if header.length == 0 {
            self.line.frame_passed();
        } else {
            self.part = Part::Whole { left: header.length };
        }
        Ok(Some(head.freeze()))
    }

    /// Reads the header at the start of the chunk, behind what the last chunk had of it. One that is not all there is
    /// kept for the next, and the chunk used up.
    fn read_header(&mut self) -> Result<Option<Header>, Fault> {
        let whole = if self.begun.is_empty() { Header::read(&self.chunk, self.deflate)? } else { None };
        if whole.is_some() {
            return Ok(whole);
        }
        let more = self.chunk.len().min(LONGEST - self.begun.len());
        self.begun.extend_from_slice(self.chunk.get(..more).unwrap_or_default());
        let header = Header::read(&self.begun, self.deflate)?;
        if header.is_none() {
            self.chunk = Bytes::new();
        }
        Ok(header)
    }

    /// Checks the order of fragments and the size of the message.
    fn admit(&mut self, header: &Header) -> Result<(), Fault> {
        if header.is_control() {
            return Ok(());
        }
        let message = &mut self.message;
        if header.is_continuation() != message.open {
            return Err(Fault::Fragment);
        }
        if !header.is_continuation() {
            let inflater = header.compressed.then(|| self.kept.take().unwrap_or_else(Inflater::take));
            *message = Message { inflater, opcode: header.opcode, ..Message::default() };
        }
        message.open = !header.fin;
        message.frames += 1;
        if message.frames > FRAMES + self.limit / BYTES_A_FRAME {
            return Err(Fault::TooBig);
        }
        message.declared = message.declared.saturating_add(header.length);
        // What does not compress grows a little: five bytes a block at worst.
        let slack = if message.inflater.is_some() { self.limit / 8 + 1024 } else { 0 };
        if message.declared > self.limit.saturating_add(slack) { Err(Fault::TooBig) } else { Ok(()) }
    }

    /// Hands on `header` bytes and what there is of the `left` bytes behind them.
    fn whole(&mut self, left: u64, header: usize) -> Bytes {
        let there = left.min((self.chunk.len() - header) as u64);
        self.part = if there == left { Part::Header } else { Part::Whole { left: left - there } };
        if there == left {
            self.line.frame_passed();
        }
        self.chunk.split_to(header + there as usize)
    }

    /// Takes what there is of a frame's `left` bytes out of it, to be handed on in fragments.
    fn piece(&mut self, left: u64, key: [u8; 4], fin: bool) -> Result<Option<Bytes>, Fault> {
        let there = left.min(self.chunk.len() as u64) as usize;
        let data = self.chunk.split_to(there);
        let left = left - there as u64;
        let mut next_key = key;
        next_key.rotate_left(there % 4);
        self.part = if left == 0 { Part::Header } else { Part::Pieces { left, key: next_key, fin } };
        let last = fin && left == 0;
        let (data, key) = match self.message.inflater.as_mut() {
            None => (data, key),
            Some(inflater) => {
                let room = self.limit.saturating_sub(self.message.inflated) as usize;
                let plain = inflater.inflate(&unmasked(&data, key), last, room)?;
                self.message.inflated += plain.len() as u64;
                (plain, [0; 4])
            }
        };
        if last {
            self.kept = self.message.inflater.take().filter(|_| self.keeps);
        }
        if !data.is_empty() || last {
            self.open = Some(Opened { data, key, last });
        }
        Ok(None)
    }

    /// Hands on the next of the opened bytes.
    fn fragment(&mut self, mut opened: Opened) -> Bytes {
        // A piece is a multiple of four bytes, so the key stays as it is behind it.
        let data = opened.data.split_to(opened.data.len().min(PIECE));
        let last = opened.last && opened.data.is_empty();
        let opcode = std::mem::take(&mut self.message.opcode);
        let head = Header::write(last, opcode, data.len() as u64, opened.key);
        self.open = Some(opened).filter(|opened| !opened.data.is_empty());
        self.next = Some(data).filter(|data| !data.is_empty());
        self.line.frame_passed();
        head
    }

    /// Leaves behind the part of a header that was read from the chunk, so it is there.
    fn skip(&mut self, bytes: usize) {
        let _ = self.chunk.split_to(bytes);
    }
}

impl<S> Stream for Intake<S>
where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin,
{
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            if let Some(bytes) = this.next.take() {
                return Poll::Ready(Some(Ok(bytes)));
            }
            // Refused, the session is about to close: nothing that follows is read.
            if this.refused || this.holds_back() {
                return Poll::Pending;
            }
            if !this.has_work() {
                match Pin::new(&mut this.inner).poll_next(cx) {
                    Poll::Ready(Some(Ok(chunk))) => this.chunk = chunk,
                    // The socket ended or broke. As an end, not an error, the codec still gives out what it holds.
                    Poll::Ready(Some(Err(_)) | None) => return Poll::Ready(None),
                    Poll::Pending => return Poll::Pending,
                }
                continue;
            }
            match this.step() {
                Ok(None) => {}
                Ok(Some(bytes)) => {
                    this.ahead += bytes.len() + this.next.as_ref().map_or(0, Bytes::len);
                    return Poll::Ready(Some(Ok(bytes)));
                }
                Err(fault) => {
                    this.line.blame(fault);
                    this.refused = true;
                    this.chunk = Bytes::new();
                    return Poll::Ready(Some(Ok(Bytes::from_static(REFUSED))));
                }
            }
        }
    }
}

#[cfg(test)]
#[path = "intake/tests.rs"]
mod tests;
