//! Inflates one message as its bytes arrive.

use std::cell::RefCell;

use bytes::Bytes;
use flate2::{Decompress, FlushDecompress, Status};

use super::super::close::Fault;

/// What a message leaves out at its end (RFC 7692 §7.2.2).
const TAIL: [u8; 4] = [0, 0, 0xFF, 0xFF];
/// Output grows by this at least, and by what it already holds at most.
const STEP: usize = 4 * 1024;
/// Inflaters a thread keeps for the next messages, about 48 KB each. Only messages that arrive in parts need more than
/// one at a time.
const KEPT: usize = 4;

thread_local! {
    static POOL: RefCell<Vec<Decompress>> = const { RefCell::new(Vec::new()) };
}

/// The state of one compressed message, lent by the thread for as long as the message is open.
pub struct Inflater {
    /// Present until dropped.
    state: Option<Decompress>,
}

impl Inflater {
    /// An inflater without memory of any message.
    pub fn take() -> Self {
        let state = POOL.with_borrow_mut(Vec::pop).unwrap_or_else(|| Decompress::new(false));
        Self { state: Some(state) }
    }

    /// Inflates the next bytes of the message, the last of them if `last`.
    ///
    /// # Errors
    /// [`Fault::TooBig`] if more than `room` bytes come of it, [`Fault::Deflate`] if the data is damaged.
    pub fn inflate(&mut self, data: &[u8], last: bool, room: usize) -> Result<Bytes, Fault> {
        let Some(state) = self.state.as_mut() else { return Err(Fault::Deflate) };
        // A vector, for flate2 writes into the spare room of nothing else.
        let mut out = Vec::new();
        run(state, data, &mut out, room)?;
        if last {
            run(state, &TAIL, &mut out, room)?;
        }
        Ok(out.into())
    }
}

impl Drop for Inflater {
    fn drop(&mut self) {
        let Some(mut state) = self.state.take() else { return };
        // At the thread's own end the pool may be gone already.
        let _ = POOL.try_with(|pool| {
            if let Ok(mut pool) = pool.try_borrow_mut()
                && pool.len() < KEPT
            {
                state.reset(false);
                pool.push(state);
            }
        });
    }
}

fn run(state: &mut Decompress, data: &[u8], out: &mut Vec<u8>, room: usize) -> Result<(), Fault> {
    let mut rest = data;
    loop {
        if out.len() == out.capacity() {
            // One byte over the room, to tell what fits exactly from what does not.
            let grown = STEP.max(out.len()).min((room + 1).saturating_sub(out.len()));
            out.reserve_exact(grown);
        }
        let (read, written) = (state.total_in(), out.len());
        let status = state.decompress_vec(rest, out, FlushDecompress::Sync).map_err(|_| Fault::Deflate)?;
        let used = (state.total_in() - read) as usize;
        rest = rest.get(used..).unwrap_or_default();
        if out.len() > room {
            return Err(Fault::TooBig);
        }
        match status {
            // A block marked final ends a stream, not the message; what follows is a new one.
            Status::StreamEnd => state.reset(false),
            Status::Ok | Status::BufError if used == 0 && out.len() == written => {
                // Nothing moved with room to write into: all that was there is used, or it cannot be read.
                return if rest.is_empty() { Ok(()) } else { Err(Fault::Deflate) };
            }
            Status::Ok | Status::BufError => {}
        }
        if rest.is_empty() && out.len() < out.capacity() {
            return Ok(());
        }
    }
}
