//! Publications: what a channel is made of.

use super::id::{AgentName, ChannelId, MessageId, Subject, TenantId};
use super::time::Timestamp;

/// One publication of a channel, or a direct message to one agent.
#[derive(Clone, PartialEq, Debug)]
pub struct Publication {
    /// The publisher's id for it, or one made by the server.
    pub id: MessageId,
    /// The publisher's tenant.
    pub tenant: TenantId,
    /// The channel; `None` for a direct message.
    pub channel: Option<ChannelId>,
    /// Its place in the channel, counted from 1 without holes; in a direct message's mailbox likewise.
    pub seq: u64,
    /// The agent that published it, where its credentials name one.
    pub agent: Option<AgentName>,
    /// Who published it.
    pub subject: Subject,
    /// The frame's type, `message` unless the publisher said otherwise.
    pub kind: String,
    /// What is published: any JSON value, as the publisher wrote it.
    pub content: String,
    /// The publisher's notes, a JSON object, as it wrote them.
    pub metadata: Option<String>,
    /// The id of the message it answers, if it answers one.
    pub reply_to: Option<MessageId>,
    /// When the server took it.
    pub created_at: Timestamp,
}
