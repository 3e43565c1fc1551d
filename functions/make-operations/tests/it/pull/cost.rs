//! What a pull costs: requests to Make.com, and capacity units. The figures stand in the README.

use futures::{StreamExt, stream};
use jiff::SignedDuration;
use local::standin::MakeRun;
use serde_json::json;
use shared::{
    make::Place,
    testing::{Units, table},
};

use super::{Scene, run};

const SCENARIOS: u64 = 300;

/// Three hundred scenarios, all of which were read before.
async fn three_hundred() -> (Scene, Vec<u64>, Units) {
    let units = Units::default();
    let mut scene = Scene::on(table().await.metered(units.meter())).await;
    // Two days ago, so that what happens today has happened for Make.com, too.
    scene.now -= SignedDuration::from_hours(52);
    scene.give(Place::Team(scene.customer.team_id), Some(1_000_000)).await;
    let mut ids = vec![scene.customer.scenario_id];
    ids.extend(stream::iter(1..SCENARIOS).map(|_| scene.scenario(json!({}))).buffered(20).collect::<Vec<_>>().await);
    units.take();
    scene.pull_well().await;
    let (write, read) = units.take();
    println!("the first pull: {} requests, {write} WCU, {read} RCU", scene.requests().await.len());
    // What was found the first time is asked for once more.
    scene.sleep();
    scene.pull_well().await;
    scene.requests().await;
    units.take();
    scene.sleep();
    (scene, ids, units)
}

/// Whether it is what the README says, by a few percent.
fn is_about(units: f64, said: f64) -> bool {
    (units / said - 1.0).abs() <= 0.04
}

#[tokio::test]
async fn three_hundred_scenarios_without_news_cost_a_request_each() {
    let (scene, _, units) = three_hundred().await;

    scene.pull_well().await;

    let (write, read) = units.take();
    let requests = scene.requests().await.len();
    println!("without news: {requests} requests, {write} WCU, {read} RCU");
    assert_eq!(requests, 304);
    assert!(is_about(write, 310.0) && is_about(read, 60.0), "{write} WCU, {read} RCU");
}

#[tokio::test]
async fn three_hundred_scenarios_with_twenty_runs_each_cost_what_the_readme_says() {
    let (scene, ids, units) = three_hundred().await;
    for id in &ids {
        let at = |n: i64| scene.now - SignedDuration::from_mins(n);
        let runs: Vec<_> = (0..20).map(|n| MakeRun { timestamp: at(n), ..run(&format!("{id}r{n}"), 0) }).collect();
        scene.ran(*id, &runs).await;
    }

    scene.pull_well().await;

    let (write, read) = units.take();
    let requests = scene.requests().await.len();
    println!("with 6,000 runs: {requests} requests, {write} WCU, {read} RCU");
    assert_eq!(requests, 604);
    assert_eq!(scene.sums().await, (6_000, 30_000));
    let used = scene.days().await.iter().filter(|day| day.usage.is_some()).count() as f64;
    let is_told = is_about(write, 19_500.0 + 2.0 * used) && is_about(read, 6_100.0 + used);
    assert!(is_told, "{write} WCU, {read} RCU, {used} days");
}
