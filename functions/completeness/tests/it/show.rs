use completeness::show::{self, Deps};
use jiff::SignedDuration;
use local::standin::{Loss, RowChange};
use serde_json::{Value, json};
use shared::{
    gate::{Gate, Role},
    http::Call,
    tenant::{Tenant, Zone},
    testing::{nobody, person, person_with, stranger, told},
};

use crate::world::{PROJECT, World, written};

impl World {
    async fn ask(&self, call: Call) -> (u16, Value) {
        let deps = Deps { gate: Gate::new(self.table.clone()), table: self.table.clone() };
        told(show::handle(&deps, call).await)
    }
}

#[tokio::test]
async fn who_has_no_source_is_told_so() {
    let world = World::new().await;

    let shown = world.shown().await;

    assert_eq!(shown["source"]["status"], "not_configured");
    assert_eq!(shown["totals"]["share_live"], json!(null));
    assert_eq!(shown["days"], json!([]));
}

#[tokio::test]
async fn days_are_those_of_the_tenant_and_add_up() {
    let mut world = World::comparing().await;
    let zone = Zone::try_from("Pacific/Auckland".to_owned()).unwrap();
    let row = Tenant { id: world.tenant, name: "Marina".into(), time_zone: zone.clone(), created_at: world.now };
    world.table.put(&row).await.unwrap();
    // Ten minutes before and after midnight there.
    let midnight = world.now.to_zoned(zone.rules().clone()).end_of_day().unwrap().timestamp();
    let mut bookings = Vec::new();
    for (n, minutes) in [(1, -10), (2, -9), (3, 10), (4, 11)] {
        let at = written(midnight + SignedDuration::from_mins(minutes));
        bookings.push(json!({ "id": format!("b{n}"), "created_at": at, "updated_at": at }));
    }
    world.now = midnight + SignedDuration::from_mins(12);
    for (n, booking) in bookings.into_iter().enumerate() {
        let loss = if n == 0 { Loss::All } else { Loss::None };
        world.source.lose_webhooks(PROJECT, loss).await.unwrap();
        world.change(RowChange::insert("bookings", booking)).await;
    }
    world.arrive().await;
    world.pass(10);
    world.reconcile().await;

    let shown = world.shown().await;

    assert_eq!(shown["time_zone"], "Pacific/Auckland");
    let days = shown["days"].as_array().unwrap();
    assert_eq!(days.len(), 2, "{shown}");
    assert_eq!((&days[0]["live"], &days[0]["repaired"], &days[0]["share_live"]), (&json!(1), &json!(1), &json!(0.5)));
    assert_eq!((&days[1]["live"], &days[1]["repaired"], &days[1]["share_live"]), (&json!(2), &json!(0), &json!(1.0)));
    assert_eq!((&days[1]["runs"], &days[0]["runs"]), (&json!(1), &json!(0)));
    let totals = &shown["totals"];
    assert_eq!((&totals["live"], &totals["repaired"], &totals["share_live"]), (&json!(3), &json!(1), &json!(0.75)));
    assert_eq!(totals["live_latency"]["max_ms"], 21 * 60_000);
    assert!(totals["live_latency"]["p50_ms"].as_u64().unwrap().abs_diff(120_000) <= 1_200, "{totals}");
    assert!(totals["repaired_latency"]["p50_ms"].as_u64().unwrap() > 30 * 60_000, "{totals}");
    assert_eq!(shown["source"]["status"], "working");
    assert!((119..=120).contains(&shown["source"]["lag_seconds"].as_i64().unwrap()), "{shown}");
}

#[tokio::test]
async fn a_period_is_bounded_and_faults_are_told() {
    let world = World::new().await;
    let ask = async |query: &str| world.ask(world.owner().with_query(query)).await;

    let (status, answer) = ask("from=2026-01-01&to=2026-04-02").await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!((&answer["data"]["from"], &answer["data"]["to"]), (&json!("2026-01-01"), &json!("2026-04-02")));
    let (_, answer) = ask("to=2026-04-02").await;
    assert_eq!(answer["data"]["from"], "2026-03-27");

    for query in [
        "from=2026-01-01&to=2026-04-03",
        "from=2026-01-02&to=2026-01-01",
        "from=soon",
        "to=2026-02-30",
        "day=1",
        "to=-009999-01-02",
    ] {
        assert_eq!(ask(query).await.0, 400, "{query}");
    }
}

#[tokio::test]
async fn a_supervisor_sees_its_own_tenant_alone() {
    let mut world = World::comparing().await;
    world.pass(1);
    world.change(world.new_booking("b1")).await;
    world.arrive().await;
    world.pass(10);
    world.reconcile().await;

    let (status, ours) = world.ask(person(world.tenant, Role::Supervisor).at(world.now)).await;
    assert_eq!(status, 200);
    assert_eq!(ours["data"]["totals"]["live"], 1);
    let (_, theirs) = world.ask(stranger().at(world.now)).await;
    assert_eq!(
        (&theirs["data"]["totals"]["live"], &theirs["data"]["source"]["status"]),
        (&json!(0), &json!("not_configured"))
    );
    assert_eq!(world.ask(person(world.tenant, Role::Agent).at(world.now)).await.0, 403);
    let client = [("client", "cli_06dabr1bg1x010000000000008")];
    assert_eq!(world.ask(person_with(world.tenant, Role::Owner, &client).at(world.now)).await.0, 403);
    assert_eq!(world.ask(nobody()).await.0, 401);
}
