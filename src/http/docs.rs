//! `GET /docs`: the description of the API for people to read and try, by Swagger UI, which is built in.
//!
//! Its files stand in `console/viewer/`; it loads nothing from elsewhere.

use std::sync::LazyLock;

use actix_web::{HttpResponse, web};

use super::asset::{Asset, Assets, Known};
use super::error::HttpError;

/// What the page may load and speak to: this server, and the pictures that its style sheet holds.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Every file of the viewer.
static ASSETS: LazyLock<Assets> = LazyLock::new(|| {
    let files = vec![
        Asset::new("index.html", include_bytes!("../../console/viewer/index.html")),
        Asset::new("start.js", include_bytes!("../../console/viewer/start.js")),
        Asset::new("swagger-ui.js", include_bytes!("../../console/viewer/vendor/swagger-ui.js")),
        Asset::new("swagger-ui.css", include_bytes!("../../console/viewer/vendor/swagger-ui.css")),
        Asset::new("LICENSES.txt", include_bytes!("../../console/viewer/vendor/LICENSES.txt")),
    ];
    Assets { policy: POLICY, files }
});

/// The page.
pub async fn page(known: Known) -> Result<HttpResponse, HttpError> {
    ASSETS.page(known)
}

/// A file that the page is made of.
pub async fn file(path: web::Path<String>, known: Known) -> Result<HttpResponse, HttpError> {
    ASSETS.file(&path, known)
}
