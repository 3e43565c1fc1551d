//! E-mail as a kind of endpoint: the same engine, another way out.

use deliveries::send::{Deps, Sender};
use endpoints::create;
use jiff::SignedDuration;
use local::standin::{Fault, Recorded};
use serde_json::json;
use shared::{
    delivery::{State, Verdict},
    egress::{Egress, Silence},
    endpoint,
    event::{self, Content, Event},
    gate::{Gate, Role},
    id::AlertId,
    key,
    mail::Mail,
    testing::{self, MAIL_FROM, person, told, vault},
};

use crate::world::World;

/// Where SES listens.
const SES: &str = "/email.us-east-1.amazonaws.com";
const PATH: &str = "/email.us-east-1.amazonaws.com/v2/email/outbound-emails";

/// A world whose endpoint is two addresses of e-mail.
async fn world() -> World {
    let mut world = World::new().await;
    world.table.delete(key::endpoint(world.tenant, world.endpoint)).await.unwrap();
    let deps = create::Deps {
        gate: Gate::new(world.table.clone()),
        table: world.table.clone(),
        vault: vault(),
        egress: Egress::new("", ""),
        mails: true,
    };
    let body = json!({ "name": "Ops", "url": "mailto:ops@brightline.example,bo@brightline.example" });
    let (status, made) = told(create::handle(&deps, person(world.tenant, Role::Owner).posting(&body)).await);
    assert_eq!(status, 201, "{made}");
    world.endpoint = made["data"]["endpoint"]["id"].as_str().unwrap().parse().unwrap();
    let ses = world.receiver.url(SES);
    start(&mut world, testing::mail(&ses));
    world
}

/// A function that has just started.
fn start(world: &mut World, mail: Mail) {
    let sender = Sender { stage: "test".into(), mail, ..Sender::default() };
    world.deps = Deps::new(world.table.clone(), world.queue.clone(), vault(), Egress::new("", ""), sender);
}

/// An alert that opens, routed as the stream would.
async fn alert(world: &World, name: &str) -> Event {
    let content = Content::Alert {
        alert: AlertId::new(),
        title: format!("Intake: {name}\nBcc: all@example.com"),
        facts: vec![("Scenario".into(), "Intake <Mail>".into())],
        data: json!({ "kind": "error_rate" }).to_string(),
    };
    let event = Event { event_type: "alert.opened".into(), content, ..world.event(name) };
    let (event, _) = event::accept(&world.table, event).await.unwrap();
    world.route(&event).await.unwrap();
    event
}

async fn letters(world: &World) -> Vec<Recorded> {
    world.receiver.requests(PATH).await.unwrap()
}

fn header(letter: &Recorded, name: &str) -> String {
    let headers = letter.json()["Content"]["Simple"]["Headers"].clone();
    let found = headers.as_array().unwrap().iter().find(|header| header["Name"] == name).cloned();
    found.unwrap()["Value"].as_str().unwrap().to_owned()
}

fn error(status: u16, name: &str, message: &str) -> Fault {
    Fault::status(status).header("x-amzn-errortype", name).body(json!({ "message": message }))
}

#[tokio::test]
async fn an_alert_is_one_letter_to_all_with_subject_text_and_id() {
    let mut world = world().await;
    let event = alert(&world, "12 of 25 runs failed").await;
    world.accept("b1").await;

    world.run_until(world.now).await;

    let [letter] = &letters(&world).await[..] else { panic!("one letter, and none about a booking") };
    let sent = letter.json();
    assert_eq!(sent["FromEmailAddress"], MAIL_FROM);
    assert_eq!(sent["Destination"], json!({ "ToAddresses": ["ops@brightline.example", "bo@brightline.example"] }));
    let simple = &sent["Content"]["Simple"];
    assert_eq!(simple["Subject"]["Data"], "Intake: 12 of 25 runs failed Bcc: all@example.com");
    let text = simple["Body"]["Text"]["Data"].as_str().unwrap();
    assert!(text.contains("\nScenario: Intake <Mail>\n") && text.contains(&event.id.to_string()), "{text}");
    assert_eq!(simple["Body"]["Html"], json!(null), "plain text alone");
    let delivery = world.delivery().await;
    assert_eq!(header(letter, "X-Crossdock-Id"), delivery.id.to_string());
    assert_eq!(header(letter, "X-Crossdock-Trace"), event.trace.to_string());
    assert_eq!((delivery.state, delivery.attempts), (State::Delivered, 1));
    let attempt = world.attempts().await.remove(0);
    assert_eq!((attempt.status, attempt.verdict), (Some(200), Verdict::Delivered));
    assert!(attempt.answer.is_some_and(|id| id.starts_with("0100")), "the log has SES' MessageId");
    assert_eq!(world.received().await, 0, "no webhook was called");
}

#[tokio::test]
async fn what_passes_is_tried_again_by_the_engine_alone() {
    for (trouble, least_wait_s) in [
        (error(429, "TooManyRequestsException", "Maximum sending rate exceeded").retry_after(120), 120),
        (error(500, "InternalFailure", ""), 4),
        (Fault::status(503).body("no JSON"), 4),
        (Fault::down(), 4),
    ] {
        let mut world = world().await;
        world.receiver.fail_next(PATH, [trouble.clone()]).await.unwrap();
        alert(&world, "a").await;

        world.run_for(SignedDuration::from_mins(5)).await;

        let (delivery, attempts) = (world.delivery().await, world.attempts().await);
        assert_eq!((delivery.state, delivery.attempts), (State::Delivered, 2), "{trouble:?}");
        let wait = attempts[1].at.duration_since(attempts[0].at).as_secs();
        assert!(wait >= least_wait_s, "{wait} s after {trouble:?}");
        assert_eq!(letters(&world).await.len(), 2, "the SDK tries nothing again: {trouble:?}");
    }
}

#[tokio::test]
async fn a_letter_that_is_refused_fails_and_says_why_without_the_address() {
    let mut world = world().await;
    let refused = error(400, "BadRequestException", "Domain of ops@brightline.example contains dot-string");
    world.receiver.fail_next(PATH, [refused]).await.unwrap();
    alert(&world, "a").await;

    world.run_for(SignedDuration::from_hours(1)).await;

    let (delivery, attempt) = (world.delivery().await, world.attempts().await.remove(0));
    assert_eq!((delivery.state, delivery.last.as_deref()), (State::Failed, Some("HTTP 400")));
    assert_eq!(attempt.answer.as_deref(), Some("BadRequestException: Domain of (recipient) contains dot-string"));
    assert_eq!((world.notices().await, letters(&world).await.len()), (vec!["delivery_failed".to_owned()], 1));
}

#[tokio::test]
async fn a_fault_of_the_installation_uses_up_no_try_and_loses_nothing() {
    let faults = [
        error(400, "MessageRejected", "Email address is not verified. The following identities failed the check"),
        error(400, "SendingPausedException", ""),
        error(403, "AccessDeniedException", "User is not authorized to perform: ses:SendEmail"),
    ];
    let mut world = world().await;
    alert(&world, "a").await;
    let job = world.messages().remove(0);
    for fault in faults {
        world.receiver.fail_next(PATH, [fault.clone()]).await.unwrap();
        let put_off = world.work(job.clone()).await.expect_err("trouble of our own");
        assert!(put_off.is_transient(), "{fault:?}");
    }
    start(&mut world, Mail::default());
    assert!(world.work(job).await.is_err_and(|error| error.is_transient()), "MAIL_FROM was taken away");
    let ses = world.receiver.url(SES);
    start(&mut world, testing::mail(&ses));
    assert_eq!((world.delivery().await.attempts, world.attempts().await.len()), (0, 0));
    assert_eq!(world.endpoint().await.state, endpoint::State::Active);

    // Two days later the operator has had the sender verified: the sweep brings it.
    world.now += SignedDuration::from_hours(48);
    world.run_for(SignedDuration::from_mins(6)).await;

    assert_eq!((world.delivery().await.state, world.delivery().await.attempts), (State::Delivered, 1));
}

#[tokio::test]
async fn killed_before_the_log_the_same_letter_goes_out_again_under_the_same_id() {
    let world = world().await;
    alert(&world, "a").await;
    let job = world.messages().remove(0);
    world.receiver.fail_next(PATH, [Fault::slow(600)]).await.unwrap();
    let killed = async {
        // As soon as SES has it, and before it answers.
        world.receiver.wait_for(PATH, 1).await.unwrap();
    };
    tokio::select! {
        _ = world.work(job.clone()) => panic!("it was to be killed while it waited for the answer"),
        () = killed => {}
    }

    world.work(job).await.unwrap();

    let [first, second] = &letters(&world).await[..] else {
        panic!("two letters: SES knows no id by which to drop one")
    };
    assert_eq!(header(first, "X-Crossdock-Id"), header(second, "X-Crossdock-Id"));
    assert_eq!(first.json()["Content"]["Simple"]["Subject"], second.json()["Content"]["Simple"]["Subject"]);
    assert_eq!((world.delivery().await.state, world.attempts().await.len()), (State::Delivered, 1));
}

#[tokio::test]
async fn no_answer_in_fifteen_seconds_is_a_time_out() {
    let world = world().await;
    world.receiver.fail_next(PATH, [Fault::slow(30_000)]).await.unwrap();
    alert(&world, "a").await;

    world.work(world.messages().remove(0)).await.unwrap();

    let attempt = world.attempts().await.remove(0);
    assert_eq!((attempt.error, attempt.verdict), (Some(Silence::Timeout), Verdict::Overloaded));
    assert!((15_000..17_000).contains(&attempt.took_ms), "{} ms", attempt.took_ms);
    assert_eq!(world.delivery().await.state, State::Pending);
}

#[tokio::test]
async fn nobody_is_flooded_and_what_is_too_much_comes_later() {
    let mut world = world().await;
    for n in 0..125 {
        alert(&world, &n.to_string()).await;
    }

    world.run_until(world.now).await;
    let at_once = letters(&world).await.len();
    world.run_for(SignedDuration::from_mins(10)).await;

    assert_eq!(at_once, 120);
    let states: Vec<State> = world.deliveries().await.iter().map(|delivery| delivery.state).collect();
    assert!(states.iter().all(|state| *state == State::Delivered), "{states:?}");
}
