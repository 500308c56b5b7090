//! What the targets of the dialects share.

use callboard::dialect::frames::Frames;
use callboard::dialect::{Audience, Bounds, Call, Dialect, Inbound};
use callboard_actors::protocol::{Event, Timestamp};

/// The bounds that a server has unless told otherwise, smaller so that they are met.
const BOUNDS: Bounds = Bounds { content: 4096, batch: 20 };

/// Decodes whatever comes, and has the dialect say what came of it: every frame it says is one line of JSON.
pub fn decode(dialect: &dyn Dialect, data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let at = Timestamp(1_700_000_000_000);
    let refused = |id: Option<String>, error| {
        let asked = callboard::dialect::Asked { id, ..Default::default() };
        said(&dialect.encode(&Event::Refused { error }, at, Audience::Requester(&asked)));
    };
    let noted = |call: &Call| {
        let _ = dialect.label(&Inbound::Call(call.clone()));
        said(&dialect.encode(&Event::Noted, at, Audience::Requester(&call.asked())));
    };
    match dialect.decode(text, &BOUNDS) {
        Ok(Inbound::Silence) => {}
        Ok(Inbound::Answer(frames)) => said(&frames),
        Ok(Inbound::Call(call)) => noted(&call),
        Ok(Inbound::Batch { id, items }) => {
            assert!(items.len() <= BOUNDS.batch);
            said(&dialect.batch_end(&id, &[], at));
            for item in items {
                match item {
                    Ok(call) => noted(&call),
                    Err((id, error)) => refused(id, error),
                }
            }
        }
        Err((id, error)) => refused(id, error),
    }
}

fn said(frames: &Frames) {
    for frame in frames.as_slice() {
        assert!(frame.starts_with('{') && frame.ends_with('}') && !frame.contains('\n'), "{frame}");
    }
}
