//! Clients that mean no good, each with a quiet client beside it whose answers keep coming.

mod floods;
mod frames;
mod plenty;
mod readers;

use crate::harness::rest::token;
use crate::harness::server::Server;

/// The path of every endpoint, with credentials where it asks for them.
fn endpoints(server: &Server) -> [String; 4] {
    let token = token(server, "default", "mallory", &[]);
    [
        "/ws".to_owned(),
        "/chat/somewhere".to_owned(),
        format!("/v1/ws?token={token}&channel_id=c"),
        format!("/chat/ws?token={token}"),
    ]
}
