//! Every key of the table, on one screen. No other file spells a `#`.
//!
//! `shared/README.md` lists what each access costs.
//!
//! | row | pk | sk | index |
//! |---|---|---|---|
//! | tenant | `ten_…` | `TENANT` | `TENANTS` / `ten_…` |
//! | client | `ten_…` | `CLIENT#cli_…` | |
//! | a client's slug | `ten_…` | `SLUG#<slug>` | |
//! | API key | `ten_…` | `KEY#key_…` | |
//! | endpoint | `ten_…` | `ENDPOINT#end_…`, or `TARGET#end_…` where it subscribes to nothing | due: `DUE#<shard>` / `<time>` |
//! | how many endpoints subscribe | `ten_…` | `ENDPOINTS` | |
//! | rate limit | `ten_…` | `LIMIT#<who>` | |
//! | idempotency key | `ten_…` | `ONCE#<hash>` | |
//! | notice | `ten_…#NOTICE` | `ntc_…` | |
//! | event | `ten_…#EVENT#evt_…` | `EVENT` | |
//! | what is kept of the source | `ten_…#KEPT#<table>` | `<id>` | |
//! | that a kept booking names a person | `ten_…#KEPT#clients#<id>` or `ten_…#KEPT#providers#<id>` | `<microseconds>#<booking>` | |
//! | number in a live channel | `ten_…#LIVE#<channel>` | `<nnnnnnnnnnnn>` | |
//! | an open connection | `ten_…#LISTENER` | `<connection>` | `LISTENERS` / `<time>` |
//! | that a connection follows a channel | `ten_…#FOLLOWERS#<channel>` | `AT#<connection>` | |
//! | a person's connections | `ten_…` | `PRESENCE#<person>` | |
//! | that an event is numbered | `ten_…#TRACE#<trace>` | `EVENT#evt_…` | |
//! | outcome told by a receiver | `ten_…#TRACE#<trace>` | `OUTCOME#dlv_…#<digest>` | |
//! | job | `ten_…#JOB` | `job_…` | due: `DUE#<shard>` / `<time>` |
//! | the job of its kind that is under way | `ten_…` | `RUNNING#<kind>` | |
//! | delivery | `ten_…#DELIVERY` | `dlv_…` | due: `DUE#<shard>` / `<time>`, parked: `ten_…#PARKED#end_…` / `dlv_…` |
//! | attempt | `ten_…#DELIVERY#dlv_…` | `ATTEMPT#<nn>` | |
//! | account at Make.com | `ten_…` | `MAKE` | `WATCHED` / `<time>` |
//! | receiver behind an endpoint | `ten_…` | `RECEIVER#end_…` | |
//! | source of bookings | `ten_…` | `SOURCE` | `SOURCES` / `<time>` |
//! | completeness of a day | `ten_…#COMPLETENESS` | `<date>` | |
//! | CRM connection | `ten_…` | `CONNECTION#<provider>` | |
//! | sign-in at a CRM | `ten_…` | `SIGNIN#<hash>` | |
//! | endpoint statistics | `ten_…#STATS#end_…` | `<hour>` | |
//! | automation | `ten_…` | `AUTOMATION#aut_…` | `AUTOMATION#aut_…` / `AUTOMATION` |
//! | how many automations | `ten_…` | `AUTOMATIONS` | |
//! | executions of an automation | `ten_…#RUNS` | `aut_…#<shard>` | |
//! | usage of a scenario on a day | `ten_…#USAGE#cli_…` or `ten_…#USAGE#COMPANY` | `<date>#<hash>` | |
//! | pull of what Make.com knows | `ten_…` | `PULL` | `PULLS` / `<time>` |
//! | scenario of Make.com | `ten_…#SCENARIO` | `<scenario>` | |
//! | run of a scenario | `ten_…#RUN#<scenario>` | `<run>` | by time: `ten_…#RUN#<scenario>` / `<time>#<run>` |
//! | the runs of a scenario on a day | `ten_…#RUNDAY` | `<date>#<scenario>` | |
//! | what an owner's scenarios did on a day | `ten_…#SHEET#cli_…`, `…#COMPANY` or `…#UNMAPPED` | `<date>`, and `<date>#<nnnn>` where one row is too small | |
//! | the totals of that | `ten_…#TOTAL#cli_…`, `…#COMPANY` or `…#UNMAPPED` | `<date>` | |
//! | that a day has to be folded again | `ten_…#UNFOLDED` | `<date>` | |
//! | statement of a month | `ten_…#STATEMENT#cli_…` or `…#COMPANY` | `<month>` | |
//! | lines of a statement or correction | `ten_…#LINES#cli_…` or `…#COMPANY` | `<month>#<digest>#<nnnn>` | |
//! | correction of a closed month | `ten_…#CORRECTION#cli_…` or `…#COMPANY` | `<month>#<nnnn>` | |
//! | entry of a closed month in the register | `ten_…#CLOSED` | `<month>#cli_…` or `<month>#COMPANY` | |
//! | what was achieved on a day | `ten_…#ACHIEVED` | `<date>` | |
//! | that a booking or lead was counted as achieved | `ten_…#ACHIEVED#<what>` | `<id>` | |
//! | credits that there may be in a month | `ten_…` | `ALLOWANCE#cli_…`, `ALLOWANCE#COMPANY` or `ALLOWANCE` | |
//! | price of credits | `ten_…#RATE` | `<date>`, or `<date>#cli_…` for one client | |
//! | alert rule | `ten_…#ALERTRULE` | `<kind>#TENANT`, `<kind>#cli_…` or `<kind>#SCENARIO#<scenario>` | |
//! | alert | `ten_…#ALERT` | `alr_…` | by time: `ten_…#ALERT` / `<time>#alr_…` |
//! | activity | `ten_…#TRACK#trk_…` | `<hour>#act_…` | |
//! | checkpoint of a conversation | `ten_…#TRACK#trk_…` | `BEFORE#<hour>` | |
//! | contribution to an hour | `ten_…#HOUR#<hour>` | `trk_…`, and `trk_…#<nnnn>` where one row is too small | |
//! | snapshot | `ten_…#SNAPSHOT#<scope>#<channel>` | `HOUR#<date>#<hour>`, `DAY#<date>`, `WEEK#<date>` or `ALL#<date>` | |
//! | what has to be folded again | `ten_…#STALE` | `TRACK#trk_…#<hour>`, `HOUR#<hour>`, `RIPENING#<hour>`, `DAY#<date>` or `WEEK#<date>` | |
//! | what was folded | `ten_…#FOLDED` | `HOUR#<date>#<hour>` or `DAY#<date>`, and `…#<nnnn>` where one row is too small | |
//! | progress of aggregation | `ten_…` | `PROGRESS` | |
//! | cached KPI answer | `ten_…#CACHED#<scope>#<channel>` | `<filters>` | |

use std::marker::PhantomData;

use jiff::{Timestamp, civil::Date};

use crate::{
    achievement::{Achieved, Counted},
    activity::Activity,
    alert::{self, Alert, Rule, Scope as AlertScope},
    allowance::Allowance,
    apikey::ApiKey,
    automation::{Automation, Runs, Tally},
    booking::{Kept, Link},
    connection::{Connection, Provider, SignIn},
    delivery::{Attempt, Delivery},
    endpoint::{self, Endpoint, is_target},
    event::Event,
    hour::Hour,
    id::{
        ActivityId, AlertId, AutomationId, ClientId, DeliveryId, EndpointId, EventId, JobId, KeyId, NoticeId, TenantId,
        TrackId,
    },
    idempotency::Once,
    job::{Job, Kind, Running},
    limit::Bucket,
    listener::{Listener, Presence, Subscription},
    live::{Channel, Entry, Numbered},
    make::{Account, pull::Pull},
    notice::Notice,
    outcome::Outcome,
    rate::Rate,
    receiver::Receiver,
    run::{Run, RunDay},
    scenario::{Owner, Scenario, ScenarioCount},
    sheet::{DayTotal, Sheet, Unfolded},
    snapshot::{Cached, Checkpoint, Contribution, Folded, Mark, Progress, Scope, Series, Snapshot, Span, Stale},
    source::{self, Source},
    statement::{Closed, Correction, Month, Part, Statement},
    tenant::{Client, Slug, Tenant},
    trace::TraceId,
    usage::Usage,
};

/// Opens exactly one row, which is an `E`.
pub struct Key<E> {
    pub(crate) pk: String,
    pub(crate) sk: String,
    row: PhantomData<fn() -> E>,
}

impl<E> Clone for Key<E> {
    fn clone(&self) -> Self {
        one(self.pk.clone(), self.sk.clone())
    }
}

impl<E> Key<E> {
    pub(crate) fn of(pk: &str, sk: &str) -> Self {
        one(pk.into(), sk.into())
    }
}

/// Opens the rows of one partition whose sort keys start alike; all are `E`.
pub struct Range<E> {
    pub(crate) pk: String,
    pub(crate) from: String,
    pub(crate) to: String,
    row: PhantomData<fn() -> E>,
}

/// A place in the sparse index, or a stretch of one when used to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    pub(crate) pk: String,
    pub(crate) sk: String,
}

fn one<E>(pk: String, sk: String) -> Key<E> {
    Key { pk, sk, row: PhantomData }
}

/// All rows whose sort key begins with `prefix`.
fn many<E>(pk: String, prefix: &str) -> Range<E> {
    between(pk, prefix, &format!("{prefix}\u{10ffff}"))
}

/// All rows of a partition whose sort keys do not begin with a space.
fn whole<E>(pk: String) -> Range<E> {
    between(pk, " ", "\u{10ffff}")
}

/// All rows whose sort key lies between the two, both included.
fn between<E>(pk: String, from: &str, to: &str) -> Range<E> {
    Range { pk, from: from.into(), to: to.into(), row: PhantomData }
}

fn place(pk: impl Into<String>, sk: impl Into<String>) -> Index {
    Index { pk: pk.into(), sk: sk.into() }
}

/// Sorts as text as it does in time; to the millisecond.
fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

// ── tenants and who calls ────────────────────────────────────────────────

/// A tenant's own row.
pub fn tenant(tenant: TenantId) -> Key<Tenant> {
    one(tenant.to_string(), "TENANT".into())
}

/// Every tenant: for schedules.
pub fn tenants(tenant: TenantId) -> Index {
    place("TENANTS", tenant.to_string())
}

/// The whole list of tenants.
pub fn all_tenants() -> Index {
    place("TENANTS", "")
}

/// A client of a tenant.
pub fn client(tenant: TenantId, client: ClientId) -> Key<Client> {
    one(tenant.to_string(), format!("CLIENT#{client}"))
}

/// All clients of a tenant, oldest first.
pub fn clients(tenant: TenantId) -> Range<Client> {
    many(tenant.to_string(), "CLIENT#")
}

/// Holds a slug for one client of the tenant.
pub fn slug(tenant: TenantId, slug: &str) -> Key<Slug> {
    one(tenant.to_string(), format!("SLUG#{slug}"))
}

/// An API key.
pub fn api_key(tenant: TenantId, key: KeyId) -> Key<ApiKey> {
    one(tenant.to_string(), format!("KEY#{key}"))
}

/// The bucket that limits one caller.
pub fn limit(tenant: TenantId, who: &str) -> Key<Bucket> {
    one(tenant.to_string(), format!("LIMIT#{who}"))
}

/// The answer that was given under an idempotency key.
pub fn once(tenant: TenantId, hash: &str) -> Key<Once> {
    one(tenant.to_string(), format!("ONCE#{hash}"))
}

/// A notice.
pub fn notice(tenant: TenantId, notice: NoticeId) -> Key<Notice> {
    one(format!("{tenant}#NOTICE"), notice.to_string())
}

/// All notices of a tenant.
pub fn notices(tenant: TenantId) -> Range<Notice> {
    many(format!("{tenant}#NOTICE"), NoticeId::PREFIX)
}

// ── events and their deliveries ──────────────────────────────────────────

/// An event: its key is its identity, so that it is stored once.
pub fn event(tenant: TenantId, event: EventId) -> Key<Event> {
    one(format!("{tenant}#EVENT#{event}"), "EVENT".into())
}

/// What is kept of a row of the source.
pub fn kept(tenant: TenantId, table: &str, id: &str) -> Key<Kept> {
    one(format!("{tenant}#KEPT#{table}"), id.into())
}

/// That a kept booking names a person; by when the booking was made.
pub fn kept_link(tenant: TenantId, people: &str, person: &str, made: i64, booking: &str) -> Key<Link> {
    one(links_of(tenant, people, person), format!("{made:018}#{booking}"))
}

/// The kept bookings that name a person, oldest first.
pub fn kept_links(tenant: TenantId, people: &str, person: &str) -> Range<Link> {
    // An empty text is no bound of a sort key.
    between(links_of(tenant, people, person), "\u{1}", "\u{10ffff}")
}

fn links_of(tenant: TenantId, people: &str, person: &str) -> String {
    format!("{tenant}#KEPT#{people}#{person}")
}

/// An endpoint: a subscriber, or one that is sent to by name alone.
pub fn endpoint(tenant: TenantId, endpoint: EndpointId) -> Key<Endpoint> {
    let kind = if is_target(endpoint) { "TARGET" } else { "ENDPOINT" };
    one(tenant.to_string(), format!("{kind}#{endpoint}"))
}

/// All endpoints of a tenant that subscribe to types of event.
pub fn endpoints(tenant: TenantId) -> Range<Endpoint> {
    many(tenant.to_string(), "ENDPOINT#")
}

/// How many of them there are.
pub fn endpoint_tally(tenant: TenantId) -> Key<endpoint::tally::Tally> {
    one(tenant.to_string(), "ENDPOINTS".into())
}

/// All endpoints of a tenant that are sent to by name alone.
pub fn targets(tenant: TenantId) -> Range<Endpoint> {
    many(tenant.to_string(), "TARGET#")
}

/// A delivery.
pub fn delivery(tenant: TenantId, delivery: DeliveryId) -> Key<Delivery> {
    one(format!("{tenant}#DELIVERY"), delivery.to_string())
}

/// All deliveries of a tenant, in the order in which their events were accepted.
pub fn deliveries(tenant: TenantId) -> Range<Delivery> {
    many(format!("{tenant}#DELIVERY"), DeliveryId::PREFIX)
}

/// The `n`th attempt of a delivery, from 1.
pub fn attempt(tenant: TenantId, delivery: DeliveryId, n: u32) -> Key<Attempt> {
    one(format!("{tenant}#DELIVERY#{delivery}"), format!("ATTEMPT#{n:04}"))
}

/// The deliveries of events that were accepted between two moments, both included.
pub fn deliveries_between(tenant: TenantId, from: Timestamp, to: Timestamp) -> Range<Delivery> {
    let at = |moment: Timestamp, rest: u8| {
        let mut id = [rest; 16];
        id[..6].copy_from_slice(&moment.as_millisecond().max(0).to_be_bytes()[2..]);
        DeliveryId::from_bytes(id).to_string()
    };
    between(format!("{tenant}#DELIVERY"), &at(from, 0), &at(to, 0xff))
}

/// All attempts of a delivery, first to last.
pub fn attempts(tenant: TenantId, delivery: DeliveryId) -> Range<Attempt> {
    many(format!("{tenant}#DELIVERY#{delivery}"), "ATTEMPT#")
}

/// What an endpoint did in one hour.
pub fn hour(tenant: TenantId, endpoint: EndpointId, at: Timestamp) -> Key<Hour> {
    one(format!("{tenant}#STATS#{endpoint}"), moment(at)[..13].into())
}

/// What an endpoint did between two moments, both hours included.
pub fn hours(tenant: TenantId, endpoint: EndpointId, from: Timestamp, to: Timestamp) -> Range<Hour> {
    between(format!("{tenant}#STATS#{endpoint}"), &moment(from)[..13], &moment(to)[..13])
}

/// How many partitions the due-time index is spread over.
pub const DUE_SHARDS: u8 = 4;

/// Something that is due at a moment, in the shard that its id falls into.
pub fn due(id: &[u8; 16], at: Timestamp) -> Index {
    due_in(id[15] % DUE_SHARDS, at)
}

/// The end of what is due in one shard by a moment.
pub fn due_in(shard: u8, by: Timestamp) -> Index {
    place(format!("DUE#{shard}"), moment(by))
}

/// A delivery that waits for its endpoint, in the order of acceptance.
pub fn parked(tenant: TenantId, endpoint: EndpointId, delivery: DeliveryId) -> Index {
    place(format!("{tenant}#PARKED#{endpoint}"), delivery.to_string())
}

/// Everything that waits for an endpoint.
pub fn all_parked(tenant: TenantId, endpoint: EndpointId) -> Index {
    place(format!("{tenant}#PARKED#{endpoint}"), String::new())
}

/// A job.
pub fn job(tenant: TenantId, job: JobId) -> Key<Job> {
    one(format!("{tenant}#JOB"), job.to_string())
}

/// The one job of its kind that is under way.
pub fn running(tenant: TenantId, kind: Kind) -> Key<Running> {
    one(tenant.to_string(), format!("RUNNING#{}", kind.word()))
}

/// All jobs of a tenant, oldest first.
pub fn jobs(tenant: TenantId) -> Range<Job> {
    many(format!("{tenant}#JOB"), JobId::PREFIX)
}

// ── live channels and traces ─────────────────────────────────────────────

/// One number of a channel.
pub fn live_entry(tenant: TenantId, channel: &Channel, number: u64) -> Key<Entry> {
    one(format!("{tenant}#LIVE#{channel}"), format!("{number:012}"))
}

/// The numbers of a channel from one to another, both included.
pub fn live_entries(tenant: TenantId, channel: &Channel, from: u64, to: u64) -> Range<Entry> {
    between(format!("{tenant}#LIVE#{channel}"), &format!("{from:012}"), &format!("{to:012}"))
}

/// An open connection.
pub fn listener(tenant: TenantId, connection: &str) -> Key<Listener> {
    one(format!("{tenant}#LISTENER"), connection.into())
}

/// The open connections that have to be looked at by a moment.
pub fn listeners_by(at: Timestamp) -> Index {
    place("LISTENERS", moment(at))
}

/// That a connection follows a channel.
pub fn subscription(tenant: TenantId, channel: &Channel, connection: &str) -> Key<Subscription> {
    one(format!("{tenant}#FOLLOWERS#{channel}"), format!("AT#{connection}"))
}

/// All connections that follow a channel.
pub fn subscriptions(tenant: TenantId, channel: &Channel) -> Range<Subscription> {
    many(format!("{tenant}#FOLLOWERS#{channel}"), "AT#")
}

/// The open connections of a person.
pub fn presence(tenant: TenantId, subject: &str) -> Key<Presence> {
    one(tenant.to_string(), format!("PRESENCE#{subject}"))
}

/// That an event has its numbers.
pub fn numbered(tenant: TenantId, trace: TraceId, event: EventId) -> Key<Numbered> {
    one(format!("{tenant}#TRACE#{trace}"), format!("EVENT#{event}"))
}

/// The events of a trace.
pub fn events_of(tenant: TenantId, trace: TraceId) -> Range<Numbered> {
    many(format!("{tenant}#TRACE#{trace}"), "EVENT#")
}

/// What a receiver said of a delivery.
pub fn outcome(tenant: TenantId, trace: TraceId, delivery: DeliveryId, digest: &str) -> Key<Outcome> {
    one(format!("{tenant}#TRACE#{trace}"), format!("OUTCOME#{delivery}#{digest}"))
}

/// All that receivers said in a trace.
pub fn outcomes(tenant: TenantId, trace: TraceId) -> Range<Outcome> {
    many(format!("{tenant}#TRACE#{trace}"), "OUTCOME#")
}

// ── what Make.com says of receivers ──────────────────────────────────────

/// The tenant's account at Make.com.
pub fn make_account(tenant: TenantId) -> Key<Account> {
    one(tenant.to_string(), "MAKE".into())
}

/// An account that is looked at at a moment; as the end of a stretch, all that are due by then.
pub fn watched(at: Timestamp) -> Index {
    place("WATCHED", moment(at))
}

/// What Make.com says of the webhook behind an endpoint.
pub fn receiver(tenant: TenantId, endpoint: EndpointId) -> Key<Receiver> {
    one(tenant.to_string(), format!("RECEIVER#{endpoint}"))
}

/// The same of all endpoints of a tenant.
pub fn receivers(tenant: TenantId) -> Range<Receiver> {
    many(tenant.to_string(), "RECEIVER#")
}

// ── completeness ─────────────────────────────────────────────────────────

/// The source of a tenant's bookings: there is one at most.
pub fn source(tenant: TenantId) -> Key<Source> {
    one(tenant.to_string(), "SOURCE".into())
}

/// A source that is compared at a moment; as a stretch, all that are by then, those that wait the longest first.
pub fn source_due(at: Timestamp) -> Index {
    place("SOURCES", moment(at))
}

/// What was found on a day.
pub fn completeness_day(tenant: TenantId, date: Date) -> Key<source::Day> {
    one(format!("{tenant}#COMPLETENESS"), date.to_string())
}

/// What was found from one day to another, both included.
pub fn completeness_days(tenant: TenantId, from: Date, to: Date) -> Range<source::Day> {
    between(format!("{tenant}#COMPLETENESS"), &from.to_string(), &to.to_string())
}

// ── CRM connections ──────────────────────────────────────────────────────

/// The tenant's connection to a CRM: there is one at most.
pub fn connection(tenant: TenantId, provider: Provider) -> Key<Connection> {
    one(tenant.to_string(), format!("CONNECTION#{provider}"))
}

/// All CRMs that a tenant has connected.
pub fn connections(tenant: TenantId) -> Range<Connection> {
    many(tenant.to_string(), "CONNECTION#")
}

/// A sign-in at a CRM that has begun, by the hash of its state.
pub fn sign_in(tenant: TenantId, hash: &str) -> Key<SignIn> {
    one(tenant.to_string(), format!("SIGNIN#{hash}"))
}

// ── automations ──────────────────────────────────────────────────────────

/// An automation.
pub fn automation(tenant: TenantId, automation: AutomationId) -> Key<Automation> {
    one(tenant.to_string(), format!("AUTOMATION#{automation}"))
}

/// All automations of a tenant, oldest first.
pub fn automations(tenant: TenantId) -> Range<Automation> {
    many(tenant.to_string(), "AUTOMATION#")
}

/// Leads from an automation to its tenant: its webhook knows nothing else.
pub fn automation_of_any_tenant(automation: AutomationId) -> Index {
    place(format!("AUTOMATION#{automation}"), "AUTOMATION")
}

/// How many automations a tenant has.
pub fn automation_tally(tenant: TenantId) -> Key<Tally> {
    one(tenant.to_string(), "AUTOMATIONS".into())
}

/// A part of the counts of one automation.
pub fn runs(tenant: TenantId, automation: AutomationId, shard: u8) -> Key<Runs> {
    one(format!("{tenant}#RUNS"), format!("{automation}#{shard}"))
}

/// All counts of the automations between two, both included, in the order of their ids.
pub fn runs_between(tenant: TenantId, first: AutomationId, last: AutomationId) -> Range<Runs> {
    between(format!("{tenant}#RUNS"), &format!("{first}#"), &format!("{last}#\u{10ffff}"))
}

/// All counts of all automations of a tenant.
pub fn all_runs(tenant: TenantId) -> Range<Runs> {
    many(format!("{tenant}#RUNS"), AutomationId::PREFIX)
}

// ── Make.com usage ───────────────────────────────────────────────────────

/// What one subject used on one day, for a client or for the company.
pub fn usage(tenant: TenantId, client: Option<ClientId>, date: Date, subject: &str) -> Key<Usage> {
    one(usage_of(tenant, client), format!("{date}#{subject}"))
}

/// What a client, or the company, used from one day to another, both included; by day.
pub fn usage_between(tenant: TenantId, client: Option<ClientId>, from: Date, to: Date) -> Range<Usage> {
    between(usage_of(tenant, client), &format!("{from}#"), &format!("{to}#\u{10ffff}"))
}

fn usage_of(tenant: TenantId, client: Option<ClientId>) -> String {
    match client {
        Some(client) => format!("{tenant}#USAGE#{client}"),
        None => format!("{tenant}#USAGE#COMPANY"),
    }
}

/// How the tenant's pull goes: there is one at most.
pub fn make_pull(tenant: TenantId) -> Key<Pull> {
    one(tenant.to_string(), "PULL".into())
}

/// A pull that goes on at a moment; as a stretch, all that do by then, those that wait the longest first.
pub fn pulls(at: Timestamp) -> Index {
    place("PULLS", moment(at))
}

/// A scenario of Make.com.
pub fn scenario(tenant: TenantId, scenario: &str) -> Key<Scenario> {
    one(format!("{tenant}#SCENARIO"), scenario.into())
}

/// All scenarios of a tenant, by their ids.
pub fn scenarios(tenant: TenantId) -> Range<Scenario> {
    whole(format!("{tenant}#SCENARIO"))
}

/// How many there are.
pub fn scenario_count(tenant: TenantId) -> Key<ScenarioCount> {
    one(tenant.to_string(), "SCENARIOS".into())
}

/// A run of a scenario.
pub fn run(tenant: TenantId, scenario: &str, run: &str) -> Key<Run> {
    one(format!("{tenant}#RUN#{scenario}"), run.into())
}

/// A run by the time that it began; as the end of a stretch, all runs of the scenario up to then, oldest first.
pub fn runs_by_time(tenant: TenantId, scenario: &str, at: Timestamp, run: &str) -> Index {
    place(format!("{tenant}#RUN#{scenario}"), format!("{}#{run}", moment(at)))
}

/// What the runs of a scenario on a day come to.
pub fn run_day(tenant: TenantId, date: Date, scenario: &str) -> Key<RunDay> {
    one(format!("{tenant}#RUNDAY"), format!("{date}#{scenario}"))
}

/// The same of all scenarios from one day to another, both included; by day.
pub fn run_days(tenant: TenantId, from: Date, to: Date) -> Range<RunDay> {
    between(format!("{tenant}#RUNDAY"), &format!("{from}#"), &format!("{to}#\u{10ffff}"))
}

/// What an owner's scenarios did on a day, a row of several where one is too small.
pub fn sheet(tenant: TenantId, owner: Owner, date: Date, nth: u32) -> Key<Sheet> {
    one(owned(tenant, "SHEET", owner), format!("{date}{}", further(nth)))
}

/// The same from one day to another, both included.
pub fn sheets(tenant: TenantId, owner: Owner, from: Date, to: Date) -> Range<Sheet> {
    between(owned(tenant, "SHEET", owner), &from.to_string(), &format!("{to}#\u{10ffff}"))
}

/// The totals of an owner's day.
pub fn day_total(tenant: TenantId, owner: Owner, date: Date) -> Key<DayTotal> {
    one(owned(tenant, "TOTAL", owner), date.to_string())
}

/// The same from one day to another, both included.
pub fn day_totals(tenant: TenantId, owner: Owner, from: Date, to: Date) -> Range<DayTotal> {
    between(owned(tenant, "TOTAL", owner), &from.to_string(), &to.to_string())
}

fn owned(tenant: TenantId, what: &str, owner: Owner) -> String {
    format!("{tenant}#{what}#{}", owner_word(owner))
}

fn owner_word(owner: Owner) -> String {
    match owner {
        Owner::Client(client) => client.to_string(),
        Owner::Company => "COMPANY".into(),
        Owner::Unmapped => "UNMAPPED".into(),
    }
}

/// The note that a day has to be folded again.
pub fn unfolded(tenant: TenantId, date: Date) -> Key<Unfolded> {
    one(format!("{tenant}#UNFOLDED"), date.to_string())
}

/// The days that have to be folded again, oldest first.
pub fn all_unfolded(tenant: TenantId) -> Range<Unfolded> {
    whole(format!("{tenant}#UNFOLDED"))
}

/// The same from one day to another, both included.
pub fn unfolded_between(tenant: TenantId, from: Date, to: Date) -> Range<Unfolded> {
    between(format!("{tenant}#UNFOLDED"), &from.to_string(), &to.to_string())
}

/// What was achieved on a day.
pub fn achieved(tenant: TenantId, date: Date) -> Key<Achieved> {
    one(format!("{tenant}#ACHIEVED"), date.to_string())
}

/// The same from one day to another, both included.
pub fn all_achieved(tenant: TenantId, from: Date, to: Date) -> Range<Achieved> {
    between(format!("{tenant}#ACHIEVED"), &from.to_string(), &to.to_string())
}

/// That a booking or lead was counted as achieved.
pub fn counted(tenant: TenantId, what: &str, subject: &str) -> Key<Counted> {
    one(format!("{tenant}#ACHIEVED#{what}"), subject.into())
}

/// What a credit costs from a day on, for a client or whoever has no price of its own.
pub fn rate(tenant: TenantId, client: Option<ClientId>, from: Date) -> Key<Rate> {
    let client = client.map_or_else(String::new, |client| format!("#{client}"));
    one(format!("{tenant}#RATE"), format!("{from}{client}"))
}

/// All prices of a tenant.
pub fn rates(tenant: TenantId) -> Range<Rate> {
    whole(format!("{tenant}#RATE"))
}

// ── alerts ───────────────────────────────────────────────────────────────

/// A rule of a kind, for what it holds.
pub fn alert_rule(tenant: TenantId, kind: alert::Kind, scope: &AlertScope) -> Key<Rule> {
    let kind = kind.word();
    let place = match scope {
        AlertScope::Tenant => format!("{kind}#TENANT"),
        AlertScope::Client(client) => format!("{kind}#{client}"),
        AlertScope::Scenario(scenario) => format!("{kind}#SCENARIO#{scenario}"),
    };
    one(format!("{tenant}#ALERTRULE"), place)
}

/// All rules of a tenant.
pub fn alert_rules(tenant: TenantId) -> Range<Rule> {
    whole(format!("{tenant}#ALERTRULE"))
}

/// An alert.
pub fn alert(tenant: TenantId, alert: AlertId) -> Key<Alert> {
    one(format!("{tenant}#ALERT"), alert.to_string())
}

/// All alerts of a tenant, in no order.
pub fn alerts(tenant: TenantId) -> Range<Alert> {
    many(format!("{tenant}#ALERT"), AlertId::PREFIX)
}

/// An alert by the time that it opened; as the end of a stretch, all that opened up to then.
pub fn alerts_by_time(tenant: TenantId, at: Timestamp, alert: &str) -> Index {
    place(format!("{tenant}#ALERT"), format!("{}#{alert}", moment(at)))
}

/// How many credits there may be in a month: for an owner, or for all of the tenant.
pub fn allowance(tenant: TenantId, owner: Option<Owner>) -> Key<Allowance> {
    let place = owner.map_or_else(|| "ALLOWANCE".into(), |owner| format!("ALLOWANCE#{}", owner_word(owner)));
    one(tenant.to_string(), place)
}

// ── statements ───────────────────────────────────────────────────────────

/// The statement of a closed month.
pub fn statement(tenant: TenantId, owner: Owner, month: Month) -> Key<Statement> {
    one(owned(tenant, "STATEMENT", owner), month.to_string())
}

/// All of an owner, oldest first.
pub fn statements(tenant: TenantId, owner: Owner) -> Range<Statement> {
    whole(owned(tenant, "STATEMENT", owner))
}

/// Lines of a statement, or of a correction, named by what they hold.
pub fn statement_part(tenant: TenantId, owner: Owner, month: Month, digest: &str, nth: u32) -> Key<Part> {
    one(owned(tenant, "LINES", owner), format!("{month}#{digest}#{nth:04}"))
}

/// All lines of one of them.
pub fn statement_parts(tenant: TenantId, owner: Owner, month: Month, digest: &str) -> Range<Part> {
    many(owned(tenant, "LINES", owner), &format!("{month}#{digest}#"))
}

/// The `n`th correction of a closed month, from 1.
pub fn correction(tenant: TenantId, owner: Owner, month: Month, n: u32) -> Key<Correction> {
    one(owned(tenant, "CORRECTION", owner), format!("{month}#{n:04}"))
}

/// All corrections of a closed month, first to last.
pub fn corrections(tenant: TenantId, owner: Owner, month: Month) -> Range<Correction> {
    many(owned(tenant, "CORRECTION", owner), &format!("{month}#"))
}

/// The entry of a closed month in the tenant's register.
pub fn closed(tenant: TenantId, month: Month, owner: Owner) -> Key<Closed> {
    one(format!("{tenant}#CLOSED"), format!("{month}#{}", owner_word(owner)))
}

/// The entries of a month.
pub fn closed_in(tenant: TenantId, month: Month) -> Range<Closed> {
    many(format!("{tenant}#CLOSED"), &format!("{month}#"))
}

/// The whole register, oldest month first.
pub fn all_closed(tenant: TenantId) -> Range<Closed> {
    whole(format!("{tenant}#CLOSED"))
}

// ── activity and its snapshots ───────────────────────────────────────────

/// A report of activity: stored once under its track, hour and id.
pub fn activity(tenant: TenantId, track: TrackId, hour: Timestamp, activity: ActivityId) -> Key<Activity> {
    one(format!("{tenant}#TRACK#{track}"), format!("{}#{activity}", minute(hour)))
}

/// The reports of a track from an hour on, or all of them; by hour.
pub fn activities(tenant: TenantId, track: TrackId, from: Option<Timestamp>) -> Range<Activity> {
    let from = from.map_or_else(|| "0".into(), minute);
    // The colon follows the digits, with which every hour begins.
    between(format!("{tenant}#TRACK#{track}"), &from, ":")
}

/// How a track stood before an hour.
pub fn checkpoint(tenant: TenantId, track: TrackId, hour: Timestamp) -> Key<Checkpoint> {
    one(format!("{tenant}#TRACK#{track}"), format!("BEFORE#{}", minute(hour)))
}

/// Every checkpoint of a track, oldest first.
pub fn checkpoints(tenant: TenantId, track: TrackId) -> Range<Checkpoint> {
    many(format!("{tenant}#TRACK#{track}"), "BEFORE#")
}

/// A row of what a track adds to an hour.
pub fn contribution(tenant: TenantId, hour: Timestamp, track: TrackId, nth: u32) -> Key<Contribution> {
    one(format!("{tenant}#HOUR#{}", minute(hour)), format!("{track}{}", further(nth)))
}

/// All that a track adds to an hour.
pub fn contributions_of(tenant: TenantId, hour: Timestamp, track: TrackId) -> Range<Contribution> {
    many(format!("{tenant}#HOUR#{}", minute(hour)), &track.to_string())
}

/// What all tracks add to an hour.
pub fn contributions(tenant: TenantId, hour: Timestamp) -> Range<Contribution> {
    many(format!("{tenant}#HOUR#{}", minute(hour)), TrackId::PREFIX)
}

/// A snapshot.
pub fn snapshot(tenant: TenantId, series: &Series, span: Span) -> Key<Snapshot> {
    let place = match span {
        Span::Hour(date, hour) => format!("HOUR#{date}#{}", minute(hour)),
        Span::Day(date) => format!("DAY#{date}"),
        Span::Week(monday) => format!("WEEK#{monday}"),
        Span::AllUntil(date) => format!("ALL#{date}"),
    };
    one(format!("{tenant}#SNAPSHOT#{}", named(series)), place)
}

/// The hours of a day that a series has snapshots of.
pub fn hours_of_day(tenant: TenantId, series: &Series, date: Date) -> Range<Snapshot> {
    many(format!("{tenant}#SNAPSHOT#{}", named(series)), &format!("HOUR#{date}#"))
}

/// The hours of a day that begin before a moment.
pub fn hours_of_day_before(tenant: TenantId, series: &Series, date: Date, before: Timestamp) -> Range<Snapshot> {
    let until = before - jiff::SignedDuration::from_nanos(1);
    between(
        format!("{tenant}#SNAPSHOT#{}", named(series)),
        &format!("HOUR#{date}#"),
        &format!("HOUR#{date}#{}", minute(until)),
    )
}

/// The days from one to another, both included.
pub fn days(tenant: TenantId, series: &Series, from: Date, to: Date) -> Range<Snapshot> {
    between(format!("{tenant}#SNAPSHOT#{}", named(series)), &format!("DAY#{from}"), &format!("DAY#{to}"))
}

/// The running totals from the end of one day to that of another.
pub fn totals(tenant: TenantId, series: &Series, from: Date, to: Date) -> Range<Snapshot> {
    between(format!("{tenant}#SNAPSHOT#{}", named(series)), &format!("ALL#{from}"), &format!("ALL#{to}"))
}

/// The channel comes last and has no `#` in it, so whatever an agent or team is called, no two series are named alike.
fn named(series: &Series) -> String {
    let channel = series.channel.map_or("*", crate::activity::Channel::word);
    match &series.scope {
        Scope::Tenant => format!("TENANT#{channel}"),
        Scope::Team(team) => format!("TEAM#{team}#{channel}"),
        Scope::Agent(agent) => format!("AGENT#{agent}#{channel}"),
    }
}

/// The note that something has to be folded again.
pub fn mark(tenant: TenantId, stale: Stale) -> Key<Mark> {
    let place = match stale {
        Stale::Track(track, hour) => format!("TRACK#{track}#{}", minute(hour)),
        Stale::Hour(hour) => format!("HOUR#{}", minute(hour)),
        Stale::Ripening(hour) => format!("RIPENING#{}", minute(hour)),
        Stale::Day(date) => format!("DAY#{date}"),
        Stale::Week(monday) => format!("WEEK#{monday}"),
    };
    one(stale_of(tenant), place)
}

/// The tracks that have to be worked out again.
pub fn stale_tracks(tenant: TenantId) -> Range<Mark> {
    many(stale_of(tenant), "TRACK#")
}

/// The hours that have to be folded again, oldest first.
pub fn stale_hours(tenant: TenantId) -> Range<Mark> {
    many(stale_of(tenant), "HOUR#")
}

/// The hours up to one that wait for their messages to be given up.
pub fn ripe_hours(tenant: TenantId, until: Timestamp) -> Range<Mark> {
    between(stale_of(tenant), "RIPENING#", &format!("RIPENING#{}", minute(until)))
}

/// The days that have to be folded again, oldest first.
pub fn stale_days(tenant: TenantId) -> Range<Mark> {
    many(stale_of(tenant), "DAY#")
}

/// The weeks that have to be folded again, oldest first.
pub fn stale_weeks(tenant: TenantId) -> Range<Mark> {
    many(stale_of(tenant), "WEEK#")
}

fn stale_of(tenant: TenantId) -> String {
    format!("{tenant}#STALE")
}

/// A row of the list of series that an hour or a day was folded into.
pub fn folded(tenant: TenantId, date: Date, hour: Option<Timestamp>, nth: u32) -> Key<Folded> {
    one(format!("{tenant}#FOLDED"), format!("{}{}", fold_of(date, hour), further(nth)))
}

/// Which series an hour or a day was folded into.
pub fn folded_of(tenant: TenantId, date: Date, hour: Option<Timestamp>) -> Range<Folded> {
    many(format!("{tenant}#FOLDED"), &fold_of(date, hour))
}

fn fold_of(date: Date, hour: Option<Timestamp>) -> String {
    match hour {
        Some(hour) => format!("HOUR#{date}#{}", minute(hour)),
        None => format!("DAY#{date}"),
    }
}

/// The first of several rows has the plain key.
fn further(nth: u32) -> String {
    if nth == 0 { String::new() } else { format!("#{nth:04}") }
}

/// Which series the hours of a day were folded into.
pub fn folded_hours(tenant: TenantId, date: Date) -> Range<Folded> {
    many(format!("{tenant}#FOLDED"), &format!("HOUR#{date}#"))
}

/// How far a tenant's aggregation has come.
pub fn progress(tenant: TenantId) -> Key<Progress> {
    one(tenant.to_string(), "PROGRESS".into())
}

/// An answer that is good for a moment.
pub fn cached(tenant: TenantId, series: &Series, filters: &str) -> Key<Cached> {
    one(format!("{tenant}#CACHED#{}", named(series)), filters.into())
}

/// To the minute: for hours, which begin at one.
fn minute(at: Timestamp) -> String {
    moment(at)[..16].into()
}
