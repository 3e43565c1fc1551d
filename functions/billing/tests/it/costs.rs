//! What closing a month costs, and reading one.

use std::collections::BTreeMap;

use jiff::civil::date;
use serde_json::json;
use shared::{
    run::{Run, RunStatus},
    scenario::Owner,
    sheet::{Cell, Sheet, Subject},
    statement::Month,
    testing::Units,
    usage::OperationType,
};

use crate::world::{World, at, number};

/// The same world, counted from now on.
fn metered(world: World, units: &Units) -> World {
    let table = world.table.clone().metered(units.meter());
    World { deps: billing::Deps { table, ..world.deps }, ..world }
}

#[tokio::test]
async fn what_a_month_of_two_scenarios_costs() {
    let world = World::new().await;
    world.price(None, date(2026, 1, 1), "USD", "0.00106").await;
    world.record(world.runs(at("2026-10-01T00:00:00Z"), at("2026-11-01T00:00:00Z"))).await;
    world.fold().await;
    let units = Units::default();
    let world = metered(world, &units);

    assert_eq!(world.close(world.inn, "2026-10").await.0, 201);
    let close = units.take();
    world.see(world.inn, "2026-10").await;
    let get = units.take();

    println!("two scenarios: close {close:?} get {get:?}");
    assert!(close.0 <= 5.0 && close.1 <= 12.0, "{close:?}");
    assert!(get.0 <= 0.0 && get.1 <= 4.0, "{get:?}");
}

#[tokio::test]
async fn what_a_month_of_300_scenarios_costs() {
    let world = World::new().await;
    world.price(None, date(2026, 1, 1), "USD", "0.00106").await;
    world.price(Some(world.inn), date(2026, 10, 15), "EUR", "0.0021").await;
    let owner = Owner::Client(world.inn);
    let ids = 418_000..418_300_u32;
    for n in ids.clone() {
        world.map(n, owner).await;
    }
    for day in "2026-10".parse::<Month>().unwrap().days() {
        let cells: BTreeMap<Subject, Cell> = ids
            .clone()
            .map(|n| {
                let subject = Subject { operation_type: OperationType::Call, by_id: true, scenario: n.to_string() };
                let cell = Cell { operations: 500, succeeded: 72, centicredits: Some(50_000), ..Cell::default() };
                (subject, cell)
            })
            .collect();
        let sheet = Sheet { tenant: world.tenant, owner, date: day, nth: 0, cells, told_at: None };
        for row in sheet.rows() {
            world.table.put(&row).await.unwrap();
        }
    }
    let units = Units::default();
    let world = metered(world, &units);

    let (status, head) = world.close(world.inn, "2026-10").await;
    assert_eq!((status, &head["data"]["line_count"]), (201, &json!(600)));
    let close = units.take();
    let seen = world.see(world.inn, "2026-10").await;
    let get = units.take();
    world.list(world.owner(), "month=2026-10").await;
    let list = units.take();
    let late = Run { status: RunStatus::Success, ..world.run(418_000, "late", at("2026-10-20T12:00:00Z"), 6) };
    world.record(vec![late]).await;
    world.fold().await;
    assert_eq!(world.correct(world.inn, "2026-10").await.0, 201);
    let correct = units.take();

    println!("300 scenarios: close {close:?} get {get:?} list {list:?} correct {correct:?}");
    // 300 scenarios of half a megacredit a day: to the cent, by hand.
    let costs = &seen["totals"]["costs"];
    assert_eq!((number(&costs[0]["amount"]), number(&costs[1]["amount"])), (5_355.into(), 2_226.into()));
    assert!(close.0 <= 169.0 && close.1 <= 110.0, "{close:?}");
    assert!(get.0 <= 0.0 && get.1 <= 45.0, "{get:?}");
    assert!(list.0 <= 0.0 && list.1 <= 1.0, "{list:?}");
    assert!(correct.0 <= 88.0 && correct.1 <= 150.0, "{correct:?}");
}
