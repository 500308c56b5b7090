//! Document 003: whatever a frame on `/v1/ws` says, with a channel and without.
#![no_main]

mod common;

use callboard::dialect::channels::Channels;
use callboard_actors::protocol::ChannelId;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    common::decode(&Channels::new(Some(ChannelId::trusted("news"))), data);
    common::decode(&Channels::new(None), data);
});
