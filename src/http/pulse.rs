//! `GET /pulse`: the last ten minutes of the caller's tenant, in steps.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, web};
use schemars::JsonSchema;
use serde::Serialize;

use callboard_actors::protocol::{AgentName, Timestamp};
use callboard_actors::pulse::{Beat, Ends, STEP_MS, STEPS};

use super::app::App;
use super::caller::Caller;
use crate::dialect::view::Rfc3339;

/// Steps of the last minute, with the one that goes on.
const MINUTE: usize = (60_000 / STEP_MS) as usize;

/// The last ten minutes in steps of `step` milliseconds: lists of equal length, oldest first.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Pulse")]
pub struct PulseView {
    at: Rfc3339,
    /// In milliseconds.
    step: u64,
    answered: Vec<u32>,
    failed: Vec<u32>,
    /// In milliseconds; null where nothing was answered.
    median: Vec<Option<u64>>,
    /// In milliseconds; null where nothing was answered.
    p95: Vec<Option<u64>>,
    agents: Vec<AgentPulse>,
}

/// What an agent did.
#[derive(Debug, Serialize, JsonSchema)]
struct AgentPulse {
    name: String,
    /// Answers in the last minute.
    last_minute: u32,
    answered: u32,
    failed: u32,
}

/// Lists of equal length, oldest first, one entry a step of `step` milliseconds; the last step is still going on.
/// Latencies are in milliseconds and null where nothing was answered. Of each agent: answers in the last minute, and
/// answers and failures in all of it.
pub async fn get(caller: Caller, app: web::Data<App>) -> HttpResponse {
    let now = Timestamp::now();
    let beats = caller.tenant(&app).pulse.read(now);
    HttpResponse::Ok().json(PulseView {
        at: Rfc3339(now),
        step: STEP_MS,
        answered: beats.iter().map(|beat| beat.ends.answered).collect(),
        failed: beats.iter().map(|beat| beat.ends.failed).collect(),
        median: beats.iter().map(|beat| beat.median_ms).collect(),
        p95: beats.iter().map(|beat| beat.p95_ms).collect(),
        agents: agents(&beats),
    })
}

fn agents(beats: &[Beat]) -> Vec<AgentPulse> {
    let mut sums: BTreeMap<&AgentName, (Ends, u32)> = BTreeMap::new();
    let minute = STEPS - MINUTE..STEPS;
    for (step, beat) in beats.iter().enumerate() {
        for (agent, ends) in &beat.agents {
            let (sum, lately) = sums.entry(agent).or_default();
            sum.add(*ends);
            if minute.contains(&step) {
                *lately += ends.answered;
            }
        }
    }
    let one = |(agent, (sum, last_minute)): (&AgentName, (Ends, u32))| AgentPulse {
        name: agent.to_string(),
        last_minute,
        answered: sum.answered,
        failed: sum.failed,
    };
    sums.into_iter().map(one).collect()
}
