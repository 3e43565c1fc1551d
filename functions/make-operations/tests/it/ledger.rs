//! Runs are counted once, whoever tells of them, however often and in whatever order.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp, civil::date};
use make_operations::ledger::{self, Recorded};
use shared::{
    id::TenantId,
    key,
    run::{DayUsage, Origin, Run, RunDay, RunStatus, Tally},
    table::Table,
    tenant::Zone,
    testing::{Units, table},
};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn lisbon() -> Zone {
    Zone::try_from("Europe/Lisbon".to_owned()).unwrap()
}

fn run(tenant: TenantId, id: &str, started: &str) -> Run {
    let (date, hour) = ledger::place(&lisbon(), at(started));
    Run {
        tenant,
        scenario: "418339".into(),
        id: id.into(),
        started_at: at(started),
        date,
        hour,
        status: RunStatus::Success,
        operations: 5,
        centicredits: Some(500),
        transfer: 0,
        duration_ms: None,
        cost: None,
        origin: Origin::Reported,
        trace: None,
        revision: 0,
        told_at: at(started),
    }
}

async fn day(table: &Table, tenant: TenantId, day: i8) -> Option<RunDay> {
    table.find(key::run_day(tenant, date(2026, 11, day), "418339")).await.unwrap()
}

async fn record(table: &Table, runs: impl IntoIterator<Item = Run>) -> Recorded {
    let runs: Vec<_> = runs.into_iter().collect();
    ledger::record(table, runs[0].tenant, runs, at("2026-11-21T12:00:00Z")).await.unwrap()
}

#[test]
fn days_of_23_and_25_hours_have_as_many() {
    let hour = |at_utc| ledger::place(&lisbon(), at(at_utc));
    // 29 March 2026 loses the hour from one to two, 25 October has it twice.
    assert_eq!(hour("2026-03-29T00:30:00Z"), (date(2026, 3, 29), 0));
    assert_eq!(hour("2026-03-29T22:59:59Z"), (date(2026, 3, 29), 22));
    assert_eq!(hour("2026-03-29T23:00:00Z"), (date(2026, 3, 30), 0));
    assert_eq!(hour("2026-10-24T23:00:00Z"), (date(2026, 10, 25), 0));
    assert_eq!(hour("2026-10-25T23:59:59Z"), (date(2026, 10, 25), 24));
}

#[tokio::test]
async fn a_run_that_comes_again_counts_once() {
    let (table, tenant) = (table().await.consistent(), TenantId::new());
    let runs = || ["a", "b", "c"].map(|id| run(tenant, id, "2026-11-20T09:30:00Z"));
    assert_eq!(record(&table, runs()).await, Recorded { new: 3, ..Recorded::default() });
    let mut again: Vec<_> = runs().into();
    again.extend(runs());
    again.push(run(tenant, "d", "2026-11-20T10:30:00Z"));
    assert_eq!(record(&table, again).await, Recorded { new: 1, corrected: 0, repeated: 6 });
    let day = day(&table, tenant, 20).await.unwrap();
    assert_eq!((day.tally().succeeded, day.tally_of(9).succeeded, day.tally_of(10).succeeded), (4, 3, 1));
    assert_eq!(day.cell(&Default::default()).operations, 20);
}

#[tokio::test]
async fn makes_log_has_the_last_word_whenever_it_comes() {
    for pulled_first in [false, true] {
        let (table, tenant) = (table().await.consistent(), TenantId::new());
        let reported = run(tenant, "a", "2026-11-20T23:59:59Z");
        let pulled = Run {
            origin: Origin::Pulled,
            status: RunStatus::Error,
            operations: 7,
            centicredits: Some(900),
            ..run(tenant, "a", "2026-11-21T00:00:01Z")
        };
        let mut both = [reported, pulled];
        if pulled_first {
            both.reverse();
        }
        for run in both {
            record(&table, [run]).await;
        }
        assert_eq!(day(&table, tenant, 20).await.map(|day| day.tally()).unwrap_or_default(), Tally::default());
        let cell = day(&table, tenant, 21).await.unwrap().cell(&Default::default());
        assert_eq!((cell.failed, cell.operations, cell.centicredits), (1, 7, Some(900)));
        assert_eq!(table.get(key::run(tenant, "418339", "a")).await.unwrap().origin, Origin::Pulled);
    }
}

#[tokio::test]
async fn told_by_many_at_once_each_run_counts_once() {
    let (table, tenant) = (table().await.consistent(), TenantId::new());
    let all: Vec<_> = (0..120).map(|n| run(tenant, &format!("r{n}"), "2026-11-20T09:30:00Z")).collect();
    let tellers = (0..6).map(|n| {
        let (table, some) = (table.clone(), all[n * 10..n * 10 + 70].to_vec());
        tokio::spawn(async move { ledger::record(&table, tenant, some, Timestamp::now()).await })
    });
    let mut new = 0;
    for teller in tellers.collect::<Vec<_>>() {
        new += teller.await.unwrap().unwrap().new;
    }
    assert_eq!((new, day(&table, tenant, 20).await.unwrap().tally().succeeded), (120, 120));
}

#[tokio::test]
async fn makes_own_count_stands_beside_the_runs() {
    let (table, tenant) = (table().await.consistent(), TenantId::new());
    record(&table, [run(tenant, "a", "2026-11-20T09:30:00Z")]).await;
    let usage = DayUsage { operations: 50, centicredits: 4_800, transfer: 7 };
    for is_news in [true, false] {
        let (on, now) = (date(2026, 11, 20), at("2026-11-21T06:00:00Z"));
        assert_eq!(ledger::count(&table, tenant, "418339", on, usage, now).await.unwrap(), is_news);
    }
    let cell = day(&table, tenant, 20).await.unwrap().cell(&Default::default());
    assert_eq!((cell.operations, cell.centicredits, cell.succeeded), (50, Some(4_800), 1));
}

#[tokio::test]
async fn a_random_history_told_in_random_order_sums_up_to_its_runs() {
    let (table, tenant) = (table().await.consistent(), TenantId::new());
    let begin = at("2026-11-01T00:00:00Z");
    let mut told: Vec<Run> = Vec::new();
    for n in 0..400_u32 {
        let started = begin + SignedDuration::from_secs(i64::from(rand::random_range(0..10 * 86_400)));
        let mut one = run(tenant, &format!("r{n}"), &started.to_string());
        one.scenario = format!("s{}", n % 7);
        one.operations = rand::random_range(0..9);
        let any = || [RunStatus::Success, RunStatus::Warning, RunStatus::Error][rand::random_range(0..3)];
        let (first, corrected) = (any(), any());
        for later in 0..rand::random_range(1..4) {
            let status = if later == 0 { first } else { corrected };
            told.push(Run { status, told_at: begin + SignedDuration::from_secs(later), ..one.clone() });
        }
    }
    let mut last: BTreeMap<(String, String), Run> = BTreeMap::new();
    for run in &told {
        let place = (run.scenario.clone(), run.id.clone());
        if last.get(&place).is_none_or(|known| run.told_at >= known.told_at) {
            last.insert(place, run.clone());
        }
    }
    for n in (1..told.len()).rev() {
        told.swap(n, rand::random_range(0..=n));
    }
    for some in told.chunks(37) {
        record(&table, some.to_vec()).await;
    }
    let days = table.list_all(&key::run_days(tenant, date(2026, 10, 1), date(2026, 12, 1))).await.unwrap();
    let (mut tally, mut operations) = (Tally::default(), 0);
    for day in &days {
        tally += day.tally();
        operations += day.cell(&Default::default()).operations;
        let hours: u64 = (0..25).map(|hour| day.tally_of(hour).runs()).sum();
        assert_eq!(hours, day.tally().runs());
    }
    let count = |status| last.values().filter(|run| run.status == status).count() as u64;
    assert_eq!(tally.succeeded, count(RunStatus::Success));
    assert_eq!((tally.warned, tally.failed), (count(RunStatus::Warning), count(RunStatus::Error)));
    assert_eq!(operations, last.values().map(|run| run.operations).sum::<u64>());
}

#[tokio::test]
async fn what_recording_costs() {
    let units = Units::default();
    let (table, tenant) = (table().await.metered(units.meter()).consistent(), TenantId::new());
    let runs: Vec<_> = (0..40).map(|n| run(tenant, &format!("r{n}"), "2026-11-20T09:30:00Z")).collect();
    record(&table, runs.clone()).await;
    let new = units.take();
    record(&table, runs).await;
    // A run is two units of a transaction and one of the index, a day two and its note one; what is known is read.
    assert_eq!((new, units.take()), ((123.0, 40.0), (0.0, 40.0)));
}
