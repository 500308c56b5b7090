//! Document 002: chat with agents, commands, subscriptions, conversations of several agents, handoffs.

mod batch;
mod decode;
mod encode;

pub use batch::batch_end;
pub use decode::decode;
pub(in crate::dialect) use encode::error_value;
pub use encode::{encode, error};
