//! Document 004: whatever a frame on `/chat/ws` says.
#![no_main]

mod common;

use callboard::dialect::threads::Threads;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| common::decode(&Threads::new(), data));
