//! What agents do for somebody.

use actix_web::http::Method;

use super::Api;
use super::operation::whole;
use crate::http::runs::{DecisionBody, RunPageView, RunView, RunsView};
use crate::record::Record;

const TAG: &str = "runs";

/// Describes these resources.
pub fn describe(api: &mut Api) {
    api.on(TAG, Method::GET, "/runs", "listRuns", "The newest runs that have not ended")
        .answers::<RunsView<'static>>(200, "Without their steps.")
        .refuses_also(&[]);
    api.on(TAG, Method::GET, "/conversations/{id}/runs", "listConversationRuns", "The runs of a conversation")
        .says("Newest first, whether they have ended or not.")
        .query("before", whole(1, None), "`next_before` of the page after.")
        .limited()
        .answers::<RunPageView<'static>>(200, "The newest runs, or those before `before`, without their steps.")
        .refuses_also(&[404, 410, 503]);
    api.on(TAG, Method::GET, "/runs/{id}", "readRun", "One run, whether it has ended or not")
        .answers::<RunView<'static>>(200, "The run.")
        .refuses_also(&[400, 404, 410, 503]);
    api.on(TAG, Method::DELETE, "/runs/{id}", "cancelRun", "Cancels a run")
        .says("What ends is the whole request that it belongs to.")
        .answers::<RunView<'static>>(202, "The run as it is then.")
        .refuses_also(&[400, 404, 409, 410, 503, 504]);
    api.on(TAG, Method::GET, "/runs/{id}/record", "readRecord", "All that is known of a run")
        .says("`callboard replay` takes it.")
        .answers::<Record>(200, "The record.")
        .refuses_also(&[400, 404, 410, 503]);
    api.on(TAG, Method::POST, "/runs/{id}/approval", "decideRun", "Decides about a run that waits for approval")
        .takes::<DecisionBody>()
        .answers::<RunView<'static>>(200, "The run as it is then.")
        .refuses_also(&[404, 409, 410, 503, 504]);
}
