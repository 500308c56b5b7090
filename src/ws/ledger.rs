//! The requests of one session that have not ended: what each was, which batch it belongs to, and how many there may be.

use std::collections::{BTreeMap, VecDeque};

use callboard_actors::protocol::{Code, Command, ConversationId, Error, Event, Interest, Result, Token};

use crate::dialect::{Asked, BatchItem, Call};

/// Requests other than runs that may be open at a time. They are answered at once or after one read of the disk, so
/// more than this is a client that does not wait for its answers at all.
const MAX_QUESTIONS: usize = 256;

/// Requests that may wait until there is room among the open ones: as many as the highest burst that a session may send.
const MAX_WAITING: usize = 4096;

/// What they may hold, in bytes of content, unless one alone holds more.
const MAX_WAITING_BYTES: usize = 1 << 20;

/// The place of a request in its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchPlace {
    batch: u32,
    index: usize,
}

/// A request that has not ended.
#[derive(Debug)]
pub struct Open {
    /// What its replies need.
    pub asked: Asked,
    /// What the client is to hear of on the way.
    pub interest: Interest,
    batch: Option<BatchPlace>,
}

/// A batch that has not ended.
#[derive(Debug)]
struct Batch {
    id: String,
    items: Vec<BatchItem>,
    left: usize,
}

/// A batch of which every item has ended.
#[derive(Debug, PartialEq)]
pub struct Ended {
    /// The batch's id.
    pub id: String,
    /// How each item ended.
    pub items: Vec<BatchItem>,
}

/// The requests of one session that have not ended.
#[derive(Debug)]
pub struct Ledger {
    next: u32,
    open: BTreeMap<Token, Open>,
    runs: usize,
    max_runs: usize,
    batches: BTreeMap<u32, Batch>,
    /// Items of batches that wait for room among the runs. Bounded by `max_held`.
    held: VecDeque<(Call, BatchPlace)>,
    max_held: usize,
    /// Requests other than runs that wait for room, and their bytes. Bounded by `MAX_WAITING` and `MAX_WAITING_BYTES`.
    waiting: VecDeque<Call>,
    waiting_bytes: usize,
}

impl Ledger {
    /// An empty ledger for at most `max_runs` runs at a time, and as many waiting items as a batch may have.
    pub fn new(max_runs: usize, max_held: usize) -> Self {
        Self {
            next: 0,
            open: BTreeMap::new(),
            runs: 0,
            max_runs,
            batches: BTreeMap::new(),
            held: VecDeque::new(),
            max_held,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
        }
    }

    /// Enters a request; an error if there are too many already.
    pub fn open(&mut self, call: &Call, batch: Option<BatchPlace>) -> Result<Token> {
        let asked = call.asked();
        let questions = self.open.len() - self.runs;
        if asked.kind.is_some() && self.runs >= self.max_runs {
            return Err(full(format!("{} runs of this session have not ended", self.max_runs)));
        }
        if asked.kind.is_none() && questions >= MAX_QUESTIONS {
            return Err(full(format!("{MAX_QUESTIONS} requests of this session have not been answered")));
        }
        self.runs += usize::from(asked.kind.is_some());
        let token = self.fresh();
        self.open.insert(token, Open { asked, interest: call.interest, batch });
        Ok(token)
    }

    /// A number that no open request has; never one of those that the runtime has for itself.
    fn fresh(&mut self) -> Token {
        loop {
            self.next = self.next.wrapping_add(1);
            let token = Token(self.next);
            if token != Token::NONE && token != Token::REPLAY && !self.open.contains_key(&token) {
                return token;
            }
        }
    }

    /// An open request.
    pub fn get(&self, token: Token) -> Option<&Open> {
        self.open.get(&token)
    }

    /// The open request that the client gave this id, with where it asked.
    pub fn find(&self, id: &str) -> Option<(Token, ConversationId)> {
        let found =
            self.open.iter().find(|(_, open)| open.asked.id.as_deref() == Some(id) && open.asked.kind.is_some());
        found.and_then(|(token, open)| Some((*token, open.asked.conversation.clone()?)))
    }

    /// Strikes a request that `event` has ended out; gives the batch that ends with it.
    pub fn close(&mut self, token: Token, event: &Event) -> Option<Ended> {
        let open = self.open.remove(&token)?;
        self.runs -= usize::from(open.asked.kind.is_some());
        let code = match event {
            Event::RunFailed { error, .. } | Event::Refused { error } => Some(error.code.as_str()),
            _ => None,
        };
        open.batch.and_then(|place| self.item_ended(place, open.asked.id, code))
    }

    /// Begins a batch of `count` items; its places are handed out by index.
    pub fn begin_batch(&mut self, id: String, count: usize) -> u32 {
        self.next = self.next.wrapping_add(1).max(1);
        let number = self.next;
        let items = vec![BatchItem { id: None, code: None }; count];
        self.batches.insert(number, Batch { id, items, left: count });
        number
    }

    /// The place of an item.
    pub fn place(&self, batch: u32, index: usize) -> BatchPlace {
        BatchPlace { batch, index }
    }

    /// Notes how an item ended; gives the batch if it was the last.
    pub fn item_ended(&mut self, place: BatchPlace, id: Option<String>, code: Option<&'static str>) -> Option<Ended> {
        let batch = self.batches.get_mut(&place.batch)?;
        if let Some(item) = batch.items.get_mut(place.index) {
            *item = BatchItem { id, code };
        }
        batch.left = batch.left.saturating_sub(1);
        if batch.left > 0 {
            return None;
        }
        self.batches.remove(&place.batch).map(|batch| Ended { id: batch.id, items: batch.items })
    }

    /// Whether a batch's next item has to wait for room among the runs.
    pub fn must_wait(&self, call: &Call) -> bool {
        call.asked().kind.is_some() && (self.runs >= self.max_runs || !self.held.is_empty())
    }

    /// Keeps an item of a batch until there is room; an error if too many wait already.
    pub fn hold(&mut self, call: Call, place: BatchPlace) -> Result<()> {
        if self.held.len() >= self.max_held {
            return Err(full(format!("{} items of batches wait already", self.max_held)));
        }
        self.held.push_back((call, place));
        Ok(())
    }

    /// Whether a request other than a run has to wait: too many are open, or others wait before it.
    pub fn must_queue(&self, call: &Call) -> bool {
        let questions = self.open.len() - self.runs;
        call.asked().kind.is_none() && (questions >= MAX_QUESTIONS || !self.waiting.is_empty())
    }

    /// Keeps a request until there is room; an error, with the request's id, if too many wait already.
    pub fn queue(&mut self, call: Call) -> std::result::Result<(), (Option<String>, Error)> {
        let bytes = weight(&call);
        let heavy = !self.waiting.is_empty() && self.waiting_bytes + bytes > MAX_WAITING_BYTES;
        if heavy || self.waiting.len() >= MAX_WAITING {
            return Err((call.id, full(format!("{} requests of this session wait already", self.waiting.len()))));
        }
        self.waiting_bytes += bytes;
        self.waiting.push_back(call);
        Ok(())
    }

    /// The next request that there is room for.
    pub fn next_question(&mut self) -> Option<Call> {
        if self.open.len() - self.runs >= MAX_QUESTIONS {
            return None;
        }
        let call = self.waiting.pop_front()?;
        self.waiting_bytes -= weight(&call);
        Some(call)
    }

    /// Takes out an item that waits for room, by the id of its replies.
    pub fn withdraw(&mut self, id: &str) -> Option<(Call, BatchPlace)> {
        let at = self.held.iter().position(|(call, _)| call.id.as_deref() == Some(id))?;
        self.held.remove(at)
    }

    /// The next item that there is room for.
    pub fn release(&mut self) -> Option<(Call, BatchPlace)> {
        if self.runs < self.max_runs { self.held.pop_front() } else { None }
    }
}

/// About how many bytes a request keeps.
fn weight(call: &Call) -> usize {
    match &call.command {
        Command::Publish(what) | Command::Direct { what, .. } => {
            what.content.len() + what.metadata.as_ref().map_or(0, String::len)
        }
        _ => 0,
    }
}

fn full(details: String) -> Error {
    Error::new(Code::QueueFull, "Too many requests are open; wait for answers").with_details(details)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn question() -> Call {
        Call { id: Some("q".into()), command: Command::Status { agent: None }, interest: Interest::NOTHING }
    }

    #[test]
    fn a_batch_ends_with_its_last_item() {
        let mut ledger = Ledger::new(32, 100);
        let batch = ledger.begin_batch("b".into(), 2);
        let token = ledger.open(&question(), Some(ledger.place(batch, 0))).unwrap();
        assert_eq!(ledger.close(token, &Event::Noted), None);
        let ended = ledger.item_ended(ledger.place(batch, 1), Some("b.1".into()), Some("INVALID_MESSAGE")).unwrap();
        assert_eq!(ended.id, "b");
        assert_eq!(ended.items[0], BatchItem { id: Some("q".into()), code: None });
        assert_eq!(ended.items[1].code, Some("INVALID_MESSAGE"));
    }

    #[test]
    fn requests_wait_in_order_for_room() {
        let mut ledger = Ledger::new(1, 1);
        let tokens: Vec<_> = (0..MAX_QUESTIONS).map(|_| ledger.open(&question(), None).unwrap()).collect();
        assert!(ledger.must_queue(&question()));
        for id in ["a", "b"] {
            ledger.queue(Call { id: Some(id.into()), ..question() }).unwrap();
        }
        assert!(ledger.next_question().is_none());
        ledger.close(tokens[0], &Event::Noted);
        assert!(ledger.must_queue(&question()), "others wait before it");
        assert_eq!(ledger.next_question().unwrap().id.as_deref(), Some("a"));
        for _ in 1..MAX_WAITING {
            ledger.queue(question()).unwrap();
        }
        assert_eq!(ledger.queue(question()).unwrap_err().1.code, Code::QueueFull);
    }

    #[test]
    fn open_requests_are_bounded() {
        let mut ledger = Ledger::new(1, 1);
        for _ in 0..MAX_QUESTIONS {
            ledger.open(&question(), None).unwrap();
        }
        assert_eq!(ledger.open(&question(), None).unwrap_err().code, Code::QueueFull);
    }
}
