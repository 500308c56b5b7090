//! Agents of other processes at work: which sockets serve an agent, and which of them has which run.
//!
//! A run goes to one socket. It ends with that socket's answer, or with the socket; an agent whose last socket has gone
//! is gone.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, oneshot};

use crate::outbox::{Delivered, Outbox};
use crate::protocol::{AgentName, Answer, Code, Envelope, Error, MessageId, RunId, SessionId, Step, To};

/// Steps of one run that may wait to be passed on. As many as a run may report at all.
const MAX_STEPS: usize = 64;

/// The agents of a tenant that live in other processes and are connected. Bounded by its sessions.
pub type Desks = Mutex<HashMap<AgentName, Arc<Desk>>>;

/// Where one agent's runs are handed out to its sockets.
#[derive(Debug, Default)]
pub struct Desk {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    sockets: Vec<Socket>,
    /// Runs without an answer. Bounded by the agent's concurrency.
    waiting: HashMap<RunId, Waiting>,
}

#[derive(Debug)]
struct Socket {
    outbox: Outbox,
    busy: usize,
}

#[derive(Debug)]
struct Waiting {
    session: SessionId,
    steps: mpsc::Sender<Step>,
    answer: oneshot::Sender<Answer>,
}

/// A run that a socket has. Dropping it takes the run back: an answer that comes later is refused.
#[derive(Debug)]
pub struct Handed {
    desk: Arc<Desk>,
    run: RunId,
    /// What the agent reports on the way.
    pub steps: mpsc::Receiver<Step>,
    /// Its answer; closed if its socket is gone.
    pub answer: oneshot::Receiver<Answer>,
}

impl Desk {
    /// One more socket serves the agent.
    pub fn join(&self, outbox: Outbox) {
        self.state().sockets.push(Socket { outbox, busy: 0 });
    }

    /// A socket has gone; the runs it had are without an answer. Says whether it was the last.
    pub fn leave(&self, session: SessionId) -> bool {
        let mut state = self.state();
        state.leave(session);
        state.sockets.is_empty()
    }

    /// Hands a run to the socket that has least to do.
    ///
    /// # Errors
    /// `AGENT_FAILED` if the agent has no socket left.
    pub fn hand_out(self: &Arc<Self>, run: &RunId, work: &Arc<Envelope>) -> Result<Handed, Error> {
        loop {
            let (outbox, handed) = self.register(run)?;
            if outbox.deliver(To::Member, work) == Delivered::Yes {
                return Ok(handed);
            }
            self.leave(outbox.session);
        }
    }

    fn register(self: &Arc<Self>, run: &RunId) -> Result<(Outbox, Handed), Error> {
        let mut state = self.state();
        let idlest = state.sockets.iter_mut().min_by_key(|socket| socket.busy);
        let socket = idlest.ok_or_else(|| Error::new(Code::AgentFailed, "The agent is no longer connected"))?;
        socket.busy += 1;
        let outbox = socket.outbox.clone();
        let ((steps, reported), (answer, answered)) = (mpsc::channel(MAX_STEPS), oneshot::channel());
        state.waiting.insert(run.clone(), Waiting { session: outbox.session, steps, answer });
        drop(state);
        Ok((outbox, Handed { desk: self.clone(), run: run.clone(), steps: reported, answer: answered }))
    }

    /// A socket reports a step of a run.
    ///
    /// # Errors
    /// `RUN_NOT_FOUND` if nobody waits for it, `QUEUE_FULL` if the steps before it have not been passed on.
    pub fn step(&self, run: &MessageId, step: Step) -> Result<(), Error> {
        let state = self.state();
        let waiting = state.waiting.get(run.as_str()).ok_or_else(|| unknown(run))?;
        waiting.steps.try_send(step).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => {
                Error::new(Code::QueueFull, "Too many steps of this run wait; try again after a while")
            }
            mpsc::error::TrySendError::Closed(_) => unknown(run),
        })
    }

    /// A socket is about to answer a run: the way for the one answer it may have.
    ///
    /// # Errors
    /// `RUN_NOT_FOUND` if nobody waits for it.
    pub fn claim(&self, run: &MessageId) -> Result<oneshot::Sender<Answer>, Error> {
        self.state().take(run.as_str()).map(|waiting| waiting.answer).ok_or_else(|| unknown(run))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self, run: &str) -> Option<Waiting> {
        let waiting = self.waiting.remove(run)?;
        if let Some(socket) = self.sockets.iter_mut().find(|socket| socket.outbox.session == waiting.session) {
            socket.busy = socket.busy.saturating_sub(1);
        }
        Some(waiting)
    }

    fn leave(&mut self, session: SessionId) {
        self.sockets.retain(|socket| socket.outbox.session != session);
        self.waiting.retain(|_, waiting| waiting.session != session);
    }
}

impl Drop for Handed {
    fn drop(&mut self) {
        drop(self.desk.state().take(self.run.as_str()));
    }
}

/// The error for a reply to something that is not, or no longer, waited for.
pub fn unknown(run: &MessageId) -> Error {
    Error::new(Code::RunNotFound, format!("Nothing waits for a reply to {run}"))
        .with_details("reply_to: expected the id of a message that asks this agent and has not been answered")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::outbox::Outlet;
    use crate::protocol::{Delivery, Event, StepKind};

    struct Ear(bool);

    impl Outlet for Ear {
        fn deliver(&self, _: Delivery) -> Delivered {
            if self.0 { Delivered::Yes } else { Delivered::Gone }
        }
    }

    fn outbox(session: u64, hears: bool) -> Outbox {
        Outbox::new(SessionId(session), Arc::new(Ear(hears)), None)
    }

    fn run(id: &str) -> (RunId, MessageId, Arc<Envelope>) {
        (RunId::trusted(id), MessageId::trusted(id), Envelope::new(Event::Noted))
    }

    #[test]
    fn a_run_goes_to_one_socket_and_its_answer_comes_back_once() {
        let desk = Arc::new(Desk::default());
        desk.join(outbox(1, true));
        let (id, message, work) = run("run-1-1-1");
        let mut handed = desk.hand_out(&id, &work).unwrap();
        desk.step(&message, Step::now(StepKind::Planning, "thinking", 0.5)).unwrap();
        desk.claim(&message).unwrap().send(Answer { text: "done".into(), ..Answer::default() }).unwrap();
        assert_eq!(handed.steps.try_recv().unwrap().content, "thinking");
        assert_eq!(handed.answer.try_recv().unwrap().text, "done");
        assert_eq!(desk.claim(&message).unwrap_err().code, Code::RunNotFound);
    }

    #[test]
    fn work_is_shared_and_a_socket_that_goes_takes_only_its_own() {
        let desk = Arc::new(Desk::default());
        desk.join(outbox(1, true));
        desk.join(outbox(2, true));
        let ((one, first, work), (other, second, _)) = (run("run-1-1-1"), run("run-1-2-1"));
        let (mut a, mut b) = (desk.hand_out(&one, &work).unwrap(), desk.hand_out(&other, &work).unwrap());
        assert!(!desk.leave(SessionId(1)));
        assert!(matches!(a.answer.try_recv(), Err(oneshot::error::TryRecvError::Closed)));
        assert!(desk.claim(&first).is_err());
        desk.claim(&second).unwrap().send(Answer::default()).unwrap();
        b.answer.try_recv().unwrap();
        assert!(desk.leave(SessionId(2)));
        assert_eq!(desk.hand_out(&one, &work).unwrap_err().code, Code::AgentFailed);
    }

    #[test]
    fn a_socket_that_does_not_hear_is_passed_by() {
        let desk = Arc::new(Desk::default());
        desk.join(outbox(1, false));
        desk.join(outbox(2, true));
        let (id, message, work) = run("run-1-1-1");
        let handed = desk.hand_out(&id, &work).unwrap();
        desk.step(&message, Step::now(StepKind::Action, "at it", 0.5)).unwrap();
        drop(handed);
        assert!(desk.claim(&message).is_err());
    }
}
