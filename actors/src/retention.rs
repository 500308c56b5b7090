//! Retention: what is kept of the past, and the keeper that trims the rest.
//!
//! Off by default for conversations and channels: then everything is kept. Inboxes are kept as long as their settings
//! say. Of states, the last of which holds, nothing before the last is kept. The keeper is no writer of any stream: it
//! asks the journal to trim, which changes no head. What belongs to a run that has not ended stays, whatever the rule.
//! A conversation of which nothing is kept goes as a whole, unless somebody uses it: there may be a hundred new ones a
//! second, and what is noted of each would stay for ever. A channel stays, for its numbers go on.

mod keeper;
mod rule;
mod spent;

pub use keeper::Keeper;
pub use rule::{Rule, Rules};
