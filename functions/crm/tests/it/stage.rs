//! A tenant with an owner, a browser, and the four vendors at a socket.

use crm::{begin, browser::Unknown, callback, disconnect, providers, show};
use local::standin::{self, Control};
use serde_json::{Value, json};
use shared::{
    connection::{Connection, Provider},
    egress::Egress,
    gate::{Gate, Role},
    http::{Call, Reply},
    id::TenantId,
    key,
    secrets::Vault,
    table::Table,
    tenant::{Tenant, Zone},
    testing::{Units, nobody, person, table, vault},
};
use url::Url;

pub struct Stage {
    pub tenant: TenantId,
    pub table: Table,
    pub vault: Vault,
    pub vendors: Control,
    pub unknown_browser: Unknown,
    pub units: Units,
}

/// A sign-in that has come to the vendor and back.
pub struct Returned {
    pub cookie: String,
    pub query: String,
}

impl Returned {
    /// A field of what came back.
    pub fn field(&self, name: &str) -> Option<String> {
        url::form_urlencoded::parse(self.query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into())
    }

    /// The same with a field changed.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        let others: Vec<(String, String)> = url::form_urlencoded::parse(self.query.as_bytes())
            .filter(|(key, _)| key != name)
            .map(|(key, value)| (key.into(), value.into()))
            .collect();
        self.query =
            url::form_urlencoded::Serializer::new(String::new()).extend_pairs(others).append_pair(name, value).finish();
        self
    }

    /// The same in a browser without our cookie.
    pub fn elsewhere(mut self) -> Self {
        self.cookie.clear();
        self
    }
}

impl Stage {
    pub async fn set() -> Self {
        let units = Units::default();
        let (table, tenant) = (table().await.metered(units.meter()), TenantId::new());
        let row = Tenant {
            id: tenant,
            name: "Marina <Lisbon>".into(),
            time_zone: Zone::UTC,
            created_at: jiff::Timestamp::now(),
        };
        table.put(&row).await.unwrap();
        Self {
            tenant,
            table,
            vault: vault(),
            vendors: standin::spawn().await.unwrap(),
            unknown_browser: Unknown::Ask,
            units,
        }
    }

    pub fn egress(&self) -> Egress {
        Egress::new(&self.vendors.base, &self.vendors.base)
    }

    pub fn owner(&self) -> Call {
        person(self.tenant, Role::Owner)
    }

    // ── the five functions ───────────────────────────────────────────────────

    pub async fn begin(&self, call: Call) -> shared::Result<Reply> {
        let deps = begin::Deps {
            gate: Gate::new(self.table.clone()),
            table: self.table.clone(),
            vault: self.vault.clone(),
            egress: self.egress(),
            public_url: String::new(),
        };
        begin::handle(&deps, call).await
    }

    pub async fn callback(&self, call: Call) -> Reply {
        let deps = callback::Deps {
            table: self.table.clone(),
            vault: self.vault.clone(),
            egress: self.egress(),
            public_url: String::new(),
            unknown_browser: self.unknown_browser,
        };
        callback::handle(&deps, call).await.unwrap()
    }

    pub async fn show(&self, call: Call) -> shared::Result<Reply> {
        let deps = show::Deps { gate: Gate::new(self.table.clone()), table: self.table.clone() };
        show::handle(&deps, call).await
    }

    pub async fn providers(&self, call: Call) -> shared::Result<Reply> {
        let deps = providers::Deps {
            gate: Gate::new(self.table.clone()),
            table: self.table.clone(),
            vault: self.vault.clone(),
        };
        providers::handle(&deps, call).await
    }

    pub async fn disconnect(&self, call: Call) -> shared::Result<Reply> {
        let deps = disconnect::Deps {
            gate: Gate::new(self.table.clone()),
            table: self.table.clone(),
            vault: self.vault.clone(),
            egress: self.egress(),
        };
        disconnect::handle(&deps, call).await
    }

    // ── a person with a browser ──────────────────────────────────────────────

    /// Begins, goes to the vendor, agrees to everything (or does what was ordered there), and is sent back.
    pub async fn sign_in(&self, wanted: Value) -> Returned {
        self.sign_in_saying(wanted, "").await
    }

    /// The same with orders for the stand-in's consent page, such as `&standin_deny=true`.
    pub async fn sign_in_saying(&self, wanted: Value, orders: &str) -> Returned {
        let begun = self.begin(self.owner().posting(&wanted)).await.unwrap();
        let cookie = begun.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
        let page = format!("{}{orders}", begun.json()["data"]["authUrl"].as_str().unwrap());
        let browser =
            reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap();
        let answer = browser.get(&page).send().await.unwrap();
        let location = answer.headers().get("location").map(|value| value.to_str().unwrap().to_owned());
        let Some(location) = location else {
            panic!("{page}: {}", answer.text().await.unwrap());
        };
        let back = Url::parse(&location).unwrap();
        let provider = wanted["provider"].as_str().unwrap();
        assert_eq!(
            (back.origin().ascii_serialization(), back.path()),
            ("https://api.example.com".into(), &*format!("/api/v1/crm-integration/oauth/callback/{provider}"))
        );
        Returned { cookie, query: back.query().unwrap_or_default().into() }
    }

    /// What the browser calls then.
    pub fn returning(&self, provider: &str, back: &Returned) -> Call {
        let call = nobody().with_part("provider", provider).with_query(&back.query);
        if back.cookie.is_empty() { call } else { call.with_header("cookie", &back.cookie) }
    }

    /// All of it, for a CRM that is to be connected.
    pub async fn connect(&self, provider: Provider) -> Connection {
        self.connect_saying(provider, "").await
    }

    pub async fn connect_saying(&self, provider: Provider, orders: &str) -> Connection {
        let back = self.sign_in_saying(json!({ "provider": provider }), orders).await;
        let reply = self.callback(self.returning(provider.id(), &back)).await;
        assert_eq!(reply.status, 200, "{}", text(&reply));
        self.connection(provider).await.unwrap()
    }

    pub async fn connection(&self, provider: Provider) -> Option<Connection> {
        self.table.find_now(key::connection(self.tenant, provider)).await.unwrap()
    }
}

pub fn text(reply: &Reply) -> String {
    String::from_utf8(reply.body.to_vec()).unwrap()
}
