//! What an evaluation costs: read units of a tenant of 300 scenarios, and what is written.

use std::collections::BTreeMap;

use alerts::rehearse;
use jiff::ToSpan;
use shared::{
    alert::Kind,
    key,
    run::RunDay,
    scenario::Owner,
    sheet::{Cell, Sheet, Subject},
    testing::{Units, table, told},
    usage::OperationType,
};

use crate::{World, at, world::day};

#[tokio::test]
async fn what_an_evaluation_of_300_scenarios_costs() {
    let units = Units::default();
    let world = World::over(table().await.metered(units.meter())).await;
    let (today, owner) = (day("2037-07-21"), Owner::Client(world.inn));
    let ids: Vec<String> = (0..300).map(|n| format!("{}", 418_000 + n)).collect();
    for id in &ids {
        world.scenario(id, |_| ()).await;
    }
    for back in [0_i32, 1, 7, 8, 14, 15, 21, 22, 28, 29] {
        let date = today - back.days();
        for id in &ids {
            let change = world.table.change::<RunDay>(key::run_day(world.tenant, date, id)).or_new();
            let change = change
                .set("tenant", world.tenant)
                .set("scenario", id)
                .set("date", date)
                .set("told_at", at("2037-07-21T00:00:00Z"));
            // Three runs an hour, some of which do nothing.
            let counted = (0..24).fold(change.set("_s", 72).set("_e", 24).set("_o", 500), |change, hour| {
                change.set(&format!("_{hour}s"), 3).set(&format!("_{hour}e"), 1)
            });
            counted.write().await.unwrap();
        }
    }
    for back in 0..=28_i32 {
        let cells: BTreeMap<Subject, Cell> = ids
            .iter()
            .map(|id| {
                let subject = Subject { operation_type: OperationType::General, by_id: true, scenario: id.clone() };
                (
                    subject,
                    Cell { operations: 500, succeeded: 72, empty: 24, centicredits: Some(50_000), ..Cell::default() },
                )
            })
            .collect();
        let sheet = Sheet { tenant: world.tenant, owner, date: today - back.days(), nth: 0, cells, told_at: None };
        for row in sheet.rows() {
            world.table.put(&row).await.unwrap();
        }
    }
    units.take();

    let turn = world.evaluate(at("2037-07-21T22:30:00Z")).await;

    let (written, read) = units.take();
    assert_eq!((turn.changed, written), (0, 0.0));
    println!("an evaluation of 300 scenarios reads {read} units");
    assert!(read <= 225.0, "{read}");
    assert!(world.alert(Kind::Silence, &ids[0]).await.is_none());
}

#[tokio::test]
async fn what_a_rehearsal_of_100_scenarios_costs() {
    let units = Units::default();
    let world = World::over(table().await.metered(units.meter())).await;
    let ids: Vec<String> = (0..100).map(|n| format!("{}", 418_000 + n)).collect();
    for id in &ids {
        world.scenario(id, |_| ()).await;
        for back in 0..59_i32 {
            let date = day("2037-07-21") - back.days();
            let change = world.table.change::<RunDay>(key::run_day(world.tenant, date, id)).or_new();
            let change = change
                .set("tenant", world.tenant)
                .set("scenario", id)
                .set("date", date)
                .set("told_at", at("2037-07-21T00:00:00Z"));
            change.set("_s", 1).set("_9s", 1).set("_o", 10).set("_9o", 10).write().await.unwrap();
        }
    }
    units.take();

    let begun = std::time::Instant::now();
    let call = world.owner().posting(&serde_json::json!({ "kind": "silence" })).at(at("2037-07-21T22:40:00Z"));
    let (status, answer) = told(rehearse::handle(&world.rehearsal, call).await);

    let (written, read) = units.take();
    println!("a rehearsal of 100 scenarios reads {read} units and takes {:?}", begun.elapsed());
    assert_eq!((status, written), (200, 1.0), "the lease of calls alone");
    assert_eq!(answer["data"]["alerts"], serde_json::json!([]));
    assert!(read <= 140.0, "{read}");
}

#[tokio::test]
async fn what_opening_an_alert_costs() {
    let units = Units::default();
    let world = World::over(table().await.metered(units.meter())).await;
    world.scenario("1", |_| ()).await;
    world.runs("1", "2037-07-21", 10, (0, 30, 0)).await;
    units.take();
    assert_eq!(world.evaluate(at("2037-07-21T12:30:00Z")).await.told, 1);
    let opened = units.take();
    assert_eq!(world.evaluate(at("2037-07-21T12:31:00Z")).await.changed, 0);
    let (again, _) = units.take();
    // An alert of up to a kilobyte and its place in the index, and an event of up to two: a transaction counts twice.
    println!("opening an alert costs {opened:?}");
    assert!(opened.0 <= 5.0 && again == 0.0, "{opened:?} {again}");
}

#[tokio::test]
async fn a_tenant_without_scenarios_costs_next_to_nothing() {
    let units = Units::default();
    let world = World::over(table().await.metered(units.meter())).await;
    units.take();
    world.evaluate(at("2037-07-21T12:30:00Z")).await;
    let (written, read) = units.take();
    println!("an evaluation of no scenario reads {read} units");
    assert!(written == 0.0 && read <= 6.5, "{written} {read}");
}
