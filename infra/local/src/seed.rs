//! What a fresh stack is filled with: its secret, two tenants, their API keys and their people.

mod demo;

use std::fs;

use aws_config::SdkConfig;
use aws_sdk_cognitoidentityprovider::{
    Client as Cognito,
    types::{AttributeType, AuthFlowType, MessageActionType},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{
    deploy::{self, Deployed},
    error::{Context, Error, Result},
    paths::{self, Home},
    progress::Outcome,
};

/// The roles a person may have; each tenant gets one person for each.
pub const ROLES: [&str; 4] = ["agent", "supervisor", "owner", "admin"];

const TENANTS: [(&str, &str, &str); 2] =
    [("Aurora Clinics", "aurora.example", "Europe/Zurich"), ("Borealis Spas", "borealis.example", "America/New_York")];
const VENDORS: [&str; 4] = ["zoho", "salesforce", "hubspot", "dynamics"];
const PASSWORD: &str = "Crossdock-demo-1";
const CLIENTS: [(&str, &str); 2] = [("lakeside", "Lakeside"), ("old-town", "Old Town")];
const TEAM: &str = "front-desk";

/// A tenant that the stack was seeded with.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Tenant {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its IANA time zone.
    pub time_zone: String,
    /// A key with every scope.
    pub api_key: String,
    /// One person for each role.
    pub users: Vec<User>,
    /// What else it was seeded with.
    #[serde(default)]
    pub seeded: Map<String, Value>,
}

impl Tenant {
    /// The person with this role.
    pub fn user(&self, role: &str) -> Result<&User> {
        self.users.iter().find(|user| user.role == role).ok_or_else(|| {
            Error::new(format!("there is no {role}")).next(format!("The roles are: {}", ROLES.join(", ")))
        })
    }
}

/// A person who can sign in.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct User {
    /// What this person may do.
    pub role: String,
    /// The team, for those who belong to one.
    pub team: Option<String>,
    /// The user name.
    pub email: String,
    /// The password.
    pub password: String,
    /// A JWT from signing in when the stack started.
    #[serde(default)]
    pub id_token: String,
}

/// The secrets of one local stack, made once and kept with its data.
#[derive(Clone, Deserialize, Serialize)]
pub struct Secrets {
    /// What the functions read from Secrets Manager.
    platform: Value,
    /// What an outside cron shows.
    pub cron_secret: String,
}

impl Secrets {
    /// Those of this folder, made if they are not there yet.
    pub fn of(home: &Home) -> Result<Self> {
        let file = home.path("secrets.json");
        if let Ok(text) = fs::read(&file) {
            return serde_json::from_slice(&text).context("cannot read secrets.json");
        }
        let key: [u8; 32] = rand::random();
        let cron_secret = data_encoding::HEXLOWER.encode(&rand::random::<[u8; 16]>());
        let oauth: Map<String, Value> = VENDORS
            .iter()
            .map(|vendor| {
                let app = json!({
                    "client_id": format!("crossdock-{vendor}"),
                    "client_secret": format!("standin-secret-{vendor}"),
                });
                ((*vendor).to_owned(), app)
            })
            .collect();
        let secrets = Self {
            platform: json!({
                "keyring": {"current": "k1", "keys": {"k1": BASE64_STANDARD.encode(key)}},
                "oauth": oauth,
                "cron_secret": cron_secret,
            }),
            cron_secret,
        };
        let text = serde_json::to_vec_pretty(&secrets).context("cannot write secrets.json")?;
        paths::write_private(&file, &text)?;
        Ok(secrets)
    }

    /// Puts them where the functions look.
    pub async fn publish(&self, sdk: &SdkConfig, deployed: &Deployed) -> Result<()> {
        let id = deployed.output("PlatformSecretArn")?;
        let wanted = self.platform.to_string();
        let manager = aws_sdk_secretsmanager::Client::new(sdk);
        let stored =
            manager.get_secret_value().secret_id(id).send().await.context("cannot read the platform secret")?;
        if stored.secret_string() != Some(&wanted) {
            let put = manager.put_secret_value().secret_id(id).secret_string(wanted);
            put.send().await.context("cannot store the platform secret")?;
        }
        Ok(())
    }
}

/// The sender of notices by e-mail. What is sent shows the emulator at `/_ministack/ses/messages`.
pub const MAIL_FROM: &str = "alerts@crossdock.example";

/// Has SES know the sender. The emulator believes that the address is ours.
pub async fn verify_sender(sdk: &SdkConfig) -> Result<()> {
    let identity = aws_sdk_sesv2::Client::new(sdk).create_email_identity().email_identity(MAIL_FROM);
    identity.send().await.context("cannot make the sender of e-mail known").map(drop)
}

/// Where the stack answers, for what is seeded through its own API.
pub struct Addresses<'a> {
    /// The HTTP API.
    pub api: &'a str,
    /// The stand-in for Make.com and the CRMs.
    pub receiver: &'a str,
    /// Has KPIs folded at once.
    pub cron_secret: &'a str,
}

/// The tenants of this stack, made if they are not there yet, everybody signed in.
/// With `furnish`, each gets something to try things out with.
pub async fn ready(
    home: &Home,
    sdk: &SdkConfig,
    deployed: &Deployed,
    furnish: Option<Addresses<'_>>,
) -> Result<(Outcome, Vec<Tenant>)> {
    let file = home.path("tenants.json");
    let people = People::new(sdk, deployed)?;
    let place = Place::of(deployed)?;
    let known = fs::read(&file).ok().and_then(|text| serde_json::from_slice::<Seeded>(&text).ok());
    if let Some(mut seeded) = known.filter(|seeded| seeded.place == place) {
        people.sign_in_all(&mut seeded.tenants).await?;
        return Ok((Outcome::Skipped("signed in again"), seeded.tenants));
    }
    let mut tenants = make(sdk, deployed, &people).await?;
    people.sign_in_all(&mut tenants).await?;
    if let Some(addresses) = furnish {
        demo::furnish(&mut tenants, &addresses).await?;
    }
    let seeded = Seeded { place, tenants };
    let text = serde_json::to_vec_pretty(&seeded).context("cannot write tenants.json")?;
    paths::write_private(&file, &text)?;
    Ok((Outcome::Done, seeded.tenants))
}

/// What was seeded, and where: another table or user pool knows nothing of it.
#[derive(Deserialize, Serialize)]
struct Seeded {
    place: Place,
    tenants: Vec<Tenant>,
}

#[derive(Deserialize, PartialEq, Serialize)]
struct Place {
    table: String,
    user_pool: String,
}

impl Place {
    fn of(deployed: &Deployed) -> Result<Self> {
        Ok(Self {
            table: deployed.output("TableName")?.to_owned(),
            user_pool: deployed.output("UserPoolId")?.to_owned(),
        })
    }
}

#[derive(Deserialize)]
struct Begun {
    tenant_id: String,
    api_key: String,
    clients: Vec<Value>,
}

async fn make(sdk: &SdkConfig, deployed: &Deployed, people: &People) -> Result<Vec<Tenant>> {
    let mut tenants = Vec::new();
    for (name, domain, time_zone) in TENANTS {
        let event = json!({
            "name": name,
            "time_zone": time_zone,
            "key_name": "demo",
            "clients": CLIENTS.map(|(slug, name)| json!({"slug": slug, "name": name})),
        });
        let begun = deploy::invoke(sdk, deployed.function("TenantCreate")?, &event).await?;
        let begun: Begun = serde_json::from_value(begun).context("cannot read what tenant-create answered")?;
        let mut users = Vec::new();
        for role in ROLES {
            let user = User {
                role: role.to_owned(),
                team: matches!(role, "agent" | "supervisor").then(|| TEAM.to_owned()),
                email: format!("{role}@{domain}"),
                password: PASSWORD.to_owned(),
                id_token: String::new(),
            };
            people.add(&user, &begun.tenant_id).await?;
            users.push(user);
        }
        tenants.push(Tenant {
            id: begun.tenant_id,
            name: name.to_owned(),
            time_zone: time_zone.to_owned(),
            api_key: begun.api_key,
            users,
            seeded: Map::from_iter([("clients".to_owned(), Value::Array(begun.clients))]),
        });
    }
    Ok(tenants)
}

/// The user pool, as its administrator sees it.
pub struct People {
    cognito: Cognito,
    pool: String,
    client: String,
}

impl People {
    /// The pool of this stack.
    pub fn new(sdk: &SdkConfig, deployed: &Deployed) -> Result<Self> {
        Ok(Self {
            cognito: Cognito::new(sdk),
            pool: deployed.output("UserPoolId")?.to_owned(),
            client: deployed.output("UserPoolClientId")?.to_owned(),
        })
    }

    /// Adds a person who can sign in at once. One who is there already, from a start that was interrupted, is told the
    /// tenant anew.
    pub async fn add(&self, user: &User, tenant: &str) -> Result<()> {
        let what = || format!("cannot add {}", user.email);
        let mut attributes = vec![
            attribute("email", &user.email)?,
            attribute("email_verified", "true")?,
            attribute("custom:tenant", tenant)?,
            attribute("custom:role", &user.role)?,
        ];
        if let Some(team) = &user.team {
            attributes.push(attribute("custom:team", team)?);
        }
        let create = self.cognito.admin_create_user().user_pool_id(&self.pool).username(&user.email);
        let create = create.message_action(MessageActionType::Suppress).set_user_attributes(Some(attributes.clone()));
        if let Err(error) = create.send().await {
            if !error.as_service_error().is_some_and(|error| error.is_username_exists_exception()) {
                return Err(error).context(what());
            }
            let update = self.cognito.admin_update_user_attributes().user_pool_id(&self.pool).username(&user.email);
            update.set_user_attributes(Some(attributes)).send().await.context(what())?;
        }
        self.cognito
            .admin_set_user_password()
            .user_pool_id(&self.pool)
            .username(&user.email)
            .password(&user.password)
            .permanent(true)
            .send()
            .await
            .context(what())?;
        Ok(())
    }

    async fn sign_in_all(&self, tenants: &mut [Tenant]) -> Result<()> {
        for user in tenants.iter_mut().flat_map(|tenant| &mut tenant.users) {
            user.id_token = self.sign_in(user).await?;
        }
        Ok(())
    }

    /// Signs in and gives the id token.
    pub async fn sign_in(&self, user: &User) -> Result<String> {
        let answer = self
            .cognito
            .initiate_auth()
            .client_id(&self.client)
            .auth_flow(AuthFlowType::UserPasswordAuth)
            .auth_parameters("USERNAME", &user.email)
            .auth_parameters("PASSWORD", &user.password)
            .send()
            .await
            .context(format!("{} cannot sign in", user.email))?;
        answer
            .authentication_result()
            .and_then(|result| result.id_token())
            .map(str::to_owned)
            .ok_or_else(|| Error::new(format!("{} got no token", user.email)))
    }
}

fn attribute(name: &str, value: &str) -> Result<AttributeType> {
    AttributeType::builder().name(name).value(value).build().context("cannot name a user's attribute")
}
