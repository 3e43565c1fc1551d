//! A tenant's account at Make.com: given, shown and taken back by its owner.

pub mod give;
pub mod show;
pub mod take_back;

use jiff::Timestamp;
use serde::Serialize;
use shared::{
    Result,
    id::TenantId,
    key,
    make::{Account, HOOKS, INCOMPLETE, ORGANIZATIONS, Place, SCENARIOS, TEAMS, Zone, api::LEAST_LIMIT},
    table::Table,
};
use utoipa::ToSchema;

/// The scopes that we have a use for.
const USEFUL: [&str; 5] = [HOOKS, SCENARIOS, TEAMS, ORGANIZATIONS, INCOMPLETE];

/// An account at Make.com, as it is shown: its token is not.
#[derive(Serialize, ToSchema)]
pub struct MakeAccount {
    /// Where it lives.
    zone: Zone,
    /// The organisation whose teams are looked at; null where it is one team.
    organization_id: Option<u64>,
    /// The team that is looked at; null where it is all of an organisation.
    team_id: Option<u64>,
    /// The first characters of the token's SHA-256.
    token_fingerprint: String,
    /// What the token may do, of what we have a use for.
    scopes: Vec<String>,
    /// What else we have a use for and the token may not do.
    missing_scopes: Vec<&'static str>,
    /// How it is.
    status: Status,
    /// Requests a minute that Make.com takes from the whole organisation; null where the token does not show it.
    api_limit: Option<u32>,
    /// How many of them are ours at most.
    requests_per_minute: u32,
    /// When Make.com last answered.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_answer_at: Option<Timestamp>,
    /// How many requests the last look took.
    last_look_requests: u32,
    /// When it is looked at next.
    #[schema(value_type = String, format = DateTime)]
    next_look_at: Timestamp,
    /// Since when no look was answered; null while they are.
    #[schema(value_type = Option<String>, format = DateTime)]
    failing_since: Option<Timestamp>,
    /// Why the last one was not.
    failure: Option<String>,
    /// When it was given.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Its version, for `If-Match`.
    etag: String,
}

/// How an account is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = MakeAccountStatus)]
enum Status {
    /// Nobody has looked yet.
    New,
    /// Make.com answers.
    Working,
    /// Make.com does not answer. What is known is believed for 15 minutes.
    Unreachable,
    /// Make.com refuses the token.
    TokenRefused,
}

impl From<&Account> for MakeAccount {
    fn from(account: &Account) -> Self {
        let (organization_id, team_id) = match account.place {
            Place::Organization(id) => (Some(id), None),
            Place::Team(id) => (None, Some(id)),
        };
        Self {
            zone: account.zone,
            organization_id,
            team_id,
            token_fingerprint: account.fingerprint.clone(),
            scopes: account.scopes.clone(),
            missing_scopes: USEFUL.into_iter().filter(|scope| !account.scopes.iter().any(|has| has == scope)).collect(),
            status: match account {
                Account { refused_since: Some(_), .. } => Status::TokenRefused,
                Account { failing_since: Some(_), .. } => Status::Unreachable,
                Account { answered_at: Some(_), .. } => Status::Working,
                _ => Status::New,
            },
            api_limit: account.api_limit,
            requests_per_minute: (account.api_limit.unwrap_or(LEAST_LIMIT) / 2).max(1),
            last_answer_at: account.answered_at,
            last_look_requests: account.requests,
            next_look_at: account.next_at,
            failing_since: account.failing_since,
            failure: account.failure.clone(),
            created_at: account.created_at,
            etag: account.etag(),
        }
    }
}

/// The row of a tenant's account, perhaps one that was taken back and is not gone yet.
async fn row(table: &Table, tenant: TenantId) -> Result<Option<Account>> {
    table.find_now(key::make_account(tenant)).await
}
