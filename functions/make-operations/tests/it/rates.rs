//! Prices of credits, and what they make of the past: nothing.

use jiff::ToSpan;
use make_operations::{
    ledger,
    rates::{self, create, delete, list},
};
use serde_json::{Value, json};
use shared::{
    gate::{Gate, Role},
    http::Call,
    key,
    run::{Origin, Run, RunStatus},
    scenario::{Mapped, Owner, Scenario},
    testing::{person, person_with, told},
    usage::OperationType,
};

use crate::{
    World, pointers,
    world::{now, today},
};

fn deps(world: &World) -> rates::Deps {
    rates::Deps { gate: Gate::new(world.table.clone()), table: world.table.clone().consistent() }
}

async fn make(world: &World, rate: Value) -> (u16, Value) {
    let call = person(world.tenant, Role::Owner).posting(&rate).at(now());
    told(create::handle(&deps(world), call).await)
}

fn price(from: jiff::civil::Date, price: &str) -> Value {
    json!({ "from": from.to_string(), "currency": "USD", "price_per_credit": price })
}

/// A run of 150 credits a day for the inn, over so many days up to today.
async fn runs(world: &World, days: i64) {
    let mapped =
        Mapped { from: None, owner: Owner::Client(world.inn), operation_type: OperationType::Call, seconds_saved: 90 };
    let mut scenario = Scenario::heard_of(world.tenant, "777".into(), "Calls".into(), now());
    scenario.mapping = vec![mapped];
    world.table.put(&scenario).await.unwrap();
    let runs = (0..days).map(|ago| Run {
        tenant: world.tenant,
        scenario: "777".into(),
        id: format!("r{ago}"),
        started_at: now() - (24 * ago).hours(),
        date: today() - ago.days(),
        hour: 0,
        status: RunStatus::Success,
        operations: 30,
        centicredits: Some(15_000),
        transfer: 0,
        duration_ms: Some(1_500),
        cost: None,
        origin: Origin::Pulled,
        trace: None,
        revision: 0,
        told_at: now(),
    });
    ledger::record(&world.table.clone().consistent(), world.tenant, runs.collect(), now()).await.unwrap();
    world.fold().await;
}

#[tokio::test]
async fn a_price_makes_costs_of_credits_from_its_day_on() {
    let world = World::new().await;
    runs(&world, 4).await;
    assert_eq!(make(&world, price(today() - 1.day(), "0.002")).await.0, 201);
    assert_eq!(make(&world, price(today(), "0.00106")).await.0, 201);
    let euro = json!({ "client_id": world.spa, "from": "2026-08-01", "currency": "EUR", "price_per_credit": "0.01" });
    assert_eq!(make(&world, euro).await.0, 201);

    let data = world.see("preset=7d").await;

    let days: Vec<_> = data["by_day"].as_array().unwrap().iter().map(|day| day["cost_usd"].to_string()).collect();
    assert_eq!(days, ["0.0", "0.0", "0.0", "0.0", "0.0", "0.3", "0.159"]);
    let totals = &data["totals"];
    assert_eq!((totals["cost_usd"].to_string(), totals["credits"].to_string()), ("0.459".into(), "600.0".into()));
    assert_eq!((&totals["credits_complete"], &totals["minutes_saved"]), (&json!(true), &json!(6.0)));
    assert_eq!(totals["mean_duration_ms"], 1_500);
    let one = &data["by_scenario"][0];
    assert_eq!((&one["client_id"], &one["scenario_name"]), (&json!(world.inn), &json!("Calls")));
}

#[tokio::test]
async fn no_price_changes_what_an_earlier_day_cost() {
    let world = World::new().await;
    runs(&world, 4).await;
    assert_eq!(make(&world, price(today() - 10.days(), "0.002")).await.0, 201);
    let before = world.see("preset=7d").await;

    let (status, answer) = make(&world, price(today() - 2.days(), "9")).await;
    assert_eq!(status, 409, "{answer}");
    assert!(answer["detail"].as_str().unwrap().contains(&(today() - 10.days()).to_string()), "{answer}");
    let own = json!({ "client_id": world.inn, "from": (today() - 2.days()).to_string(), "currency": "USD", "price_per_credit": "9" });
    assert_eq!(make(&world, own).await.0, 409, "that of all held for the client, too");
    assert_eq!(make(&world, price(today() - 10.days(), "9")).await.0, 409, "and nothing takes its place");

    assert_eq!(make(&world, price(today() + 5.days(), "9")).await.0, 201);
    assert_eq!(world.see("preset=7d").await, before);
}

#[tokio::test]
async fn a_price_that_has_not_begun_can_be_taken_back() {
    let world = World::new().await;
    assert_eq!(make(&world, price(today(), "1")).await.0, 201);
    assert_eq!(make(&world, price(today() + 5.days(), "2")).await.0, 201);
    let take_back = async |day: jiff::civil::Date| {
        let call = person(world.tenant, Role::Owner).with_part("from", day.to_string()).at(now());
        told(delete::handle(&deps(&world), call).await).0
    };
    assert_eq!(take_back(today()).await, 409, "it holds");
    assert_eq!(take_back(today() + 5.days()).await, 200);
    assert_eq!(take_back(today() + 5.days()).await, 404);
    assert_eq!(world.table.list_all(&key::rates(world.tenant)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn prices_are_the_tenants_own() {
    let world = World::new().await;
    let own = json!({ "client_id": world.inn, "from": "2026-08-01", "currency": "EUR", "price_per_credit": "0.01" });
    assert_eq!(make(&world, own.clone()).await.0, 201);
    assert_eq!(make(&world, price(today(), "1")).await.0, 201);
    let list = async |call: Call| told(list::handle(&deps(&world), call.at(now())).await);
    assert_eq!(list(person(world.tenant, Role::Supervisor)).await.1["data"]["rates"].as_array().unwrap().len(), 2);
    let limited = person_with(world.tenant, Role::Owner, &[("client", &world.inn.to_string())]);
    assert_eq!(list(limited).await.1["data"]["rates"].as_array().unwrap().len(), 1);
    assert_eq!(list(person(world.tenant, Role::Agent)).await.0, 403);

    let stranger = World::over(world.table.clone()).await;
    assert_eq!(make(&stranger, own).await.0, 404, "the client of somebody else looks like none");
    let call = person(stranger.tenant, Role::Owner).at(now());
    assert_eq!(told(list::handle(&deps(&stranger), call).await).1["data"]["rates"], json!([]));
    for (role, expected) in [(Role::Agent, 403), (Role::Supervisor, 403), (Role::Owner, 201)] {
        let call = person(stranger.tenant, role).posting(&price(today(), "1")).at(now());
        assert_eq!(told(create::handle(&deps(&stranger), call).await).0, expected);
    }
}

#[tokio::test]
async fn nonsense_is_refused_all_at_once() {
    let world = World::new().await;
    let (status, answer) =
        make(&world, json!({ "from": "tomorrow", "currency": "usd", "price_per_credit": "1e3", "colour": "red" }))
            .await;
    assert_eq!((status, pointers(&answer)), (400, vec!["/from", "/currency", "/price_per_credit", "/colour"]));
    for wrong in ["-1", "1001", "0.000000001", "", "NaN", "1,5"] {
        assert_eq!(make(&world, price(today(), wrong)).await.0, 400, "{wrong}");
    }
}
