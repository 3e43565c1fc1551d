//! Sheets are what an independent computation makes of the raw rows, however often and whenever they are folded.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp, ToSpan, civil::Date};
use make_operations::{
    fold::Folder,
    ledger,
    refold::{self, Terms},
};
use serde_json::json;
use shared::{
    Error,
    id::ClientId,
    key,
    run::{Origin, Run, RunStatus},
    scenario::{Mapped, Owner, Scenario},
    sheet::{Cell, DayTotal, Subject, Unfolded},
    tenant::Zone,
    testing::{Units, table},
    usage::{OperationType, Usage, Usd},
};

use crate::{
    World,
    desk::{body, execution, later},
    row,
    world::now,
};

const NOON: &str = "2026-07-21T10:30:00Z";

fn lisbon() -> Zone {
    Zone::try_from("Europe/Lisbon".to_owned()).unwrap()
}

fn any<T: Copy>(of: &[T]) -> T {
    of[rand::random_range(0..of.len())]
}

/// A run of some moment of the days around the change to winter time, which has 25 hours.
fn run(world: &World, n: usize) -> Run {
    let begin: Timestamp = "2026-10-23T00:00:00Z".parse().unwrap();
    let started_at = begin + SignedDuration::from_secs(rand::random_range(0..5 * 86_400));
    let (date, hour) = ledger::place(&lisbon(), started_at);
    let operations = rand::random_range(0..9);
    Run {
        tenant: world.tenant,
        scenario: format!("s{}", n % 6),
        id: format!("r{n}"),
        started_at,
        date,
        hour,
        status: any(&[RunStatus::Success, RunStatus::Success, RunStatus::Warning, RunStatus::Error]),
        operations,
        // Of one scenario nobody tells the credits.
        centicredits: (n % 6 != 3).then_some(operations * 110),
        transfer: rand::random_range(0..1_000),
        duration_ms: any(&[None, Some(250)]),
        cost: any(&[None, Some(Usd::from_ten_thousandths(2_501))]),
        origin: if n % 6 == 4 || n.is_multiple_of(5) { Origin::Anonymous } else { Origin::Reported },
        trace: None,
        revision: 0,
        told_at: now(),
    }
}

async fn mapped(world: &World, id: &str, mapping: Vec<Mapped>) -> Scenario {
    let mut scenario = Scenario::heard_of(world.tenant, id.into(), id.to_uppercase(), now());
    scenario.mapping = mapping;
    world.table.put(&scenario).await.unwrap();
    scenario
}

/// The same in the simplest way: every cell from the raw rows, one by one.
fn reckoned(
    runs: &[Run],
    scenarios: &HashMap<String, Scenario>,
    stated: &[Usage],
) -> BTreeMap<(Owner, Date, Subject), Cell> {
    let mut cells: BTreeMap<(Owner, Date, Subject), Cell> = BTreeMap::new();
    for run in runs {
        let of_day = || runs.iter().filter(|other| (other.date, &other.scenario) == (run.date, &run.scenario));
        let known = of_day().any(|other| other.origin != Origin::Anonymous);
        if known && run.origin == Origin::Anonymous {
            continue;
        }
        let said = stated.iter().rfind(|row| row.date == run.date && row.scenario_id.as_ref() == Some(&run.scenario));
        let is = match (scenarios.get(&run.scenario), said) {
            (Some(scenario), _) => scenario.on(run.date),
            (None, Some(row)) => {
                Mapped { owner: row.client.into(), operation_type: row.operation_type, ..Mapped::default() }
            }
            (None, None) => Mapped::default(),
        };
        let subject = Subject { operation_type: is.operation_type, by_id: true, scenario: run.scenario.clone() };
        let credited = of_day()
            .filter(|other| !known || other.origin != Origin::Anonymous)
            .all(|other| other.centicredits.is_some());
        let cell = cells.entry((is.owner, run.date, subject)).or_default();
        let empty = run.status == RunStatus::Success && run.operations <= 1;
        cell.operations += run.operations;
        cell.centicredits =
            credited.then(|| cell.centicredits.unwrap_or_default() + run.centicredits.unwrap_or_default());
        cell.succeeded += u64::from(run.status == RunStatus::Success);
        cell.warned += u64::from(run.status == RunStatus::Warning);
        cell.failed += u64::from(run.status == RunStatus::Error);
        cell.empty += u64::from(empty);
        cell.cost += run.cost.unwrap_or_default();
        cell.seconds_saved += u64::from(run.status != RunStatus::Error && !empty) * u64::from(is.seconds_saved);
        cell.duration_ms += run.duration_ms.unwrap_or_default();
        cell.timed += u64::from(run.duration_ms.is_some());
        cell.transfer += run.transfer;
    }
    for row in stated {
        if runs.iter().any(|run| run.date == row.date && row.scenario_id.as_ref() == Some(&run.scenario)) {
            continue;
        }
        let (by_id, scenario) = row.scenario();
        let subject = Subject { operation_type: row.operation_type, by_id, scenario: scenario.into() };
        cells.entry((row.client.into(), row.date, subject)).or_default().state(row);
    }
    cells
}

async fn totals_agree(world: &World) {
    let owners = [Owner::Company, Owner::Unmapped, Owner::Client(world.inn), Owner::Client(world.spa)];
    for owner in owners {
        let (from, to) = (Date::constant(2025, 1, 1), Date::constant(2027, 1, 1));
        let sheets = world.table.list_all(&key::sheets(world.tenant, owner, from, to)).await.unwrap();
        let totals = world.table.list_all(&key::day_totals(world.tenant, owner, from, to)).await.unwrap();
        let of_sheets: Vec<_> = sheets.iter().map(DayTotal::of).map(|total| (total.date, total.types)).collect();
        assert_eq!(totals.into_iter().map(|total| (total.date, total.types)).collect::<Vec<_>>(), of_sheets);
    }
}

#[tokio::test]
async fn sheets_are_what_the_raw_rows_come_to() {
    let world = World::new().await;
    let table = world.table.clone().consistent();
    let (inn, spa) = (Owner::Client(world.inn), Owner::Client(world.spa));
    let is = |from: Option<Date>, owner, operation_type, seconds_saved| Mapped {
        from,
        owner,
        operation_type,
        seconds_saved,
    };
    let (call, admin) = (OperationType::Call, OperationType::Admin);
    let mut scenarios = HashMap::new();
    for (id, mapping) in [
        ("s0", vec![is(None, inn, call, 150)]),
        ("s1", vec![is(None, inn, call, 0), is(Some(Date::constant(2026, 10, 25)), spa, admin, 60)]),
        (
            "s2",
            vec![
                is(Some(Date::constant(2026, 10, 24)), Owner::Company, admin, 7),
                is(Some(Date::constant(2026, 10, 26)), inn, admin, 7),
            ],
        ),
        ("s3", vec![is(None, spa, call, 30)]),
    ] {
        scenarios.insert(id.to_owned(), mapped(&world, id, mapping).await);
    }
    let usage = |date: Date, client: Option<ClientId>, id: Option<&str>, name: &str, operations| Usage {
        tenant: world.tenant,
        client,
        date,
        scenario_name: name.into(),
        scenario_id: id.map(Into::into),
        operation_type: any(&[call, admin]),
        call: None,
        operations,
        limit: None,
        cost: Usd::from_ten_thousandths(operations * 500),
        succeeded: operations / 2,
        failed: 1,
        status: shared::usage::ScenarioStatus::Active,
        description: None,
        synced_at: now(),
    };
    let days: Vec<Date> = (22..29).map(|day| Date::constant(2026, 10, day)).collect();
    let mut stated = Vec::new();
    for date in &days {
        // One of a scenario with runs that nobody has mapped, one of a scenario without runs, one without an id.
        stated.push(usage(*date, Some(world.spa), Some("s4"), "Four", 9));
        stated.push(usage(*date, None, Some("other"), "Other", 20));
        stated.push(usage(*date, Some(world.inn), None, "By hand", 30));
        ledger::note(&table, world.tenant, *date, now()).await.unwrap();
    }
    for row in &stated {
        table.put(row).await.unwrap();
    }
    let runs: Vec<Run> = (0..500).map(|n| run(&world, n)).collect();
    for some in runs.chunks(61) {
        ledger::record(&table, world.tenant, some.to_vec(), now()).await.unwrap();
    }

    world.refold(later()).await;

    let expected = reckoned(&runs, &scenarios, &stated);
    assert_eq!(world.cells().await, expected);
    totals_agree(&world).await;
    assert!(world.noted().await.is_empty());

    // Corrected, and told again out of order: the same as if it had come so at once.
    let mut corrected = runs.clone();
    for n in 0..80 {
        let told_at = now() + 1.minute();
        corrected[n * 6] = Run {
            told_at,
            operations: 50,
            centicredits: Some(77),
            status: RunStatus::Error,
            ..corrected[n * 6].clone()
        };
    }
    let mut told: Vec<Run> = corrected.iter().chain(&runs).cloned().collect();
    for n in (1..told.len()).rev() {
        told.swap(n, rand::random_range(0..=n));
    }
    for some in told.chunks(97) {
        ledger::record(&table, world.tenant, some.to_vec(), now()).await.unwrap();
    }
    world.refold(later()).await;
    assert_eq!(world.cells().await, reckoned(&corrected, &scenarios, &stated));
    totals_agree(&world).await;
}

#[tokio::test]
async fn folding_again_changes_nothing_and_writes_nothing() {
    let units = Units::default();
    let world = World::over(table().await.metered(units.meter())).await;
    world.hear(body(json!([execution(NOON, json!({}))]))).await;
    world.refold(now()).await;
    let cells = world.cells().await;
    assert_eq!((cells.len(), world.noted().await.len()), (1, 1));
    units.take();

    assert_eq!(world.refold(now()).await.days, 1, "the note still stands");

    assert_eq!(units.take().0, 0.0);
    assert_eq!(world.cells().await, cells);
}

#[tokio::test]
async fn a_note_younger_than_two_minutes_stays() {
    let world = World::new().await;
    world.hear(body(json!([execution(NOON, json!({}))]))).await;
    for (seconds, left) in [(0, 1), (60, 1), (115, 1), (121, 0)] {
        world.refold(now() + SignedDuration::from_secs(seconds)).await;
        assert_eq!((world.noted().await.len(), world.cells().await.len()), (left, 1), "after {seconds} s");
    }
    let nothing = world.refold(later()).await;
    assert_eq!(nothing, refold::Refolded::default());
}

#[tokio::test]
async fn a_scenario_that_is_mapped_to_somebody_else_takes_its_cells_along() {
    let world = World::new().await;
    world.hear(body(json!([execution(NOON, json!({})), execution("2026-07-20T10:00:00Z", json!({}))]))).await;
    world.refold(later()).await;
    let owners = async || {
        world.cells().await.into_keys().map(|(owner, date, _)| (date.day(), owner)).collect::<BTreeMap<_, _>>()
    };
    assert_eq!(owners().await, BTreeMap::from([(20, Owner::Unmapped), (21, Owner::Unmapped)]));

    world.map("12345", json!({ "client_slug": "inn" })).await;
    world.refold(later()).await;
    let inn = Owner::Client(world.inn);
    assert_eq!(owners().await, BTreeMap::from([(20, inn), (21, inn)]));
    let range = key::sheets(world.tenant, Owner::Unmapped, Date::constant(2026, 7, 1), Date::constant(2026, 8, 1));
    assert!(world.table.list_all(&range).await.unwrap().is_empty(), "the old owner's sheet is gone");

    world.map("12345", json!({ "company": true, "from": "2026-07-21" })).await;
    world.refold(later()).await;
    assert_eq!(owners().await, BTreeMap::from([(20, inn), (21, Owner::Company)]));
    totals_agree(&world).await;
}

#[tokio::test]
async fn who_is_killed_before_the_note_is_taken_back_leaves_it_to_the_next() {
    let world = World::new().await;
    world.hear(body(json!([execution(NOON, json!({}))]))).await;
    let table = world.table.clone().consistent();
    let note = table.list_all(&key::all_unfolded(world.tenant)).await.unwrap().remove(0);
    // The sheet is stored, and the note stands: as a killed fold leaves them.
    let stale = Unfolded { noted_ms: note.noted_ms - 1, ..note };
    Folder::of(&table, world.tenant).await.unwrap().fold(&stale, later()).await.unwrap();
    let cells = world.cells().await;
    assert_eq!((cells.len(), world.noted().await.len()), (1, 1));

    world.refold(later()).await;

    assert_eq!((world.cells().await, world.noted().await.len()), (cells, 0));
    totals_agree(&world).await;
}

#[tokio::test]
async fn what_is_told_while_folding_is_folded_by_the_next() {
    let world = World::new().await;
    world.hear(body(json!([execution(NOON, json!({}))]))).await;
    let table = world.table.clone().consistent();
    let folder = Folder::of(&table, world.tenant).await.unwrap();
    let note = table.list_all(&key::all_unfolded(world.tenant)).await.unwrap().remove(0);
    // Noted again, and written, after the fold had read its note.
    ledger::note(&table, world.tenant, note.date, later()).await.unwrap();
    folder.fold(&note, later()).await.unwrap();
    assert_eq!(world.noted().await.len(), 1);
    world.hear(body(json!([execution(NOON, json!({ "id": "late" }))]))).await;
    world.refold(later() + 3.minutes()).await;
    assert_eq!(world.cells().await.into_values().next().unwrap().operations, 5, "the run with an id tells the day");
}

#[tokio::test]
async fn one_tenant_that_cannot_be_folded_does_not_stop_the_others() {
    let world = World::new().await;
    let other = World::over(world.table.clone()).await;
    for one in [&world, &other] {
        one.hear(body(json!([execution(NOON, json!({}))]))).await;
        one.hear(body(json!([execution("2026-07-20T10:00:00Z", json!({}))]))).await;
    }
    // A row that cannot be read.
    let key = key::run_day(world.tenant, Date::constant(2026, 7, 20), "12345");
    world.table.change(key.clone()).set("date", "never").write().await.unwrap();

    assert!(refold::all(&world.table, later(), Terms::default()).await.is_err(), "the run fails in the end");

    assert_eq!((other.cells().await.len(), other.noted().await.len()), (2, 0));
    assert_eq!(world.noted().await, [Date::constant(2026, 7, 20)], "its other day is folded");
    world.table.change(key).set("date", Date::constant(2026, 7, 20)).write().await.unwrap();
    world.refold(later()).await;
    assert_eq!((world.cells().await.len(), world.noted().await.len()), (2, 0));
}

#[tokio::test]
async fn a_run_ends_in_time_and_the_next_goes_on() {
    let world = World::new().await;
    for day in 1..=6 {
        world.hear(body(json!([execution(&format!("2026-07-0{day}T10:00:00Z"), json!({}))]))).await;
    }
    let short = Terms { share: Duration::ZERO, ..Terms::default() };
    let told = refold::all(&world.table, later(), short).await.unwrap();
    assert_eq!((told.days, told.left), (1, 5));
    assert_eq!(world.noted().await[0], Date::constant(2026, 7, 2), "the oldest first");
    let none = Terms { budget: Duration::ZERO, ..Terms::default() };
    assert_eq!(refold::all(&world.table, later(), none).await.unwrap().waiting, 1);
    world.refold(later()).await;
    assert!(world.noted().await.is_empty());
}

#[tokio::test]
async fn today_and_yesterday_come_before_the_oldest() {
    let world = World::new().await;
    for day in ["01", "02", "21", "22"] {
        assert_eq!(world.send(world.posting(json!([row(&format!("2026-07-{day}"), json!({}))]))).await.0, 200);
    }
    let short = Terms { share: Duration::ZERO, ..Terms::default() };
    for left in [vec![1, 2, 22], vec![1, 2], vec![2]] {
        refold::all(&world.table, later(), short).await.unwrap();
        assert_eq!(world.noted().await.iter().map(|date| date.day()).collect::<Vec<_>>(), left);
    }
}

#[tokio::test]
async fn a_day_of_too_many_rows_fails_alone() {
    let world = World::new().await;
    let other = World::over(world.table.clone()).await;
    let rows: Vec<_> = (0..6).map(|n| row("2026-07-20", json!({ "scenario_id": n, "client_slug": "inn" }))).collect();
    assert_eq!(world.send(world.posting(json!(rows))).await.0, 200);
    for one in [&world, &other] {
        assert_eq!(one.send(one.posting(json!([row("2026-07-21", json!({}))]))).await.0, 200);
    }

    let few = Terms { rows: 5, ..Terms::default() };
    assert!(refold::all(&world.table, later(), few).await.is_err(), "somebody has to look");

    assert_eq!((other.cells().await.len(), other.noted().await.len()), (1, 0));
    assert_eq!(world.noted().await, [Date::constant(2026, 7, 20)], "its other day is folded");
    refold::all(&world.table, later(), Terms { rows: 6, ..few }).await.unwrap();
    assert_eq!((world.cells().await.len(), world.noted().await.len()), (7, 0));
}

#[tokio::test]
async fn a_tenant_whose_fold_panics_does_not_stop_the_others() {
    let world = World::new().await;
    let other = World::over(world.table.clone()).await;
    other.hear(body(json!([execution(NOON, json!({}))]))).await;
    // No time lies so long before another.
    let note = Unfolded { tenant: world.tenant, date: Date::constant(2026, 7, 21), noted_ms: i64::MIN };
    world.table.put(&note).await.unwrap();

    assert!(refold::all(&world.table, later(), Terms::default()).await.is_err(), "the run fails in the end");

    assert_eq!((other.cells().await.len(), other.noted().await.len()), (1, 0));
}

#[tokio::test]
async fn days_from_before_there_were_sheets_are_folded_when_somebody_orders_it() {
    let world = World::new().await;
    let rows = json!([row("2026-07-20", json!({})), row("2026-07-21", json!({}))]);
    assert_eq!(world.send(world.posting(rows)).await.0, 200);
    let noted = world.table.list_all(&key::all_unfolded(world.tenant)).await.unwrap();
    for note in noted {
        world.table.delete(key::unfolded(world.tenant, note.date)).await.unwrap();
    }
    let range = "start_date=2026-07-20&end_date=2026-07-21";
    assert_eq!(world.see(range).await["totals"]["operations_count"], 0, "nobody has noted these days");

    let again = |to: &str| serde_json::from_value(json!({ "from": "2026-07-01", "to": to })).unwrap();
    assert_eq!(refold::note(&world.table, &again("2026-07-21"), now()).await.unwrap().noted, 21);
    assert!(matches!(refold::note(&world.table, &again("2027-08-05"), now()).await, Err(Error::Invalid(_))));
    world.refold(later()).await;

    assert_eq!(world.see(range).await["totals"]["operations_count"], 300);
}

#[tokio::test]
async fn when_a_day_was_last_told_of_stays_known_after_it_is_folded() {
    let world = World::new().await;
    let rows = || json!([row("2026-07-21", json!({}))]);
    world.store(rows()).await;
    assert_eq!(world.send(world.posting(rows()).at(later())).await.0, 200);
    let told = world.see("preset=7d").await["totals"]["last_sync_at"].clone();
    world.fold().await;
    assert_eq!(world.see("preset=7d").await["totals"]["last_sync_at"], told);
}

#[tokio::test]
async fn what_was_synced_is_folded_too() {
    let world = World::new().await;
    let rows = json!([
        row("2026-07-21", json!({ "client_slug": "inn" })),
        row("2026-07-20", json!({ "operation_type": "call", "call_id": "c" }))
    ]);
    assert_eq!(world.send(world.posting(rows)).await.0, 200);
    world.refold(later()).await;
    let cells: Vec<_> =
        world.cells().await.into_iter().map(|((owner, date, _), cell)| (owner, date.day(), cell.operations)).collect();
    assert_eq!(cells, [(Owner::Company, 20, 150), (Owner::Client(world.inn), 21, 150)]);
}

#[tokio::test]
async fn it_costs_what_the_readme_says() {
    let units = Units::default();
    let world = World::over(table().await.metered(units.meter())).await;
    let runs = (0..20).map(|n| execution(NOON, json!({ "scenario_id": format!("s{n:02}") }))).collect::<Vec<_>>();
    world.hear(json!({ "executions": runs })).await;
    units.take();
    world.refold(later()).await;
    let day = units.take();
    assert_eq!(day, (3.0, 11.0), "a day");
    world.refold(later()).await;
    let idle = units.take();
    assert_eq!(idle, (0.0, 1.0), "nothing to do");
}
