//! The events that an answer is streamed as.

use actix_web::web::Bytes;
use futures_util::{Stream, StreamExt, stream};
use serde_json::{Value, json};

use callboard_actors::protocol::{Error, Message, RunStatus};

use super::view::{ResponseView, item, part};
use crate::http::openai::sse;
use crate::http::talk::{Next, Talk};

/// The events of one answer, numbered.
struct Events {
    talk: Talk,
    view: ResponseView,
    sequence: u64,
}

impl Events {
    fn event(&mut self, kind: &str, mut value: Value) -> Bytes {
        value["type"] = kind.into();
        value["sequence_number"] = self.sequence.into();
        self.sequence += 1;
        sse::event(kind, &value)
    }

    fn opening(&mut self) -> Vec<Bytes> {
        let view = self.view.clone();
        let id = self.talk.run().answer_id();
        let added = item(self.talk.run(), "in_progress", Vec::new());
        vec![
            self.event("response.created", json!({ "response": view })),
            self.event("response.in_progress", json!({ "response": view })),
            self.event("response.output_item.added", json!({ "output_index": 0, "item": added })),
            self.event(
                "response.content_part.added",
                json!({ "item_id": id, "output_index": 0, "content_index": 0, "part": part("") }),
            ),
        ]
    }

    fn piece(&mut self, piece: &str) -> Bytes {
        let id = self.talk.run().answer_id();
        let value = json!({ "item_id": id, "output_index": 0, "content_index": 0, "delta": piece, "logprobs": [] });
        self.event("response.output_text.delta", value)
    }

    fn ending(&mut self, answer: &Message) -> Vec<Bytes> {
        let (run, text) = (self.talk.run().clone(), answer.text().into_owned());
        let (id, whole) = (run.answer_id(), part(&text));
        self.view.complete(&run, answer);
        let (view, done) = (self.view.clone(), item(&run, "completed", vec![whole.clone()]));
        let at = json!({ "item_id": id, "output_index": 0, "content_index": 0 });
        let (mut said, mut finished) = (at.clone(), at);
        (said["text"], said["logprobs"], finished["part"]) = (text.into(), json!([]), json!(whole));
        vec![
            self.event("response.output_text.done", said),
            self.event("response.content_part.done", finished),
            self.event("response.output_item.done", json!({ "output_index": 0, "item": done })),
            self.event("response.completed", json!({ "response": view })),
        ]
    }

    fn failure(&mut self, error: &Error) -> Bytes {
        self.view.fail(error, RunStatus::of(error.code));
        let view = self.view.clone();
        self.event("response.failed", json!({ "response": view }))
    }
}

/// What is sent while an answer is made.
pub(super) fn of(talk: Talk, view: ResponseView) -> impl Stream<Item = Bytes> {
    let mut events = Events { talk, view, sequence: 0 };
    let opening = events.opening();
    let rest = stream::unfold(events, |mut events| async move {
        let frames = match events.talk.next().await? {
            Next::Step(_) => Vec::new(),
            Next::Piece(piece) => vec![events.piece(&piece)],
            Next::Failed(error) => vec![events.failure(&error)],
            Next::Answer(answer) => events.ending(&answer),
        };
        Some((frames, events))
    });
    stream::once(std::future::ready(opening)).chain(rest).flat_map(stream::iter)
}
