//! `GET /`: a page that says what is here, and its style sheet. It runs no script and loads nothing from elsewhere.

use std::fmt::Write;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};

use callboard_actors::agent::card::AgentCard;

use super::app::App;
use super::caller::Caller;
use super::error::HttpError;

const STYLE: &str = include_str!("front/page.css");

/// What the page may load: its style sheet. It runs nothing by itself; whoever tries things in its console may open sockets.
const POLICY: &str = "default-src 'none'; style-src 'self'; connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'";

/// Where sockets begin, and what is spoken there.
const SOCKETS: [(&str, &str); 4] = [
    ("/ws", "tasks and agents: documents 000 and 002"),
    ("/chat/{chat_id}", "an agent's steps as they happen: document 001"),
    ("/v1/ws", "channels, for agents in other processes: document 003; needs credentials"),
    ("/chat/ws", "threads: document 004; needs credentials"),
];

/// What can be read over HTTP; those without a parameter are links.
const RESOURCES: [(&str, &str); 13] = [
    ("/status", "how the server is"),
    ("/agents", "who can be asked"),
    ("/agents/{id}", "one agent, by name or id"),
    ("/conversations", "conversations, in pages: ?after=&limit="),
    ("/conversations/{id}", "one conversation"),
    ("/conversations/{id}/messages", "what was said, oldest first: ?before=&limit="),
    ("/channels", "channels, in pages: ?after=&limit="),
    ("/channels/{id}", "one channel"),
    ("/channels/{id}/messages", "what was published: ?after=&limit="),
    ("/runs/{id}", "what an agent did for somebody; DELETE cancels it"),
    ("/sessions", "who is connected; scope admin where credentials are asked for"),
    ("/metrics", "what was counted, for Prometheus; scope admin where credentials are asked for"),
    ("/health/ready", "whether requests are taken"),
];

/// The page. Agents appear for those who may see them.
pub async fn page(req: HttpRequest, app: web::Data<App>, caller: Result<Caller, HttpError>) -> HttpResponse {
    let listings = caller.ok().map(|caller| caller.tenant(&app).directory.all());
    let cards: Option<Vec<&AgentCard>> = listings.as_ref().map(|all| all.iter().map(|one| &*one.card).collect());
    let info = req.connection_info();
    let socket = format!("{}://{}/ws", if info.scheme() == "https" { "wss" } else { "ws" }, info.host());
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .body(html(&socket, cards.as_deref()))
}

/// The style sheet of the page.
pub async fn style() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/css; charset=utf-8")
        .insert_header((header::CACHE_CONTROL, "public, max-age=3600"))
        .body(STYLE)
}

fn html(socket: &str, agents: Option<&[&AgentCard]>) -> String {
    let first = agents.and_then(|agents| agents.first()).map_or("nyx", |card| card.name().as_str());
    let frame =
        format!(r#"{{"type":"chat","data":{{"message":"What can you help me with?"}},"targetAgent":"{first}"}}"#);
    format!(
        r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Callboard</title>
<link rel="stylesheet" href="/assets/page.css">
</head>
<body>
<header>
<h1>Callboard<small>{version}</small></h1>
<p>A coordination server for AI agents: one runtime, five protocols, nothing acknowledged is lost.</p>
</header>
<main>
<h2>Agents</h2>
{agents}
<h2>Try it</h2>
<p>Connect to <code>{socket}</code> and send a text frame:</p>
<pre>{frame}</pre>
<h2>Sockets</h2>
<table>
{sockets}</table>
<h2>HTTP</h2>
<table>
{resources}</table>
</main>
</body>
</html>
"#,
        version = env!("CARGO_PKG_VERSION"),
        agents = agent_list(agents),
        socket = escape(socket),
        frame = escape(&frame),
        sockets = rows(&SOCKETS, false),
        resources = rows(&RESOURCES, true),
    )
}

fn agent_list(agents: Option<&[&AgentCard]>) -> String {
    let Some(agents) = agents else {
        return "<p>This server asks for credentials: <code>?token=</code>, <code>?key=</code> or \
                <code>Authorization: Bearer</code>.</p>"
            .to_owned();
    };
    let mut list = String::from("<ul class=\"agents\">\n");
    for card in agents {
        let (persona, state) = (&card.persona, card.status().state.as_str());
        // Writing to a string does not fail.
        let _ = writeln!(
            list,
            "<li><span class=\"state {state}\">{state}</span><h3>{}</h3><p>{}</p><p>{}</p></li>",
            escape(persona.name.as_str()),
            escape(&persona.title),
            escape(&persona.description),
        );
    }
    list.push_str("</ul>");
    list
}

fn rows(rows: &[(&str, &str)], links: bool) -> String {
    rows.iter()
        .map(|(path, what)| {
            let shown = if links && !path.contains('{') {
                format!("<a href=\"{path}\"><code>{path}</code></a>")
            } else {
                format!("<code>{}</code>", escape(path))
            };
            format!("<tr><td>{shown}</td><td>{}</td></tr>\n", escape(what))
        })
        .collect()
}

/// Text as it stands in HTML, in an element or a quoted attribute.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_is_text_on_the_page() {
        let page = html("ws://\"><script>alert(1)</script>/ws", None);
        assert!(!page.contains("<script"), "{page}");
        assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
        assert!(page.contains("asks for credentials"));
    }
}
