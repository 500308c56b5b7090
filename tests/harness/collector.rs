//! A collector of OpenTelemetry's protocol, as small as it can be: it takes spans over HTTP and keeps them.

use std::collections::HashMap;
use std::sync::Arc;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::PATIENCE;

/// A collector.
#[derive(Debug)]
pub struct Collector {
    address: String,
    kept: Arc<watch::Sender<Vec<Kept>>>,
}

/// A span that has come.
#[derive(Clone, Debug)]
pub struct Kept {
    /// What the server that sent it is called.
    pub service: String,
    pub span: Span,
    pub attributes: HashMap<String, String>,
}

impl Kept {
    /// Its trace, in hexadecimal.
    pub fn trace(&self) -> String {
        hex(&self.span.trace_id)
    }

    /// Its own number, in hexadecimal.
    pub fn id(&self) -> String {
        hex(&self.span.span_id)
    }

    /// The span it belongs to, in hexadecimal; empty if it begins its trace.
    pub fn parent(&self) -> String {
        hex(&self.span.parent_span_id)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Collector {
    /// Begins to collect.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let kept = Arc::new(watch::Sender::new(Vec::new()));
        let to = kept.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, to.clone()));
            }
        });
        Self { address, kept }
    }

    /// Where it listens.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// All that has come.
    pub fn kept(&self) -> Vec<Kept> {
        self.kept.borrow().clone()
    }

    /// Waits for a span.
    pub async fn until(&self, holds: impl Fn(&Kept) -> bool) -> Kept {
        let mut changes = self.kept.subscribe();
        let found = changes.wait_for(|kept| kept.iter().any(&holds));
        let kept = tokio::time::timeout(PATIENCE, found).await;
        let kept = kept.unwrap_or_else(|_| panic!("it never came; these did: {:#?}", self.kept())).unwrap();
        kept.iter().find(|kept| holds(kept)).unwrap().clone()
    }
}

async fn serve(stream: TcpStream, to: Arc<watch::Sender<Vec<Kept>>>) {
    let mut stream = BufReader::new(stream);
    while let Some(body) = request(&mut stream).await {
        let came = ExportTraceServiceRequest::decode(&*body).unwrap();
        to.send_modify(|kept| kept.extend(spans(came)));
        let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// The body of the next request, which must be what the protocol has.
async fn request(stream: &mut BufReader<TcpStream>) -> Option<Vec<u8>> {
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line == "\r\n" {
            break;
        }
        head.push_str(&line.to_ascii_lowercase());
    }
    assert!(head.starts_with("post /v1/traces ") && head.contains("application/x-protobuf"), "{head}");
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(body)
}

fn spans(came: ExportTraceServiceRequest) -> Vec<Kept> {
    let mut kept = Vec::new();
    for of_service in came.resource_spans {
        let resource = of_service.resource.unwrap_or_default();
        let service = attributes(resource.attributes).remove("service.name").unwrap_or_default();
        for of_scope in of_service.scope_spans {
            kept.extend(of_scope.spans.into_iter().map(|span| {
                let attributes = attributes(span.attributes.clone());
                Kept { service: service.clone(), span, attributes }
            }));
        }
    }
    kept
}

fn attributes(list: Vec<opentelemetry_proto::tonic::common::v1::KeyValue>) -> HashMap<String, String> {
    list.into_iter().map(|pair| (pair.key, text(pair.value.and_then(|value| value.value)))).collect()
}

/// Several values stand with commas between them.
fn text(value: Option<Value>) -> String {
    match value {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::ArrayValue(list)) => {
            list.values.into_iter().map(|value| text(value.value)).collect::<Vec<_>>().join(",")
        }
        other => format!("{other:?}"),
    }
}
