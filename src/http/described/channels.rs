//! What was published, and publishing. The resources of document 003 stand under both of its roots.

use actix_web::http::Method;

use super::Api;
use super::bodies::{ChannelBody, PublicationBody};
use super::operation::{Operation, id, whole};
use crate::http::channels::{ChannelView, ChannelsView, PresenceView, PublicationsView};
use crate::http::v1::{AgentView, AgentsView, PublishedView, RemovedView};

const TAG: &str = "channels";
const WHO: &str = "Who listens to a channel now";

/// Describes these resources.
pub fn describe(api: &mut Api) {
    list(api.on(TAG, Method::GET, "/channels", "listChannels", "The channels that the caller may use"));
    read(api.on(TAG, Method::GET, "/channels/{id}", "readChannel", "One channel"));
    messages(api.on(TAG, Method::GET, "/channels/{id}/messages", "listPublications", "What was published"));
    presence(api.on(TAG, Method::GET, "/channels/{id}/presence", "readPresence", WHO));
    below(api, ["/v1/channels", "/v1/channels/{id}", "/v1/channels/{id}/messages"], "V1");
    presence(api.on(TAG, Method::GET, "/v1/channels/{id}/presence", "readPresenceV1", WHO)).guarded();
    attendance(api, ["/v1/agents", "/v1/agents/{id}"], "V1");
    below(api, ["/api/v1/channels", "/api/v1/channels/{id}", "/api/v1/channels/{id}/messages"], "ApiV1");
    presence(api.on(TAG, Method::GET, "/api/v1/channels/{id}/presence", "readPresenceApiV1", WHO)).guarded();
    attendance(api, ["/api/v1/agents", "/api/v1/agents/{id}"], "ApiV1");
}

fn list(operation: Operation<'_>) -> Operation<'_> {
    operation
        .query("after", id(), "`next_after` of the page before.")
        .limited()
        .answers::<ChannelsView<'static>>(200, "A page in the order of their ids.")
        .refuses_also(&[503])
}

fn read(operation: Operation<'_>) -> Operation<'_> {
    operation.answers::<ChannelView<'static>>(200, "The channel.").refuses_also(&[400, 404, 503])
}

fn messages(operation: Operation<'_>) -> Operation<'_> {
    operation
        .query("after", whole(0, None), "The last `seq` of the page before.")
        .limited()
        .answers::<PublicationsView<'static>>(200, "A page, oldest first.")
        .refuses_also(&[404, 410, 503])
}

fn presence(operation: Operation<'_>) -> Operation<'_> {
    operation.answers::<PresenceView>(200, "Agents by name, and how many others.").refuses_also(&[400])
}

fn below(api: &mut Api, [all, one, said]: [&'static str; 3], root: &str) {
    let name = |what: &str| format!("{what}{root}");
    list(api.on(TAG, Method::GET, all, &name("listChannels"), "The channels that the caller may use")).guarded();
    api.on(TAG, Method::POST, all, &name("describeChannel"), "Makes a channel, or describes one anew")
        .guarded()
        .takes::<ChannelBody>()
        .answers::<ChannelView<'static>>(200, "It was there.")
        .answers::<ChannelView<'static>>(201, "It was made.")
        .refuses_also(&[422, 503, 504]);
    read(api.on(TAG, Method::GET, one, &name("readChannel"), "One channel")).guarded();
    api.on(TAG, Method::DELETE, one, &name("removeChannel"), "Removes a channel with all that was published in it")
        .guarded()
        .answers::<RemovedView>(200, "It is gone.")
        .refuses_also(&[400, 404, 503, 504]);
    messages(api.on(TAG, Method::GET, said, &name("listPublications"), "What was published")).guarded();
    api.on(TAG, Method::POST, said, &name("publish"), "Publishes a message; the channel is made on first use")
        .guarded()
        .takes::<PublicationBody>()
        .answers::<PublishedView>(200, "It is on disk.")
        .refuses_also(&[422, 503, 504]);
}

fn attendance(api: &mut Api, [all, one]: [&'static str; 2], root: &str) {
    api.on(TAG, Method::GET, all, &format!("listAttendance{root}"), "Agents of the server and of other processes")
        .guarded()
        .answers::<AgentsView>(200, "Those of the server, then the others by name.")
        .refuses_also(&[]);
    api.on(TAG, Method::GET, one, &format!("readAttendance{root}"), "One of them, by name or id")
        .guarded()
        .answers::<AgentView>(200, "The agent.")
        .refuses_also(&[404]);
}
