//! Files that are built into the program, as browsers are given them.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, EntityTag, IfNoneMatch};
use actix_web::{HttpResponse, web};
use sha2::{Digest, Sha256};

use super::error::HttpError;

/// What a browser says it has already.
pub type Known = Option<web::Header<IfNoneMatch>>;

/// The files of one page.
#[derive(Debug)]
pub struct Assets {
    /// What the page may load and speak to.
    pub policy: &'static str,
    /// All of them.
    pub files: Vec<Asset>,
}

impl Assets {
    /// The page itself.
    pub fn page(&self, known: Known) -> Result<HttpResponse, HttpError> {
        self.file("index.html", known)
    }

    /// A file that the page is made of.
    pub fn file(&self, path: &str, known: Known) -> Result<HttpResponse, HttpError> {
        let missing = || HttpError::new(StatusCode::NOT_FOUND, "NOT_FOUND", "There is nothing here");
        let asset = self.files.iter().find(|asset| asset.path == path).ok_or_else(missing)?;
        Ok(asset.answer(self.policy, known))
    }
}

/// A file that is built in.
#[derive(Debug)]
pub struct Asset {
    /// Its path in its folder.
    pub path: &'static str,
    body: &'static [u8],
    /// Changes with the body, so that a browser asks again and seldom loads again.
    tag: EntityTag,
}

impl Asset {
    /// The file at `path`.
    pub fn new(path: &'static str, body: &'static [u8]) -> Self {
        let digest: String = Sha256::digest(body).iter().take(12).map(|byte| format!("{byte:02x}")).collect();
        Self { path, body, tag: EntityTag::new_strong(digest) }
    }

    fn content_type(&self) -> &'static str {
        match self.path.rsplit('.').next() {
            Some("html") => "text/html; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            Some("js") => "text/javascript; charset=utf-8",
            Some("svg") => "image/svg+xml",
            _ => "text/plain; charset=utf-8",
        }
    }

    /// The file, unless the browser has it already.
    fn answer(&self, policy: &'static str, known: Known) -> HttpResponse {
        let fresh = match known.map(web::Header::into_inner) {
            Some(IfNoneMatch::Any) => true,
            Some(IfNoneMatch::Items(tags)) => tags.iter().any(|tag| tag.weak_eq(&self.tag)),
            None => false,
        };
        let mut response = if fresh { HttpResponse::NotModified() } else { HttpResponse::Ok() };
        response
            .insert_header((header::CONTENT_SECURITY_POLICY, policy))
            .insert_header((header::CACHE_CONTROL, "no-cache"))
            .insert_header(header::ETag(self.tag.clone()));
        if fresh { response.finish() } else { response.content_type(self.content_type()).body(self.body) }
    }
}
