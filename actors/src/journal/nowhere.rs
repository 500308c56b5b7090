//! A journal that holds nothing and takes nothing: for what is played again far from its world.

use super::{Batch, Done, Health, Journal, Kind, Place, PlaceName, Position, Record, Size, Stream};
use crate::protocol::{Code, Error, TenantId};

/// Holds nothing, takes nothing.
#[derive(Debug)]
pub struct Nowhere;

impl Journal for Nowhere {
    fn find(&self, _: &PlaceName) -> Result<Option<Place>, Error> {
        Ok(None)
    }

    fn name(&self, _: Place) -> Result<Option<PlaceName>, Error> {
        Ok(None)
    }

    fn reserve(&self) -> Place {
        Place(1)
    }

    fn list(&self, _: &TenantId, _: Kind, _: Option<&str>, _: usize) -> Result<Vec<(String, Place)>, Error> {
        Ok(Vec::new())
    }

    fn head(&self, _: Stream) -> Result<u64, Error> {
        Ok(0)
    }

    fn first(&self, _: Stream) -> Result<u64, Error> {
        Ok(1)
    }

    fn places(&self, _: Place, _: usize) -> Result<Vec<(Place, PlaceName)>, Error> {
        Ok(Vec::new())
    }

    fn append(&self, _: Batch, done: Done) {
        done(Err(Error::new(Code::StoreUnavailable, "Nothing is written here")));
    }

    fn read_after(&self, _: Stream, _: u64, _: usize) -> Result<Vec<Record>, Error> {
        Ok(Vec::new())
    }

    fn read_before(&self, _: Stream, _: Option<u64>, _: usize) -> Result<Vec<Record>, Error> {
        Ok(Vec::new())
    }

    fn unfinished(&self) -> Vec<Position> {
        Vec::new()
    }

    fn health(&self) -> Health {
        Health::Ready
    }

    fn size(&self) -> Size {
        Size::default()
    }

    fn close(&self) -> Result<(), Error> {
        Ok(())
    }
}
