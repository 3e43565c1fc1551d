//! The history of a channel over HTTP: the same numbers, page by page.

use live::{booking_history, provider_booking_history, user_booking_history};
use serde_json::{Value, json};
use shared::{
    gate::{Gate, Role},
    http::Call,
    testing::{person, person_with, stranger, told, vault},
};

use crate::world::{World, subscribe};

fn deps(world: &World) -> booking_history::Deps {
    booking_history::Deps {
        gate: Gate::new(world.table.clone()),
        table: world.table.clone().consistent(),
        vault: vault(),
        stage: "test".into(),
    }
}

async fn ask(world: &World, query: &str) -> (u16, Value) {
    let call = person(world.tenant, Role::Owner).with_part("id", "b1").with_query(query);
    told(booking_history::handle(&deps(world), call).await)
}

fn numbers(answer: &Value) -> Vec<u64> {
    let events = answer["data"]["events"].as_array().unwrap();
    events.iter().map(|event| event["number"].as_u64().unwrap()).collect()
}

/// All pages of a question, one after the other.
async fn pages(world: &World, query: &str) -> Vec<Vec<u64>> {
    let mut pages = Vec::new();
    let mut cursor = String::new();
    loop {
        let (status, answer) = ask(world, &format!("{query}{cursor}")).await;
        assert_eq!(status, 200, "{answer}");
        pages.push(numbers(&answer));
        match answer["data"]["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return pages,
        }
    }
}

#[tokio::test]
async fn the_newest_come_first_and_since_goes_on_from_a_number() {
    let world = World::new().await;
    world.bookings("b1", 7).await;

    assert_eq!(pages(&world, "limit=3").await, [vec![7, 6, 5], vec![4, 3, 2], vec![1]]);
    assert_eq!(pages(&world, "since=1&limit=3").await, [[2, 3, 4], [5, 6, 7]]);
    assert_eq!(pages(&world, "since=0").await, [[1, 2, 3, 4, 5, 6, 7]]);
    assert_eq!(pages(&world, "since=7").await, [Vec::<u64>::new()]);
    assert_eq!(pages(&world, "since=900").await, [Vec::<u64>::new()]);
    assert_eq!(ask(&world, "").await.1["data"]["head"], 7);
}

#[tokio::test]
async fn a_page_shows_what_live_clients_get() {
    let world = World::new().await;
    world.bookings("b1", 2).await;
    let price = world.booking_of("b1", json!({ "user_id": "u1" }));
    let mut exact = price.clone();
    if let shared::event::Content::Booking { record, .. } = &mut exact.content {
        *record =
            Some(r#"{"id":"b1","user_id":"u1","booking_number":"B","total_price":12345678901234567890.10}"#.into());
    }
    world.happens(&exact).await;
    world.owner("c1").await;
    world.owner_says("c1", subscribe("booking:b1", 0)).await;

    let (_, page) = ask(&world, "since=0").await;
    let live: Vec<Value> = world.told("c1").split_off(1);
    for (shown, live) in page["data"]["events"].as_array().unwrap().iter().zip(&live) {
        assert_eq!((&shown["number"], &shown["event"]), (&live["number"], &live["event"]));
    }
    let call = person(world.tenant, Role::Owner).with_part("id", "b1");
    let answer = booking_history::handle(&deps(&world), call).await.unwrap();
    let text = std::str::from_utf8(&answer.body).unwrap().to_owned();
    assert!(text.contains("12345678901234567890.10"), "no digit is lost: {text}");
}

#[tokio::test]
async fn users_and_providers_have_their_histories() {
    let world = World::new().await;
    world.bookings("b1", 2).await;
    world.bookings("b2", 1).await;
    let call = |role, sub: &str, id: &str| person_with(world.tenant, role, &[("sub", sub)]).with_part("id", id);
    let user = async |call: Call| told(user_booking_history::handle(&deps(&world), call).await);
    let provider = async |call: Call| told(provider_booking_history::handle(&deps(&world), call).await);

    assert_eq!(numbers(&user(call(Role::Agent, "u1", "u1")).await.1), [3, 2, 1]);
    assert_eq!(numbers(&provider(call(Role::Supervisor, "s", "p1")).await.1), [3, 2, 1]);
    assert_eq!(user(call(Role::Agent, "other", "u1")).await.0, 403);
    assert_eq!(provider(call(Role::Agent, "u1", "p1")).await.0, 403);
    assert_eq!(user(call(Role::Owner, "boss", "unheard-of")).await.0, 404);
    assert_eq!(user(stranger().with_part("id", "u1")).await.0, 404);
    let (status, empty) = user(call(Role::Agent, "new", "new")).await;
    assert_eq!((status, &empty["data"]), (200, &json!({ "events": [], "head": 0, "next_cursor": null })));
}

#[tokio::test]
async fn what_cannot_be_asked_is_told_all_at_once() {
    let world = World::new().await;
    world.bookings("b1", 30).await;

    let (status, answer) = ask(&world, "limit=0&since=x&colour=red").await;
    assert_eq!((status, answer["errors"].as_array().unwrap().len()), (400, 3), "{answer}");

    // A cursor belongs to its own question, its booking and its tenant.
    let cursor = ask(&world, "limit=3").await.1["data"]["next_cursor"].as_str().unwrap().to_owned();
    assert_eq!(ask(&world, &format!("since=0&cursor={cursor}")).await.0, 400);
    world.bookings("b2", 30).await;
    let other = person(world.tenant, Role::Owner).with_part("id", "b2").with_query(&format!("cursor={cursor}"));
    assert_eq!(told(booking_history::handle(&deps(&world), other).await).0, 400);
    assert_eq!(ask(&world, "cursor=nonsense").await.0, 400);
    assert_eq!(ask(&world, "").await.1["data"]["events"].as_array().unwrap().len(), 25);
}

#[tokio::test]
async fn a_page_of_large_events_ends_before_an_answer_is_too_large() {
    let world = World::new().await;
    for _ in 0..50 {
        world.happens(&world.booking_of("b1", json!({ "note": "n".repeat(97_000) }))).await;
    }
    let pages = pages(&world, "since=0&limit=100").await;
    assert_eq!(pages.concat(), crate::world::up_to(50));
    assert!(pages.len() > 1 && pages.iter().all(|page| page.len() * 97_000 < 5_000_000), "{}", pages.len());
}
