//! The gate of one session: how much waits for its client, and how much may.
//!
//! It is charged by whoever hands the session something to send, on any thread, before the message enters the actor's
//! mailbox, and released as the frame leaves towards the socket. A session actor is polled only while its socket
//! drains, so a limit inside the actor would never be looked at when it matters.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

/// Frames are counted above the bytes in one word, so that both change in one step. 2^40 bytes is far over any limit,
/// 2^24 frames likewise; a single charge is cut to [`MOST_BYTES`].
const FRAME: u64 = 1 << 40;
/// What one ticket can weigh: 64 GiB, so that even sixteen such frames do not run into the count of frames.
const MOST_BYTES: u64 = 1 << 36;
/// What one ticket can count: far more than ever goes out together.
const MOST_FRAMES: u64 = 1 << 16;

/// How much may wait for one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Frames.
    pub frames: u32,
    /// Bytes of payload, before compression.
    pub bytes: u64,
}

impl Default for Queue {
    /// 1,024 frames or 1 MiB: seconds of a lively channel, and 10 GiB for 10,000 clients that all stall at once in the
    /// worst case, of which shared frames are held once.
    fn default() -> Self {
        Self { frames: 1_024, bytes: 1 << 20 }
    }
}

/// The queue was full. The session will be closed with 1008; nothing more reaches it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the session's outgoing queue is full")]
pub struct Overflow;

/// Counts what waits for one client. Shared between the session, its response body, and those who deliver to it.
#[derive(Debug)]
pub struct Gate {
    load: AtomicU64,
    overflowed: AtomicBool,
    ticked: AtomicU64,
    queue: Queue,
}

impl Gate {
    /// An open gate with nothing waiting.
    pub fn new(queue: Queue) -> Arc<Self> {
        Arc::new(Self {
            load: AtomicU64::new(0),
            overflowed: AtomicBool::new(false),
            ticked: AtomicU64::new(now()),
            queue,
        })
    }

    /// Takes room for one frame of `bytes`; the room is given back when the ticket is dropped, or when the frame it was
    /// settled on has left. A frame over the limit passes when nothing else waits. Call this before `try_send`.
    ///
    /// # Errors
    /// [`Overflow`] if there is no room, now and from then on: an overflow is not forgotten.
    pub fn charge(self: &Arc<Self>, bytes: usize) -> Result<Ticket, Overflow> {
        self.charge_all(1, bytes)
    }

    /// Takes room for `frames` frames of `bytes` together, as [`Gate::charge`] does for one.
    ///
    /// # Errors
    /// [`Overflow`] if there is no room for all of them.
    pub fn charge_all(self: &Arc<Self>, frames: usize, bytes: usize) -> Result<Ticket, Overflow> {
        let (count, bytes) = (tally(frames), weight(bytes));
        if self.overflowed() {
            return Err(Overflow);
        }
        let taken = self.load.fetch_update(Ordering::AcqRel, Ordering::Acquire, |load| {
            let (frames, held) = parts(load);
            let fits = frames + count <= u64::from(self.queue.frames) && held + bytes <= self.queue.bytes;
            (fits || frames == 0).then_some(load + count * FRAME + bytes)
        });
        if taken.is_err() {
            self.overflowed.store(true, Ordering::Release);
            return Err(Overflow);
        }
        Ok(Ticket { gate: Arc::clone(self), held: count * FRAME + bytes })
    }

    /// Gives back what a settled ticket for `frames` frames of `bytes` together held.
    pub(super) fn release(&self, frames: usize, bytes: usize) {
        self.load.fetch_sub(tally(frames) * FRAME + weight(bytes), Ordering::AcqRel);
    }

    /// Whether the queue has ever been full.
    pub fn overflowed(&self) -> bool {
        self.overflowed.load(Ordering::Acquire)
    }

    /// Frames and bytes that wait now.
    pub fn load(&self) -> (u64, u64) {
        parts(self.load.load(Ordering::Acquire))
    }

    /// Notes that the session's actor runs, and gives the time it did.
    pub fn tick(&self) -> u64 {
        let now = now();
        self.ticked.store(now, Ordering::Release);
        now
    }

    /// When the actor last ran, on the clock of [`now`].
    pub(super) fn ticked(&self) -> u64 {
        self.ticked.load(Ordering::Acquire)
    }
}

/// Room taken in a gate. It travels with the message to the session, which settles it on the frame that comes of it;
/// dropped on the way, it gives the room back.
#[derive(Debug)]
pub struct Ticket {
    gate: Arc<Gate>,
    /// As the gate counts it: frames above bytes.
    held: u64,
}

impl Ticket {
    /// Moves the room to `frames` frames of `bytes` together, released when they leave. Neither need be what was
    /// charged: it may not have been known then.
    pub(super) fn settle(mut self, frames: usize, bytes: usize) {
        let settled = tally(frames) * FRAME + weight(bytes);
        if settled > self.held {
            self.gate.load.fetch_add(settled - self.held, Ordering::AcqRel);
        } else if settled < self.held {
            self.gate.load.fetch_sub(self.held - settled, Ordering::AcqRel);
        }
        self.held = 0;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.held > 0 {
            self.gate.load.fetch_sub(self.held, Ordering::AcqRel);
        }
    }
}

fn weight(bytes: usize) -> u64 {
    (bytes as u64).min(MOST_BYTES)
}

fn tally(frames: usize) -> u64 {
    (frames as u64).min(MOST_FRAMES)
}

fn parts(load: u64) -> (u64, u64) {
    (load / FRAME, load % FRAME)
}

/// Milliseconds since the first look at this clock; it never goes back.
pub(super) fn now() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_millis() as u64
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn gate(frames: u32, bytes: u64) -> Arc<Gate> {
        Gate::new(Queue { frames, bytes })
    }

    #[test]
    fn a_large_frame_passes_only_an_empty_queue() {
        let gate = gate(4, 100);
        let large = gate.charge(1_000).unwrap();
        assert_eq!(gate.charge(1).unwrap_err(), Overflow);
        drop(large);
        assert_eq!(gate.load(), (0, 0));
        assert!(gate.charge(1).is_err(), "an overflow is not forgotten");
    }

    #[test]
    fn frames_are_counted_as_well_as_bytes() {
        let gate = gate(2, 100);
        let held = [gate.charge(0).unwrap(), gate.charge(0).unwrap()];
        assert!(gate.charge(0).is_err());
        assert_eq!(gate.load(), (held.len() as u64, 0));
    }

    #[test]
    fn a_settled_ticket_is_released_at_its_new_size() {
        let gate = gate(4, 100);
        gate.charge(10).unwrap().settle(1, 70);
        assert_eq!(gate.load(), (1, 70));
        gate.charge(30).unwrap().settle(1, 5);
        gate.release(1, 70);
        gate.release(1, 5);
        assert_eq!(gate.load(), (0, 0));
        assert!(!gate.overflowed());
    }

    #[test]
    fn several_frames_are_charged_settled_and_released_together() {
        let gate = gate(4, 100);
        gate.charge_all(3, 30).unwrap().settle(2, 20);
        assert_eq!(gate.load(), (2, 20));
        assert!(gate.charge_all(3, 3).is_err(), "five frames are too many");
        gate.release(2, 20);
        assert_eq!(gate.load(), (0, 0));
    }

    #[test]
    fn charges_from_many_threads_neither_leak_nor_pass_the_limit() {
        let gate = gate(64, 640);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..10_000 {
                        let ticket = gate.charge(10);
                        let (frames, bytes) = gate.load();
                        assert!(frames <= 64 && bytes <= 640);
                        drop(ticket);
                    }
                });
            }
        });
        assert_eq!(gate.load(), (0, 0));
    }
}
