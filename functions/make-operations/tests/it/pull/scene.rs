//! A tenant that is a customer of Make, which the stand-in plays; and a clock that the test moves.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp, ToSpan};
use local::standin::{self, Control, MakeAccount, MakeOrder, MakeRun};
use make_operations::pull::{self, Deps, Pulled, Terms};
use serde_json::{Value, json};
use shared::{
    egress::Egress,
    id::TenantId,
    key,
    make::{Account, Place, Zone, pull::Pull},
    notice::Notice,
    run::{Run, RunDay},
    scenario::Scenario,
    table::Table,
    testing::{table, vault},
};

use crate::World;

pub const ZONE: &str = "eu1.make.com";

pub struct Scene {
    pub world: World,
    pub tenant: TenantId,
    pub table: Table,
    pub standin: Control,
    /// The customer of Make that the tenant is, with one scenario.
    pub customer: MakeAccount,
    pub deps: Deps,
    pub now: Timestamp,
}

impl Scene {
    /// The account is given: its team.
    pub async fn new() -> Self {
        Self::on(table().await).await
    }

    pub async fn on(table: Table) -> Self {
        let world = World::over(table.clone()).await;
        let standin = standin::spawn().await.expect("the stand-in starts");
        let customer = standin.make_account(ZONE, &MakeOrder::for_hook("intake")).await.unwrap();
        // Days are cut where the tenant cuts them, and the pace of a test is not that of Make.
        let said = json!({ "timezone": "Europe/Lisbon", "license": { "apiLimit": 1_000_000 } });
        standin.set_organization(ZONE, customer.organization_id, said).await.unwrap();
        standin.set_scenario(ZONE, customer.scenario_id, json!({ "name": "Intake" })).await.unwrap();
        let egress = Egress::new(&standin.base, &standin.base);
        let deps = Deps::new(table.clone(), vault(), egress);
        let scene = Self { tenant: world.tenant, world, table, standin, customer, deps, now: Timestamp::now() };
        scene.give(Place::Team(scene.customer.team_id), Some(1_000_000)).await;
        scene
    }

    /// Gives the account, as `PUT /api/v1/make/account` does.
    pub async fn give(&self, place: Place, api_limit: Option<u32>) {
        let keyring = vault().keyring().await.unwrap();
        let token = self.customer.token.clone().into();
        let account = Account {
            tenant: self.tenant,
            revision: 0,
            zone: Zone::Eu1,
            place,
            token: Some(keyring.seal(Account::place(&self.tenant.to_string()), &token).unwrap()),
            fingerprint: "f".into(),
            scopes: vec![],
            api_limit,
            created_at: self.now,
            ended_at: None,
            next_at: self.now,
            answered_at: None,
            requests: 0,
            failures: 0,
            failing_since: None,
            failure: None,
            refused_since: None,
            teams: vec![],
            searched: 0,
            searched_at: None,
            untold: vec![],
            has_pull: true,
        };
        self.table.put(&account).await.unwrap();
        assert!(Pull::for_new_account(&self.table, self.tenant, self.now).write().await.unwrap());
    }

    /// Another scenario of the team.
    pub async fn scenario(&self, said: Value) -> u64 {
        let mut scenario = json!({ "teamId": self.customer.team_id });
        scenario.as_object_mut().unwrap().extend(said.as_object().unwrap().clone());
        self.standin.make_put(ZONE, "scenarios", scenario).await.unwrap()["id"].as_u64().unwrap()
    }

    pub async fn ran(&self, scenario: u64, runs: &[MakeRun]) {
        self.standin.add_runs(ZONE, scenario, runs).await.unwrap();
    }

    // ── the schedule ─────────────────────────────────────────────────────────

    /// A run of the schedule, now.
    pub async fn pull(&self) -> Pulled {
        pull::all(&self.deps, self.now, Terms::default()).await.unwrap()
    }

    /// A run that takes one page; a second later it is due again.
    pub async fn pull_a_page(&mut self) -> Pulled {
        let terms = Terms { share: Duration::ZERO, budget: Duration::ZERO, ..Terms::default() };
        let pulled = pull::all(&self.deps, self.now, terms).await.unwrap();
        self.later(1);
        pulled
    }

    /// A run whose pull is done in full.
    pub async fn pull_well(&self) {
        assert_eq!(self.pull().await, Pulled { done: 1, ..Pulled::default() });
    }

    /// A pull that somebody asks for, done in full.
    pub async fn pull_again(&self) {
        assert!(Pull::at_once(&self.table, self.tenant, self.now).write().await.unwrap());
        self.pull_well().await;
    }

    /// The next morning, with what happens at night.
    pub fn sleep(&mut self) {
        self.now += SignedDuration::from_hours(25);
    }

    pub fn later(&mut self, seconds: i64) {
        self.now += SignedDuration::from_secs(seconds);
    }

    // ── what came of it ──────────────────────────────────────────────────────

    pub async fn state(&self) -> Pull {
        self.table.get(key::make_pull(self.tenant)).await.unwrap()
    }

    pub async fn known(&self, scenario: u64) -> Scenario {
        self.table.get(key::scenario(self.tenant, &scenario.to_string())).await.unwrap()
    }

    pub async fn runs(&self, scenario: u64) -> Vec<Run> {
        let all = key::runs_by_time(self.tenant, &scenario.to_string(), self.now + 48.hours(), "");
        let listed = self.table.list_index(&all, 10_000).await.unwrap();
        let keys: Vec<_> = listed
            .iter()
            .map(|listed| listed.place.split_once('#').unwrap().1)
            .map(|id| key::run(self.tenant, &scenario.to_string(), id))
            .collect();
        let mut runs = Vec::new();
        for keys in keys.chunks(100) {
            runs.extend(self.table.find_all(keys).await.unwrap());
        }
        runs.sort_by_key(|run: &Run| run.started_at);
        runs
    }

    /// All days of runs and usage.
    pub async fn days(&self) -> Vec<RunDay> {
        let days =
            key::run_days(self.tenant, crate::world::today() - 200.days(), crate::world::today() + 20_000.days());
        self.table.list_all(&days).await.unwrap()
    }

    /// All runs that days count, and their operations.
    pub async fn sums(&self) -> (u64, u64) {
        let days = self.days().await;
        let runs = days.iter().map(|day| day.tally().runs()).sum();
        (runs, days.iter().map(|day| day.cell(&Default::default()).operations).sum())
    }

    pub async fn notices(&self) -> Vec<String> {
        let told = self.table.list_all(&key::notices(self.tenant)).await.unwrap();
        told.into_iter().map(|notice: Notice| notice.name).collect()
    }

    /// Requests that Make's API has taken since the last time.
    pub async fn requests(&self) -> Vec<String> {
        let requests = self.standin.requests(&format!("/{ZONE}/api/v2/*")).await.unwrap();
        self.standin.forget("/*").await.unwrap();
        requests.into_iter().map(|request| request.path.trim_start_matches(&format!("/{ZONE}/api/v2")).into()).collect()
    }

    /// Where the log of a scenario is asked for.
    pub fn log_of(&self, scenario: u64) -> String {
        format!("/{ZONE}/api/v2/scenarios/{scenario}/logs")
    }
}

/// A run of five operations that began so many minutes ago.
pub fn run(id: &str, minutes: i64) -> MakeRun {
    MakeRun { id: Some(id.into()), timestamp: ago(minutes), operations: 5, centicredits: 500, ..MakeRun::default() }
}

pub fn ago(minutes: i64) -> Timestamp {
    let at = Timestamp::now() - SignedDuration::from_mins(minutes);
    Timestamp::from_millisecond(at.as_millisecond()).unwrap()
}
