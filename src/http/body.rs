//! How large the body of a request may be.

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{StatusCode, header};
use actix_web::middleware::Next;
use actix_web::web;

use super::app::App;
use super::error::HttpError;

/// Turns away a body that says of itself that it is too large, before anybody reads it. One that does not say how large
/// it is, is cut off by whoever reads it.
pub async fn limit<B: MessageBody + 'static>(
    req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let length = req.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let most = req.app_data::<web::Data<App>>().map_or(0, |app| app.config.server.max_body);
    if length.is_some_and(|length| length > most as u64) {
        return Ok(req.error_response(too_large(most)).map_into_boxed_body());
    }
    Ok(next.call(req).await?.map_into_boxed_body())
}

/// The error for a body of more than `limit` bytes.
pub fn too_large(limit: usize) -> HttpError {
    let error = HttpError::new(StatusCode::PAYLOAD_TOO_LARGE, "INVALID_MESSAGE", "The body is too large");
    error.details(format!("body: expected at most {limit} bytes"))
}
