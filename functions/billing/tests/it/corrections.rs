//! What is told of a closed month becomes later lines.

use jiff::civil::date;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use shared::{
    gate::Role,
    run::RunStatus,
    scenario::Owner,
    statement::Month,
    testing::{person, told},
};

use crate::world::{World, at, number};

const OCTOBER: &str = "2026-10";

async fn closed() -> World {
    let world = World::new().await;
    world.price(None, date(2026, 1, 1), "USD", "0.00106").await;
    world.record(world.runs(at("2026-10-01T12:00:00Z"), at("2026-10-05T12:00:00Z"))).await;
    world.fold().await;
    assert_eq!(world.close(world.inn, OCTOBER).await.0, 201);
    world
}

/// Statement, without what comes after it.
fn statement(seen: &Value) -> Value {
    json!([seen["lines"], seen["totals"], seen["sha256"], seen["closed_at"]])
}

fn usd(totals: &Value, which: &str) -> Decimal {
    totals["costs"].as_array().unwrap().first().map_or(Decimal::ZERO, |cost| number(&cost[which]))
}

#[tokio::test]
async fn runs_that_come_late_and_runs_that_are_corrected_change_no_statement_and_are_told_as_later_lines() {
    let world = closed().await;
    let before = world.see(world.inn, OCTOBER).await;
    assert_eq!(world.correct(world.inn, OCTOBER).await.0, 409, "nothing differs");

    world.record(vec![world.run(1, "late", at("2026-10-20T12:00:00Z"), 6)]).await;
    assert_eq!(world.correct(world.inn, OCTOBER).await.0, 409, "it is not counted yet");
    world.fold().await;
    assert_eq!(statement(&world.see(world.inn, OCTOBER).await), statement(&before));
    let (status, first) = world.correct(world.inn, OCTOBER).await;
    assert_eq!((status, &first["data"]["number"], &first["data"]["reason"]), (201, &json!(1), &json!("late runs")));
    assert_eq!(world.correct(world.inn, OCTOBER).await.0, 409, "nothing differs any more");

    let mut wrong = world.run(1, "late", at("2026-10-20T12:00:00Z"), 2);
    wrong.status = RunStatus::Error;
    wrong.told_at = at("2026-12-01T00:00:00Z");
    world.record(vec![wrong]).await;
    world.fold().await;
    let (status, second) = world.correct(world.inn, OCTOBER).await;
    assert_eq!((status, &second["data"]["number"]), (201, &json!(2)));

    let seen = world.see(world.inn, OCTOBER).await;
    assert_eq!(statement(&seen), statement(&before));
    let lines: Vec<_> = seen["corrections"].as_array().unwrap().iter().map(|one| &one["lines"][0]).collect();
    let counts = |name: &str| lines.iter().map(|line| line[name].as_i64().unwrap()).collect::<Vec<_>>();
    assert_eq!(
        (counts("operations_count"), counts("warning_count"), counts("error_count")),
        (vec![7, -4], vec![1, -1], vec![0, 1])
    );
    assert_eq!(
        (number(&lines[0]["cost"]), number(&lines[1]["cost"])),
        (number(&json!(0.0034132)), number(&json!(-0.0015688)))
    );
    assert_eq!(
        (number(&lines[0]["minutes_saved"]), number(&lines[1]["minutes_saved"])),
        (Decimal::new(15, 1), Decimal::new(-15, 1))
    );

    // All amounts that were ever told add up to the rounded balance, and the balance is what the month is now.
    let steps: Decimal = seen["corrections"].as_array().unwrap().iter().map(|one| usd(&one["totals"], "amount")).sum();
    assert_eq!(usd(&seen["totals"], "amount") + steps, usd(&seen["balance"], "amount"));
    let (_, list) = world.list(world.owner(), "month=2026-10").await;
    let entry = &list["data"]["months"][0];
    assert_eq!((&entry["balance"], &entry["correction_count"]), (&seen["balance"], &json!(2)));
}

#[tokio::test]
async fn a_scenario_that_is_mapped_later_is_a_correction_of_whoever_gets_it_and_of_whoever_loses_it() {
    let world = closed().await;
    let days = |month: &str| month.parse::<Month>().unwrap().days();
    // Nobody's until now, for all days.
    world.map(5, Owner::Client(world.inn)).await;
    // And one that was the inn's.
    world.map(2, Owner::Company).await;
    world.note(days(OCTOBER)).await;
    world.fold().await;

    assert_eq!(world.correct(world.inn, OCTOBER).await.0, 201);

    let seen = world.see(world.inn, OCTOBER).await;
    let lines = seen["corrections"][0]["lines"].as_array().unwrap();
    let told: Vec<_> = lines
        .iter()
        .map(|line| (line["scenario_id"].as_str().unwrap(), line["cost"].as_f64().unwrap() > 0.0))
        .collect();
    assert_eq!(told, [("2", false), ("5", true)]);
    assert_eq!(lines[0]["operations_count"].as_i64().unwrap(), -seen["lines"][1]["operations_count"].as_i64().unwrap());
    assert_eq!(
        world.correct("company", OCTOBER).await.0,
        409,
        "the company's month is not closed: it changes by itself"
    );
}

#[tokio::test]
async fn a_correction_that_is_asked_for_twice_is_one_and_two_at_once_are_not_the_same_one() {
    let world = closed().await;
    world.record(vec![world.run(1, "late", at("2026-10-20T12:00:00Z"), 6)]).await;
    world.fold().await;
    let body = json!({ "reason": "late runs" });
    let named = || world.owner().with_header("idempotency-key", "k1");

    let (one, other) = tokio::join!(world.correct(world.inn, OCTOBER), world.correct(world.inn, OCTOBER));
    let mut statuses = [one.0, other.0];
    statuses.sort_unstable();
    assert!([[201, 409], [201, 503]].contains(&statuses), "{one:?} {other:?}");

    world.record(vec![world.run(1, "later", at("2026-10-21T12:00:00Z"), 6)]).await;
    world.fold().await;
    let first = world.correct_by(named(), world.inn, OCTOBER, &body).await;
    assert_eq!((first.0, &first.1["data"]["number"]), (201, &json!(2)));
    assert_eq!(world.correct_by(named(), world.inn, OCTOBER, &body).await, first);

    // What remembers the answer is gone: the correction itself remembers who asked for it.
    let call = named().with_part("client_id", world.inn).with_part("month", OCTOBER).posting(&body);
    let deps = &world.deps;
    let again = told(billing::correct::handle(deps, call.at(at("2026-11-07T09:00:00Z"))).await);
    assert_eq!(again, first);
    assert_eq!(world.see(world.inn, OCTOBER).await["corrections"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_correction_needs_a_reason_an_owner_and_a_closed_month() {
    let world = closed().await;
    let reasonless = |body: Value| {
        let world = &world;
        async move { world.correct_by(world.owner(), world.inn, OCTOBER, &body).await }
    };
    for body in
        [json!({}), json!({ "reason": " " }), json!({ "reason": "x".repeat(501) }), json!({ "reason": "x", "y": 1 })]
    {
        assert_eq!(reasonless(body.clone()).await.0, 400, "{body}");
    }
    let body = json!({ "reason": "late runs" });
    assert_eq!(world.correct(world.spa, OCTOBER).await.0, 409);
    assert_eq!(world.correct_by(person(world.tenant, Role::Supervisor), world.inn, OCTOBER, &body).await.0, 403);
    assert_eq!(world.correct_by(shared::testing::stranger(), world.inn, OCTOBER, &body).await.0, 404);
}
