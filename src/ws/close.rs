//! Why a socket is closed, in the codes of RFC 6455 §7.4.

use actix_web_actors::ws::ProtocolError;
pub use actix_web_actors::ws::{CloseCode, CloseReason};

/// What a client did wrong on the wire. Each ends the session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// A frame without a mask.
    Unmasked,
    /// A reserved bit that no negotiated extension gives a meaning to.
    ReservedBits,
    /// An opcode that RFC 6455 does not define.
    Opcode,
    /// A control frame in fragments, or one over 125 bytes.
    Control,
    /// A length with its highest bit set.
    Length,
    /// A continuation of nothing, or a new message inside an unfinished one.
    Fragment,
    /// A close frame with a code or a reason that must not be sent.
    Close,
    /// A frame or a message over the limit, before or after inflating.
    TooBig,
    /// Text that is not UTF-8.
    NotUtf8,
    /// Compressed data that does not inflate.
    Deflate,
}

impl Fault {
    /// The code and the words the client is told.
    pub fn reason(self) -> CloseReason {
        let (code, words) = match self {
            Self::Unmasked => (CloseCode::Protocol, "frame without a mask"),
            Self::ReservedBits => (CloseCode::Protocol, "reserved bits without an extension"),
            Self::Opcode => (CloseCode::Protocol, "unknown opcode"),
            Self::Control => (CloseCode::Protocol, "control frame fragmented or too long"),
            Self::Length => (CloseCode::Protocol, "malformed length"),
            Self::Fragment => (CloseCode::Protocol, "fragments out of order"),
            Self::Close => (CloseCode::Protocol, "malformed close frame"),
            Self::TooBig => (CloseCode::Size, "message too big"),
            Self::NotUtf8 => (CloseCode::Invalid, "text is not UTF-8"),
            Self::Deflate => (CloseCode::Invalid, "compressed data is damaged"),
        };
        (code, words).into()
    }

    /// The fault behind an error of the codec, where the intake, which looks first, has not named one.
    ///
    /// The codec wraps two things as I/O errors: reserved bits, which the intake never lets through, and text that is
    /// not UTF-8. So an I/O error is the latter.
    pub fn of(error: &ProtocolError) -> Self {
        match error {
            ProtocolError::UnmaskedFrame | ProtocolError::MaskedFrame => Self::Unmasked,
            ProtocolError::InvalidOpcode(_) => Self::Opcode,
            // The codec says so of a close frame with an illegal code or reason, or with one byte of payload.
            ProtocolError::BadOpCode | ProtocolError::InvalidLength(_) => Self::Close,
            ProtocolError::Overflow => Self::TooBig,
            ProtocolError::ContinuationNotStarted
            | ProtocolError::ContinuationStarted
            | ProtocolError::ContinuationFragment(_) => Self::Fragment,
            ProtocolError::Io(_) => Self::NotUtf8,
        }
    }
}

/// The session lets its outgoing queue overflow: 1008.
pub fn slow_consumer() -> CloseReason {
    (CloseCode::Policy, "slow consumer").into()
}

/// Nothing came from the peer for too long: 1008.
pub fn silent() -> CloseReason {
    (CloseCode::Policy, "silent").into()
}

/// The server is stopping: 1001.
pub fn draining() -> CloseReason {
    (CloseCode::Away, "draining").into()
}

/// Something broke inside: 1011.
pub fn internal() -> CloseReason {
    (CloseCode::Error, "internal error").into()
}

/// The server cannot take this now: 1013.
pub fn try_again_later() -> CloseReason {
    (CloseCode::Again, "try again later").into()
}

/// Whether a peer may put `code` into a close frame (RFC 6455 §7.4): the registered codes that are not reserved for
/// local use, and the ranges of libraries and applications.
pub fn is_legal(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

/// The answer to a client's close frame: its own code without the words, an empty frame for an empty one, 1002 for a
/// code that must not be sent.
pub fn echo(received: Option<&CloseReason>) -> Option<CloseReason> {
    let code = received?.code;
    if is_legal(code.into()) { Some(code.into()) } else { Some(Fault::Close.reason()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn legal_codes_are_echoed_without_their_words() {
        let said = CloseReason::from((CloseCode::Other(4000), "bye"));
        assert_eq!(echo(Some(&said)), Some(CloseCode::Other(4000).into()));
        assert_eq!(echo(None), None);
    }

    #[test]
    fn codes_for_local_use_are_answered_with_1002() {
        for code in [0, 999, 1004, 1005, 1006, 1015, 1100, 2999, 5000] {
            let answer = echo(Some(&CloseCode::Other(code).into()));
            assert_eq!(answer.map(|reason| u16::from(reason.code)), Some(1002), "{code}");
        }
    }
}
