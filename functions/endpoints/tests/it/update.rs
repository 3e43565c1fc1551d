use endpoints::update::{self, Deps};
use serde_json::{Value, json};
use shared::{
    endpoint::{self, Endpoint, Plan},
    event::Form,
    gate::Role,
    http::Call,
    id::EndpointId,
    testing::{nobody, person, stranger, told, vault},
};

use crate::{HOOK, KEY, World, etag, pointers};

pub async fn update(world: &World, call: Call, id: EndpointId) -> (u16, Value) {
    let deps = Deps {
        gate: world.gate(),
        table: world.table.clone(),
        vault: vault(),
        egress: world.egress.clone(),
        mails: true,
    };
    told(update::handle(&deps, call.with_part("id", id)).await)
}

/// A change by an owner who has seen this version.
fn change(world: &World, seen: &str, body: &Value) -> Call {
    world.owner().with_header("if-match", seen).posting(body)
}

#[tokio::test]
async fn what_is_given_changes_and_the_rest_stays() {
    let world = World::new().await;
    let made = world.endpoint().await;
    let body =
        json!({ "name": "Make, new", "event_types": ["booking.*"], "payload_version": "2", "retention_days": 90 });

    let (status, answer) = update(&world, change(&world, made.etag(), &body), made.id()).await;

    assert_eq!(status, 200, "{answer}");
    let shown = &answer["data"];
    assert_eq!((&shown["name"], &shown["event_types"]), (&body["name"], &body["event_types"]));
    assert_eq!((&shown["payload_version"], &shown["retention_days"]), (&json!("2"), &json!(90)));
    assert_eq!((&shown["host"], &shown["has_make_api_key"]), (&made.0["endpoint"]["host"], &json!(true)));
    assert_ne!(etag(shown), made.etag());
    let row = world.row(made.id()).await;
    assert_eq!((row.form, row.revision), (Form::Standard, 1));
}

#[tokio::test]
async fn what_is_delivered_next_goes_to_the_new_address_in_the_new_form() {
    let world = World::new().await;
    let made = world.endpoint().await;
    let elsewhere = "/hook.eu1.make.com/elsewhere";
    let body = json!({ "url": world.receiver.url(elsewhere), "make_api_key": null, "payload_version": "2" });

    let (status, answer) = update(&world, change(&world, made.etag(), &body), made.id()).await;
    world.accept("b1").await;
    world.work().await;

    assert_eq!((status, &answer["data"]["has_make_api_key"]), (200, &json!(false)));
    assert_eq!(world.receiver.requests(HOOK).await.unwrap().len(), 0);
    let [request] = &world.receiver.requests(elsewhere).await.unwrap()[..] else { panic!("one request") };
    assert_eq!(request.header("x-make-apikey"), None);
    assert_eq!(request.json()["data"]["booking_event"]["id"], "b1");
}

#[tokio::test]
async fn the_version_that_was_seen_has_to_be_named_and_be_the_present_one() {
    let world = World::new().await;
    let made = world.endpoint().await;
    let body = json!({ "name": "first" });

    assert_eq!(update(&world, world.owner().posting(&body), made.id()).await.0, 428);
    assert_eq!(update(&world, change(&world, "\"7\"", &body), made.id()).await.0, 412);
    assert_eq!(update(&world, change(&world, made.etag(), &body), made.id()).await.0, 200);
    assert_eq!(update(&world, change(&world, made.etag(), &body), made.id()).await.0, 412, "it has changed since");
    assert_eq!(update(&world, change(&world, "W/\"1\"", &body), made.id()).await.0, 200, "a proxy made it weak");
    assert_eq!(update(&world, change(&world, "*", &body), made.id()).await.0, 200);
}

#[tokio::test]
async fn of_five_at_once_one_changes_it() {
    let world = World::new().await;
    let made = world.endpoint().await;
    let with = |name: &str| change(&world, made.etag(), &json!({ "name": name }));

    let (a, b, c, d, e) = tokio::join!(
        update(&world, with("a"), made.id()),
        update(&world, with("b"), made.id()),
        update(&world, with("c"), made.id()),
        update(&world, with("d"), made.id()),
        update(&world, with("e"), made.id())
    );

    let all = [a, b, c, d, e];
    let good: Vec<&Value> = all.iter().filter(|(status, _)| *status == 200).map(|(_, answer)| answer).collect();
    assert_eq!(good.len(), 1, "{all:?}");
    assert!(all.iter().all(|(status, _)| [200, 412].contains(status)), "{all:?}");
    assert_eq!(world.row(made.id()).await.name, good[0]["data"]["name"].as_str().unwrap());
}

#[tokio::test]
async fn a_row_of_an_older_form_can_be_changed() {
    let world = World::new().await;
    let made = world.endpoint().await;
    world.table.change(shared::key::endpoint(world.tenant, made.id())).remove("revision").send().await.unwrap();

    let (status, answer) = update(&world, change(&world, "\"0\"", &json!({ "name": "b" })), made.id()).await;

    assert_eq!((status, etag(&answer["data"])), (200, "\"1\""));
}

#[tokio::test]
async fn everything_wrong_is_told_at_once_and_nothing_is_changed() {
    let world = World::new().await;
    let made = world.endpoint().await;
    let body = json!({
        "name": null, "url": "https://10.0.0.1/", "make_api_key": "", "event_types": "all", "payload_version": "0",
        "retention_days": 366, "secret": "mine",
    });

    let (status, problem) = update(&world, change(&world, made.etag(), &body), made.id()).await;

    assert_eq!(status, 400);
    assert_eq!(
        pointers(&problem),
        ["/name", "/event_types", "/payload_version", "/url", "/make_api_key", "/retention_days", "/secret"]
    );
    for body in ["", "[]", "null", "{\"name\":"] {
        let call = world.owner().with_header("if-match", made.etag()).posting_bytes(body);
        assert_eq!(update(&world, call, made.id()).await.0, 400, "{body:?}");
    }
    assert_eq!(world.get(world.owner(), made.id()).await.1["data"], made.0["endpoint"]);
}

#[tokio::test]
async fn an_automations_own_keeps_its_address() {
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

    let both = json!({ "url": "https://hook.eu1.make.com/xyz", "event_types": ["booking.*"] });
    let (status, problem) = update(&world, change(&world, "*", &both), target.id).await;
    assert_eq!((status, pointers(&problem)), (400, vec!["/url", "/event_types"]));
    let (status, answer) = update(&world, change(&world, "*", &json!({ "make_api_key": KEY })), target.id).await;
    assert_eq!((status, &answer["data"]["has_make_api_key"]), (200, &json!(true)));
}

#[tokio::test]
async fn a_stranger_finds_nothing_and_only_an_owner_may() {
    let world = World::new().await;
    let made = world.endpoint().await;
    for (call, expected) in [(stranger(), 404), (nobody(), 401), (person(world.tenant, Role::Supervisor), 403)] {
        let call = call.with_header("if-match", "*").posting(&json!({ "name": "mine" }));
        assert_eq!(update(&world, call, made.id()).await.0, expected);
    }
    assert_eq!(world.row(made.id()).await.name, "Make");
}
