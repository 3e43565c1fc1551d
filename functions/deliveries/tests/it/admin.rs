//! What a person does to single deliveries: cancelling, discarding, finding them, and reading the notices.

use deliveries::{cancel, dead_letters, discard, list, notices, pages};
use jiff::SignedDuration;
use local::standin::{Fault, Mode};
use serde_json::{Value, json};
use shared::{
    delivery::{State, Verdict},
    gate::{Gate, Role},
    http::Call,
    key,
    testing::{nobody, person, stranger, told, vault},
};

use crate::world::{HOOK, World};

impl World {
    pub fn owner(&self) -> Call {
        person(self.tenant, Role::Owner).at(self.now)
    }

    pub fn reading(&self) -> pages::Deps {
        pages::Deps { gate: Gate::new(self.table.clone()), table: self.table.clone(), vault: vault() }
    }

    async fn listed(&self, query: &str) -> Vec<Value> {
        let (status, body) = told(list::handle(&self.reading(), self.owner().with_query(query)).await);
        assert_eq!(status, 200, "{body}");
        body["data"]["deliveries"].as_array().unwrap().clone()
    }

    async fn cancelled(&self, call: Call) -> (u16, Value) {
        let deps = cancel::Deps { gate: Gate::new(self.table.clone()), table: self.table.clone() };
        told(cancel::handle(&deps, call).await)
    }

    async fn discarded(&self, call: Call) -> (u16, Value) {
        let deps = discard::Deps { gate: Gate::new(self.table.clone()), table: self.table.clone() };
        told(discard::handle(&deps, call).await)
    }

    /// One delivery that arrived, one that was refused with 404, one that waits after a 503.
    async fn three(&mut self) {
        for (name, fault) in [("b1", None), ("b2", Some(404)), ("b3", Some(503))] {
            if let Some(status) = fault {
                self.receiver.fail_next(HOOK, [Fault::status(status)]).await.unwrap();
            }
            self.accept(name).await;
            self.run_until(self.now).await;
            self.now += SignedDuration::from_secs(1);
        }
    }
}

#[tokio::test]
async fn they_are_found_by_state_type_code_and_time() {
    let mut world = World::new().await;
    let began = world.now;
    world.three().await;
    let second = (began + SignedDuration::from_secs(1)).to_string();

    for (query, found) in [
        ("", 3),
        ("state=failed", 1),
        ("state=failed,pending", 2),
        ("code=2xx", 1),
        ("code=4xx", 1),
        ("code=5xx", 1),
        ("code=none", 0),
        ("event_type=booking.*", 3),
        ("event_type=booking.updated", 3),
        ("event_type=booking_event.*", 0),
        (&format!("endpoint={}", world.endpoint), 3),
        (&format!("from={second}"), 2),
        (&format!("to={second}"), 2),
        (&format!("from={second}&to={second}"), 1),
        (&format!("from={second}&code=4xx&state=failed"), 1),
    ] {
        assert_eq!(world.listed(query).await.len(), found, "{query}");
    }
    let failed = world.listed("state=failed").await.remove(0);
    assert_eq!((failed["last_status"].as_u64(), failed["replay"].as_bool()), (Some(404), Some(false)));
}

#[tokio::test]
async fn all_that_is_wrong_with_a_filter_is_told_at_once() {
    let world = World::new().await;
    let query = "state=failed,lost&code=9xx&from=yesterday&to=2026-01-01T00:00:00Z";
    let (status, problem) = told(list::handle(&world.reading(), world.owner().with_query(query)).await);
    let pointers: Vec<&str> =
        problem["errors"].as_array().unwrap().iter().map(|fault| fault["pointer"].as_str().unwrap()).collect();
    assert_eq!((status, pointers), (400, vec!["?state", "?code", "?from"]));

    let query = "from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z";
    let (status, problem) = told(list::handle(&world.reading(), world.owner().with_query(query)).await);
    assert_eq!((status, problem["errors"][0]["pointer"].as_str()), (400, Some("?to")));
}

#[tokio::test]
async fn a_cursor_is_bound_to_every_filter() {
    let mut world = World::new().await;
    world.three().await;
    let (_, page) = told(list::handle(&world.reading(), world.owner().with_query("limit=1&code=5xx")).await);
    // The only one is the newest: behind it there may be more.
    let cursor = page["data"]["next_cursor"].as_str().map(ToOwned::to_owned);
    let (_, page) = told(list::handle(&world.reading(), world.owner().with_query("limit=1")).await);
    let other = page["data"]["next_cursor"].as_str().unwrap().to_owned();

    for query in ["code=4xx", "from=2026-01-01T00:00:00Z", "state=failed,dead"] {
        for cursor in cursor.iter().chain([&other]) {
            let call = world.owner().with_query(&format!("limit=1&{query}&cursor={cursor}"));
            assert_eq!(told(list::handle(&world.reading(), call).await).0, 400, "{query}");
        }
    }
}

#[tokio::test]
async fn what_is_cancelled_is_tried_no_more() {
    let mut world = World::new().await;
    world.receiver.set_mode(HOOK, Mode::Failing).await.unwrap();
    world.accept("b1").await;
    world.run_until(world.now).await;
    let id = world.delivery().await.id;
    let call = || world.owner().with_part("id", id);

    let (status, body) = world.cancelled(call().posting(&json!({ "reason": "the booking was void" }))).await;

    assert_eq!((status, body["data"]["state"].as_str()), (200, Some("cancelled")), "{body}");
    assert_eq!(body["data"]["reason"], "the booking was void");
    assert_eq!(world.cancelled(call()).await.0, 409, "it has ended");
    world.receiver.heal(HOOK).await.unwrap();
    world.run_for(SignedDuration::from_hours(2)).await;
    assert_eq!((world.delivery().await.state, world.received().await), (State::Cancelled, 1));
}

#[tokio::test]
async fn what_waits_for_a_closed_endpoint_can_be_cancelled() {
    let mut world = World::new().await;
    world.table.change(key::endpoint(world.tenant, world.endpoint)).set("state", "disabled").send().await.unwrap();
    world.accept("b1").await;
    let id = world.delivery().await.id;

    assert_eq!(world.cancelled(world.owner().with_part("id", id)).await.0, 200);

    let opened = world.table.change(key::endpoint(world.tenant, world.endpoint)).set("state", "active");
    opened.set("opened_at", world.now).send().await.unwrap();
    let check = shared::delivery::Job::Check { tenant: world.tenant, endpoint: world.endpoint };
    world.work(check).await.unwrap();
    world.run_for(SignedDuration::from_mins(10)).await;
    assert_eq!((world.delivery().await.state, world.received().await), (State::Cancelled, 0));
}

#[tokio::test]
async fn cancelled_while_its_attempt_is_under_way_what_has_arrived_has_arrived() {
    for (fault, state, verdict) in [
        (Fault::slow(1_000), State::Delivered, Verdict::Delivered),
        (Fault::status(500).after_ms(1_000), State::Cancelled, Verdict::Retry),
    ] {
        let world = World::new().await;
        world.accept("b1").await;
        let job = world.messages().remove(0);
        let id = world.delivery().await.id;
        world.receiver.fail_next(HOOK, [fault]).await.unwrap();

        let (worked, (status, _)) = tokio::join!(world.work(job.clone()), async {
            world.receiver.wait_for(HOOK, 1).await.unwrap();
            world.cancelled(world.owner().with_part("id", id)).await
        });
        worked.unwrap();
        world.work(job).await.unwrap();

        assert_eq!(status, 200);
        let (delivery, attempts) = (world.delivery().await, world.attempts().await);
        assert_eq!((delivery.state, delivery.attempts, delivery.due_at), (state, 1, None));
        assert_eq!((attempts.len(), attempts[0].verdict), (1, verdict), "the log tells of it");
        assert_eq!(world.messages(), [], "nothing more is tried");
    }
}

#[tokio::test]
async fn a_dead_letter_is_listed_and_put_away_with_its_reason() {
    let mut world = World::new().await;
    world.three().await;
    let (status, body) = told(dead_letters::handle(&world.reading(), world.owner()).await);
    assert_eq!(status, 200, "{body}");
    let letters = body["data"]["deliveries"].as_array().unwrap();
    assert_eq!((letters.len(), letters[0]["last_result"].as_str()), (1, Some("HTTP 404")));
    let id = letters[0]["id"].as_str().unwrap();
    let call = || world.owner().with_part("id", id);

    assert_eq!(world.discarded(call().posting(&json!({}))).await.0, 400, "without a reason");
    assert_eq!(world.discarded(call().posting(&json!({ "reason": " " }))).await.0, 400);
    let (status, body) = world.discarded(call().posting(&json!({ "reason": "a test booking" }))).await;

    assert_eq!((status, body["data"]["state"].as_str()), (200, Some("discarded")), "{body}");
    let (_, body) = told(dead_letters::handle(&world.reading(), world.owner()).await);
    assert_eq!(body["data"]["deliveries"], json!([]));
    assert_eq!(world.listed("state=discarded").await[0]["reason"], "a test booking");
    assert_eq!(world.discarded(call().posting(&json!({ "reason": "again" }))).await.0, 409);
    let call = world.owner().with_query("state=failed");
    assert_eq!(told(dead_letters::handle(&world.reading(), call).await).0, 400, "their states are given");
}

#[tokio::test]
async fn notices_are_read_newest_first_and_by_name() {
    let mut world = World::new().await;
    world.receiver.fail_next(HOOK, [Fault::status(500).times(3), Fault::status(404)]).await.unwrap();
    world.accept("b1").await;
    world.run_for(SignedDuration::from_hours(3)).await;
    let read = async |call: Call| told(notices::handle(&world.reading(), call).await);

    let (status, body) = read(world.owner()).await;
    let names: Vec<&str> =
        body["data"]["notices"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!((status, names), (200, vec!["delivery_failed", "endpoint_degraded"]));
    let (_, body) = read(world.owner().with_query("name=endpoint_*")).await;
    assert_eq!(body["data"]["notices"].as_array().unwrap().len(), 1);
    assert_eq!(body["data"]["notices"][0]["subject"], world.endpoint.to_string());
    let (_, first) = read(world.owner().with_query("limit=1")).await;
    let cursor = first["data"]["next_cursor"].as_str().unwrap();
    let (_, second) = read(world.owner().with_query(&format!("limit=1&cursor={cursor}"))).await;
    assert_eq!(second["data"]["notices"][0]["name"], "endpoint_degraded");
    assert_eq!(read(stranger()).await.1["data"]["notices"], json!([]));
    assert_eq!(read(nobody()).await.0, 401);
    assert_eq!(read(person(world.tenant, Role::Agent)).await.0, 403);
    assert_eq!(read(world.owner().with_query("colour=red")).await.0, 400);
}

#[tokio::test]
async fn strangers_and_those_who_may_not_change_nothing() {
    let mut world = World::new().await;
    world.three().await;
    let reason = json!({ "reason": "mine" });
    for delivery in world.deliveries().await {
        let stranger = || stranger().with_part("id", delivery.id).posting(&reason);
        let supervisor = || person(world.tenant, Role::Supervisor).with_part("id", delivery.id).posting(&reason);
        assert_eq!((world.cancelled(stranger()).await.0, world.discarded(stranger()).await.0), (404, 404));
        assert_eq!((world.cancelled(supervisor()).await.0, world.discarded(supervisor()).await.0), (403, 403));
    }
    let states: Vec<State> = world.deliveries().await.iter().map(|delivery| delivery.state).collect();
    assert_eq!(states, [State::Delivered, State::Failed, State::Pending]);
    let (_, body) = told(dead_letters::handle(&world.reading(), stranger()).await);
    assert_eq!(body["data"]["deliveries"], json!([]));
}
