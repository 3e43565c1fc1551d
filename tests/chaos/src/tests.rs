//! The judge, with evidence that speaks for and against.

use std::collections::{BTreeMap, HashMap};

use jiff::{SignedDuration, Timestamp};
use shared::{
    delivery::{Attempt, Delivery, State, Trigger, Verdict},
    endpoint::{Endpoint, Plan},
    event::{Content, Event, Origin},
    id::{EndpointId, TenantId},
    live::{Channel, Entry},
    testing::vault,
    trace::TraceId,
};

use crate::{
    business::{Change, day},
    evidence::{Accepted, Evidence},
    judge,
    receiver::{Receipts, Seen},
    watcher::{Heard, Said},
    weather::Fate,
};

/// What a day leaves behind on which nothing went wrong.
async fn good() -> Evidence {
    let tenant = TenantId::new();
    let endpoint = endpoint(tenant).await;
    let accepted: Vec<Accepted> = day(3, 60).into_iter().map(|change| accept(tenant, change)).collect();
    let deliveries: Vec<Delivery> = accepted.iter().map(|accepted| delivery(tenant, accepted, &endpoint)).collect();
    let attempts = deliveries.iter().map(|delivery| (delivery.id, vec![attempt(delivery, 1)])).collect();
    let receipts = Receipts { fates: vec![Fate::Taken], taken_at: Some(Timestamp::now()) };
    let seen = Seen {
        by_id: deliveries.iter().map(|delivery| (delivery.id.to_string(), receipts.clone())).collect(),
        ..Seen::default()
    };
    let channels = numbered(tenant, &accepted);
    let said = |entry: &Entry| Said { number: entry.number, event: entry.event, at: entry.at };
    let whole = channels[&Channel::Tenant].iter().map(said).collect();
    let heard = Heard { by_channel: BTreeMap::from([(Channel::Tenant, whole)]), ..Heard::default() };
    Evidence {
        changes: 60,
        accepted,
        endpoints: vec![endpoint],
        deliveries,
        attempts,
        histories: BTreeMap::new(),
        channels,
        seen,
        heard: Some(heard),
    }
}

async fn endpoint(tenant: TenantId) -> Endpoint {
    let plan = Plan {
        id: EndpointId::new(),
        name: "all".into(),
        url: "https://hook.eu1.make.com/x".to_owned().into(),
        host: "hook.eu1.make.com".into(),
        make_key: None,
        event_types: vec!["booking.*".into(), "booking_event.*".into()],
    };
    let keyring = vault().keyring().await.unwrap();
    Endpoint::new(&keyring, tenant, plan, Timestamp::now()).unwrap().0
}

fn accept(tenant: TenantId, change: Change) -> Accepted {
    let event = shared::event::identity(tenant, &[change.body.to_string().as_bytes()]);
    Accepted { change, event }
}

fn delivery(tenant: TenantId, accepted: &Accepted, endpoint: &Endpoint) -> Delivery {
    let event = Event {
        tenant,
        id: accepted.event,
        event_type: accepted.change.event_type.into(),
        trace: TraceId::new(),
        accepted_at: Timestamp::now(),
        occurred_at: None,
        to: None,
        origin: Origin::Live,
        content: Content::Booking {
            operation: shared::booking::Operation::Update,
            table: "bookings".into(),
            record: Some("{}".into()),
            old_record: None,
        },
    };
    Delivery { state: State::Delivered, attempts: 1, ..Delivery::of(&event, endpoint) }
}

fn attempt(delivery: &Delivery, n: u32) -> Attempt {
    Attempt {
        tenant: delivery.tenant,
        delivery: delivery.id,
        n,
        at: Timestamp::now(),
        trigger: Trigger::Schedule,
        took_ms: 1,
        status: Some(200),
        error: None,
        answer: None,
        verdict: Verdict::Delivered,
        next_at: None,
        keep_until: Timestamp::now() + SignedDuration::from_hours(1),
    }
}

fn numbered(tenant: TenantId, accepted: &[Accepted]) -> BTreeMap<Channel, Vec<Entry>> {
    let mut channels: BTreeMap<Channel, Vec<Entry>> = BTreeMap::new();
    for accepted in accepted {
        for channel in accepted.channels() {
            let entries = channels.entry(channel.clone()).or_default();
            let number = entries.len() as u64 + 1;
            entries.push(Entry { tenant, channel, number, event: accepted.event, at: Timestamp::now() });
        }
    }
    channels
}

/// What the judge holds against it.
fn against(evidence: &Evidence) -> Vec<&'static str> {
    judge::all(evidence).into_iter().filter(|it| it.against.is_some()).map(|it| it.must).collect()
}

#[tokio::test]
async fn a_day_on_which_nothing_went_wrong_passes() {
    assert_eq!(against(&good().await), Vec::<&str>::new());
}

#[tokio::test]
async fn a_lost_event_a_lost_delivery_and_an_invented_one_are_noticed() {
    let mut evidence = good().await;
    evidence.accepted.pop();
    assert_eq!(
        against(&evidence),
        [
            "every change is one event, however often it is sent",
            "and no other delivery, none twice",
            "every event has its number in each of its channels"
        ]
    );

    let mut evidence = good().await;
    evidence.deliveries.pop();
    assert_eq!(against(&evidence), ["every accepted event has a delivery to each endpoint that wants it"]);
}

#[tokio::test]
async fn what_is_not_delivered_needs_a_reason() {
    let mut evidence = good().await;
    let id = evidence.deliveries[0].id;
    evidence.deliveries[0].state = State::Failed;
    evidence.deliveries[0].last = Some("HTTP 500".into());
    evidence.attempts.get_mut(&id).unwrap()[0].verdict = Verdict::Retry;
    assert_eq!(against(&evidence), Vec::<&str>::new());

    evidence.deliveries[0].last = None;
    assert_eq!(against(&evidence), ["every delivery is delivered, or says why it is not"]);
    evidence.deliveries[0].state = State::Pending;
    assert_eq!(against(&evidence), ["every delivery is delivered, or says why it is not"]);
}

#[tokio::test]
async fn the_log_has_one_success_and_no_gap() {
    let mut evidence = good().await;
    let first = evidence.deliveries[0].clone();
    evidence.attempts.get_mut(&first.id).unwrap().push(attempt(&first, 3));
    assert_eq!(
        against(&evidence),
        ["the log has each webhook-id once as delivered", "every attempt stands in the log under its number"]
    );
}

#[tokio::test]
async fn what_never_arrived_was_not_delivered() {
    let mut evidence = good().await;
    evidence.seen.by_id = HashMap::new();
    assert_eq!(against(&evidence), ["what is called delivered has arrived"]);
}

#[tokio::test]
async fn a_gap_a_double_and_another_order_are_noticed_in_a_channel() {
    let gap = "the numbers of every channel begin at 1 and have no gap and no double";
    let mut evidence = good().await;
    evidence.heard = None;
    evidence.channels.get_mut(&Channel::Tenant).unwrap().remove(5);
    assert!(against(&evidence).contains(&gap));

    let mut evidence = good().await;
    evidence.heard = None;
    let whole = evidence.channels.get_mut(&Channel::Tenant).unwrap();
    whole[7].event = whole[6].event;
    assert!(against(&evidence).contains(&gap));

    let mut evidence = good().await;
    evidence.heard = None;
    let user = evidence
        .channels
        .iter_mut()
        .find(|(channel, entries)| matches!(channel, Channel::User(_)) && entries.len() > 1);
    let entries = user.unwrap().1;
    (entries[0].event, entries[1].event) = (entries[1].event, entries[0].event);
    assert_eq!(against(&evidence), ["all channels tell the same order"]);
}

#[tokio::test]
async fn a_subscriber_that_missed_one_is_noticed() {
    let mut evidence = good().await;
    let heard = evidence.heard.as_mut().unwrap().by_channel.get_mut(&Channel::Tenant).unwrap();
    heard.remove(3);
    assert_eq!(against(&evidence), ["live subscribers hear every number, in its order"]);
}
