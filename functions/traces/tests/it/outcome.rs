use jiff::SignedDuration;
use serde_json::{Value, json};
use shared::{
    http::Call,
    key,
    outcome::{GOOD, Outcome, Status},
    testing::{Units, nobody, table, told, vault},
};
use traces::outcome::{self, Deps};
use url::Url;

use crate::{HOOK, World, pointers};

/// The link that a delivery carried, as a receiver read it in the payload.
async fn delivered(world: &mut World) -> Url {
    world.endpoint("Make", HOOK).await;
    world.accept("b1").await;
    world.work().await;
    world.received().await.json()["outcome_url"].as_str().unwrap().parse().unwrap()
}

/// A call of a link.
fn at(world: &World, link: &Url) -> Call {
    let trace = link.path().trim_start_matches("/api/v1/traces/").trim_end_matches("/outcome");
    nobody().at(world.now).with_part("trace_id", trace).with_query(link.query().unwrap_or_default())
}

async fn tell(world: &World, call: Call) -> (u16, Value) {
    let deps = Deps { gate: world.gate(), table: world.table.clone(), vault: vault() };
    told(outcome::handle(&deps, call).await)
}

async fn outcomes(world: &World) -> Vec<Outcome> {
    let trace = world.delivery().await.trace;
    world.table.list_all(&key::outcomes(world.tenant, trace)).await.unwrap()
}

#[tokio::test]
async fn the_link_of_the_payload_takes_what_became_of_it() {
    let mut world = World::new().await;
    let link = delivered(&mut world).await;
    let body = json!({ "status": "warning", "message": "no e-mail address", "execution_id": "cccd0fd8" });

    let (status, answer) = tell(&world, at(&world, &link).posting(&body)).await;

    assert_eq!(status, 201, "{answer}");
    let delivery = world.delivery().await;
    assert_eq!(answer["data"], json!({ "trace_id": delivery.trace, "duplicate": false }));
    let [outcome] = &outcomes(&world).await[..] else { panic!("one outcome") };
    assert_eq!((outcome.delivery, outcome.status, outcome.at), (delivery.id, Status::Warning, world.now));
    assert_eq!(outcome.message.as_deref(), Some("no e-mail address"));
    assert_eq!(outcome.execution_id.as_deref(), Some("cccd0fd8"));
    assert_eq!(delivery.outcomes, 1);
}

#[tokio::test]
async fn the_same_again_is_noted_once_however_it_comes() {
    let mut world = World::new().await;
    let link = delivered(&mut world).await;
    let say = || tell(&world, at(&world, &link).posting(&json!({ "status": "success" })));

    let (a, b, c, d, e) = tokio::join!(say(), say(), say(), say(), say());
    let later = tell(&world, at(&world, &link).posting(&json!({ "message": null, "status": "success" }))).await;

    let all = [a, b, c, d, e];
    assert_eq!(all.iter().filter(|(status, _)| *status == 201).count(), 1, "{all:?}");
    assert!(all.iter().all(|(status, _)| [200, 201, 503].contains(status)), "{all:?}");
    assert_eq!((later.0, &later.1["data"]["duplicate"]), (200, &json!(true)));
    assert_eq!((outcomes(&world).await.len(), world.delivery().await.outcomes), (1, 1));
}

#[tokio::test]
async fn twenty_of_a_delivery_and_no_more() {
    let mut world = World::new().await;
    let link = delivered(&mut world).await;
    let deps = Deps { gate: world.gate(), table: world.table.clone(), vault: vault() };
    let say = async |n: u32| {
        let body = json!({ "status": "error", "execution_id": n });
        told(outcome::handle(&deps, at(&world, &link).posting(&body)).await).0
    };
    for n in 0..20 {
        assert_eq!(say(n).await, 201, "{n}");
    }

    assert_eq!(say(20).await, 409);
    assert_eq!(say(3).await, 200, "what is noted stays noted");
    assert_eq!(outcomes(&world).await.len(), 20);
}

#[tokio::test]
async fn no_part_of_a_link_can_be_changed() {
    let mut world = World::new().await;
    let link = delivered(&mut world).await;
    let mut other = World::new().await;
    let their_link = delivered(&mut other).await;
    let changed = |name: &str, value: &str| {
        let mut link = link.clone();
        let pairs: Vec<(String, String)> = link.query_pairs().map(|(k, v)| (k.into_owned(), v.into_owned())).collect();
        link.query_pairs_mut().clear().extend_pairs(
            pairs
                .into_iter()
                .map(|(k, v)| if k == name { (k, value.to_owned()) } else { (k, v) })
                .filter(|(_, v)| !v.is_empty()),
        );
        link
    };
    let theirs = |name: &str| their_link.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned();
    let mut links: Vec<Url> =
        ["tenant", "delivery", "signature"].iter().map(|name| changed(name, &theirs(name))).collect();
    links.extend(["tenant", "delivery", "until", "signature"].map(|name| changed(name, "")));
    links.extend(["nonsense", "k1.", ".", "k1.AAAA", "k9.AAAA"].map(|signature| changed("signature", signature)));
    links.push(changed("until", "99999999999"));
    links.push(changed("until", "-1"));
    let mut elsewhere = link.clone();
    elsewhere.set_path(their_link.path());
    links.push(elsewhere);

    for link in links {
        // The body is not looked at before the link is found good.
        let (status, problem) = tell(&world, at(&world, &link).posting_bytes("{")).await;
        assert_eq!(status, 401, "{link}");
        assert!(!problem.to_string().contains("over"), "only our own link is told that its time is over: {problem}");
    }
    assert!(outcomes(&world).await.is_empty());
}

#[tokio::test]
async fn a_link_is_good_for_thirty_days() {
    let mut world = World::new().await;
    let link = delivered(&mut world).await;
    let accepted = world.delivery().await.accepted_at;

    world.now = accepted + GOOD;
    assert_eq!(tell(&world, at(&world, &link).posting(&json!({ "status": "success" }))).await.0, 201);
    world.now += SignedDuration::from_secs(1);
    let (status, problem) = tell(&world, at(&world, &link).posting(&json!({ "status": "error" }))).await;
    assert_eq!((status, &problem["detail"]), (403, &json!("the time of this outcome_url is over")));
}

#[tokio::test]
async fn a_delivery_that_is_forgotten_is_not_found() {
    let mut world = World::new().await;
    let link = delivered(&mut world).await;
    let delivery = world.delivery().await;
    world.table.delete(key::delivery(world.tenant, delivery.id)).await.unwrap();

    assert_eq!(tell(&world, at(&world, &link).posting(&json!({ "status": "success" }))).await.0, 404);
    let kept = world.table.list_all(&key::outcomes(world.tenant, delivery.trace)).await.unwrap();
    assert!(kept.is_empty());
}

#[tokio::test]
async fn everything_wrong_with_a_body_is_told_at_once() {
    let mut world = World::new().await;
    let link = delivered(&mut world).await;
    let body = json!({ "status": "done", "message": 7, "execution_id": [], "colour": "red" });

    let (status, problem) = tell(&world, at(&world, &link).posting(&body)).await;

    assert_eq!((status, pointers(&problem)), (400, vec!["/status", "/message", "/execution_id", "/colour"]));
    for body in ["", "[]", "null", "status=success", "{\"status\":", "{\"message\":\"x\"}", "\u{0}"] {
        assert_eq!(tell(&world, at(&world, &link).posting_bytes(body)).await.0, 400, "{body:?}");
    }
    let large = json!({ "status": "success", "message": "x".repeat(16 * 1024) });
    assert_eq!(tell(&world, at(&world, &link).posting(&large)).await.0, 413);
}

#[tokio::test]
async fn a_form_is_answered_with_what_to_choose() {
    let mut world = World::new().await;
    let link = delivered(&mut world).await;
    for kind in ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain"] {
        let call = at(&world, &link).with_header("content-type", kind).posting_bytes("status=success");
        let (status, problem) = tell(&world, call).await;
        assert_eq!((status, pointers(&problem)), (400, vec!["content-type"]), "{kind}");
    }
    let call = at(&world, &link).with_header("content-type", "application/json; charset=utf-8");
    assert_eq!(tell(&world, call.posting(&json!({ "status": "success" }))).await.0, 201);
}

#[tokio::test]
async fn a_long_message_is_cut_and_not_refused() {
    let mut world = World::new().await;
    let link = delivered(&mut world).await;
    let body = json!({ "status": "error", "message": "é".repeat(3_000) });

    assert_eq!(tell(&world, at(&world, &link).posting(&body)).await.0, 201);
    assert_eq!(outcomes(&world).await[0].message.as_ref().map(|message| message.chars().count()), Some(2_000));
}

#[tokio::test]
async fn what_it_costs() {
    let units = Units::default();
    let mut world = World::on(table().await.metered(units.meter())).await;
    let link = delivered(&mut world).await;
    tell(&world, at(&world, &link).posting(&json!({ "status": "error" }))).await;
    let deps = Deps { gate: world.gate(), table: world.table.clone(), vault: vault() };
    let warm = |body: Value| outcome::handle(&deps, at(&world, &link).posting(&body));
    warm(json!({ "status": "warning" })).await.unwrap();
    units.take();

    warm(json!({ "status": "success" })).await.unwrap();
    let new = units.take();
    warm(json!({ "status": "success" })).await.unwrap();
    let again = units.take();

    // A transaction costs twice what its two writes do; the delivery is read first.
    assert_eq!(new, (4.0, 1.0), "a new outcome");
    assert!(again.0 <= 4.0 && again.1 <= 2.0, "the same again: {again:?}");
}
