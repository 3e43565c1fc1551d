use deliveries::turn;
use jiff::SignedDuration;
use local::standin::{Fault, Mode};
use shared::{
    delivery::State,
    endpoint::{self, Holder},
    key,
};

use crate::world::{HOOK, World};

const OFF: &str = "its scenario is off";
const ON: &str = "its scenario is on";

impl World {
    async fn hold(&self) -> bool {
        turn::hold_for_receiver(&self.table, &self.endpoint().await, OFF).await.unwrap()
    }

    async fn open(&self) -> bool {
        turn::open_after_receiver(&self.table, &self.queue, &self.endpoint().await, ON, self.now).await.unwrap()
    }

    async fn pace(&self, percent: u8) -> bool {
        turn::set_pace(&self.table, &self.endpoint().await, percent).await.unwrap()
    }
}

#[tokio::test]
async fn what_is_held_for_its_receiver_waits_unprobed_until_the_receiver_is_back() {
    let mut world = World::new().await;
    assert!(world.hold().await);
    assert!(!world.hold().await, "it is held already");
    for n in 0..3 {
        world.accept(&format!("b{n}")).await;
    }

    world.run_for(SignedDuration::from_hours(3)).await;
    assert_eq!(world.received().await, 0, "nobody probes it");
    assert!(world.deliveries().await.iter().all(|delivery| delivery.state == State::Parked));

    assert!(world.open().await);
    assert!(!world.open().await, "it is open already");
    world.run_for(SignedDuration::from_mins(5)).await;
    assert!(world.deliveries().await.iter().all(|delivery| delivery.state == State::Delivered));
    assert!(world.notices().await.is_empty(), "whoever watches the receiver tells why");
    let endpoint = world.endpoint().await;
    assert_eq!((endpoint.state, endpoint.check_at), (endpoint::State::Active, None));
}

#[tokio::test]
async fn of_two_who_watch_one_holds_it_and_one_opens_it() {
    let world = World::new().await;
    let endpoint = world.endpoint().await;
    let hold = || turn::hold_for_receiver(&world.table, &endpoint, OFF);
    let (one, other) = tokio::join!(hold(), hold());
    // A clash of the two is nobody's fault: whoever loses it may be told to try again.
    let held = [one, other].into_iter().filter(|outcome| matches!(outcome, Ok(true))).count();
    assert_eq!(held, 1);

    let endpoint = world.endpoint().await;
    let open = || turn::open_after_receiver(&world.table, &world.queue, &endpoint, ON, world.now);
    let (one, other) = tokio::join!(open(), open());
    let opened = [one, other].into_iter().filter(|outcome| matches!(outcome, Ok(true))).count();
    assert_eq!(opened, 1);
}

#[tokio::test]
async fn opened_and_killed_before_its_message_the_sweep_sends_what_waited() {
    let mut world = World::new().await;
    world.hold().await;
    world.accept("b1").await;
    world.open().await;
    world.messages();

    world.run_for(SignedDuration::from_mins(4)).await;

    assert_eq!(world.delivery().await.state, State::Delivered);
}

#[tokio::test]
async fn what_fails_on_its_own_is_no_longer_probed_once_its_receiver_holds_it() {
    let mut world = World::new().await;
    world.receiver.set_mode(HOOK, Mode::Failing).await.unwrap();
    for n in 0..12 {
        world.accept(&format!("b{n:02}")).await;
        world.run_for(SignedDuration::from_mins(2)).await;
    }
    assert_eq!(world.endpoint().await.held_by, Holder::Failures);

    assert!(world.hold().await);
    let before = world.received().await;
    world.run_for(SignedDuration::from_hours(5)).await;

    assert_eq!(world.received().await, before, "no probe");
    assert_eq!(world.endpoint().await.held_by, Holder::Receiver);
}

#[tokio::test]
async fn a_probe_under_way_does_not_open_what_its_receiver_holds_meanwhile() {
    let mut world = World::new().await;
    world.receiver.set_mode(HOOK, Mode::Failing).await.unwrap();
    for n in 0..12 {
        world.accept(&format!("b{n:02}")).await;
        world.run_for(SignedDuration::from_mins(2)).await;
    }
    world.receiver.heal(HOOK).await.unwrap();
    world.receiver.forget(HOOK).await.unwrap();
    world.receiver.fail_next(HOOK, [Fault::slow(1_000)]).await.unwrap();
    let check = shared::delivery::Job::Check { tenant: world.tenant, endpoint: world.endpoint };

    let (probed, held) = tokio::join!(world.work(check), async {
        world.receiver.wait_for(HOOK, 1).await.unwrap();
        world.hold().await
    });

    probed.unwrap();
    assert!(held);
    assert_eq!(world.endpoint().await.state, endpoint::State::Held, "the success of the probe came too late");
}

#[tokio::test]
async fn what_a_person_closed_or_a_410_stays_closed() {
    let mut world = World::new().await;
    world.receiver.set_mode(HOOK, Mode::Closed).await.unwrap();
    world.accept("b1").await;
    world.run_until(world.now).await;

    assert!(!world.hold().await);
    assert!(!world.open().await);

    assert_eq!(world.endpoint().await.state, endpoint::State::Disabled);
}

#[tokio::test]
async fn a_slowed_endpoint_is_sent_its_share_and_no_more() {
    let mut world = World::new().await;
    // A worker leases tokens at the full pace, and keeps what it has not spent. That its endpoint recovers makes it
    // read it anew.
    world.receiver.fail_next(HOOK, [Fault::status(500)]).await.unwrap();
    world.accept("warm").await;
    world.run_for(SignedDuration::from_mins(1)).await;
    world.receiver.forget(HOOK).await.unwrap();
    assert!(world.pace(10).await);
    assert!(!world.pace(10).await, "it is that already");

    for n in 0..60 {
        world.accept(&format!("b{n}")).await;
    }
    for job in world.messages() {
        world.work(job).await.unwrap();
    }

    assert_eq!(world.received().await, 15, "a tenth of 150; nothing leased before is spent on top");
    world.now += SignedDuration::from_secs(1);
    assert!(world.pace(100).await);
    assert!(world.notices().await.is_empty(), "whoever watches the receiver tells why");
}

#[tokio::test]
async fn what_waited_drains_at_the_slowed_pace_in_one_chain() {
    let mut world = World::new().await;
    world.hold().await;
    for n in 0..60 {
        world.accept(&format!("b{n:02}")).await;
    }
    world.pace(10).await;
    world.open().await;
    let check = world.messages().remove(0);

    world.work(check.clone()).await.unwrap();
    // Repeated, it is too early for the next page.
    world.work(check).await.unwrap();

    let mut kept = std::mem::take(&mut *world.kept.lock().unwrap());
    let last = kept.pop().unwrap();
    assert_eq!(kept.len(), 50, "a page, once");
    let delays: Vec<u64> = kept.iter().map(|(_, delay)| delay.as_secs()).collect();
    assert!(delays.is_sorted() && delays[15] == 10 && delays[49] == 32, "15 in ten seconds: {delays:?}");
    assert_eq!((last.0["job"].as_str(), last.1.as_secs()), (Some("check"), 33), "then the next page");
    world.kept.lock().unwrap().extend(kept);
    world.kept.lock().unwrap().push(last);
    world.run_for(SignedDuration::from_mins(10)).await;
    assert!(world.deliveries().await.iter().all(|delivery| delivery.state == State::Delivered));
    assert_eq!(world.endpoint().await.check_at, None);
}

#[tokio::test]
async fn a_look_at_what_its_receiver_holds_ends_looking() {
    let world = World::new().await;
    world.hold().await;
    // Listed by a probe that was on its way.
    let due = Some(key::due(world.endpoint.as_bytes(), world.now));
    let listed = world.table.change(key::endpoint(world.tenant, world.endpoint)).set("check_at", world.now);
    listed.index(due).send().await.unwrap();
    assert_eq!(world.sweep().await, 1);

    let check = world.messages().remove(0);
    world.work(check).await.unwrap();

    assert_eq!(world.endpoint().await.check_at, None);
}
