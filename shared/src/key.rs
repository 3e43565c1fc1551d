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
//! | endpoint | `ten_…` | `ENDPOINT#end_…` | due: `DUE#<shard>` / `<time>` |
//! | rate limit | `ten_…` | `LIMIT#<who>` | |
//! | idempotency key | `ten_…` | `ONCE#<hash>` | |
//! | notice | `ten_…#NOTICE` | `ntc_…` | |
//! | event | `ten_…#EVENT#evt_…` | `EVENT` | |
//! | delivery | `ten_…#DELIVERY` | `dlv_…` | due: `DUE#<shard>` / `<time>`, parked: `ten_…#PARKED#end_…` / `dlv_…` |
//! | attempt | `ten_…#DELIVERY#dlv_…` | `ATTEMPT#<nn>` | |
//! | endpoint statistics | `ten_…#STATS#end_…` | `<hour>` | |

use std::marker::PhantomData;

use jiff::Timestamp;

use crate::{
    apikey::ApiKey,
    delivery::{Attempt, Delivery},
    endpoint::{Endpoint, Hour},
    event::Event,
    id::{ClientId, DeliveryId, EndpointId, EventId, KeyId, NoticeId, TenantId},
    idempotency::Once,
    limit::Bucket,
    notice::Notice,
    tenant::{Client, Slug, Tenant},
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
    Key {
        pk,
        sk,
        row: PhantomData,
    }
}

/// All rows whose sort key begins with `prefix`.
fn many<E>(pk: String, prefix: &str) -> Range<E> {
    between(pk, prefix, &format!("{prefix}\u{10ffff}"))
}

/// All rows whose sort key lies between the two, both included.
fn between<E>(pk: String, from: &str, to: &str) -> Range<E> {
    Range {
        pk,
        from: from.into(),
        to: to.into(),
        row: PhantomData,
    }
}

fn place(pk: impl Into<String>, sk: impl Into<String>) -> Index {
    Index {
        pk: pk.into(),
        sk: sk.into(),
    }
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

/// An endpoint.
pub fn endpoint(tenant: TenantId, endpoint: EndpointId) -> Key<Endpoint> {
    one(tenant.to_string(), format!("ENDPOINT#{endpoint}"))
}

/// All endpoints of a tenant.
pub fn endpoints(tenant: TenantId) -> Range<Endpoint> {
    many(tenant.to_string(), "ENDPOINT#")
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
