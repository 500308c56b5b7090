//! Where a piece of work stands in a trace that may have begun elsewhere: the W3C's `traceparent`.

use std::fmt;

use uuid::Uuid;

/// A place in a trace: the trace, and the span that what follows belongs to. On wires the W3C's `traceparent`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TraceParent {
    /// The trace; never all 0.
    pub trace: [u8; 16],
    /// The span; never all 0.
    pub span: [u8; 8],
    /// Whether whoever began the trace keeps it.
    pub sampled: bool,
}

impl TraceParent {
    /// The beginning of a trace of our own.
    pub fn root() -> Self {
        Self { trace: Uuid::new_v4().into_bytes(), span: span(), sampled: true }
    }

    /// A new span in the same trace.
    pub fn child(self) -> Self {
        Self { span: span(), ..self }
    }

    /// Reads a `traceparent`. One that is none counts as absent, as the W3C has it: it must not fail a request.
    pub fn parse(text: &str) -> Option<Self> {
        let mut fields = text.trim().split('-');
        let (version, trace, span, flags) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        let hex = |text: &str, length| {
            text.len() == length && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        };
        let known = hex(version, 2) && version != "ff" && (version != "00" || fields.next().is_none());
        if !(known && hex(trace, 32) && hex(span, 16) && hex(flags, 2)) {
            return None;
        }
        let trace = u128::from_str_radix(trace, 16).ok().filter(|trace| *trace != 0)?;
        let span = u64::from_str_radix(span, 16).ok().filter(|span| *span != 0)?;
        let (trace, span) = (trace.to_be_bytes(), span.to_be_bytes());
        Some(Self { trace, span, sampled: u8::from_str_radix(flags, 16).ok()? & 1 == 1 })
    }
}

/// A span's number: random, and not 0.
fn span() -> [u8; 8] {
    // The lower half of a v4 is random but for two bits, of which one is 1.
    Uuid::new_v4().as_u64_pair().1.to_be_bytes()
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (trace, span) = (u128::from_be_bytes(self.trace), u64::from_be_bytes(self.span));
        write!(f, "00-{trace:032x}-{span:016x}-{:02x}", u8::from(self.sampled))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_traceparent_is_read_and_written_as_the_w3c_has_it() {
        let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let read = TraceParent::parse(text).unwrap();
        assert_eq!(
            (read.to_string().as_str(), read.span, read.sampled),
            (text, 0xb7ad_6b71_6920_3331_u64.to_be_bytes(), true)
        );
        // A later version may have more fields; what is known of it is read.
        assert!(TraceParent::parse("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00-more").is_some());
        for bad in [
            "",
            "00",
            "00-0-0-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
        ] {
            assert_eq!(TraceParent::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_child_stays_in_its_trace() {
        let root = TraceParent::root();
        let child = root.child();
        assert!(root.span != [0; 8] && child.span != root.span && child.trace == root.trace);
        assert_eq!(TraceParent::parse(&child.to_string()), Some(child));
    }
}
