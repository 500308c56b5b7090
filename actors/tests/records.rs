//! Laws of the journal's records: what was written is read as it was, and what was not is an error.
#![allow(clippy::unwrap_used)]

use callboard_actors::channel::record::{self as channel, PublicationRecord};
use callboard_actors::conversation::record::{
    AnswerRecord, AskRecord, FailureRecord, MessageRecord, StateRecord, parse_run_id, run_id,
};
use callboard_actors::journal::format::{decode, encode};
use callboard_actors::journal::{Place, Record};
use callboard_actors::protocol::*;
use proptest::option::of;
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["\\PC{0,40}", "[ -~\\n\\t\\x00\\u{feff}\\u{202e}😀]{0,200}"]
}

fn agent() -> impl Strategy<Value = AgentName> {
    "[A-Za-z0-9._:-]{1,128}".prop_map(AgentName::trusted)
}

fn message_id() -> impl Strategy<Value = MessageId> {
    "[A-Za-z0-9._:-]{1,128}".prop_map(MessageId::trusted)
}

fn subject() -> impl Strategy<Value = Subject> {
    "[A-Za-z0-9._:-]{1,128}".prop_map(Subject::trusted)
}

fn at() -> impl Strategy<Value = Timestamp> {
    any::<i64>().prop_map(Timestamp)
}

fn kind() -> impl Strategy<Value = RunKind> {
    prop_oneof![Just(RunKind::Chat), Just(RunKind::Task), Just(RunKind::Command)]
}

fn run() -> impl Strategy<Value = RunId> {
    (any::<u64>(), any::<u64>(), any::<u16>()).prop_map(|(place, seq, turn)| run_id(Place(place), seq, turn))
}

fn step() -> impl Strategy<Value = Step> {
    let kind = prop_oneof![Just(StepKind::Planning), Just(StepKind::Action), Just(StepKind::Answer)];
    let call = (text(), text(), any::<bool>(), text(), text());
    let call = call.prop_map(|(tool, arguments, ok, id, result)| ToolCall { tool, arguments, ok, id, result });
    let tokens = (any::<u64>(), any::<u64>()).prop_map(|(input, output)| Tokens { input, output });
    (kind, text(), 0.0..=1.0_f32, at(), of(call), of(tokens))
        .prop_map(|(kind, content, importance, at, call, tokens)| Step { kind, content, importance, at, call, tokens })
}

fn part() -> impl Strategy<Value = Part> {
    prop_oneof![text().prop_map(Part::Text), text().prop_map(Part::Data), step().prop_map(Part::Step)]
}

fn message() -> impl Strategy<Value = MessageRecord> {
    let role = prop_oneof![Just(Role::User), Just(Role::Assistant), Just(Role::System)];
    let asks = (prop::collection::vec(agent(), 0..4), kind(), of(text()))
        .prop_map(|(agents, kind, request_id)| AskRecord { agents, kind, request_id });
    let answers = (run(), at()).prop_map(|(run, started_at)| AnswerRecord { run, started_at });
    let parts = prop::collection::vec(part(), 0..6);
    (message_id(), role, of(agent()), parts, at(), of(asks), of(answers)).prop_map(
        |(id, role, agent, parts, created_at, asks, answers)| MessageRecord {
            id,
            role,
            agent,
            parts,
            created_at,
            asks,
            answers,
        },
    )
}

fn state() -> impl Strategy<Value = StateRecord> {
    let mode = prop_oneof![Just(Mode::Lead), Just(Mode::All), Just(Mode::Auto)];
    let owner = of(subject());
    (owner, prop::collection::vec(agent(), 0..5), agent(), mode, at())
        .prop_map(|(owner, agents, lead, mode, created_at)| StateRecord { owner, agents, lead, mode, created_at })
}

fn failure() -> impl Strategy<Value = FailureRecord> {
    let status = prop_oneof![Just(RunStatus::Failed), Just(RunStatus::Cancelled), Just(RunStatus::Timeout)];
    let code =
        prop_oneof![Just(Code::AgentFailed), Just(Code::Timeout), Just(Code::Interrupted), Just(Code::Cancelled)];
    let error = (code, text(), text()).prop_map(|(code, said, details)| Error::new(code, said).with_details(details));
    (run(), any::<u64>(), status, error, prop::collection::vec(step(), 0..4), of(at()), at()).prop_map(
        |(run, asked_at, status, error, steps, started_at, ended_at)| FailureRecord {
            run,
            asked_at,
            status,
            error,
            steps,
            started_at,
            ended_at,
        },
    )
}

fn publication() -> impl Strategy<Value = PublicationRecord> {
    let subject = subject();
    (message_id(), of(agent()), subject, text(), text(), of(text()), of(message_id()), at()).prop_map(
        |(id, agent, subject, kind, content, metadata, reply_to, created_at)| PublicationRecord {
            id,
            agent,
            subject,
            kind,
            content,
            metadata,
            reply_to,
            created_at,
        },
    )
}

fn channel_state() -> impl Strategy<Value = channel::StateRecord> {
    (of(text()), of(text()), subject(), at(), any::<u64>()).prop_map(
        |(name, description, created_by, created_at, delivered)| channel::StateRecord {
            name,
            description,
            created_by,
            created_at,
            delivered,
        },
    )
}

/// Read as written; cut short anywhere, or of an unknown format, an error; with a byte changed, an error or another
/// record, never a panic.
fn holds<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(
    record: &T,
    cut: prop::sample::Index,
    flip: u8,
) -> std::result::Result<(), TestCaseError> {
    let bytes = encode(record).unwrap();
    let read = |bytes: Vec<u8>| decode::<T>(&Record { seq: 1, bytes });
    prop_assert_eq!(&read(bytes.clone()).unwrap(), record);
    let cut = cut.index(bytes.len());
    prop_assert!(read(bytes[..cut].to_vec()).is_err(), "cut at {cut} of {}", bytes.len());
    let mut changed = bytes.clone();
    changed[cut] ^= flip;
    let _ = read(changed);
    let mut unknown = bytes;
    unknown[0] = unknown[0].wrapping_add(flip.max(1));
    prop_assert!(read(unknown).is_err());
    Ok(())
}

proptest! {
    #[test]
    fn messages_are_read_as_written(record in message(), cut: prop::sample::Index, flip: u8) {
        holds(&record, cut, flip)?;
    }

    #[test]
    fn states_are_read_as_written(record in state(), cut: prop::sample::Index, flip: u8) {
        holds(&record, cut, flip)?;
    }

    #[test]
    fn failures_are_read_as_written(record in failure(), cut: prop::sample::Index, flip: u8) {
        holds(&record, cut, flip)?;
    }

    #[test]
    fn publications_are_read_as_written(record in publication(), cut: prop::sample::Index, flip: u8) {
        holds(&record, cut, flip)?;
    }

    #[test]
    fn states_of_channels_are_read_as_written(record in channel_state(), cut: prop::sample::Index, flip: u8) {
        holds(&record, cut, flip)?;
    }

    #[test]
    fn whatever_is_read_is_a_record_or_an_error(mut bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for format in [None, Some(1)] {
            if let (Some(first), Some(format)) = (bytes.first_mut(), format) {
                *first = format;
            }
            let record = Record { seq: 1, bytes: bytes.clone() };
            let _ = decode::<MessageRecord>(&record);
            let _ = decode::<StateRecord>(&record);
            let _ = decode::<FailureRecord>(&record);
            let _ = decode::<PublicationRecord>(&record);
            let _ = decode::<channel::StateRecord>(&record);
        }
    }

    #[test]
    fn a_run_is_found_by_its_id_alone(place: u64, seq: u64, turn: u16, other in "\\PC{0,40}") {
        let (position, found) = parse_run_id(&run_id(Place(place), seq, turn)).unwrap();
        prop_assert_eq!((position.stream.place, position.seq, found), (Place(place), seq, turn));
        let _ = parse_run_id(&RunId::trusted(other));
    }
}
