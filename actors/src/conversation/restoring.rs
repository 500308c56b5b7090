//! Bringing back into being the runs that waited for approval when the server stopped.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;

use super::Conversation;
use super::inquiry::{Ahead, Asker, Inquiry, OpenRun, Waiting};
use super::listed::Listed;
use super::loading::Restored;
use super::record::AskRecord;
use crate::protocol::{AgentName, Approval, Message, Run, Timestamp, Trail, Turn};
use crate::runs::LiveRun;

impl Conversation {
    /// Brings runs that wait back into being, as the journal has them.
    pub(super) fn restore(&mut self, restored: Vec<Restored>, ctx: &mut Context<Self>) {
        for waiting in restored {
            if !self.inquiries.contains_key(&waiting.wait.asked_at) {
                self.restore_one(waiting, ctx);
            }
        }
    }

    fn restore_one(&mut self, restored: Restored, ctx: &mut Context<Self>) {
        let Restored { seq, at, wait, tape, question, ask } = restored;
        let Some(opening) = tape.opening() else { return };
        let turns = u16::try_from(ask.agents.len()).unwrap_or(u16::MAX);
        let owner = self.log.state.as_ref().and_then(|state| state.owner.clone());
        let Some(name) = ask.agents.get(usize::from(wait.turn).saturating_sub(1)).cloned() else { return };
        let run = self.run_again(&question, &ask, &name, Turn { index: wait.turn, of: turns });
        let live = Listed::new(&self.tenant, LiveRun::new(run.clone(), owner, tape));
        let approval = Approval { calls: wait.calls.clone(), asked_at: at, expires_at: wait.expires_at };
        let approval = Arc::new(approval);
        live.start(wait.started_at);
        wait.steps.iter().for_each(|step| live.step(step.clone()));
        live.waits(Some(approval.clone()));
        let agent = self.tenant.directory.find(name.as_str());
        let told = wait.told();
        let waiting = Waiting { approval, told, seq, durable: true, deciding: false, timer: None };
        let current = OpenRun {
            live,
            parked: agent.as_ref().and_then(|agent| agent.card.park().ok()),
            agent,
            place: None,
            waiting: Some(waiting),
            deltas: 0,
            streamed: told.bytes,
            cancel: Default::default(),
            ending: false,
        };
        let ahead = (wait.turn + 1..=turns).filter_map(|index| {
            let name = ask.agents.get(usize::from(index) - 1)?;
            let run = self.run_again(&question, &ask, name, Turn { index, of: turns });
            Some(Ahead { seat: None, live: self.list(run, None) })
        });
        let mut inquiry = Inquiry {
            asker: Asker::gone(),
            content: opening.content,
            parameters: opening.parameters,
            kind: ask.kind,
            priority: wait.priority,
            stream: wait.stream,
            serial: wait.serial,
            request_id: ask.request_id.clone(),
            origin: question.seq,
            trail: Trail::default(),
            // What the asker brought along and the trace it came with ended with the process.
            context: Vec::new(),
            trace: None,
            turns,
            ahead: ahead.collect(),
            current: Some(current),
            durable: true,
            cancelled: false,
            question,
        };
        inquiry.rest(true);
        self.inquiries.insert(wait.asked_at, inquiry);
        if wait.serial {
            self.serial.push_back(wait.asked_at);
        }
        let left = Duration::from_millis(wait.expires_at.since(Timestamp::now()));
        self.expire_after(&run, left, ctx);
    }

    /// A run as it was when it was accepted.
    fn run_again(&self, question: &Arc<Message>, ask: &AskRecord, agent: &AgentName, turn: Turn) -> Arc<Run> {
        self.run_of(question, agent.clone(), turn, ask.kind, ask.request_id.clone())
    }
}
