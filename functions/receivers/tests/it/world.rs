//! A tenant with an endpoint, an account at Make.com, and a clock that the test moves.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use local::standin::{self, Control, MakeAccount, MakeOrder};
use receivers::{
    account::{give, show, take_back},
    watch::{self, Deps, Watched},
};
use serde_json::{Value, json};
use shared::{
    delivery::Job,
    egress::Egress,
    endpoint::{self, Endpoint, Plan, State},
    gate::{Gate, Role},
    http::Call,
    id::{EndpointId, TenantId},
    key,
    make::Account,
    notice::Notice,
    queue::{Kept, Queue},
    receiver::Receiver,
    secrets::Vault,
    table::Table,
    testing::{person, table, told, vault},
};

pub const ZONE: &str = "eu1.make.com";

pub struct World {
    pub table: Table,
    pub tenant: TenantId,
    pub standin: Control,
    pub egress: Egress,
    /// The customer of Make that the tenant is.
    pub customer: MakeAccount,
    pub endpoint: EndpointId,
    pub queue: Queue,
    pub kept: Kept,
    pub deps: Deps,
    pub now: Timestamp,
}

impl World {
    /// With one endpoint, whose webhook starts a scenario that is on; nobody has given the account yet.
    pub async fn new() -> Self {
        Self::on(table().await).await
    }

    pub async fn on(table: Table) -> Self {
        let standin = standin::spawn().await.expect("the stand-in starts");
        let customer = standin.make_account(ZONE, &MakeOrder::for_hook("bookings")).await.unwrap();
        // So that the pace of a test is not that of Make.
        let generous = json!({ "license": { "apiLimit": 100_000 } });
        standin.set_organization(ZONE, customer.organization_id, generous).await.unwrap();
        standin.set_scenario(ZONE, customer.scenario_id, json!({ "name": "Booking intake" })).await.unwrap();
        let egress = Egress::new(&standin.base, &standin.base);
        let (queue, kept) = Queue::kept();
        let deps = Deps::new(table.clone(), queue.clone(), vault(), egress.clone());
        let (tenant, now) = (TenantId::new(), Timestamp::now());
        let mut world =
            Self { table, tenant, standin, egress, customer, endpoint: endpoint::subscriber(), queue, kept, deps, now };
        world.endpoint = world.endpoint_to(&world.customer.hook_path, endpoint::subscriber()).await;
        world
    }

    /// The same, and the account is given: the one team.
    pub async fn watched() -> Self {
        let world = Self::new().await;
        world.given().await;
        world
    }

    pub async fn endpoint_to(&self, hook_path: &str, id: EndpointId) -> EndpointId {
        self.endpoint_at(&self.standin.url(hook_path), id).await
    }

    pub async fn endpoint_at(&self, url: &str, id: EndpointId) -> EndpointId {
        let plan = Plan {
            id,
            name: "Bookings".into(),
            host: "hook.eu1.make.com".into(),
            url: url.to_owned().into(),
            make_key: None,
            event_types: vec!["booking.*".into()],
        };
        let keyring = vault().keyring().await.unwrap();
        let (endpoint, _) = Endpoint::new(&keyring, self.tenant, plan, self.now).unwrap();
        self.table.put(&endpoint).await.unwrap();
        endpoint.id
    }

    // ── the owner ────────────────────────────────────────────────────────────

    pub fn owner(&self) -> Call {
        person(self.tenant, Role::Owner).at(self.now)
    }

    /// The owner gives the account: its team.
    pub async fn given(&self) -> Value {
        let (status, body) = self.give(json!({ "team_id": self.customer.team_id })).await;
        assert!(matches!(status, 200 | 201), "{status} {body}");
        body["data"].clone()
    }

    /// Gives the account with what is said of it, over the version that there is.
    pub async fn give(&self, said: Value) -> (u16, Value) {
        let mut body = json!({ "zone": ZONE, "token": self.customer.token });
        body.as_object_mut().unwrap().extend(said.as_object().unwrap().clone());
        body.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        let mut call = self.owner().posting(&body);
        if let Some(account) = self.account().await.filter(|account| account.ended_at.is_none()) {
            call = call.with_header("if-match", &account.etag());
        }
        told(give::handle(&self.give_deps(), call).await)
    }

    pub fn give_deps(&self) -> give::Deps {
        give::Deps::new(self.table.clone(), vault(), self.egress.clone())
    }

    pub async fn shown(&self) -> (u16, Value) {
        let deps = show::Deps { gate: Gate::new(self.table.clone()), table: self.table.clone() };
        let (status, body) = told(show::handle(&deps, self.owner()).await);
        (status, body["data"].clone())
    }

    pub fn take_back_deps(&self) -> take_back::Deps {
        take_back::Deps { gate: Gate::new(self.table.clone()), table: self.table.clone(), queue: self.queue.clone() }
    }

    // ── the schedule ─────────────────────────────────────────────────────────

    /// One run; the next is two minutes later.
    pub async fn look(&mut self) -> Watched {
        let watched = watch::run(&self.deps, self.now, Duration::ZERO).await.unwrap();
        self.now += SignedDuration::from_mins(2);
        watched
    }

    /// A look after something was changed at Make.com.
    pub async fn look_at_scenario(&mut self, said: Value) {
        self.standin.set_scenario(ZONE, self.customer.scenario_id, said).await.unwrap();
        self.look_well().await;
    }

    pub async fn look_at_hook(&mut self, said: Value) {
        self.standin.set_make_hook(ZONE, self.customer.hook_id, said).await.unwrap();
        self.look_well().await;
    }

    /// A look that Make.com answers.
    pub async fn look_well(&mut self) {
        let watched = self.look().await;
        assert_eq!(watched, Watched { answered: 1, ..Watched::default() });
    }

    /// From now on nothing that was sealed opens, and back.
    pub fn break_keyring(&mut self) {
        let keyring = json!({ "current": "k2", "keys": { "k2": "another key than that of the others" } });
        let platform = serde_json::from_value(json!({ "keyring": keyring })).unwrap();
        self.watch_with(Vault::given(platform));
    }

    pub fn mend_keyring(&mut self) {
        self.watch_with(vault());
    }

    fn watch_with(&mut self, vault: Vault) {
        self.deps = Deps::new(self.table.clone(), self.queue.clone(), vault, self.egress.clone());
    }

    // ── what came of it ──────────────────────────────────────────────────────

    pub async fn account(&self) -> Option<Account> {
        self.table.find_now(key::make_account(self.tenant)).await.unwrap()
    }

    pub async fn endpoint(&self) -> Endpoint {
        self.table.get(key::endpoint(self.tenant, self.endpoint)).await.unwrap()
    }

    /// State and pace of the endpoint.
    pub async fn stands(&self) -> (State, u8) {
        let endpoint = self.endpoint().await;
        (endpoint.state, endpoint.pace)
    }

    pub async fn receiver(&self) -> Receiver {
        self.table.get(key::receiver(self.tenant, self.endpoint)).await.unwrap()
    }

    /// The names of all notices, oldest first, but those that the endpoint's own changes give.
    pub async fn notices(&self) -> Vec<String> {
        let told = self.table.list_all(&key::notices(self.tenant)).await.unwrap();
        told.into_iter().map(|notice: Notice| notice.name).collect()
    }

    pub fn messages(&self) -> Vec<Job> {
        let sent = std::mem::take(&mut *self.kept.lock().unwrap());
        sent.into_iter().map(|(message, _)| serde_json::from_value(message).unwrap()).collect()
    }

    /// Requests that Make's API has taken.
    pub async fn requests(&self) -> Vec<String> {
        let requests = self.standin.requests(&format!("/{ZONE}/api/v2/*")).await.unwrap();
        requests.into_iter().map(|request| request.path.trim_start_matches(&format!("/{ZONE}/api/v2")).into()).collect()
    }
}
