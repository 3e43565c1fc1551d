//! One report of activity as its sender writes it: what it must say, and what it may.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use shared::{
    Fault,
    activity::{Activity, Author, Channel, Kind, Priority, What, identity, track},
    http::Fields,
    id::TenantId,
    snapshot::hour_of,
    tenant::Zone,
};

/// How far ahead of ours a sender's clock may be.
const AHEAD: SignedDuration = SignedDuration::from_mins(5);
/// How old a report may be.
const OLDEST: SignedDuration = SignedDuration::from_hours(400 * 24);
/// The longest id, name or code, in characters.
const LONGEST_TEXT: usize = 200;
/// The longest name of an agent or team, in bytes: it stands in many rows, and in the keys of some.
const LONGEST_NAME: usize = 64;

/// What happened. `type` says which of the other fields have to be there.
#[derive(utoipa::ToSchema)]
#[schema(as = ActivityEvent)]
#[expect(
    dead_code,
    reason = "it describes the form; the fields are read one by one so that all faults are told at once"
)]
pub struct Report {
    /// Your id of this event, unique for the thing that it is about. Sending it again changes nothing.
    #[schema(max_length = 200, example = "evt-7f3a")]
    id: String,
    /// What happened. `conversation.*` and `message.*` need `conversation_id`, `delivery.*` needs `message_id`,
    /// `ticket.*` needs `ticket_id`, `lead.*` `lead_id`, `campaign.*` `campaign_id`, `agent.*` `agent_id` and
    /// `status`, `session.*` `session_id` and `status`, `queue.*` `queue_id` and `depth`; `message.outbound` needs
    /// `author`.
    r#type: What,
    /// When it happened: RFC 3339, at most five minutes ahead and 400 days ago.
    #[schema(value_type = String, format = DateTime)]
    occurred_at: Timestamp,
    /// Where.
    channel: Channel,
    /// The agent who did it, or to whom it went: the `sub` of that person's token, so that it finds its own numbers. Up to
    /// 64 bytes.
    #[schema(max_length = 64)]
    agent_id: Option<String>,
    /// That agent's team, as in the `team` claim of its supervisor's token. Up to 64 bytes.
    #[schema(max_length = 64)]
    team: Option<String>,
    /// The conversation.
    conversation_id: Option<String>,
    /// The customer: any stable text; a hash will do, and is better.
    customer_id: Option<String>,
    /// The message, for WhatsApp its `wamid`.
    message_id: Option<String>,
    /// The ticket.
    ticket_id: Option<String>,
    /// The lead.
    lead_id: Option<String>,
    /// The campaign or broadcast that it belongs to.
    campaign_id: Option<String>,
    /// The messaging session.
    session_id: Option<String>,
    /// The queue.
    queue_id: Option<String>,
    /// Who wrote, or who resolved.
    author: Option<Author>,
    /// How urgent a ticket is; normal where nobody says.
    priority: Option<Priority>,
    /// Why a delivery failed, in the network's own code.
    error_code: Option<String>,
    /// The new status of an agent or a session.
    status: Option<String>,
    /// How many messages waited in a queue.
    depth: Option<u64>,
    /// What it cost in US dollars, as a decimal string.
    cost_usd: Option<String>,
}

/// The report at a place of the batch, or all that is wrong with it.
pub(crate) fn read(
    value: Value,
    at: &str,
    tenant: TenantId,
    zone: &Zone,
    now: Timestamp,
) -> Result<Activity, Vec<Fault>> {
    let Value::Object(object) = value else {
        return Err(vec![Fault::at(at, "is not an object")]);
    };
    let mut fields = Fields::new(object, at);
    let sent_id = text(&mut fields, "id");
    if sent_id.is_none() && fields.is_faultless() {
        fields.fault("id", "is missing");
    }
    let what: Option<What> = fields.required("type");
    let occurred_at = fields.required::<Timestamp>("occurred_at");
    if occurred_at.is_some_and(|at| at > now + AHEAD) {
        fields.fault("occurred_at", "lies in the future");
    }
    if occurred_at.is_some_and(|at| at < now - OLDEST) {
        fields.fault("occurred_at", "is more than 400 days ago");
    }
    let channel = fields.required("channel");
    let [
        agent_id,
        team,
        conversation_id,
        customer_id,
        message_id,
        ticket_id,
        lead_id,
        campaign_id,
        session_id,
        queue_id,
        error_code,
        status,
    ] = [
        "agent_id",
        "team",
        "conversation_id",
        "customer_id",
        "message_id",
        "ticket_id",
        "lead_id",
        "campaign_id",
        "session_id",
        "queue_id",
        "error_code",
        "status",
    ]
    .map(|name| text(&mut fields, name));
    for (name, given) in [("agent_id", &agent_id), ("team", &team)] {
        if given.as_ref().is_some_and(|given| given.len() > LONGEST_NAME) {
            fields.fault(name, format!("must have at most {LONGEST_NAME} bytes"));
        }
    }
    let author = fields.optional::<Author>("author");
    let priority = fields.optional("priority");
    let depth = fields.optional("depth");
    let cost_usd = fields.optional::<rust_decimal::Decimal>("cost_usd");
    if cost_usd.is_some_and(|cost| cost.is_sign_negative()) {
        fields.fault("cost_usd", "must not be negative");
    }

    let named = what.map(What::kind).and_then(|kind| {
        let id = match kind {
            Kind::Conversation => &conversation_id,
            Kind::Message => &message_id,
            Kind::Ticket => &ticket_id,
            Kind::Lead => &lead_id,
            Kind::Campaign => &campaign_id,
            Kind::Agent => &agent_id,
            Kind::Session => &session_id,
            Kind::Queue => &queue_id,
        };
        Some((kind, id.clone()?))
    });
    if let (Some(what), None, true) = (what, &named, fields.is_faultless()) {
        fields.fault(what.kind().field(), "is missing");
    }
    match what {
        Some(What::MessageOutbound) if author.is_none() && fields.is_faultless() => {
            fields.fault("author", "is missing: one of agent, bot, automation");
        }
        Some(What::MessageOutbound) if author == Some(Author::Agent) && agent_id.is_none() && fields.is_faultless() => {
            fields.fault("agent_id", "is missing: which agent wrote?");
        }
        Some(What::AgentStatusChanged | What::SessionStatusChanged) if status.is_none() && fields.is_faultless() => {
            fields.fault("status", "is missing");
        }
        Some(What::QueueMeasured) if depth.is_none() && fields.is_faultless() => fields.fault("depth", "is missing"),
        _ => {}
    }

    let (report, faults) = fields.finish(|| {
        let (what, occurred_at, sent_id) = (what?, occurred_at?, sent_id?);
        let (kind, name) = named?;
        Some(Activity {
            tenant,
            track: track(kind, &name),
            id: identity(&sent_id),
            hour: hour_of(zone, occurred_at),
            sent_id,
            what,
            occurred_at,
            accepted_at: now,
            channel: channel?,
            agent_id,
            team,
            conversation_id,
            customer_id,
            message_id,
            ticket_id,
            lead_id,
            campaign_id,
            session_id,
            queue_id,
            author,
            priority,
            error_code,
            status,
            depth,
            cost_usd,
        })
    });
    report.ok_or(faults)
}

fn text(fields: &mut Fields, name: &str) -> Option<String> {
    let text: String = fields.optional(name)?;
    if text.is_empty() || text.chars().count() > LONGEST_TEXT || text.chars().any(char::is_control) {
        fields.fault(name, format!("must have 1 to {LONGEST_TEXT} characters, none of them control characters"));
        return None;
    }
    Some(text)
}
