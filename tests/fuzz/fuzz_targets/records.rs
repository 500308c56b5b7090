//! The records of the journal: what was written by somebody else, or damaged, is an error and never a panic; what reads
//! is written as it was read.
#![no_main]

use callboard_actors::journal::Record;
use callboard_actors::journal::format::{decode, encode};
use callboard_actors::{channel, conversation};
use libfuzzer_sys::fuzz_target;

macro_rules! kinds {
    ($bytes:expr, $($kind:ty),*) => {$({
        let record = Record { seq: 1, bytes: $bytes.to_vec() };
        if let Ok(read) = decode::<$kind>(&record) {
            // Numbers that are not, and integers with more bytes than they need, are read but not written.
            let written = encode(&read).unwrap();
            let again: $kind = decode(&Record { seq: 1, bytes: written.clone() }).unwrap();
            assert_eq!(encode(&again).unwrap(), written);
        }
    })*};
}

fuzz_target!(|data: &[u8]| {
    kinds!(
        data,
        conversation::record::MessageRecord,
        conversation::record::StateRecord,
        conversation::record::FailureRecord,
        channel::record::PublicationRecord,
        channel::record::StateRecord
    );
});
