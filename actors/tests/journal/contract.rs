//! The cases of the contract, held against the journals that the file above lists.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread;

use callboard_actors::journal::{Entry, Health, Journal, Kind, Place, Position, Record, Stream};
use callboard_actors::protocol::{Code, TenantId};
use proptest::prelude::*;

use super::JOURNALS;
use super::support::{append, appended, create, make, name, read_all, start_append, stream, write};

/// Opens the journal that lives in a directory, with a checkpoint about every so many records where it has any.
pub type Factory = fn(&Path, usize) -> Arc<dyn Journal>;

/// Runs a case on a fresh journal of every kind, once with hardly any checkpoints and once with many.
fn each(case: impl Fn(&dyn Fn() -> Arc<dyn Journal>)) {
    for (_, open) in JOURNALS {
        for every in [1_000_000, 7] {
            let dir = tempfile::tempdir().unwrap();
            case(&|| open(dir.path(), every));
        }
    }
}

fn seqs(records: Vec<Record>) -> Vec<u64> {
    for record in records.iter().filter(|record| record.seq > 1) {
        assert_eq!(record.bytes, record.seq.to_string().as_bytes());
    }
    records.into_iter().map(|record| record.seq).collect()
}

#[test]
fn records_are_read_in_the_order_they_were_appended() {
    each(|open| {
        let journal = open();
        let (one, other) = (make(&*journal, "one"), make(&*journal, "other"));
        for seq in 2..=40 {
            write(&*journal, one, seq, &format!("one {seq}")).unwrap();
            write(&*journal, other, seq, &format!("other {seq}")).unwrap();
        }
        let records = read_all(&*journal, one);
        assert_eq!(records.len(), 40);
        assert_eq!(records[39], b"one 40");
        assert_eq!(journal.head(other).unwrap(), 40);
        assert_eq!(journal.size().records, 80);
        assert!(journal.size().bytes > 0);
    });
}

#[test]
fn pages_are_read_both_ways() {
    each(|open| {
        let journal = open();
        let stream = make(&*journal, "paged");
        for seq in 2..=100 {
            write(&*journal, stream, seq, &seq.to_string()).unwrap();
        }
        for at in 0..=102 {
            for limit in [0, 1, 3, 50, 1000] {
                let expected: Vec<u64> = (at + 1..=100).take(limit).collect();
                assert_eq!(seqs(journal.read_after(stream, at, limit).unwrap()), expected);
                let last = at.saturating_sub(1).min(100);
                let expected: Vec<u64> = (last.saturating_sub(limit as u64) + 1..=last).collect();
                assert_eq!(seqs(journal.read_before(stream, Some(at), limit).unwrap()), expected);
            }
        }
        assert_eq!(seqs(journal.read_before(stream, None, 3).unwrap()), [98, 99, 100]);
        assert_eq!(journal.read_before(stream, None, usize::MAX).unwrap().len(), 100);
        assert!(journal.read_after(stream, u64::MAX, 3).unwrap().is_empty());
    });
}

#[test]
fn many_writers_leave_no_hole() {
    each(|open| {
        let journal = open();
        let work = |journal: Arc<dyn Journal>, n: usize| {
            let stream = make(&*journal, &format!("writer {n}"));
            for seq in 2..=30 {
                write(&*journal, stream, seq, &format!("{n} {seq}")).unwrap();
                assert_eq!(journal.head(stream).unwrap(), seq);
            }
            stream
        };
        let threads: Vec<_> = (0..64)
            .map(|n| {
                let journal = Arc::clone(&journal);
                thread::spawn(move || work(journal, n))
            })
            .collect();
        let streams: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        drop(journal);
        let journal = open();
        for (n, stream) in streams.into_iter().enumerate() {
            let records = read_all(&*journal, stream);
            assert_eq!(records.len(), 30);
            for (seq, bytes) in (2..).zip(&records[1..]) {
                assert_eq!(*bytes, format!("{n} {seq}").into_bytes());
            }
        }
    });
}

#[test]
fn outcomes_are_told_in_the_order_of_the_appends() {
    each(|open| {
        let journal = open();
        let stream = make(&*journal, "ordered");
        let (sender, receiver) = mpsc::channel();
        for seq in 2..=500_u64 {
            let sender = sender.clone();
            let done = Box::new(move |result| sender.send((seq, result)).unwrap());
            journal.append(vec![append(stream, seq, b"x")], done);
        }
        for seq in 2..=500 {
            assert_eq!(receiver.recv().unwrap(), (seq, Ok(())));
        }
    });
}

#[test]
fn a_batch_happens_whole_or_not_at_all() {
    each(|open| {
        let journal = open();
        let stream = make(&*journal, "atomic");
        let place = journal.reserve();
        let bad = vec![
            append(stream, 2, b"good"),
            create(place, "born in vain"),
            append(Stream { place, lane: 0 }, 1, b"good"),
            append(stream, 4, b"a hole"),
        ];
        assert_eq!(appended(&*journal, bad).unwrap_err().code, Code::InternalError);
        assert_eq!(journal.head(stream).unwrap(), 1);
        assert_eq!(journal.find(&name("born in vain")).unwrap(), None);
        assert_eq!(journal.name(place).unwrap(), None);
        let lanes: Vec<_> = (1..=20).map(|lane| Stream { place: stream.place, lane }).collect();
        appended(&*journal, lanes.iter().map(|lane| append(*lane, 1, b"first")).collect()).unwrap();
        for lane in lanes {
            assert_eq!(read_all(&*journal, lane), [b"first"]);
        }
    });
}

#[test]
fn a_wrong_seq_poisons_its_stream_alone() {
    each(|open| {
        let journal = open();
        let (stream, other) = (make(&*journal, "wrong"), make(&*journal, "right"));
        assert_eq!(write(&*journal, stream, 3, "a hole").unwrap_err().code, Code::InternalError);
        assert_eq!(write(&*journal, stream, 2, "too soon").unwrap_err().code, Code::InternalError);
        write(&*journal, other, 2, "unharmed").unwrap();
        assert_eq!(journal.head(stream).unwrap(), 1);
        write(&*journal, stream, 2, "after asking").unwrap();
        assert_eq!(write(&*journal, stream, 2, "a double").unwrap_err().code, Code::InternalError);
        assert_eq!(read_all(&*journal, stream)[1..], [b"after asking"]);
    });
}

#[test]
fn what_was_appended_before_asking_does_not_poison_again() {
    each(|open| {
        let journal = open();
        let stream = make(&*journal, "asked");
        let failing = [9, 10, 11].map(|seq| start_append(&*journal, vec![append(stream, seq, b"no")]));
        assert!(failing[0].recv().unwrap().is_err());
        let head = journal.head(stream).unwrap();
        let good = start_append(&*journal, vec![append(stream, head + 1, b"yes")]);
        assert!(failing[1..].iter().all(|failing| failing.recv().unwrap().is_err()));
        assert_eq!(good.recv().unwrap(), Ok(()));
        assert_eq!(read_all(&*journal, stream)[1..], [b"yes"]);
    });
}

#[test]
fn unfinished_records_survive_and_are_closed() {
    each(|open| {
        let journal = open();
        let stream = make(&*journal, "runs");
        let at = |seq| Position { stream, seq };
        let opening = |seq| Entry::Append { at: at(seq), bytes: b"run".to_vec(), opens: true, closes: Vec::new() };
        appended(&*journal, (2..=10).map(opening).collect()).unwrap();
        for seq in 11..=20 {
            write(&*journal, stream, seq, "between").unwrap();
        }
        let closing = Entry::Append { at: at(21), bytes: b"end".to_vec(), opens: false, closes: vec![at(2), at(3)] };
        appended(&*journal, vec![closing]).unwrap();
        drop(journal);
        let journal = open();
        assert_eq!(journal.unfinished(), (4..=10).map(at).collect::<Vec<_>>());
        appended(&*journal, vec![Entry::Close { positions: (4..=9).map(at).collect() }]).unwrap();
        journal.close().unwrap();
        assert_eq!(journal.unfinished(), [at(10)]);
        drop(journal);
        assert_eq!(open().unfinished(), [at(10)]);
    });
}

#[test]
fn a_deleted_place_is_gone_for_good() {
    each(|open| {
        let mut journal = open();
        let (gone, stays) = (make(&*journal, "gone"), make(&*journal, "stays"));
        for seq in 2..=30 {
            let at = Position { stream: gone, seq };
            let opening = Entry::Append { at, bytes: b"x".to_vec(), opens: true, closes: Vec::new() };
            appended(&*journal, vec![opening, append(stays, seq, b"y")]).unwrap();
        }
        appended(&*journal, vec![Entry::Delete { place: gone.place }]).unwrap();
        for _ in 0..3 {
            assert_eq!(journal.find(&name("gone")).unwrap(), None);
            assert_eq!(journal.name(gone.place).unwrap(), None);
            assert_eq!(journal.head(gone).unwrap(), 0);
            assert!(journal.read_after(gone, 0, 100).unwrap().is_empty());
            assert!(journal.read_before(gone, None, 100).unwrap().is_empty());
            assert!(journal.unfinished().is_empty());
            assert_eq!(read_all(&*journal, stays).len(), 30);
            assert!(write(&*journal, gone, 1, "to nobody").is_err());
            assert!(journal.reserve().0 > stays.place.0);
            drop(journal);
            journal = open();
        }
        let again = make(&*journal, "gone");
        assert_ne!(again.place, gone.place);
        assert_eq!(read_all(&*journal, again).len(), 1);
    });
}

#[test]
fn names_are_listed_in_the_order_of_their_ids() {
    each(|open| {
        let journal = open();
        let mut expected = BTreeMap::new();
        for n in [5, 3, 9, 10, 1, 7, 2, 8, 4, 6, 11, 12] {
            let id = format!("c{n:02}");
            expected.insert(id.clone(), make(&*journal, &id).place);
        }
        for id in ["c03", "c11"] {
            appended(&*journal, vec![Entry::Delete { place: expected.remove(id).unwrap() }]).unwrap();
        }
        let tenant = name("x").tenant;
        for limit in [1, 3, 100] {
            let (mut listed, mut after) = (Vec::new(), None::<String>);
            loop {
                let page = journal.list(&tenant, Kind::Channel, after.as_deref(), limit).unwrap();
                assert!(page.len() <= limit);
                let Some((last, _)) = page.last() else { break };
                after = Some(last.clone());
                listed.extend(page);
            }
            assert_eq!(listed, expected.clone().into_iter().collect::<Vec<_>>());
        }
        assert!(journal.list(&tenant, Kind::Conversation, None, 9).unwrap().is_empty());
        assert!(journal.list(&TenantId::trusted("othe"), Kind::Channel, None, 9).unwrap().is_empty());
        assert!(journal.list(&tenant, Kind::Channel, None, 0).unwrap().is_empty());
    });
}

#[test]
fn a_name_or_number_in_use_is_refused() {
    each(|open| {
        let journal = open();
        let first = make(&*journal, "taken");
        let place = journal.reserve();
        assert!(appended(&*journal, vec![create(place, "taken")]).is_err());
        assert!(appended(&*journal, vec![create(first.place, "free")]).is_err());
        assert!(write(&*journal, stream(Place(place.0 + 50)), 1, "nowhere").is_err());
        assert_eq!(journal.find(&name("taken")).unwrap(), Some(first.place));
        assert_eq!(journal.find(&name("free")).unwrap(), None);
    });
}

#[test]
fn a_number_is_never_given_twice() {
    each(|open| {
        let mut used = Vec::new();
        for round in 0..4 {
            let journal = open();
            let place = make(&*journal, &format!("round {round}")).place;
            assert!(!used.contains(&place));
            used.push(place);
            appended(&*journal, vec![Entry::Delete { place }]).unwrap();
            if round % 2 == 0 {
                journal.close().unwrap();
            }
        }
    });
}

#[test]
fn records_of_every_length_are_read_as_written() {
    each(|open| {
        let journal = open();
        let stream = make(&*journal, "long");
        let mut lengths = vec![0, 1, 6000];
        lengths.extend(6115..6145);
        lengths.extend([12_000, 100_000, 1 << 20]);
        let bytes = |length: usize| (0..length).map(|n| (n % 251) as u8).collect::<Vec<_>>();
        for (seq, length) in (2..).zip(&lengths) {
            appended(&*journal, vec![append(stream, seq, &bytes(*length))]).unwrap();
        }
        let next = lengths.len() as u64 + 2;
        let refused = appended(&*journal, vec![append(stream, next, &bytes((1 << 20) + 1))]);
        assert_eq!(refused.unwrap_err().code, Code::InternalError);
        assert_eq!(journal.head(stream).unwrap(), next - 1);
        appended(&*journal, (next..next + 4).map(|seq| append(stream, seq, &bytes(1 << 20))).collect()).unwrap();
        lengths.extend([1 << 20; 4]);
        drop(journal);
        let records = read_all(&*open(), stream);
        assert_eq!(records.len(), lengths.len() + 1);
        for (record, length) in records[1..].iter().zip(lengths) {
            assert!(*record == bytes(length), "{length}");
        }
    });
}

#[test]
fn a_closed_journal_takes_no_more_and_is_still_read() {
    each(|open| {
        let journal = open();
        let stream = make(&*journal, "closed");
        let waiting = start_append(&*journal, vec![append(stream, 2, b"queued")]);
        journal.close().unwrap();
        assert_eq!(waiting.recv().unwrap(), Ok(()));
        assert!(write(&*journal, stream, 3, "too late").is_err());
        journal.close().unwrap();
        assert_eq!(read_all(&*journal, stream).len(), 2);
        assert_eq!(journal.health(), Health::Ready);
    });
}

#[test]
fn a_panicking_caller_does_not_end_the_writer() {
    each(|open| {
        let journal = open();
        let stream = make(&*journal, "panic");
        journal.append(vec![append(stream, 2, b"x")], Box::new(|_| panic!("a caller's mistake")));
        write(&*journal, stream, 3, "still there").unwrap();
    });
}

#[derive(Clone, Debug)]
enum Step {
    /// Records, each of a place and a length.
    Batch(Vec<(usize, usize)>),
    Delete(usize),
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let length = prop_oneof![9 => 0..400_usize, 1 => 5000..20_000_usize];
    prop_oneof![
        10 => proptest::collection::vec((0..6_usize, length), 1..12).prop_map(Step::Batch),
        1 => (0..6_usize).prop_map(Step::Delete),
        1 => Just(Step::Reopen),
    ]
}

/// What the journal must say: a stream and its records for each place.
type Model = BTreeMap<usize, (Stream, Vec<Vec<u8>>)>;

fn batch(journal: &dyn Journal, model: &mut Model, number: usize, records: &[(usize, usize)]) -> Vec<Entry> {
    let mut batch = Vec::new();
    for (which, length) in records {
        let (stream, log) = model.entry(*which).or_insert_with(|| {
            let place = journal.reserve();
            batch.push(create(place, &format!("place {which}")));
            (stream(place), Vec::new())
        });
        let text = format!("{number} {} ", log.len());
        log.push(text.bytes().cycle().take(*length).collect());
        batch.push(append(*stream, log.len() as u64, &log[log.len() - 1]));
    }
    batch
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_appended_is_replayed_from_anywhere(
        steps in proptest::collection::vec(step(), 1..60),
        every in prop_oneof![1..4_usize, 20..100_usize],
    ) {
        for (_, open) in JOURNALS {
            let dir = tempfile::tempdir().unwrap();
            let mut journal = open(dir.path(), every);
            let mut model = Model::new();
            for (number, step) in steps.iter().enumerate() {
                match step {
                    Step::Batch(records) => {
                        let batch = batch(&*journal, &mut model, number, records);
                        appended(&*journal, batch).unwrap();
                    }
                    Step::Delete(which) => if let Some((stream, _)) = model.remove(which) {
                        appended(&*journal, vec![Entry::Delete { place: stream.place }]).unwrap();
                    },
                    Step::Reopen => {
                        drop(journal);
                        journal = open(dir.path(), every);
                    }
                }
            }
            for (which, (stream, log)) in &model {
                prop_assert_eq!(journal.find(&name(&format!("place {which}"))).unwrap(), Some(stream.place));
                for after in 0..=log.len() {
                    let read = journal.read_after(*stream, after as u64, usize::MAX).unwrap();
                    let bytes: Vec<_> = read.into_iter().map(|record| record.bytes).collect();
                    prop_assert_eq!(&bytes[..], &log[after..]);
                }
            }
            let names = journal.list(&name("x").tenant, Kind::Channel, None, 100).unwrap();
            prop_assert_eq!(names.len(), model.len());
        }
    }
}
