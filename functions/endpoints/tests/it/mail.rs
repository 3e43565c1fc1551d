//! Endpoints of e-mail: what they can be, and that nobody is flooded by way of one.

use endpoints::{create, test, update, validate};
use jiff::SignedDuration;
use local::standin::Fault;
use serde_json::{Value, json};
use shared::{
    egress::Egress,
    gate::Role,
    http::Call,
    mail::Mail,
    testing::{self, person, told, vault},
};

use crate::{
    HOOK, Made, World, pointers,
    test::{SES, deps},
    update::update,
};

const PATH: &str = "/email.us-east-1.amazonaws.com/v2/email/outbound-emails";
const OPS: &str = "mailto:ops@brightline.example,bo@Old-Town.example";

async fn ops(world: &World) -> Made {
    world.made(json!({ "name": "Ops", "url": OPS })).await
}

#[tokio::test]
async fn one_is_told_of_alerts_by_e_mail_and_shows_domains_alone() {
    let world = World::new().await;

    let made = ops(&world).await;

    let shown = &made.0["endpoint"];
    assert_eq!((&shown["payload_version"], &shown["event_types"]), (&json!("email"), &json!(["alert.*"])));
    assert_eq!(shown["host"], "brightline.example, old-town.example");
    assert!(!made.0.to_string().contains("ops@"), "the address is a secret: {}", made.0);
    let row = serde_json::to_string(&world.row(made.id()).await).unwrap();
    assert!(!row.contains("ops@") && !row.contains("bo@"), "{row}");
    let types = json!(["alert.opened", "alert.resolved"]);
    world.made(json!({ "name": "b", "url": OPS, "payload_version": "email", "event_types": types })).await;
}

#[tokio::test]
async fn what_does_not_fit_an_address_of_e_mail_is_refused() {
    let world = World::new().await;
    let hook = world.receiver.url(HOOK);
    for (more, at) in [
        (json!({ "url": "mailto:ops@example.com?bcc=all@example.com" }), "/url"),
        (json!({ "url": "mailto:ops" }), "/url"),
        (json!({ "payload_version": "slack" }), "/payload_version"),
        (json!({ "make_api_key": "k" }), "/make_api_key"),
        (json!({ "event_types": ["alert.*", "booking.*"] }), "/event_types"),
        (json!({ "event_types": ["*"] }), "/event_types"),
        (json!({ "event_types": ["a*"] }), "/event_types"),
        (json!({ "url": hook, "payload_version": "email" }), "/payload_version"),
    ] {
        let mut body = json!({ "name": "Ops", "url": OPS });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let (status, problem) = world.create(world.owner().posting(&body)).await;
        assert_eq!((status, pointers(&problem)), (400, vec![at]), "{body}");
    }
}

#[tokio::test]
async fn where_no_e_mail_is_sent_none_can_be_made_and_one_that_is_there_says_so() {
    let world = World::new().await;
    let made = ops(&world).await;
    let mute = create::Deps { mails: false, ..world.creating() };
    let body = json!({ "name": "Ops", "url": OPS });

    let (status, problem) = told(create::handle(&mute, world.owner().posting(&body)).await);

    assert_eq!((status, pointers(&problem)), (400, vec!["/url"]));
    assert!(problem.to_string().contains("this installation sends none"), "{problem}");
    for (mails, errors) in [(true, vec![]), (false, vec!["no_mail_sent"])] {
        let egress = Egress::new("", "");
        let deps = validate::Deps { gate: world.gate(), table: world.table.clone(), vault: vault(), egress, mails };
        let call = world.supervisor().with_part("id", made.id());
        let (status, found) = told(validate::handle(&deps, call).await);
        let names: Vec<&Value> = found["data"]["errors"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
        assert_eq!(
            (status, names, &found["data"]["warnings"]),
            (200, errors.iter().map(|e| e as &str).map(Value::from).collect::<Vec<_>>().iter().collect(), &json!([])),
            "{found}"
        );
    }
    let deps = update::Deps {
        gate: world.gate(),
        table: world.table.clone(),
        vault: vault(),
        egress: world.egress.clone(),
        mails: false,
    };
    let call = world.owner().with_part("id", made.id()).with_header("if-match", made.etag());
    let (status, problem) = told(update::handle(&deps, call.posting(&json!({ "url": "mailto:new@b.example" }))).await);
    assert_eq!((status, pointers(&problem)), (400, vec!["/url"]));
}

#[tokio::test]
async fn a_change_keeps_it_what_it_is() {
    let world = World::new().await;
    let (mail, hook) = (ops(&world).await, world.endpoint().await);
    let to_hook = json!({ "url": world.receiver.url(HOOK) });
    for (made, body, at) in [
        (&mail, to_hook, "/url"),
        (&hook, json!({ "url": OPS }), "/url"),
        (&mail, json!({ "payload_version": "1" }), "/payload_version"),
        (&hook, json!({ "payload_version": "email" }), "/payload_version"),
        (&mail, json!({ "make_api_key": "k" }), "/make_api_key"),
        (&mail, json!({ "event_types": ["booking.*"] }), "/event_types"),
        (&mail, json!({ "url": "mailto:a@b.example?cc=c@d.example" }), "/url"),
    ] {
        let call = world.owner().with_header("if-match", made.etag()).posting(&body);
        let (status, problem) = update(&world, call, made.id()).await;
        assert_eq!((status, pointers(&problem)), (400, vec![at]), "{body}");
    }
    let body =
        json!({ "url": "mailto:new@later.example", "event_types": ["alert.opened"], "payload_version": "email" });
    let call = world.owner().with_header("if-match", mail.etag()).posting(&body);
    let (status, changed) = update(&world, call, mail.id()).await;
    assert_eq!((status, &changed["data"]["host"]), (200, &json!("later.example")), "{changed}");
}

async fn tested(deps: &test::Deps, call: Call, made: &Made) -> (u16, Value) {
    told(test::handle(deps, call.with_part("id", made.id()).posting(&json!({}))).await)
}

#[tokio::test]
async fn a_test_is_a_letter_that_says_so() {
    let world = World::new().await;
    let made = ops(&world).await;
    world.receiver.fail_next(PATH, [Fault::slow(1), Fault::status(429)]).await.unwrap();

    let (status, answer) = tested(&deps(&world), world.owner(), &made).await;
    let (_, throttled) = tested(&deps(&world), world.owner(), &made).await;

    assert_eq!((status, &answer["success"], &answer["status"]), (200, &json!(true), &json!(200)), "{answer}");
    assert_eq!((&throttled["success"], &throttled["status"]), (&json!(false), &json!(429)), "{throttled}");
    let letter = world.receiver.requests(PATH).await.unwrap()[0].json();
    assert_eq!(letter["Destination"]["ToAddresses"], json!(["ops@brightline.example", "bo@old-town.example"]));
    assert_eq!(letter["Content"]["Simple"]["Subject"]["Data"], "A test: nothing is wrong");
    let id = &letter["Content"]["Simple"]["Headers"][0];
    assert_eq!((&id["Name"], &id["Value"]), (&json!("X-Crossdock-Id"), &answer["event_id"]));
}

#[tokio::test]
async fn five_an_hour_then_wait_and_another_endpoint_is_no_way_round() {
    let world = World::new().await;
    let deps = deps(&world);
    let mut sent = 0;
    for n in 0..6 {
        let made = ops(&world).await;
        for _ in 0..6 {
            let answer = test::handle(&deps, world.owner().with_part("id", made.id()).posting(&json!({}))).await;
            match told(answer) {
                (200, _) => sent += 1,
                (status, problem) => assert_eq!(status, 429, "{problem}"),
            }
        }
        assert_eq!(sent, (5 * (n + 1)).min(20), "after {} endpoints", n + 1);
    }
    let made = ops(&world).await;
    assert_eq!(world.receiver.requests(PATH).await.unwrap().len(), 20);
    let refused = test::handle(&deps, world.owner().with_part("id", made.id()).posting(&json!({}))).await;
    assert!(matches!(refused, Err(shared::Error::TooMany { retry_after: 1..=3_600 })), "it says when");
    let later = person(world.tenant, Role::Owner).at(world.now + SignedDuration::from_hours(1));
    assert_eq!(tested(&deps, later, &made).await.0, 200);
}

#[tokio::test]
async fn a_fault_of_the_installation_is_none_of_the_address() {
    let world = World::new().await;
    let made = ops(&world).await;
    let rejected = Fault::status(400).header("x-amzn-errortype", "MessageRejected");
    let rejected = rejected.body(json!({ "message": "Email address is not verified: alerts@crossdock.example" }));
    world.receiver.fail_next(PATH, [rejected]).await.unwrap();
    let mute = test::Deps { mail: Mail::default(), ..deps(&world) };
    let unverified = test::Deps { mail: testing::mail(&world.receiver.url(SES)), ..deps(&world) };

    for deps in [unverified, mute] {
        let (status, problem) = tested(&deps, world.owner(), &made).await;
        assert_eq!((status, &problem["detail"]), (502, &json!("this installation cannot send e-mail at present")));
    }
}
