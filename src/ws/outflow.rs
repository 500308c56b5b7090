//! The response body of a session: runs the actor, and writes its frames as the socket takes them.
//!
//! The context of `actix-web-actors` would encode everything it holds into one buffer at once. Here frames wait as
//! they are, shared with other sessions where they are broadcast, and are encoded a socket's bite at a time; the gate
//! is released as each has left.

use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use actix_web::Error;
use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use pin_project_lite::pin_project;

use super::close;
use super::cord::Cord;
use super::deflate::{Deflation, Packer};
use super::frame::{CONTROL_LIMIT, Frame, HEADER_LIMIT};
use super::gate::{Gate, now};
use super::line::{Line, Ping};

/// Frames are gathered up to this: the HTTP dispatcher writes what it has been given before it asks for more, and its
/// own buffer begins with 8 KiB and goes up to 32.
const BATCH: usize = 16 * 1024;
/// Larger payloads are handed on as they lie, without a copy.
const COPIED: usize = 8 * 1024;
/// What is handed on of a large payload at a time.
const SLICE: usize = 32 * 1024;

pin_project! {
    /// What leaves for one client. `inner` is the running actor: the stream that its context makes.
    pub struct Outflow<S> {
        #[pin]
        inner: S,
        line: Rc<Line>,
        gate: Arc<Gate>,
        packer: Packer,
        rest: Option<Rest>,
        // What the context encoded itself while a large payload was on its way.
        aside: Option<Bytes>,
        ended: bool,
        cord: Weak<Cord>,
        flushed: bool,
    }
}

impl<S> Outflow<S> {
    pub(super) fn new(
        inner: S,
        line: Rc<Line>,
        gate: Arc<Gate>,
        deflation: Option<Deflation>,
        cord: Weak<Cord>,
    ) -> Self {
        Self {
            inner,
            line,
            gate,
            packer: Packer::new(deflation),
            rest: None,
            aside: None,
            ended: false,
            cord,
            flushed: false,
        }
    }
}

impl<S> Stream for Outflow<S>
where
    S: Stream<Item = Result<Bytes, Error>>,
{
    type Item = Result<Bytes, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut this = self.project();
        // First the actor, also while a large payload leaves: it is to hear its client and its heart beat.
        if !*this.ended && this.aside.is_none() {
            match this.inner.as_mut().poll_next(cx) {
                Poll::Ready(Some(Ok(bytes))) => *this.aside = Some(bytes),
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error))),
                Poll::Ready(None) => *this.ended = true,
                Poll::Pending => {}
            }
        }
        if let Some(slice) = next_slice(this.rest, this.gate) {
            return Poll::Ready(Some(Ok(slice)));
        }
        // These frames are whole, so they may go between ours.
        if let Some(bytes) = this.aside.take() {
            return Poll::Ready(Some(Ok(bytes)));
        }
        if this.gate.overflowed() && !this.line.is_over() {
            *this.ended = true;
            this.line.cut();
            return Poll::Ready(Some(Ok(farewell())));
        }
        let batch = gather(this.line, this.gate, this.packer, this.rest);
        if !batch.is_empty() {
            Poll::Ready(Some(Ok(batch)))
        } else if let Some(slice) = next_slice(this.rest, this.gate) {
            // A bundle that nothing stood before.
            Poll::Ready(Some(Ok(slice)))
        } else if !*this.ended {
            Poll::Pending
        } else if this.line.is_dismissed() && !std::mem::replace(this.flushed, true) {
            // The dispatcher writes what it was given, and asks again.
            cx.waker().wake_by_ref();
            Poll::Pending
        } else {
            finish(this.line, this.cord);
            Poll::Ready(None)
        }
    }
}

/// Ends the connection of a client that closed. The dispatcher would first wait, for its whole limit of a second, for
/// the client to end it; but a client waits for its server (RFC 6455 §7.1.1). Anything a blocked socket did not take by
/// now is lost on somebody who said that they read no more.
fn finish(line: &Line, cord: &Weak<Cord>) {
    if let Some(cord) = cord.upgrade().filter(|_| line.is_dismissed()) {
        cord.finish();
    }
}

/// The rest of what is handed on as it lies, with the frames and bytes that the gate has for it.
struct Rest {
    payload: Bytes,
    charged: Option<(usize, usize)>,
}

/// The next slice of a large payload.
fn next_slice(rest: &mut Option<Rest>, gate: &Gate) -> Option<Bytes> {
    let Rest { payload, charged } = rest.as_mut()?;
    let slice = payload.split_to(payload.len().min(SLICE));
    if payload.is_empty() {
        charged.iter().for_each(|(frames, bytes)| gate.release(*frames, *bytes));
        *rest = None;
    }
    Some(slice)
}

/// Encodes what waits, up to a batch. A large payload is left in `rest`.
fn gather(line: &Line, gate: &Gate, packer: &mut Packer, rest: &mut Option<Rest>) -> Bytes {
    let mut batch = BytesMut::new();
    while batch.len() < BATCH {
        let Some(frame) = line.pop() else { break };
        if frame.is_ping() && line.ping() == Ping::Queued {
            line.set_ping(Ping::Left(now()));
        }
        let charged = frame.is_charged().then(|| (frame.count(), frame.size()));
        let shared = frame.is_bundle() && packer.is_plain();
        if !shared && batch.is_empty() {
            batch.reserve(room(gate));
        }
        if !frame.write(packer, COPIED, &mut batch) {
            let payload = frame.encode(packer, &mut batch);
            if shared || payload.len() > COPIED {
                *rest = Some(Rest { payload, charged });
                break;
            }
            batch.extend_from_slice(&payload);
        }
        charged.iter().for_each(|(frames, bytes)| gate.release(*frames, *bytes));
    }
    batch.freeze()
}

/// About what the frames that wait will take of a batch, so that it is allocated once.
fn room(gate: &Gate) -> usize {
    let (frames, bytes) = gate.load();
    let all = bytes.saturating_add(frames.saturating_mul(HEADER_LIMIT as u64));
    usize::try_from(all).unwrap_or(BATCH).clamp(HEADER_LIMIT + CONTROL_LIMIT, BATCH)
}

/// What a slow consumer is told instead of all that waited for it.
fn farewell() -> Bytes {
    let mut bytes = BytesMut::new();
    let payload = Frame::close(Some(&close::slow_consumer())).encode(&mut Packer::new(None), &mut bytes);
    bytes.extend_from_slice(&payload);
    bytes.freeze()
}
