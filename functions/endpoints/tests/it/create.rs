use endpoints::create;
use futures::future::join_all;
use serde_json::{Value, json};
use shared::{
    endpoint::{Endpoint, Plan, subscriber, tally::Tally},
    gate::Role,
    key,
    testing::{nobody, person, told, vault},
};

use crate::{HOOK, World, pointers};

#[tokio::test]
async fn what_was_not_asked_for_is_as_the_booking_document_has_it() {
    let world = World::new().await;

    let made = world.endpoint().await;

    let shown = &made.0["endpoint"];
    assert_eq!(shown["payload_version"], "1");
    assert_eq!((&shown["retention_days"], &shown["pace"]), (&json!(30), &json!(100)));
    assert_eq!((&shown["state"], &shown["held_by"]), (&json!("active"), &Value::Null));
    assert_eq!((&shown["etag"], &shown["has_make_api_key"]), (&json!("\"0\""), &json!(true)));
    assert!(made.secret().starts_with("whsec_"));
}

#[tokio::test]
async fn form_and_retention_can_be_chosen() {
    let world = World::new().await;
    let url = world.receiver.url(HOOK);

    let made = world.made(json!({ "name": "Make", "url": url, "payload_version": "2", "retention_days": 365 })).await;

    assert_eq!(made.0["endpoint"]["payload_version"], "2");
    let row = world.row(made.id()).await;
    assert_eq!((row.retention_days, row.keep().as_hours()), (365, 365 * 24));
}

#[tokio::test]
async fn everything_wrong_with_one_is_told_at_once() {
    let world = World::new().await;
    let body = json!({
        "name": "", "url": "http://169.254.169.254/", "make_api_key": "ü", "event_types": [""],
        "payload_version": 3, "retention_days": 0, "colour": "red",
    });

    let (status, problem) = world.create(world.owner().posting(&body)).await;

    assert_eq!(status, 400);
    assert_eq!(
        pointers(&problem),
        ["/payload_version", "/name", "/url", "/make_api_key", "/event_types", "/retention_days", "/colour"]
    );
    for days in [json!(-1), json!(366), json!(1.5), json!("30")] {
        let body = json!({ "name": "a", "url": world.receiver.url(HOOK), "retention_days": days });
        let (status, problem) = world.create(world.owner().posting(&body)).await;
        assert_eq!((status, pointers(&problem)), (400, vec!["/retention_days"]), "{days}");
    }
}

#[tokio::test]
async fn odd_bodies_are_refused_and_never_ours_to_mend() {
    let world = World::new().await;
    for body in ["", "[]", "null", "{\"name\": 1, \"url\": null}", "{\"name\":", "\u{0}"] {
        assert_eq!(world.create(world.owner().posting_bytes(body)).await.0, 400, "{body:?}");
    }
    assert_eq!(world.create(world.owner().posting_bytes(vec![b' '; 300 * 1024])).await.0, 413);
}

#[tokio::test]
async fn the_same_request_twice_makes_one() {
    let world = World::new().await;
    let ask = |name: &str| {
        let body = json!({ "name": name, "url": world.receiver.url(HOOK) });
        world.create(world.owner().with_header("idempotency-key", "k1").posting(&body))
    };

    let (first, again, other) = (ask("a").await, ask("a").await, ask("b").await);

    assert_eq!((first.0, again.0, other.0), (201, 201, 422));
    assert_eq!(first.1, again.1);
    assert_eq!(there(&world).await.len(), 1);
}

async fn there(world: &World) -> Vec<Endpoint> {
    world.table.list_all(&key::endpoints(world.tenant)).await.unwrap()
}

async fn tally(world: &World) -> Option<u32> {
    let tally: Option<Tally> = world.table.find_now(key::endpoint_tally(world.tenant)).await.unwrap();
    tally.map(|tally| tally.total)
}

/// One that was made before there were tallies.
async fn old_one(world: &World) {
    let plan = Plan {
        id: subscriber(),
        name: "old".into(),
        host: "hook.eu1.make.com".into(),
        url: "https://hook.eu1.make.com/old".into(),
        make_key: None,
        event_types: vec!["booking.*".into()],
    };
    let keyring = vault().keyring().await.unwrap();
    let (endpoint, _) = Endpoint::new(&keyring, world.tenant, plan, world.now).unwrap();
    world.table.put(&endpoint).await.unwrap();
}

#[tokio::test]
async fn however_many_are_made_at_once_there_are_never_more_than_twenty() {
    for old in [0, 3] {
        let world = World::new().await;
        for _ in 0..old {
            old_one(&world).await;
        }
        let body = json!({ "name": "a", "url": world.receiver.url(HOOK) });
        let deps = world.creating();
        // So that all of them share one lease of the limit of calls.
        assert_eq!(told(create::handle(&deps, world.owner().posting(&json!({}))).await).0, 400);

        let answers = join_all((0..25).map(|_| create::handle(&deps, world.owner().posting(&body)))).await;

        let answers: Vec<u16> = answers.into_iter().map(|answer| told(answer).0).collect();
        let made = answers.iter().filter(|status| **status == 201).count();
        assert_eq!(made, 20 - old, "{answers:?}");
        assert!(answers.iter().all(|status| [201, 409].contains(status)), "{answers:?}");
        assert_eq!((there(&world).await.len(), tally(&world).await), (20, Some(20)));
        let (status, refused) = world.create(world.owner().posting(&body)).await;
        assert_eq!((status, &refused["detail"]), (409, &json!("a tenant has at most 20 endpoints")));
    }
}

#[tokio::test]
async fn a_tally_that_is_wrong_keeps_nobody() {
    let world = World::new().await;
    let body = json!({ "name": "a", "url": world.receiver.url(HOOK) });
    world.endpoint().await;
    // As if functions of before there were tallies had deleted 19 meanwhile.
    let wrong = world.table.change::<Tally>(key::endpoint_tally(world.tenant)).set("total", 20).add("revision", 1);
    wrong.send().await.unwrap();

    assert_eq!(world.create(world.owner().posting(&body)).await.0, 201);
    assert_eq!(tally(&world).await, Some(2));
}

#[tokio::test]
async fn only_owners_make_them() {
    let world = World::new().await;
    let body = json!({ "name": "a", "url": world.receiver.url(HOOK) });
    for (call, expected) in [(nobody(), 401), (person(world.tenant, Role::Supervisor), 403)] {
        assert_eq!(world.create(call.posting(&body)).await.0, expected);
    }
}
