//! What goes on at a server, over as many connections as it takes: `watch` and `tail`.

use std::ops::ControlFlow;

use serde_json::Value;
use tokio::time::sleep;

use super::out::note;
use crate::client::{Fault, Pause, Server, Socket};

/// Someone who follows.
pub(super) trait Follower {
    /// What is subscribed to, asked for at each connection, so that it can say where to go on.
    fn subscriptions(&self) -> Vec<Value>;

    /// Takes a frame; a break ends it.
    fn take(&mut self, frame: &Value) -> anyhow::Result<ControlFlow<()>>;

    /// Everything is subscribed to, as of `at` by the server's clock: for the first time, or again after a connection was
    /// lost, for the reason in `outage`. What was published meanwhile comes all the same, where the subscriptions say from
    /// where on; what else happened is for the follower to find. A break ends it.
    async fn subscribed(&mut self, server: &Server, at: &str, outage: Option<&str>) -> anyhow::Result<ControlFlow<()>> {
        let _ = (server, at, outage);
        Ok(ControlFlow::Continue(()))
    }

    /// A subscription is refused with this; whether it was mended, so that it may be asked for again.
    fn mend(&mut self, fault: &Fault) -> bool {
        let _ = fault;
        false
    }
}

/// Follows until the follower has enough. A connection that is lost is made again, as often as it takes; the first one
/// must come about at once.
pub(super) async fn follow(server: &Server, follower: &mut impl Follower) -> anyhow::Result<()> {
    let mut pause = Pause::default();
    let mut outage: Option<Fault> = None;
    let mut socket = Some(Socket::open(server).await?);
    loop {
        let lost = match socket.take() {
            Some(open) => match listen(server, open, follower, &mut pause, &mut outage).await? {
                Ok(()) => return Ok(()),
                Err(fault) => fault,
            },
            None => match Socket::open(server).await {
                Ok(open) => {
                    note("connected again");
                    socket = Some(open);
                    continue;
                }
                Err(fault) => fault,
            },
        };
        if !lost.passes() {
            return Err(lost.into());
        }
        let wait = pause.longer();
        outage.get_or_insert_with(|| lost.clone());
        note(&format!("{}; trying again in {:.1}s", lost.brief(), wait.as_secs_f64()));
        sleep(wait).await;
    }
}

/// Subscribes and listens. The outer error is the follower's own, the inner one the connection's.
async fn listen(
    server: &Server,
    mut socket: Socket,
    follower: &mut impl Follower,
    pause: &mut Pause,
    outage: &mut Option<Fault>,
) -> anyhow::Result<Result<(), Fault>> {
    for subscription in follower.subscriptions() {
        if let Err(fault) = socket.ask("subscribe", subscription).await {
            if !follower.mend(&fault) {
                return Ok(Err(fault));
            }
            // Asked for again on a connection of its own, with whatever is different now.
            socket.close().await;
            return Ok(Err(Fault::Lost("a subscription was refused".to_owned())));
        }
    }
    if socket.is_overrun() {
        return Ok(Err(Fault::Lost("more came at once than can wait".to_owned())));
    }
    let why = outage.as_ref().map(Fault::brief);
    match follower.subscribed(server, socket.clock(), why).await.map_err(anyhow::Error::downcast::<Fault>) {
        Ok(ControlFlow::Continue(())) => *outage = None,
        Ok(ControlFlow::Break(())) => return Ok(Ok(())),
        Err(Ok(fault)) => return Ok(Err(fault)),
        Err(Err(error)) => return Err(error),
    }
    loop {
        match socket.next().await {
            Err(fault) => return Ok(Err(fault)),
            Ok(frame) => {
                // It is only now that the server is known to be well.
                pause.reset();
                if follower.take(&frame)?.is_break() {
                    socket.close().await;
                    return Ok(Ok(()));
                }
            }
        }
    }
}
