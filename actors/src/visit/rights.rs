//! What a session may do.

use super::Visit;
use crate::protocol::{ChannelId, Code, Command, Error, RunKind, Scope};

impl Visit {
    /// Refuses what the principal may not do.
    pub(super) fn check(&self, command: &Command) -> Result<(), Error> {
        let principal = &self.principal;
        match command {
            Command::Ask(ask) if ask.kind == RunKind::Chat => principal.require(Scope::Chat),
            Command::Ask(_) => principal.require(Scope::Command),
            Command::Publish(_) | Command::Direct { .. } | Command::Describe { .. } | Command::Remove { .. } => {
                principal.require(Scope::ChannelPublish)
            }
            Command::Attach { channel: Some(_), .. } | Command::Replay { channel: Some(_), .. } => {
                principal.require(Scope::ChannelSubscribe)
            }
            // An agent may always read what is sent to it alone.
            Command::Attach { channel: None, .. } | Command::Replay { channel: None, .. } => Ok(()),
            Command::Join { .. }
            | Command::Watch { .. }
            | Command::Leave { .. }
            | Command::History { .. }
            | Command::Open { .. }
            | Command::Delete { .. }
            | Command::Handoff { .. }
            | Command::Typing { .. }
            | Command::Cancel { .. }
            | Command::Decide { .. } => principal.require(Scope::Chat),
            Command::Status { .. }
            | Command::Subscribe { .. }
            | Command::Unsubscribe { .. }
            | Command::Attend
            | Command::Report { .. }
            | Command::Detach { .. } => Ok(()),
        }?;
        match channel_of(command) {
            Some(channel) => self.check_channel(channel),
            None => Ok(()),
        }
    }

    pub(super) fn check_channel(&self, channel: &ChannelId) -> Result<(), Error> {
        if self.principal.may_use(channel) {
            return Ok(());
        }
        Err(Error::new(Code::Unauthorized, format!("These credentials do not cover the channel {channel}")))
    }
}

/// The channel that a command is about, if it is about one.
pub(super) fn channel_of(command: &Command) -> Option<&ChannelId> {
    match command {
        Command::Publish(publish) => publish.channel.as_ref(),
        Command::Attach { channel, .. } | Command::Detach { channel } | Command::Replay { channel, .. } => {
            channel.as_ref()
        }
        Command::Describe { channel, .. } | Command::Remove { channel } => Some(channel),
        _ => None,
    }
}
