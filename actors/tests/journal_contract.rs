//! The contract of a journal, held against every implementation that needs nobody else. `tests/cluster` holds it against
//! a copy of a log in NATS.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "journal/contract.rs"]
mod contract;
#[path = "journal/ledger.rs"]
mod ledger;
#[path = "journal/support.rs"]
mod support;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex};

use callboard_actors::journal::sled::{Options, SledJournal};
use contract::Factory;
use ledger::Ledger;

const JOURNALS: &[(&str, Factory)] = &[
    ("sled", |dir, checkpoint_every| {
        SledJournal::open(dir, Options { checkpoint_every, ..Options::default() }).unwrap()
    }),
    ("a copy of a log", |dir, checkpoint_every| {
        static LOGS: LazyLock<Mutex<HashMap<PathBuf, Arc<Ledger>>>> = LazyLock::new(Mutex::default);
        let log = LOGS.lock().unwrap().entry(dir.to_owned()).or_insert_with(|| Ledger::new("log")).server();
        SledJournal::open(dir, Options { checkpoint_every, log: Some(log), ..Options::default() }).unwrap()
    }),
];
