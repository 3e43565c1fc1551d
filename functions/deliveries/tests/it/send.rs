use jiff::SignedDuration;
use local::standin::{Fault, Mode};
use secrecy::SecretString;
use shared::{
    delivery::{Job, State, Trigger, Verdict},
    endpoint,
    event::Context,
    key, sign,
};

use crate::world::{HOOK, World};

#[tokio::test]
async fn what_is_sent_is_signed_and_logged() {
    let mut world = World::new().await;
    let event = world.accept("b1").await;

    world.run_until(world.now).await;

    let sent = world.receiver.wait_for(HOOK, 1).await.unwrap().remove(0);
    let delivery = world.delivery().await;
    let headers = sent.headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
    let body = sent.body.clone().unwrap();
    assert_eq!(sign::verify(&[SecretString::from(world.secret.clone())], &headers, world.now, body.as_bytes()), Ok(()));
    assert_eq!(sent.headers["webhook-id"], delivery.id.to_string());
    assert_eq!(sent.headers["x-make-apikey"], "key-of-the-hook");
    assert!(sent.headers["traceparent"].contains(&event.trace.to_string()));
    assert_eq!(body, event.payload("test", &Context::default(), None).unwrap());
    assert_eq!((delivery.state, delivery.attempts), (State::Delivered, 1));
    let attempt = world.attempts().await.remove(0);
    assert_eq!(
        (attempt.status, attempt.answer.as_deref(), attempt.verdict),
        (Some(200), Some("Accepted"), Verdict::Delivered)
    );
}

#[tokio::test]
async fn eight_tries_on_the_schedule_then_a_person_is_told() {
    let mut world = World::new().await;
    // Fails for one delivery alone: the endpoint itself stays open.
    world.receiver.set_mode(HOOK, Fault::status(503)).await.unwrap();
    let accepted = world.accept("b1").await.accepted_at;
    keep_open(&world).await;

    world.run_for(SignedDuration::from_hours(40)).await;

    let waits: Vec<i64> =
        world.attempts().await.windows(2).map(|pair| pair[1].at.duration_since(pair[0].at).as_secs()).collect();
    let planned = [5, 300, 1_800, 7_200, 18_000, 36_000, 36_000];
    assert_eq!(waits.len(), planned.len(), "{waits:?}");
    for (wait, planned) in waits.iter().zip(planned) {
        // ±20 %, and what the sweep is late by: it runs once a minute.
        let (least, most) = (planned * 8 / 10 - 1, planned * 12 / 10 + if planned > 900 { 61 } else { 1 });
        assert!((least..=most).contains(wait), "{wait} for {planned}");
    }
    let delivery = world.delivery().await;
    assert_eq!((delivery.state, delivery.attempts), (State::Failed, 8));
    assert!(delivery.ended_at.unwrap() > accepted);
    assert_eq!(world.notices().await.iter().filter(|name| *name == "delivery_failed").count(), 1);
}

/// Makes failures not count against the endpoint, so that the schedule of one delivery is seen alone.
async fn keep_open(world: &World) {
    let change = world.table.change(key::endpoint(world.tenant, world.endpoint));
    change.set("failures", -1_000).send().await.ok();
    let change = world.table.change(key::endpoint(world.tenant, world.endpoint));
    change.set("failures", 0).set("failing_since", world.now + SignedDuration::from_hours(1_000)).send().await.unwrap();
}

#[tokio::test]
async fn each_kind_of_trouble_passes_and_nothing_is_lost() {
    for (trouble, least_wait_s) in [
        (Fault::status(500), 4),
        (Fault::down(), 4),
        (Fault::status(408), 48),
        (Fault::too_many_requests().retry_after(120), 120),
        (Fault::queue_full(), 48),
    ] {
        let mut world = World::new().await;
        world.receiver.fail_next(HOOK, [trouble.clone()]).await.unwrap();
        world.accept("b1").await;

        world.run_for(SignedDuration::from_mins(5)).await;

        let (delivery, attempts) = (world.delivery().await, world.attempts().await);
        assert_eq!((delivery.state, delivery.attempts), (State::Delivered, 2), "{trouble:?}");
        let wait = attempts[1].at.duration_since(attempts[0].at).as_secs();
        assert!(wait >= least_wait_s, "{wait} s after {trouble:?}");
    }
}

#[tokio::test]
async fn a_refusal_is_final_and_told() {
    let mut world = World::new().await;
    world.receiver.fail_next(HOOK, [Fault::status(401).body("no")]).await.unwrap();
    world.accept("b1").await;

    world.run_for(SignedDuration::from_hours(1)).await;

    let delivery = world.delivery().await;
    assert_eq!((delivery.state, delivery.last.as_deref()), (State::Failed, Some("HTTP 401")));
    assert_eq!(world.notices().await, ["delivery_failed"]);
    assert_eq!(world.received().await, 1);
}

#[tokio::test]
async fn gone_closes_the_endpoint_and_keeps_what_was_due() {
    let mut world = World::new().await;
    world.receiver.set_mode(HOOK, Mode::Closed).await.unwrap();
    world.accept("b1").await;
    world.run_until(world.now).await;
    world.accept("b2").await;

    world.run_for(SignedDuration::from_hours(48)).await;

    assert_eq!(world.endpoint().await.state, endpoint::State::Disabled);
    assert!(world.deliveries().await.iter().all(|delivery| delivery.state == State::Parked));
    assert_eq!(world.received().await, 1, "a closed endpoint is left alone");
    assert_eq!(world.notices().await, ["endpoint_disabled"]);
}

#[tokio::test]
async fn the_same_message_five_times_at_once_is_one_line_of_the_log() {
    let world = World::new().await;
    world.accept("b1").await;
    let job = world.messages().remove(0);

    let work = || world.work(job.clone());
    let (a, b, c, d, e) = tokio::join!(work(), work(), work(), work(), work());

    for outcome in [a, b, c, d, e] {
        outcome.unwrap();
    }
    assert_eq!((world.delivery().await.state, world.attempts().await.len()), (State::Delivered, 1));
    let ids: std::collections::BTreeSet<_> = world
        .receiver
        .requests(HOOK)
        .await
        .unwrap()
        .into_iter()
        .map(|sent| sent.headers["webhook-id"].clone())
        .collect();
    assert_eq!(ids.len(), 1, "whoever counts by webhook-id counts one");
    let hour = world.table.list_all(&key::hours(world.tenant, world.endpoint, world.now, world.now)).await.unwrap();
    assert_eq!(hour[0].succeeded, 1);
}

#[tokio::test]
async fn killed_after_the_log_the_next_worker_goes_on_from_it() {
    let world = World::new().await;
    world.accept("b1").await;
    let job = world.messages().remove(0);
    world.work(job.clone()).await.unwrap();
    let delivery = world.delivery().await;
    let undone = world.table.change(key::delivery(world.tenant, delivery.id));
    undone.set("state", State::Pending).set("attempts", 0).remove("ended_at").send().await.unwrap();
    world.receiver.set_mode(HOOK, Mode::Failing).await.unwrap();

    world.work(job).await.unwrap();

    assert_eq!(world.delivery().await.state, State::Delivered, "what was logged counts, not the second answer");
    assert_eq!(world.attempts().await.len(), 1);
}

#[tokio::test]
async fn killed_before_the_log_the_same_webhook_id_is_sent_again() {
    let world = World::new().await;
    world.accept("b1").await;
    let job = world.messages().remove(0);
    world.receiver.fail_next(HOOK, [Fault::slow(400)]).await.unwrap();
    let killed = tokio::time::timeout(std::time::Duration::from_millis(200), world.work(job.clone())).await;
    assert!(killed.is_err(), "it was killed while it waited for the answer");

    world.work(job).await.unwrap();

    let sent = world.receiver.wait_for(HOOK, 2).await.unwrap();
    assert_eq!(sent[0].headers["webhook-id"], sent[1].headers["webhook-id"]);
    assert_eq!((world.delivery().await.state, world.attempts().await.len()), (State::Delivered, 1));
}

#[tokio::test]
async fn of_two_outcomes_of_one_attempt_the_success_counts() {
    let world = World::new().await;
    world.accept("b1").await;
    let job = world.messages().remove(0);
    world.receiver.fail_next(HOOK, [Fault::status(500)]).await.unwrap();
    world.work(job.clone()).await.unwrap();
    let delivery = world.delivery().await;
    let undone = world.table.change(key::delivery(world.tenant, delivery.id));
    undone.set("state", State::Pending).set("attempts", 0).set("step", 0).send().await.unwrap();

    world.work(job).await.unwrap();

    assert_eq!(world.delivery().await.state, State::Delivered);
    assert_eq!(world.attempts().await[0].verdict, Verdict::Delivered, "the log tells of it");
}

#[tokio::test]
async fn a_success_that_comes_after_the_delivery_went_on_does_not_stand_in_the_log_twice() {
    let world = World::new().await;
    world.accept("b1").await;
    let job = world.messages().remove(0);
    world.receiver.fail_next(HOOK, [Fault::slow(600), Fault::status(500)]).await.unwrap();
    let slow = world.work(job.clone());
    let quick = async {
        world.receiver.wait_for(HOOK, 1).await.unwrap();
        world.work(job.clone()).await.unwrap();
        assert_eq!((world.delivery().await.state, world.delivery().await.attempts), (State::Pending, 1));
    };
    let (slow, ()) = tokio::join!(slow, quick);
    slow.unwrap();

    world.work(world.delivery().await.job()).await.unwrap();

    let told: Vec<_> = world.attempts().await.iter().map(|attempt| attempt.verdict).collect();
    assert_eq!((world.delivery().await.state, told), (State::Delivered, vec![Verdict::Retry, Verdict::Delivered]));
}

#[tokio::test]
async fn what_waited_a_month_is_still_in_the_log_when_it_fails() {
    let mut world = World::new().await;
    world.accept("b1").await;
    world.now += SignedDuration::from_hours(24 * 40);
    world.receiver.fail_next(HOOK, [Fault::status(401)]).await.unwrap();

    world.run_until(world.now).await;

    assert_eq!(world.delivery().await.state, State::Failed);
    assert_eq!(world.attempts().await.len(), 1);
}

#[tokio::test]
async fn a_late_message_changes_nothing() {
    let world = World::new().await;
    world.accept("b1").await;
    let job = world.messages().remove(0);
    world.work(job.clone()).await.unwrap();

    world.work(job).await.unwrap();

    assert_eq!((world.received().await, world.attempts().await.len()), (1, 1));
}

#[tokio::test]
async fn an_endpoint_is_not_sent_more_than_make_takes() {
    let world = World::new().await;
    for n in 0..200 {
        world.accept(&format!("b{n}")).await;
    }
    for job in world.messages() {
        world.work(job).await.unwrap();
    }

    let sent = world.received().await;
    assert_eq!(sent, 150, "a burst of half of 300, the rest is spread over 10 seconds");
    assert_eq!(world.messages().len(), 50, "what was too much is queued again");
}

#[tokio::test]
async fn nothing_is_sent_to_an_address_that_leads_inside() {
    let mut world = World::new().await;
    world.accept("b1").await;
    // The stack no longer lets the stand-in through: its address is private.
    world.deps = deliveries::send::Deps::new(
        world.table.clone(),
        world.queue.clone(),
        shared::testing::vault(),
        shared::egress::Egress::new("", ""),
        deliveries::send::Sender { stage: "test".into(), ..Default::default() },
    );

    world.run_until(world.now).await;

    assert_eq!((world.delivery().await.state, world.received().await), (State::Failed, 0));
}

#[tokio::test]
async fn both_secrets_sign_until_the_old_one_ends() {
    let mut world = World::new().await;
    let (keyring, place) =
        (shared::testing::vault().keyring().await.unwrap(), [world.tenant.to_string(), world.endpoint.to_string()]);
    let new = shared::secrets::webhook_secret();
    let endpoint = world.endpoint().await;
    let sealed = keyring.seal([&place[0], &place[1], "secret"], &new).unwrap();
    let rotated = world.table.change(key::endpoint(world.tenant, world.endpoint));
    let previous = endpoint::Previous { secret: endpoint.secret, until: world.now + SignedDuration::from_hours(24) };
    rotated.set("secret", sealed).set("previous", previous).send().await.unwrap();

    world.accept("during").await;
    world.run_until(world.now).await;
    world.run_for(SignedDuration::from_hours(25)).await;
    world.accept("after").await;
    world.run_until(world.now).await;

    let signatures: Vec<usize> = world
        .receiver
        .requests(HOOK)
        .await
        .unwrap()
        .iter()
        .map(|sent| sent.headers["webhook-signature"].split(' ').count())
        .collect();
    assert_eq!(signatures, [2, 1]);
}

#[tokio::test]
async fn a_message_for_what_is_gone_does_nothing() {
    let world = World::new().await;
    let job = Job::Deliver { tenant: world.tenant, delivery: shared::id::DeliveryId::new(), attempts: 0 };
    world.work(job).await.unwrap();
    assert_eq!(world.received().await, 0);
}

#[tokio::test]
async fn a_deleted_endpoint_ends_its_deliveries_aloud() {
    let mut world = World::new().await;
    world.accept("b1").await;
    world.table.delete(key::endpoint(world.tenant, world.endpoint)).await.unwrap();

    world.run_until(world.now).await;

    assert_eq!(world.delivery().await.state, State::Failed);
    assert_eq!(world.notices().await, ["delivery_failed"]);
    assert_eq!(world.attempts().await[0].trigger, Trigger::Schedule);
}
