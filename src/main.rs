//! The `callboard` program; everything it does is in the library.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Small pieces that one thread makes and another one frees are the server's daily bread.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    callboard::cli::run()
}
