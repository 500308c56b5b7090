//! Every route of the server, on one page.

use actix_web::web::{self, ServiceConfig};

use super::{health, sockets};

/// Mounts everything.
pub fn mount(routes: &mut ServiceConfig) {
    routes
        .route("/health/live", web::get().to(health::live))
        .route("/health/ready", web::get().to(health::ready))
        // Sockets: documents 000 and 002.
        .route("/ws", web::get().to(sockets::agents));
}
