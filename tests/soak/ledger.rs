//! What the clients were told, held against what the server has in the end.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use crate::harness::rest::get;
use crate::harness::server::Server;

/// What the clients were told.
#[derive(Debug, Default)]
pub struct Ledger {
    told: Mutex<Told>,
}

#[derive(Debug, Default)]
struct Told {
    /// By channel: the ids of publications by their places.
    publications: BTreeMap<String, BTreeMap<u64, String>>,
    /// By conversation: the ids of answers.
    answers: BTreeMap<String, HashSet<String>>,
    /// How often each kind of thing was done.
    counts: BTreeMap<&'static str, u64>,
    violations: Vec<String>,
}

impl Ledger {
    /// A publication was acknowledged.
    pub fn published(&self, channel: &str, seq: u64, id: &str) {
        let mut told = self.lock();
        let before = told.publications.entry(channel.to_owned()).or_default().insert(seq, id.to_owned());
        if let Some(before) = before.filter(|before| before != id) {
            told.violations.push(format!("{channel}: place {seq} was given to {before} and to {id}"));
        }
    }

    /// An answer was received.
    pub fn answered(&self, conversation: &str, message: &str) {
        let mut told = self.lock();
        if !told.answers.entry(conversation.to_owned()).or_default().insert(message.to_owned()) {
            told.violations.push(format!("{conversation}: the answer {message} came twice"));
        }
    }

    /// A thread or conversation was deleted: nothing of it is expected any more.
    pub fn deleted(&self, conversation: &str) {
        self.lock().answers.remove(conversation);
    }

    /// Something was done.
    pub fn count(&self, what: &'static str) {
        *self.lock().counts.entry(what).or_default() += 1;
    }

    /// Something is not as it was promised.
    pub fn violation(&self, what: String) {
        eprintln!("violation: {what}");
        self.lock().violations.push(what);
    }

    /// How often each kind of thing was done, and what was not as promised.
    pub fn summary(&self) -> (BTreeMap<&'static str, u64>, Vec<String>) {
        let told = self.lock();
        (told.counts.clone(), told.violations.clone())
    }

    /// Looks for everything that was acknowledged.
    pub async fn check(&self, server: &Server, token: &str) {
        let (publications, answers) = {
            let told = self.lock();
            (told.publications.clone(), told.answers.clone())
        };
        for (channel, acknowledged) in publications {
            self.check_channel(server, token, &channel, &acknowledged).await;
        }
        for (conversation, acknowledged) in answers {
            self.check_conversation(server, token, &conversation, acknowledged).await;
        }
    }

    async fn check_channel(&self, server: &Server, token: &str, channel: &str, acknowledged: &BTreeMap<u64, String>) {
        let mut stored = BTreeMap::new();
        let mut after = 0;
        loop {
            let page = get(server, &format!("/v1/channels/{channel}/messages?after={after}&limit=1000"), token).await;
            let messages = page["messages"].as_array().cloned().unwrap_or_default();
            for message in &messages {
                let seq = message["seq"].as_u64().unwrap_or_default();
                if seq != after + 1 {
                    self.violation(format!("{channel}: {seq} comes after {after}"));
                }
                after = seq;
                stored.insert(seq, message["id"].as_str().unwrap_or_default().to_owned());
            }
            if messages.is_empty() {
                break;
            }
        }
        for (seq, id) in acknowledged {
            if stored.get(seq) != Some(id) {
                self.violation(format!("{channel}: {id} was acknowledged as {seq}, where {:?} is", stored.get(seq)));
            }
        }
    }

    async fn check_conversation(&self, server: &Server, token: &str, name: &str, mut acknowledged: HashSet<String>) {
        let mut before: Option<u64> = None;
        loop {
            let from = before.map(|before| format!("&before={before}")).unwrap_or_default();
            let page = get(server, &format!("/conversations/{name}/messages?limit=1000{from}"), token).await;
            let messages = page["messages"].as_array().cloned().unwrap_or_default();
            let seqs: Vec<u64> = messages.iter().filter_map(|message| message["seq"].as_u64()).collect();
            let expected = before.map_or(seqs.last().copied().unwrap_or_default(), |before| before - 1);
            if !seqs.iter().rev().copied().eq((expected + 1 - seqs.len() as u64..=expected).rev()) {
                self.violation(format!("{name}: the places are {seqs:?} before {before:?}"));
            }
            for message in &messages {
                acknowledged.remove(message["id"].as_str().unwrap_or_default());
            }
            before = page["next_before"].as_u64();
            if before.is_none() || page["next_before"] == Value::Null {
                break;
            }
        }
        if !acknowledged.is_empty() {
            self.violation(format!("{name}: answers are lost: {acknowledged:?}"));
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
