//! Watches every session from outside: counts them, makes their hearts beat, and ends those that do not end by
//! themselves.
//!
//! One look a second at all sessions replaces a timer in each. A look reads a few atomics a session; only every
//! heartbeat is the actor itself asked, and answers by sending a ping and noting that it ran. What the client hears
//! and says is the session's matter.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use actix::prelude::*;

use super::close::{self, CloseReason};
use super::cord::Cord;
use super::gate::{Gate, now};

/// When sessions are looked at, and how many there may be.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Between two looks.
    pub look: Duration,
    /// Between two pings to a client. An actor that does not answer for two of these is cut off.
    pub heartbeat: Duration,
    /// A client silent for this long is closed.
    pub silence: Duration,
    /// What a session that is to close is given before its socket is cut.
    pub grace: Duration,
    /// How many sessions are admitted at a time.
    pub sessions: usize,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            look: Duration::from_secs(1),
            heartbeat: Duration::from_secs(15),
            silence: Duration::from_secs(45),
            grace: Duration::from_secs(3),
            sessions: 10_000,
        }
    }
}

/// An actor that left this many beats in a row unanswered is frozen behind its socket.
const MOST_MISSED: u32 = 2;

/// What a session actor is told from outside. It hands it to [`Wire::nudged`](super::Wire::nudged).
#[derive(Message, Clone, Debug)]
#[rtype(result = "()")]
pub enum Nudge {
    /// A heartbeat is due.
    Beat,
    /// Close the session, for this reason.
    Close(CloseReason),
}

/// The watch over all sessions of a server.
#[derive(Debug)]
pub struct Reaper {
    rules: Rules,
    seated: AtomicUsize,
    next: AtomicU64,
    // As many entries as there are sessions, and for at most one look and one grace those that just ended.
    watched: Mutex<HashMap<u64, Watched>>,
}

/// One session under watch. Both ends of it are held weakly: the entry goes when they have gone.
#[derive(Debug)]
struct Watched {
    gate: Weak<Gate>,
    cord: Weak<Cord>,
    actor: Recipient<Nudge>,
    /// When it was last sent a beat.
    beaten: u64,
    /// Beats in a row that it did not answer before the next was due.
    missed: u32,
    /// When it was found to have to end.
    doomed: Option<u64>,
}

/// What a look at a session comes to.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Keep,
    Forget,
    Cut,
}

/// A place among the admitted sessions, given back when dropped.
#[derive(Debug)]
pub struct Seat(Arc<Reaper>);

impl Seat {
    pub(super) fn reaper(&self) -> &Arc<Reaper> {
        &self.0
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.seated.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Reaper {
    /// A watch over nobody yet. Somebody must run it: [`Reaper::run`].
    pub fn new(rules: Rules) -> Arc<Self> {
        Arc::new(Self { rules, seated: AtomicUsize::new(0), next: AtomicU64::new(0), watched: Mutex::default() })
    }

    /// The rules it watches by.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// A seat for one more session; `None` if the house is full.
    pub fn admit(self: &Arc<Self>) -> Option<Seat> {
        let more = |seated| (seated < self.rules.sessions).then_some(seated + 1);
        self.seated.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).ok()?;
        Some(Seat(Arc::clone(self)))
    }

    /// How many sessions there are.
    pub fn sessions(&self) -> usize {
        self.seated.load(Ordering::Acquire)
    }

    /// Takes a session under watch until its gate and its cord are gone.
    pub(super) fn watch(&self, gate: &Arc<Gate>, cord: Weak<Cord>, actor: Recipient<Nudge>) {
        let entry = Watched::new(gate, cord, actor);
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        self.lock().insert(id, entry);
    }

    /// Tells every session to close. They do as their sockets take what still waits.
    pub fn close_all(&self, reason: &CloseReason) {
        for session in self.lock().values() {
            // A session too busy to be told is told again by nobody: the server's own end cuts it.
            let _ = session.actor.try_send(Nudge::Close(reason.clone()));
        }
    }

    /// Looks at the sessions for ever. One such task serves the whole server.
    pub async fn run(self: Arc<Self>) {
        let mut looks = tokio::time::interval(self.rules.look);
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            self.look();
        }
    }

    /// One look at every session.
    fn look(&self) {
        let now = now();
        self.lock().retain(|_, session| match session.look(&self.rules, now) {
            Verdict::Keep => true,
            Verdict::Forget => false,
            Verdict::Cut => {
                if let Some(cord) = session.cord.upgrade() {
                    cord.cut();
                }
                false
            }
        });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Watched>> {
        // No half-done change can be left behind by a panic: each entry is judged alone.
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watched {
    fn new(gate: &Arc<Gate>, cord: Weak<Cord>, actor: Recipient<Nudge>) -> Self {
        // The gate has just ticked, so the first beat is due a heartbeat from now, and none is missed before it.
        let beaten = gate.ticked();
        Self { gate: Arc::downgrade(gate), cord, actor, beaten, missed: 0, doomed: None }
    }

    fn look(&mut self, rules: &Rules, now: u64) -> Verdict {
        let Some(gate) = self.gate.upgrade() else {
            return if self.cord.strong_count() == 0 { Verdict::Forget } else { self.doom(rules, now) };
        };
        if gate.overflowed() {
            if self.doomed.is_none() {
                let _ = self.actor.try_send(Nudge::Close(close::slow_consumer()));
            }
            return self.doom(rules, now);
        }
        if now.saturating_sub(self.beaten) < millis(rules.heartbeat) {
            return Verdict::Keep;
        }
        // Counted in beats, not in time: after a pause of the whole process nobody is late.
        self.missed = if gate.ticked() < self.beaten { self.missed + 1 } else { 0 };
        if self.missed >= MOST_MISSED {
            return Verdict::Cut;
        }
        self.beaten = now;
        // Refused means stopped or stuck; the next beats will tell.
        let _ = self.actor.try_send(Nudge::Beat);
        Verdict::Keep
    }

    fn doom(&mut self, rules: &Rules, now: u64) -> Verdict {
        let since = *self.doomed.get_or_insert(now);
        if now - since >= millis(rules.grace) { Verdict::Cut } else { Verdict::Keep }
    }
}

fn millis(duration: Duration) -> u64 {
    duration.as_millis() as u64
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::gate::Queue;
    use super::*;

    #[test]
    fn a_full_house_admits_when_somebody_leaves() {
        let reaper = Reaper::new(Rules { sessions: 2, ..Rules::default() });
        let first = reaper.admit().unwrap();
        let second = reaper.admit().unwrap();
        assert!(reaper.admit().is_none());
        drop(first);
        assert_eq!(reaper.sessions(), 1);
        assert!(reaper.admit().is_some());
        drop(second);
        assert_eq!(reaper.sessions(), 0);
    }

    /// Answers no beat, as an actor behind a full socket.
    struct Frozen;

    impl Actor for Frozen {
        type Context = Context<Self>;
    }

    impl Handler<Nudge> for Frozen {
        type Result = ();

        fn handle(&mut self, _: Nudge, _: &mut Self::Context) {}
    }

    #[actix::test]
    async fn two_missed_beats_are_the_end_and_a_late_look_is_not() {
        let rules = Rules::default();
        let beat = millis(rules.heartbeat);
        let gate = Gate::new(Default::default());
        let mut session = Watched::new(&gate, Weak::new(), Frozen.start().recipient());
        let start = gate.ticked();
        assert_eq!(session.look(&rules, start + 20 * beat), Verdict::Keep);
        assert_eq!(session.look(&rules, start + 21 * beat), Verdict::Keep);
        assert_eq!(session.look(&rules, start + 22 * beat - 1), Verdict::Keep);
        assert_eq!(session.look(&rules, start + 22 * beat), Verdict::Cut);
    }

    #[actix::test]
    async fn an_overflow_is_cut_after_its_grace_and_the_gone_are_forgotten() {
        let rules = Rules::default();
        let gate = Gate::new(Queue { frames: 0, bytes: 0 });
        let mut session = Watched::new(&gate, Weak::new(), Frozen.start().recipient());
        let held = gate.charge(1).unwrap();
        gate.charge(1).unwrap_err();
        let found = gate.ticked();
        assert_eq!(session.look(&rules, found), Verdict::Keep);
        assert_eq!(session.look(&rules, found + millis(rules.grace)), Verdict::Cut);
        drop((held, gate));
        assert_eq!(session.look(&rules, found), Verdict::Forget);
    }
}
