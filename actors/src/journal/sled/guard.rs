//! sled panics where a page is damaged; here a panic becomes an error.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::thread;

use super::store::Fault;

/// Does something with sled; `what` is said to be damaged if it panics.
pub(super) fn guarded<T>(what: &str, work: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    QUIET.call_once(quieten);
    let outer = GUARDED.replace(true);
    let done = catch_unwind(AssertUnwindSafe(work));
    GUARDED.set(outer);
    done.unwrap_or_else(|_| Err(Fault::Damaged(what.to_owned())))
}

static QUIET: Once = Once::new();

thread_local! {
    /// Whether this thread is inside of sled.
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// A panic of sled is an error here: it goes to the log as one line, and everybody else's goes where it went before.
fn quieten() {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let thread = thread::current();
        let own = thread.name().is_some_and(|name| name.starts_with("sled-io") || name.contains("flusher"));
        if GUARDED.get() || own {
            log::error!("the store: {info}");
        } else {
            before(info);
        }
    }));
}
