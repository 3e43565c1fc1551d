use std::time::Duration;

use dashboard::aggregate::{self, Due, Period, Terms, Told};
use jiff::SignedDuration;
use serde_json::json;
use shared::{
    gate::Role,
    key,
    snapshot::{Mark, Metric, Scope, Snapshot, Stale},
    testing::{Units, table},
};

use crate::desk::{Desk, LEASE, at, event, inbound, reply, status};

const TERMS: Terms =
    Terms { lease: LEASE, patience: Duration::ZERO, budget: Duration::from_secs(60), share: Duration::from_secs(60) };

async fn marks(desk: &Desk) -> Vec<Mark> {
    let mut all = Vec::new();
    for range in [key::stale_tracks, key::stale_hours, key::stale_days, key::stale_weeks] {
        all.extend(desk.table.list_all(&range(desk.tenant)).await.unwrap());
    }
    all
}

#[tokio::test]
async fn a_schedule_that_fires_twice_changes_nothing() {
    let units = Units::default();
    let desk = Desk::at_table(table().await.metered(units.meter()), "UTC").await;
    desk.report(
        &[inbound("c1", "2026-11-21T09:00:00Z"), reply("c1", "2026-11-21T09:04:00Z", "ana")],
        "2026-11-21T09:05:00Z",
    )
    .await;
    for period in [Period::Hourly, Period::Daily, Period::Weekly] {
        desk.fold(period, "2026-11-21T10:00:00Z").await;
        let hours = desk.hours(Scope::Tenant, "2026-11-21").await;
        let days = desk.days(Scope::Tenant, "2026-11-21", "2026-11-21").await;
        units.take();

        desk.fold(period, "2026-11-21T10:00:00Z").await;

        assert_eq!(units.take().0, 2.0, "the lease alone is written");
        assert_eq!(desk.hours(Scope::Tenant, "2026-11-21").await, hours);
        assert_eq!(desk.days(Scope::Tenant, "2026-11-21", "2026-11-21").await, days);
    }
    assert!(marks(&desk).await.is_empty());
}

#[tokio::test]
async fn while_one_is_at_work_another_leaves_and_a_killed_one_is_succeeded() {
    let desk = Desk::in_zone("UTC").await;
    desk.report(&[inbound("c1", "2026-11-21T09:00:00Z")], "2026-11-21T09:00:01Z").await;
    let now = at("2026-11-21T10:00:00Z");
    let run = |late: i64| {
        aggregate::one(&desk.table, desk.tenant, Period::Weekly, now + SignedDuration::from_secs(late), LEASE)
    };

    // Killed at many different lines: each run is dropped a little later than the one before.
    let mut killed = 0;
    for n in 0..60i32 {
        let after = i64::from(n) * 61;
        if tokio::time::timeout(Duration::from_micros(300 + 250 * n as u64), run(after)).await.is_err() {
            killed += 1;
            let _ = run(after + 1).await.unwrap();
        }
    }
    assert!(killed > 3, "{killed}");
    let after = run(61 * 100).await.unwrap();

    assert!(after, "the lease of a killed run has an end");
    let days = desk.days(Scope::Tenant, "2026-11-21", "2026-11-21").await;
    assert_eq!(days[0].cell.count(Metric::Inbound), 1);
    assert_eq!(desk.strip("range=24h", "2026-11-21T10:00:00Z").await["messages_today"]["value"], 1);
    assert!(marks(&desk).await.is_empty());
}

#[tokio::test]
async fn two_at_once_are_as_good_as_one() {
    let desk = Desk::in_zone("UTC").await;
    desk.report(&[inbound("c1", "2026-11-21T09:00:00Z")], "2026-11-21T09:00:01Z").await;
    let now = at("2026-11-21T10:00:00Z");

    let runs = (0..5).map(|_| aggregate::one(&desk.table, desk.tenant, Period::Weekly, now, LEASE));
    let done = futures::future::join_all(runs).await;

    assert!(done.iter().any(|done| *done.as_ref().unwrap()));
    assert_eq!(desk.strip("", "2026-11-21T10:00:00Z").await["messages_today"]["value"], 1);
}

#[tokio::test]
async fn a_late_event_changes_its_hour_and_all_that_was_folded_from_it() {
    let desk = Desk::in_zone("UTC").await;
    desk.report(
        &[inbound("c1", "2026-11-17T09:00:00Z"), inbound("c2", "2026-11-18T23:00:00Z")],
        "2026-11-18T23:30:00Z",
    )
    .await;
    desk.fold(Period::Weekly, "2026-11-19T00:00:00Z").await;
    assert_eq!(desk.days(Scope::Tenant, "2026-11-17", "2026-11-17").await[0].revision, 1);

    desk.report(&[inbound("c1", "2026-11-17T08:00:00Z")], "2026-11-20T00:00:00Z").await;
    desk.fold(Period::Weekly, "2026-11-20T01:00:00Z").await;

    let [first, second]: [Snapshot; 2] = desk.days(Scope::Tenant, "2026-11-16", "2026-11-22").await.try_into().unwrap();
    assert_eq!((first.revision, first.cell.count(Metric::Inbound)), (2, 2));
    assert_eq!((second.revision, second.cell.count(Metric::Inbound)), (1, 1));
    let strip = desk.strip("from=2026-11-01T00:00:00Z&to=2026-11-20T00:00:00Z", "2026-11-20T01:00:00Z").await;
    assert_eq!(strip["messages_today"]["value"], 3);
    let hours = desk.hours(Scope::Tenant, "2026-11-17").await;
    assert_eq!(hours.iter().map(|hour| hour.cell.count(Metric::Opened)).collect::<Vec<_>>(), [1, 0]);
}

#[tokio::test]
async fn what_came_while_a_run_was_at_work_is_found_by_the_next() {
    let desk = Desk::in_zone("UTC").await;
    desk.report(&[inbound("c1", "2026-11-21T09:00:00Z")], "2026-11-21T09:59:30Z").await;
    desk.fold(Period::Hourly, "2026-11-21T10:00:00Z").await;
    assert_eq!(marks(&desk).await.len(), 2, "a fresh mark stays: its events may still be on their way");

    desk.fold(Period::Daily, "2026-11-21T10:15:00Z").await;
    desk.fold(Period::Weekly, "2026-11-21T10:15:00Z").await;

    assert!(marks(&desk).await.is_empty());
}

#[tokio::test]
async fn a_message_without_an_outcome_is_given_up_a_day_later() {
    let desk = Desk::in_zone("UTC").await;
    let sent = [status("sent", "w1", "2026-11-20T09:00:00Z"), status("delivered", "w2", "2026-11-20T09:00:00Z")];
    desk.report(&sent, "2026-11-20T09:01:00Z").await;
    let window = "from=2026-11-20T00:00:00Z&to=2026-11-21T00:00:00Z";

    desk.fold(Period::Hourly, "2026-11-21T09:45:00Z").await;
    let waiting = desk.strip(window, "2026-11-21T09:50:00Z").await["whatsapp_delivery_rate"].clone();
    desk.fold(Period::Hourly, "2026-11-21T10:00:00Z").await;
    let given_up = desk.strip(window, "2026-11-21T10:01:00Z").await["whatsapp_delivery_rate"].clone();
    desk.report(&[status("read", "w1", "2026-11-22T09:00:00Z")], "2026-11-22T09:01:00Z").await;
    desk.fold(Period::Hourly, "2026-11-22T10:00:00Z").await;
    let read = desk.strip(window, "2026-11-22T10:00:00Z").await["whatsapp_delivery_rate"].clone();

    let told = |rate: &serde_json::Value| (rate["value"].clone(), rate["n"].clone(), rate["excluded_n"].clone());
    assert_eq!(told(&waiting), (json!(1.0), json!(1), json!(1)));
    assert_eq!(told(&given_up), (json!(0.5), json!(2), json!(0)));
    assert_eq!(told(&read), (json!(1.0), json!(2), json!(0)));
}

#[tokio::test]
async fn days_of_23_and_25_hours_hold_all_of_theirs() {
    let desk = Desk::in_zone("Europe/Lisbon").await;
    for (date, midnight, hours) in
        [("2026-03-29", "2026-03-29T00:00:00Z", 23), ("2026-10-25", "2026-10-24T23:00:00Z", 25)]
    {
        // One an hour for four days around the change.
        let events: Vec<_> = (-36..60)
            .map(|hour| (at(midnight) + SignedDuration::from_mins(hour * 60 + 30)).to_string())
            .map(|time| inbound("c1", &time))
            .collect();
        desk.report(&events, "2026-11-21T10:00:00Z").await;
        desk.fold(Period::Daily, "2026-11-21T10:05:00Z").await;

        assert_eq!(desk.days(Scope::Tenant, date, date).await[0].cell.count(Metric::Inbound), hours, "{date}");
        assert_eq!(desk.hours(Scope::Tenant, date).await.len() as i64, hours);
    }
}

#[tokio::test]
async fn weeks_are_their_days_and_days_their_hours() {
    let desk = Desk::in_zone("Asia/Kolkata").await;
    let events: Vec<_> = (0..200)
        .map(|n| (at("2026-11-10T00:10:00Z") + SignedDuration::from_mins(n * 97)).to_string())
        .flat_map(|time| {
            let replied = (at(&time) + SignedDuration::from_secs(50)).to_string();
            [inbound("c1", &time), reply("c1", &replied, "ana")]
        })
        .collect();
    desk.report(&events[..200], "2026-11-25T10:00:00Z").await;
    desk.report(&events[200..], "2026-11-25T10:00:00Z").await;
    desk.fold(Period::Weekly, "2026-11-25T10:05:00Z").await;

    let series = shared::snapshot::Series { scope: Scope::Agent("ana".into()), channel: None };
    let week = key::snapshot(desk.tenant, &series, shared::snapshot::Span::Week("2026-11-16".parse().unwrap()));
    let week = desk.table.get(week).await.unwrap();
    let mut merged = shared::snapshot::Cell::default();
    for day in 16..=22 {
        for hour in desk.hours(series.scope.clone(), &format!("2026-11-{day}")).await {
            merged.merge(&hour.cell).unwrap();
        }
    }
    assert_eq!(week.cell, merged);
    assert_eq!(merged.count(Metric::Responses), merged.responses.count() as i64);
    assert!(merged.count(Metric::Responses) > 90);
}

#[tokio::test]
async fn an_agent_that_loses_a_conversation_afterwards_loses_its_numbers() {
    let desk = Desk::in_zone("UTC").await;
    let assigned = |agent: &str, time: &str| {
        event("conversation.assigned", time, json!({ "conversation_id": "c1", "agent_id": agent }))
    };
    desk.report(
        &[assigned("ana", "2026-11-21T08:00:00Z"), inbound("c1", "2026-11-21T09:00:00Z")],
        "2026-11-21T09:00:00Z",
    )
    .await;
    desk.fold(Period::Daily, "2026-11-21T09:30:00Z").await;
    assert_eq!(
        desk.days(Scope::Agent("ana".into()), "2026-11-21", "2026-11-21").await[0].cell.count(Metric::Inbound),
        1
    );

    desk.report(&[assigned("bo", "2026-11-21T08:30:00Z")], "2026-11-21T10:00:00Z").await;
    desk.fold(Period::Daily, "2026-11-21T10:30:00Z").await;

    let day =
        async |agent: &str| desk.days(Scope::Agent(agent.into()), "2026-11-21", "2026-11-21").await[0].cell.clone();
    assert_eq!((day("ana").await.count(Metric::Inbound), day("bo").await.count(Metric::Inbound)), (0, 1));
    assert_eq!((day("ana").await.count(Metric::Open), day("bo").await.count(Metric::Open)), (0, 1));
}

#[tokio::test]
async fn every_tenant_gets_its_turn() {
    let table = table().await;
    let mut desks = Vec::new();
    for n in 0..103 {
        let desk = Desk::at_table(table.clone(), "UTC").await;
        if n % 34 == 0 {
            desk.report(&[inbound("c1", "2026-11-21T09:00:00Z")], "2026-11-21T09:00:01Z").await;
            desks.push(desk);
        }
    }

    let told = aggregate::all(&table, Period::Hourly, at("2026-11-21T10:00:00Z"), TERMS).await.unwrap();

    assert_eq!(told, Told { tenants: 103, ..Told::default() });
    for desk in desks {
        assert_eq!(desk.strip("", "2026-11-21T10:00:00Z").await["messages_today"]["value"], 1);
    }
}

#[test]
fn a_schedule_says_how_far_to_fold() {
    let due: Due = serde_json::from_value(json!({ "type": "daily" })).unwrap();
    assert_eq!(due.period, Period::Daily);
    assert!(serde_json::from_value::<Due>(json!({ "type": "yearly" })).is_err());
}

#[tokio::test]
async fn a_conversation_of_years_costs_no_more_than_one_of_yesterday() {
    let units = Units::default();
    let desk = Desk::at_table(table().await.metered(units.meter()), "UTC").await;
    let messages = |from: &str, n: i64| -> Vec<_> {
        (0..n).map(|n| inbound("c1", &(at(from) + SignedDuration::from_mins(n * 20)).to_string())).collect()
    };
    desk.report(&messages("2026-11-01T00:00:00Z", 60), "2026-11-20T00:00:00Z").await;
    desk.fold(Period::Hourly, "2026-11-20T00:05:00Z").await;
    let cost = async |time: &str, now: &str| {
        desk.report(&[inbound("c1", time)], now).await;
        units.take();
        desk.fold(Period::Hourly, &(at(now) + SignedDuration::from_mins(2)).to_string()).await;
        units.take().1
    };
    let young = cost("2026-11-01T20:05:00Z", "2026-11-20T00:10:00Z").await;
    desk.report(&messages("2026-11-02T00:00:00Z", 500), "2026-11-20T00:20:00Z").await;
    desk.report(&messages("2026-11-09T00:00:00Z", 500), "2026-11-20T00:20:00Z").await;
    desk.fold(Period::Hourly, "2026-11-20T00:25:00Z").await;

    let old = cost("2026-11-15T23:59:00Z", "2026-11-20T00:30:00Z").await;

    assert!(old <= young + 20.0, "{old} read units, {young} when it was young");
    assert_eq!(desk.strip("range=30d", "2026-11-20T00:40:00Z").await["messages_today"]["value"], 1_062);
}

#[tokio::test]
async fn what_comes_late_at_the_beginning_of_a_long_conversation_reaches_its_end() {
    let desk = Desk::in_zone("UTC").await;
    let hourly = |from: i64, to: i64| -> Vec<_> {
        let time = |n| at("2026-11-01T00:30:00Z") + SignedDuration::from_hours(n);
        (from..to).map(|n| inbound("c1", &time(n).to_string())).collect()
    };
    desk.report(&hourly(0, 65), "2026-11-20T00:00:00Z").await;
    desk.fold(Period::Hourly, "2026-11-20T00:05:00Z").await;
    let assigned = json!({ "conversation_id": "c1", "agent_id": "ana" });
    desk.report(&[event("conversation.assigned", "2026-11-01T00:45:00Z", assigned)], "2026-11-20T00:10:00Z").await;
    desk.fold(Period::Hourly, "2026-11-20T00:15:00Z").await;

    desk.report(&hourly(65, 66), "2026-11-20T00:20:00Z").await;
    desk.fold(Period::Hourly, "2026-11-20T00:25:00Z").await;

    let ana = desk.somebody(Role::Agent, &[("sub", "ana")]);
    let (_, body) = desk.kpi(ana, "range=30d", "2026-11-20T00:30:00Z").await;
    assert_eq!(body["data"]["kpis"]["messages_today"]["value"], 65);
}

/// Three tenants, each with a message to count.
async fn three() -> Vec<Desk> {
    let table = table().await;
    let mut desks = Vec::new();
    for _ in 0..3 {
        let desk = Desk::at_table(table.clone(), "UTC").await;
        desk.report(&[inbound("c1", "2026-11-21T09:00:00Z")], "2026-11-21T09:00:01Z").await;
        desks.push(desk);
    }
    desks
}

async fn counted(desks: &[Desk]) -> usize {
    let mut counted = 0;
    for desk in desks {
        counted += desk.hours(Scope::Tenant, "2026-11-21").await.len();
    }
    counted
}

#[tokio::test]
async fn whoever_had_no_turn_begins_the_next_run() {
    let desks = three().await;
    let short = Terms { budget: Duration::ZERO, ..TERMS };
    for run in 1..=3 {
        let now = at("2026-11-21T10:00:00Z");
        let told = aggregate::all(&desks[0].table, Period::Hourly, now, short).await.unwrap();
        assert_eq!(told, Told { tenants: 1, left: 2, ..Told::default() });
        assert_eq!(counted(&desks).await, run, "each run serves another");
        assert!(told.complete().is_err());
    }
}

#[tokio::test]
async fn a_turn_has_an_end_and_the_next_goes_on() {
    let desks = three().await;
    let hurried = Terms { share: Duration::ZERO, ..TERMS };
    let now = at("2026-11-21T10:00:00Z");

    let told = aggregate::all(&desks[0].table, Period::Hourly, now, hurried).await.unwrap();
    assert_eq!((told.unfinished, counted(&desks).await), (3, 0));
    assert!(told.complete().is_ok(), "a tenant with much to do is no reason to try again");
    let told = aggregate::all(&desks[0].table, Period::Hourly, now, TERMS).await.unwrap();

    assert_eq!((told.tenants, counted(&desks).await), (3, 3));
}

#[tokio::test]
async fn a_tenant_whose_rows_cannot_be_folded_fails_alone_and_is_told_once() {
    let desks = three().await;
    let (table, ill) = (&desks[0].table, desks[1].tenant);
    let hour = Stale::Hour(at("2026-11-20T09:00:00Z"));
    table.change(key::mark(ill, hour)).set("stale", "nonsense").send().await.unwrap_err();
    let run = async || aggregate::all(table, Period::Weekly, at("2026-11-21T10:00:00Z"), TERMS).await.unwrap();
    let notices = async || table.list_all(&key::notices(ill)).await.unwrap().len();

    for _ in 0..2 {
        assert_eq!(run().await, Told { tenants: 2, failed: 1, ..Told::default() });
        assert_eq!((counted(&desks).await, notices().await), (2, 1));
    }
    table.delete(key::mark(ill, hour)).await.unwrap();
    assert_eq!(run().await.tenants, 3);
    table.change(key::mark(ill, hour)).set("stale", "nonsense").send().await.unwrap_err();
    run().await;
    assert_eq!(notices().await, 2, "it was well in between");
}

#[tokio::test]
async fn a_progress_that_cannot_be_read_keeps_nobody_else() {
    let desks = three().await;
    desks[1].table.change(key::progress(desks[1].tenant)).set("as_of", "never").send().await.unwrap_err();

    let told = aggregate::all(&desks[0].table, Period::Hourly, at("2026-11-21T10:00:00Z"), TERMS).await.unwrap();

    assert_eq!(told, Told { tenants: 2, failed: 1, ..Told::default() });
}
