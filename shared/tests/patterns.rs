//! What each way of asking the table costs, held against the table in `README.md`.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp, ToSpan, civil::Date};
use shared::{
    apikey::{ApiKey, Scope},
    automation::{self, Automation},
    booking::{self, Change, Operation},
    delivery::{Attempt, Delivery, GRACE, State, Trigger, Verdict},
    endpoint::{self, Endpoint, tally::Tally},
    event::{self, Content, Event},
    hour::Times,
    http::Reply,
    id::{AutomationId, ClientId, EndpointId, EventId, TenantId},
    idempotency,
    job::{self, Job, Progress, Work},
    key,
    limit::{Limits, Rate},
    listener::{Listener, Presence, Seat, Subscription},
    live::{Channel, Entry, LAST, Numbered, head},
    make::{self, Account, HOOKS, INCOMPLETE, ORGANIZATIONS, Place, SCENARIOS, TEAMS, pull::Pull},
    outcome::{Outcome, Status},
    receiver::{self, Receiver},
    run::{Origin, Run, RunStatus},
    scenario::{MOST, Owner, Scenario},
    secrets::webhook_secret,
    sheet::{Cell, DayTotal, Sheet, Subject},
    source::{Day, Source, Watched},
    table::{Listed, Page, Table},
    tenant::{Client, Slug, Tenant, Zone},
    testing::{Units, api_key, machine, table, vault},
    trace::TraceId,
    usage::{OperationType, ScenarioStatus, Usage, Usd},
};

/// Takes the units of each access as it is made.
struct Ledger {
    table: Table,
    units: Units,
    measured: BTreeMap<&'static str, String>,
}

impl Ledger {
    async fn new() -> Self {
        let units = Units::default();
        Self { table: table().await.metered(units.meter()), units, measured: BTreeMap::new() }
    }

    /// Forgets what was used so far: it was preparation.
    fn prepared(&self) {
        self.units.take();
    }

    fn took(&mut self, access: &'static str) {
        let told = match self.units.take() {
            (writes, 0.0) => format!("{writes} W"),
            (0.0, reads) => format!("{reads} R"),
            (writes, reads) => format!("{writes} W {reads} R"),
        };
        self.measured.insert(access, told);
    }
}

fn documented() -> BTreeMap<String, String> {
    let text = include_str!("../README.md");
    let rows = text.split("| access | key | index | units |").nth(1).expect("the table of accesses");
    rows.lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("|---"))
        .filter_map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            Some((cells.first()?.to_string(), cells.get(3)?.to_string()))
        })
        .collect()
}

#[tokio::test]
async fn every_access_costs_what_the_readme_says() {
    let mut ledger = Ledger::new().await;
    deliveries(&mut ledger).await;
    callers(&mut ledger).await;
    automations(&mut ledger).await;
    usage(&mut ledger).await;
    scenarios(&mut ledger).await;
    sheets(&mut ledger).await;
    pulls(&mut ledger).await;
    receivers(&mut ledger).await;
    traces(&mut ledger).await;
    live(&mut ledger).await;
    sources(&mut ledger).await;

    let measured: BTreeMap<String, String> =
        ledger.measured.iter().map(|(access, units)| ((*access).to_owned(), units.clone())).collect();
    assert_eq!(measured, documented(), "left: measured, right: README.md");
}

fn event_of(tenant: TenantId, name: &str, at: Timestamp) -> Event {
    let note = "n".repeat(560);
    let row = |status: &str| serde_json::json!({ "id": name, "status": status, "note": note }).to_string();
    Event {
        tenant,
        id: event::identity(tenant, &[name.as_bytes()]),
        event_type: "booking.updated".into(),
        trace: TraceId::new(),
        accepted_at: at,
        occurred_at: Some(at),
        to: None,
        origin: event::Origin::Live,
        content: Content::Booking {
            operation: Operation::Update,
            table: "bookings".into(),
            record: Some(row("confirmed")),
            old_record: Some(row("pending")),
        },
    }
}

async fn endpoint_of(tenant: TenantId) -> Endpoint {
    let keyring = vault().keyring().await.expect("a keyring");
    let seal = |text: &str| keyring.seal(["t", "e", "f"], &text.to_owned().into()).expect("it seals");
    Endpoint {
        tenant,
        id: endpoint::subscriber(),
        name: "Bookings scenario".into(),
        host: "hook.eu1.make.com".into(),
        url: seal("https://hook.eu1.make.com/x7k2m9x7k2m9x7k2m9x7k2m9"),
        secret: keyring.seal(["t", "e", "f"], &webhook_secret()).expect("it seals"),
        fingerprint: "0a1b2c3d".into(),
        previous: None,
        make_key: Some(seal("a-key-of-make")),
        event_types: vec!["booking.*".into(), "booking_event.*".into()],
        form: event::Form::default(),
        retention_days: 30,
        revision: 0,
        held_by: endpoint::Holder::default(),
        pace: 100,
        state: endpoint::State::Active,
        reason: None,
        failures: 0,
        failing_since: None,
        probes: 0,
        check_at: None,
        opened_at: None,
        created_at: Timestamp::now(),
    }
}

async fn deliveries(ledger: &mut Ledger) {
    let (table, tenant, now) = (ledger.table.clone(), TenantId::new(), Timestamp::now());
    let endpoint = endpoint_of(tenant).await;
    table.put(&endpoint).await.expect("an endpoint");
    ledger.prepared();

    let event = event_of(tenant, "b1", now);
    event::accept(&table, event.clone()).await.expect("it is accepted");
    ledger.took("accept an event of 1 kB");
    table.find(key::event(tenant, event.id)).await.expect("it is read").expect("it is there");
    ledger.took("read an event to send it");
    table.list_all(&key::endpoints(tenant)).await.expect("they are read");
    ledger.took("endpoints of a tenant, to route an event");

    let delivery = Delivery::of(&event, &endpoint);
    table.create(&delivery).await.expect("it begins");
    ledger.took("begin a delivery");
    table.find(key::delivery(tenant, delivery.id)).await.expect("it is read");
    ledger.took("read a delivery to send it");
    let attempt = Attempt {
        tenant,
        delivery: delivery.id,
        n: 1,
        at: now,
        trigger: Trigger::Schedule,
        took_ms: 87,
        status: Some(200),
        error: None,
        answer: Some("Accepted".into()),
        verdict: Verdict::Delivered,
        next_at: None,
        keep_until: delivery.keep_until,
    };
    table.create(&attempt).await.expect("it is logged");
    ledger.took("log an attempt");
    let settle = table.change(key::delivery(tenant, delivery.id)).set("state", State::Delivered).set("attempts", 1);
    settle.set("ended_at", now).remove("due_at").index(None).when("attempts", 0).send().await.expect("it is settled");
    ledger.took("settle a delivery");
    let count =
        table.change(key::hour(tenant, endpoint.id, now)).or_new().set("tenant", tenant).set("endpoint", endpoint.id);
    let count = count.set("hour", now).add("succeeded", 1).add("took_ms", 87).add(&Times::field(87), 1);
    assert!(count.add("settled", 1).add("tries", 1).write().await.expect("it is counted"));
    ledger.took("count an attempt");
    table.list_all(&key::attempts(tenant, delivery.id)).await.expect("they are read");
    ledger.took("attempts of a delivery");

    for n in 0..100 {
        let event = event_of(tenant, &format!("more {n}"), now);
        let mut delivery = Delivery::of(&event, &endpoint);
        let mut id = *delivery.id.as_bytes();
        id[15] = 0;
        delivery.id = shared::id::DeliveryId::from_bytes(id);
        table.create(&delivery).await.expect("it begins");
    }
    ledger.prepared();
    let due = table.list_index(&key::due_in(0, now + GRACE), 100).await.expect("they are listed");
    ledger.took("what is due, 100 of one shard");
    let first = due[0].id().expect("a delivery");
    let park = table.change::<Delivery>(key::delivery(tenant, first)).set("state", State::Parked).remove("due_at");
    park.index(Some(key::parked(tenant, endpoint.id, first)))
        .when("state", State::Pending)
        .send()
        .await
        .expect("it is parked");
    ledger.took("park a delivery");
    for listed in &due[1..] {
        let id = listed.id().expect("a delivery");
        let park = table.change::<Delivery>(key::delivery(tenant, id)).set("state", State::Parked);
        park.index(Some(key::parked(tenant, endpoint.id, id))).send().await.expect("it is parked");
    }
    ledger.prepared();
    table.list_index(&key::all_parked(tenant, endpoint.id), 100).await.expect("they are listed");
    ledger.took("what waits for an endpoint, 100");
    table.list(&key::deliveries(tenant), Page::first(25)).await.expect("a page");
    ledger.took("a page of 25 deliveries");

    for hours in 0..24 {
        let at = now - SignedDuration::from_hours(hours);
        let count = table
            .change(key::hour(tenant, endpoint.id, at))
            .or_new()
            .set("tenant", tenant)
            .set("endpoint", endpoint.id);
        count
            .set("hour", at)
            .add("succeeded", 100)
            .add("failed", 1)
            .add("took_ms", 87)
            .send()
            .await
            .expect("it is counted");
    }
    ledger.prepared();
    let day = key::hours(tenant, endpoint.id, now - SignedDuration::from_hours(24), now);
    table.list_all(&day).await.expect("they are read");
    ledger.took("an endpoint's last day");
    jobs(ledger, tenant, &delivery).await;
}

async fn jobs(ledger: &mut Ledger, tenant: TenantId, delivery: &Delivery) {
    let (table, now) = (ledger.table.clone(), Timestamp::now());
    let again = table.change(key::delivery(tenant, delivery.id)).set("state", State::Pending).set("replay", true);
    let again = again.set("due_at", now).index(Some(key::due(delivery.id.as_bytes(), now))).when("attempts", 1);
    again.send().await.expect("it is started").expect("it was settled");
    ledger.took("start a delivery again");

    let work = Work::Replay { since: now, until: now, endpoint: None, most_attempts: None };
    let mut job = Job::new(tenant, work, "user-owner".into(), now);
    job.begin(&table).await.expect("it begins");
    ledger.took("begin a job");
    let page = Progress { looked_at: 100, done: 50, passed_over: 0 };
    let after = delivery.id.to_string();
    assert!(job.advance(&table, page, after, SignedDuration::from_secs(10), now).await.expect("it is written down"));
    ledger.took("write down a page of a job");
    assert!(job.end(&table, page, job::State::Done, now).await.expect("it ends"));
    ledger.took("end a job");
}

async fn callers(ledger: &mut Ledger) {
    let (table, tenant) = (ledger.table.clone(), TenantId::new());
    let row = Tenant { id: tenant, name: "Marina".into(), time_zone: Zone::UTC, created_at: Timestamp::now() };
    let (key, _) = ApiKey::issue(tenant, "first".into(), Scope::ALL.into(), Timestamp::now(), None);
    ledger.prepared();
    assert!(table.transact().create(&row).create(&key).send().await.expect("it begins"));
    ledger.took("begin a tenant with its key");
    table.find(key::api_key(tenant, key.id)).await.expect("it is read");
    ledger.took("an API key");

    let limits = Limits::default();
    let now = Timestamp::now().as_millisecond();
    limits.draw(&table, tenant, "somebody", Rate::CALLS, now).await.expect("the bucket was full");
    for _ in 1..30 {
        limits.draw(&table, tenant, "somebody", Rate::CALLS, now).await.expect("from memory");
    }
    ledger.prepared();
    limits.draw(&table, tenant, "somebody", Rate::CALLS, now).await.expect("the next block");
    ledger.took("lease a block of calls");

    let call = machine(&api_key(&table, tenant).await).with_header("idempotency-key", "k");
    ledger.prepared();
    let once = idempotency::once(&table, &call, tenant, "somebody", async || Ok(Reply::ok("done"))).await;
    assert!(once.is_ok());
    ledger.took("do a POST once");

    for _ in 1..100 {
        table.put(&Tenant { id: TenantId::new(), ..row.clone() }).await.expect("another");
    }
    ledger.prepared();
    table.list_index(&key::all_tenants(), 100).await.expect("they are listed");
    ledger.took("all tenants, 100");
}

async fn automations(ledger: &mut Ledger) {
    let (table, tenant, now) = (ledger.table.clone(), TenantId::new(), Timestamp::constant(1_795_253_400, 123_456_789));
    let keyring = vault().keyring().await.expect("a keyring");
    let made = |id| Automation {
        tenant,
        id,
        template: "lead-to-crm".into(),
        template_version: 1,
        name: "New leads into Zoho".into(),
        active: true,
        make_scenario: Some("418339".into()),
        endpoint: Some(EndpointId::new()),
        host: Some("hook.eu1.make.com".into()),
        secret: Automation::seal(&keyring, tenant, id, &webhook_secret()).expect("it seals"),
        fingerprint: "0a1b2c3d".into(),
        previous: None,
        created_at: now,
        switched_at: Some(now),
    };
    let ids: Vec<AutomationId> = (0..25).map(|_| AutomationId::new()).collect();
    for id in &ids {
        table.put(&made(*id)).await.expect("an automation");
        for shard in 0..automation::SHARDS {
            let event = EventId::from_bytes([shard; 16]);
            automation::accepted(&table, tenant, *id, event, now).await.expect("it is counted");
        }
    }

    ledger.prepared();
    table.list_index(&key::automation_of_any_tenant(ids[0]), 1).await.expect("it is found");
    ledger.took("an automation's tenant");
    table.get(key::automation(tenant, ids[0])).await.expect("it is read");
    ledger.took("an automation, to prove its sender");
    automation::accepted(&table, tenant, ids[0], EventId::new(), now).await.expect("it is counted");
    ledger.took("count an execution");
    table.list_all(&key::runs_between(tenant, ids[0], ids[24])).await.expect("they are read");
    ledger.took("counts of 25 automations");
}

async fn usage(ledger: &mut Ledger) {
    let (table, tenant) = (ledger.table.clone(), TenantId::new());
    let (client, first) = (Some(ClientId::new()), Date::constant(2026, 7, 1));
    let used = |scenario: usize, date| Usage {
        tenant,
        client,
        date,
        scenario_name: format!("Lead Processing {scenario}"),
        scenario_id: Some(scenario.to_string()),
        operation_type: OperationType::Call,
        call: None,
        operations: 150,
        limit: Some(1_000),
        cost: Usd::from_ten_thousandths(75_000),
        succeeded: 145,
        failed: 5,
        status: ScenarioStatus::Active,
        description: None,
        // Of one length, so that all rows are.
        synced_at: Timestamp::constant(1_795_253_400, 123_456_789),
    };

    ledger.prepared();
    let many = (0..100).fold(table.transact(), |writes, n| writes.put(&used(n, first.yesterday().expect("a day"))));
    assert!(many.send().await.expect("they are stored"));
    ledger.took("store 100 rows of usage together");
    let days: Vec<Date> = first.series(1.day()).take(20).collect();
    for date in &days {
        assert!((0..20).fold(table.transact(), |writes, n| writes.put(&used(n, *date))).send().await.expect("a day"));
    }
    ledger.prepared();
    table.list_all(&key::usage_between(tenant, client, first, days[19])).await.expect("they are read");
    ledger.took("usage of 20 scenarios over 20 days");
}

async fn scenarios(ledger: &mut Ledger) {
    let (table, tenant) = (ledger.table.clone(), TenantId::new());
    // Of one length, so that all rows are.
    let begun = Timestamp::constant(1_795_253_400, 123_456_789);
    let (id, slug) = (ClientId::new(), "harbour-inn".to_owned());
    let client = Client { tenant, id, slug: slug.clone(), name: "Harbour Inn".into(), created_at: begun, revision: 0 };
    ledger.prepared();
    let both = table.transact().create(&client).create(&Slug { tenant, slug, client: id });
    assert!(both.send().await.expect("it is made"));
    ledger.took("make a client with its slug");

    let run = |n: i64| Run {
        tenant,
        scenario: "418339".into(),
        id: format!("da518adcd14b4b64ac6358823ccb80{n:02}"),
        started_at: begun + SignedDuration::from_mins(n),
        date: Date::constant(2026, 11, 21),
        hour: 9,
        status: RunStatus::Success,
        operations: 10,
        centicredits: Some(1_000),
        transfer: 3_942,
        duration_ms: Some(19_979),
        cost: None,
        origin: Origin::Reported,
        trace: None,
        revision: 0,
        told_at: begun,
    };
    for n in 0..30 {
        table.put(&run(n)).await.expect("a run");
    }
    for n in 0..100 {
        let scenario = Scenario::heard_of(tenant, format!("{n:06}"), format!("Lead Processing {n:02}"), begun);
        table.put(&scenario).await.expect("a scenario");
    }
    ledger.prepared();
    let count = table.change(key::scenario_count(tenant)).or_new().set("tenant", tenant).add("scenarios", 1);
    let count = count.when_at_most_or_missing("scenarios", MOST - 1);
    let new = Scenario::heard_of(TenantId::new(), "418339".into(), "Intake".into(), begun);
    assert!(table.transact().create(&new).change(count).send().await.expect("it is listed"));
    ledger.took("list a new scenario, counted");
    let at = |moment, id| key::runs_by_time(tenant, "418339", moment, id);
    let (from, to) = (at(Timestamp::UNIX_EPOCH, ""), at(Timestamp::MAX, "\u{10ffff}"));
    ledger.prepared();
    let listed = table.list_index_newest(&from, &to, None, 25).await.expect("they are listed");
    let keys: Vec<_> = listed.iter().map(Listed::key).collect();
    let runs: Vec<Run> = table.find_all(&keys).await.expect("they are read");
    assert_eq!(runs.len(), 25);
    ledger.took("25 runs of a scenario, newest first");
    table.list_all(&key::scenarios(tenant)).await.expect("they are read");
    ledger.took("100 scenarios");
    table.list_all(&key::all_unfolded(tenant)).await.expect("they are read");
    ledger.took("days that have to be folded, none");
}

async fn sheets(ledger: &mut Ledger) {
    let (table, tenant) = (ledger.table.clone(), TenantId::new());
    let (owner, first) = (Owner::Client(ClientId::new()), Date::constant(2026, 11, 1));
    let cell = Cell { operations: 1_234, centicredits: Some(123_450), succeeded: 120, failed: 3, ..Cell::default() };
    let subject = |n: usize| Subject { operation_type: OperationType::Call, by_id: true, scenario: format!("{n:06}") };
    let cells: BTreeMap<_, _> = (0..20).map(|n| (subject(n), cell.clone())).collect();
    let days: Vec<Date> = first.series(1.day()).take(30).collect();
    for date in &days {
        let sheet = Sheet { tenant, owner, date: *date, nth: 0, cells: cells.clone(), told_at: None };
        table.put(&DayTotal::of(&sheet)).await.expect("its totals");
        table.put(&sheet).await.expect("a sheet");
        let day = table.change(key::achieved(tenant, *date)).or_new().set("tenant", tenant).set("date", *date);
        day.add("booking_confirmed", 1).send().await.expect("an achievement");
    }
    ledger.prepared();
    table.list_all(&key::sheets(tenant, owner, first, days[29])).await.expect("they are read");
    ledger.took("what 20 scenarios did on 30 days");
    table.list_all(&key::day_totals(tenant, owner, first, days[29])).await.expect("they are read");
    ledger.took("an owner's totals of 30 days");
    table.list_all(&key::all_achieved(tenant, first, days[29])).await.expect("they are read");
    ledger.took("what was achieved on 30 days");
    table.list_all(&key::rates(tenant)).await.expect("they are read");
    ledger.took("what credits cost");
    table.list_all(&key::all_closed(tenant)).await.expect("they are read");
    ledger.took("months that are closed, none");
}

async fn pulls(ledger: &mut Ledger) {
    let (table, now) = (ledger.table.clone(), Timestamp::constant(1_795_253_400, 123_456_789));
    for _ in 0..100 {
        Pull::for_new_account(&table, TenantId::new(), now).send().await.expect("a pull");
    }
    ledger.prepared();
    let due = table.list_index(&key::pulls(now), 100).await.expect("they are listed");
    assert_eq!(due.len(), 100);
    ledger.took("pulls that are due, 100");
    let (tenant, until) = (due[0].tenant().expect("a tenant"), now + SignedDuration::from_secs(90));
    let claim = table.change(key::make_pull(tenant)).set("busy_until", until.as_millisecond());
    claim.index(Some(key::pulls(until))).when("gsi1sk", &due[0].place).send().await.expect("it is claimed");
    ledger.took("claim one for a turn");
    let put_down = table.change(key::make_pull(tenant)).set("failures", 1).when("revision", 1);
    put_down.send().await.expect("it is put down");
    ledger.took("put down a page of it");
}

async fn receivers(ledger: &mut Ledger) {
    let (table, now) = (ledger.table.clone(), Timestamp::now());
    let keyring = vault().keyring().await.expect("a keyring");
    let account = |tenant: TenantId| Account {
        tenant,
        revision: 0,
        zone: make::Zone::Eu1,
        place: Place::Team(18),
        token: Some(
            keyring
                .seal(["t", "make", "token"], &"12345678-12ef-4bcd-9234-1234567890ab".to_owned().into())
                .expect("it seals"),
        ),
        fingerprint: "0a1b2c3d".into(),
        scopes: [HOOKS, SCENARIOS, TEAMS, ORGANIZATIONS, INCOMPLETE].map(Into::into).into(),
        api_limit: Some(60),
        created_at: now,
        ended_at: None,
        next_at: now,
        answered_at: None,
        requests: 0,
        failures: 0,
        failing_since: None,
        failure: None,
        refused_since: None,
        teams: vec![18],
        searched: 0,
        searched_at: None,
        untold: Vec::new(),
        has_pull: true,
    };
    for _ in 0..100 {
        table.put(&account(TenantId::new())).await.expect("an account");
    }
    ledger.prepared();
    let due = table.list_index(&key::watched(now), 100).await.expect("they are listed");
    ledger.took("accounts at Make.com that are due, 100");
    let tenant = due[0].tenant().expect("a tenant");
    let later = now + SignedDuration::from_mins(2);
    let claim = table.change(key::make_account(tenant)).set("next_at", later).index(Some(key::watched(later)));
    claim.when("gsi1sk", &due[0].place).send().await.expect("it is claimed");
    ledger.took("claim one for a look");
    let note = table.change(key::make_account(tenant)).set("requests", 2).set("answered_at", now).set("failures", 0);
    note.when("revision", 0).send().await.expect("it is noted");
    ledger.took("note how a look went");

    let name = "Booking intake of the marina".to_owned();
    let seen = |endpoint: EndpointId, revision: u64| Receiver {
        revision,
        team: Some(18),
        hook: Some(receiver::Hook {
            id: 222_895,
            name: name.clone(),
            queue_count: Some(12),
            queue_limit: Some(667),
            enabled: Some(true),
            gone: Some(false),
            listed: true,
        }),
        scenario: Some(receiver::Scenario {
            id: 418_339,
            name: name.clone(),
            is_active: Some(true),
            is_paused: Some(false),
            is_invalid: Some(false),
            is_linked: Some(true),
            incomplete_runs: Some(0),
        }),
        incomplete_known: Some(0),
        ..Receiver::unseen(tenant, endpoint, "0a1b2c3d".into(), now)
    };
    let endpoints: Vec<EndpointId> = (0..20).map(|_| endpoint::subscriber()).collect();
    for endpoint in &endpoints {
        table.put(&seen(*endpoint, 1)).await.expect("a receiver");
    }
    ledger.prepared();
    table.list_all(&key::receivers(tenant)).await.expect("they are read");
    ledger.took("what Make.com says of 20 receivers");
    assert!(table.replace(&seen(endpoints[0], 2), "revision", 1).await.expect("it is written"));
    ledger.took("write down what was seen of a receiver");
}

async fn traces(ledger: &mut Ledger) {
    let (table, tenant, now) = (ledger.table.clone(), TenantId::new(), Timestamp::now());
    let event = event_of(tenant, "b1", now);
    let mut endpoints = Vec::new();
    for _ in 0..5 {
        endpoints.push(endpoint_of(tenant).await);
        table.put(endpoints.last().expect("one")).await.expect("an endpoint");
        table.put(&Delivery::of(&event, &endpoints[endpoints.len() - 1])).await.expect("a delivery");
    }
    let numbers = ["booking:b1", "user:u1", "provider:p1", "tenant"].map(|channel| (channel.to_owned(), 7)).into();
    let numbered = Numbered { tenant, trace: event.trace, event: event.id, numbers, at: now };
    table.put(&numbered).await.expect("its numbers");
    ledger.prepared();
    let change = table.change(key::endpoint(tenant, endpoints[0].id)).set("name", "Another").add("revision", 1);
    assert!(change.when_or_missing("revision", 0).send().await.expect("it is changed").is_some());
    ledger.took("change what people have set of an endpoint");
    let mut more = [endpoint_of(tenant).await, endpoint_of(tenant).await].into_iter();
    for access in ["make the first endpoint, counting the 5 that are there", "make an endpoint"] {
        ledger.prepared();
        let one = more.next().expect("one more");
        let tally = Tally::one_more(&table, tenant).await.expect("there is room");
        assert!(table.transact().change(tally).create(&one).send().await.expect("it is made"));
        ledger.took(access);
    }
    ledger.prepared();
    table.list(&key::events_of(tenant, event.trace), Page::first(10)).await.expect("they are read");
    ledger.took("the events of a trace");
    table.list(&key::deliveries_between(tenant, now, now), Page::first(100)).await.expect("they are read");
    ledger.took("the 5 deliveries of an event");

    let delivery = Delivery::of(&event, &endpoints[0]);
    let outcome = Outcome {
        tenant,
        trace: event.trace,
        delivery: delivery.id,
        digest: "0123456789abcdef".into(),
        status: Status::Success,
        message: Some("booked".into()),
        execution_id: Some("cccd0fd8e8ee4e07b0d0e5ad3ef1dd4e".into()),
        at: now,
        keep_until: now + SignedDuration::from_hours(30 * 24),
    };
    let counted = table.change::<Delivery>(key::delivery(tenant, delivery.id)).add("outcomes", 1).when_there();
    assert!(table.transact().change(counted).create(&outcome).send().await.expect("it is noted"));
    ledger.took("note an outcome");
    table.list(&key::outcomes(tenant, event.trace), Page::first(100)).await.expect("they are read");
    ledger.took("the outcomes of a trace");
}

async fn live(ledger: &mut Ledger) {
    let (table, tenant, now) = (ledger.table.clone().consistent(), TenantId::new(), Timestamp::now());
    let tenants_own = Channel::Tenant;
    let channels = ["booking:7d0f2c9e-8f0a-4c57-9a0e-6a2f3b1c4d5e", "user:u1", "user:c1", "provider:p1", "tenant"];
    let channels: Vec<Channel> = channels.iter().map(|name| name.parse().expect("a channel")).collect();
    let mut measured = None;
    for number in 1..=30 {
        let event = event_of(tenant, &format!("b{number}"), now);
        let numbers = channels.iter().map(|channel| (channel.to_string(), number)).collect();
        let numbered = Numbered { tenant, trace: event.trace, event: event.id, numbers, at: now };
        let entry = |channel: &Channel| Entry { tenant, channel: channel.clone(), number, event: event.id, at: now };
        let writes = table.transact().create(&numbered);
        let writes = channels.iter().fold(writes, |writes, channel| writes.create(&entry(channel)));
        ledger.prepared();
        assert!(writes.send().await.expect("it is written"));
        measured.get_or_insert_with(|| ledger.took("number an event in five channels"));
    }
    ledger.prepared();
    assert_eq!(head(&table, tenant, &tenants_own).await.expect("it is read"), 30);
    ledger.took("the last number of a channel");
    table.list(&key::live_entries(tenant, &tenants_own, 1, LAST), Page::first(25)).await.expect("they are read");
    ledger.took("25 numbers of a channel");

    let listener = Listener::opened(tenant, "L0SM9cOFvHcCIhw=", "5d2c7a10-0000-4000-8000-000000000001", now);
    let seat = Seat { connection: listener.connection.clone(), at: now };
    let presence = table
        .change::<Presence>(key::presence(tenant, &listener.subject))
        .set("tenant", tenant)
        .set("subject", &listener.subject)
        .set("connections", vec![seat])
        .set("revision", 1)
        .expires(Presence::forgotten(now))
        .or_new()
        .when_missing("revision");
    assert!(table.transact().create(&listener).change(presence).send().await.expect("it is opened"));
    ledger.took("open a connection");
    let later = now + SignedDuration::from_mins(4);
    let heard = table.change::<Listener>(key::listener(tenant, &listener.connection)).set("heard_at", later);
    let due = Some(key::listeners_by(later + SignedDuration::from_mins(8)));
    heard.index(due).when_there().send().await.expect("it is noted").expect("it is there");
    ledger.took("hear a client");

    let begun = Subscription::begun(&listener, &tenants_own, 30, "4bf92f3577b34da6a3ce929d0e0e4736", 0);
    let follows = table
        .change::<Listener>(key::listener(tenant, &listener.connection))
        .set("channels", vec![&tenants_own])
        .set("revision", 1)
        .when("revision", 0);
    assert!(table.transact().change(follows).put(&begun).send().await.expect("it begins"));
    ledger.took("begin to follow");
    let lease = || table.change::<Subscription>(key::subscription(tenant, &tenants_own, &listener.connection));
    let taken = lease().set("lease", "evt_06dabr1bg1x01000000000000m").set("leased_until", i64::MAX).send();
    taken.await.expect("it is leased");
    lease().set("sent", 31).remove("lease").remove("leased_until").send().await.expect("it is let go");
    ledger.took("send a number to who follows");
    for n in 0..9 {
        let other = Listener::opened(tenant, &format!("L0SM9cOFvHcCIh{n}="), "somebody", now);
        table.put(&Subscription::begun(&other, &tenants_own, 30, "", 0)).await.expect("it begins");
    }
    ledger.prepared();
    table.list_all(&key::subscriptions(tenant, &tenants_own)).await.expect("they are read");
    ledger.took("who follows a channel, 10");

    for n in 0..100 {
        table.put(&Listener::opened(tenant, &format!("c{n}"), "somebody", now)).await.expect("it is opened");
    }
    ledger.prepared();
    table.list_index(&key::listeners_by(now + SignedDuration::from_hours(1)), 100).await.expect("they are listed");
    ledger.took("connections to be looked after, 100");
}

async fn sources(ledger: &mut Ledger) {
    let (table, tenant, now) = (ledger.table.clone(), TenantId::new(), Timestamp::now());
    let keyring = vault().keyring().await.expect("a keyring");
    let event = |id: &str, status: &str, second: i64| {
        let at = now + SignedDuration::from_secs(second);
        let row = serde_json::json!({
            "id": id, "status": status, "client_id": "c1", "provider_id": "p1", "note": "n".repeat(300), "updated_at": at,
        });
        let (record, table) = (row.to_string(), booking::BOOKINGS);
        let change =
            Change { operation: Operation::Update, schema: "public", table, record: Some(&record), old_record: None };
        change.event(tenant, TraceId::new(), at, event::Origin::Live)
    };
    booking::keep(&table, &event("b1", "pending", 0)).await.expect("it is kept");
    ledger.took("keep the first event of a booking, with its people");
    let next = event("b1", "confirmed", 1);
    booking::keep(&table, &next).await.expect("it is kept");
    ledger.took("keep a further event of a booking");
    booking::context(&table, &next).await;
    ledger.took("the context of a delivery");

    for n in 0..100 {
        booking::keep(&table, &event(&format!("b{n}"), "pending", 2)).await.expect("it is kept");
    }
    ledger.prepared();
    let keys: Vec<_> = (0..100).map(|n| key::kept(tenant, booking::BOOKINGS, &format!("b{n}"))).collect();
    table.find_all(&keys).await.expect("they are read");
    ledger.took("compare 100 rows with what came in");

    for _ in 0..100 {
        let source = Source {
            tenant: TenantId::new(),
            base_url: "https://abcdefghijkl.supabase.co".into(),
            key: keyring.seal(["t", "source", "key"], &"sb_secret_x".into()).expect("it seals"),
            fingerprint: "0a1b2c3d".into(),
            tables: vec![Watched {
                table: "bookings".into(),
                cursor_column: "updated_at".into(),
                id_column: "id".into(),
            }],
            since: now,
            revision: 1,
            created_at: now,
            updated_at: now,
            due_at: now,
            busy_until: 0,
            marks: BTreeMap::new(),
            last_run_at: None,
            last_success_at: None,
            failures: 0,
            failing_since: None,
            fault: None,
        };
        table.put(&source).await.expect("a source");
    }
    ledger.prepared();
    table.list_index(&key::source_due(now), 100).await.expect("they are listed");
    ledger.took("sources that are due, 100");

    let date = |day: i8| Date::constant(2026, 11, day);
    for day in 1..=7 {
        let mut found = Day::new(tenant, date(day));
        for n in 0..500 {
            found.live.live(100 + n * 7);
            found.repaired.repaired(200_000 + n * 900);
        }
        table.put(&found).await.expect("a day");
    }
    ledger.prepared();
    table.list_all(&key::completeness_days(tenant, date(1), date(7))).await.expect("they are read");
    ledger.took("the completeness of a week");
}
