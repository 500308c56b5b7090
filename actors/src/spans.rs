//! Spans: what was done for a request, from when to when, as others collect it in traces.
//!
//! The runtime makes spans and hands each one over when it has ended; what becomes of them is a [`Recorder`]'s matter,
//! and where none is set nothing is made: a span is then two words that are empty. Data at the end rather than calls on
//! the way keeps every exporter, its clock and its wire out of here. Names and attributes are those of OpenTelemetry's
//! conventions for generative AI.

use std::sync::Arc;
use std::time::SystemTime;

use crate::protocol::{Code, Error, Tokens, TraceParent};

/// Takes spans that have ended. It must neither block nor panic.
pub trait Recorder: Send + Sync + std::fmt::Debug {
    /// A span has ended.
    fn record(&self, span: SpanRecord);
}

/// Which side of a call a span is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SpanKind {
    /// Within the process.
    Internal,
    /// A call to somebody else, such as a model's server.
    Client,
}

/// What is known of a span beside its name and times.
#[derive(Clone, PartialEq, Debug)]
pub enum Attribute {
    /// A text.
    Text(String),
    /// A whole number.
    Number(i64),
    /// Several texts.
    Texts(Vec<String>),
}

impl From<&str> for Attribute {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<u64> for Attribute {
    fn from(number: u64) -> Self {
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

/// A span that has ended.
#[derive(Clone, PartialEq, Debug)]
pub struct SpanRecord {
    /// Its trace and its own number.
    pub place: TraceParent,
    /// The span that it belongs to; `None`: it begins its trace.
    pub parent: Option<[u8; 8]>,
    /// What was done: `invoke_agent nyx`.
    pub name: String,
    /// Which side of a call it is.
    pub kind: SpanKind,
    /// When it began.
    pub began: SystemTime,
    /// When it ended.
    pub ended: SystemTime,
    /// What else is known of it.
    pub attributes: Vec<(&'static str, Attribute)>,
    /// Why it failed, if it did: the code, which programs read, and the sentence.
    pub error: Option<(Code, String)>,
}

/// A place in a trace, from which spans begin. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    recorder: Option<Arc<dyn Recorder>>,
    at: Option<TraceParent>,
}

impl Trace {
    /// No place yet; spans that begin here begin traces, and go to `recorder`. `None`: no spans are made.
    pub fn new(recorder: Option<Arc<dyn Recorder>>) -> Self {
        Self { recorder, at: None }
    }

    /// A place that somebody else named.
    pub fn at(&self, place: Option<TraceParent>) -> Self {
        Self { recorder: self.recorder.clone(), at: place }
    }

    /// What is passed on to those who are asked from here: also where no spans are made, what came in goes on.
    pub fn passed_on(&self) -> Option<TraceParent> {
        self.at
    }

    /// Begins a span here. Its name is asked for only if it is made. A trace that its beginner does not keep is not
    /// recorded here either.
    pub fn begin(&self, kind: SpanKind, name: impl FnOnce() -> String) -> Span {
        let Some(recorder) = self.recorder.clone().filter(|_| self.at.is_none_or(|at| at.sampled)) else {
            return Span { trace: self.clone(), open: None };
        };
        let place = self.at.map_or_else(TraceParent::root, TraceParent::child);
        let began = SystemTime::now();
        let record = SpanRecord {
            place,
            parent: self.at.map(|at| at.span),
            name: name(),
            kind,
            began,
            ended: began,
            attributes: Vec::new(),
            error: None,
        };
        Span { trace: Self { recorder: Some(recorder), at: Some(place) }, open: Some(Box::new(record)) }
    }
}

/// Something under way. It ends when it is dropped.
#[derive(Debug)]
pub struct Span {
    trace: Trace,
    open: Option<Box<SpanRecord>>,
}

impl Span {
    /// The place from which spans within this one begin.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// Whether it is made at all: what is costly to find out need not be found out for a span that is not.
    pub fn is_made(&self) -> bool {
        self.open.is_some()
    }

    /// Notes something about it.
    pub fn set(&mut self, name: &'static str, value: impl Into<Attribute>) {
        if let Some(open) = &mut self.open {
            open.attributes.push((name, value.into()));
        }
    }

    /// Notes that it failed, and why.
    pub fn fail(&mut self, error: &Error) {
        if let Some(open) = &mut self.open {
            open.error = Some((error.code, error.message.clone()));
        }
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        if let (Some(mut record), Some(recorder)) = (self.open.take(), &self.trace.recorder) {
            record.ended = SystemTime::now();
            recorder.record(*record);
        }
    }
}

/// A use of a tool, as a span within the run.
pub fn execute_tool(trace: &Trace, tool: &str) -> Span {
    let mut span = trace.begin(SpanKind::Internal, || format!("execute_tool {tool}"));
    span.set("gen_ai.operation.name", "execute_tool");
    span.set("gen_ai.tool.name", tool);
    span.set("gen_ai.tool.type", "function");
    span
}

/// A question to a model, as a span within the run; what the server is asked with carries its place.
pub fn chat(trace: &Trace, provider: &str, model: &str) -> Span {
    let mut span = trace.begin(SpanKind::Client, || format!("chat {model}"));
    span.set("gen_ai.operation.name", "chat");
    span.set("gen_ai.provider.name", provider);
    span.set("gen_ai.request.model", model);
    span
}

/// What a model read and wrote for its reply, and why it stopped.
pub fn replied(span: &mut Span, tokens: Tokens, why: &str) {
    span.set("gen_ai.usage.input_tokens", tokens.input);
    span.set("gen_ai.usage.output_tokens", tokens.output);
    span.set("gen_ai.response.finish_reasons", Attribute::Texts(vec![why.to_owned()]));
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Debug, Default)]
    struct Kept(Mutex<Vec<SpanRecord>>);

    impl Recorder for Kept {
        fn record(&self, span: SpanRecord) {
            self.0.lock().unwrap().push(span);
        }
    }

    fn kept(at: Option<TraceParent>) -> Vec<SpanRecord> {
        let kept = Arc::new(Kept::default());
        let mut outer = Trace::new(Some(kept.clone())).at(at).begin(SpanKind::Internal, || "invoke_agent nyx".into());
        outer.fail(&Error::internal("it broke"));
        execute_tool(outer.trace(), "clock").set("n", 3);
        drop(outer);
        kept.0.lock().unwrap().clone()
    }

    #[test]
    fn spans_stand_in_one_another_and_in_the_trace_that_came_in() {
        let came = TraceParent::root();
        let [tool, agent] = kept(Some(came)).try_into().unwrap();
        assert_eq!((agent.place.trace, agent.parent), (came.trace, Some(came.span)));
        assert_eq!((tool.place.trace, tool.parent), (came.trace, Some(agent.place.span)));
        assert_eq!((tool.name.as_str(), tool.attributes.len()), ("execute_tool clock", 4));
        assert_eq!(agent.error.unwrap().0, Code::InternalError);
        assert!(agent.began <= tool.began && tool.ended <= agent.ended);
        let [tool, agent] = kept(None).try_into().unwrap();
        assert_eq!((agent.parent, tool.parent), (None, Some(agent.place.span)));
    }

    #[test]
    fn what_nobody_keeps_is_passed_on_and_not_recorded() {
        let unsampled = TraceParent { sampled: false, ..TraceParent::root() };
        assert!(kept(Some(unsampled)).is_empty());
        let off = Trace::default().at(Some(unsampled));
        let span = off.begin(SpanKind::Client, || panic!("made a name for nothing"));
        assert_eq!(span.trace().passed_on(), Some(unsampled));
    }
}
