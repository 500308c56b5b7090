//! Listening at the addresses of the configuration, with TLS or without.

use std::fmt::Debug;
use std::net::SocketAddr;

use actix_web::body::MessageBody;
use actix_web::dev::{AppConfig, Response, Service, ServiceFactory};
use actix_web::{Error, HttpServer};
use anyhow::Context;

/// Has a server listen at each of the addresses.
///
/// # Errors
/// Which address cannot be listened at, and what to do.
pub fn at<F, I, S, B>(
    mut server: HttpServer<F, I, S, B>,
    addresses: &[SocketAddr],
    tls: Option<&rustls::ServerConfig>,
) -> anyhow::Result<HttpServer<F, I, S, B>>
where
    F: Fn() -> I + Send + Clone + 'static,
    I: actix_service::IntoServiceFactory<S, actix_http::Request>,
    S: ServiceFactory<actix_http::Request, Config = AppConfig> + 'static,
    S::Error: Into<Error> + 'static,
    S::InitError: Debug,
    S::Response: Into<Response<B>> + 'static,
    <S::Service as Service<actix_http::Request>>::Future: 'static,
    S::Service: 'static,
    B: MessageBody + 'static,
{
    for address in addresses {
        let bound = match tls {
            Some(tls) => server.bind_rustls_0_23(address, tls.clone()),
            None => server.bind(address),
        };
        server = bound.with_context(|| {
            format!("cannot listen on {address}; name another with --bind, or stop what listens there")
        })?;
    }
    Ok(server)
}
