//! What conversations and channels have in common: each is the one writer of a place in the journal, comes into use when
//! it is needed and goes away when it is not.

use std::time::Duration;

use actix::prelude::*;

use crate::journal::{Batch, Journal};
use crate::protocol::{Code, Error};

/// For how long an actor that went away passes on what was still on its way to it.
pub(crate) const FORWARDING: Duration = Duration::from_secs(5);

/// Where an actor stands between coming into use and going away.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Stage {
    /// In use.
    Live,
    /// Off the map; what still comes is passed on.
    Retired,
    /// Off the map; it could not be read, and what still comes is told so.
    Unreadable(Error),
}

/// The journal has synced the oldest write of an actor, or says why not.
#[derive(Message, Debug)]
#[rtype(result = "()")]
pub(crate) struct Committed(pub Result<(), Error>);

/// Hands a batch to the journal. Its outcome comes back as a message, in the order of these calls: the owner keeps what
/// follows each of them in a queue.
///
/// While the owner is `broken`, because an append of its has failed and its heads have not been read again, nothing is
/// written; it is told so behind the appends that failed before.
pub(crate) fn append<A>(journal: &dyn Journal, batch: Batch, broken: bool, ctx: &mut Context<A>)
where
    A: Actor<Context = Context<A>> + Handler<Committed>,
{
    if broken {
        let error = Error::new(Code::StoreUnavailable, "The store does not take writes at the moment");
        ctx.notify(Committed(Err(error)));
        return;
    }
    let own = ctx.address();
    // Past a full mailbox: there is one of these for each append, and appends are bounded by the journal's queue.
    journal.append(batch, Box::new(move |result| own.do_send(Committed(result))));
}
