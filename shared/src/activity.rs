//! Activity: what happened in conversations, to sent messages and to tickets, as it was reported, kept for good.
//!
//! Every report belongs to one track: the conversation, message, ticket or other thing that it is about. A track's
//! reports stand in one partition, so what they amount to is worked out from them alone, in whatever order they came.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    id::{ActivityId, TenantId, TrackId},
    key::{self, Key},
    table::Row,
};

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
pub enum What {
    /// A conversation began.
    #[serde(rename = "conversation.opened")]
    ConversationOpened,
    /// It went to an agent or a team, or back to nobody.
    #[serde(rename = "conversation.assigned")]
    ConversationAssigned,
    /// A bot handed it to people.
    #[serde(rename = "conversation.escalated")]
    ConversationEscalated,
    /// It was closed.
    #[serde(rename = "conversation.resolved")]
    ConversationResolved,
    /// It was opened again.
    #[serde(rename = "conversation.reopened")]
    ConversationReopened,
    /// The customer wrote.
    #[serde(rename = "message.inbound")]
    MessageInbound,
    /// We wrote: an agent, a bot or an automation did.
    #[serde(rename = "message.outbound")]
    MessageOutbound,
    /// A message was handed to the network (the send call gave its id).
    #[serde(rename = "delivery.sent")]
    DeliverySent,
    /// It reached the customer's device.
    #[serde(rename = "delivery.delivered")]
    DeliveryDelivered,
    /// The customer saw it.
    #[serde(rename = "delivery.read")]
    DeliveryRead,
    /// The network gave up on it.
    #[serde(rename = "delivery.failed")]
    DeliveryFailed,
    /// It was left out on purpose and never handed to the network.
    #[serde(rename = "delivery.skipped")]
    DeliverySkipped,
    /// A ticket began.
    #[serde(rename = "ticket.opened")]
    TicketOpened,
    /// Its priority, agent or team changed.
    #[serde(rename = "ticket.updated")]
    TicketUpdated,
    /// It was closed.
    #[serde(rename = "ticket.resolved")]
    TicketResolved,
    /// It was opened again.
    #[serde(rename = "ticket.reopened")]
    TicketReopened,
    /// Somebody became a lead.
    #[serde(rename = "lead.created")]
    LeadCreated,
    /// A lead or customer did what a campaign was for.
    #[serde(rename = "campaign.converted")]
    CampaignConverted,
    /// An agent came, went or became busy.
    #[serde(rename = "agent.status_changed")]
    AgentStatusChanged,
    /// A messaging session was connected or lost.
    #[serde(rename = "session.status_changed")]
    SessionStatusChanged,
    /// How long a queue of messages was.
    #[serde(rename = "queue.measured")]
    QueueMeasured,
}

/// What a track follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A conversation and the messages in it.
    Conversation,
    /// The way of one sent message.
    Message,
    /// A ticket.
    Ticket,
    /// A lead.
    Lead,
    /// A campaign.
    Campaign,
    /// An agent.
    Agent,
    /// A messaging session.
    Session,
    /// A queue.
    Queue,
}

impl Kind {
    /// The field that names the thing.
    pub const fn field(self) -> &'static str {
        match self {
            Self::Conversation => "conversation_id",
            Self::Message => "message_id",
            Self::Ticket => "ticket_id",
            Self::Lead => "lead_id",
            Self::Campaign => "campaign_id",
            Self::Agent => "agent_id",
            Self::Session => "session_id",
            Self::Queue => "queue_id",
        }
    }

    /// Whether the snapshots of today count anything on such a track. The others are kept for sections to come.
    pub const fn is_counted(self) -> bool {
        matches!(self, Self::Conversation | Self::Message | Self::Ticket | Self::Lead)
    }
}

impl What {
    /// The kind of thing it is about.
    pub const fn kind(self) -> Kind {
        match self {
            Self::ConversationOpened
            | Self::ConversationAssigned
            | Self::ConversationEscalated
            | Self::ConversationResolved
            | Self::ConversationReopened
            | Self::MessageInbound
            | Self::MessageOutbound => Kind::Conversation,
            Self::DeliverySent
            | Self::DeliveryDelivered
            | Self::DeliveryRead
            | Self::DeliveryFailed
            | Self::DeliverySkipped => Kind::Message,
            Self::TicketOpened | Self::TicketUpdated | Self::TicketResolved | Self::TicketReopened => Kind::Ticket,
            Self::LeadCreated => Kind::Lead,
            Self::CampaignConverted => Kind::Campaign,
            Self::AgentStatusChanged => Kind::Agent,
            Self::SessionStatusChanged => Kind::Session,
            Self::QueueMeasured => Kind::Queue,
        }
    }
}

/// Where a conversation takes place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// WhatsApp.
    Whatsapp,
    /// Instagram.
    Instagram,
    /// Facebook Messenger.
    Messenger,
    /// Telegram.
    Telegram,
    /// The chat on the web site.
    Webchat,
    /// E-mail.
    Email,
    /// Text messages.
    Sms,
    /// Telephone calls.
    Phone,
    /// Anything else.
    Other,
}

impl Channel {
    /// Every channel.
    pub const ALL: [Self; 9] = [
        Self::Whatsapp,
        Self::Instagram,
        Self::Messenger,
        Self::Telegram,
        Self::Webchat,
        Self::Email,
        Self::Sms,
        Self::Phone,
        Self::Other,
    ];

    /// Its word on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Whatsapp => "whatsapp",
            Self::Instagram => "instagram",
            Self::Messenger => "messenger",
            Self::Telegram => "telegram",
            Self::Webchat => "webchat",
            Self::Email => "email",
            Self::Sms => "sms",
            Self::Phone => "phone",
            Self::Other => "other",
        }
    }
}

impl std::str::FromStr for Channel {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|channel| channel.word() == word).ok_or_else(|| {
            let words: Vec<&str> = Self::ALL.into_iter().map(Self::word).collect();
            format!("one of {}", words.join(", "))
        })
    }
}

/// Who wrote on our side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Author {
    /// A person. Only such a reply ends a customer's waiting.
    Agent,
    /// A chatbot.
    Bot,
    /// An automation: a broadcast, a reminder, an automatic reply.
    Automation,
}

/// How urgent a ticket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// It can wait.
    Low,
    /// As most are; `medium` to some.
    #[serde(alias = "medium")]
    Normal,
    /// Soon.
    High,
    /// Now.
    Urgent,
}

/// One report, as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Activity {
    /// Whose.
    pub tenant: TenantId,
    /// The thing that it is about.
    pub track: TrackId,
    /// Made from the sender's id: the same report again has the same key.
    pub id: ActivityId,
    /// The hour that it happened in, as the tenant's zone cuts hours.
    pub hour: Timestamp,
    /// The sender's id of it.
    pub sent_id: String,
    /// What happened.
    pub what: What,
    /// When.
    pub occurred_at: Timestamp,
    /// When we stored it.
    pub accepted_at: Timestamp,
    /// Where.
    pub channel: Channel,
    /// The agent who did it, or to whom it went.
    pub agent_id: Option<String>,
    /// That agent's team.
    pub team: Option<String>,
    /// The conversation.
    pub conversation_id: Option<String>,
    /// The customer: any stable text, a hash will do.
    pub customer_id: Option<String>,
    /// The message, for WhatsApp its `wamid`.
    pub message_id: Option<String>,
    /// The ticket.
    pub ticket_id: Option<String>,
    /// The lead.
    pub lead_id: Option<String>,
    /// The campaign that it belongs to.
    pub campaign_id: Option<String>,
    /// The messaging session.
    pub session_id: Option<String>,
    /// The queue.
    pub queue_id: Option<String>,
    /// Who wrote, or who closed it.
    pub author: Option<Author>,
    /// How urgent.
    pub priority: Option<Priority>,
    /// Why it failed, in the network's code.
    pub error_code: Option<String>,
    /// The new status of an agent or a session.
    pub status: Option<String>,
    /// How many were in the queue.
    pub depth: Option<u64>,
    /// What it cost, in US dollars.
    pub cost_usd: Option<rust_decimal::Decimal>,
}

impl Row for Activity {
    const KIND: &'static str = "activity";

    fn key(&self) -> Key<Self> {
        key::activity(self.tenant, self.track, self.hour, self.id)
    }
}

/// The track of a thing that the sender knows by this id.
pub fn track(kind: Kind, named: &str) -> TrackId {
    TrackId::from_bytes(digest(kind.field(), named))
}

/// The id of a report that the sender knows by this id.
pub fn identity(sent_id: &str) -> ActivityId {
    ActivityId::from_bytes(digest("id", sent_id))
}

fn digest(of: &str, text: &str) -> [u8; 16] {
    let hash = Sha256::new_with_prefix(of).chain_update([0]).chain_update(text).finalize();
    let mut id = [0; 16];
    id.copy_from_slice(&hash[..16]);
    id
}
