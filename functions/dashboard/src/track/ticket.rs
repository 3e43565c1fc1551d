//! A ticket: when it was open, how urgent, and with whom. It begins with the first thing that is known of it.

use jiff::Timestamp;
use shared::{
    activity::{Priority, What},
    snapshot::{Credit, Metric},
};

use super::{Ledger, Note, credit, seconds};

pub(super) fn tell(reports: &[Note], ledger: &mut Ledger) {
    let Some(first) = reports.first() else { return };
    let mut with = credit(first);
    let mut priority = first.priority.unwrap_or(Priority::Normal);
    let mut open: Option<(Timestamp, Credit, Priority)> = None;

    for (nth, report) in reports.iter().enumerate() {
        let hour = report.hour;
        priority = report.priority.unwrap_or(priority);
        if let Some(agent) = &report.agent_id {
            with.agent = Some(agent.clone());
        }
        if let Some(team) = &report.team {
            with.team = Some(team.clone());
        }
        if nth == 0 {
            ledger.count(hour, &with, Metric::TicketsOpened, 1);
        }
        if nth == 0 || (open.is_none() && report.what == What::TicketReopened) {
            ledger.count(hour, &with, metric(priority), 1);
            open = Some((report.occurred_at, with.clone(), priority));
        }
        if let Some((_, was_with, was_priority)) = &mut open
            && (*was_with != with || *was_priority != priority)
        {
            ledger.count(hour, was_with, metric(*was_priority), -1);
            ledger.count(hour, &with, metric(priority), 1);
            (*was_with, *was_priority) = (with.clone(), priority);
        }
        if report.what == What::TicketResolved
            && let Some((since, with, priority)) = open.take()
        {
            ledger.count(hour, &with, metric(priority), -1);
            ledger.count(hour, &with, Metric::TicketsResolved, 1);
            ledger.time(hour, &with, Metric::TicketSeconds, seconds(since, report.occurred_at));
        }
    }
}

fn metric(priority: Priority) -> Metric {
    match priority {
        Priority::Low => Metric::TicketsLow,
        Priority::Normal => Metric::TicketsNormal,
        Priority::High => Metric::TicketsHigh,
        Priority::Urgent => Metric::TicketsUrgent,
    }
}
