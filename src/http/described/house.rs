//! How the server is, and what it shows people.

use actix_web::http::Method;
use serde_json::{Map, Value, json};

use super::Api;
use crate::http::health::HealthView;
use crate::http::pulse::PulseView;
use crate::http::sessions::SessionsView;
use crate::http::status::StatusView;

use super::operation::whole;

const TAG: &str = "house";

/// Describes these resources.
pub fn describe(api: &mut Api) {
    pages(api);
    api.on(TAG, Method::GET, "/health/live", "isLive", "Whether the process lives")
        .answers::<HealthView>(200, "It does.");
    api.on(TAG, Method::GET, "/health/ready", "isReady", "Whether requests are taken")
        .answers::<HealthView>(200, "They are.")
        .answers::<HealthView>(503, "The server is starting or stopping, its store takes no writes, or another server leads and this one stands by.");
    api.on(TAG, Method::GET, "/metrics", "readMetrics", "What was counted, as Prometheus reads it")
        .says("Over all tenants; with scope `admin` where credentials are required.")
        .gives::<String>(200, "text/plain", "The metrics.")
        .refuses_also(&[]);
    api.on(TAG, Method::GET, "/status", "readStatus", "How the house is, as the caller's tenant sees it")
        .answers::<StatusView<'static>>(200, "Times are in milliseconds.")
        .refuses_also(&[]);
    api.on(TAG, Method::GET, "/pulse", "readPulse", "The last ten minutes of the caller's tenant, in steps")
        .answers::<PulseView>(200, "Lists of equal length, oldest first; the last step is still going on.")
        .refuses_also(&[]);
    api.on(
        TAG,
        Method::GET,
        "/settings",
        "readSettings",
        "The configuration that the server runs with, without secrets",
    )
    .says("With scope `admin` where credentials are required.")
    .answers::<Map<String, Value>>(200, "Section by section, each setting as it stands in a file.")
    .refuses_also(&[]);
    api.on(TAG, Method::GET, "/sessions", "listSessions", "Who is connected")
        .says("With scope `admin` where credentials are required.")
        .query("after", whole(0, None), "The last number of the page before.")
        .limited()
        .answers::<SessionsView<'static>>(200, "A page of sessions in the order they began.")
        .refuses_also(&[]);
}

fn pages(api: &mut Api) {
    api.on(TAG, Method::GET, "/", "showConsole", "The console")
        .gives::<String>(200, "text/html", "A page.")
        .refuses(&[429]);
    let path = || json!({ "type": "string", "minLength": 1 });
    api.on(TAG, Method::GET, "/console/{path}", "showConsoleFile", "A file that the console is made of")
        .path(path(), "Its path, which may have slashes.")
        .gives::<String>(200, "*/*", "The file.")
        .refuses(&[400, 404, 429]);
    api.on(TAG, Method::GET, "/docs", "showDocs", "This description for people to read and try")
        .gives::<String>(200, "text/html", "A page.")
        .refuses(&[429]);
    api.on(TAG, Method::GET, "/docs/{path}", "showDocsFile", "A file that the page is made of")
        .path(path(), "Its name.")
        .gives::<String>(200, "*/*", "The file.")
        .refuses(&[400, 404, 429]);
    api.on(TAG, Method::GET, "/openapi.json", "describeHttp", "This description")
        .answers::<Map<String, Value>>(200, "OpenAPI 3.1.")
        .refuses(&[429]);
    api.on(TAG, Method::GET, "/asyncapi.json", "describeFrames", "The description of what is said over WebSockets")
        .answers::<Map<String, Value>>(200, "AsyncAPI 3.0.")
        .refuses(&[429]);
}
