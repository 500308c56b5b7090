//! Agents in processes of their own, killed again and again.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use crate::harness::client::{Client, Heard};
use crate::ledger::Ledger;
use crate::{Scene, random};

/// What the process of an agent does: it answers what it is asked with what it is told, a step before.
pub async fn serve(url: &str) {
    let mut client = Client::connect(url).await;
    while let Heard::Json(work) = idle_or_heard(&mut client).await {
        if work["metadata"]["run_id"].is_string() {
            let step = json!({ "type": "step", "content": "at it", "reply_to": work["id"] });
            let answer = json!({ "type": "message", "content": work["content"], "reply_to": work["id"] });
            for frame in [step, answer] {
                if client.try_send_raw(&frame.to_string()).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// An agent may have nothing to do for longer than a test waits for anything.
async fn idle_or_heard(client: &mut Client) -> Heard {
    loop {
        if let Some(heard) = client.heard_within(Duration::from_secs(5)).await {
            return heard;
        }
    }
}

/// Keeps the process of one agent, killing it every few seconds and starting it anew, until told to stop.
pub async fn keep(scene: Arc<Scene>, name: String) {
    let url = scene.url(&format!("/v1/ws?token={}", scene.token(&name)));
    let mut process = Process::start(&url);
    while !scene.is_over() {
        scene.pause(500 + random(4000)).await;
        process.end(&scene.ledger);
        scene.pause(random(300)).await;
        process = Process::start(&url);
    }
}

struct Process(Child);

impl Process {
    fn start(url: &str) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--agent", url]).stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().unwrap())
    }

    fn end(&mut self, ledger: &Ledger) {
        ledger.count("agent processes killed");
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
