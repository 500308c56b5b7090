//! What the journal costs: appends by 1, 64 and 512 writers, and pages of 50 records in a small and a large store.
//!
//! `JOURNAL_RECORDS=1000000` adds a store of so many records (5,000,000 at the most), and prints what it took to fill,
//! to open again, and to read from where nothing is warm. `TMPDIR` says which disk is measured.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};
use std::{env, fs};

use callboard_actors::journal::sled::{Options, SledJournal};
use callboard_actors::journal::{Entry, Journal, Kind, PlaceName, Position, Stream};
use callboard_actors::protocol::TenantId;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// About what a message of a conversation takes.
const RECORD: usize = 300;

/// As many conversations as the pages of a store are spread over.
const STREAMS: usize = 200;

fn open(dir: &Path) -> Arc<SledJournal> {
    SledJournal::open(dir, Options::default()).unwrap()
}

fn append(stream: Stream, seq: u64) -> Entry {
    Entry::Append { at: Position { stream, seq }, bytes: vec![b'x'; RECORD], opens: false, closes: Vec::new() }
}

/// Streams with one record each.
fn make(journal: &dyn Journal, count: usize) -> Vec<Stream> {
    let (sender, receiver) = mpsc::channel();
    let streams = (0..count).map(|_| {
        let place = journal.reserve();
        let stream = Stream { place, lane: 0 };
        let name = PlaceName { tenant: TenantId::default_tenant(), kind: Kind::Channel, id: place.0.to_string() };
        let sender = sender.clone();
        let batch = vec![Entry::Create { place, name }, append(stream, 1)];
        journal.append(batch, Box::new(move |result| sender.send(result).unwrap()));
        receiver.recv().unwrap().unwrap();
        stream
    });
    streams.collect()
}

/// Appends `total` records, `writers` at a time, each to the next of `streams`; answers how long each took.
fn pump(journal: &dyn Journal, streams: &[Stream], writers: usize, total: usize) -> Vec<Duration> {
    let mut heads: Vec<_> = streams.iter().map(|stream| journal.head(*stream).unwrap()).collect();
    let (sender, receiver) = mpsc::channel();
    let mut latencies = Vec::with_capacity(total);
    let mut started = 0;
    let mut start = |number: usize| {
        let which = number % streams.len();
        heads[which] += 1;
        let (sender, begun) = (sender.clone(), Instant::now());
        let done = Box::new(move |result: Result<(), _>| {
            result.unwrap();
            sender.send(begun.elapsed()).unwrap();
        });
        journal.append(vec![append(streams[which], heads[which])], done);
    };
    while latencies.len() < total {
        while started < total && started - latencies.len() < writers {
            start(started);
            started += 1;
        }
        latencies.push(receiver.recv().unwrap());
        latencies.extend(receiver.try_iter());
    }
    latencies
}

fn appends(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("append");
    group.throughput(Throughput::Elements(1)).sample_size(10).measurement_time(Duration::from_secs(3));
    for writers in [1, 64, 512] {
        let dir = tempfile::tempdir().unwrap();
        let journal = open(dir.path());
        let streams = make(&*journal, writers);
        group.bench_function(format!("{writers} writers"), |bencher| {
            bencher.iter_custom(|records| {
                let begun = Instant::now();
                pump(&*journal, &streams, writers, records as usize);
                begun.elapsed()
            });
        });
    }
    group.finish();
}

fn pages(criterion: &mut Criterion) {
    let asked = env::var("JOURNAL_RECORDS").ok().and_then(|count| count.parse().ok()).unwrap_or(0);
    for records in [10_000, asked.min(5_000_000)].into_iter().filter(|records| *records > 0) {
        let dir = tempfile::tempdir().unwrap();
        let streams = fill(dir.path(), records);
        let journal = reopen(dir.path());
        let cold = average(&streams, |stream| drop(journal.read_before(*stream, None, 50).unwrap()));
        let old = average(&streams, |stream| drop(journal.read_after(*stream, 0, 50).unwrap()));
        println!("{records} records: last 50 of each stream at first {cold:?}, first 50 {old:?}");
        let mut next = streams.iter().cycle();
        criterion.bench_function(&format!("last 50 of {records}"), |bencher| {
            bencher.iter(|| journal.read_before(*next.next().unwrap(), None, 50).unwrap());
        });
    }
}

fn average(streams: &[Stream], read: impl Fn(&Stream)) -> Duration {
    let begun = Instant::now();
    streams.iter().for_each(read);
    begun.elapsed() / u32::try_from(streams.len()).unwrap()
}

/// Fills a store by 64 writers and prints what that took.
fn fill(dir: &Path, records: usize) -> Vec<Stream> {
    let journal = open(dir);
    let streams = make(&*journal, STREAMS);
    let (begun, cpu) = (Instant::now(), cpu());
    let mut latencies = pump(&*journal, &streams, 64, records);
    let (took, cpu) = (begun.elapsed(), self::cpu() - cpu);
    latencies.sort_unstable();
    let at = |part: usize| latencies[(latencies.len() - 1) * part / 1000];
    println!(
        "{records} records by 64 writers: {:.0} a second, {:.1} us of CPU each, p50 {:?}, p99 {:?}, max {:?}, \
         {} bytes on disk each, {} MB resident",
        records as f64 / took.as_secs_f64(),
        cpu.as_secs_f64() * 1e6 / records as f64,
        at(500),
        at(990),
        at(1000),
        journal.size().bytes / records as u64,
        resident() >> 20,
    );
    streams
}

/// Opens a store that was dropped without a checkpoint, then once more after an orderly end.
fn reopen(dir: &Path) -> Arc<SledJournal> {
    let begun = Instant::now();
    let journal = open(dir);
    let first = begun.elapsed();
    journal.close().unwrap();
    drop(journal);
    let begun = Instant::now();
    let journal = open(dir);
    println!("opened in {first:?} as dropped, in {:?} once closed", begun.elapsed());
    journal
}

/// The processor's time of this process, in steps of 10 ms.
fn cpu() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields = stat.rsplit_once(')').unwrap().1.split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).map(|field| field.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}

fn resident() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap();
    statm.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

criterion_group!(benches, appends, pages);
criterion_main!(benches);
