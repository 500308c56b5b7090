//! The runtime of Callboard: agents, conversations and channels as actix actors over one journal.
//!
//! It knows no HTTP and no wire format; a server, or any other program, embeds it through [`runtime::Runtime`].
//!
//! | floor | modules |
//! |---|---|
//! | entrance | [`runtime`] builds and drains, [`visit`] is one session's stay, [`errand`] is work outside any conversation, [`archive`] reads the past, [`recovery`] ends what a crash left open |
//! | actors | [`router`] brings into use, [`agent`], [`conversation`], [`channel`] do the work |
//! | beside them | [`retention`] trims what is kept no longer, [`transfer`] writes a journal as lines of JSON and reads it |
//! | shared by them | [`tenant`], [`house`], [`directory`], [`subscriptions`], [`presence`], [`serving`], [`runs`], [`pulse`], [`request`], [`outbox`], `place` |
//! | what agents think with | [`brain`], [`tool`], [`memory`], [`ledger`], [`floor`]; [`tape`] is what came of it |
//! | below everything | [`journal`], [`metrics`], [`spans`], [`protocol`] |

pub mod agent;
pub mod archive;
pub mod brain;
pub mod channel;
pub mod conversation;
pub mod directory;
pub mod errand;
pub mod floor;
pub mod horizon;
pub mod house;
pub mod journal;
pub mod ledger;
pub mod memory;
pub mod metrics;
pub mod outbox;
mod place;
pub mod presence;
pub mod protocol;
pub mod pulse;
pub mod recovery;
pub mod request;
pub mod retention;
pub mod router;
pub mod runs;
pub mod runtime;
pub mod serving;
pub mod spans;
pub mod subscriptions;
pub mod tape;
pub mod tenant;
pub mod text;
pub mod tool;
pub mod transfer;
pub mod visit;
