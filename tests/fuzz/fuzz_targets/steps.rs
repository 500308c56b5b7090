//! Document 001: whatever a frame on `/chat/{chat_id}` says.
#![no_main]

mod common;

use callboard::dialect::steps::Steps;
use callboard_actors::protocol::ConversationId;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| common::decode(&Steps::new(ConversationId::trusted("chat")), data));
