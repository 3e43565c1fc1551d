//! Where the month ends.

use jiff::{ToSpan, civil::date};
use serde_json::{Value, json};
use shared::{
    gate::Role,
    scenario::Owner,
    sheet::Cell,
    testing::{Units, stranger},
    usage::Usd,
};

use crate::world::{World, cell, today};

fn f(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value}"))
}

#[tokio::test]
async fn a_month_that_goes_on_as_it_was_ends_where_one_expects() {
    let world = World::new().await;
    world.price(None, date(2026, 1, 1), "USD", "0.01").await;
    let inn = Owner::Client(world.inn);
    // 100 on each weekday, nothing on Sundays; today is one.
    let of = |ago: i64| if (today() - ago.days()).weekday() == jiff::civil::Weekday::Sunday { 0 } else { 100 };
    world.days(inn, 56, |ago| vec![(1, cell(of(ago)))]).await;
    world.day(inn, today(), [(1, cell(30))]).await;

    let seen = world.forecast(&format!("client_id={}", world.inn)).await;

    // November 2026 has five Sundays: 25 days of 100, and what today has used already.
    let operations = &seen["operations"];
    assert!((f(&operations["value"]) - 2530.0).abs() < 5.0, "{seen}");
    assert!(f(&operations["low"]) <= f(&operations["value"]) && f(&operations["value"]) <= f(&operations["high"]));
    assert!((f(&seen["credits"]["value"]) - 2530.0).abs() < 5.0);
    assert_eq!(seen["costs"].as_array().unwrap().len(), 1);
    assert!((f(&seen["costs"][0]["value"]) - 25.3).abs() < 0.05, "{seen}");
    assert_eq!((&seen["basis"], &seen["history_days"]), (&json!("history"), &json!(56)));
    assert_eq!((&seen["so_far"]["operations_count"], &seen["known_until"]), (&json!(1830), &json!("2026-11-21")));
    assert_eq!((&seen["credits_complete"], &seen["pending_days"]), (&json!(true), &json!([])));
    assert_eq!(world.forecast("client_slug=inn").await, seen);
}

#[tokio::test]
async fn with_few_days_nothing_is_made_up() {
    let world = World::new().await;
    world.days(Owner::Client(world.inn), 13, |_| vec![(1, cell(100))]).await;
    let seen = world.forecast("").await;
    assert_eq!((&seen["basis"], &seen["history_days"]), (&json!("too_little"), &json!(13)));
    assert_eq!((&seen["operations"], &seen["credits"], &seen["costs"]), (&json!(null), &json!(null), &json!([])));
    assert_eq!(seen["so_far"]["operations_count"], 1300);

    let nothing = World::new().await.forecast("").await;
    assert_eq!((&nothing["basis"], &nothing["history_days"]), (&json!("too_little"), &json!(0)));
}

#[tokio::test]
async fn costs_are_forecast_at_the_prices_of_the_days_to_come_in_each_money() {
    let world = World::new().await;
    world.price(None, date(2026, 1, 1), "USD", "0.01").await;
    world.price(None, date(2026, 11, 27), "USD", "0.03").await;
    world.price(Some(world.spa), date(2026, 1, 1), "EUR", "0.02").await;
    world.days(Owner::Client(world.inn), 56, |_| vec![(1, cell(100))]).await;
    world.days(Owner::Client(world.spa), 56, |_| vec![(2, cell(50))]).await;
    let stated = Cell { operations: 5, cost: Usd::from_ten_thousandths(5_000), ..Cell::default() };
    world.days(Owner::Company, 56, |_| vec![(3, stated.clone())]).await;

    let seen = world.forecast("").await;

    let costs: Vec<_> = seen["costs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|cost| (cost["currency"].as_str().unwrap(), f(&cost["value"])))
        .collect();
    // 26 days of one dollar and four of three, and half a dollar that the company states each day.
    assert_eq!(costs, [("EUR", 30.0), ("USD", 26.0 + 12.0 + 15.0)]);
    assert_eq!(seen["credits_complete"], false);
    assert_eq!(f(&seen["operations"]["value"]), 155.0 * 30.0);
}

#[tokio::test]
async fn a_client_whose_money_changes_has_costs_in_both() {
    let world = World::new().await;
    world.price(Some(world.spa), date(2026, 1, 1), "EUR", "0.02").await;
    world.price(Some(world.spa), date(2026, 11, 27), "USD", "0.02").await;
    world.days(Owner::Client(world.spa), 56, |_| vec![(2, cell(50))]).await;
    let seen = world.forecast("client_slug=spa").await;
    let costs = seen["costs"].as_array().unwrap().iter();
    let told: Vec<_> = costs.map(|cost| (cost["currency"].as_str().unwrap(), f(&cost["value"]))).collect();
    assert_eq!(told, [("EUR", 26.0), ("USD", 4.0)]);
}

#[tokio::test]
async fn an_allowance_is_reached_on_a_day() {
    let world = World::new().await;
    world.days(Owner::Client(world.inn), 56, |_| vec![(1, cell(100))]).await;
    let put = async |etag: &str, credits: Value| {
        let call = world.person(Role::Owner).with_header("if-match", etag);
        world.allow_by(call, &json!({ "client_id": world.inn, "credits_per_month": credits })).await
    };
    let allowance = async || world.forecast(&format!("client_id={}", world.inn)).await["allowance"].clone();
    assert_eq!(allowance().await["etag"], "\"0\"");
    assert_eq!(put("\"0\"", json!(2450.5)).await.0, 200);
    let seen = allowance().await;
    assert_eq!((&seen["credits_per_month"], &seen["etag"]), (&json!(2450.5), &json!("\"1\"")));
    let days = ["reached_earliest", "reached_on", "reached_latest"].map(|name| seen[name].as_str().unwrap().to_owned());
    assert_eq!(days, ["2026-11-25"; 3], "2,100 until yesterday, and each day 100");

    assert_eq!(put("\"1\"", json!(2100)).await.0, 200);
    assert_eq!(allowance().await["reached_on"], "2026-11-21");
    assert_eq!(put("\"2\"", json!(3001)).await.0, 200);
    assert_eq!(allowance().await["reached_on"], json!(null));
    assert_eq!(put("\"3\"", json!(null)).await.0, 200);
    let seen = allowance().await;
    assert_eq!((&seen["credits_per_month"], &seen["etag"]), (&json!(null), &json!("\"4\"")));
}

#[tokio::test]
async fn scenarios_reach_their_limits_on_a_day() {
    let world = World::new().await;
    let inn = Owner::Client(world.inn);
    let of = |ago: i64| if (today() - ago.days()).weekday() == jiff::civil::Weekday::Friday { 200 } else { 100 };
    world.days(inn, 28, |ago| vec![(1, cell(of(ago))), (2, cell(10)), (3, cell(5))]).await;
    world.scenario(1, inn, |scenario| scenario.daily_limit = Some(190)).await;
    world.scenario(2, inn, |scenario| scenario.daily_limit = Some(1_000)).await;
    world.scenario(3, inn, |_| {}).await;

    let seen = world.forecast("client_slug=inn").await;

    let limits = seen["scenario_limits"].as_array().unwrap();
    let told: Vec<_> =
        limits.iter().map(|one| (one["scenario_id"].as_str().unwrap(), one["reached_on"].clone())).collect();
    assert_eq!(told, [("1", json!("2026-11-27")), ("2", json!(null))]);
    assert_eq!(world.forecast("").await["scenario_limits"], json!(null));
}

#[tokio::test]
async fn everybody_sees_what_is_theirs() {
    let world = World::new().await;
    world.days(Owner::Client(world.inn), 20, |_| vec![(1, cell(100))]).await;
    world.days(Owner::Company, 20, |_| vec![(2, cell(10))]).await;
    let status = async |call, query: &str| world.forecast_by(call, query).await.0;
    let (inn, spa) = (format!("client_id={}", world.inn), format!("client_id={}", world.spa));
    assert_eq!(status(world.limited_to(world.inn), &inn).await, 200);
    assert_eq!(status(world.limited_to(world.inn), &spa).await, 404);
    assert_eq!(status(world.limited_to(world.inn), "client_slug=spa").await, 404);
    assert_eq!(status(world.limited_to(world.inn), "client_id=company").await, 404);
    assert_eq!(status(world.person(Role::Agent), "client_id=company").await, 404);
    assert_eq!(status(world.person(Role::Supervisor), "client_id=company").await, 200);
    assert_eq!(status(stranger(), &inn).await, 404);
    for query in ["colour=red", "client_id=x&client_slug=y"] {
        assert_eq!(status(world.person(Role::Owner), query).await, 400);
    }
    let all = async |call| world.forecast_by(call, "").await.1["data"].clone();
    assert_eq!(all(world.limited_to(world.inn)).await["client_id"], json!(world.inn));
    assert_eq!(all(world.person(Role::Owner)).await["so_far"]["operations_count"], 110 * 20);
    let agent = all(world.person(Role::Agent)).await;
    assert_eq!((&agent["so_far"]["operations_count"], &agent["allowance"]), (&json!(2_000), &json!(null)));
}

#[tokio::test]
async fn a_forecast_costs_what_the_readme_says() {
    let world = World::new().await;
    let inn = Owner::Client(world.inn);
    world.days(inn, 60, |_| (1..=20).map(|n| (n, cell(1_000))).collect()).await;
    for n in 1..=20 {
        world.scenario(n, inn, |scenario| scenario.daily_limit = Some(10_000)).await;
    }
    let units = Units::default();
    let table = world.table.clone().metered(units.meter());
    let metered = World { deps: forecasts::Deps { table, ..world.deps }, ..world };
    metered.forecast("client_slug=inn").await;
    let forecast = units.take();
    metered.advice("client_slug=inn").await;
    let advice = units.take();
    println!("forecast {forecast:?} advice {advice:?}");
    assert!(forecast.0 == 0.0 && forecast.1 <= 22.0, "{forecast:?}");
    assert!(advice.0 == 0.0 && advice.1 <= 12.0, "{advice:?}");
}
