//! What the three parts of one session share on its thread: the intake before the actor, the wire within, the outflow
//! behind. Nothing of it crosses threads.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use super::close::Fault;
use super::frame::Frame;

/// A queue that grew over this many frames gives its memory back once it is empty.
const KEPT: usize = 16;

/// How far the last ping is.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(super) enum Ping {
    /// The client was heard since.
    #[default]
    Answered,
    /// It waits behind other frames.
    Queued,
    /// It left then, and nothing was heard since. On the clock of [`now`](super::gate::now).
    Left(u64),
}

/// The shared state of one session.
#[derive(Default)]
pub(super) struct Line {
    outbox: RefCell<VecDeque<Frame>>,
    closed: Cell<bool>,
    dismissed: Cell<bool>,
    ping: Cell<Ping>,
    fault: Cell<Option<Fault>>,
    unread: Cell<u32>,
}

impl Line {
    pub fn new() -> Rc<Self> {
        Rc::default()
    }

    /// Queues a frame behind the others. After a close frame nothing more is taken: `false`.
    pub fn push(&self, frame: Frame) -> bool {
        if self.closed.get() {
            return false;
        }
        self.closed.set(frame.is_close());
        self.outbox.borrow_mut().push_back(frame);
        true
    }

    /// The next frame to leave.
    pub fn pop(&self) -> Option<Frame> {
        let mut outbox = self.outbox.borrow_mut();
        let frame = outbox.pop_front();
        if outbox.is_empty() && outbox.capacity() > KEPT {
            *outbox = VecDeque::new();
        }
        frame
    }

    /// Whether the close frame has left, and with it the last there is to send.
    pub fn is_over(&self) -> bool {
        self.closed.get() && self.outbox.borrow().is_empty()
    }

    /// Drops what waits, and the memory it took. Nothing more is taken.
    pub fn cut(&self) {
        self.closed.set(true);
        self.outbox.take();
    }

    /// Whether a close frame was queued.
    pub fn is_closed(&self) -> bool {
        self.closed.get()
    }

    /// How far the last ping is.
    pub fn ping(&self) -> Ping {
        self.ping.get()
    }

    /// Notes how far the ping is.
    pub fn set_ping(&self, ping: Ping) {
        self.ping.set(ping);
    }

    /// Notes that the client closed: it waits for the server to end the connection.
    pub fn dismiss(&self) {
        self.dismissed.set(true);
    }

    /// Whether the client closed.
    pub fn is_dismissed(&self) -> bool {
        self.dismissed.get()
    }

    /// Notes what the client did wrong; the first fault stays.
    pub fn blame(&self, fault: Fault) {
        if self.fault.get().is_none() {
            self.fault.set(Some(fault));
        }
    }

    /// What the client did wrong, if the intake saw it.
    pub fn fault(&self) -> Option<Fault> {
        self.fault.get()
    }

    /// Notes that a whole frame went to the codec.
    pub fn frame_passed(&self) {
        self.unread.set(self.unread.get().saturating_add(1));
    }

    /// Notes that the actor was given a frame.
    pub fn frame_read(&self) {
        self.unread.set(self.unread.get().saturating_sub(1));
    }

    /// Whether the codec holds whole frames that the actor has not seen.
    pub fn has_unread(&self) -> bool {
        self.unread.get() > 0
    }
}
