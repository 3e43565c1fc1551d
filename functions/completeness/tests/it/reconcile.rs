//! What is missing is made, and nothing else.

use std::time::Duration;

use completeness::reconcile::{self, Terms, Told};
use jiff::SignedDuration;
use local::standin::{Fault, Loss, Project, RowChange};
use serde_json::{Value, json};
use shared::{
    event::{Context, Origin},
    id::TenantId,
};

use crate::world::{PROJECT, World, rows, written};

fn done() -> Told {
    Told { done: 1, ..Told::default() }
}

#[tokio::test]
async fn an_event_that_nobody_reported_is_made() {
    let mut world = World::comparing().await;
    world.pass(1);
    world.source.lose_webhooks(PROJECT, Loss::All).await.unwrap();
    let changed = world.change(world.new_booking("b1")).await;
    world.change(world.new_event(41)).await;
    assert!(world.webhooks().await.is_empty());
    world.pass(10);

    let told = world.reconcile().await;

    assert_eq!(told, done());
    let events = world.events().await;
    let types: Vec<_> = events.iter().map(|event| event.event_type.as_str()).collect();
    assert_eq!(types, ["booking.created", "booking_event.created"]);
    assert!(events.iter().all(|event| event.origin == Origin::Reconciled));
    assert_eq!(rows(&events[0]).0, changed.record);
    let payload = events[0].payload("test", &Context::default(), None).unwrap();
    assert!(payload.contains(r#""origin":"reconciled""#) && payload.contains(r#""total_price":120.50"#), "{payload}");
    let counted = world.counted().await;
    assert_eq!((counted.live.n, counted.repaired.n, counted.runs), (0, 2, 1));
    assert!(counted.repaired.max_ms >= 600_000, "{counted:?}");
}

#[tokio::test]
async fn what_came_in_is_counted_and_left_alone() {
    let mut world = World::comparing().await;
    world.pass(1);
    world.change(world.new_booking("b1")).await;
    world.change(world.new_event(41)).await;
    world.now += SignedDuration::from_millis(350);
    world.arrive().await;
    world.pass(10);

    world.reconcile().await;
    world.pass(10);
    world.reconcile().await;

    assert_eq!(world.events().await.len(), 2);
    let counted = world.counted().await;
    assert_eq!((counted.live.n, counted.repaired.n, counted.runs), (2, 0, 2), "in the overlap it is not counted again");
    assert_eq!(counted.live.max_ms, 350);
}

#[tokio::test]
async fn what_changed_a_moment_ago_is_left_to_its_webhook() {
    let mut world = World::comparing().await;
    world.pass(10);
    world.change(world.new_booking("b1")).await;
    world.pass(1);

    world.reconcile().await;

    assert!(world.events().await.is_empty());
    world.arrive().await;
    world.pass(10);
    world.reconcile().await;
    assert_eq!(world.counted().await.live.n, 1);
}

#[tokio::test]
async fn a_lost_update_is_told_with_the_row_as_it_was_known() {
    let mut world = World::comparing().await;
    world.change(world.new_booking("b1")).await;
    world.arrive().await;
    let before = rows(&world.events().await[0]).0;
    world.pass(5);
    world.source.lose_webhooks(PROJECT, Loss::All).await.unwrap();
    let changed = world.change(RowChange::update("bookings", world.booking("b1", "confirmed"))).await;
    world.pass(5);

    world.reconcile().await;

    let events = world.events().await;
    assert_eq!(events[1].event_type, "booking.updated");
    assert_eq!(rows(&events[1]), (changed.record, before));
}

#[tokio::test]
async fn a_row_from_before_is_not_told_as_new() {
    let mut world = World::new().await;
    world.source.lose_webhooks(PROJECT, Loss::All).await.unwrap();
    world.change(world.new_booking("old")).await;
    world.change(world.new_booking("untouched")).await;
    world.pass(30);
    world.set(&world.plan()).await;
    world.pass(5);
    world.change(RowChange::update("bookings", world.booking("old", "confirmed"))).await;
    world.pass(5);

    world.reconcile().await;

    let events = world.events().await;
    assert_eq!(events.len(), 1, "history is not flooded to anybody");
    assert_eq!(events[0].event_type, "booking.updated");
    assert_eq!(rows(&events[0]).1, Value::Null, "what it was is not known");
}

#[tokio::test]
async fn history_is_compared_where_that_is_asked_for() {
    let mut world = World::new().await;
    world.source.lose_webhooks(PROJECT, Loss::All).await.unwrap();
    let since = world.now;
    world.change(world.new_booking("old")).await;
    world.pass(30);
    let mut plan = world.plan();
    plan["since"] = json!(since);
    world.set(&plan).await;

    world.reconcile().await;

    assert_eq!(world.events().await[0].event_type, "booking.created");
}

#[tokio::test]
async fn what_shows_up_late_is_found_as_far_back_as_stretches_overlap() {
    let mut world = World::comparing().await;
    world.pass(30);
    world.reconcile().await;
    world.source.lose_webhooks(PROJECT, Loss::All).await.unwrap();
    // Two transactions that began a while ago end now: one within the overlap of ten minutes, one before it.
    for (id, minutes) in [("within", 11), ("before", 13)] {
        let mut row = world.booking(id, "pending");
        row["updated_at"] = json!(written(world.now - SignedDuration::from_mins(minutes)));
        world.change(RowChange::insert("bookings", row)).await;
    }
    world.pass(10);

    world.reconcile().await;

    let events = world.events().await;
    assert_eq!(events.len(), 1);
    assert_eq!(rows(&events[0]).0["id"], "within");
    world.pass(10);
    world.reconcile().await;
    let counted = world.counted().await;
    assert_eq!((counted.repaired.n, counted.live.n), (1, 0), "once");
}

#[tokio::test]
async fn a_row_from_the_future_waits_for_its_time() {
    let mut world = World::comparing().await;
    world.pass(10);
    world.source.lose_webhooks(PROJECT, Loss::All).await.unwrap();
    let mut row = world.booking("b1", "pending");
    row["updated_at"] = json!(written(world.now + SignedDuration::from_mins(20)));
    world.change(RowChange::insert("bookings", row)).await;

    world.reconcile().await;
    assert!(world.events().await.is_empty());

    world.pass(23);
    world.reconcile().await;
    assert_eq!(world.events().await.len(), 1);
}

#[tokio::test]
async fn a_source_whose_clock_is_ahead_of_ours_counts_no_time_below_nothing() {
    let mut world = World::comparing().await;
    world.pass(5);
    let mut row = world.booking("b1", "pending");
    row["updated_at"] = json!(written(world.now + SignedDuration::from_secs(30)));
    world.change(RowChange::insert("bookings", row)).await;
    world.arrive().await;
    world.pass(10);

    world.reconcile().await;

    let counted = world.counted().await;
    assert_eq!((counted.live.n, counted.live.max_ms), (1, 0));
}

#[tokio::test]
async fn rows_of_one_moment_are_told_apart_across_pages() {
    let mut world = World::comparing().await;
    world.pass(1);
    // More than two pages of ours, in one transaction, behind an interface that gives 70 at a time.
    let project = Project { max_rows: Some(70), loss: Some(Loss::All), ..Project::default() };
    world.source.set_project(PROJECT, &project).await.unwrap();
    let rows: Vec<RowChange> = (0..1_100).map(|n| world.new_booking(&format!("b,\"{n})\\"))).collect();
    world.source.change_rows(PROJECT, &rows).await.unwrap();
    world.pass(10);

    let told = world.reconcile().await;

    assert_eq!(told, done());
    assert_eq!(world.events().await.len(), 1_100);
    assert_eq!(world.counted().await.repaired.n, 1_100);
}

#[tokio::test]
async fn what_does_not_fit_into_a_turn_is_gone_on_with() {
    let mut world = World::comparing().await;
    world.pass(1);
    let project = Project { max_rows: Some(10), loss: Some(Loss::All), ..Project::default() };
    world.source.set_project(PROJECT, &project).await.unwrap();
    let rows: Vec<RowChange> = (0..450).map(|n| world.new_booking(&format!("b{n}"))).collect();
    world.source.change_rows(PROJECT, &rows).await.unwrap();
    world.pass(10);

    let no_time = Terms { budget: Duration::ZERO, ..Terms::default() };
    let told = reconcile::all(&world.deps, world.now, no_time).await.unwrap();
    assert_eq!(told, Told { left: 1, ..Told::default() });

    let told = world.reconcile().await;
    assert_eq!(told, Told { done: 1, unfinished: 2, ..Told::default() }, "20 pages of 10 rows a turn");
    assert_eq!(world.events().await.len(), 450);
}

#[tokio::test]
async fn large_rows_come_in_smaller_pages_and_giants_are_passed() {
    let mut world = World::comparing().await;
    world.pass(1);
    world.source.lose_webhooks(PROJECT, Loss::All).await.unwrap();
    for (n, size) in [(1, 300_000), (2, 5_000_000), (3, 500_000), (4, 100)] {
        let mut row = world.booking(&format!("b{n}"), "pending");
        row["note"] = json!("n".repeat(size));
        world.change(RowChange::insert("bookings", row)).await;
    }
    world.pass(10);

    let told = world.reconcile().await;

    assert_eq!(told, done());
    let ids: Vec<Value> = world.events().await.iter().map(|event| rows(event).0["id"].clone()).collect();
    assert_eq!(ids.len(), 2);
    assert!(ids.contains(&json!("b1")) && ids.contains(&json!("b4")), "{ids:?}");
    assert_eq!(world.counted().await.skipped, 2);
}

#[tokio::test]
async fn a_row_that_is_deleted_by_now_is_not_made_again() {
    let mut world = World::comparing().await;
    world.change(world.new_booking("b1")).await;
    world.pass(1);
    let deleted = world.change(RowChange::delete("bookings", "b1")).await;
    world.arrive().await;
    // The interface still shows it, as a copy that lags behind does.
    world.source.lose_webhooks(PROJECT, Loss::All).await.unwrap();
    world.change(RowChange::insert("bookings", deleted.old_record)).await;
    world.pass(10);

    world.reconcile().await;

    assert_eq!(world.events().await.len(), 2, "that it was made, and that it was deleted");
}

#[tokio::test]
async fn one_at_a_time_works_on_a_source() {
    let mut world = World::comparing().await;
    world.pass(1);
    world.source.lose_webhooks(PROJECT, Loss::All).await.unwrap();
    world.change(world.new_booking("b1")).await;
    world.pass(10);
    world.source.fail_next("/supabase/p1/rest/v1/bookings", [Fault::slow(300)]).await.unwrap();

    let (one, other) = tokio::join!(world.run(), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        world.run().await
    });

    assert_eq!((one.done, other), (1, Told::default()), "the other finds nothing due");
    assert_eq!(world.counted().await.repaired.n, 1);
}

#[tokio::test]
async fn a_source_that_is_changed_or_deleted_under_a_run_is_left_at_once() {
    for delete in [false, true] {
        let mut world = World::comparing().await;
        world.pass(1);
        world.source.lose_webhooks(PROJECT, Loss::All).await.unwrap();
        world.change(world.new_booking("b1")).await;
        world.pass(10);
        world.source.fail_next("/supabase/p1/rest/v1/bookings", [Fault::slow(400)]).await.unwrap();
        let etag = world.stored_source().await.etag();

        let (told, ()) = tokio::join!(world.run(), async {
            tokio::time::sleep(Duration::from_millis(150)).await;
            if delete {
                world.table.delete(shared::key::source(world.tenant)).await.unwrap();
            } else {
                let call = world.owner().with_header("if-match", &etag).posting(&world.plan());
                assert_eq!(world.set_by(call).await.0, 200);
            }
        });

        assert_eq!((told.done, told.busy), (0, 1));
        assert_eq!(world.counted().await.repaired.n, 0);
        world.pass(10);
        assert_eq!(world.reconcile().await.done, u32::from(!delete));
        assert_eq!(world.counted().await.repaired.n, u64::from(!delete), "made by the first, counted by the second");
    }
}

#[tokio::test]
async fn another_beginning_is_compared_from_there_and_counts_nothing_twice() {
    let mut world = World::comparing().await;
    let since = world.now;
    world.pass(1);
    world.change(world.new_booking("b1")).await;
    world.arrive().await;
    world.source.lose_webhooks(PROJECT, Loss::All).await.unwrap();
    world.change(world.new_booking("b2")).await;
    world.pass(60);
    world.reconcile().await;
    let etag = world.stored_source().await.etag();
    let mut plan = world.plan();
    plan["since"] = json!(since - SignedDuration::from_mins(1));

    let (status, _) = world.set_by(world.owner().with_header("if-match", &etag).posting(&plan)).await;
    world.pass(1);
    world.reconcile().await;

    assert_eq!(status, 200);
    assert_eq!(world.events().await.len(), 2);
    let counted = world.counted().await;
    assert_eq!((counted.live.n, counted.repaired.n, counted.runs), (1, 1, 2));
}

#[tokio::test]
async fn each_tenant_has_its_own_and_none_keeps_another_from_it() {
    let mut world = World::comparing().await;
    // Two more in the same table: one whose source is down, one whose key no longer opens.
    let down = TenantId::new();
    let mut broken = world.stored_source().await;
    broken.tenant = down;
    broken.base_url = world.source.url("/supabase/nowhere");
    world.table.put(&broken).await.unwrap();
    let sealed_elsewhere = TenantId::new();
    let mut broken = world.stored_source().await;
    broken.tenant = sealed_elsewhere;
    world.table.put(&broken).await.unwrap();
    world.pass(1);
    world.source.lose_webhooks(PROJECT, Loss::All).await.unwrap();
    world.change(world.new_booking("b1")).await;
    world.pass(10);

    let outcome = reconcile::all(&world.deps, world.now, Terms::default()).await;

    assert!(outcome.is_err(), "a key that does not open is our own trouble");
    let events = world.events().await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].tenant, world.tenant);
}

#[tokio::test]
async fn a_row_that_came_in_costs_half_a_unit_to_compare() {
    let mut world = World::comparing().await;
    world.pass(1);
    let rows: Vec<RowChange> = (0..100).map(|n| world.new_booking(&format!("b{n}"))).collect();
    world.source.change_rows(PROJECT, &rows).await.unwrap();
    world.arrive().await;
    world.pass(10);
    world.units.take();

    let mut costs = Vec::new();
    for _ in 0..3 {
        world.run().await;
        costs.push(world.units.take());
        world.pass(10);
    }

    let each = "with 100 rows, their day, and a look for rows that there must be; with the same rows in its overlap, where \
                they are not counted; with nothing new";
    assert_eq!(costs, [(15.0, 79.5), (12.0, 53.5), (12.0, 3.5)], "{each}");
}

#[tokio::test]
async fn a_turn_that_has_made_many_events_leaves_the_rest_for_a_minute() {
    let mut world = World::comparing().await;
    world.pass(1);
    world.source.lose_webhooks(PROJECT, Loss::All).await.unwrap();
    let rows: Vec<RowChange> = (0..2_100).map(|n| world.new_booking(&format!("b{n:04}"))).collect();
    world.source.change_rows(PROJECT, &rows).await.unwrap();
    world.pass(10);

    let told = world.reconcile().await;

    assert_eq!(told, Told { unfinished: 1, ..Told::default() }, "not at once");
    assert_eq!(world.events().await.len(), 2_000);
    assert!(world.stored_source().await.due_at >= world.now + SignedDuration::from_mins(1));
    world.pass(2);
    assert_eq!(world.reconcile().await, done());
    assert_eq!(world.events().await.len(), 2_100);
    assert_eq!(world.counted().await.repaired.n, 2_100);
}

#[tokio::test]
async fn a_page_of_more_days_than_a_transaction_takes_is_compared_in_parts() {
    let mut world = World::comparing().await;
    world.source.lose_webhooks(PROJECT, Loss::All).await.unwrap();
    let now = world.now;
    for day in 1..=130 {
        world.now = now - SignedDuration::from_hours(24 * day);
        world.change(world.new_booking(&format!("b{day}"))).await;
    }
    world.now = now;
    // A source that was forgotten for long.
    let mut source = world.stored_source().await;
    source.since = now - SignedDuration::from_hours(24 * 140);
    world.table.put(&source).await.unwrap();
    world.pass(10);

    assert_eq!(world.reconcile().await, done());

    assert_eq!(world.events().await.len(), 130);
    let date = |at: jiff::Timestamp| at.to_zoned(jiff::tz::TimeZone::UTC).date();
    let days = shared::key::completeness_days(world.tenant, date(source.since), date(now));
    let days = world.table.list_all(&days).await.unwrap();
    assert_eq!(days.iter().map(|day| day.repaired.n).sum::<u64>(), 130);
    assert!(days.iter().filter(|day| day.repaired.n == 1).count() == 130);
}
