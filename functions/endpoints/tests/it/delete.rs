use std::{pin::pin, task::Poll, time::Duration};

use endpoints::delete::{self, Deps};
use futures::poll;
use jiff::SignedDuration;
use local::standin::Mode;
use serde_json::{Value, json};
use shared::{
    delivery::State,
    endpoint::{self, Endpoint, Plan, tally::Tally},
    gate::Role,
    http::Call,
    id::EndpointId,
    key,
    notice::Notice,
    testing::{nobody, person, stranger, told, vault},
};

use crate::{HOOK, World};

async fn delete(world: &World, call: Call, id: EndpointId) -> (u16, Value) {
    let deps = Deps { gate: world.gate(), table: world.table.clone(), queue: world.queue.clone() };
    told(delete::handle(&deps, call.with_part("id", id)).await)
}

/// Goes so many steps and is killed there, unless it has come to its end.
async fn killed_after<T>(steps: usize, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    for _ in 0..steps {
        if let Poll::Ready(done) = poll!(work.as_mut()) {
            return Some(done);
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    None
}

async fn is_there(world: &World, id: EndpointId) -> bool {
    world.table.find_now(key::endpoint(world.tenant, id)).await.unwrap().is_some()
}

#[tokio::test]
async fn one_that_nothing_waits_for_goes() {
    let world = World::new().await;
    let made = world.endpoint().await;
    world.accept("b1").await;
    world.work().await;

    let (status, answer) = delete(&world, world.owner().with_header("if-match", made.etag()), made.id()).await;
    world.work().await;

    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["data"], json!({ "id": made.id(), "discarded": { "parked": 0, "pending": 0 } }));
    assert!(!is_there(&world, made.id()).await);
    assert_eq!(world.states().await, [State::Delivered], "its log stays");
    assert_eq!(world.notices().await, ["endpoint_deleted"]);
    assert_eq!(delete(&world, world.owner().with_header("if-match", "*"), made.id()).await.0, 404);
}

#[tokio::test]
async fn what_waits_for_it_keeps_it_unless_it_is_given_up() {
    let mut world = World::new().await;
    let made = world.endpoint().await;
    world.receiver.set_mode(HOOK, Mode::Failing).await.unwrap();
    world.accept("tried").await;
    let sent = std::mem::take(&mut *world.kept.lock().unwrap());
    let deps = world.sender();
    for (message, _) in sent {
        deliveries::send::handle_at(&deps, serde_json::from_value(message).unwrap(), world.now).await.unwrap();
    }
    world.kept.lock().unwrap().clear();
    world.disable(world.owner().posting(&json!({ "reason": "it fails" })), made.id()).await;
    world.now += SignedDuration::from_secs(1);
    world.accept("parked").await;
    assert_eq!(world.states().await, [State::Pending, State::Parked]);
    let seen = || world.owner().with_header("if-match", "\"1\"");

    let (status, problem) = delete(&world, seen(), made.id()).await;
    assert_eq!(status, 409);
    assert!(
        problem["detail"].as_str().unwrap().starts_with("1 deliveries are parked for it and 1 are to be tried again")
    );
    assert!(is_there(&world, made.id()).await);

    let (status, answer) = delete(&world, seen().with_query("discard=true"), made.id()).await;
    assert_eq!((status, &answer["data"]["discarded"]), (200, &json!({ "parked": 1, "pending": 1 })));
    world.work().await;
    let [tried, parked] = &world.deliveries().await[..] else { panic!("two deliveries") };
    assert_eq!(parked.state, State::Cancelled);
    assert_eq!(parked.reason.as_deref(), Some("its endpoint was deleted"));
    deliveries::send::handle_at(&world.sender(), tried.job(), world.now).await.unwrap();
    let [tried, _] = &world.deliveries().await[..] else { panic!("two deliveries") };
    assert_eq!((tried.state, tried.last.as_deref()), (State::Failed, Some("its endpoint is gone")));
    assert!(world.notices().await.contains(&"delivery_failed".into()), "nothing is lost in silence");
}

#[tokio::test]
async fn however_much_is_parked_all_of_it_ends() {
    let world = World::new().await;
    let made = world.endpoint().await;
    world.disable(world.owner().posting(&json!({ "reason": "for weeks" })), made.id()).await;
    let row = world.row(made.id()).await;
    for n in 0..120 {
        world.park(&format!("b{n}"), &row).await;
    }

    let call = world.owner().with_header("if-match", "*").with_query("discard=true");
    let (status, answer) = delete(&world, call, made.id()).await;
    world.work().await;

    assert_eq!((status, &answer["data"]["discarded"]["parked"]), (200, &json!(120)));
    assert_eq!(world.states().await, [State::Cancelled; 120]);
}

#[tokio::test]
async fn what_is_parked_while_it_goes_ends_too() {
    let world = World::new().await;
    let made = world.endpoint().await;
    world.disable(world.owner().posting(&json!({ "reason": "it goes" })), made.id()).await;
    let late = world.row(made.id()).await;

    delete(&world, world.owner().with_header("if-match", "*"), made.id()).await;
    let mut messages = std::mem::take(&mut *world.kept.lock().unwrap());
    messages.sort_by_key(|(_, delay)| *delay);
    let [(now, at_once), (then, later)] = &messages[..] else { panic!("two checks: {messages:?}") };
    assert!(at_once.is_zero() && later.as_secs() >= 60);
    let sender = world.sender();
    deliveries::send::handle_at(&sender, serde_json::from_value(now.clone()).unwrap(), world.now).await.unwrap();
    // A function that still believed the endpoint there parks something now.
    world.park("late", &late).await;
    deliveries::send::handle_at(&sender, serde_json::from_value(then.clone()).unwrap(), world.now).await.unwrap();

    assert_eq!(world.states().await, [State::Cancelled]);
}

#[tokio::test]
async fn killed_anywhere_it_is_as_before_or_gone_with_its_notice_and_the_same_request_finishes_it() {
    let mut world = World::new().await;
    let (mut untouched, mut gone) = (0, 0);
    for steps in 1.. {
        world.now += SignedDuration::from_mins(1);
        let made = world.endpoint().await;
        let id = made.id();
        let parking = Endpoint { state: endpoint::State::Disabled, ..world.row(id).await };
        world.park(&format!("b{steps}"), &parking).await;
        let ask = || delete(&world, world.owner().with_header("if-match", made.etag()).with_query("discard=true"), id);
        let told = async || {
            let notices: Vec<Notice> = world.table.list_all(&key::notices(world.tenant)).await.unwrap();
            notices.iter().filter(|notice| notice.subject == id.to_string()).count()
        };

        let answer = killed_after(steps, ask()).await;

        // What the table was asked for at that moment may still happen.
        tokio::time::sleep(Duration::from_millis(20)).await;
        if is_there(&world, id).await {
            assert_eq!((world.row(id).await.state, told().await), (endpoint::State::Active, 0), "after {steps} steps");
            assert_eq!(ask().await.0, 200, "after {steps} steps");
            untouched += 1;
        } else {
            gone += 1;
        }
        assert!(!is_there(&world, id).await);
        assert_eq!(told().await, 1, "after {steps} steps");
        if answer.is_some() {
            break;
        }
    }
    assert!(untouched > 3 && gone > 0, "{untouched} and {gone}");
    world.work().await;
    assert!(world.states().await.iter().all(|state| *state == State::Cancelled), "what was parked has ended");
    let tally: Tally = world.table.get(key::endpoint_tally(world.tenant)).await.unwrap();
    assert_eq!(tally.total, 0);
}

#[tokio::test]
async fn the_version_that_was_seen_has_to_be_named_and_be_the_present_one() {
    let world = World::new().await;
    let made = world.endpoint().await;
    world.enable(world.owner().posting(&json!({})), made.id()).await;
    world.disable(world.owner().posting(&json!({ "reason": "changed since" })), made.id()).await;

    assert_eq!(delete(&world, world.owner(), made.id()).await.0, 428);
    assert_eq!(delete(&world, world.owner().with_header("if-match", made.etag()), made.id()).await.0, 412);
    assert!(is_there(&world, made.id()).await);
}

#[tokio::test]
async fn of_five_at_once_one_deletes_it() {
    let world = World::new().await;
    let made = world.endpoint().await;
    let gone = || delete(&world, world.owner().with_header("if-match", made.etag()), made.id());

    let (a, b, c, d, e) = tokio::join!(gone(), gone(), gone(), gone(), gone());

    let all = [a.0, b.0, c.0, d.0, e.0];
    assert_eq!(all.iter().filter(|status| **status == 200).count(), 1, "{all:?}");
    assert!(all.iter().all(|status| [200, 404, 412].contains(status)), "{all:?}");
    assert!(!is_there(&world, made.id()).await);
}

#[tokio::test]
async fn a_row_of_an_older_form_goes_too() {
    let world = World::new().await;
    let made = world.endpoint().await;
    world.table.change(key::endpoint(world.tenant, made.id())).remove("revision").send().await.unwrap();

    assert_eq!(delete(&world, world.owner().with_header("if-match", "\"0\""), made.id()).await.0, 200);
    assert!(!is_there(&world, made.id()).await);
}

#[tokio::test]
async fn an_automations_own_stays() {
    let world = World::new().await;
    let plan = Plan {
        id: endpoint::target(),
        name: "automation".into(),
        host: "hook.eu1.make.com".into(),
        url: "https://hook.eu1.make.com/abc".into(),
        make_key: None,
        event_types: Vec::new(),
    };
    let keyring = vault().keyring().await.unwrap();
    let (target, _) = Endpoint::new(&keyring, world.tenant, plan, world.now).unwrap();
    world.table.put(&target).await.unwrap();

    let (status, problem) = delete(&world, world.owner().with_header("if-match", "*"), target.id).await;

    assert_eq!((status, &problem["detail"]), (409, &json!("this endpoint belongs to an automation")));
    assert!(is_there(&world, target.id).await);
}

#[tokio::test]
async fn nonsense_is_the_callers_fault() {
    let world = World::new().await;
    let made = world.endpoint().await;
    for query in ["discard=perhaps", "discard=", "all=true"] {
        let call = world.owner().with_header("if-match", made.etag()).with_query(query);
        assert_eq!(delete(&world, call, made.id()).await.0, 400, "{query}");
    }
}

#[tokio::test]
async fn a_stranger_finds_nothing_and_only_an_owner_may() {
    let world = World::new().await;
    let made = world.endpoint().await;
    for (call, expected) in [(stranger(), 404), (nobody(), 401), (person(world.tenant, Role::Supervisor), 403)] {
        assert_eq!(delete(&world, call.with_header("if-match", "*"), made.id()).await.0, expected);
    }
    assert!(is_there(&world, made.id()).await);
}
