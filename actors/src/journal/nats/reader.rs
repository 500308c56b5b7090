//! From messages to commits that count.
//!
//! A commit counts once its leader goes on behind it, or once a term begins behind it: a leader whose append failed may
//! still make its last commit void. So the last one is held back, until the next message or until this server leads.

use super::message::Message;
use crate::journal::log::LogError;

/// A commit, or as much of it as was read.
#[derive(Debug, Default)]
struct Commit {
    /// The number of its first segment.
    first: u64,
    segments: Vec<Vec<u8>>,
    /// Where its last part stands.
    position: u64,
}

impl Commit {
    fn end(&self) -> u64 {
        self.first + self.segments.len() as u64
    }
}

/// Reads the log from some position on.
#[derive(Debug)]
pub(super) struct Reader {
    /// The next segment that is not known to count.
    next: u64,
    /// The last message read.
    position: u64,
    held: Option<Commit>,
    partial: Option<Commit>,
    ready: Commit,
    /// Whether the last message was a leader's farewell, or there is none yet.
    vacant: bool,
}

impl Reader {
    /// A reader behind `position`, whose next segment is number `next`.
    pub fn new(position: u64, next: u64) -> Self {
        Self {
            next,
            position,
            held: None,
            partial: None,
            ready: Commit { first: next, segments: Vec::new(), position },
            vacant: position == 0,
        }
    }

    /// The last message read.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The next segment that is not known to count.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Whether nobody leads, by what the log says.
    pub fn is_vacant(&self) -> bool {
        self.vacant
    }

    /// Bytes that are ready to be taken.
    pub fn weight(&self) -> usize {
        self.ready.segments.iter().map(Vec::len).sum()
    }

    /// What counts and was not taken yet: segments, and where they end.
    pub fn take(&mut self) -> Option<(Vec<Vec<u8>>, u64)> {
        if self.ready.segments.is_empty() {
            return None;
        }
        let ready = std::mem::replace(&mut self.ready, Commit { first: self.next, ..Commit::default() });
        Some((ready.segments, ready.position))
    }

    /// Lets the last commit count: nobody but this server can make it void any more.
    pub fn settle(&mut self) {
        if let Some(held) = self.held.take() {
            self.next = held.end();
            self.ready.segments.extend(held.segments);
            self.ready.position = held.position;
        }
    }

    /// Takes the message at `position` in.
    pub fn read(&mut self, position: u64, message: Message) -> Result<(), LogError> {
        self.position = position;
        self.vacant = matches!(message, Message::Resigned { .. });
        match message {
            Message::Term { next, .. } => self.begin(next),
            Message::Part { first, last, segments, .. } => self.part(first, last, segments),
            Message::Resigned { .. } => {
                self.settle();
                Ok(())
            }
        }
    }

    fn begin(&mut self, next: u64) -> Result<(), LogError> {
        self.partial = None;
        match &self.held {
            Some(held) if held.end() == next => self.settle(),
            Some(held) if held.first == next => self.held = None,
            _ => {}
        }
        self.expect(next)
    }

    fn part(&mut self, first: u64, last: bool, segments: Vec<Vec<u8>>) -> Result<(), LogError> {
        let mut commit = match self.partial.take() {
            Some(partial) if partial.end() == first => partial,
            _ => {
                // Whoever writes behind a commit lets it count.
                self.settle();
                self.expect(first)?;
                Commit { first, ..Commit::default() }
            }
        };
        commit.segments.extend(segments);
        commit.position = self.position;
        let place = if last { &mut self.held } else { &mut self.partial };
        *place = Some(commit);
        Ok(())
    }

    fn expect(&self, next: u64) -> Result<(), LogError> {
        if next == self.next {
            return Ok(());
        }
        Err(LogError::Unfit(format!(
            "the log goes on with segment {next} where this server's store ends with {}: move the folder journal in its \
             data folder away, and it is filled anew",
            self.next
        )))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn term(next: u64) -> Message {
        Message::Term { node: "a".to_owned(), nonce: 1, next }
    }

    fn part(first: u64, last: bool, text: &str) -> Message {
        Message::Part { term: 1, first, last, segments: vec![text.as_bytes().to_vec()] }
    }

    fn texts(taken: Option<(Vec<Vec<u8>>, u64)>) -> Vec<String> {
        taken.into_iter().flat_map(|(segments, _)| segments).map(|bytes| String::from_utf8(bytes).unwrap()).collect()
    }

    #[test]
    fn a_commit_counts_once_something_stands_behind_it() {
        let mut reader = Reader::new(0, 0);
        reader.read(1, term(0)).unwrap();
        reader.read(2, part(0, true, "one")).unwrap();
        assert_eq!(reader.take(), None);
        reader.read(3, part(1, false, "two ")).unwrap();
        assert_eq!(reader.take(), Some((vec![b"one".to_vec()], 2)));
        reader.read(4, part(2, true, "parts")).unwrap();
        reader.read(5, Message::Resigned { term: 1 }).unwrap();
        assert_eq!(texts(reader.take()), ["two ", "parts"]);
        assert!(reader.is_vacant());
    }

    #[test]
    fn a_term_cuts_what_was_not_acknowledged() {
        let mut reader = Reader::new(0, 0);
        reader.read(1, term(0)).unwrap();
        reader.read(2, part(0, true, "one")).unwrap();
        reader.read(3, part(1, true, "void")).unwrap();
        reader.read(4, term(1)).unwrap();
        reader.read(5, part(1, false, "cut off")).unwrap();
        reader.read(6, term(1)).unwrap();
        reader.read(7, part(1, true, "two")).unwrap();
        reader.settle();
        assert_eq!(texts(reader.take()), ["one", "two"]);
        assert_eq!((reader.next(), reader.position()), (2, 7));
    }

    #[test]
    fn a_log_that_does_not_fit_is_refused() {
        assert!(matches!(Reader::new(0, 0).read(9, term(4)), Err(LogError::Unfit(_))));
        assert!(matches!(Reader::new(8, 5).read(9, part(4, true, "known")), Err(LogError::Unfit(_))));
    }
}
