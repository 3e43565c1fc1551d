//! `GET /api/v1/crm-integration/oauth/callback/{provider}`: the browser comes back from a CRM.
//!
//! ```text
//!   state ──► whose sign-in?   none, over, used, of another CRM or browser ──► a page that says so
//!     │
//!   used, by a conditional write: from here on nobody else gets past that line
//!     │
//!   code ──► tokens ──► account ──► CONNECTION, sealed ──► a page that says whose
//! ```
//!
//! Killed behind that line, nothing is stored and the person begins again; what the CRM handed out by then is revoked
//! where we still can. A code is never tried twice.

use std::time::Duration;

use secrecy::SecretString;
use shared::{
    Error, Result,
    boot::{Aws, Missing},
    connection::{Account, Connection, Provider, SignIn, Status},
    egress::Egress,
    http::{Call, Reply},
    id::ConnectionId,
    key,
    secrets::{Keyring, Vault},
    table::{Created, Table},
};

use crate::{
    account, app,
    ask::{self, Door},
    browser::{Seen, Unknown, seen},
    failure::{Failure, word},
    page,
    state::State,
    tokens::{self, Exchange, Tokens},
    vendor::{Vendor, dynamics, zoho},
};

/// The API gives up after 30 s, and the person should hear it from us.
const WHOLE: Duration = Duration::from_secs(24);

/// What finishing a sign-in needs.
pub struct Deps {
    /// The table.
    pub table: Table,
    /// Our apps with the CRMs, and the keys that seal.
    pub vault: Vault,
    /// The way to the CRMs.
    pub egress: Egress,
    /// Where we are, if that is configured.
    pub public_url: String,
    /// What becomes of a browser that brings no cookie.
    pub unknown_browser: Unknown,
}

impl Deps {
    /// What the function is wired with.
    pub fn wire(aws: &Aws) -> Result<Self, Missing> {
        Ok(Self {
            table: aws.table()?,
            vault: aws.vault()?,
            egress: aws.egress()?,
            public_url: aws.setting("PUBLIC_URL"),
            unknown_browser: Unknown::read(&aws.setting("OAUTH_UNKNOWN_BROWSER")),
        })
    }
}

/// How it went, if it went well.
enum Done {
    Connected(Box<Connection>),
    /// To be confirmed by the person: for this company.
    Asked(String),
}

/// Finishes a sign-in. A page for a person, in every case; a frontend never calls this.
///
/// The state is good once, for ten minutes, for the CRM, tenant and browser that began it. The page's status is 200 when
/// the CRM is connected (or when the person is asked to confirm the company), 400 for an address that is not whole or a
/// code that the CRM refuses, 403 when the person declined or another browser began, 410 for a sign-in that is over or
/// was used, and 502 or 503 when the CRM does not play along. Nothing is stored unless it says connected.
#[utoipa::path(
    get,
    path = "/api/v1/crm-integration/oauth/callback/{provider}",
    operation_id = "crm_oauth_callback",
    tag = "crm",
    security(()),
    params(
        ("provider" = Provider, Path, description = "Which CRM: each has a redirect URI of its own"),
        ("state" = String, Query, description = "As given to the CRM"),
        ("code" = Option<String>, Query, description = "The CRM's code"),
        ("error" = Option<String>, Query, description = "The CRM's error, in place of a code"),
        ("location" = Option<String>, Query, description = "Zoho: the data centre of the account"),
        ("accounts-server" = Option<String>, Query, description = "Zoho: its accounts server"),
        ("confirmed" = Option<String>, Query, description = "`yes` once the person has confirmed the company"),
    ),
    responses((status = 200, description = "A page: connected, or a question", content_type = "text/html"))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let provider = call.part::<Provider>("provider", "CRM").ok();

    let outcome = match provider {
        Some(provider) => finish(deps, &call, provider).await,
        None => Err(Failure::Unknown),
    };

    Ok(match outcome {
        Ok(Done::Connected(connection)) => page::connected(&connection),
        Ok(Done::Asked(company)) => page::question(&call, provider, &company),
        Err(failure) => {
            failure.log();
            page::failed(provider, &failure)
        }
    })
}

async fn finish(deps: &Deps, call: &Call, provider: Provider) -> Result<Done, Failure> {
    let sign_in = begun(deps, call, provider).await?;
    if let Some(error) = call.query("error") {
        use_up(&deps.table, call, &sign_in).await?;
        return Err(match &*error {
            "access_denied" => Failure::Declined,
            error => Failure::SentBack(word(error)),
        });
    }
    let code = call.query("code").filter(|code| !code.is_empty()).ok_or(Failure::Unknown)?;
    match seen(call, &call.public_url(&deps.public_url), &sign_in.browser) {
        Seen::Same => {}
        Seen::Other => return Err(Failure::OtherBrowser),
        Seen::Unknown => {
            let confirmed = call.query("confirmed").is_some_and(|answer| answer == "yes");
            if deps.unknown_browser == Unknown::Ask && !confirmed {
                let tenant = deps.table.find(key::tenant(sign_in.tenant)).await?;
                return Ok(Done::Asked(tenant.map_or_else(|| sign_in.tenant.to_string(), |tenant| tenant.name)));
            }
        }
    }

    let vendor = Vendor::of(provider);
    let platform = deps.vault.platform().await?;
    let app = app(&platform, provider).ok_or_else(|| Failure::NotSetUp("no app".into()))?;
    let login_host = match provider {
        Provider::Zoho => zoho::accounts(
            &sign_in.site.login_host,
            call.query("accounts-server").as_deref(),
            call.query("location").as_deref(),
        )?,
        Provider::Salesforce | Provider::HubSpot | Provider::Dynamics => sign_in.site.login_host.clone(),
    };
    let door = Door { vendor, login_host, app, egress: &deps.egress };

    use_up(&deps.table, call, &sign_in).await?;
    let connected = connect(deps, call, &platform.keyring, &door, &sign_in, &code);
    let connection = tokio::time::timeout(WHOLE, connected).await.map_err(|_| Failure::Down("no answer in time"))??;
    tracing::info!(tenant.id = %connection.tenant, connection.id = %connection.id, %provider, "a CRM was connected");
    Ok(Done::Connected(Box::new(connection)))
}

/// The sign-in that this state belongs to, if it still waits for its callback here.
async fn begun(deps: &Deps, call: &Call, provider: Provider) -> Result<SignIn, Failure> {
    let state = call.query("state").and_then(|text| State::read(&text)).ok_or(Failure::Unknown)?;
    let sign_in = deps.table.find_now(key::sign_in(state.tenant, &state.hash())).await?.ok_or(Failure::Unknown)?;
    if sign_in.provider != provider {
        return Err(Failure::OtherProvider);
    }
    if sign_in.used_at.is_some() {
        return Err(Failure::Used);
    }
    if sign_in.expires_at <= call.now {
        return Err(Failure::Expired);
    }
    Ok(sign_in)
}

/// Lets exactly one caller past.
async fn use_up(table: &Table, call: &Call, sign_in: &SignIn) -> Result<(), Failure> {
    let used = table
        .change(key::sign_in(sign_in.tenant, &sign_in.id))
        .set("used_at", call.now)
        .remove("verifier")
        .when_there()
        .when_missing("used_at")
        .send()
        .await?;
    used.map(drop).ok_or(Failure::Used)
}

async fn connect(
    deps: &Deps,
    call: &Call,
    keyring: &Keyring,
    door: &Door<'_>,
    sign_in: &SignIn,
    code: &str,
) -> Result<Connection, Failure> {
    let place = [&*sign_in.tenant.to_string(), &*sign_in.id, "verifier"];
    let verifier = match &sign_in.verifier {
        Some(sealed) => Some(keyring.open(place, sealed)?),
        None => None,
    };
    let asked = door.vendor.scope(&sign_in.site);
    let exchange = Exchange { code, redirect_uri: &sign_in.redirect_uri, verifier: verifier.as_ref(), scope: &asked };
    let tokens = tokens::exchange(door, &exchange).await?;
    // Whatever fails from here on must not leave a way into somebody's CRM behind.
    let handed_out = tokens.refresh_token.clone().unwrap_or_else(|| tokens.access_token.clone());

    let connected = async {
        let grant = Grant::of(door, sign_in, tokens, asked).await?;
        let account = account::of(door, &grant.tokens, &grant.api_base).await?;
        store(&deps.table, call, keyring, sign_in, door, &grant, &account).await
    };
    match connected.await {
        Ok((connection, replaced)) => {
            if let Some(replaced) = replaced {
                end(keyring, door, &replaced).await;
            }
            Ok(connection)
        }
        Err(failure) => {
            let _ = ask::revoke(door, &handed_out).await;
            Err(failure)
        }
    }
}

/// Tokens that last, and where they open what.
struct Grant {
    tokens: Tokens,
    refresh_token: SecretString,
    api_base: String,
    scopes: Vec<String>,
}

impl Grant {
    async fn of(door: &Door<'_>, sign_in: &SignIn, tokens: Tokens, asked: String) -> Result<Self, Failure> {
        let (environment, tokens) = match (door.vendor.provider, &sign_in.site.environment) {
            (Provider::Dynamics, None) => {
                let (environment, tokens) = dynamics::discover(door, &tokens).await?;
                (Some(environment), tokens)
            }
            (_, environment) => (environment.clone(), tokens),
        };
        Ok(Self {
            refresh_token: tokens.refresh_token.clone().ok_or(Failure::NoLastingAccess)?,
            api_base: account::api_base(door, &tokens, environment)?,
            scopes: tokens.granted(&asked),
            tokens,
        })
    }
}

/// Stores the connection over an earlier one, which is handed back where it was to another account.
async fn store(
    table: &Table,
    call: &Call,
    keyring: &Keyring,
    sign_in: &SignIn,
    door: &Door<'_>,
    grant: &Grant,
    account: &Account,
) -> Result<(Connection, Option<Connection>), Failure> {
    for _ in 0..4 {
        let earlier = table.find_now(key::connection(sign_in.tenant, sign_in.provider)).await?;
        let same = earlier.as_ref().filter(|earlier| earlier.account.external_id == account.external_id);
        let id = same.map_or_else(ConnectionId::new, |same| same.id);
        let (tenant, owner) = (sign_in.tenant.to_string(), id.to_string());
        // Never the number of an earlier connection that was deleted in between.
        let now = u64::try_from(call.now.as_millisecond()).unwrap_or_default();
        let connection = Connection {
            tenant: sign_in.tenant,
            id,
            provider: sign_in.provider,
            status: Status::Active,
            version: earlier.as_ref().map_or(now, |earlier| now.max(earlier.version + 1)),
            account: account.clone(),
            login_host: door.login_host.clone(),
            api_base: grant.api_base.clone(),
            scopes: grant.scopes.clone(),
            access_token: keyring
                .seal(Connection::place(&tenant, &owner, "access_token"), &grant.tokens.access_token)?,
            access_expires_at: grant.tokens.expires_at(call.now),
            refresh_token: keyring.seal(Connection::place(&tenant, &owner, "refresh_token"), &grant.refresh_token)?,
            connected_by: sign_in.person.clone(),
            connected_at: call.now,
        };
        let stored = match &earlier {
            None => matches!(table.create(&connection).await?, Created::New),
            Some(earlier) => table.replace(&connection, "version", earlier.version).await?,
        };
        if stored {
            return Ok((connection, earlier.filter(|earlier| earlier.id != id)));
        }
    }
    Err(Error::unavailable("table", "a connection that changes all the time").into())
}

/// Revokes what opened another account, as well as that can be done.
async fn end(keyring: &Keyring, door: &Door<'_>, replaced: &Connection) {
    let (tenant, owner) = (replaced.tenant.to_string(), replaced.id.to_string());
    let Ok(token) = keyring.open(Connection::place(&tenant, &owner, "refresh_token"), &replaced.refresh_token) else {
        return;
    };
    let there = Door { login_host: replaced.login_host.clone(), ..*door };
    let _ = ask::revoke(&there, &token).await;
}
