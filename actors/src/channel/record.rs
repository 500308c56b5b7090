//! What a channel writes: the durable form of its publications and of what is known of the channel itself.
//!
//! The encoding is `journal::format`.

use serde::{Deserialize, Serialize};

use crate::protocol::{AgentName, ChannelId, MessageId, Publication, Subject, TenantId, Timestamp};

/// Lane of the publications; a publication's `seq` is its record's.
pub const PUBLICATIONS: u8 = 0;
/// Lane of the states; the last one holds.
pub const STATES: u8 = 1;

/// A publication.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PublicationRecord {
    /// Its id.
    pub id: MessageId,
    /// The agent that published it.
    pub agent: Option<AgentName>,
    /// Who published it.
    pub subject: Subject,
    /// The frame's type.
    pub kind: String,
    /// Any JSON value, as text.
    pub content: String,
    /// A JSON object, as text.
    pub metadata: Option<String>,
    /// The message it answers.
    pub reply_to: Option<MessageId>,
    /// When the server took it.
    pub created_at: Timestamp,
}

/// What is known of a channel.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct StateRecord {
    /// A name for people.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Who made it.
    pub created_by: Subject,
    /// When.
    pub created_at: Timestamp,
    /// In an inbox: everything up to this `seq` has been handed to a socket of the agent.
    pub delivered: u64,
}

impl PublicationRecord {
    /// The publication in its place.
    pub fn into_publication(self, tenant: &TenantId, channel: Option<&ChannelId>, seq: u64) -> Publication {
        Publication {
            id: self.id,
            tenant: tenant.clone(),
            channel: channel.cloned(),
            seq,
            agent: self.agent,
            subject: self.subject,
            kind: self.kind,
            content: self.content,
            metadata: self.metadata,
            reply_to: self.reply_to,
            created_at: self.created_at,
        }
    }
}
