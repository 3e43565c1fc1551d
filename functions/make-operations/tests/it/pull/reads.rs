//! What a pull reads.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp, ToSpan};
use local::standin::MakeRun;
use serde_json::json;
use shared::{
    key,
    make::{Place, pull::State},
    run::{Origin, RunStatus},
    scenario::{MOST, Mapped, Owner, Scenario, ScenarioCount},
    usage::ScenarioStatus,
};

use super::{Scene, ago, run, scene::ZONE};

#[tokio::test]
async fn a_first_pull_reads_scenarios_runs_and_usage() {
    let scene = Scene::new().await;
    let first = scene.customer.scenario_id;
    let every = json!({ "name": "Poll", "scheduling": { "type": "indefinitely", "interval": 900 }, "dlqCount": 2 });
    let second = scene.scenario(every).await;
    let failed = MakeRun { status: 3, ..run("b", 60 * 24 * 3) };
    scene.ran(first, &[run("a", 10), failed, MakeRun { status: 2, ..run("c", 60 * 24 * 29) }]).await;

    scene.pull_well().await;

    let runs = scene.runs(first).await;
    let told: Vec<_> = runs.iter().map(|run| (run.id.as_str(), run.status)).collect();
    assert_eq!(told, [("c", RunStatus::Warning), ("b", RunStatus::Error), ("a", RunStatus::Success)]);
    assert_eq!((runs[0].operations, runs[0].centicredits, runs[0].origin), (5, Some(500), Origin::Pulled));
    assert!(runs[0].duration_ms.is_some() && runs[2].started_at < ago(9));
    assert_eq!(scene.sums().await, (3, 15));
    let used: Vec<_> = scene.days().await.iter().filter_map(|day| day.usage).map(|usage| usage.operations).collect();
    assert_eq!(used, [5, 5, 5]);
    let known = scene.known(second).await;
    let told = known.told.unwrap();
    assert_eq!((known.name.as_str(), known.mapping.len()), ("Poll", 0));
    assert_eq!((told.status, told.interval_s, told.incomplete), (ScenarioStatus::Active, Some(900), Some(2)));
    assert_eq!((told.team, told.scheduling.as_deref()), (Some(scene.customer.team_id), Some("indefinitely")));
    let pull = scene.state().await;
    assert_eq!((pull.state, pull.work, pull.failure), (State::Idle, None, None));
    let last = pull.last.unwrap();
    assert_eq!((last.scenarios, last.scenarios_done, last.scenarios_new), (2, 2, 2));
    assert_eq!((last.runs_read, last.runs_new, last.requests), (3, 3, 5));
    let lisbon = pull.due_at.to_zoned(jiff::tz::TimeZone::get("Europe/Lisbon").unwrap());
    assert_eq!((lisbon.hour(), lisbon.minute()), (6, 0));
    assert!(pull.due_at > scene.now && pull.due_at <= scene.now + SignedDuration::from_hours(24));
}

#[tokio::test]
async fn a_second_pull_reads_what_is_new_and_what_ended_late() {
    let mut scene = Scene::new().await;
    let id = scene.customer.scenario_id;
    scene.ran(id, &[run("a", 90)]).await;
    scene.pull_well().await;
    // It began before the first pull and ended after it.
    scene.ran(id, &[run("late", 60), run("new", 0)]).await;
    scene.sleep();

    scene.pull_well().await;

    let last = scene.state().await.last.unwrap();
    assert_eq!((last.runs_read, last.runs_new, last.runs_corrected), (3, 2, 0));
    assert_eq!(scene.sums().await, (3, 15));
}

#[tokio::test]
async fn a_run_that_changes_between_two_pulls_counts_as_it_is_now() {
    let mut scene = Scene::new().await;
    let id = scene.customer.scenario_id;
    scene.ran(id, &[run("a", 30)]).await;
    scene.pull_well().await;
    scene.ran(id, &[MakeRun { status: 3, operations: 7, ..run("a", 30) }]).await;
    scene.sleep();

    scene.pull_well().await;

    assert_eq!(scene.state().await.last.unwrap().runs_corrected, 1);
    let days = scene.days().await;
    assert_eq!(days.iter().map(|day| (day.tally().succeeded, day.tally().failed)).collect::<Vec<_>>(), [(0, 1)]);
    assert_eq!(scene.sums().await, (1, 7));
}

#[tokio::test]
async fn names_and_states_are_kept_current_and_what_a_person_said_stays() {
    let mut scene = Scene::new().await;
    let id = scene.customer.scenario_id;
    scene.pull_well().await;
    let mapped = Mapped { owner: Owner::Client(scene.world.inn), seconds_saved: 60, ..Mapped::default() };
    let said = scene.known(id).await;
    let said = Scenario { mapping: vec![mapped.clone()], description: Some("Bookings".into()), revision: 1, ..said };
    scene.table.put(&said).await.unwrap();
    for (said, status) in [
        (json!({ "isActive": false }), ScenarioStatus::Disabled),
        (json!({ "isActive": true, "isPaused": true }), ScenarioStatus::Paused),
        (json!({ "isinvalid": true }), ScenarioStatus::Error),
        (json!({ "isinvalid": false, "isPaused": false, "name": "Intake, new" }), ScenarioStatus::Active),
    ] {
        scene.standin.set_scenario(ZONE, id, said).await.unwrap();
        scene.sleep();
        scene.pull_well().await;
        assert_eq!(scene.known(id).await.told.unwrap().status, status);
    }
    let known = scene.known(id).await;
    assert_eq!((known.name.as_str(), known.revision), ("Intake, new", 1));
    assert_eq!((known.mapping, known.description.as_deref()), (vec![mapped], Some("Bookings")));
}

#[tokio::test]
async fn a_scenario_that_is_deleted_is_marked_and_read_anew_when_it_is_back() {
    let mut scene = Scene::new().await;
    let gone = scene.scenario(json!({ "name": "Old" })).await;
    scene.ran(gone, &[run("a", 60 * 24)]).await;
    scene.pull_well().await;
    scene.standin.delete_scenario(ZONE, gone).await.unwrap();
    scene.sleep();
    scene.pull_well().await;

    let known = scene.known(gone).await;
    assert!(known.told.unwrap().gone_since.is_some() && known.name == "Old");
    assert_eq!(scene.sums().await.0, 1);

    scene.requests().await;
    scene.sleep();
    scene.pull_well().await;
    assert!(!scene.requests().await.iter().any(|path| path.contains(&gone.to_string())), "it is not asked for again");
    let back = json!({ "id": gone, "teamId": scene.customer.team_id, "name": "Old" });
    scene.standin.make_put(ZONE, "scenarios", back).await.unwrap();
    scene.ran(gone, &[run("b", 60 * 24 * 5)]).await;
    scene.sleep();
    scene.pull_well().await;
    assert_eq!(scene.known(gone).await.told.unwrap().gone_since, None);
    assert_eq!(scene.sums().await.0, 2, "what it did meanwhile is read");
}

#[tokio::test]
async fn an_account_of_one_team_reads_that_team_and_one_of_the_organisation_all() {
    let mut scene = Scene::new().await;
    let organization = scene.customer.organization_id;
    let team = scene.standin.make_put(ZONE, "teams", json!({ "organizationId": organization })).await.unwrap();
    let other = scene.scenario(json!({ "teamId": team["id"] })).await;
    scene.ran(other, &[run("a", 20)]).await;
    scene.pull_well().await;
    assert_eq!(scene.sums().await.0, 0);

    scene.give(Place::Organization(organization), Some(1_000_000)).await;
    scene.later(60);
    scene.pull_well().await;
    assert_eq!(scene.sums().await.0, 1);

    scene.give(Place::Team(scene.customer.team_id), Some(1_000_000)).await;
    scene.later(60);
    scene.pull_well().await;
    assert!(scene.known(other).await.told.unwrap().gone_since.is_some(), "it is not this account's any more");
}

#[tokio::test]
async fn what_is_no_run_that_has_ended_is_passed_over() {
    let scene = Scene::new().await;
    let id = scene.customer.scenario_id;
    let at = ago(5).to_string();
    let row = |n: u32, more: serde_json::Value| {
        let mut row = json!({ "imtId": format!("{}_x{n}", ago(5).as_millisecond()), "timestamp": at, "operations": 5 });
        row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        row
    };
    let rows = json!({ "scenarioLogs": [
        row(9, json!({ "id": "good", "status": 1, "centicredits": "500", "duration": null })),
        row(9, json!({ "id": 418, "status": 1 })),
        row(9, json!({ "status": 3, "imtId": format!("1_scenario.{id}.auto.nameless") })),
        row(9, json!({ "id": "no id", "status": 2, "imtId": format!("1_scenario.{id}.auto.misnamed") })),
        row(9, json!({ "status": 1, "imtId": format!("1_scenario.{}.auto.other", id + 1) })),
        row(9, json!({ "id": "unheard", "status": 9 })),
        row(9, json!({ "id": "wordy", "status": "well" })),
        row(8, json!({ "id": "pending", "status": 0 })),
        row(7, json!({ "type": "modify", "authorId": 11 })),
        row(6, json!({ "id": "", "status": 1 })),
        row(5, json!({ "id": "#".repeat(129), "status": 1 })),
        row(4, json!({ "id": "boundless", "status": 1, "operations": u64::MAX })),
        row(3, json!({ "id": "timeless", "status": 1, "timestamp": "yesterday" })),
        row(2, json!({ "id": "before", "status": 1, "timestamp": "2020-01-01T00:00:00Z" })),
        row(1, json!({ "id": "after", "status": 1, "timestamp": Timestamp::now() + SignedDuration::from_hours(1) })),
        "nonsense",
    ], "pg": { "limit": 100 } });
    scene.standin.fail_next(&scene.log_of(id), [local::standin::Fault::status(200).body(rows)]).await.unwrap();

    scene.pull_well().await;

    let runs = scene.runs(id).await;
    let ids: BTreeSet<_> = runs.iter().map(|run| run.id.as_str()).collect();
    assert_eq!(ids, BTreeSet::from(["good", "418", "nameless", "misnamed"]));
    let good = runs.iter().find(|run| run.id == "good").unwrap();
    assert_eq!((good.centicredits, good.duration_ms), (Some(500), None));
    // Pending ones, changes of the scenario, and what lies outside of the stretch are no runs that are passed over.
    assert_eq!(scene.state().await.last.unwrap().rows_passed_over, 8);
}

#[tokio::test]
async fn counters_that_come_as_text_count() {
    let scene = Scene::new().await;
    let id = scene.customer.scenario_id;
    scene.standin.set_scenario(ZONE, id, json!({ "countersAsText": true })).await.unwrap();
    scene.ran(id, &[run("a", 60), run("b", 60 * 24 * 2)]).await;

    scene.pull_well().await;

    assert_eq!(scene.sums().await, (2, 10));
    assert_eq!(
        scene.days().await.iter().filter_map(|day| day.usage).map(|usage| usage.centicredits).sum::<u64>(),
        1_000
    );
}

#[tokio::test]
async fn a_log_that_takes_times_for_seconds_or_takes_no_notice_is_read_all_the_same() {
    for quirk in ["seconds", "ignored"] {
        let mut scene = Scene::new().await;
        let id = scene.customer.scenario_id;
        scene.standin.set_scenario(ZONE, id, json!({ "logBounds": quirk, "logPage": 10 })).await.unwrap();
        let old: Vec<_> = (0..60).map(|n| run(&format!("old{n}"), 60 * 24 * 40 + n)).collect();
        let runs: Vec<_> = (0..25).map(|n| run(&format!("r{n}"), 60 * n + 1)).collect();
        scene.ran(id, &old).await;
        scene.ran(id, &runs).await;
        scene.pull_well().await;
        assert_eq!(scene.sums().await, (25, 125), "{quirk}");

        scene.ran(id, &[run("new", 0)]).await;
        scene.sleep();
        scene.requests().await;
        scene.pull_well().await;
        assert_eq!(scene.sums().await, (26, 130), "{quirk}");
        // The list, two pages of the log, and the usage: it ends behind the stretch.
        assert!(scene.requests().await.len() <= 5, "{quirk}");
    }
}

#[tokio::test]
async fn what_make_counted_of_days_to_come_is_not_kept() {
    let scene = Scene::new().await;
    let id = scene.customer.scenario_id;
    scene.ran(id, &[run("a", 10)]).await;
    let today = scene.now.to_zoned(jiff::tz::TimeZone::UTC).date();
    let used = |days: i64| {
        let date = today.saturating_add(days.days());
        json!({ "date": date, "operations": 5 + days.unsigned_abs(), "centicredits": 500, "dataTransfer": 1 })
    };
    let data: Vec<_> = [-40, -3, 0, 1, 2, 400].map(used).into();
    let path = format!("/{ZONE}/api/v2/scenarios/{id}/usage");
    let answer = local::standin::Fault::status(200).body(json!({ "data": data }));
    scene.standin.fail_next(&path, [answer]).await.unwrap();

    scene.pull_well().await;

    let days: Vec<_> = scene.days().await.into_iter().filter(|day| day.usage.is_some()).map(|day| day.date).collect();
    let kept: Vec<_> = [-3, 0, 1].map(|days: i64| today.saturating_add(days.days())).into();
    assert_eq!(days, kept);
}

#[tokio::test]
async fn an_interval_beyond_all_measure_is_a_year() {
    let scene = Scene::new().await;
    let every = json!({ "name": "Poll", "scheduling": { "type": "indefinitely", "interval": 9_000_000_000_000_u64 } });
    let id = scene.scenario(every).await;

    scene.pull_well().await;

    assert_eq!(scene.known(id).await.told.unwrap().interval_s, Some(366 * 86_400));
}

#[tokio::test]
async fn scenarios_for_which_there_is_no_room_are_left_out() {
    let scene = Scene::new().await;
    let other = scene.scenario(json!({ "name": "Other" })).await;
    scene.table.put(&ScenarioCount { tenant: scene.tenant, scenarios: MOST - 1 }).await.unwrap();

    scene.pull_well().await;

    assert_eq!(scene.state().await.last.unwrap().scenarios_new, 0);
    assert!(scene.table.find(key::scenario(scene.tenant, &other.to_string())).await.unwrap().is_none());
}
