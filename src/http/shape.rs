//! Whatever is refused has the shape of an error, also where the framework refuses it: no such path, a method that a
//! resource does not know, a path or body that does not read.

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::{JsonPayloadError, PathError, PayloadError};
use actix_web::http::StatusCode;
use actix_web::middleware::Next;
use actix_web::{Error, HttpRequest, HttpResponse, ResponseError, web};

use super::error::HttpError;

/// The answer where there is nothing.
pub async fn nothing_here(req: HttpRequest) -> Result<HttpResponse, HttpError> {
    let path: String = req.path().chars().take(200).collect();
    let error = HttpError::new(StatusCode::NOT_FOUND, "NOT_FOUND", "There is nothing here");
    Err(error.details(format!("path: {path}")))
}

/// Gives a refusal without a body the shape of an error; its headers stay.
pub async fn errors<B: MessageBody + 'static>(
    req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let (method, is_head) = (req.method().to_string(), req.method() == actix_web::http::Method::HEAD);
    let response = next.call(req).await?.map_into_boxed_body();
    let status = response.status();
    let is_bare = matches!(response.response().body().size(), BodySize::None | BodySize::Sized(0));
    let is_refusal = status.is_client_error() || status.is_server_error();
    if !is_refusal || !is_bare || is_head {
        return Ok(response);
    }
    let shaped = refusal(status, &method).error_response();
    Ok(response.map_body(|head, _| {
        for (name, value) in shaped.headers() {
            head.headers_mut().insert(name.clone(), value.clone());
        }
        shaped.into_body()
    }))
}

fn refusal(status: StatusCode, method: &str) -> HttpError {
    match status {
        StatusCode::METHOD_NOT_ALLOWED => {
            let method: String = method.chars().take(40).collect();
            let error = HttpError::new(status, "METHOD_NOT_ALLOWED", "This resource does not do that");
            error.details(format!("method: {method} is not one of those in the header Allow"))
        }
        _ => {
            let code = if status.is_server_error() { "INTERNAL_ERROR" } else { "INVALID_MESSAGE" };
            HttpError::new(status, code, status.canonical_reason().unwrap_or("The request was refused"))
        }
    }
}

/// What holds for the path of a request.
pub fn path() -> web::PathConfig {
    web::PathConfig::default().error_handler(|_: PathError, _| {
        HttpError::new(StatusCode::BAD_REQUEST, "INVALID_MESSAGE", "The path does not read").into()
    })
}

/// What holds for JSON bodies: at most `limit` bytes. 413 if larger, 415 if it is something else, 400 if it is not
/// JSON, 422 if it is JSON of another shape; the details say where.
pub fn json(limit: usize) -> web::JsonConfig {
    web::JsonConfig::default().limit(limit).error_handler(move |error, _| body_error(&error, limit).into())
}

fn body_error(error: &JsonPayloadError, limit: usize) -> HttpError {
    let refuse = |status, message: &str| HttpError::new(status, "INVALID_MESSAGE", message);
    match error {
        JsonPayloadError::Overflow { .. }
        | JsonPayloadError::OverflowKnownLength { .. }
        | JsonPayloadError::Payload(PayloadError::Overflow) => super::body::too_large(limit),
        JsonPayloadError::ContentType => {
            refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, "The body is not JSON").details("content-type: application/json")
        }
        JsonPayloadError::Deserialize(error) if error.is_data() => {
            refuse(StatusCode::UNPROCESSABLE_ENTITY, "The body has another shape").details(format!("body: {error}"))
        }
        JsonPayloadError::Deserialize(error) => {
            refuse(StatusCode::BAD_REQUEST, "The body is not JSON").details(format!("body: {error}"))
        }
        _ => refuse(StatusCode::BAD_REQUEST, "The body does not read"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use actix_web::http::header;
    use actix_web::middleware::from_fn;
    use actix_web::{App, test};
    use serde::Deserialize;
    use serde_json::Value;

    use super::*;

    #[derive(Deserialize)]
    struct Task {
        task: String,
    }

    async fn task(body: web::Json<Task>) -> HttpResponse {
        HttpResponse::Ok().body(body.into_inner().task)
    }

    /// What a resource that takes a task of at most 100 bytes answers.
    async fn post(content_type: &str, body: &str) -> (u16, String) {
        let app = App::new().app_data(json(100)).wrap(from_fn(errors)).route("/task", web::post().to(task));
        let service = test::init_service(app).await;
        let request = test::TestRequest::post().uri("/task").insert_header((header::CONTENT_TYPE, content_type));
        let response = test::call_service(&service, request.set_payload(body.to_owned()).to_request()).await;
        let status = response.status().as_u16();
        (status, String::from_utf8(test::read_body(response).await.to_vec()).unwrap())
    }

    #[actix_web::test]
    async fn bodies_that_do_not_read_are_answered_with_what_is_wrong() {
        assert_eq!(post("application/json", r#"{"task":"sing"}"#).await, (200, "sing".to_owned()));
        let long = format!(r#"{{"task":"{}"}}"#, "x".repeat(100));
        for (content_type, body, status, details) in [
            ("application/json", "{}", 422, "missing field `task`"),
            ("application/json", r#"{"task":7}"#, 422, "expected a string"),
            ("application/json", r#"{"task":"#, 400, "EOF"),
            ("text/plain", r#"{"task":"sing"}"#, 415, "application/json"),
            ("application/json", &long, 413, "at most 100 bytes"),
        ] {
            let (found, answer) = post(content_type, body).await;
            let answer: Value = serde_json::from_str(&answer).unwrap();
            assert_eq!(found, status, "{answer}");
            assert!(answer["error"]["details"].as_str().unwrap().contains(details), "{answer}");
        }
    }

    #[actix_web::test]
    async fn what_the_framework_refuses_is_json_and_keeps_its_headers() {
        let app = App::new().wrap(from_fn(errors)).route("/task", web::post().to(task));
        let service = test::init_service(app).await;
        let response = test::call_service(&service, test::TestRequest::delete().uri("/task").to_request()).await;
        assert_eq!(response.status().as_u16(), 405);
        let answer: Value = test::read_body_json(response).await;
        assert_eq!(answer["error"]["code"], "METHOD_NOT_ALLOWED");
    }
}
