//! A conversation: when it was open and with whom, who wrote, and how long the customer waited for a person.
//!
//! It begins with the first thing that is known of it. A customer who writes after it was closed opens it again. A wait
//! begins with the first message that no person has answered yet; replies of bots and automations do not end it, a
//! resolution ends it without an answer. The wait is credited to whoever replied, in the hour of the reply.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use shared::{
    activity::{Author, What},
    snapshot::{Credit, Metric, Standing},
};

use super::{Ledger, Note, credit, seconds};

/// A checkpoint is made after so many reports, before the next hour.
const EVERY: usize = 20;

/// Tells the reports since a checkpoint, or all of them. How it stood before those hours of which that is kept, and how it
/// stands at the end.
pub(super) fn tell(
    reports: &[Note],
    since: Option<Standing>,
    again: &BTreeSet<Timestamp>,
    ledger: &mut Ledger,
) -> (BTreeMap<Timestamp, Standing>, Option<Standing>) {
    let mut kept = BTreeMap::new();
    let Some(first) = reports.first() else { return (kept, since) };
    let is_new = since.is_none();
    let mut it = Conversation(since.unwrap_or(Standing {
        with: Credit { agent: None, team: None, channel: first.channel },
        open: None,
        waiting: None,
        replied: false,
    }));
    let (mut hour, mut heard) = (first.hour, 0);
    for (nth, report) in reports.iter().enumerate() {
        if report.hour != hour && (heard >= EVERY || again.contains(&report.hour)) {
            kept.insert(report.hour, it.0.clone());
            heard = 0;
        }
        hour = report.hour;
        heard += 1;
        it.hear(report, is_new && nth == 0, ledger);
    }
    (kept, Some(it.0))
}

struct Conversation(Standing);

impl Conversation {
    fn hear(&mut self, report: &Note, is_first: bool, ledger: &mut Ledger) {
        let hour = report.hour;
        match report.what {
            What::ConversationAssigned => self.hand(report.agent_id.clone(), report.team.clone()),
            What::ConversationOpened | What::ConversationEscalated | What::ConversationReopened
                if report.agent_id.is_some() || report.team.is_some() =>
            {
                self.hand(report.agent_id.clone(), report.team.clone());
            }
            _ => {}
        }
        if is_first {
            ledger.count(hour, &self.0.with, Metric::Opened, 1);
            self.open(report, ledger);
        } else if self.0.open.is_none() && matches!(report.what, What::ConversationReopened | What::MessageInbound) {
            ledger.count(hour, &self.0.with, Metric::Reopened, 1);
            self.open(report, ledger);
        }
        self.follow(report, ledger);

        match report.what {
            What::ConversationEscalated => ledger.count(hour, &self.0.with, Metric::Escalated, 1),
            What::MessageInbound => {
                ledger.count(hour, &self.0.with, Metric::Inbound, 1);
                self.0.waiting.get_or_insert(report.occurred_at);
            }
            What::MessageOutbound => match report.author {
                Some(Author::Bot) => ledger.count(hour, &self.0.with, Metric::ByBot, 1),
                Some(Author::Automation) => ledger.count(hour, &self.0.with, Metric::ByAutomation, 1),
                Some(Author::Agent) | None => self.reply(report, ledger),
            },
            What::ConversationResolved => self.close(report, ledger),
            _ => {}
        }
    }

    /// An agent without a team stays in the team that has the conversation; nobody at all takes it from both.
    fn hand(&mut self, agent: Option<String>, team: Option<String>) {
        self.0.with.team = team.or_else(|| agent.as_ref().and(self.0.with.team.take()));
        self.0.with.agent = agent;
    }

    fn open(&mut self, report: &Note, ledger: &mut Ledger) {
        ledger.count(report.hour, &self.0.with, Metric::Open, 1);
        self.0.open = Some((report.occurred_at, self.0.with.clone()));
        self.0.replied = false;
    }

    /// What is open is open with whoever has it.
    fn follow(&mut self, report: &Note, ledger: &mut Ledger) {
        if let Some((_, with)) = &mut self.0.open
            && *with != self.0.with
        {
            ledger.count(report.hour, with, Metric::Open, -1);
            ledger.count(report.hour, &self.0.with, Metric::Open, 1);
            *with = self.0.with.clone();
        }
    }

    fn reply(&mut self, report: &Note, ledger: &mut Ledger) {
        let mut by = credit(report);
        if by.team.is_none() && by.agent == self.0.with.agent {
            by.team = self.0.with.team.clone();
        }
        ledger.count(report.hour, &by, Metric::ByAgent, 1);
        if let Some(since) = self.0.waiting.take() {
            let waited = seconds(since, report.occurred_at);
            ledger.count(report.hour, &by, Metric::Responses, 1);
            ledger.time(report.hour, &by, Metric::ResponseSeconds, waited);
            ledger.wait(report.hour, &by, waited);
            if !self.0.replied {
                ledger.count(report.hour, &by, Metric::FirstResponses, 1);
                ledger.time(report.hour, &by, Metric::FirstResponseSeconds, waited);
            }
        }
        self.0.replied = true;
    }

    fn close(&mut self, report: &Note, ledger: &mut Ledger) {
        self.0.waiting = None;
        if let Some((since, with)) = self.0.open.take() {
            ledger.count(report.hour, &with, Metric::Open, -1);
            ledger.count(report.hour, &with, Metric::Resolved, 1);
            ledger.time(report.hour, &with, Metric::ResolutionSeconds, seconds(since, report.occurred_at));
        }
    }
}
