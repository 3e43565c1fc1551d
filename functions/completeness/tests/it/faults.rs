//! A source that cannot be read: told by name, once, and gone on with where it was left.

use std::time::{Duration, Instant};

use completeness::reconcile::{self, Terms, Told};
use jiff::SignedDuration;
use local::standin::{Fault, Loss, Mode, Project};
use serde_json::json;
use shared::key;

use crate::world::{PROJECT, World, written};

const BOOKINGS: &str = "/supabase/p1/rest/v1/bookings";
const ALL: &str = "/supabase/p1/rest/v1/*";

impl World {
    /// With a booking that nobody reported.
    async fn missing_one() -> Self {
        let mut world = Self::comparing().await;
        world.pass(1);
        world.source.lose_webhooks(PROJECT, Loss::All).await.unwrap();
        world.change(world.new_booking("b1")).await;
        world.pass(10);
        world
    }
}

fn failed() -> Told {
    Told { failed: 1, ..Told::default() }
}

#[tokio::test]
async fn a_source_that_is_down_is_said_once_and_so_is_that_it_is_back() {
    let mut world = World::missing_one().await;
    world.source.set_mode(ALL, Mode::Down).await.unwrap();

    for run in 1..=4 {
        assert_eq!(world.reconcile().await, failed());
        assert_eq!(world.notices().await.len(), usize::from(run >= 3), "after {run} runs");
        world.pass(10);
    }
    let source = &world.shown().await["source"];
    assert_eq!(source["status"], "failing");
    assert_eq!((&source["failures"], &source["fault"]["name"]), (&json!(4), &json!("unreachable")));
    assert_eq!(source["compared_to"], json!(null));

    world.source.heal(ALL).await.unwrap();
    for _ in 0..2 {
        assert_eq!(world.reconcile().await.done, 1);
        world.pass(10);
    }

    assert_eq!(world.notices().await, ["source_failing", "source_recovered"]);
    assert_eq!(world.events().await.len(), 1);
    let shown = world.shown().await;
    assert_eq!(shown["source"]["status"], "working");
    assert_eq!(shown["source"]["fault"], json!(null));
    assert_eq!((&shown["totals"]["runs"], &shown["totals"]["failures"]), (&json!(6), &json!(4)));
}

#[tokio::test]
async fn what_is_wrong_is_told_by_name() {
    let mut world = World::missing_one().await;
    let html = Fault::status(200).body("<html>");
    let broken = Fault::status(200).body(r#"[{"id":"b1","updated_at":"2026-"#);
    let number = Fault::status(200).body(json!([{ "id": "b1", "updated_at": 7 }]));
    for (fault, name) in [
        (Fault::status(401).body(json!({ "message": "Invalid API key" })), "key_refused"),
        (Fault::status(500), "failed"),
        (Fault::status(302), "failed"),
        (Fault::too_many_requests(), "busy"),
        (html, "no_rest_interface"),
        (broken, "unreachable"),
        (number, "not_a_time"),
        (
            Fault::status(404).body(json!({ "code": "PGRST205", "message": "Could not find the table" })),
            "unknown_table",
        ),
    ] {
        world.source.fail_next(BOOKINGS, [fault]).await.unwrap();

        assert_eq!(world.reconcile().await, failed(), "{name}");

        let source = world.stored_source().await;
        assert_eq!(source.fault.unwrap().name, name);
        world.pass(10);
    }
    assert_eq!(world.reconcile().await.done, 1);
    assert_eq!(world.events().await.len(), 1, "and in the end it is made");
}

#[tokio::test]
async fn a_key_that_was_revoked_is_said_and_nothing_of_it_shown() {
    let mut world = World::missing_one().await;
    let project = Project { api_keys: Some(vec!["another".into()]), ..Project::default() };
    world.source.set_project(PROJECT, &project).await.unwrap();

    world.reconcile().await;

    let shown = world.shown().await;
    assert_eq!(shown["source"]["fault"]["name"], "key_refused");
    assert!(!shown.to_string().contains("sb_secret"), "{shown}");
}

#[tokio::test]
async fn a_table_that_is_gone_does_not_keep_the_others() {
    let mut world = World::missing_one().await;
    world.change(world.new_event(41)).await;
    world.pass(5);
    let gone = Fault::status(404).body(json!({ "code": "42P01", "message": "relation does not exist" }));
    world.source.fail_next(BOOKINGS, [gone]).await.unwrap();

    assert_eq!(world.reconcile().await, failed());

    let events = world.events().await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].event_type, "booking_event.created");
}

#[tokio::test]
async fn a_source_that_asks_for_peace_gets_it() {
    let mut world = World::missing_one().await;
    let busy = Fault { retry_after: Some("1800".into()), ..Fault::status(429) };
    world.source.fail_next(BOOKINGS, [busy]).await.unwrap();
    world.reconcile().await;

    world.pass(20);
    assert_eq!(world.reconcile().await, Told::default(), "not due yet");
    world.pass(11);
    assert_eq!(world.reconcile().await.done, 1);
}

#[tokio::test]
async fn a_page_that_fails_in_the_middle_is_gone_on_with_there() {
    let mut world = World::comparing().await;
    world.pass(1);
    let project = Project { max_rows: Some(50), loss: Some(Loss::All), ..Project::default() };
    world.source.set_project(PROJECT, &project).await.unwrap();
    let rows: Vec<_> = (0..200).map(|n| world.new_booking(&format!("b{n:03}"))).collect();
    world.source.change_rows(PROJECT, &rows).await.unwrap();
    world.pass(10);
    let own = Fault::slow(1);
    world.source.fail_next(BOOKINGS, [own.clone(), own.clone(), own, Fault::down()]).await.unwrap();

    assert_eq!(world.reconcile().await, failed());
    assert_eq!(world.counted().await.repaired.n, 150);
    world.source.forget(BOOKINGS).await.unwrap();
    world.pass(10);
    assert_eq!(world.reconcile().await.done, 1);

    assert_eq!(world.counted().await.repaired.n, 200);
    assert_eq!(world.events().await.len(), 200);
    let first = &world.source.requests(BOOKINGS).await.unwrap()[0].query;
    assert!(first.contains("b149") || first.contains("or="), "behind the last row that was compared: {first}");
}

#[tokio::test]
async fn a_source_that_answers_slowly_is_given_up_in_time() {
    let mut world = World::missing_one().await;
    world.source.fail_next(BOOKINGS, [Fault::slow(16_000)]).await.unwrap();

    assert_eq!(world.reconcile().await, failed());

    let fault = world.stored_source().await.fault.unwrap();
    assert_eq!((fault.name.as_str(), fault.detail.as_str()), ("unreachable", "it does not answer: it took too long"));
    assert!(world.stored_source().await.failing_since >= Some(world.now));
    assert!(world.stored_source().await.due_at > world.now + SignedDuration::from_mins(4));
}

#[tokio::test]
async fn rows_that_nobody_asked_for_make_no_event() {
    let mut world = World::missing_one().await;
    let (time, long) = (written(world.now - SignedDuration::from_mins(5)), "i".repeat(201));
    let too_many: Vec<_> = (0..501).map(|id| json!({ "id": id, "updated_at": time })).collect();
    for (rows, name) in [
        (json!([{ "id": "b1", "updated_at": "2020-01-01T00:00:00+00:00" }]), "not_as_asked"),
        (json!([{ "id": "b1", "updated_at": written(world.now + SignedDuration::from_hours(2)) }]), "not_as_asked"),
        (json!(too_many), "not_as_asked"),
        (json!([{ "id": long, "updated_at": time }]), "value_too_long"),
    ] {
        world.source.fail_next(BOOKINGS, [Fault::status(200).body(rows)]).await.unwrap();

        assert_eq!(world.reconcile().await, failed(), "{name}");

        assert_eq!(world.stored_source().await.fault.unwrap().name, name);
        assert!(world.events().await.is_empty());
        world.pass(10);
    }
}

#[tokio::test]
async fn a_row_that_is_too_deep_to_be_read_is_passed() {
    let mut world = World::missing_one().await;
    let time = written(world.now - SignedDuration::from_mins(5));
    let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
    let body = format!(r#"[{{"id":"deep","updated_at":"{time}","note":{deep}}}]"#);
    world.source.fail_next(BOOKINGS, [Fault::status(200).body(body)]).await.unwrap();

    assert_eq!(world.reconcile().await.done, 1);

    assert!(world.events().await.is_empty());
    assert_eq!(world.counted().await.skipped, 1);
}

#[tokio::test]
async fn a_source_that_drags_on_is_given_up_and_its_lease_ended() {
    let mut world = World::missing_one().await;
    world.source.fail_next(BOOKINGS, [Fault::slow(10_000)]).await.unwrap();
    let terms = Terms { share: Duration::from_millis(500), spare: Duration::from_millis(2_000), ..Terms::default() };
    let begun = Instant::now();

    let told = reconcile::all(&world.deps, world.now, terms).await.unwrap();

    assert_eq!(told, failed());
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    let source = world.stored_source().await;
    assert_eq!((source.fault.unwrap().name.as_str(), source.busy_until), ("unreachable", 0));
    world.pass(10);
    assert_eq!(world.reconcile().await.done, 1);
    assert_eq!(world.events().await.len(), 1);
}

#[tokio::test]
async fn another_table_does_not_begin_after_the_share() {
    let mut world = World::missing_one().await;
    world.change(world.new_event(41)).await;
    world.pass(5);
    let no_share = Terms { share: Duration::ZERO, budget: Duration::from_millis(500), ..Terms::default() };
    world.source.fail_next(BOOKINGS, [Fault::slow(1_000)]).await.unwrap();

    let told = reconcile::all(&world.deps, world.now, no_share).await.unwrap();

    assert_eq!((told.unfinished, told.left), (1, 1));
    assert_eq!(world.events().await.len(), 1, "of the first table alone");
    world.pass(1);
    assert_eq!(world.reconcile().await.done, 1);
    assert_eq!(world.events().await.len(), 2);
}

#[test]
fn the_lease_outlasts_a_turn_and_the_function_the_last_one() {
    let Terms { lease, budget, share, spare } = Terms::default();
    assert!(lease > SignedDuration::try_from(share + spare).unwrap());
    assert!(budget + share + spare < Duration::from_secs(300), "the function's time-out");
}

#[tokio::test]
async fn what_a_source_says_is_kept_with_it_and_told_nowhere_else() {
    let mut world = World::missing_one().await;
    let words = json!({ "code": "XX000", "message": "row (ada@example.com) sb_secret_echoed" });
    for _ in 0..3 {
        world.source.fail_next(BOOKINGS, [Fault::status(500).body(words.clone())]).await.unwrap();
        assert_eq!(world.reconcile().await, failed());
        world.pass(10);
    }

    let fault = world.stored_source().await.fault.unwrap();
    assert!(fault.detail.contains("ada@example.com"), "{fault:?}");
    let notices = world.table.list_all(&key::notices(world.tenant)).await.unwrap();
    assert!(notices[0].detail.contains("failed"), "{notices:?}");
    assert!(
        !notices[0].detail.contains("ada@") && !notices[0].detail.contains("echoed"),
        "a notice is logged: {notices:?}"
    );
}
