//! `PUT /api/v1/make/account`: gives the account at Make.com whose webhooks are watched.

use http::header;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use shared::{
    Error, Fault, Result,
    boot::{Aws, Missing},
    egress::Egress,
    gate::{Gate, Person, Role},
    http::{Call, Fields, Reply},
    id::TenantId,
    make::{
        Account, HOOKS, ORGANIZATIONS, Place, SCENARIOS, TEAMS, Zone,
        api::{Api, Caller, Failure},
        pull::Pull,
    },
    secrets::{Vault, fingerprint},
    table::Table,
};
use utoipa::ToSchema;

use super::{MakeAccount, USEFUL, row};

/// What giving it needs.
pub struct Deps {
    gate: Gate,
    table: Table,
    vault: Vault,
    api: Api,
}

impl Deps {
    /// What the function is wired with.
    pub fn wire(aws: &Aws) -> Result<Self, Missing> {
        Ok(Self::new(aws.table()?, aws.vault()?, aws.egress()?))
    }

    /// With what it is given.
    pub fn new(table: Table, vault: Vault, egress: Egress) -> Self {
        Self { gate: Gate::new(table.clone()), api: Api::new(egress, table.clone()), table, vault }
    }
}

/// An account at Make.com: the whole organisation, or one team of it.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewMakeAccount)]
#[expect(dead_code, reason = "the document's form of what `New::read` reads field by field")]
pub struct NewAccount {
    /// Where it lives: the host that its pages begin with.
    zone: Zone,
    /// An API token of it, as made in a person's profile there. It is tried, and stored sealed.
    #[schema(example = "12345678-12ef-abcd-1234-1234567890ab")]
    token: String,
    /// All teams of this organisation that the token sees are looked at. It, or `team_id`.
    organization_id: Option<u64>,
    /// This team is looked at.
    team_id: Option<u64>,
}

/// Gives the account, or another one in its place. The token is tried first: it needs the scopes `hooks:read` and
/// `scenarios:read`, and `teams:read` for an organisation; what it lacks is told by name. With `organizations:read` (and
/// `teams:read` for a team) the organisation's own limit of requests is known; at most half of it is used, and without it
/// 30 a minute.
///
/// For owners. To replace an account, `If-Match` names the version that was seen: 428 without it, 412 where somebody has
/// changed it since. Webhooks are looked at with the next run, within two minutes, whenever that was done last: given again as
/// it is, the account is due at once. What scenarios did is read at once.
#[utoipa::path(
    put,
    path = "/api/v1/make/account",
    operation_id = "make_account_put",
    tag = "receivers",
    params(("If-Match" = Option<String>, Header, description = "The `etag` of the account that is replaced")),
    request_body = NewAccount,
    responses(
        (status = 200, description = "It takes the place of the former one", body = MakeAccount),
        (status = 201, description = "It is the first one", body = MakeAccount),
    )
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let Person { tenant, .. } = deps.gate.person(&call, Role::Owner).await?.of_whole_tenant()?;
    let new = New::read(call.fields()?)?;
    let before = row(&deps.table, tenant).await?;
    let former = before.as_ref().filter(|account| account.ended_at.is_none());
    match former {
        Some(former) => call.seen()?.includes(&former.etag())?,
        None if call.header("if-match").is_some() => return Err(Error::Stale),
        None => {}
    }

    let tried = new.tried(&deps.api, tenant).await?;
    let sealed = deps.vault.keyring().await?.seal(Account::place(&tenant.to_string()), &new.token)?;
    let account = Account {
        tenant,
        revision: before.as_ref().map_or(0, |before| before.revision + 1),
        zone: new.zone,
        place: new.place,
        token: Some(sealed),
        fingerprint: fingerprint(&new.token),
        scopes: tried.scopes,
        api_limit: tried.api_limit,
        created_at: former.map_or(call.now, |former| former.created_at),
        ended_at: None,
        next_at: call.now,
        answered_at: None,
        requests: 0,
        failures: 0,
        failing_since: None,
        failure: None,
        // The next look tells that it is over.
        refused_since: former.and_then(|former| former.refused_since),
        teams: Vec::new(),
        searched: 0,
        searched_at: None,
        untold: former.map(|former| former.untold.clone()).unwrap_or_default(),
        has_pull: true,
    };
    store(&deps.table, before.as_ref(), &account, call.now).await?;

    let shown = MakeAccount::from(&account);
    let reply = if former.is_some() { Reply::ok(shown) } else { Reply::created(shown) };
    Ok(reply.header(header::ETAG, account.etag()))
}

/// With the pull that reads at once what it shows.
async fn store(table: &Table, before: Option<&Account>, account: &Account, now: Timestamp) -> Result<()> {
    let writes = match before {
        Some(before) => table.transact().replace(account, "revision", before.revision),
        None => table.transact().create(account),
    };
    let pull = Pull::for_new_account(table, account.tenant, now);
    if writes.change(pull).send().await? { Ok(()) } else { Err(Error::Stale) }
}

/// An account to be given, found good as far as that can be told without Make.com.
struct New {
    zone: Zone,
    place: Place,
    token: SecretString,
}

/// What Make.com says of its token.
struct Tried {
    scopes: Vec<String>,
    api_limit: Option<u32>,
}

impl New {
    fn read(mut body: Fields) -> Result<Self> {
        let zone: Option<Zone> = body.required("zone");
        let token: Option<SecretString> = body.required("token");
        let organization: Option<u64> = body.optional("organization_id");
        let team: Option<u64> = body.optional("team_id");
        let visible = |text: &str| (1..=256).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if token.as_ref().is_some_and(|token| !visible(token.expose_secret())) {
            body.fault("token", "must have 1 to 256 visible ASCII characters");
        }
        let place = match (organization, team) {
            (Some(organization), None) => Some(Place::Organization(organization)),
            (None, Some(team)) => Some(Place::Team(team)),
            (Some(_), Some(_)) => {
                body.fault("team_id", "belongs to an organisation already: name one of the two");
                None
            }
            (None, None) => {
                // One that is there and cannot be read is a fault already.
                if body.is_faultless() {
                    body.fault("organization_id", "is missing: name the organisation, or a team by team_id");
                }
                None
            }
        };
        body.build(|| Some(Self { zone: zone?, place: place?, token: token? }))
    }

    /// Tries the token: first what it may do, then whether it sees what is to be looked at.
    async fn tried(&self, api: &Api, tenant: TenantId) -> Result<Tried> {
        let caller = Caller::new(tenant, self.zone, self.token.clone(), None);
        let granted = api.scopes(&caller).await.map_err(|failure| self.refused("/token", failure))?;
        let has = |scope: &str| granted.iter().any(|granted| granted == scope);
        let needed: &[&str] = match self.place {
            Place::Organization(_) => &[HOOKS, SCENARIOS, TEAMS],
            Place::Team(_) => &[HOOKS, SCENARIOS],
        };
        let lacks = |scope: &&&str| !has(scope);
        let faults: Vec<Fault> = needed
            .iter()
            .filter(lacks)
            .map(|scope| Fault::at("/token", format!("lacks the scope {scope}, without which nothing is seen")))
            .collect();
        if !faults.is_empty() {
            return Err(Error::Invalid(faults));
        }
        let organization = self.seen(api, &caller, has(TEAMS)).await?;
        let api_limit = match organization {
            Some(organization) if has(ORGANIZATIONS) => limit(api, &caller, organization).await?,
            _ => None,
        };
        Ok(Tried { scopes: USEFUL.into_iter().filter(|scope| has(scope)).map(Into::into).collect(), api_limit })
    }

    /// Whether the token sees what is to be looked at; and its organisation, where that can be told.
    async fn seen(&self, api: &Api, caller: &Caller, may_see_teams: bool) -> Result<Option<u64>> {
        match self.place {
            Place::Organization(organization) => {
                let refused = |failure| self.refused("/organization_id", failure);
                if api.teams(caller, organization).await.map_err(refused)?.is_empty() {
                    return Err(Error::invalid("/organization_id", "the token sees no team of this organisation"));
                }
                Ok(Some(organization))
            }
            Place::Team(team) => {
                api.hooks(caller, team).await.map_err(|failure| self.refused("/team_id", failure))?;
                if !may_see_teams {
                    return Ok(None);
                }
                match api.team(caller, team).await {
                    Ok(team) => Ok(team.organization_id),
                    Err(Failure::Ours(error)) => Err(error),
                    Err(_) => Ok(None),
                }
            }
        }
    }

    /// A refusal is a fault of the request; everything else may pass.
    fn refused(&self, pointer: &str, failure: Failure) -> Error {
        let zone = self.zone.host();
        match failure {
            Failure::Refused { what, .. } => Error::invalid(pointer, format!("{zone} refuses it: {what}")),
            Failure::Missing => Error::invalid(pointer, format!("{zone} knows of none that this token sees")),
            passing => passing.into(),
        }
    }
}

/// The organisation's own limit: nice to know.
async fn limit(api: &Api, caller: &Caller, organization: u64) -> Result<Option<u32>> {
    match api.organization(caller, organization).await {
        Ok(organization) => {
            Ok(organization.license.and_then(|license| license.api_limit).and_then(|limit| limit.try_into().ok()))
        }
        Err(Failure::Ours(error)) => Err(error),
        Err(_) => Ok(None),
    }
}
