//! What the clients were told, held against what the server has in the end.

use std::collections::{BTreeMap, HashSet};
use std::mem::take;
use std::sync::{Mutex, PoisonError};

use reqwest::Method;
use serde_json::Value;

use crate::harness::rest::{call, get};
use crate::harness::server::Server;

/// What the clients were told.
#[derive(Debug, Default)]
pub struct Ledger {
    told: Mutex<Told>,
    /// By channel, what was read of it.
    read: tokio::sync::Mutex<BTreeMap<String, Read>>,
}

/// What was read of a channel.
#[derive(Debug, Default)]
struct Read {
    /// The ids of all publications by their places.
    ids: BTreeMap<u64, String>,
}

#[derive(Debug, Default)]
struct Told {
    /// By channel: the ids of publications by their places, those that were not looked for yet.
    publications: BTreeMap<String, BTreeMap<u64, String>>,
    /// By conversation: the ids of answers that were not looked for yet.
    answers: BTreeMap<String, HashSet<String>>,
    /// The ids of all answers.
    answered: HashSet<String>,
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
        if !told.answered.insert(format!("{conversation} {message}")) {
            told.violations.push(format!("{conversation}: the answer {message} came twice"));
        }
        told.answers.entry(conversation.to_owned()).or_default().insert(message.to_owned());
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

    /// Looks for everything that was acknowledged since it was last looked for. What is not kept any more by now was
    /// looked for before.
    pub async fn check(&self, server: &Server, token: &str) {
        let (publications, answers) = {
            let mut told = self.lock();
            (take(&mut told.publications), take(&mut told.answers))
        };
        let mut read = self.read.lock().await;
        for (channel, acknowledged) in publications {
            let read = read.entry(channel.clone()).or_default();
            self.check_channel(server, token, &channel, acknowledged, read).await;
        }
        for (conversation, acknowledged) in answers {
            self.check_conversation(server, token, &conversation, acknowledged).await;
        }
    }

    /// Reads again what is kept of the channels: it is what was read before.
    pub async fn check_again(&self, server: &Server, token: &str) {
        for (channel, read) in &*self.read.lock().await {
            let mut last = None;
            for (seq, id) in self.publications(server, token, channel, 0).await {
                if read.ids.get(&seq) != Some(&id) || last.is_some_and(|last| seq != last + 1) {
                    self.violation(format!(
                        "{channel}: {id} is at {seq} behind {last:?}, where {:?} was",
                        read.ids.get(&seq)
                    ));
                }
                last = Some(seq);
            }
            if last != read.ids.keys().next_back().copied() {
                self.violation(format!("{channel}: it ends with {last:?}"));
            }
        }
    }

    async fn check_channel(
        &self,
        server: &Server,
        token: &str,
        channel: &str,
        acknowledged: BTreeMap<u64, String>,
        read: &mut Read,
    ) {
        let mut last = read.ids.keys().next_back().copied().unwrap_or_default();
        for (seq, id) in self.publications(server, token, channel, last).await {
            if seq != last + 1 {
                self.violation(format!("{channel}: {seq} comes after {last}"));
            }
            last = seq;
            read.ids.insert(seq, id);
        }
        for (seq, id) in acknowledged {
            let stored = read.ids.get(&seq);
            if stored != Some(&id) {
                self.violation(format!("{channel}: {id} was acknowledged as {seq}, where {stored:?} is"));
            }
        }
    }

    /// The places and ids of the publications behind one; from 0, of all that are kept.
    async fn publications(&self, server: &Server, token: &str, channel: &str, mut after: u64) -> Vec<(u64, String)> {
        let mut all = Vec::new();
        loop {
            let page = get(server, &format!("/v1/channels/{channel}/messages?after={after}&limit=1000"), token).await;
            let messages = page["messages"].as_array().cloned().unwrap_or_default();
            all.extend(messages.iter().map(|message| {
                after = message["seq"].as_u64().unwrap_or_default();
                (after, message["id"].as_str().unwrap_or_default().to_owned())
            }));
            if messages.is_empty() {
                return all;
            }
        }
    }

    async fn check_conversation(&self, server: &Server, token: &str, name: &str, mut acknowledged: HashSet<String>) {
        let mut before: Option<u64> = None;
        while !acknowledged.is_empty() {
            let from = before.map(|before| format!("&before={before}")).unwrap_or_default();
            let path = format!("/conversations/{name}/messages?limit=1000{from}");
            let (status, body) = call(server, Method::GET, &path, token, None).await;
            if status != 200 {
                self.violation(format!("{name}: {path}: {status} {body}"));
                return;
            }
            let page: Value = serde_json::from_str(&body).unwrap();
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
            if before.is_none() {
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
