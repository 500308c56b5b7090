//! Taking a request for agents: who is asked, is there room, write it down.

use std::collections::VecDeque;
use std::sync::Arc;

use actix::prelude::*;

use super::Conversation;
use super::inquiry::{Ahead, Asker, Inquiry};
use super::listed::Listed;
use super::record::{self, AskRecord, MessageRecord, StateRecord};
use super::writing::Write;
use crate::directory::Listing;
use crate::journal::{Batch, Entry};
use crate::protocol::{
    AgentId, AgentName, Ask, Error, Message, MessageId, Mode, Part, Principal, Role, Run, Timestamp, Trail, Turn,
};
use crate::request::Request;
use crate::runs::LiveRun;
use crate::tape::{Gate, Tape};

impl Conversation {
    pub(super) fn ask(&mut self, request: &Request, ask: Ask, ctx: &mut Context<Self>) -> Result<(), Error> {
        self.tenant.house.check_open()?;
        self.usable(&request.principal)?;
        let (agents, content) = self.addressed(&ask)?;
        let places = agents.iter().map(|agent| agent.card.reserve()).collect::<Result<Vec<_>, _>>()?;

        let names: Vec<AgentName> = agents.iter().map(|agent| agent.card.name().clone()).collect();
        let mut state = self.state_or_new(&request.principal, ask.private)?;
        state.agents.extend(names.iter().filter(|name| !state.agents.contains(name)).cloned().collect::<Vec<_>>());
        let record = MessageRecord {
            id: MessageId::random(),
            role: Role::User,
            agent: None,
            parts: vec![Part::Text(ask.content)],
            created_at: Timestamp::now(),
            asks: Some(AskRecord { agents: names, kind: ask.kind, request_id: ask.request_id.clone() }),
            answers: None,
        };
        let mut batch: Batch = self.state_entries(state)?;
        let (mut entry, question) = self.message_entry(record)?;
        if let Entry::Append { opens, .. } = &mut entry {
            *opens = true;
        }
        batch.push(entry);

        let turns = u16::try_from(agents.len()).unwrap_or(u16::MAX);
        let ahead: VecDeque<Ahead> = agents
            .into_iter()
            .zip(places)
            .zip(1..)
            .map(|((agent, place), index)| {
                let turn = Turn { index, of: turns };
                let name = agent.card.name().clone();
                let run = self.run_of(&question, name, turn, ask.kind, ask.request_id.clone());
                Ahead { live: self.list(run, Some(&agent)), seat: Some((agent, place)) }
            })
            .collect();
        let asked_at = question.seq;
        let inquiry = Inquiry {
            asker: Asker::of(request),
            question,
            origin: asked_at,
            content,
            parameters: ask.parameters,
            context: ask.context,
            trace: ask.trace,
            kind: ask.kind,
            priority: ask.priority,
            stream: ask.stream,
            serial: ask.serial,
            request_id: ask.request_id,
            trail: Trail::default(),
            turns,
            ahead,
            current: None,
            durable: false,
            cancelled: false,
        };
        self.inquiries.insert(asked_at, inquiry);
        self.append(batch, Write::Question { asked_at }, ctx);
        Ok(())
    }

    /// The run that a question asks for.
    pub(super) fn run_of(
        &self,
        question: &Arc<Message>,
        agent: AgentName,
        turn: Turn,
        kind: crate::protocol::RunKind,
        request_id: Option<String>,
    ) -> Arc<Run> {
        Arc::new(Run {
            id: record::run_id(self.log.place(), question.seq, turn.index),
            kind,
            agent_id: AgentId::of(&self.tenant.id, &agent),
            agent,
            conversation: self.id.clone(),
            asked_by: question.id.clone(),
            asked_at: question.seq,
            request_id,
            turn,
            created_at: question.created_at,
        })
    }

    /// Lists a run among those that have not ended.
    pub(super) fn list(&self, run: Arc<Run>, agent: Option<&Listing>) -> Listed {
        let owner = self.log.state.as_ref().and_then(|state| state.owner.clone());
        let known = agent.cloned().or_else(|| self.tenant.directory.find(run.agent.as_str()));
        let gate = known.map(|agent| Gate::Ask(agent.card.persona.approval.clone()));
        Listed::new(&self.tenant, LiveRun::new(run, owner, Tape::new(gate.unwrap_or_default())))
    }

    /// The state as it is, or as it is when the conversation is made now.
    pub(super) fn state_or_new(&self, principal: &Principal, private: bool) -> Result<StateRecord, Error> {
        if let Some(state) = &self.log.state {
            return Ok(state.clone());
        }
        Ok(StateRecord {
            owner: private.then(|| principal.subject.clone()),
            agents: Vec::new(),
            lead: self.tenant.directory.lead()?,
            mode: Mode::Lead,
            created_at: Timestamp::now(),
        })
    }

    /// Who is asked, and what they are told: the agent that the request names, an `@name` at the beginning of what it
    /// says, or whom the mode says.
    fn addressed(&self, ask: &Ask) -> Result<(Vec<Listing>, String), Error> {
        let directory = &self.tenant.directory;
        if let Some(agent) = &ask.agent {
            return Ok((vec![directory.get(agent.as_str())?], ask.content.clone()));
        }
        if let Some((name, rest)) = mention(&ask.content) {
            return Ok((vec![directory.get(name)?], rest.to_owned()));
        }
        let default = directory.lead()?;
        let (mode, lead, agents) = match &self.log.state {
            Some(state) => (state.mode, &state.lead, state.agents.as_slice()),
            None => (Mode::Lead, &default, [].as_slice()),
        };
        let listings = match mode {
            // An agent of another process may have left; the others answer.
            Mode::All if agents.iter().any(|name| directory.find(name.as_str()).is_some()) => {
                agents.iter().filter_map(|name| directory.find(name.as_str())).collect()
            }
            Mode::Auto if !agents.is_empty() => {
                vec![directory.get(directory.best(agents, &ask.content, lead).as_str())?]
            }
            Mode::Lead | Mode::All | Mode::Auto => vec![directory.get(lead.as_str())?],
        };
        Ok((listings, ask.content.clone()))
    }
}

/// The agent that a text is addressed to, `@name` at its beginning, and what it says.
fn mention(text: &str) -> Option<(&str, &str)> {
    let rest = text.trim_start().strip_prefix('@')?;
    let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "_-".contains(c))).unwrap_or(rest.len());
    let (name, rest) = rest.split_at(end);
    let said = rest.trim_start_matches([',', ':', '.', ' ', '\t', '\n']);
    let apart = rest.is_empty() || rest.starts_with([',', ':', ' ', '\t', '\n']);
    (!name.is_empty() && apart && !said.is_empty()).then_some((name, said))
}

#[cfg(test)]
mod tests {
    use super::mention;

    #[test]
    fn a_name_at_the_beginning_addresses_an_agent() {
        assert_eq!(mention("@sage what is this?"), Some(("sage", "what is this?")));
        assert_eq!(mention("  @aria, how are you"), Some(("aria", "how are you")));
        for plain in ["hello @sage", "@", "@sage", "@ sage hi", "me@example.org wrote", "@a/b c"] {
            assert_eq!(mention(plain), None, "{plain}");
        }
    }
}
