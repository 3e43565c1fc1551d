//! What Make.com does wrong, or is asked too much.

use jiff::SignedDuration;
use local::standin::Fault;
use make_operations::pull::{self, Pulled, Terms};
use serde_json::json;
use shared::{
    key,
    make::{
        Account,
        pull::{Pull, State, Step},
    },
};

use super::{Scene, run, scene::ZONE};

const API: &str = "/eu1.make.com/api/v2/*";
const LIST: &str = "/eu1.make.com/api/v2/scenarios";

/// Two scenarios with a run each.
async fn two() -> (Scene, [u64; 2]) {
    let scene = Scene::new().await;
    let ids = [scene.customer.scenario_id, scene.scenario(json!({ "name": "Other" })).await];
    for id in ids {
        scene.ran(id, &[run(&format!("r{id}"), 30)]).await;
    }
    (scene, ids)
}

fn waiting() -> Pulled {
    Pulled { waiting: 1, ..Pulled::default() }
}

fn failed() -> Pulled {
    Pulled { failed: 1, ..Pulled::default() }
}

/// In how many seconds it goes on.
async fn due_in(scene: &Scene) -> i64 {
    scene.state().await.due_at.duration_since(scene.now).as_secs()
}

#[tokio::test]
async fn a_token_that_is_refused_is_tried_every_hour_and_the_pull_goes_on_where_it_was() {
    let (mut scene, _) = two().await;
    scene.pull_a_page().await;
    let refusal = json!({ "detail": "Access denied.", "message": "Access Denied", "code": "IM001" });
    scene.standin.set_mode(API, Fault::status(401).body(refusal)).await.unwrap();

    for _ in 0..3 {
        assert_eq!(scene.pull().await, failed());
        let pull = scene.state().await;
        assert_eq!(pull.state, State::Failed);
        let failure = "Make.com refuses: Access denied. (IM001): give the account anew with a token that Make.com takes \
                       (PUT /api/v1/make/account)";
        assert_eq!(pull.failure.as_deref(), Some(failure));
        assert!(matches!(pull.work.unwrap().step, Step::Reading { .. }));
        assert_eq!(due_in(&scene).await, 3_600);
        assert_eq!(scene.pull().await, Pulled::default(), "not before");
        scene.later(3_601);
    }

    scene.standin.heal(API).await.unwrap();
    scene.pull_well().await;
    assert_eq!(scene.sums().await, (2, 10));
    let pull = scene.state().await;
    assert_eq!((pull.state, pull.failure, pull.failing_since, pull.failures), (State::Idle, None, None, 0));
}

#[tokio::test]
async fn an_organisation_that_is_gone_is_told_in_words() {
    let (mut scene, _) = two().await;
    scene.standin.set_mode(LIST, Fault::status(404).body(json!({ "message": "Not Found" }))).await.unwrap();

    assert_eq!(scene.pull().await, failed());
    let failure = scene.state().await.failure.unwrap();
    assert!(failure.contains("no such organisation or team") && failure.contains("PUT /api/v1/make"), "{failure}");
    assert_eq!(due_in(&scene).await, 3_600);
    scene.standin.heal(LIST).await.unwrap();
    scene.later(3_601);
    scene.pull_well().await;
}

#[tokio::test]
async fn too_many_requests_are_waited_out_as_long_as_make_says_or_a_minute() {
    let (mut scene, ids) = two().await;
    for (path, fault, seconds) in [
        (LIST.to_owned(), Fault::too_many_requests().retry_after(7), 7),
        (LIST.to_owned(), Fault::too_many_requests(), 60),
        (scene.log_of(ids[0]), Fault::too_many_requests().retry_after(86_400), 300),
        (scene.log_of(ids[1]), Fault::too_many_requests(), 60),
    ] {
        scene.standin.fail_next(&path, [fault]).await.unwrap();
        assert_eq!(scene.pull().await, waiting());
        let pull = scene.state().await;
        assert_eq!((pull.state, pull.failure, pull.failures), (State::Waiting, None, 0));
        let waits = due_in(&scene).await;
        assert!((seconds..seconds + 3).contains(&waits), "{waits}");
        assert_eq!(scene.pull().await, Pulled::default(), "not before");
        scene.later(waits + 1);
    }
    scene.pull_well().await;
    assert_eq!(scene.sums().await, (2, 10));
}

#[tokio::test]
async fn bad_weather_passes() {
    let (mut scene, ids) = two().await;
    let of_first = format!("{LIST}/{}", ids[0]);
    for path in [LIST.to_owned(), format!("{of_first}/logs"), format!("{of_first}/usage")] {
        for fault in [
            Fault::status(500),
            Fault::status(503).body("<html>Service Unavailable</html>"),
            Fault::status(424).body(json!({ "message": "RPC timed out" })),
            Fault::down(),
            Fault::status(200).body("<html>maintenance</html>"),
            Fault::status(200).body(json!({})),
        ] {
            scene.standin.fail_next(&path, [fault.clone()]).await.unwrap();
            assert_eq!(scene.pull().await, waiting(), "{path} {fault:?}");
            assert!(scene.state().await.failure.is_some());
            let waits = due_in(&scene).await;
            assert!((60..63).contains(&waits), "{path} {fault:?}: {waits}");
            scene.later(waits + 1);
            scene.pull_well().await;
            assert_eq!(scene.sums().await, (2, 10));
            scene = two().await.0;
        }
    }
}

#[tokio::test]
async fn a_make_that_stays_down_is_asked_ever_more_rarely() {
    let (mut scene, _) = two().await;
    scene.standin.set_mode(API, Fault::down()).await.unwrap();
    for (minutes, is_waiting) in [(1, true), (2, true), (5, false), (10, false), (30, false), (30, false)] {
        assert_eq!(scene.pull().await, if is_waiting { waiting() } else { failed() });
        let waits = due_in(&scene).await;
        assert!((60 * minutes..60 * minutes + 3).contains(&waits), "{waits}");
        scene.later(waits + 1);
    }
    scene.standin.heal(API).await.unwrap();
    scene.pull_well().await;
    assert_eq!(scene.sums().await, (2, 10));
}

#[tokio::test]
async fn a_scenario_that_cannot_be_read_keeps_no_other_and_is_read_later() {
    for fault in [
        Fault::status(503),
        Fault::status(403).body(json!({ "message": "Permission denied", "code": "SC403" })),
        Fault::status(200).body("<html>"),
    ] {
        let (mut scene, ids) = two().await;
        let path = scene.log_of(ids[0]);
        scene.standin.set_mode(&path, fault).await.unwrap();
        let mut turns = 0;
        while scene.pull().await != failed() {
            turns += 1;
            let waits = due_in(&scene).await;
            scene.later(waits + 1);
        }
        assert!(turns <= 2, "{turns}");

        let pull = scene.state().await;
        let failure = pull.failure.unwrap();
        assert!(
            failure.starts_with(&format!("1 of 2 scenarios could not be read: Intake ({}): ", ids[0])),
            "{failure}"
        );
        assert_eq!((pull.state, pull.read_to, pull.last.unwrap().scenarios_done), (State::Failed, None, 1));
        assert_eq!(scene.runs(ids[1]).await.len(), 1);
        assert_eq!(scene.sums().await, (1, 5));
        scene.standin.heal(&path).await.unwrap();
        scene.later(3_601);
        scene.pull_well().await;
        assert_eq!(scene.sums().await, (2, 10));
    }
}

#[tokio::test]
async fn a_scenario_that_stays_refused_is_tried_each_hour_at_first_however_many_turns_that_takes() {
    let (mut scene, ids) = two().await;
    // Ten in the evening, so that the morning is far; and so late that the notice needs no turn of its own.
    let morning = |now| Pull::next_morning(&"Europe/Lisbon".to_owned().try_into().unwrap(), now);
    scene.now = morning(scene.now + SignedDuration::from_hours(24)) + SignedDuration::from_hours(16);
    scene.standin.set_mode(&scene.log_of(ids[0]), Fault::status(403)).await.unwrap();
    let (begun, mut since) = (scene.now, None);
    let mut tried = Vec::new();
    while scene.now.duration_since(begun) < SignedDuration::from_hours(20) {
        let mut turns = 1;
        while scene.pull_a_page().await != failed() {
            turns += 1;
            let pull = scene.state().await;
            assert_eq!(
                (pull.state, pull.failing_since, pull.failure.is_some()),
                (State::Running, since, since.is_some())
            );
        }
        assert!(turns > 2, "{turns}");
        since = scene.state().await.failing_since;
        tried.push(scene.now.duration_since(begun).as_hours());
        scene.now = scene.state().await.due_at + SignedDuration::from_secs(1);
    }
    assert_eq!(tried, [0, 1, 2, 3, morning(begun).duration_since(begun).as_hours()]);

    scene.standin.heal(&scene.log_of(ids[0])).await.unwrap();
    scene.pull_well().await;
    let pull = scene.state().await;
    assert_eq!((pull.failure, pull.failing_since), (None, None));
    assert!(pull.read_to > Some(begun));
}

#[tokio::test]
async fn a_scenario_that_the_list_leaves_out_is_read_once_more_and_marked() {
    let log = json!({ "scenarioLogs": [], "pg": { "limit": 100 } });
    for answer in [Fault::status(403), Fault::status(200).body(log)] {
        let (mut scene, ids) = two().await;
        scene.pull_well().await;
        scene.standin.set_mode(&scene.log_of(ids[0]), answer).await.unwrap();
        scene.standin.delete_scenario(ZONE, ids[0]).await.unwrap();
        scene.sleep();
        scene.requests().await;

        scene.pull_well().await;

        assert!(
            scene.requests().await.iter().any(|path| path.contains(&ids[0].to_string())),
            "as far as it can be read"
        );
        assert!(scene.known(ids[0]).await.told.unwrap().gone_since.is_some());
        assert!(scene.known(ids[1]).await.told.unwrap().gone_since.is_none());
        assert!(scene.state().await.read_to >= Some(scene.now), "it keeps no month open");
        assert_eq!(scene.sums().await, (2, 10));
        scene.sleep();
        scene.pull_well().await;
        assert!(!scene.requests().await.iter().any(|path| path.contains(&ids[0].to_string())), "not again");
    }
}

#[tokio::test]
async fn a_list_that_cannot_be_read_in_full_marks_nobody() {
    let (mut scene, ids) = two().await;
    scene.pull_well().await;
    for (n, list) in [json!([{ "id": ids[1] }, { "id": "four" }]), json!([])].into_iter().enumerate() {
        scene.sleep();
        let list = json!({ "scenarios": list, "pg": { "limit": 100 } });
        scene.standin.fail_next(LIST, [Fault::status(200).body(list)]).await.unwrap();
        scene.pull_well().await;
        for id in ids {
            assert!(scene.known(id).await.told.unwrap().gone_since.is_none());
        }
        assert_eq!(scene.state().await.last.unwrap().rows_passed_over, [1, 0][n]);
    }
}

#[tokio::test]
async fn trouble_of_our_own_is_put_down_told_after_26_hours_and_goes_by_itself() {
    let (mut scene, _) = two().await;
    scene.pull_well().await;
    let account: Account = scene.table.get(key::make_account(scene.tenant)).await.unwrap();
    scene.table.put(&Account { token: None, ..account.clone() }).await.unwrap();
    scene.sleep();
    let since = scene.now;
    let failures = [(0, 0), (120, 0), (2 * 3_600, 1), (2 * 3_600 + 120, 1)];
    for (seconds, notices) in failures {
        scene.now = since + SignedDuration::from_secs(seconds);
        assert!(
            pull::all(&scene.deps, scene.now, Terms::default()).await.is_err(),
            "the run fails, and with it an alarm"
        );
        let pull = scene.state().await;
        assert_eq!((pull.state, pull.failure.as_deref()), (State::Failed, Some("trouble on our side")));
        let failing_since = pull.failing_since.unwrap();
        assert!(since <= failing_since && failing_since < since + SignedDuration::from_secs(60), "{failing_since}");
        assert_eq!(pull.busy_until, 0);
        let waits = due_in(&scene).await;
        assert!((89..100).contains(&waits), "as soon as the lease would be over: {waits}");
        assert_eq!(scene.pull().await, Pulled::default(), "not before");
        assert_eq!(scene.notices().await.len(), notices);
    }
    let told = scene.table.list_all(&key::notices(scene.tenant)).await.unwrap();
    assert!(told[0].detail.ends_with("trouble on our side"), "{}", told[0].detail);

    scene.table.put(&account).await.unwrap();
    scene.later(120);
    scene.pull_well().await;
    let pull = scene.state().await;
    assert_eq!((pull.state, pull.failure, pull.failing_since), (State::Idle, None, None));
    assert_eq!(scene.notices().await, ["make_pull_failed", "make_pull_failed_ended"]);
}

#[tokio::test]
async fn a_row_of_ours_that_cannot_be_read_is_trouble_of_our_own() {
    let (scene, ids) = two().await;
    scene.pull_well().await;
    let row = || scene.table.change(key::scenario(scene.tenant, &ids[0].to_string()));
    row().set("name", 7).write().await.unwrap();
    assert!(Pull::at_once(&scene.table, scene.tenant, scene.now).write().await.unwrap());

    assert!(pull::all(&scene.deps, scene.now, Terms::default()).await.is_err());

    let pull = scene.state().await;
    assert_eq!((pull.state, pull.failure.as_deref()), (State::Failed, Some("trouble on our side")));
    row().set("name", "Intake").write().await.unwrap();
    scene.pull_again().await;
}

#[tokio::test]
async fn a_log_whose_first_page_comes_for_ever_ends() {
    let (mut scene, ids) = two().await;
    scene.standin.set_scenario(ZONE, ids[0], json!({ "logPage": 10, "logRepeats": true })).await.unwrap();
    let runs: Vec<_> = (0..30).map(|n| run(&format!("n{n}"), n + 40)).collect();
    scene.ran(ids[0], &runs).await;

    assert_eq!(scene.pull().await, waiting());
    scene.later(61);
    assert_eq!(scene.pull().await, failed());

    let failure = scene.state().await.failure.unwrap();
    assert!(failure.contains("a page of the log came again"), "{failure}");
    assert_eq!(scene.runs(ids[1]).await.len(), 1);
    scene.standin.set_scenario(ZONE, ids[0], json!({ "logRepeats": false })).await.unwrap();
    scene.later(3_601);
    scene.pull_well().await;
    assert_eq!(scene.sums().await, (32, 160));
}

#[tokio::test]
async fn a_page_that_comes_twice_counts_once() {
    let (mut scene, ids) = two().await;
    scene.standin.set_scenario(ZONE, ids[0], json!({ "logPage": 10 })).await.unwrap();
    let runs: Vec<_> = (0..30).map(|n| run(&format!("n{n}"), n + 40)).collect();
    scene.ran(ids[0], &runs).await;
    scene.pull_a_page().await;
    scene.pull_a_page().await;
    let Step::Reading { log: Some(log), .. } = scene.state().await.work.unwrap().step else { panic!("in a log") };
    let again = json!({ "imtId": log.last, "id": "n8", "status": 1, "operations": 5, "timestamp": scene.now });
    let page = json!({ "scenarioLogs": [again], "pg": { "limit": 10 } });
    scene.standin.fail_next(&scene.log_of(ids[0]), [Fault::status(200).body(page)]).await.unwrap();

    assert_eq!(scene.pull().await, waiting());
    scene.later(61);
    scene.pull_well().await;

    assert_eq!(scene.sums().await, (32, 160));
}

#[tokio::test]
async fn a_scenario_that_is_deleted_half_way_keeps_what_is_known_of_it() {
    let (mut scene, ids) = two().await;
    scene.pull_a_page().await;
    scene.standin.delete_scenario(ZONE, ids[0]).await.unwrap();

    scene.pull_well().await;

    assert!(scene.known(ids[0]).await.told.unwrap().gone_since.is_some());
    assert_eq!(scene.sums().await, (1, 5));
}

#[tokio::test]
async fn an_account_that_is_gone_ends_the_pull() {
    let (scene, _) = two().await;
    scene.table.delete(key::make_account(scene.tenant)).await.unwrap();

    assert_eq!(scene.pull().await, Pulled { over: 1, ..Pulled::default() });

    assert!(scene.table.find(key::make_pull(scene.tenant)).await.unwrap().is_none());
    assert_eq!(scene.requests().await, Vec::<String>::new());
}

#[tokio::test]
async fn after_26_hours_without_success_it_is_told_once_and_so_is_its_end() {
    for of_one_scenario in [false, true] {
        let (mut scene, ids) = two().await;
        scene.pull_well().await;
        let success = scene.state().await.last_success_at.unwrap();
        let path = if of_one_scenario { scene.log_of(ids[0]) } else { API.to_owned() };
        scene.standin.set_mode(&path, Fault::status(403)).await.unwrap();
        let mut told_after = None;
        while scene.now.duration_since(success) < SignedDuration::from_hours(80) {
            scene.now = scene.state().await.due_at + SignedDuration::from_secs(1);
            scene.pull().await;
            if told_after.is_none() && !scene.notices().await.is_empty() {
                told_after = Some(scene.now.duration_since(success));
            }
        }
        let told_after = told_after.unwrap().as_secs();
        assert!((26 * 3_600..26 * 3_600 + 60).contains(&told_after), "{path}: {told_after}");
        assert_eq!(scene.notices().await, ["make_pull_failed"], "{path}");

        scene.standin.heal(&path).await.unwrap();
        scene.now = scene.state().await.due_at + SignedDuration::from_secs(1);
        // The one that was under way for days is followed by one that reads what was logged since.
        assert_eq!(scene.pull().await.failed, 0);
        assert_eq!(scene.state().await.state, State::Idle);
        assert_eq!(scene.notices().await, ["make_pull_failed", "make_pull_failed_ended"]);
        scene.sleep();
        scene.pull_well().await;
        assert_eq!(scene.notices().await.len(), 2);
    }
}
