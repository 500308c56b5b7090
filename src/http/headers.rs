//! What browsers are told about every answer.

use actix_web::http::header;
use actix_web::middleware::DefaultHeaders;

/// Nothing is to be run, framed, guessed at, kept, or told to others: a query may hold credentials. A page that needs
/// more says so itself.
///
/// Under TLS a browser is also told to come by no other way for a year.
pub fn defaults(encrypted: bool) -> DefaultHeaders {
    let headers = DefaultHeaders::new()
        .add((header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"))
        .add((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .add((header::REFERRER_POLICY, "no-referrer"))
        .add((header::X_FRAME_OPTIONS, "DENY"))
        .add((header::CACHE_CONTROL, "no-store"));
    if encrypted { headers.add((header::STRICT_TRANSPORT_SECURITY, "max-age=31536000")) } else { headers }
}
