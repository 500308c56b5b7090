//! Document 002: chat with agents, commands, subscriptions, conversations of several agents, handoffs.

mod batch;
mod decode;
mod encode;
mod shapes;

use callboard_actors::protocol::{ConversationId, Result};

use super::fields::Fields;
use super::{Bounds, Inbound};
use decode::Inherited;

pub use batch::batch_end;
pub use decode::unknown_type;
pub use encode::encode;
pub use shapes::error;
pub(in crate::dialect) use shapes::error_value;

/// What a frame of the given type comes to. `own` is the session's own conversation.
pub fn decode(kind: &str, fields: &Fields<'_>, own: &ConversationId, bounds: &Bounds) -> Result<Inbound> {
    match kind {
        "batch" => batch::decode(fields, own, bounds),
        kind => decode::call(kind, fields, own, bounds, Inherited::NOTHING).map(Inbound::Call),
    }
}
