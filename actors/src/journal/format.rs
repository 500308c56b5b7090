//! The durable form of typed records: one byte of format and the fields in postcard.
//!
//! A field more is a new format; old ones stay readable.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Record;
use crate::protocol::Error;

const FORMAT: u8 = 1;

/// What most records take, in bytes, so that they are not moved as they grow.
const USUAL: usize = 512;

/// The durable form of a record.
pub fn encode(record: &impl Serialize) -> Result<Vec<u8>, Error> {
    let mut begun = Vec::with_capacity(USUAL);
    begun.push(FORMAT);
    postcard::to_extend(record, begun).map_err(|_| Error::internal("A record could not be encoded"))
}

/// Reads a record back.
pub fn decode<T: DeserializeOwned>(record: &Record) -> Result<T, Error> {
    match record.bytes.split_first() {
        Some((&FORMAT, fields)) => {
            postcard::from_bytes(fields).map_err(|_| Error::internal(format!("Record {} is damaged", record.seq)))
        }
        _ => Err(Error::internal(format!("Record {} has a format that this version does not know", record.seq))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_is_an_error() {
        for bytes in [vec![], vec![FORMAT], vec![FORMAT + 1, 0], vec![FORMAT, 255, 255, 255]] {
            assert!(decode::<(String, u64)>(&Record { seq: 1, bytes }).is_err());
        }
    }
}
