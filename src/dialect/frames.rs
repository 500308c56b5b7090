//! What one event is on one wire.

use bytestring::ByteString;

/// What one event is on one wire: no text frame, one, or several.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Frames {
    /// The dialect does not say this.
    #[default]
    None,
    /// One text frame.
    One(ByteString),
    /// Several text frames, in this order.
    Many(Vec<ByteString>),
}

impl Frames {
    /// Hands each frame over, in their order.
    pub fn each(self, to: impl FnMut(ByteString)) {
        match self {
            Self::None => {}
            Self::One(frame) => std::iter::once(frame).for_each(to),
            Self::Many(frames) => frames.into_iter().for_each(to),
        }
    }

    /// The frames in their order.
    pub fn as_slice(&self) -> &[ByteString] {
        match self {
            Self::None => &[],
            Self::One(frame) => std::slice::from_ref(frame),
            Self::Many(frames) => frames,
        }
    }
}
