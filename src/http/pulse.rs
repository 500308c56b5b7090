//! `GET /pulse`: the last ten minutes of the caller's tenant, in steps.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, web};
use serde_json::{Value, json};

use callboard_actors::protocol::{AgentName, Timestamp};
use callboard_actors::pulse::{Beat, Ends, STEP_MS, STEPS};

use super::app::App;
use super::caller::Caller;
use crate::dialect::view::Rfc3339;

/// Steps of the last minute, with the one that goes on.
const MINUTE: usize = (60_000 / STEP_MS) as usize;

/// Lists of equal length, oldest first, one entry a step of `step` milliseconds; the last step is still going on.
/// Latencies are in milliseconds and null where nothing was answered. Of each agent: answers in the last minute, and
/// answers and failures in all of it.
pub async fn get(caller: Caller, app: web::Data<App>) -> HttpResponse {
    let now = Timestamp::now();
    let beats = caller.tenant(&app).pulse.read(now);
    HttpResponse::Ok().json(json!({
        "at": Rfc3339(now),
        "step": STEP_MS,
        "answered": list(&beats, |beat| beat.ends.answered),
        "failed": list(&beats, |beat| beat.ends.failed),
        "median": list(&beats, |beat| beat.median_ms),
        "p95": list(&beats, |beat| beat.p95_ms),
        "agents": agents(&beats),
    }))
}

fn list<T: Into<Value>>(beats: &[Beat], of: impl Fn(&Beat) -> T) -> Vec<Value> {
    beats.iter().map(|beat| of(beat).into()).collect()
}

fn agents(beats: &[Beat]) -> Value {
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
    let one = |(agent, (sum, lately)): (&AgentName, (Ends, u32))| json!({ "name": agent, "last_minute": lately, "answered": sum.answered, "failed": sum.failed });
    sums.into_iter().map(one).collect()
}
