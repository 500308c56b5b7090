//! Words that the tests of journals are written in.
#![allow(dead_code)]

use std::sync::mpsc::{self, Receiver};

use callboard_actors::journal::{Batch, Entry, Journal, Kind, Place, PlaceName, Position, Stream};
use callboard_actors::protocol::{Error, TenantId};

/// A channel of the tenant `other`.
pub fn name(id: &str) -> PlaceName {
    PlaceName { tenant: TenantId::trusted("other"), kind: Kind::Channel, id: id.to_owned() }
}

/// The first lane of a place.
pub fn stream(place: Place) -> Stream {
    Stream { place, lane: 0 }
}

/// An entry that names a place.
pub fn create(place: Place, id: &str) -> Entry {
    Entry::Create { place, name: name(id) }
}

/// An entry that appends a record.
pub fn append(stream: Stream, seq: u64, bytes: &[u8]) -> Entry {
    Entry::Append { at: Position { stream, seq }, bytes: bytes.to_vec(), opens: false, closes: Vec::new() }
}

/// Hands a batch over; its outcome comes later.
pub fn start_append(journal: &dyn Journal, batch: Batch) -> Receiver<Result<(), Error>> {
    let (sender, receiver) = mpsc::channel();
    journal.append(batch, Box::new(move |result| drop(sender.send(result))));
    receiver
}

/// Hands a batch over and waits for its outcome.
pub fn appended(journal: &dyn Journal, batch: Batch) -> Result<(), Error> {
    start_append(journal, batch).recv().unwrap()
}

/// Makes a place with one record.
pub fn make(journal: &dyn Journal, id: &str) -> Stream {
    let place = journal.reserve();
    let stream = stream(place);
    appended(journal, vec![create(place, id), append(stream, 1, b"made")]).unwrap();
    stream
}

/// Appends one record and waits.
pub fn write(journal: &dyn Journal, stream: Stream, seq: u64, text: &str) -> Result<(), Error> {
    appended(journal, vec![append(stream, seq, text.as_bytes())])
}

/// Every record of a stream, which must be numbered from 1 without holes.
pub fn read_all(journal: &dyn Journal, stream: Stream) -> Vec<Vec<u8>> {
    let records = journal.read_after(stream, 0, usize::MAX).unwrap();
    for (seq, record) in (1..).zip(&records) {
        assert_eq!(record.seq, seq);
    }
    records.into_iter().map(|record| record.bytes).collect()
}
