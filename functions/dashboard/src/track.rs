//! What the reports of one track amount to, hour by hour: worked out from them alone, in whatever order they came.
//!
//! A conversation may be told in stretches of whole hours, each from where the one before left it.

mod conversation;
mod message;
mod ticket;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use shared::{
    activity::{Activity, Author, Channel, Kind, Priority, What},
    id::ActivityId,
    snapshot::{Credit, Metric, Part, Standing},
};

/// What an account needs of a report: of a long track many are held at once.
pub(crate) struct Note {
    pub(crate) hour: Timestamp,
    pub(crate) what: What,
    occurred_at: Timestamp,
    id: ActivityId,
    channel: Channel,
    author: Option<Author>,
    priority: Option<Priority>,
    agent_id: Option<String>,
    team: Option<String>,
}

impl From<Activity> for Note {
    fn from(report: Activity) -> Self {
        Self {
            hour: report.hour,
            what: report.what,
            occurred_at: report.occurred_at,
            id: report.id,
            channel: report.channel,
            author: report.author,
            priority: report.priority,
            agent_id: report.agent_id,
            team: report.team,
        }
    }
}

/// What a track amounts to.
#[derive(Default)]
pub(crate) struct Account {
    /// What each hour gets. Every hour that it was reported in is there, if only to say that it gets nothing.
    pub(crate) hours: BTreeMap<Timestamp, Vec<Part>>,
    /// How a conversation stood before some of those hours.
    pub(crate) checkpoints: BTreeMap<Timestamp, Standing>,
    /// How a conversation stands at the end.
    pub(crate) standing: Option<Standing>,
}

/// The account of all reports of a track; of a conversation also of all since a checkpoint. A checkpoint is made again
/// wherever there was one, for a late report may have changed how the conversation stood then.
pub(crate) fn account(mut reports: Vec<Note>, since: Option<Standing>, again: &BTreeSet<Timestamp>) -> Account {
    reports.sort_unstable_by_key(|report| (report.occurred_at, place(report.what), report.id));
    let mut ledger = Ledger::default();
    let (mut checkpoints, mut standing) = (BTreeMap::new(), None);
    match reports.first().map(|first| first.what.kind()) {
        Some(Kind::Conversation) => {
            (checkpoints, standing) = conversation::tell(&reports, since, again, &mut ledger);
        }
        Some(Kind::Message) => message::tell(&reports, &mut ledger),
        Some(Kind::Ticket) => ticket::tell(&reports, &mut ledger),
        Some(Kind::Lead) => lead(&reports[0], &mut ledger),
        Some(Kind::Campaign | Kind::Agent | Kind::Session | Kind::Queue) | None => {}
    }
    Account { hours: ledger.by_hour(&reports), checkpoints, standing }
}

/// What comes first of that which happened at the same moment: one cannot be answered before one has written.
fn place(what: What) -> u8 {
    match what {
        What::ConversationOpened | What::TicketOpened | What::DeliverySent => 0,
        What::ConversationReopened | What::TicketReopened => 1,
        What::ConversationAssigned | What::TicketUpdated => 2,
        What::ConversationEscalated => 3,
        What::MessageInbound => 4,
        What::MessageOutbound => 5,
        What::ConversationResolved | What::TicketResolved => 6,
        What::DeliveryDelivered
        | What::DeliveryRead
        | What::DeliveryFailed
        | What::DeliverySkipped
        | What::LeadCreated
        | What::CampaignConverted
        | What::AgentStatusChanged
        | What::SessionStatusChanged
        | What::QueueMeasured => 7,
    }
}

fn lead(first: &Note, ledger: &mut Ledger) {
    ledger.count(first.hour, &credit(first), Metric::Leads, 1);
}

/// As the report itself says.
fn credit(report: &Note) -> Credit {
    Credit { agent: report.agent_id.clone(), team: report.team.clone(), channel: report.channel }
}

/// Whole seconds between two moments, never negative.
fn seconds(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.duration_since(from).as_secs()).unwrap_or_default()
}

/// What is credited to whom in which hour.
#[derive(Default)]
struct Ledger(BTreeMap<(Timestamp, Credit), Entry>);

#[derive(Default)]
struct Entry {
    counts: BTreeMap<Metric, i64>,
    waits: BTreeMap<u64, u64>,
}

impl Ledger {
    fn at(&mut self, hour: Timestamp, credit: &Credit) -> &mut Entry {
        self.0.entry((hour, credit.clone())).or_default()
    }

    fn count(&mut self, hour: Timestamp, credit: &Credit, metric: Metric, more: i64) {
        *self.at(hour, credit).counts.entry(metric).or_default() += more;
    }

    fn time(&mut self, hour: Timestamp, credit: &Credit, metric: Metric, seconds: u64) {
        self.count(hour, credit, metric, i64::try_from(seconds).unwrap_or(i64::MAX));
    }

    fn wait(&mut self, hour: Timestamp, credit: &Credit, seconds: u64) {
        *self.at(hour, credit).waits.entry(seconds).or_default() += 1;
    }

    fn by_hour(self, reports: &[Note]) -> BTreeMap<Timestamp, Vec<Part>> {
        let mut hours: BTreeMap<Timestamp, Vec<Part>> =
            reports.iter().map(|report| (report.hour, Vec::new())).collect();
        for ((hour, credit), Entry { mut counts, waits }) in self.0 {
            counts.retain(|_, count| *count != 0);
            if !counts.is_empty() || !waits.is_empty() {
                hours.entry(hour).or_default().push(Part { credit, counts, waits: waits.into_iter().collect() });
            }
        }
        hours
    }
}
