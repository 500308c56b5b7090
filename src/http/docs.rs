//! `GET /docs`: the description of the API for people to read and try, by Swagger UI, which is built in.
//!
//! Its files stand in `console/viewer/`; it loads nothing from elsewhere.

use std::sync::LazyLock;

use actix_web::http::StatusCode;
use actix_web::http::header::IfNoneMatch;
use actix_web::{HttpResponse, web};

use super::asset::Asset;
use super::error::HttpError;

/// What the page may load and speak to: this server, and the pictures that its style sheet holds.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Every file of the viewer; the first is the page.
static ASSETS: LazyLock<[Asset; 5]> = LazyLock::new(|| {
    [
        Asset::new("index.html", include_bytes!("../../console/viewer/index.html")),
        Asset::new("start.js", include_bytes!("../../console/viewer/start.js")),
        Asset::new("swagger-ui.js", include_bytes!("../../console/viewer/vendor/swagger-ui.js")),
        Asset::new("swagger-ui.css", include_bytes!("../../console/viewer/vendor/swagger-ui.css")),
        Asset::new("LICENSES.txt", include_bytes!("../../console/viewer/vendor/LICENSES.txt")),
    ]
});

/// The page.
pub async fn page(known: Option<web::Header<IfNoneMatch>>) -> Result<HttpResponse, HttpError> {
    serve("index.html", known)
}

/// A file that the page is made of.
pub async fn file(path: web::Path<String>, known: Option<web::Header<IfNoneMatch>>) -> Result<HttpResponse, HttpError> {
    serve(&path, known)
}

fn serve(path: &str, known: Option<web::Header<IfNoneMatch>>) -> Result<HttpResponse, HttpError> {
    let missing = || HttpError::new(StatusCode::NOT_FOUND, "NOT_FOUND", "There is nothing here");
    let asset = ASSETS.iter().find(|asset| asset.path == path).ok_or_else(missing)?;
    Ok(asset.answer(POLICY, known))
}
