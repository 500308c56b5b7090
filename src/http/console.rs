//! `GET /` and `GET /console/…`: the console, a page that uses the server's own API.
//!
//! Its sources stand in `console/` as browsers run them, and are built into the program. The page loads nothing from
//! elsewhere and runs no script but these.

use std::sync::LazyLock;

use actix_web::{HttpResponse, web};

use super::asset::{Asset, Assets, Known};
use super::error::HttpError;

/// What the page may load and speak to: this server.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

macro_rules! assets {
    ($($path:literal),* $(,)?) => {
        vec![$(Asset::new($path, include_bytes!(concat!("../../console/", $path)))),*]
    };
}

/// Every file of the console.
static ASSETS: LazyLock<Assets> = LazyLock::new(|| {
    let files = assets![
        "index.html", "js/api.js", "js/app.js", "js/format.js", "js/gathered.js", "js/main.js", "js/observable.js",
        "js/pages/channels.js", "js/pages/conversation.js", "js/pages/overview.js", "js/pages/run.js",
        "js/pages/runs.js", "js/pages/system.js", "js/parts/agent-card.js", "js/parts/begin.js", "js/parts/cast.js",
        "js/parts/composer.js", "js/parts/feed.js", "js/parts/lock.js", "js/parts/message.js", "js/parts/pieces.js",
        "js/parts/plot.js", "js/parts/signal.js", "js/parts/theme-switch.js", "js/parts/thread.js",
        "js/parts/timeline.js", "js/parts/working.js", "js/router.js", "js/socket.js", "js/state/agents.js",
        "js/state/channel.js", "js/state/conversation.js", "js/state/feed.js", "js/state/house.js", "js/state/work.js",
        "js/theme.js", "js/token.js", "js/ui.js", "mark.svg", "style/layout.css", "style/pages.css", "style/parts.css",
        "style/run.css", "style/talk.css", "style/theme.css", "style/thread.css", "vendor/LICENSES.txt",
        "vendor/hooks.js", "vendor/htm.js", "vendor/preact.js", "vendor/uplot.css", "vendor/uplot.js",
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::path::Path;

    use super::*;

    fn walk(folder: &Path, found: &mut Vec<String>) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("console");
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => walk(&path, found),
                false => found.push(path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned()),
            }
        }
    }

    #[test]
    fn every_file_is_built_in() {
        let mut found = Vec::new();
        walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("console"), &mut found);
        // The viewer of `/docs` is `docs.rs`'s.
        found.retain(|path| ![".sh", ".md"].iter().any(|end| path.ends_with(end)) && !path.starts_with("viewer/"));
        found.sort();
        let mut listed: Vec<_> = ASSETS.files.iter().map(|asset| asset.path.to_owned()).collect();
        listed.sort();
        assert_eq!(listed, found);
    }
}
