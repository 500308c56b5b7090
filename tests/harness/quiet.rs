//! A quiet client: it asks one question after the other and is content with right answers. Beside somebody hostile it
//! shows, by its answers and not by the time they take, that nobody else is held up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinHandle;

use super::PATIENCE;
use super::server::Server;

/// A quiet client at work.
pub struct Quiet {
    over: Arc<AtomicBool>,
    answers: Arc<AtomicUsize>,
    asking: JoinHandle<()>,
}

impl Quiet {
    /// Lets one begin, on a session of its own, and waits for its first answer.
    pub async fn begin(server: &Server) -> Self {
        let (over, answers) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let mut client = server.client().await;
        let (ended, count) = (over.clone(), answers.clone());
        let asking = tokio::spawn(async move {
            let data = json!({ "message": "compute 6 * 7", "conversationId": "quiet" });
            let chat = json!({ "id": "q", "type": "chat", "targetAgent": "aria", "data": data });
            while !ended.load(Ordering::Relaxed) {
                let answer = client.ask(chat.clone()).await;
                assert!(answer["data"]["response"].as_str().is_some_and(|text| text.contains("42")), "{answer}");
                count.fetch_add(1, Ordering::Relaxed);
                // As a person asks, and never over the rate of a session.
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            client.close().await;
        });
        let quiet = Self { over, answers, asking };
        quiet.goes_on().await;
        quiet
    }

    /// Three more answers have come since this was asked: the whole way of one question lies between.
    pub async fn goes_on(&self) {
        let before = self.answers.load(Ordering::Relaxed);
        let since = Instant::now();
        while self.answers.load(Ordering::Relaxed) < before + 3 {
            assert!(!self.asking.is_finished(), "the quiet client has failed");
            assert!(since.elapsed() < PATIENCE, "no more answers come to the quiet client");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Ends it: every question it asked was answered rightly.
    pub async fn end(self) {
        self.over.store(true, Ordering::Relaxed);
        self.asking.await.unwrap();
    }
}
