//! What the journal knows of a channel.

use std::sync::Arc;
use std::time::Duration;

use super::known::MAX_KNOWN;
use super::record::{PUBLICATIONS, PublicationRecord, STATES, StateRecord};
use super::{Log, size};
use crate::house::House;
use crate::journal::format::decode;
use crate::journal::{Journal, Place, PlaceName, Record, Stream, read_on};
use crate::protocol::{ChannelId, Error, MessageId, Publication, TenantId, Timestamp};

/// Publications read at a time.
const PAGE: usize = 256;

/// Bytes of publications read at a time, unless one alone is larger: a quarter of what a session's queue may hold.
const PAGE_BYTES: usize = 256 * 1024;

/// What of a channel is read.
pub(super) struct Wanted {
    /// For how long ids are remembered.
    pub window: Duration,
    /// The last `seq` that listeners have been told of; 0 if there are none.
    pub told: u64,
}

/// What the journal knows of a channel.
pub(super) struct Loaded {
    pub log: Log,
    /// The ids within the window, oldest first.
    pub known: Vec<(MessageId, u64, Timestamp)>,
    /// The latest publications, oldest first.
    pub recent: Vec<Arc<Publication>>,
}

impl Loaded {
    /// A channel that has not been made.
    pub(super) fn none(log: Log) -> Self {
        Self { log, known: Vec::new(), recent: Vec::new() }
    }
}

/// Reads a channel; `None` if it has never been made. Blocks.
pub(super) fn load(
    house: &House,
    name: &PlaceName,
    channel: Option<&ChannelId>,
    wanted: Wanted,
) -> Result<Option<Loaded>, Error> {
    let journal = &*house.journal;
    let Some(horizon) = house.horizons.find(journal, name)? else { return Ok(None) };
    let place = horizon.place();
    let stream = |lane| Stream { place, lane };
    let log = Log {
        horizon,
        state: state(journal, place)?,
        publications: journal.head(stream(PUBLICATIONS))?,
        states: journal.head(stream(STATES))?,
        broken: false,
    };
    let window = u64::try_from(wanted.window.as_millis()).unwrap_or(u64::MAX);
    // Newest first while reading; of older pages the ids are all that is kept.
    let (now, mut known, mut recent, mut before) = (Timestamp::now(), Vec::new(), Vec::new(), None);
    loop {
        let records = journal.read_before(stream(PUBLICATIONS), before, PAGE)?;
        let page = publications(&records, &name.tenant, channel)?;
        let Some(first) = page.first().cloned() else { break };
        known.extend(page.iter().rev().map(|one| (one.id.clone(), one.seq, one.created_at)));
        let newest = before.is_none();
        recent.extend(page.into_iter().rev().filter(|one| newest || wanted.told > 0 && one.seq > wanted.told));
        before = Some(first.seq);
        if first.seq == 1 || now.since(first.created_at) > window || known.len() >= MAX_KNOWN {
            break;
        }
    }
    known.reverse();
    recent.reverse();
    Ok(Some(Loaded { log, known, recent }))
}

/// What is known of a channel. Blocks.
pub fn state(journal: &dyn Journal, place: Place) -> Result<Option<StateRecord>, Error> {
    let records = journal.read_before(Stream { place, lane: STATES }, None, 1)?;
    records.last().map(decode).transpose()
}

/// Publications with a `seq` above `after`, oldest first. In a channel a place that is kept no longer is an error; an
/// inbox goes on with the first there is. Blocks.
pub fn page(
    journal: &dyn Journal,
    place: Place,
    tenant: &TenantId,
    channel: Option<&ChannelId>,
    after: u64,
    limit: usize,
) -> Result<Vec<Arc<Publication>>, Error> {
    let stream = Stream { place, lane: PUBLICATIONS };
    let records = match channel {
        Some(_) => read_on(journal, stream, after, limit)?,
        None => journal.read_after(stream, after, limit)?,
    };
    publications(&records, tenant, channel)
}

/// As much as a reader may be sent at once: a page that is bounded in bytes as well.
pub(super) fn replay_page(
    journal: &dyn Journal,
    place: Place,
    tenant: &TenantId,
    channel: Option<&ChannelId>,
    after: u64,
) -> Result<Vec<Arc<Publication>>, Error> {
    let mut page = page(journal, place, tenant, channel, after, PAGE)?;
    let mut bytes = 0;
    let fits = page.iter().take_while(|publication| {
        bytes += size(publication);
        bytes <= PAGE_BYTES
    });
    let fits = fits.count().max(1);
    page.truncate(fits);
    Ok(page)
}

fn publications(
    records: &[Record],
    tenant: &TenantId,
    channel: Option<&ChannelId>,
) -> Result<Vec<Arc<Publication>>, Error> {
    let publication = |record: &Record| {
        let publication: PublicationRecord = decode(record)?;
        Ok(Arc::new(publication.into_publication(tenant, channel, record.seq)))
    };
    records.iter().map(publication).collect()
}
