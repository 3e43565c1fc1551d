//! Closing a month: once, when it is complete, and for good.

use jiff::civil::date;
use make_operations::{rates, scenarios};
use rust_decimal::Decimal;
use serde_json::json;
use shared::{
    gate::{Gate, Role},
    key,
    make::pull::Pull,
    run::{Run, RunStatus},
    scenario::Owner,
    statement::{Month, Part, closed_until},
    testing::{person, stranger, told},
};

use crate::world::{World, at, day_in_lisbon, number};

/// Operations, credits, cost, seconds, and runs by how they ended.
type Sums = (u64, Decimal, Decimal, u64, [u64; 4]);

/// What runs come to, one by one, at a price that changes on the 15th.
fn by_hand(runs: &[Run], scenario: &str, days: std::ops::RangeInclusive<jiff::civil::Date>, price: &str) -> Sums {
    let price: Decimal = price.parse().unwrap();
    let mut sums = Sums::default();
    for run in runs.iter().filter(|run| run.scenario == scenario && days.contains(&day_in_lisbon(run.started_at))) {
        let credits = Decimal::from(run.centicredits.unwrap()) / Decimal::from(100);
        let is_empty = run.status == RunStatus::Success && run.operations <= 1;
        sums.0 += run.operations;
        sums.1 += credits;
        sums.2 += credits * price;
        sums.3 += if run.status == RunStatus::Error || is_empty { 0 } else { 90 };
        sums.4[run.status as usize] += 1;
        sums.4[3] += u64::from(is_empty);
    }
    sums
}

#[tokio::test]
async fn sums_are_those_of_the_raw_runs_in_months_of_23_and_of_25_hours_with_a_price_that_changes() {
    for (year_month, year, month, days, from, to) in [
        ("2026-03", 2026, 3, 31, "2026-02-28T20:00:00Z", "2026-04-01T03:00:00Z"),
        ("2026-10", 2026, 10, 31, "2026-09-30T20:00:00Z", "2026-11-01T03:00:00Z"),
    ] {
        let world = World::new().await;
        world.price(None, date(2026, 1, 1), "USD", "0.00106").await;
        world.price(Some(world.inn), date(year, month, 15), "EUR", "0.0021").await;
        let runs = world.runs(at(from), at(to));
        world.record(runs.clone()).await;
        world.fold().await;

        let (status, head) = world.close(world.inn, year_month).await;

        assert_eq!(status, 201, "{head}");
        let seen = world.see(world.inn, year_month).await;
        let (mut usd, mut eur) = (Decimal::ZERO, Decimal::ZERO);
        for scenario in ["1", "2"] {
            let first = by_hand(&runs, scenario, date(year, month, 1)..=date(year, month, 14), "0.00106");
            let second = by_hand(&runs, scenario, date(year, month, 15)..=date(year, month, days), "0.0021");
            usd += first.2;
            eur += second.2;
            for (from, currency, sums) in [(1, "USD", first), (15, "EUR", second)] {
                let from = json!(date(year, month, from).to_string());
                let mut lines = seen["lines"].as_array().unwrap().iter();
                let line = lines.find(|line| line["scenario_id"] == scenario && line["from"] == from).unwrap();
                assert_eq!(line["currency"], currency);
                assert_eq!(line["operations_count"], sums.0);
                assert_eq!(number(&line["minutes_saved"]), (Decimal::from(sums.3) / Decimal::from(60)).round_dp(2));
                let ended = ["success_count", "warning_count", "error_count", "empty_count"].map(|name| &line[name]);
                assert_eq!(ended, [json!(sums.4[0]), json!(sums.4[1]), json!(sums.4[2]), json!(sums.4[3])].each_ref());
                // Six digits and more behind the point: compared as they are written.
                assert_eq!(number(&line["credits"]), sums.1);
                assert_eq!(number(&line["cost"]), sums.2, "{line}");
            }
        }
        assert_eq!(seen["lines"].as_array().unwrap().len(), 4, "of the inn alone");
        let costs = &seen["totals"]["costs"];
        assert_eq!((&costs[0]["currency"], &costs[1]["currency"]), (&json!("EUR"), &json!("USD")));
        let even =
            |exact: Decimal| exact.round_dp_with_strategy(2, rust_decimal::RoundingStrategy::MidpointNearestEven);
        assert_eq!((number(&costs[0]["amount"]), number(&costs[1]["amount"])), (even(eur), even(usd)));
        assert_eq!((number(&costs[0]["exact"]), number(&costs[1]["exact"])), (eur, usd));
        assert_eq!((&seen["final"], &seen["balance"]), (&json!(true), &seen["totals"]));
    }
}

#[tokio::test]
async fn what_is_missing_is_told_and_nothing_is_closed() {
    let world = World::new().await;
    world.record(world.runs(at("2026-10-30T12:00:00Z"), at("2026-10-31T12:00:00Z"))).await;
    let (status, answer) = world.close(world.inn, "2026-10").await;
    assert_eq!(status, 409);
    assert!(answer["detail"].as_str().unwrap().contains("2026-10-30, 2026-10-31"), "{answer}");

    world.fold().await;
    let (status, answer) = world.close(world.inn, "2026-11").await;
    assert_eq!(status, 409);
    assert!(answer["detail"].as_str().unwrap().contains("2026-11-30 in Europe/Lisbon"), "{answer}");

    let pull = |read_to: &str| -> Pull {
        serde_json::from_value(json!({
            "tenant": world.tenant, "state": "idle", "due_at": "2026-11-03T06:00:00Z", "since": "2026-09-01T00:00:00Z",
            "read_to": read_to,
        }))
        .unwrap()
    };
    world.table.put(&pull("2026-10-31T23:59:59Z")).await.unwrap();
    let (status, answer) = world.close(world.inn, "2026-10").await;
    assert_eq!(status, 409);
    assert!(answer["detail"].as_str().unwrap().contains("2026-10-31T23:59:59Z"), "{answer}");
    assert_eq!(world.see(world.inn, "2026-10").await["final"], false);
    let failure = "1 of 2 scenarios could not be read: Intake (4): Make.com refuses: HTTP 403";
    let failing = |read_to: Option<_>| Pull {
        read_to: read_to.map(at),
        failure: Some(failure.into()),
        ..pull("2026-10-31T23:59:59Z")
    };
    for read_to in [Some("2026-10-31T23:59:59Z"), None] {
        world.table.put(&failing(read_to)).await.unwrap();
        let (status, answer) = world.close(world.inn, "2026-10").await;
        let detail = answer["detail"].as_str().unwrap();
        assert!(status == 409 && detail.contains(failure) && detail.contains("PUT /api/v1/make/account"), "{detail}");
    }

    world.table.put(&pull("2026-11-01T00:00:00Z")).await.unwrap();
    assert_eq!(world.close(world.inn, "2026-10").await.0, 201, "in winter Lisbon's midnight is UTC's");
}

#[tokio::test]
async fn closing_twice_and_at_once_is_one_statement() {
    let world = World::new().await;
    world.price(None, date(2026, 1, 1), "USD", "0.00106").await;
    world.record(world.runs(at("2026-10-01T12:00:00Z"), at("2026-10-03T12:00:00Z"))).await;
    world.fold().await;

    let (one, other) = tokio::join!(world.close(world.inn, "2026-10"), world.close(world.inn, "2026-10"));

    let mut statuses = [one.0, other.0];
    statuses.sort_unstable();
    // Two transactions that meet: one of them may have to ask again.
    assert!([[200, 201], [201, 503]].contains(&statuses), "{one:?} {other:?}");
    let (status, again) = world.close(world.inn, "2026-10").await;
    assert_eq!(status, 200);
    let first = if one.0 == 201 { one.1 } else { other.1 };
    assert_eq!(again["data"], first["data"]);
    assert_eq!(world.table.list_all(&key::all_closed(world.tenant)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn one_that_was_killed_between_its_parts_is_closed_by_the_next_with_what_is_known_then() {
    let world = World::new().await;
    world.record(world.runs(at("2026-10-01T12:00:00Z"), at("2026-10-03T12:00:00Z"))).await;
    world.fold().await;
    let before = world.see(world.inn, "2026-10").await;
    // What the killed one has left: parts that no statement names.
    let (owner, month): (_, Month) = (Owner::Client(world.inn), "2026-10".parse().unwrap());
    let sha256 = "0".repeat(64);
    let left = Part { tenant: world.tenant, owner, month, sha256, nth: 0, text: "{}\n".into() };
    world.table.put(&left).await.unwrap();
    world.record(vec![world.run(1, "late", at("2026-10-20T12:00:00Z"), 6)]).await;
    world.fold().await;

    assert_eq!(world.close(world.inn, "2026-10").await.0, 201);

    let seen = world.see(world.inn, "2026-10").await;
    let operations = |month: &serde_json::Value| month["totals"]["operations_count"].as_i64().unwrap();
    assert_eq!(operations(&seen), operations(&before) + 7);
}

#[tokio::test]
async fn the_company_closes_its_own_month_and_one_without_anything_can_be_closed_too() {
    let world = World::new().await;
    world.record(world.runs(at("2026-10-01T12:00:00Z"), at("2026-10-03T12:00:00Z"))).await;
    world.fold().await;
    assert_eq!(world.close("company", "2026-10").await.0, 201);
    let seen = world.see("company", "2026-10").await;
    assert_eq!((&seen["client_id"], &seen["lines"][0]["scenario_id"]), (&json!(null), &json!("4")));
    assert_eq!(seen["lines"][0]["price_per_credit"], json!(null), "no price held");

    assert_eq!(world.close("company", "2026-09").await.0, 201);
    assert_eq!(world.see("company", "2026-09").await["lines"], json!([]));
    let until = closed_until(&world.table, world.tenant, None).await.unwrap();
    assert_eq!(until, Some(date(2026, 10, 31)));
    assert_eq!(closed_until(&world.table, world.tenant, Some(world.inn)).await.unwrap(), None);
}

#[tokio::test]
async fn no_price_and_no_mapping_begins_in_a_closed_month() {
    let world = World::new().await;
    assert_eq!(world.close(world.inn, "2026-10").await.0, 201);
    let price = async |client: Option<shared::id::ClientId>, from: &str| {
        let body = json!({ "client_id": client, "from": from, "currency": "USD", "price_per_credit": "0.001" });
        let deps = rates::Deps { gate: Gate::new(world.table.clone()), table: world.table.clone() };
        told(rates::create::handle(&deps, world.owner().posting(&body).at(at("2026-11-05T09:00:00Z"))).await)
    };
    for (client, from, expected) in [
        (Some(world.inn), "2026-10-31", 409),
        (None, "2026-10-31", 409),
        (Some(world.spa), "2026-10-31", 201),
        (Some(world.inn), "2026-11-01", 201),
        (None, "2026-11-01", 201),
    ] {
        let (status, answer) = price(client, from).await;
        assert_eq!(status, expected, "{client:?} {from}: {answer}");
        assert!(status == 201 || answer["detail"].as_str().unwrap().contains("2026-10-31"), "{answer}");
    }

    let map = async |n: u32, from: &str| {
        let deps = scenarios::map::Deps { gate: Gate::new(world.table.clone()), table: world.table.clone() };
        let call = world
            .owner()
            .with_header("if-match", "*")
            .with_part("id", n)
            .posting(&json!({ "company": true, "from": from }));
        told(scenarios::map::handle(&deps, call.at(at("2026-11-05T09:00:00Z"))).await)
    };
    for (n, from, expected) in [
        (1, "2026-10-31", 409),
        (1, "always", 409),
        (1, "2026-11-01", 200),
        (5, "2026-10-31", 200),
        (5, "2026-10-31", 409),
    ] {
        let (status, answer) = map(n, from).await;
        assert_eq!(status, expected, "{n} {from}: {answer}");
    }
}

#[tokio::test]
async fn only_owners_close_and_a_stranger_finds_nothing() {
    let world = World::new().await;
    let other = World::over(world.table.clone()).await;
    assert_eq!(world.close_by(stranger(), world.inn, "2026-10").await.0, 404);
    assert_eq!(world.close_by(other.owner(), world.inn, "2026-10").await.0, 404);
    assert_eq!(world.close_by(person(world.tenant, Role::Supervisor), world.inn, "2026-10").await.0, 403);
    assert_eq!(world.close_by(world.limited_to(world.inn), world.inn, "2026-10").await.0, 403);
    for (whose, month) in [("nobody", "2026-10"), ("company", "2026-1"), ("company", "october")] {
        assert_eq!(world.close(whose, month).await.0, 404, "{whose} {month}");
    }
    assert_eq!(closed_until(&world.table, world.tenant, None).await.unwrap(), None);
}
