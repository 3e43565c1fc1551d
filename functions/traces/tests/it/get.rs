use jiff::{SignedDuration, Timestamp};
use local::standin::{Fault, Mode};
use serde_json::{Value, json};
use shared::{
    delivery::State,
    endpoint,
    event::{Content, Origin},
    gate::Role,
    http::Call,
    id::AutomationId,
    key,
    outcome::{Outcome, Status},
    testing::{Units, nobody, person, stranger, table, told},
    trace::TraceId,
};
use traces::get::{self, Deps};

use crate::{HOOK, World};

async fn get(world: &World, call: Call, trace: TraceId) -> (u16, Value) {
    let deps = Deps { gate: world.gate(), table: world.table.clone() };
    told(get::handle(&deps, call.with_part("trace_id", trace)).await)
}

async fn story(world: &World, trace: TraceId) -> Value {
    let (status, answer) = get(world, world.supervisor(), trace).await;
    assert_eq!(status, 200, "{answer}");
    answer["data"].clone()
}

/// The steps of a story, in their order.
fn steps(story: &Value) -> Vec<&str> {
    story["timeline"].as_array().unwrap().iter().map(|moment| moment["step"].as_str().unwrap()).collect()
}

fn moment<'s>(story: &'s Value, step: &str) -> &'s Value {
    story["timeline"].as_array().unwrap().iter().find(|moment| moment["step"] == step).unwrap()
}

#[tokio::test]
async fn a_delivered_event_is_told_from_the_door_to_its_outcome() {
    let mut world = World::new().await;
    let (endpoint, _) = world.endpoint("Make", HOOK).await;
    let event = world.accept("b1").await;
    world.work().await;
    let delivery = world.delivery().await;
    let outcome = Outcome {
        tenant: world.tenant,
        trace: event.trace,
        delivery: delivery.id,
        digest: "d".into(),
        status: Status::Success,
        message: Some("booked".into()),
        execution_id: Some("x1".into()),
        at: world.now + SignedDuration::from_secs(5),
        keep_until: "2036-01-01T00:00:00Z".parse().unwrap(),
    };
    world.table.put(&outcome).await.unwrap();

    let story = story(&world, event.trace).await;

    assert_eq!(steps(&story), ["accepted", "routed", "numbered", "attempted", "ended", "told"]);
    assert_eq!((&story["complete"], &story["awaited"]), (&json!(true), &json!([])));
    let accepted = moment(&story, "accepted");
    assert_eq!((&accepted["event_type"], &accepted["origin"]), (&json!("booking.updated"), &json!("live")));
    assert_eq!(moment(&story, "numbered")["channels"], json!({ "tenant": 7 }));
    let routed = moment(&story, "routed");
    assert_eq!((&routed["endpoint"]["id"], &routed["endpoint"]["name"]), (&json!(endpoint), &json!("Make")));
    assert_eq!((&routed["delivery_id"], &routed["state"]), (&json!(delivery.id), &json!("delivered")));
    let attempted = moment(&story, "attempted");
    assert_eq!((&attempted["n"], &attempted["status"]), (&json!(1), &json!(200)));
    assert_eq!((&attempted["verdict"], &attempted["trigger"]), (&json!("delivered"), &json!("schedule")));
    assert_eq!(
        (&moment(&story, "told")["message"], &moment(&story, "told")["status"]),
        (&json!("booked"), &json!("success"))
    );
    let moments = story["timeline"].as_array().unwrap();
    let times: Vec<Timestamp> = moments.iter().map(|moment| moment["at"].as_str().unwrap().parse().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");
}

#[tokio::test]
async fn what_is_tried_again_is_awaited() {
    let mut world = World::new().await;
    world.endpoint("Make", HOOK).await;
    world.receiver.fail_next(HOOK, [Fault::status(500)]).await.unwrap();
    let event = world.accept("b1").await;
    world.work().await;

    let story = story(&world, event.trace).await;

    assert_eq!(steps(&story), ["accepted", "routed", "numbered", "attempted", "planned"]);
    assert_eq!((&story["complete"], &moment(&story, "planned")["n"]), (&json!(false), &json!(2)));
    let due = world.delivery().await.due_at.unwrap();
    let host = world.receiver.base.trim_start_matches("http://").to_owned();
    assert_eq!(story["awaited"], json!([format!("try 2 at Make ({host}) is made at {due}")]));
}

#[tokio::test]
async fn why_one_is_parked_is_said() {
    let mut world = World::new().await;
    let (endpoint, _) = world.endpoint("Make", HOOK).await;
    world.receiver.set_mode(HOOK, Mode::Closed).await.unwrap();
    let event = world.accept("b1").await;
    world.work().await;
    let host = world.receiver.base.trim_start_matches("http://").to_owned();

    let gone = story(&world, event.trace).await;
    assert_eq!(steps(&gone), ["accepted", "routed", "numbered", "attempted", "parked"]);
    let reason = moment(&gone, "parked")["reason"].as_str().unwrap();
    assert!(reason.starts_with("Make is disabled: the receiver answered 410 Gone"), "{reason}");
    assert_eq!(gone["awaited"], json!([format!("a person enables Make ({host})")]));

    let held = |by: endpoint::Holder| {
        let change = world.table.change(key::endpoint(world.tenant, endpoint));
        change.set("state", endpoint::State::Held).set("held_by", by).set("reason", "its scenario is off")
    };
    held(endpoint::Holder::Receiver).send().await.unwrap();
    let off = story(&world, event.trace).await;
    assert_eq!(moment(&off, "parked")["reason"], "Make is held: its scenario is off");
    assert_eq!(off["awaited"], json!([format!("the receiver of Make ({host}) works again")]));
    held(endpoint::Holder::Failures).send().await.unwrap();
    assert_eq!(story(&world, event.trace).await["awaited"], json!([format!("a probe of Make ({host}) succeeds")]));
}

#[tokio::test]
async fn what_is_not_routed_yet_is_awaited_for_a_while() {
    let mut world = World::new().await;
    world.endpoint("Make", HOOK).await;
    let event = world.booking("b1", TraceId::new());
    world.number(&event).await;
    let host = world.receiver.base.trim_start_matches("http://").to_owned();

    let fresh = story(&world, event.trace).await;
    assert_eq!((steps(&fresh), &fresh["complete"]), (vec!["accepted", "numbered"], &json!(false)));
    assert_eq!(fresh["awaited"], json!([format!("booking.updated is put on its way to Make ({host})")]));

    world.now += SignedDuration::from_mins(15);
    assert_eq!(story(&world, event.trace).await["complete"], true, "later it was never wanted, or is forgotten");
}

#[tokio::test]
async fn an_event_that_nobody_wants_is_complete() {
    let world = World::new().await;
    let event = world.accept("b1").await;
    let story = story(&world, event.trace).await;
    assert_eq!((steps(&story), &story["complete"]), (vec!["accepted", "numbered"], &json!(true)));
}

#[tokio::test]
async fn all_events_of_a_trace_are_told_and_each_of_their_deliveries() {
    let mut world = World::new().await;
    let trace = TraceId::new();
    world.endpoint("Make", HOOK).await;
    world.endpoint("Archive", "/hook.eu1.make.com/archive").await;
    for name in ["b1", "b2"] {
        let event = world.booking(name, trace);
        world.number(&event).await;
        world.route(&event).await;
        world.now += SignedDuration::from_millis(7);
    }
    world.work().await;

    let story = story(&world, trace).await;

    let count = |step: &str| steps(&story).iter().filter(|other| **other == step).count();
    assert_eq!((count("accepted"), count("routed"), count("attempted"), count("ended")), (2, 4, 4, 4));
    assert_eq!((&story["complete"], &story["truncated"]), (&json!(true), &json!(false)));
}

#[tokio::test]
async fn an_execution_of_an_automation_is_told_too() {
    let mut world = World::new().await;
    let (endpoint, _) = world.endpoint("Make", HOOK).await;
    let automation = AutomationId::new();
    let mut event = world.booking("run", TraceId::new());
    event.event_type = "automation.executed".into();
    event.to = Some(endpoint);
    event.origin = Origin::Reconciled;
    event.content = Content::Automation { automation, template: "lead-to-crm".into(), data: "{}".into() };
    world.number(&event).await;
    world.route(&event).await;
    world.work().await;

    let story = story(&world, event.trace).await;

    assert_eq!(moment(&story, "accepted")["automation_id"], json!(automation));
    assert_eq!((&moment(&story, "ended")["state"], &story["complete"]), (&json!("delivered"), &json!(true)));
}

#[tokio::test]
async fn a_delivery_to_an_endpoint_that_is_gone_is_told() {
    let mut world = World::new().await;
    let (endpoint, _) = world.endpoint("Make", HOOK).await;
    let event = world.accept("b1").await;
    world.table.delete(key::endpoint(world.tenant, endpoint)).await.unwrap();
    world.work().await;

    let story = story(&world, event.trace).await;

    assert_eq!(world.delivery().await.state, State::Failed);
    assert_eq!(moment(&story, "routed")["endpoint"], json!({ "id": endpoint, "name": null, "host": null }));
    assert_eq!(moment(&story, "ended")["result"], "its endpoint is gone");
    assert_eq!(moment(&story, "attempted")["error"], "no_endpoint");
}

#[tokio::test]
async fn a_moment_with_many_deliveries_does_not_hide_one() {
    let world = World::new().await;
    world.endpoint("Make", HOOK).await;
    // As the reconciler makes them: many at the same moment.
    for n in 0..120 {
        let event = world.booking(&format!("b{n}"), TraceId::new());
        world.number(&event).await;
        world.route(&event).await;
    }
    let event = world.booking("b119", TraceId::new());
    let stored = world.table.get(key::event(world.tenant, event.id)).await.unwrap();

    let story = story(&world, stored.trace).await;

    assert_eq!(steps(&story), ["accepted", "routed", "planned", "numbered"]);
}

#[tokio::test]
async fn the_story_is_bounded_and_says_so() {
    let mut world = World::new().await;
    let trace = TraceId::new();
    for n in 0..11 {
        world.number(&world.booking(&format!("b{n}"), trace)).await;
        world.now += SignedDuration::from_millis(1);
    }

    let story = story(&world, trace).await;

    assert_eq!((steps(&story).len(), &story["truncated"]), (20, &json!(true)));
}

#[tokio::test]
async fn what_it_costs() {
    let units = Units::default();
    let mut world = World::on(table().await.metered(units.meter())).await;
    world.endpoint("Make", HOOK).await;
    let event = world.accept("b1").await;
    world.work().await;
    let deps = Deps { gate: world.gate(), table: world.table.clone() };
    let ask = || get::handle(&deps, world.supervisor().with_part("trace_id", event.trace));
    ask().await.unwrap();
    units.take();

    ask().await.unwrap();

    assert_eq!(units.take(), (0.0, 3.0), "numbers, endpoints, event, deliveries, attempts, outcomes");
}

#[tokio::test]
async fn a_stranger_finds_nothing() {
    let world = World::new().await;
    let event = world.accept("b1").await;
    for (call, expected) in [(stranger(), 404), (nobody(), 401), (person(world.tenant, Role::Agent), 403)] {
        assert_eq!(get(&world, call, event.trace).await.0, expected);
    }
    assert_eq!(get(&world, world.supervisor(), TraceId::new()).await.0, 404);
    let deps = Deps { gate: world.gate(), table: world.table.clone() };
    for nonsense in ["", "x", "00000000000000000000000000000000", "4BF92F3577B34DA6A3CE929D0E0E4736"] {
        let call = world.supervisor().with_part("trace_id", nonsense);
        assert_eq!(told(get::handle(&deps, call).await).0, 404, "{nonsense}");
    }
}
