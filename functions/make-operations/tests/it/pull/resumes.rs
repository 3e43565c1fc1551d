//! A pull goes on wherever it was killed, and two runs do not do the same.

use std::time::Duration;

use jiff::SignedDuration;
use local::standin::Fault;
use make_operations::{
    ledger,
    pull::{self, Pulled, Terms},
};
use serde_json::json;
use shared::{
    make::{
        Place,
        pull::{State, Step},
    },
    run::{Origin, Run},
    trace::TraceId,
    usage::Usd,
};

use super::{Scene, run, scene::ZONE};

/// Three scenarios of 23 runs each, in pages of ten.
async fn busy() -> (Scene, Vec<u64>) {
    let scene = Scene::new().await;
    let mut ids = vec![scene.customer.scenario_id];
    for _ in 0..2 {
        ids.push(scene.scenario(json!({})).await);
    }
    for id in &ids {
        scene.standin.set_scenario(ZONE, *id, json!({ "logPage": 10 })).await.unwrap();
        let runs: Vec<_> = (0..23).map(|n| run(&format!("{id}r{n}"), 100 * n + 1)).collect();
        scene.ran(*id, &runs).await;
    }
    (scene, ids)
}

#[tokio::test]
async fn it_goes_on_page_by_page() {
    let (mut scene, ids) = busy().await;
    let mut turns = 0;
    loop {
        let pulled = scene.pull_a_page().await;
        turns += 1;
        if pulled.done == 1 {
            break;
        }
        assert_eq!(pulled, Pulled { unfinished: 1, ..Pulled::default() });
        assert_eq!(scene.state().await.state, State::Running);
    }

    // The list, three pages of each log, and the end.
    assert_eq!(turns, 11);
    assert_eq!(scene.sums().await, (69, 345));
    let last = scene.state().await.last.unwrap();
    assert_eq!((last.scenarios_done, last.runs_read, last.runs_new, last.requests), (3, 69, 69, 13));
    assert_eq!(scene.runs(ids[1]).await.len(), 23);
}

#[tokio::test]
async fn killed_after_each_page_it_reads_that_page_again_and_counts_nothing_twice() {
    let (mut scene, _) = busy().await;
    for turn in 0.. {
        assert!(turn < 30, "it comes to an end");
        let before = scene.state().await;
        let pulled = scene.pull_a_page().await;
        if turn % 2 == 0 {
            // Killed after the page was stored and before its place was put down.
            scene.table.put(&before).await.unwrap();
            continue;
        }
        if pulled.done == 1 {
            break;
        }
    }

    assert_eq!(scene.sums().await, (69, 345));
    assert!(scene.days().await.iter().all(|day| day.usage.is_some()), "usage is asked for, although all was known");
}

#[tokio::test]
async fn killed_while_make_is_silent_its_lease_ends_and_another_takes_it_up() {
    let (mut scene, ids) = busy().await;
    scene.pull_a_page().await;
    scene.standin.fail_next(&scene.log_of(ids[0]), [Fault::slow(2_000)]).await.unwrap();
    let terms = Terms { spare: Duration::from_millis(100), share: Duration::from_millis(100), ..Terms::default() };
    assert!(pull::all(&scene.deps, scene.now, terms).await.is_err(), "it is broken off");
    let pull = scene.state().await;
    assert_eq!((pull.state, pull.failure.as_deref()), (State::Failed, Some("trouble on our side")));

    assert_eq!(scene.pull().await, Pulled::default(), "the lease holds");
    scene.later(91);
    scene.pull_well().await;
    assert_eq!(scene.sums().await, (69, 345));
}

#[tokio::test]
async fn of_two_runs_at_the_same_time_one_works() {
    let (scene, _) = busy().await;

    let (one, two) = tokio::join!(scene.pull(), scene.pull());

    assert_eq!((one.done + two.done, one.broken + two.broken), (1, 0));
    assert_eq!(scene.requests().await.len(), 13);
    assert_eq!(scene.sums().await, (69, 345));
}

#[tokio::test]
async fn another_account_ends_what_is_under_way_for_the_former_one() {
    let (mut scene, _) = busy().await;
    scene.pull_a_page().await;
    scene.pull_a_page().await;
    assert!(matches!(scene.state().await.work.unwrap().step, Step::Reading { .. }));
    scene.standin.fail_next("/eu1.make.com/api/v2/*", [Fault::status(401)]).await.unwrap();
    scene.pull().await;

    scene.give(Place::Organization(scene.customer.organization_id), Some(1_000_000)).await;

    let pull = scene.state().await;
    assert_eq!((pull.work, pull.state, pull.due_at), (None, State::Running, scene.now));
    assert_eq!((pull.failures, pull.failing_since, pull.failure), (0, None, None), "the trouble was the former one's");
    scene.later(60);
    scene.pull_well().await;
    assert_eq!(scene.sums().await, (69, 345));
}

#[tokio::test]
async fn what_makes_own_pace_does_not_allow_waits_its_turn() {
    let (mut scene, _) = busy().await;
    // Half of it is ours: one request every six seconds, after the first ten.
    scene.give(Place::Team(scene.customer.team_id), Some(20)).await;

    assert_eq!(scene.pull().await, Pulled { waiting: 1, ..Pulled::default() });

    let pull = scene.state().await;
    assert_eq!((pull.state, pull.work.unwrap().progress.requests, pull.failure), (State::Waiting, 10, None));
    assert!(pull.due_at > scene.now && pull.due_at < scene.now + SignedDuration::from_secs(15));
    assert_eq!(scene.requests().await.len(), 10);
    scene.give(Place::Team(scene.customer.team_id), Some(1_000_000)).await;
    scene.later(60);
    scene.pull_well().await;
    assert_eq!(scene.sums().await, (69, 345));
}

#[tokio::test]
async fn what_only_a_webhook_knows_of_a_run_stays_with_it() {
    let mut scene = Scene::new().await;
    let id = scene.customer.scenario_id;
    scene.ran(id, &[run("a", 30)]).await;
    scene.pull_well().await;
    let pulled = scene.runs(id).await.remove(0);
    let (cost, trace) = (Some(Usd::from_ten_thousandths(2_500)), Some(TraceId::new()));
    let table = scene.table.clone().consistent();
    let told = Run { id: "b".into(), origin: Origin::Reported, operations: 4, cost, trace, ..pulled };
    ledger::record(&table, scene.tenant, vec![told], scene.now).await.unwrap();
    scene.ran(id, &[run("b", 20)]).await;

    for corrected in [1, 0] {
        scene.later(60);
        scene.pull_again().await;
        let run = scene.runs(id).await.into_iter().find(|run| run.id == "b").unwrap();
        assert_eq!((run.origin, run.operations, run.cost, run.trace), (Origin::Pulled, 5, cost, trace));
        assert_eq!(scene.state().await.last.unwrap().runs_corrected, corrected);
    }
}
