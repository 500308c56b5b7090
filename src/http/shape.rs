//! Whatever is refused has the shape of an error, also where the framework refuses it: no such path, a method that a
//! resource does not know, a path or body that does not read.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::PathError;
use actix_web::http::{StatusCode, header};
use actix_web::middleware::Next;
use actix_web::{Error, HttpRequest, HttpResponse, ResponseError, web};

use super::error::HttpError;

/// The type of an error in its shape.
const JSON: &str = "application/json";

/// The answer where there is nothing.
pub async fn nothing_here(req: HttpRequest) -> Result<HttpResponse, HttpError> {
    let path: String = req.path().chars().take(200).collect();
    let error = HttpError::new(StatusCode::NOT_FOUND, "NOT_FOUND", "There is nothing here");
    Err(error.details(format!("path: {path}")))
}

/// Gives a refusal that the framework made the shape of an error; its headers stay.
pub async fn errors<B: MessageBody + 'static>(
    req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let method = req.method().clone();
    let response = next.call(req).await?.map_into_boxed_body();
    let status = response.status();
    let is_json = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == JSON);
    if is_json || !(status.is_client_error() || status.is_server_error()) {
        return Ok(response);
    }
    let cause = response.response().error().map(ToString::to_string);
    let shaped = refusal(status, method.as_str(), cause).error_response();
    Ok(response.map_body(|head, _| {
        for (name, value) in shaped.headers() {
            head.headers_mut().insert(name.clone(), value.clone());
        }
        shaped.into_body()
    }))
}

fn refusal(status: StatusCode, method: &str, cause: Option<String>) -> HttpError {
    if status == StatusCode::METHOD_NOT_ALLOWED {
        let method: String = method.chars().take(40).collect();
        let error = HttpError::new(status, "METHOD_NOT_ALLOWED", "This resource does not do that");
        return error.details(format!("method: {method} is not one of those in the header Allow"));
    }
    if status.is_server_error() {
        // What went wrong inside is for the log alone.
        log::error!("a request failed: {}", cause.as_deref().unwrap_or("no reason was given"));
        return HttpError::new(status, "INTERNAL_ERROR", "Something that should not happen");
    }
    if status == StatusCode::PAYLOAD_TOO_LARGE {
        return HttpError::new(status, "INVALID_MESSAGE", "The body is too large").details("body: expected less");
    }
    if status == StatusCode::NOT_FOUND {
        return HttpError::new(status, "NOT_FOUND", "There is nothing here");
    }
    let message = status.canonical_reason().unwrap_or("The request was refused");
    HttpError::new(status, "INVALID_MESSAGE", message).details(cause.unwrap_or_default())
}

/// What holds for the path of a request.
pub fn path() -> web::PathConfig {
    web::PathConfig::default().error_handler(|_: PathError, _| {
        HttpError::new(StatusCode::BAD_REQUEST, "INVALID_MESSAGE", "The path does not read").into()
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use actix_web::middleware::from_fn;
    use actix_web::{App, test};
    use serde_json::Value;

    use super::*;

    async fn fails(body: String) -> Result<HttpResponse, Error> {
        Err(actix_web::error::ErrorInternalServerError(format!("/secret/path {body}")))
    }

    /// What a resource that takes 10 bytes and then fails answers.
    async fn post(method: test::TestRequest, body: &'static str) -> (u16, Value) {
        let app = App::new().app_data(web::PayloadConfig::new(10)).wrap(from_fn(errors));
        let service = test::init_service(app.service(web::resource("/").route(web::post().to(fails)))).await;
        let response = test::call_service(&service, method.uri("/").set_payload(body).to_request()).await;
        assert_eq!(response.headers().get(header::CONTENT_TYPE).unwrap(), JSON);
        let status = response.status().as_u16();
        (status, test::read_body_json(response).await)
    }

    #[actix_web::test]
    async fn what_the_framework_refuses_is_json_and_tells_nothing_of_the_inside() {
        let (status, answer) = post(test::TestRequest::post(), "x").await;
        assert_eq!((status, &answer["error"]["code"]), (500, &"INTERNAL_ERROR".into()));
        assert!(!answer.to_string().contains("secret"), "{answer}");
        let (status, answer) = post(test::TestRequest::post(), "more than ten").await;
        assert_eq!((status, &answer["error"]["message"]), (413, &"The body is too large".into()));
        let (status, answer) = post(test::TestRequest::delete(), "").await;
        assert_eq!((status, &answer["error"]["code"]), (405, &"METHOD_NOT_ALLOWED".into()));
    }
}
