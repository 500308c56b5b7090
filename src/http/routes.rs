//! Every route of the server, on one page.

use actix_web::web::{self, ServiceConfig};

use super::resource::{read, socket};
use super::{
    agent_run, agents, channels, conversations, front, health, history, mcp, memory, metrics, openai, runs, sessions,
    shape, sockets, status, v1,
};

/// Mounts everything.
pub fn mount(routes: &mut ServiceConfig) {
    routes
        .service(read("/", front::page))
        .service(read("/assets/page.css", front::style))
        .service(read("/health/live", health::live))
        .service(read("/health/ready", health::ready))
        .service(read("/metrics", metrics::get))
        .service(read("/status", status::get))
        .service(read("/sessions", sessions::list))
        .service(read("/agents", agents::list))
        .service(read("/agents/{id}", agents::get))
        .service(read("/agents/{id}/memory", memory::list))
        .service(web::resource("/agents/{id}/memory/{memory}").route(web::delete().to(memory::forget)))
        .service(read("/conversations", conversations::list))
        .service(read("/conversations/{id}", conversations::get))
        .service(read("/conversations/{id}/messages", conversations::messages))
        .service(read("/channels", channels::list))
        .service(read("/channels/{id}", channels::get))
        .service(read("/channels/{id}/messages", channels::messages))
        .service(read("/runs/{id}", runs::get).route(web::delete().to(runs::cancel)))
        .service(read("/runs/{id}/record", runs::record))
        .service(web::resource("/runs/{id}/approval").route(web::post().to(runs::decide)))
        // The Model Context Protocol: any method that it knows, which is for its service to say.
        .service(web::resource("/mcp").route(web::route().to(mcp::serve)))
        // Sockets: documents 000 and 002.
        .service(socket("/ws", sockets::agents))
        // Document 004, then 001: `ws` is no chat's name.
        .service(socket("/chat/ws", sockets::threads))
        .service(socket("/chat/{chat_id}", sockets::steps))
        .service(read("/history/{chat_id}", history::list))
        .service(web::resource("/agent/run").route(web::post().to(agent_run::run)))
        // Document 003: sockets and resources, under both of its roots.
        // What clients of OpenAI's API ask for has names of its own under the first.
        .service(web::scope("/v1").configure(openai::mount).configure(v1::mount))
        .service(web::scope("/api/v1").configure(v1::mount))
        .default_service(web::to(shape::nothing_here));
}
