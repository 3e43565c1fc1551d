//! Where the month ends.

use jiff::{ToSpan, civil::date};
use serde_json::{Value, json};
use shared::{
    gate::{Gate, Role},
    scenario::{Mapped, Owner},
    sheet::{Cell, Stated},
    testing::{Units, stranger},
    usage::{ScenarioStatus, Usd},
};

use crate::world::{World, cell, faults, today};

/// Write and read units of each access that the README has, in its order: no more.
const COSTS: [(f64, f64); 6] = [(1.0, 19.0), (1.0, 68.0), (1.0, 7.5), (1.0, 2.0), (1.0, 21.0), (1.0, 118.0)];

/// Of which a tenth fails.
fn runs(scale: u64) -> Cell {
    Cell { succeeded: 90 * scale, failed: 10 * scale, ..cell(100 * scale) }
}

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
    // Eight weeks ago was a Sunday.
    assert_eq!((&seen["basis"], &seen["history_days"]), (&json!("history"), &json!(55)));
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
async fn yesterday_is_expected_as_long_as_nothing_was_told_since_it_ended() {
    let world = World::new().await;
    let inn = Owner::Client(world.inn);
    // 100 on each weekday, nothing on Sundays. Told each day at six in the morning; yesterday, a Saturday, up to then.
    let of = |ago: i64| if (today() - ago.days()).weekday() == jiff::civil::Weekday::Sunday { 0 } else { 100 };
    let six = "2026-11-21T06:00:00Z".parse().unwrap();
    for ago in 2..=57 {
        world.day_told(inn, today() - ago.days(), six, [(1, cell(of(ago)))]).await;
    }
    world.day_told(inn, today() - 1.days(), six, [(1, cell(20))]).await;

    let night = world.forecast_at("2026-11-22T05:00:00Z").await;
    assert!((f(&night["operations"]["value"]) - 2500.0).abs() < 5.0, "{night}");
    assert_eq!((&night["known_until"], &night["so_far"]["operations_count"]), (&json!("2026-11-20"), &json!(1720)));

    // Today's first runs tell that these were all of yesterday's.
    let seven = "2026-11-22T07:00:00Z";
    world.day_told(inn, today(), seven.parse().unwrap(), [(1, cell(1))]).await;
    let day = world.forecast_at(seven).await;
    assert!(f(&day["operations"]["value"]) < 2430.0, "{day}");
    assert_eq!((&day["known_until"], &day["so_far"]["operations_count"]), (&json!("2026-11-21"), &json!(1721)));
}

#[tokio::test]
async fn a_month_that_has_just_begun_is_expected_whole() {
    let world = World::new().await;
    let of = |date: jiff::civil::Date| if date.weekday() == jiff::civil::Weekday::Sunday { 0 } else { 100 };
    let (first, six) = (date(2026, 12, 1), "2026-11-30T06:00:00Z".parse().unwrap());
    for day in (2..=57).map(|ago: i64| first - ago.days()) {
        world.day_told(Owner::Company, day, six, [(1, cell(of(day)))]).await;
    }
    // Nobody has told of the 30th yet: the 1st is a Tuesday all the same. December 2026 has four Sundays.
    let seen = world.forecast_at("2026-12-01T01:00:00Z").await;
    assert!((f(&seen["operations"]["value"]) - 2700.0).abs() < 5.0, "{seen}");
    assert_eq!((&seen["month"], &seen["known_until"]), (&json!("2026-12"), &json!(null)));
}

#[tokio::test]
async fn days_are_cut_in_the_tenants_zone_also_where_its_clocks_change() {
    let world = World::new().await;
    for (day, month_end) in [(date(2026, 10, 31), 3100.0), (date(2027, 3, 31), 3100.0)] {
        for day in (0..90).map(|ago: i64| day - ago.days()) {
            let told_at = "2027-04-01T00:00:00Z".parse().unwrap();
            world.day_told(Owner::Company, day, told_at, [(1, cell(100))]).await;
        }
        // 25 hours on the 25th of October, 23 on the 28th of March.
        let [before, within, after] = match day.month() {
            10 => ["2026-10-24T23:30:00Z", "2026-10-25T23:30:00Z", "2026-10-26T00:30:00Z"],
            _ => ["2027-03-28T00:30:00Z", "2027-03-28T22:30:00Z", "2027-03-28T23:30:00Z"],
        };
        let known = if day.month() == 10 { [24, 24, 25] } else { [27, 27, 28] };
        for (now, known) in [before, within, after].into_iter().zip(known) {
            let seen = world.forecast_at(now).await;
            let until = date(day.year(), day.month(), known).to_string();
            assert_eq!((&seen["known_until"], f(&seen["operations"]["value"])), (&json!(until), month_end), "{now}");
        }
    }
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
async fn a_new_price_changes_nothing_of_what_was() {
    let world = World::new().await;
    world.price(None, date(2026, 1, 1), "USD", "0.01").await;
    world.price(None, date(2026, 11, 11), "USD", "0.02").await;
    world.days(Owner::Client(world.inn), 56, |_| vec![(1, cell(100))]).await;
    let seen = world.forecast("").await;
    assert_eq!(f(&seen["costs"][0]["value"]), 10.0 + 40.0, "{seen}");
    assert_eq!(seen["costs"].as_array().unwrap().len(), 1);
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
async fn an_allowance_is_reached_early_as_expected_and_late() {
    let world = World::new().await;
    // 60 to 140 a day, in no order.
    world.days(Owner::Client(world.inn), 56, |ago| vec![(1, cell(60 + (ago * 7919 % 81).unsigned_abs()))]).await;
    let query = format!("client_id={}", world.inn);
    let seen = world.forecast(&query).await;
    let allow = async |etag: &str, credits: f64| {
        let call = world.person(Role::Owner).with_header("if-match", etag);
        let body = json!({ "client_id": world.inn, "credits_per_month": credits.round() });
        assert_eq!(world.allow_by(call, &body).await.0, 200);
        let seen = world.forecast(&query).await["allowance"].clone();
        ["reached_earliest", "reached_on", "reached_latest"].map(|name| seen[name].as_str().map(ToOwned::to_owned))
    };
    let middle = f64::midpoint(f(&seen["so_far"]["credits"]), f(&seen["credits"]["value"]));
    let [early, expected, late] = allow("\"0\"", middle).await.map(Option::unwrap);
    assert!(early <= expected && expected <= late && early < late, "{early} {expected} {late}");
    assert!("2026-11-22" <= early.as_str() && late.as_str() <= "2026-11-30", "{early} {late}");

    // More than is expected, and less than what may be.
    let much = f64::midpoint(f(&seen["credits"]["value"]), f(&seen["credits"]["high"]));
    let [early, expected, late] = allow("\"1\"", much).await;
    assert!(early.is_some() && expected.is_none() && late.is_none(), "{early:?} {expected:?} {late:?}");
}

#[tokio::test]
async fn what_is_used_up_is_used_up_also_where_nothing_can_be_forecast() {
    let world = World::new().await;
    world.days(Owner::Company, 3, |_| vec![(1, cell(100))]).await;
    world.day(Owner::Company, today(), [(1, cell(50))]).await;
    let mut etag = "\"0\"".to_owned();
    for (credits, reached) in
        [(0, json!("2026-11-01")), (200, json!("2026-11-20")), (350, json!("2026-11-22")), (351, json!(null))]
    {
        let call = world.person(Role::Owner).with_header("if-match", &etag);
        assert_eq!(world.allow_by(call, &json!({ "credits_per_month": credits })).await.0, 200);
        let seen = world.forecast("").await;
        assert_eq!((&seen["basis"], &seen["credits"]), (&json!("too_little"), &json!(null)));
        let allowance = &seen["allowance"];
        for name in ["reached_earliest", "reached_on", "reached_latest"] {
            assert_eq!(allowance[name], reached, "{credits} {name}");
        }
        etag = allowance["etag"].as_str().unwrap().into();
    }
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
async fn of_very_many_limits_the_five_hundred_nearest_are_told() {
    let world = World::new().await;
    let stated = |limit| Some(Stated { name: "Intake".into(), status: ScenarioStatus::Active, limit: Some(limit) });
    // The first has used the most, and has the most left.
    let of = |n: u32| Cell { stated: stated(if n == 1 { 100_000 } else { 1_000 }), ..cell(600 - u64::from(n)) };
    world.day(Owner::Company, today(), (1..=500).map(|n| (n, of(n)))).await;
    world.day(Owner::Company, today() - 1.days(), [(501, Cell { stated: stated(1), ..cell(1) })]).await;
    world.day(Owner::Company, today() - 2.days(), [(502, Cell { stated: stated(1_000), ..cell(1) })]).await;

    let limits = world.forecast("client_id=company").await["scenario_limits"].clone();
    let ids: Vec<_> = limits.as_array().unwrap().iter().map(|one| one["scenario_id"].as_str().unwrap()).collect();
    assert_eq!((ids.len(), &ids[..3], ids[499]), (500, &["2", "3", "4"][..], "1"));
}

#[tokio::test]
async fn of_a_scenario_that_runs_for_somebody_else_by_now_the_limit_that_was_stated_is_told() {
    let world = World::new().await;
    let (inn, spa) = (Owner::Client(world.inn), Owner::Client(world.spa));
    let stated = Stated { name: "As it was".into(), status: ScenarioStatus::Active, limit: Some(100) };
    world.days(inn, 5, |_| vec![(1, cell(10)), (2, Cell { stated: Some(stated.clone()), ..cell(10) })]).await;
    for n in [1, 2] {
        world
            .scenario(n, inn, |scenario| {
                scenario.mapping.push(Mapped { from: Some(today()), owner: spa, ..scenario.mapping[0].clone() });
                (scenario.name, scenario.daily_limit) = ("As it is called now".into(), Some(7));
            })
            .await;
    }
    world.day(spa, today(), [(1, cell(10))]).await;
    let limits = async |query: &str| world.forecast(query).await["scenario_limits"].as_array().unwrap().clone();
    let [one] = &limits("client_slug=inn").await[..] else { panic!("one was stated") };
    assert_eq!(
        (&one["scenario_id"], &one["scenario_name"], &one["operations_limit"]),
        (&json!("2"), &json!("As it was"), &json!(100))
    );
    let [one] = &limits("client_slug=spa").await[..] else { panic!("one runs there") };
    assert_eq!((&one["scenario_name"], &one["operations_limit"]), (&json!("As it is called now"), &json!(7)));
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
    for query in ["client_id=nonsense", "client_slug=No%20slug", "client_id="] {
        assert_eq!(status(world.person(Role::Owner), query).await, 404, "{query}");
    }
    let (bad, answer) = world.forecast_by(world.person(Role::Owner), "colour=red&client_id=x&client_slug=y").await;
    assert_eq!((bad, faults(&answer).len()), (400, 2), "{answer}");
    let all = async |call| world.forecast_by(call, "").await.1["data"].clone();
    assert_eq!(all(world.limited_to(world.inn)).await["client_id"], json!(world.inn));
    assert_eq!(all(world.person(Role::Owner)).await["so_far"]["operations_count"], 110 * 20);
    let agent = all(world.person(Role::Agent)).await;
    assert_eq!((&agent["so_far"]["operations_count"], &agent["allowance"]), (&json!(2_000), &json!(null)));
}

#[tokio::test]
async fn looking_ahead_costs_what_the_readme_says_however_many_runs_there_were() {
    for scale in [1, 1_000] {
        let world = World::new().await;
        let (inn, spa) = (Owner::Client(world.inn), Owner::Client(world.spa));
        world.days(inn, 60, |_| (1..=20).map(|n| (n, cell(1_000 * scale))).collect()).await;
        world.days(spa, 60, |_| (1_001..=1_300).map(|n| (n, runs(scale))).collect()).await;
        for n in (1..=20).chain(1_001..=1_300) {
            let owner = if n > 1_000 { spa } else { inn };
            world.scenario(n, owner, |scenario| scenario.daily_limit = Some(10_000)).await;
        }
        let units = Units::default();
        let table = world.table.clone().metered(units.meter());
        let metered = World { deps: forecasts::Deps { gate: Gate::new(table.clone()), table }, ..world };
        let (mut told, mut all) = (Vec::new(), Vec::new());
        let mut take = |what: &str| {
            let (written, read) = units.take();
            told.push(format!("{what}: {written} WCU, {read} RCU"));
            all.push((written, read));
        };
        metered.forecast("client_slug=inn").await;
        take("forecast of a client with 20 scenarios");
        metered.forecast("client_slug=spa").await;
        take("forecast of a client with 300 scenarios");
        metered.forecast("").await;
        take("forecast of the tenant, two clients");
        let call = metered.person(Role::Owner).with_header("if-match", "\"0\"");
        metered.allow_by(call, &json!({ "credits_per_month": 1, "client_slug": "inn" })).await;
        take("setting an allowance");
        metered.advice("client_slug=inn").await;
        take("advice of a client with 20 scenarios");
        metered.advice("").await;
        take("advice of 320 scenarios, 300 of which fail");
        println!("{scale}: {told:#?}");
        for ((most_written, most_read), (written, read)) in COSTS.into_iter().zip(all) {
            assert!(written <= most_written && read <= most_read, "{told:#?}");
        }
    }
}
