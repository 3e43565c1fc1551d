use deliveries::stats;
use jiff::{SignedDuration, Timestamp};
use local::standin::Fault;
use serde_json::{Value, json};
use shared::{
    gate::{Gate, Role},
    hour::{Hour, Times},
    http::Call,
    key,
    tenant::{Tenant, Zone},
    testing::{Units, nobody, person, stranger, table, told},
};

use crate::world::{HOOK, World};

impl World {
    async fn stats(&self, call: Call) -> (u16, Value) {
        let deps = stats::Deps { gate: Gate::new(self.table.clone()), table: self.table.clone() };
        told(stats::handle(&deps, call.with_part("id", self.endpoint)).await)
    }

    async fn totals(&self, query: &str) -> Value {
        let (status, body) = self.stats(self.owner().with_query(query)).await;
        assert_eq!(status, 200, "{body}");
        body["data"]["totals"].clone()
    }

    /// Attempts in the hour of a moment that took so long each.
    async fn attempted(&self, at: Timestamp, took_ms: &[u64]) {
        for took_ms in took_ms {
            let change = self.table.change(key::hour(self.tenant, self.endpoint, at)).or_new();
            let change = change.set("tenant", self.tenant).set("endpoint", self.endpoint).set("hour", at);
            let change = change.add("succeeded", 1).add("took_ms", took_ms).add(&Times::field(*took_ms), 1);
            assert!(change.add("settled", 1).add("tries", 1).write().await.unwrap());
        }
    }
}

#[tokio::test]
async fn what_was_delivered_is_told_with_its_tries() {
    let mut world = World::new().await;
    let empty = world.totals("").await;
    assert_eq!(
        (&empty["total"], &empty["success_rate"], &empty["p50_response_ms"]),
        (&json!(0), &Value::Null, &Value::Null)
    );
    world.receiver.fail_next(HOOK, [Fault::status(500).times(2)]).await.unwrap();
    for name in ["b1", "b2"] {
        world.accept(name).await;
        world.run_for(SignedDuration::from_mins(10)).await;
    }
    world.receiver.fail_next(HOOK, [Fault::status(404)]).await.unwrap();
    world.accept("b3").await;
    world.run_until(world.now).await;

    let totals = world.totals("").await;

    let figure = |name: &str| totals[name].as_f64().unwrap();
    assert_eq!((figure("total"), figure("succeeded"), figure("failed")), (5.0, 2.0, 3.0));
    assert!((figure("success_rate") - 0.4).abs() < 1e-9);
    assert_eq!((figure("deliveries"), figure("deliveries_failed")), (3.0, 1.0));
    assert!((figure("tries_per_delivery") - 5.0 / 3.0).abs() < 1e-9, "3, 1 and 1");
    assert!(figure("p50_response_ms") >= 1.0 && figure("p99_response_ms") >= figure("p50_response_ms"));
}

#[tokio::test]
async fn percentiles_are_right_within_five_percent_over_many_hours() {
    let world = World::new().await;
    // 1 to 1000 ms, dealt over ten hours.
    for hour in 0..10 {
        let took: Vec<u64> = (1..=100).map(|n| n * 10 - hour).collect();
        world.attempted(world.now - SignedDuration::from_hours(i64::try_from(hour).unwrap()), &took).await;
    }

    let totals = world.totals("").await;

    for (name, right) in [("p50_response_ms", 500.0), ("p95_response_ms", 950.0), ("p99_response_ms", 990.0)] {
        let got = totals[name].as_f64().unwrap();
        assert!((got - right).abs() <= right * 0.05, "{name}: {got} for {right}");
    }
    assert_eq!((totals["total"].as_u64(), totals["average_response_ms"].as_u64()), (Some(1_000), Some(500)));
}

#[tokio::test]
async fn hours_and_days_add_up_to_the_whole() {
    let world = World::new().await;
    let zone = Zone::try_from("Asia/Tokyo".to_owned()).unwrap();
    let tenant = Tenant { id: world.tenant, name: "Marina".into(), time_zone: zone, created_at: world.now };
    world.table.put(&tenant).await.unwrap();
    // Midnight in Tokyo is at 15:00 UTC.
    for at in ["2026-11-20T14:59:59Z", "2026-11-20T15:00:00Z", "2026-11-20T15:30:00Z", "2026-11-21T14:00:00Z"] {
        world.attempted(at.parse().unwrap(), &[20]).await;
    }
    let time = "from=2026-11-20T00:00:00Z&to=2026-11-21T23:00:00Z";

    let (_, hours) = world.stats(world.owner().with_query(time)).await;
    let (_, days) = world.stats(world.owner().with_query(&format!("{time}&by=day"))).await;

    let cut = |body: &Value| -> Vec<(String, u64)> {
        let series = body["data"]["series"].as_array().unwrap();
        series.iter().map(|one| (one["start"].as_str().unwrap().into(), one["total"].as_u64().unwrap())).collect()
    };
    let expected = |all: &[(&str, u64)]| all.iter().map(|(at, n)| ((*at).to_owned(), *n)).collect::<Vec<_>>();
    assert_eq!(hours["data"]["by"], "hour");
    assert_eq!(
        cut(&hours),
        expected(&[("2026-11-20T14:00:00Z", 1), ("2026-11-20T15:00:00Z", 2), ("2026-11-21T14:00:00Z", 1)])
    );
    assert_eq!(cut(&days), expected(&[("2026-11-19T15:00:00Z", 1), ("2026-11-20T15:00:00Z", 3)]));
    assert_eq!(days["data"]["totals"]["total"], 4);
}

#[tokio::test]
async fn an_hour_of_before_settled_deliveries_were_counted_takes_nothing_from_the_others() {
    let world = World::new().await;
    let hour = |hours: i64| world.now - SignedDuration::from_hours(hours);
    let counted = |at: Timestamp| {
        let change = world.table.change::<Hour>(key::hour(world.tenant, world.endpoint, at)).or_new();
        change.set("tenant", world.tenant).set("endpoint", world.endpoint).set("hour", at)
    };
    let old = counted(hour(2)).add("succeeded", 50).add("failed", 7).add("took_ms", 57_000);
    assert!(old.write().await.unwrap());
    world.attempted(hour(1), &[20; 3]).await;
    let failed = counted(hour(0)).add("failed", 8).add("took_ms", 160).add(&Times::field(20), 8);
    assert!(failed.add("settled", 1).add("tries", 8).write().await.unwrap());

    for query in ["", "by=day"] {
        let totals = world.totals(query).await;

        assert_eq!(
            (&totals["succeeded"], &totals["failed"], &totals["deliveries"]),
            (&json!(53), &json!(15), &json!(4))
        );
        assert_eq!(totals["deliveries_failed"], 1, "{query}: of the new hours, whatever the old one lacks");
        assert_eq!((&totals["tries_per_delivery"], &totals["p50_response_ms"]), (&json!(11.0 / 4.0), &json!(20)));
    }
}

#[tokio::test]
async fn a_time_is_bounded_and_strangers_see_none() {
    let world = World::new().await;
    let status = async |query: &str| world.stats(world.owner().with_query(query)).await.0;

    assert_eq!(status("from=2026-10-01T00:00:00Z&to=2026-11-01T00:00:00Z").await, 200, "31 days");
    assert_eq!(status("from=2026-10-01T00:00:00Z&to=2026-11-01T00:00:01Z").await, 400);
    assert_eq!(status("from=2026-10-02T00:00:00Z&to=2026-10-01T00:00:00Z").await, 400);
    assert_eq!(status("from=0001-01-01T00:00:00Z&to=0001-01-01T00:00:00Z").await, 200, "there is none so old");
    assert_eq!(status("by=week&from=soon").await, 400);
    assert_eq!(world.stats(stranger()).await.0, 404);
    assert_eq!(world.stats(nobody()).await.0, 401);
    assert_eq!(world.stats(person(world.tenant, Role::Agent)).await.0, 403);
}

#[tokio::test]
async fn an_hour_in_which_everything_happens_still_costs_one_write_unit() {
    let units = Units::default();
    let world = World::on(table().await.metered(units.meter())).await;
    let counted = |at: Timestamp| {
        let change = world.table.change(key::hour(world.tenant, world.endpoint, at)).or_new();
        change.set("tenant", world.tenant).set("endpoint", world.endpoint).set("hour", at)
    };
    // All that Make.com takes in an hour, in every bucket: more than is sent.
    let at: Timestamp = "2026-11-20T14:59:59.123456789Z".parse().unwrap();
    let mut full = counted(at).add("succeeded", 108_000).add("failed", 108_000).add("took_ms", 1_620_000_000_u64);
    full = full.add("settled", 108_000).add("tries", 864_000).add("replays", 108_000).set("last_success_at", at);
    let mut fields: Vec<String> = (1..=15_000).map(Times::field).collect();
    fields.dedup();
    for field in &fields {
        full = full.add(field, 9_999);
    }
    let never: Timestamp = "2126-11-20T00:00:00Z".parse().unwrap();
    assert!(full.expires(never).write().await.unwrap());
    units.take();

    assert!(counted(at).add("succeeded", 1).add(&Times::field(87), 1).write().await.unwrap());

    assert_eq!(units.take(), (1.0, 0.0), "{} buckets", fields.len());
    let hour: Hour = world.table.find_now(key::hour(world.tenant, world.endpoint, at)).await.unwrap().unwrap();
    assert_eq!(hour.succeeded, 108_001);
    assert_eq!(hour.times.quantile(0.0), Some(1));
    assert!(hour.times.quantile(1.0).is_some_and(|longest| longest > 14_000));
}
