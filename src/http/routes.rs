//! Every route of the server, on one page.

use actix_web::http::Method;
use actix_web::web::{self, ServiceConfig};

use super::resource::{Listed, Routes};
use super::{
    agent_run, agents, asyncapi, channels, console, conversations, described, docs, health, history, mcp, memory,
    metrics, openai, pulse, runs, sessions, settings, shape, sockets, status, v1,
};

/// Mounts everything.
pub fn mount(config: &mut ServiceConfig) {
    list(config, &mut Vec::new());
    config.default_service(web::to(shape::nothing_here));
}

/// The same, noting each route.
pub fn list(config: &mut ServiceConfig, listed: &mut Vec<Listed>) {
    Routes::new(config, listed)
        .read("/", console::page)
        .read("/console/{path:.*}", console::file)
        .read("/docs", docs::page)
        .read("/docs/{path}", docs::file)
        .read("/openapi.json", described::get)
        .read("/asyncapi.json", asyncapi::get)
        .read("/health/live", health::live)
        .read("/health/ready", health::ready)
        .read("/metrics", metrics::get)
        .read("/status", status::get)
        .read("/pulse", pulse::get)
        .read("/settings", settings::get)
        .read("/sessions", sessions::list)
        .read("/agents", agents::list)
        .read("/agents/{id}", agents::get)
        .read("/agents/{id}/memory", memory::list)
        .at("/agents/{id}/memory/{memory}", |place| place.delete(memory::forget))
        .read("/conversations", conversations::list)
        .read("/conversations/{id}", conversations::get)
        .read("/conversations/{id}/messages", conversations::messages)
        .read("/conversations/{id}/runs", runs::of_conversation)
        .read("/channels", channels::list)
        .read("/channels/{id}", channels::get)
        .read("/channels/{id}/messages", channels::messages)
        .read("/channels/{id}/presence", channels::presence)
        .read("/runs", runs::list)
        .at("/runs/{id}", |place| place.read(runs::get).delete(runs::cancel))
        .read("/runs/{id}/record", runs::record)
        .at("/runs/{id}/approval", |place| place.post(runs::decide))
        // The Model Context Protocol: which methods it takes is for its service to say.
        .at("/mcp", |place| place.any(&[Method::GET, Method::POST, Method::DELETE], mcp::serve))
        // Sockets: documents 000 and 002.
        .at("/ws", |place| place.socket(sockets::agents))
        // Document 004, then 001: `ws` is no chat's name.
        .at("/chat/ws", |place| place.socket(sockets::threads))
        .at("/chat/{chat_id}", |place| place.socket(sockets::steps))
        .read("/history/{chat_id}", history::list)
        .at("/agent/run", |place| place.post(agent_run::run))
        // Document 003: sockets and resources, under both of its roots.
        // What clients of OpenAI's API ask for has names of its own under the first.
        .below("/v1", |routes| {
            openai::mount(routes);
            v1::mount(routes);
        })
        .below("/api/v1", v1::mount);
}
