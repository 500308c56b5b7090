//! The `callboard` program; everything it does is in the library.

use std::process::ExitCode;

use tikv_jemallocator::Jemalloc;

/// Small pieces that one thread makes and another one frees are the server's daily bread, and what was needed for a
/// while must go back: see "At rest" in `docs/profile.md`.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    callboard::cli::run()
}
