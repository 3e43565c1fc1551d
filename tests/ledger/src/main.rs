//! A million runs: loaded, folded, asked for, and compared with a computation of its own. README.md beside this tells how.

mod ask;
mod business;
mod expected;

use std::{
    collections::BTreeMap,
    process::ExitCode,
    time::{Duration, Instant},
};

use business::{CLIENTS, DAYS};
use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use jiff::{SignedDuration, Timestamp, ToSpan, civil::Date};
use make_operations::{fold::Folder, ledger};
use rust_decimal::Decimal;
use shared::{
    id::{ClientId, TenantId},
    key,
    rate::Rate,
    run::{Run, RunStatus},
    scenario::{Owner, Scenario},
    table::Table,
    tenant::{Client, Slug, Tenant, Zone},
    testing::{Units, table},
};

/// What may go wrong with the run itself: anything, and then it ends.
type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

/// Runs that are told together, as a page of Make.com's log holds them.
const PAGE: usize = 100;

/// Loads runs of 300 scenarios over 90 days, and asks for metrics at 10⁴, 10⁵ and so on. The exit code is 1 where a sum
/// differs from the one computed from the raw runs.
#[derive(Parser)]
#[command(name = "cargo ledger")]
struct Options {
    /// How many runs
    #[arg(long, default_value_t = 1_000_000)]
    runs: u64,
    /// 100,000 of them
    #[arg(long, conflicts_with = "runs")]
    quick: bool,
    /// What repeats them
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[tokio::main]
async fn main() -> ExitCode {
    let mut options = Options::parse();
    if options.quick {
        options.runs = 100_000;
    }
    match load(&options).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("it broke off: {error}");
            ExitCode::from(2)
        }
    }
}

/// A tenant with its clients, scenarios and prices.
struct World {
    table: Table,
    /// The same, read consistently.
    exact: Table,
    units: Units,
    tenant: TenantId,
    zone: Zone,
    begin: Timestamp,
    now: Timestamp,
    clients: Vec<ClientId>,
    scenarios: BTreeMap<String, Scenario>,
    /// The first day of the second price, and of the second owners.
    turns: (Date, Date),
}

impl World {
    async fn new() -> Result<Self> {
        let units = Units::default();
        let table = table().await.metered(units.meter());
        let now: Timestamp = "2026-11-21T12:00:00Z".parse()?;
        let begin = now - SignedDuration::from_hours(24 * DAYS);
        let zone = Zone::try_from("Europe/Lisbon".to_owned())?;
        let tenant = Tenant { id: TenantId::new(), name: "Marina".into(), time_zone: zone.clone(), created_at: begin };
        table.put(&tenant).await?;
        let client = |n| {
            let (slug, name) = (format!("client-{n}"), format!("Client {n}"));
            serde_json::from_value::<Client>(serde_json::json!({
                "tenant": tenant.id, "id": ClientId::new(), "slug": slug, "name": name, "created_at": begin,
            }))
        };
        let clients = (0..CLIENTS).map(client).collect::<Result<Vec<_>, _>>()?;
        for client in &clients {
            table.put(client).await?;
            table.put(&Slug { tenant: tenant.id, slug: client.slug.clone(), client: client.id }).await?;
        }
        let scenarios = business::scenarios(tenant.id, &clients, begin);
        for scenario in &scenarios {
            table.put(scenario).await?;
        }
        let first = ledger::place(&zone, begin).0;
        let turns = (first + 60.days(), begin.to_zoned(jiff::tz::TimeZone::UTC).date() + (DAYS / 2).days());
        for (from, price) in [(first, expected::PRICES[0]), (turns.0, expected::PRICES[1])] {
            let per_credit = Decimal::from(price) / Decimal::from(1_000_000);
            let currency = "USD".into();
            table.put(&Rate { tenant: tenant.id, client: None, from, currency, per_credit, created_at: begin }).await?;
        }
        let scenarios = scenarios.into_iter().map(|scenario| (scenario.id.clone(), scenario)).collect();
        Ok(Self {
            exact: table.clone().consistent(),
            table,
            units,
            tenant: tenant.id,
            zone,
            begin,
            now,
            clients: clients.iter().map(|client| client.id).collect(),
            scenarios,
            turns,
        })
    }

    /// Tells of runs by the page; one in twenty a second time, and of one in fifty first that it had failed.
    async fn tell(&self, runs: &[Run]) -> Result<()> {
        for page in runs.chunks(PAGE) {
            let mut told = Vec::with_capacity(PAGE + PAGE / 10);
            for (n, run) in page.iter().enumerate() {
                if n % 50 == 7 {
                    let earlier = run.told_at - SignedDuration::from_secs(60);
                    let failed = Run { status: RunStatus::Error, operations: 3, told_at: earlier, ..run.clone() };
                    ledger::record(&self.exact, self.tenant, vec![failed], self.now).await?;
                }
                if n % 20 == 3 {
                    told.push(run.clone());
                }
                told.push(run.clone());
            }
            ledger::record(&self.exact, self.tenant, told, self.now).await?;
        }
        Ok(())
    }

    async fn fold(&self) -> Result<usize> {
        let folder = Folder::of(&self.exact, self.tenant).await?;
        let noted = self.exact.list_all(&key::all_unfolded(self.tenant)).await?;
        for note in &noted {
            folder.fold(note, self.now + SignedDuration::from_hours(1)).await?;
        }
        Ok(noted.len())
    }
}

/// Whether every sum is right.
async fn load(options: &Options) -> Result<bool> {
    println!("cargo ledger --runs {} --seed {}", options.runs, options.seed);
    let world = World::new().await?;
    let bar =
        ProgressBar::new(options.runs).with_style(ProgressStyle::with_template("  {pos} runs  {bar:30}  {eta} left")?);
    let mut runs: Vec<Run> = Vec::new();
    let (mut right, mut loading) = (true, Duration::ZERO);
    let stages = [10_000, 100_000, 1_000_000].into_iter().filter(|stage| *stage < options.runs);
    println!("\n  {:<34}{:>10}{:>12}{:>10}{:>10}", "question", "runs", "read units", "time", "answer");
    for stage in stages.chain([options.runs]) {
        let begun = Instant::now();
        while (runs.len() as u64) < stage {
            let next: Vec<Run> = (runs.len() as u64..stage)
                .take(20 * PAGE)
                .map(|n| {
                    let run = business::run(world.tenant, n, world.begin, options.seed);
                    let (date, hour) = ledger::place(&world.zone, run.started_at);
                    Run { date, hour, ..run }
                })
                .collect();
            world.tell(&next).await?;
            runs.extend(next);
            bar.set_position(runs.len() as u64);
        }
        loading += begun.elapsed();
        let written = world.units.take();
        let begun = Instant::now();
        let days = world.fold().await?;
        let folding = (begun.elapsed(), world.units.take());
        right &= asked(&bar, &world, &runs).await?;
        bar.suspend(|| {
            println!(
                "  loaded: {:.1} WCU + {:.1} RCU a run; {days} days folded in {:.1} s, {:.0} WCU + {:.0} RCU a day",
                written.0 / stage as f64,
                written.1 / stage as f64,
                folding.0.as_secs_f64(),
                folding.1.0 / days.max(1) as f64,
                folding.1.1 / days.max(1) as f64,
            )
        });
    }
    bar.finish_and_clear();
    println!("\n  {} runs a second were taken in", (runs.len() as f64 / loading.as_secs_f64()) as u64);
    println!("  {}", if right { "✓ every sum is as computed from the raw runs" } else { "✗ sums differ" });
    Ok(right)
}

/// Which scenarios of which owners a question is about.
type Wanted<'w> = &'w dyn Fn(Owner, &str) -> bool;

/// Asks all questions; whether every answer is right.
async fn asked(bar: &ProgressBar, world: &World, runs: &[Run]) -> Result<bool> {
    let today = expected::day(world.now);
    let number = |date: Date| date.duration_since(Date::constant(1970, 1, 1)).as_hours() / 24;
    let turns = (number(world.turns.0), number(world.turns.1));
    let mut right = true;
    let one = world.clients[3];
    let all = |_: Owner, _: &str| true;
    let of_client = move |owner: Owner, _: &str| owner == Owner::Client(one);
    let of_scenario = |_: Owner, scenario: &str| scenario == "400010";
    let questions: [(&str, i64, &str, Wanted<'_>); 5] = [
        ("preset=7d", 7, "all clients, 7 days", &all),
        ("preset=30d", 30, "all clients, 30 days", &all),
        ("preset=90d", 90, "all clients, 90 days", &all),
        ("preset=90d&client_slug=client-3", 90, "one client, 90 days", &of_client),
        ("preset=90d&scenario_id=400010", 90, "one scenario, 90 days", &of_scenario),
    ];
    for (query, days, name, wanted) in questions {
        let answer = ask::ask(&world.table, &world.units, world.tenant, query, world.now).await?;
        bar.suspend(|| {
            println!(
                "  {name:<34}{:>10}{:>12.1}{:>8} ms{:>7} kB",
                runs.len(),
                answer.read_units,
                answer.took.as_millis(),
                answer.bytes / 1_000,
            )
        });
        let range = (today - days + 1, today);
        let expected = expected::of(runs.iter(), &world.scenarios, range, turns, wanted);
        for difference in ask::differences(&answer.data, &expected, range).iter().take(5) {
            bar.suspend(|| println!("  ✗ {name}: {difference}"));
            right = false;
        }
    }
    Ok(right)
}
