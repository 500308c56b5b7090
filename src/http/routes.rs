//! Every route of the server, on one page.

use actix_web::web::{self, ServiceConfig};

use super::{agent_run, health, history, sockets};

/// Mounts everything.
pub fn mount(routes: &mut ServiceConfig) {
    routes
        .route("/health/live", web::get().to(health::live))
        .route("/health/ready", web::get().to(health::ready))
        // Sockets: documents 000 and 002.
        .route("/ws", web::get().to(sockets::agents))
        // Document 004, then 001: `ws` is no chat's name.
        .route("/chat/ws", web::get().to(sockets::threads))
        .route("/chat/{chat_id}", web::get().to(sockets::steps))
        .route("/history/{chat_id}", web::get().to(history::list))
        .route("/agent/run", web::post().to(agent_run::run));
}
