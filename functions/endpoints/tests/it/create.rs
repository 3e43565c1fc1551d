use serde_json::{Value, json};
use shared::{
    gate::Role,
    testing::{nobody, person},
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
async fn only_owners_make_them() {
    let world = World::new().await;
    let body = json!({ "name": "a", "url": world.receiver.url(HOOK) });
    for (call, expected) in [(nobody(), 401), (person(world.tenant, Role::Supervisor), 403)] {
        assert_eq!(world.create(call.posting(&body)).await.0, expected);
    }
}
