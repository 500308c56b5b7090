//! What a server answers that stands by for another: that it lives.

use actix_web::dev::ServerHandle;
use actix_web::http::StatusCode;
use actix_web::{App, HttpResponse, HttpServer, ResponseError, web};

use crate::config::Config;
use crate::http::error::HttpError;
use crate::http::{headers, health};
use crate::{listening, tls};

/// Seconds after which a retry makes sense: another server may lead for long.
const LATER: u32 = 10;

/// Connections at a time: more than anybody's probes.
const PROBES: usize = 64;

/// Answers probes where the server will listen, until what this gives is told to stop; `None` where nobody wants that.
///
/// # Errors
/// Which address cannot be listened at.
pub fn listen(config: &Config) -> anyhow::Result<Option<ServerHandle>> {
    if !(config.replication.is_on() && config.replication.probes) {
        return Ok(None);
    }
    let tls = tls::server(&config.tls)?;
    let encrypted = tls.is_some();
    let server = HttpServer::new(move || {
        App::new()
            .wrap(headers::defaults(encrypted))
            .service(web::resource("/health/live").to(health::live))
            .service(web::resource("/health/ready").to(health::standing_by))
            .default_service(web::to(refused))
    });
    let settings = &config.server;
    let server = server
        .workers(1)
        .client_request_timeout(settings.head_time)
        .tls_handshake_timeout(settings.head_time)
        // A request a connection: nothing is in the way when the server itself listens here.
        .keep_alive(actix_web::http::KeepAlive::Disabled)
        .max_connections(PROBES)
        .disable_signals();
    let server = listening::at(server, &settings.bind, tls.as_ref())?;
    let at: Vec<String> = server.addrs().iter().map(ToString::to_string).collect();
    log::info!("until it leads, this server answers /health/live alone, at {}", at.join(", "));
    let server = server.run();
    let handle = server.handle();
    actix_web::rt::spawn(server);
    Ok(Some(handle))
}

async fn refused() -> HttpResponse {
    let why = "Another server leads, and this one stands by";
    HttpError::new(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", why).retry_after(LATER).error_response()
}
