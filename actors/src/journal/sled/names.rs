//! The dictionary: name to place and place to name.
//!
//! The state knows what changed since the last checkpoint, the store the rest. The state is asked first and its lock
//! let go before the store is read: a checkpoint between the two only moves what is known from one to the other.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Bound;
use std::sync::RwLock;

use super::key;
use super::read;
use super::segment::place_name;
use super::state::State;
use super::store::{Fault, Store};
use crate::journal::{Kind, Place, PlaceName};
use crate::protocol::TenantId;

/// The place of that name.
pub(super) fn find(state: &RwLock<State>, store: &Store, name: &PlaceName) -> Result<Option<Place>, Fault> {
    let key = key::name(name);
    if let Some(known) = read(state).named(&key) {
        return Ok(known);
    }
    store.get(&key)?.map(|value| decode_place(&key, &value)).transpose()
}

/// The name of a place.
pub(super) fn name(state: &RwLock<State>, store: &Store, place: Place) -> Result<Option<PlaceName>, Fault> {
    if let Some(known) = read(state).place(place) {
        return Ok(known.cloned());
    }
    let key = key::place(place);
    let Some(value) = store.get(&key)? else { return Ok(None) };
    decode_name(&key, &value).map(Some)
}

/// Places with their names, in the order of their numbers, those above `after`.
pub(super) fn places(
    state: &RwLock<State>,
    store: &Store,
    after: Place,
    limit: usize,
) -> Result<Vec<(Place, PlaceName)>, Fault> {
    let Some(from) = after.0.checked_add(1) else { return Ok(Vec::new()) };
    let mut places: BTreeMap<Place, Option<PlaceName>> = BTreeMap::new();
    for (place, name) in read(state).all_places().filter(|(place, _)| place.0 >= from) {
        places.insert(place, name.cloned());
    }
    let mut settled = 0;
    store.scan(b"p", &key::place(Place(from)), |key, value| {
        let place = key::place_number(key).ok_or_else(|| damaged(key))?;
        if let Entry::Vacant(vacant) = places.entry(place) {
            vacant.insert(Some(decode_name(key, &value)?));
            settled += 1;
        }
        Ok(settled < limit)
    })?;
    let named = places.into_iter().filter_map(|(place, name)| Some((place, name?)));
    Ok(named.take(limit).collect())
}

/// The names of a tenant's places of one kind, in the order of their ids, those after `after` first.
pub(super) fn list(
    state: &RwLock<State>,
    store: &Store,
    (tenant, kind): (&TenantId, Kind),
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<(String, Place)>, Fault> {
    if limit == 0 {
        return Ok(Vec::new());
    }
    let prefix = key::names(tenant, kind);
    let mut from = prefix.clone();
    let mut bound = Bound::Included(from.clone());
    if let Some(after) = after {
        from.extend_from_slice(after.as_bytes());
        bound = Bound::Excluded(from.clone());
        // The least key behind `after`: every key is text, which has no zero that could sort before.
        from.push(0);
    }
    let mut names = read(state).names_after(&prefix, &bound);
    let mut settled = 0;
    store.scan(&prefix, &from, |key, value| {
        if !names.contains_key(key) {
            names.insert(key.to_vec(), Some(decode_place(key, &value)?));
            settled += 1;
        }
        Ok(settled < limit)
    })?;
    let given = names.into_iter().filter_map(|(key, place)| Some((id(&prefix, &key)?, place?)));
    Ok(given.take(limit).collect())
}

/// A place as it stands under a name.
pub(super) fn encode_place(place: Place) -> [u8; 8] {
    place.0.to_be_bytes()
}

/// A name as it stands under a place.
pub(super) fn encode_name(name: &PlaceName) -> Result<Vec<u8>, postcard::Error> {
    postcard::to_allocvec(&(name.tenant.as_str(), name.kind as u8, name.id.as_str()))
}

fn decode_name(key: &[u8], value: &[u8]) -> Result<PlaceName, Fault> {
    let name = postcard::from_bytes::<(String, u8, String)>(value).ok();
    name.and_then(|(tenant, kind, id)| place_name(tenant, kind, id)).ok_or_else(|| damaged(key))
}

fn decode_place(key: &[u8], value: &[u8]) -> Result<Place, Fault> {
    value.try_into().map(|bytes| Place(u64::from_be_bytes(bytes))).map_err(|_| damaged(key))
}

fn id(prefix: &[u8], key: &[u8]) -> Option<String> {
    String::from_utf8(key.strip_prefix(prefix)?.to_vec()).ok()
}

fn damaged(key: &[u8]) -> Fault {
    Fault::Damaged(format!("The dictionary at {:?}", String::from_utf8_lossy(key)))
}
