//! What clients were told, held against what a server has.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::harness::rest::get;
use crate::harness::server::Server;
use crate::load::{CHANNEL, Told};

/// All that was told is there: in order, at its place, once; what was refused is not.
pub async fn check(server: &Server, token: &str, told: &Told) {
    let publications = publications(server, token).await;
    let once: BTreeSet<&String> = publications.iter().collect();
    assert_eq!(once.len(), publications.len(), "something was published twice");
    for (seq, content) in &told.publications {
        let found = publications.get(usize::try_from(*seq).unwrap() - 1);
        assert_eq!(found, Some(content), "publication {seq}");
    }
    for content in &told.refused {
        assert!(!once.contains(content), "{content} was refused, and is there");
    }
    for (conversation, words) in &told.messages {
        let messages = messages(server, token, conversation).await;
        let mut rest = messages.iter();
        for words in words {
            assert!(rest.any(|message| message == words), "{conversation} lost {words}");
        }
    }
    for run in &told.runs {
        let found = get(server, &format!("/runs/{run}"), token).await;
        assert_eq!(found["status"], "completed", "{found}");
    }
}

/// What is in the channel, whose places are 1, 2, 3 …
pub async fn publications(server: &Server, token: &str) -> Vec<String> {
    let (mut all, mut after) = (Vec::new(), Some(0));
    while let Some(from) = after {
        let page = get(server, &format!("/channels/{CHANNEL}/messages?after={from}&limit=1000"), token).await;
        for message in page["messages"].as_array().unwrap() {
            assert_eq!(message["seq"].as_u64(), Some(all.len() as u64 + 1), "{message}");
            all.push(message["content"].as_str().unwrap().to_owned());
        }
        after = page["next_after"].as_u64();
    }
    all
}

/// What is in a conversation, whose places are 1, 2, 3 … and whose ids are all different.
async fn messages(server: &Server, token: &str, conversation: &str) -> Vec<String> {
    let (mut all, mut before) = (Vec::<Value>::new(), None);
    loop {
        let from = before.map(|before: u64| format!("&before={before}")).unwrap_or_default();
        let path = format!("/conversations/{conversation}/messages?limit=1000{from}");
        let page = get(server, &path, token).await;
        all.splice(0..0, page["messages"].as_array().unwrap().clone());
        before = page["next_before"].as_u64();
        if before.is_none() {
            break;
        }
    }
    let seqs: Vec<u64> = all.iter().map(|message| message["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, (1..=all.len() as u64).collect::<Vec<_>>(), "{conversation}");
    let ids: BTreeSet<&str> = all.iter().map(|message| message["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), all.len(), "{conversation} has a message twice");
    all.iter().map(|message| message["content"].as_str().unwrap_or_default().to_owned()).collect()
}

/// A run that was open when its server was lost has an end, and no other than these.
pub async fn ended(server: &Server, token: &str, run: &str) {
    let found = get(server, &format!("/runs/{run}"), token).await;
    let interrupted = found["status"] == "failed" && found["error"]["code"] == "INTERRUPTED";
    assert!(interrupted || found["status"] == "completed", "a ghost: {found}");
}
