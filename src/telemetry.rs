//! Spans on their way to a collector, over OTLP.
//!
//! The runtime hands over spans that have ended; here they become OpenTelemetry's and go into the queue of its batch
//! processor, which sends them from a thread of its own. A queue that is full, because the collector does not keep up,
//! drops spans and holds nobody up. The tracer of the library is not used: it would make spans of its own, while the
//! ones here carry the ids that have already gone out to others.

use std::time::Duration;

use anyhow::Context;
use opentelemetry::trace::{SpanContext, SpanId, SpanKind as OtlpKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue, StringValue, Value};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, SpanData, SpanEvents, SpanLinks, SpanProcessor,
};

use callboard_actors::spans::{Attribute, Recorder, SpanKind, SpanRecord};

use crate::config::TelemetryConfig;

/// Where collectors take spans.
const PATH: &str = "/v1/traces";

/// How long spans wait for others to go with.
const DELAY: Duration = Duration::from_secs(1);

/// Spans that may wait: some hundred bytes each.
const QUEUE: usize = 8192;

/// How long one sending may take, and the last one while the server stops.
const PATIENCE: Duration = Duration::from_secs(5);

/// Sends spans to a collector.
#[derive(Debug)]
pub struct Otlp {
    processor: BatchSpanProcessor,
    scope: InstrumentationScope,
}

impl Otlp {
    /// Spans go to the collector of the configuration, if it names one. Blocks for a moment.
    ///
    /// # Errors
    /// An address that cannot be used.
    pub fn new(config: &TelemetryConfig) -> anyhow::Result<Option<Self>> {
        let Some(address) = &config.otlp else { return Ok(None) };
        let address = address.trim_end_matches('/');
        let address = if address.ends_with(PATH) { address.to_owned() } else { format!("{address}{PATH}") };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(address)
            .with_timeout(PATIENCE)
            .build()
            .context("telemetry.otlp cannot be used")?;
        let batches = BatchConfigBuilder::default().with_max_queue_size(QUEUE).with_scheduled_delay(DELAY).build();
        let mut processor = BatchSpanProcessor::builder(exporter).with_batch_config(batches).build();
        let about = Resource::builder()
            .with_service_name(config.service.clone())
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        processor.set_resource(&about);
        let scope = InstrumentationScope::builder("callboard").with_version(env!("CARGO_PKG_VERSION")).build();
        Ok(Some(Self { processor, scope }))
    }

    /// Sends what waits, and no more. Blocks until that is done, or for a few seconds.
    pub fn close(&self) {
        if let Err(error) = self.processor.shutdown_with_timeout(PATIENCE) {
            log::warn!("the last spans were not sent: {error}");
        }
    }
}

impl Recorder for Otlp {
    fn record(&self, span: SpanRecord) {
        self.processor.on_end(data(span, self.scope.clone()));
    }
}

/// A span of ours as one of OpenTelemetry's.
fn data(span: SpanRecord, scope: InstrumentationScope) -> SpanData {
    let flags = if span.place.sampled { TraceFlags::SAMPLED } else { TraceFlags::default() };
    let (trace, own) = (TraceId::from_bytes(span.place.trace), SpanId::from_bytes(span.place.span));
    let mut attributes: Vec<KeyValue> =
        span.attributes.into_iter().map(|(name, value)| KeyValue::new(name, value_of(value))).collect();
    let status = match span.error {
        Some((code, sentence)) => {
            attributes.push(KeyValue::new("error.type", code.as_str()));
            Status::error(sentence)
        }
        None => Status::Unset,
    };
    SpanData {
        span_context: SpanContext::new(trace, own, flags, false, TraceState::default()),
        parent_span_id: span.parent.map_or(SpanId::INVALID, SpanId::from_bytes),
        parent_span_is_remote: false,
        span_kind: match span.kind {
            SpanKind::Internal => OtlpKind::Internal,
            SpanKind::Client => OtlpKind::Client,
        },
        name: span.name.into(),
        start_time: span.began,
        end_time: span.ended,
        attributes,
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status,
        instrumentation_scope: scope,
    }
}

fn value_of(attribute: Attribute) -> Value {
    match attribute {
        Attribute::Text(text) => Value::String(text.into()),
        Attribute::Number(number) => Value::I64(number),
        Attribute::Texts(texts) => {
            let texts: Vec<StringValue> = texts.into_iter().map(Into::into).collect();
            Value::Array(texts.into())
        }
    }
}
