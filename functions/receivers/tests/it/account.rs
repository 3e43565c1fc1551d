use std::time::Duration;

use jiff::SignedDuration;
use local::standin::{Fault, MakeOrder};
use receivers::{
    account::{give, take_back},
    watch::{self, Watched},
};
use serde_json::{Value, json};
use shared::{
    endpoint::State,
    gate::Role,
    http::Reply,
    key,
    make::pull::{Pull, State as PullState},
    testing::{nobody, person, person_with, stranger, told},
};

use crate::world::{World, ZONE};

const API: &str = "/eu1.make.com/api/v2/*";

fn pointers(body: &Value) -> Vec<&str> {
    body["errors"].as_array().unwrap().iter().map(|fault| fault["pointer"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn an_account_is_tried_and_shown_without_its_token() {
    let world = World::new().await;

    let given = world.given().await;
    let (status, shown) = world.shown().await;

    assert_eq!((status, &shown), (200, &given));
    assert_eq!(shown["zone"], ZONE);
    assert_eq!(shown["team_id"], world.customer.team_id);
    assert_eq!(shown["organization_id"], Value::Null);
    assert_eq!(shown["token_fingerprint"].as_str().unwrap().len(), 8);
    assert_eq!(shown["missing_scopes"], json!([]));
    assert_eq!(shown["status"], "new");
    assert_eq!(shown["api_limit"], 100_000);
    let stored = serde_json::to_string(&world.account().await.unwrap()).unwrap();
    for text in [shown.to_string(), stored] {
        assert!(!text.contains(&world.customer.token), "{text}");
    }
}

#[tokio::test]
async fn an_account_from_before_there_were_pulls_gets_one_with_its_next_look_and_once() {
    let mut world = World::watched().await;
    let pull = key::make_pull(world.tenant);
    let before = world.table.change(key::make_account(world.tenant)).remove("has_pull");
    assert!(before.write().await.unwrap());
    world.table.delete(pull.clone()).await.unwrap();
    let now = world.now;
    world.look_well().await;

    let made: Pull = world.table.get(pull.clone()).await.unwrap();
    assert_eq!((made.state, made.due_at, made.revision), (PullState::Running, made.since, 0));
    assert!(now <= made.since && made.since < world.now, "at once");
    let due = world.table.list_index(&key::pulls(world.now), 10).await.unwrap();
    assert_eq!(due.iter().filter_map(|due| due.tenant()).collect::<Vec<_>>(), [world.tenant]);
    assert!(world.account().await.unwrap().has_pull);

    // One that there is stays as it is, whoever made it.
    let before = world.table.change(key::make_account(world.tenant)).remove("has_pull");
    assert!(before.write().await.unwrap());
    world.look_well().await;
    let stays: Pull = world.table.get(pull).await.unwrap();
    assert_eq!((stays.due_at, stays.since), (made.due_at, made.since));
}

#[tokio::test]
async fn everything_that_is_wrong_is_told_at_once() {
    let world = World::new().await;
    for (body, faults) in [
        (json!({}), vec!["/zone", "/token"]),
        (json!({ "zone": "eu9.make.com", "token": "", "team_id": 1, "more": 1 }), vec!["/zone", "/token", "/more"]),
        (json!({ "zone": ZONE, "token": "t" }), vec!["/organization_id"]),
        (json!({ "zone": ZONE, "token": "t", "team_id": 1, "organization_id": 2 }), vec!["/team_id"]),
        (json!({ "zone": ZONE, "token": "t\u{7f}t", "team_id": "x" }), vec!["/team_id", "/token"]),
    ] {
        let (status, told) = told(give::handle(&world.give_deps(), world.owner().posting(&body)).await);
        assert_eq!(status, 400, "{told}");
        assert_eq!(pointers(&told), faults, "{body}");
    }
    assert!(world.account().await.is_none());
    assert_eq!(world.requests().await, Vec::<String>::new(), "Make.com is not asked about nonsense");
}

#[tokio::test]
async fn a_token_that_lacks_scopes_is_told_which() {
    let world = World::new().await;
    let put = |scopes: Value| {
        world.standin.make_put(ZONE, "tokens", json!({ "token": world.customer.token, "scopes": scopes }))
    };
    put(json!(["users:read"])).await.unwrap();
    let (status, body) = world.give(json!({ "organization_id": world.customer.organization_id })).await;
    assert_eq!((status, pointers(&body)), (400, vec!["/token", "/token", "/token"]));
    for scope in ["hooks:read", "scenarios:read", "teams:read"] {
        assert!(body["errors"].to_string().contains(scope), "{body}");
    }

    put(json!(["hooks:read", "scenarios:read"])).await.unwrap();
    let (status, body) = world.give(json!({ "team_id": world.customer.team_id })).await;
    assert_eq!(status, 201, "{body}");
    assert_eq!(body["data"]["missing_scopes"], json!(["teams:read", "organizations:read", "dlqs:read"]));
    assert_eq!((body["data"]["api_limit"].as_u64(), body["data"]["requests_per_minute"].as_u64()), (None, Some(30)));
}

#[tokio::test]
async fn what_make_does_not_know_is_a_fault_and_bad_weather_is_not() {
    let world = World::new().await;
    let other = world.standin.make_account("eu2.make.com", &MakeOrder::for_hook("other")).await.unwrap();
    for (said, pointer) in [
        (json!({ "team_id": 1, "token": "00000000-0000-4000-8000-000000000000" }), "/token"),
        (json!({ "team_id": 1, "token": other.token }), "/token"),
        (json!({ "team_id": 999_999 }), "/team_id"),
        (json!({ "organization_id": 999_999 }), "/organization_id"),
    ] {
        let (status, body) = world.give(said).await;
        assert_eq!((status, pointers(&body)), (400, vec![pointer]), "{body}");
    }
    for (fault, status) in [(Fault::status(500), 502), (Fault::down(), 502), (Fault::status(429), 429)] {
        world.standin.fail_next(API, [fault]).await.unwrap();
        let (told, body) = world.give(json!({ "team_id": world.customer.team_id })).await;
        assert_eq!(told, status, "{body}");
    }
    assert!(world.account().await.is_none());
}

#[tokio::test]
async fn replacing_it_wants_the_version_that_was_seen() {
    let world = World::new().await;
    let body = json!({ "zone": ZONE, "token": world.customer.token, "team_id": world.customer.team_id });
    let give = async |if_match: Option<&str>| {
        let call = world.owner().posting(&body);
        let call = match if_match {
            Some(etag) => call.with_header("if-match", etag),
            None => call,
        };
        let reply = give::handle(&world.give_deps(), call).await.unwrap_or_else(|error| Reply::from(&error));
        let etag = reply.headers.get("etag").map(|etag| etag.to_str().unwrap().to_owned());
        (reply.status.as_u16(), etag)
    };

    assert_eq!(give(Some("\"1.0\"")).await.0, 412, "there is none yet");
    let (status, first) = give(None).await;
    assert_eq!(status, 201);
    assert_eq!(give(None).await.0, 428);
    let (status, second) = give(first.as_deref()).await;
    assert_eq!(status, 200);
    assert_ne!(first, second);
    assert_eq!(give(first.as_deref()).await.0, 412);
}

#[tokio::test]
async fn given_again_it_is_due_at_once_whenever_it_was_looked_at_last() {
    let mut world = World::watched().await;
    world.look_well().await;
    world.now -= SignedDuration::from_secs(110);
    let look = async |world: &World| watch::run(&world.deps, world.now, Duration::ZERO).await.unwrap();
    assert_eq!(look(&world).await, Watched::default(), "it was looked at ten seconds ago");

    let given = world.given().await;

    assert_eq!(given["next_look_at"], json!(world.now));
    assert_eq!(look(&world).await.answered, 1);
}

#[tokio::test]
async fn taking_it_back_opens_what_it_held_and_forgets_the_token() {
    let mut world = World::watched().await;
    world.look_well().await;
    world.look_at_scenario(json!({ "isActive": false })).await;
    assert_eq!(world.stands().await.0, State::Held);
    let take_back = async |world: &World, etag: Option<&str>| {
        let call = match etag {
            Some(etag) => world.owner().with_header("if-match", etag),
            None => world.owner(),
        };
        told(take_back::handle(&world.take_back_deps(), call).await)
    };
    let etag = world.account().await.unwrap().etag();

    assert_eq!(take_back(&world, None).await.0, 428);
    assert_eq!(take_back(&world, Some("\"0.0\"")).await.0, 412);
    let (status, body) = take_back(&world, Some(&etag)).await;
    assert_eq!((status, body["data"]["opened"].as_u64()), (200, Some(1)), "{body}");

    assert_eq!(world.stands().await.0, State::Active);
    assert_eq!(world.shown().await.0, 404);
    assert_eq!(take_back(&world, Some(&etag)).await.0, 404);
    assert!(world.account().await.unwrap().token.is_none());
    world.now += SignedDuration::from_mins(3);
    world.look().await;
    assert!(world.account().await.is_none());
}

#[tokio::test]
async fn what_a_look_under_way_still_holds_is_opened_by_the_last_one() {
    let mut world = World::watched().await;
    world.look_well().await;
    let etag = world.account().await.unwrap().etag();
    let call = world.owner().with_header("if-match", &etag);
    take_back::handle(&world.take_back_deps(), call).await.unwrap();
    // The look that had begun before holds the endpoint now.
    let endpoint = world.endpoint().await;
    assert!(deliveries::turn::hold_for_receiver(&world.table, &endpoint, "late").await.unwrap());

    world.now += SignedDuration::from_mins(3);
    world.look().await;

    assert_eq!(world.stands().await.0, State::Active);
    assert!(world.account().await.is_none());
}

#[tokio::test]
async fn an_account_may_be_given_again_before_the_former_is_gone() {
    let mut world = World::watched().await;
    let first = world.account().await.unwrap().etag();
    let call = world.owner().with_header("if-match", &first);
    take_back::handle(&world.take_back_deps(), call).await.unwrap();

    world.now += SignedDuration::from_secs(10);
    let (status, _) = world.give(json!({ "team_id": world.customer.team_id })).await;

    assert_eq!(status, 201);
    assert_ne!(world.account().await.unwrap().etag(), first);
    world.now += SignedDuration::from_mins(5);
    world.look_well().await;
    assert!(world.account().await.is_some());
}

#[tokio::test]
async fn only_owners_of_the_tenant_have_to_do_with_it() {
    let world = World::watched().await;
    let etag = world.account().await.unwrap().etag();
    let body = json!({ "zone": ZONE, "token": world.customer.token, "team_id": world.customer.team_id });
    let limited = shared::id::ClientId::new().to_string();
    for (call, status) in [(stranger, 404), (nobody, 401)] as [(fn() -> shared::http::Call, u16); 2] {
        let deps = world.take_back_deps();
        assert_eq!(told(take_back::handle(&deps, call().with_header("if-match", &etag)).await).0, status);
    }
    for call in
        [person(world.tenant, Role::Supervisor), person_with(world.tenant, Role::Owner, &[("client", &limited)])]
    {
        let call = call.posting(&body).with_header("if-match", &etag);
        assert_eq!(told(give::handle(&world.give_deps(), call).await).0, 403);
    }
    assert_eq!(world.shown().await.0, 200);
}

#[tokio::test]
async fn an_account_that_is_given_makes_a_pull_due_at_once() {
    let mut world = World::new().await;
    world.given().await;
    let first = world.table.get(key::make_pull(world.tenant)).await.unwrap();
    assert_eq!((first.due_at, first.since, first.revision, first.work), (world.now, world.now, 1, None));

    world.now += SignedDuration::from_hours(1);
    let (status, _) = world.give(json!({ "organization_id": world.customer.organization_id, "team_id": null })).await;

    assert_eq!(status, 200);
    let second = world.table.get(key::make_pull(world.tenant)).await.unwrap();
    assert_eq!((second.due_at, second.since, second.revision), (world.now, world.now, 2));
    let due = world.table.list_index(&key::pulls(world.now), 10).await.unwrap();
    assert_eq!(due.len(), 1);

    let stale = world
        .owner()
        .posting(&json!({ "zone": ZONE, "token": world.customer.token, "team_id": world.customer.team_id }));
    let (status, _) = told(give::handle(&world.give_deps(), stale.with_header("if-match", "\"0.0\"")).await);
    assert_eq!(status, 412);
    assert_eq!(world.table.get(key::make_pull(world.tenant)).await.unwrap().revision, 2, "neither, or both");
}
