//! What goes out comes in again, bit by bit.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::{Arc, mpsc};

use super::*;
use crate::conversation::record::{AnswerRecord, FAILURES, FailureRecord, MESSAGES, MessageRecord, run_id};
use crate::journal::format::encode;
use crate::journal::sled::{Options, SledJournal};
use crate::journal::{Batch, Entry, Journal, Kind, Place, PlaceName, Position, Record, Stream};
use crate::memory::{Fact, Memory};
use crate::protocol::{
    AgentName, Code, ConversationId, Error, MessageId, Part, Role, RunStatus, Step, TenantId, Timestamp,
};

fn open(dir: &Path) -> Arc<SledJournal> {
    SledJournal::open(dir, Options::default()).unwrap()
}

fn write(journal: &dyn Journal, batch: Batch) {
    let (done, outcome) = mpsc::channel();
    journal.append(batch, Box::new(move |result| done.send(result).unwrap()));
    outcome.recv().unwrap().unwrap();
}

fn message(text: &str, place: Place) -> MessageRecord {
    MessageRecord {
        id: MessageId::random(),
        role: Role::Assistant,
        agent: Some(AgentName::trusted("nyx")),
        parts: vec![Part::Text(text.into()), Part::Data("{\"n\":1.50,\"e\":\"\\u0000\"}".into())],
        created_at: Timestamp(1_700_000_000_000),
        asks: None,
        answers: Some(AnswerRecord { run: run_id(place, 0, 1), started_at: Timestamp(-1) }),
    }
}

fn failure(place: Place) -> FailureRecord {
    FailureRecord {
        run: run_id(place, 1, 1),
        asked_at: 1,
        status: RunStatus::Failed,
        error: Error::new(Code::AgentFailed, "broken").with_details("\u{fffd}\n"),
        steps: Vec::<Step>::new(),
        started_at: None,
        ended_at: Timestamp(5),
    }
}

/// A journal with something of each kind: trimmed, deleted, open, foreign.
fn filled(dir: &Path) -> Arc<SledJournal> {
    let journal = open(dir);
    let name = |kind, id: &str| PlaceName { tenant: TenantId::trusted("t"), kind, id: id.to_owned() };
    let (gone, talk, news) = (journal.reserve(), journal.reserve(), journal.reserve());
    let append = |place, lane, seq, bytes, opens| {
        let at = Position { stream: Stream { place, lane }, seq };
        Entry::Append { at, bytes, opens, closes: vec![] }
    };
    write(&*journal, vec![Entry::Create { place: gone, name: name(Kind::Channel, "gone") }]);
    let mut batch = vec![Entry::Create { place: talk, name: name(Kind::Conversation, "talk ü") }];
    for seq in 1..=50 {
        let text = format!("number {seq} \"quoted\"\u{2028}");
        batch.push(append(talk, MESSAGES, seq, encode(&message(&text, talk)).unwrap(), seq > 48));
    }
    batch.push(append(talk, FAILURES, 1, encode(&failure(talk)).unwrap(), false));
    write(&*journal, batch);
    write(&*journal, vec![Entry::Trim { stream: Stream { place: talk, lane: MESSAGES }, first: 21 }]);
    let odd = vec![append(news, 0, 1, vec![9, 255, 0], false)];
    write(&*journal, [vec![Entry::Create { place: news, name: name(Kind::Channel, "news") }], odd].concat());
    write(&*journal, vec![Entry::Delete { place: gone }]);
    let memory = Memory::new(journal.clone());
    let fact = Fact::now(AgentName::trusted("sage"), ConversationId::trusted("c"), "tea at 4", 0.3);
    memory.remember(&TenantId::trusted("t"), fact).unwrap();
    journal
}

/// Everything that can be read.
fn content(journal: &dyn Journal) -> Vec<(Place, PlaceName, u8, u64, u64, Vec<Record>)> {
    let mut all = Vec::new();
    for (place, name) in journal.places(Place(0), 99).unwrap() {
        for lane in 0..3 {
            let stream = Stream { place, lane };
            let (first, head) = (journal.first(stream).unwrap(), journal.head(stream).unwrap());
            all.push((place, name.clone(), lane, first, head, journal.read_after(stream, 0, 999).unwrap()));
        }
    }
    all
}

#[test]
fn what_goes_out_comes_in_again() {
    let dir = tempfile::tempdir().unwrap();
    let from = filled(&dir.path().join("from"));
    let mut lines = Vec::new();
    let out = export(&*from, &mut lines, &|_| {}).unwrap();
    assert_eq!((out.places, out.records), (3, 30 + 1 + 1 + 1));
    let text = String::from_utf8(lines.clone()).unwrap();
    assert_eq!(text.lines().count(), 2 + 3 + 33);
    assert!(text.contains("\"value\":{") && text.contains("\"tea at 4\""), "records are read by people: {text}");
    assert_eq!(text.matches("\"bytes\"").count(), 1, "only what has no form stands as bytes");

    let to = open(&dir.path().join("to"));
    assert_eq!(import(&*to, &mut lines.as_slice(), &|_| {}).unwrap(), out);
    let holds = |journal: Arc<SledJournal>| {
        assert_eq!(content(&*journal), content(&*from));
        assert_eq!(journal.unfinished(), from.unfinished());
        assert_eq!(journal.verify(&|_, _, _| Ok(()), &|_| {}).unwrap().findings, Vec::<String>::new());
        assert!(journal.reserve().0 > 4);
        let mut again = Vec::new();
        export(&*journal, &mut again, &|_| {}).unwrap();
        assert_eq!(again, lines);
        journal.close().unwrap();
    };
    holds(to);
    holds(open(&dir.path().join("to")));
}

#[test]
fn what_is_cut_or_changed_is_refused_and_the_line_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let mut lines = Vec::new();
    export(&*filled(&dir.path().join("from")), &mut lines, &|_| {}).unwrap();
    let text = String::from_utf8(lines).unwrap();
    let cut: Vec<_> = text.lines().collect();
    let without = |n: usize| [&cut[..n], &cut[n + 1..]].concat().join("\n");
    let cases = [
        (String::new(), "cut off"),
        (cut[..9].join("\n"), "cut off"),
        (text[..text.len() / 2].to_owned(), "line"),
        (without(0), "line 1: this is no export"),
        (without(5), "is 24, not 25"),
        (text.replacen("\"version\":1", "\"version\":2", 1), "line 1: version 2"),
        (text.replacen("\"kind\":\"channel\"", "\"kind\":\"canal\"", 1), "there is no kind canal"),
        (text.replacen("\"role\"", "\"roll\"", 1), "line 3: This is not the record of its lane"),
        (without(cut.len() - 2), "33 records were written, and 32 are here"),
        (text.replacen("\"09ff00\"", "\"09ff0\"", 1), "hexadecimal"),
    ];
    for (number, (text, words)) in cases.into_iter().enumerate() {
        let to = open(&dir.path().join(format!("to {number}")));
        let error = import(&*to, &mut text.as_bytes(), &|_| {}).unwrap_err().to_string();
        assert!(error.contains(words), "{words}: {error}");
    }
    let full = filled(&dir.path().join("full"));
    assert!(import(&*full, &mut text.as_bytes(), &|_| {}).unwrap_err().to_string().contains("not empty"));
}

#[test]
fn a_record_is_looked_at_by_what_its_lane_is_for() {
    let name = |kind| PlaceName { tenant: TenantId::trusted("t"), kind, id: "x".to_owned() };
    let place = Place(7);
    let look = |kind, lane, seq, bytes| inspect(&name(kind), Stream { place, lane }, &Record { seq, bytes });
    let answer = encode(&message("hi", place)).unwrap();
    look(Kind::Conversation, MESSAGES, 2, answer.clone()).unwrap();
    assert!(look(Kind::Conversation, 7, 2, answer.clone()).unwrap_err().contains("nothing is written"));
    assert!(look(Kind::Memory, 0, 2, answer).is_err());
    let foreign = encode(&message("hi", Place(8))).unwrap();
    assert!(look(Kind::Conversation, MESSAGES, 2, foreign).unwrap_err().contains("run-8-0-1"));
    look(Kind::Conversation, FAILURES, 1, encode(&failure(place)).unwrap()).unwrap();
    assert!(look(Kind::Conversation, FAILURES, 1, encode(&failure(Place(8))).unwrap()).is_err());
    assert!(look(Kind::Conversation, FAILURES, 1, vec![]).is_err());
}
