//! The keeper: walks the places now and then and trims what is kept no longer. Blocks; it has a thread of its own.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use super::rule::{Rule, Rules};
use super::spent;
use crate::channel;
use crate::channel::record::PublicationRecord;
use crate::conversation::record::{self as conversation, FailureRecord, MessageRecord};
use crate::conversation::taped::{TAPES, TapeRecord};
use crate::horizon::Horizons;
use crate::journal::format::decode;
use crate::journal::{Entry, Journal, Kind, Place, PlaceName, Record, Stream};
use crate::protocol::{Error, Timestamp};

/// Places named by the journal at a time.
const PLACES: usize = 256;

/// Records read at a time, at most.
const PAGE: usize = 128;

/// Streams of which is remembered how far they were when their bytes were last counted, some 3 MB. Past it a stream is
/// counted at each walk.
const COUNTED: usize = 65_536;

/// States that may stand before the last one: fewer are not worth a write.
const STATES: u64 = 32;

/// Trims what is kept no longer.
#[derive(Debug)]
pub struct Keeper {
    journal: Arc<dyn Journal>,
    rules: Rules,
    horizons: Arc<Horizons>,
    /// The heads of streams when their bytes were last counted: those that have not moved need not be again.
    counted: HashMap<Stream, u64>,
}

impl Keeper {
    /// A keeper of these rules, which tells the places in use what it trimmed.
    pub fn new(journal: Arc<dyn Journal>, rules: Rules, horizons: Arc<Horizons>) -> Self {
        Self { journal, rules, horizons, counted: HashMap::new() }
    }

    /// Walks every `pause` until the other end of `stop` is dropped.
    pub fn run(mut self, pause: Duration, stop: &Receiver<()>) {
        while stop.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
            match self.walk() {
                Ok(0) => {}
                Ok(trimmed) => log::info!("retention: {trimmed} records are kept no longer"),
                // The journal says itself when it cannot be used; the next walk does what this one could not.
                Err(error) => log::warn!("retention could not be done: {error}"),
            }
        }
    }

    /// Walks all places once. Answers how many records went.
    pub fn walk(&mut self) -> Result<u64, Error> {
        let (mut trimmed, mut after) = (0, Place(0));
        loop {
            let places = self.journal.places(after, PLACES)?;
            let Some((last, _)) = places.last() else { return Ok(trimmed) };
            after = *last;
            for (place, name) in places {
                // One place that cannot be read or was just deleted is no reason to leave the others.
                trimmed += self.place(place, &name).unwrap_or_else(|error| {
                    log::debug!("retention of {:?} {}: {error}", name.kind, name.id);
                    0
                });
            }
        }
    }

    fn place(&mut self, place: Place, name: &PlaceName) -> Result<u64, Error> {
        if name.kind == Kind::Ledger {
            return self.ledger(place);
        }
        let Some(rule) = self.rules.of(name) else { return Ok(0) };
        let main = Stream { place, lane: 0 };
        let created: Created = if name.kind == Kind::Conversation { message_time } else { publication_time };
        let mut first = self.journal.first(main)?;
        let begun = first;
        if !rule.is_open() {
            first = self.keeps(main, rule, created)?.max(first);
        }
        if name.kind == Kind::Inbox {
            first = self.delivered(place)?.max(first);
        }
        if first > begun {
            first = self.open_run(main).map_or(first, |open| first.min(open)).max(begun);
        }
        if let (Kind::Conversation, Some(age)) = (name.kind, rule.age)
            && self.let_go(main, first, age)?
        {
            return Ok(first - begun);
        }
        let mut batch = Vec::new();
        let mut trim = |stream, first| batch.push(Entry::Trim { stream, first });
        if first > begun {
            trim(main, first);
        }
        let (states, of_runs): (_, &[(u8, AskedAt)]) = match name.kind {
            Kind::Conversation => (conversation::STATES, &[(conversation::FAILURES, failed_at), (TAPES, taped_at)]),
            _ => (channel::record::STATES, &[]),
        };
        let states = Stream { place, lane: states };
        let head = self.journal.head(states)?;
        if head > self.journal.first(states)? + STATES {
            trim(states, head);
        }
        for (lane, asked_at) in of_runs.iter().filter(|_| first > 1) {
            let stream = Stream { place, lane: *lane };
            let kept = self.of_runs(stream, first, *asked_at)?;
            if kept > self.journal.first(stream)? {
                trim(stream, kept);
            }
        }
        if !batch.is_empty() {
            // First, so that nobody is shown from memory what a page does not have any more.
            self.horizons.raise(place, first);
            self.write(batch)?;
        }
        Ok(first - begun)
    }

    /// Takes a conversation away of which nothing before `first` is kept, if that is all of it. One that is in use, or
    /// that has a run that goes on, stays. Answers whether it is gone.
    fn let_go(&self, messages: Stream, first: u64, age: Duration) -> Result<bool, Error> {
        if first <= self.journal.head(messages)? {
            return Ok(false);
        }
        let Some(_closed) = self.horizons.close(messages.place) else { return Ok(false) };
        // Asked again, since somebody may have come, said something and gone again.
        let spent = first > self.journal.head(messages)? && spent::is_spent(&*self.journal, messages.place, age)?;
        if spent {
            self.write(vec![Entry::Delete { place: messages.place }])?;
        }
        Ok(spent)
    }

    /// A ledger's last record says where the day stands, so those before it are no past that anybody reads: nothing
    /// counts as trimmed.
    fn ledger(&self, place: Place) -> Result<u64, Error> {
        let days = Stream { place, lane: 0 };
        let head = self.journal.head(days)?;
        if head > self.journal.first(days)? + STATES {
            self.write(vec![Entry::Trim { stream: days, first: head }])?;
        }
        Ok(0)
    }

    /// The first record that a rule keeps.
    fn keeps(&mut self, stream: Stream, rule: Rule, created: Created) -> Result<u64, Error> {
        let head = self.journal.head(stream)?;
        let mut first = self.journal.first(stream)?;
        if let Some(count) = rule.count {
            first = first.max((head + 1).saturating_sub(count));
        }
        if let Some(age) = rule.age {
            first = self.younger(stream, first, age, created)?;
        }
        if let Some(bytes) = rule.bytes
            && self.counted.get(&stream) != Some(&head)
        {
            first = first.max(self.smaller(stream, first, bytes)?);
            if self.counted.len() < COUNTED || self.counted.contains_key(&stream) {
                self.counted.insert(stream, head);
            }
        }
        Ok(first)
    }

    /// The first record from `first` on that is no older than `age`.
    fn younger(&self, stream: Stream, first: u64, age: Duration, created: Created) -> Result<u64, Error> {
        let (now, age) = (Timestamp::now(), u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
        self.first_of(stream, first, |record| Ok(now.since(created(record)?) <= age))
    }

    /// The first record from `first` on of which that is true, or where the next one will be.
    fn first_of(
        &self,
        stream: Stream,
        mut first: u64,
        is_kept: impl Fn(&Record) -> Result<bool, Error>,
    ) -> Result<u64, Error> {
        // Of most streams the first one is kept, so all that is read behind it is read for nothing.
        let mut page = 1;
        loop {
            let records = self.journal.read_after(stream, first.saturating_sub(1), page)?;
            if records.is_empty() {
                return Ok(first);
            }
            for record in &records {
                if is_kept(record)? {
                    return Ok(first.max(record.seq));
                }
                first = record.seq + 1;
            }
            page = (page * 4).min(PAGE);
        }
    }

    /// The first record, of those from `first` on, from which the rest has at most so many bytes.
    fn smaller(&self, stream: Stream, first: u64, bytes: u64) -> Result<u64, Error> {
        let (mut before, mut sum) = (None, 0);
        loop {
            let records = self.journal.read_before(stream, before, PAGE)?;
            for record in records.iter().rev() {
                sum += record.bytes.len() as u64;
                if sum > bytes && before.is_some() {
                    return Ok(record.seq + 1);
                }
                before = Some(record.seq);
            }
            if before.is_none_or(|before| before <= first) || records.is_empty() {
                return Ok(first);
            }
        }
    }

    /// In an inbox: the first message that was not handed over, or only just.
    fn delivered(&self, place: Place) -> Result<u64, Error> {
        let main = Stream { place, lane: channel::record::PUBLICATIONS };
        let first = self.journal.first(main)?;
        let Some(state) = channel::reading::state(&*self.journal, place)? else { return Ok(first) };
        let young = self.younger(main, first, self.rules.dedup, publication_time)?;
        Ok(young.min(state.delivered + 1))
    }

    /// The first record of a run whose question is kept, or that has not ended.
    fn of_runs(&self, stream: Stream, question: u64, asked_at: AskedAt) -> Result<u64, Error> {
        let open = self.open_run(stream).unwrap_or(u64::MAX);
        let first = self.journal.first(stream)?;
        self.first_of(stream, first, |record| Ok(record.seq >= open || asked_at(record)? >= question))
    }

    /// The first record of a run that has not ended.
    fn open_run(&self, stream: Stream) -> Option<u64> {
        self.journal.unfinished().into_iter().find(|at| at.stream == stream).map(|at| at.seq)
    }

    fn write(&self, batch: Vec<Entry>) -> Result<(), Error> {
        let (done, outcome) = mpsc::sync_channel(1);
        self.journal.append(batch, Box::new(move |result| drop(done.send(result))));
        outcome.recv().unwrap_or_else(|_| Err(Error::internal("The journal ended before it had written")))
    }
}

/// Where the question stands that a record of a run belongs to.
type AskedAt = fn(&Record) -> Result<u64, Error>;

fn failed_at(record: &Record) -> Result<u64, Error> {
    decode::<FailureRecord>(record).map(|failure| failure.asked_at)
}

fn taped_at(record: &Record) -> Result<u64, Error> {
    let taped: TapeRecord = decode(record)?;
    Ok(conversation::parse_run_id(&taped.run).map_or(0, |(asked, _)| asked.seq))
}

/// When a record was made.
type Created = fn(&Record) -> Result<Timestamp, Error>;

fn message_time(record: &Record) -> Result<Timestamp, Error> {
    decode::<MessageRecord>(record).map(|message| message.created_at)
}

fn publication_time(record: &Record) -> Result<Timestamp, Error> {
    decode::<PublicationRecord>(record).map(|publication| publication.created_at)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::journal::fake::Fake;
    use crate::journal::format::encode;
    use crate::journal::{Batch, Position};
    use crate::ledger::Ledger;
    use crate::protocol::{AgentName, MessageId, Subject, TenantId};

    const HOUR: Duration = Duration::from_hours(1);

    struct World {
        journal: Arc<Fake>,
        place: Place,
        name: PlaceName,
    }

    /// A place with publications of so many hours ago, the oldest first, each with 100 bytes of content.
    fn world(kind: Kind, id: &str, hours: &[i64]) -> World {
        let journal = Arc::new(Fake::default());
        let name = PlaceName { tenant: TenantId::trusted("t"), kind, id: id.to_owned() };
        let place = journal.reserve();
        let mut batch: Batch = vec![Entry::Create { place, name: name.clone() }];
        for (hours, seq) in hours.iter().zip(1..) {
            let record = PublicationRecord {
                id: MessageId::random(),
                agent: Some(AgentName::trusted("a")),
                subject: Subject::trusted("s"),
                kind: "message".to_owned(),
                content: "x".repeat(100),
                metadata: None,
                reply_to: None,
                created_at: Timestamp(Timestamp::now().0 - hours * 3_600_000),
            };
            let at = Position { stream: Stream { place, lane: 0 }, seq };
            batch.push(Entry::Append { at, bytes: encode(&record).unwrap(), opens: false, closes: vec![] });
        }
        journal.append(batch, Box::new(|result| result.unwrap()));
        World { journal, place, name }
    }

    impl World {
        fn kept(&self, rules: Rules) -> Vec<u64> {
            let mut keeper = Keeper::new(self.journal.clone(), rules, Arc::default());
            keeper.walk().unwrap();
            assert_eq!(keeper.walk().unwrap(), 0, "what is done is done");
            let records = self.journal.read_after(Stream { place: self.place, lane: 0 }, 0, 99).unwrap();
            records.iter().map(|record| record.seq).collect()
        }
    }

    fn channels(rule: Rule) -> Rules {
        Rules { channels: rule, ..Rules::default() }
    }

    #[test]
    fn without_a_rule_everything_is_kept() {
        let world = world(Kind::Channel, "c", &[90_000, 50, 1]);
        assert_eq!(world.kept(Rules::default()), [1, 2, 3]);
        let conversations = Rules { conversations: Rule { count: Some(1), ..Rule::default() }, ..Rules::default() };
        assert_eq!(world.kept(conversations), [1, 2, 3], "a rule of conversations is none of channels");
    }

    #[test]
    fn each_bound_keeps_the_newest_and_all_of_them_hold() {
        let world = || world(Kind::Channel, "c", &[50, 40, 30, 20, 10, 1]);
        let age = Rule { age: Some(35 * HOUR), ..Rule::default() };
        assert_eq!(world().kept(channels(age)), [3, 4, 5, 6]);
        assert_eq!(world().kept(channels(Rule { count: Some(2), ..age })), [5, 6]);
        assert_eq!(world().kept(channels(Rule { count: Some(2), ..Rule::default() })), [5, 6]);
        let bytes = |bytes| channels(Rule { bytes: Some(bytes), ..Rule::default() });
        assert_eq!(world().kept(bytes(500)), [4, 5, 6]);
        assert_eq!(world().kept(bytes(1)), [6], "the newest stays however large it is");
        assert_eq!(world().kept(bytes(100_000)), [1, 2, 3, 4, 5, 6]);
        assert_eq!(world().kept(channels(Rule { age: Some(HOUR / 2), ..Rule::default() })), [0_u64; 0]);
    }

    #[test]
    fn a_rule_of_its_own_stands_for_the_usual_one() {
        let own = Rules {
            of_channels: HashMap::from([("c".to_owned(), Rule { count: Some(1), ..Rule::default() })]),
            ..channels(Rule { count: Some(2), ..Rule::default() })
        };
        assert_eq!(world(Kind::Channel, "c", &[3, 2, 1]).kept(own.clone()), [3]);
        assert_eq!(world(Kind::Channel, "d", &[3, 2, 1]).kept(own), [2, 3]);
    }

    #[test]
    fn an_inbox_keeps_what_was_not_handed_over_and_what_is_not_too_old() {
        let inbox = Rule { age: Some(24 * HOUR), count: Some(4), bytes: None };
        let rules = Rules { inboxes: inbox, dedup: HOUR / 2, ..Rules::default() };
        let world = world(Kind::Inbox, "a", &[30, 20, 19, 18, 17, 0]);
        assert_eq!(world.kept(rules.clone()), [3, 4, 5, 6]);
        let state = channel::record::StateRecord {
            name: None,
            description: None,
            created_by: Subject::trusted("s"),
            created_at: Timestamp::now(),
            delivered: 6,
        };
        let stream = Stream { place: world.place, lane: channel::record::STATES };
        let states = (1..=40).map(|seq| {
            let at = Position { stream, seq };
            Entry::Append { at, bytes: encode(&state).unwrap(), opens: false, closes: vec![] }
        });
        world.journal.append(states.collect(), Box::new(|result| result.unwrap()));
        assert_eq!(world.kept(rules), [6], "the last one was only just handed over");
        assert_eq!(world.journal.first(stream).unwrap(), 40, "of the states the last one holds");
        assert_eq!(world.journal.find(&world.name).unwrap(), Some(world.place));
    }

    #[test]
    fn of_a_ledger_the_last_record_is_kept() {
        let (tenant, nyx) = (TenantId::trusted("t"), AgentName::trusted("nyx"));
        let journal = Arc::new(Fake::default());
        let ledger = Ledger::new(journal.clone());
        let now = Timestamp::now();
        ledger.used(&tenant, &nyx, now).unwrap();
        let spend = |times| (0..times).for_each(|_| ledger.spend(&tenant, &nyx, 10, now));
        let mut keeper = Keeper::new(journal.clone(), Rules::default(), Arc::default());
        let (place, _) = {
            spend(20);
            journal.places(Place(0), 1).unwrap().remove(0)
        };
        let days = Stream { place, lane: 0 };
        assert_eq!(keeper.walk().unwrap(), 0);
        assert_eq!(journal.first(days).unwrap(), 1, "so few are not worth a write");
        spend(20);
        assert_eq!(keeper.walk().unwrap(), 0);
        assert_eq!(journal.first(days).unwrap(), 40);
        assert_eq!(Ledger::new(journal.clone()).used(&tenant, &nyx, now).unwrap().agent, 400);
        spend(1);
        assert_eq!(Ledger::new(journal).used(&tenant, &nyx, now).unwrap().agent, 410, "it goes on where it was");
    }
}
