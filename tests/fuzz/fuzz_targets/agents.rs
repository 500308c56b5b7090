//! Documents 000 and 002: whatever a frame on `/ws` says.
#![no_main]

mod common;

use callboard::dialect::agents::Agents;
use callboard_actors::protocol::ConversationId;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| common::decode(&Agents::new(ConversationId::trusted("own")), data));
