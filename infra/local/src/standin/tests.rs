//! The way of every request, and the control interface, over a socket.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::task::JoinSet;

mod make_api;
mod supabase;

use super::{Consent, Control, ControlError, Fault, Mode, OauthOrder, Outcome, testing::Scene};

const HOOK: &str = "/hook.eu1.make.com/abc123";

#[tokio::test]
async fn everything_received_is_recorded_in_order_to_the_byte() {
    let scene = Scene::open().await;

    scene.send(&format!("{HOOK}?a=1&b=%20"), "{ \"n\" : 1 }\n", &[("Webhook-Id", "msg_1")]).await;
    scene.send("/hook.eu1.make.com/other", "x", &[]).await;
    scene.send(HOOK, "second", &[]).await;

    let requests = scene.control.requests(HOOK).await.unwrap();
    let [first, second] = &requests[..] else {
        panic!("{requests:?}");
    };
    assert_eq!((first.method.as_str(), first.query.as_str()), ("POST", "a=1&b=%20"));
    assert_eq!(first.bytes(), b"{ \"n\" : 1 }\n");
    assert_eq!(first.json(), json!({ "n": 1 }));
    assert_eq!(first.header("webhook-ID"), Some("msg_1"));
    assert_eq!((first.answered, first.outcome), (Some(200), Outcome::Answered(200)));
    assert_eq!((first.seq, second.seq), (1, 3));
    assert_eq!(second.body.as_deref(), Some("second"));
    assert!(first.received_at <= second.received_at);
}

#[tokio::test]
async fn bytes_that_are_no_text_are_kept_as_well() {
    let scene = Scene::open().await;
    let raw = reqwest::Client::new();
    let bytes: &[u8] = &[0xff, 0, 0xfe];

    raw.post(scene.control.url(HOOK)).body(bytes).send().await.unwrap();

    let request = &scene.control.requests(HOOK).await.unwrap()[0];
    assert_eq!(request.bytes(), bytes);
    assert_eq!(request.body, None);
}

#[tokio::test]
async fn a_prefix_and_a_beginning_narrow_the_record() {
    let scene = Scene::open().await;
    for path in ["/hook.eu1.make.com/a", "/hook.eu1.make.com/b", "/hook.us1.make.com/c"] {
        scene.send(path, "", &[]).await;
    }

    assert_eq!(scene.control.requests("/hook.eu1.make.com/*").await.unwrap().len(), 2);
    let after = scene.visit("/_control/requests", &[("since", "2")]).await.json();
    assert_eq!(after["requests"].as_array().unwrap().len(), 1);
    let later = scene.visit("/_control/requests", &[("since", "2100-01-01T00:00:00Z")]).await.json();
    assert_eq!(later["requests"], json!([]));
    assert_eq!(later["last_seq"], 3);
    assert_eq!(later["keeps_at_most"], 20_000);
    assert_eq!(scene.visit("/_control/requests", &[("since", "noon")]).await.status, 400);
}

#[tokio::test]
async fn waiting_ends_when_enough_has_come() {
    let scene = Scene::open().await;
    let control = scene.control.clone();
    scene.send(HOOK, "1", &[]).await;

    let waiting = tokio::spawn(async move { control.wait_for(HOOK, 3).await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!waiting.is_finished());
    scene.send(HOOK, "2", &[]).await;
    scene.send("/hook.eu1.make.com/other", "", &[]).await;
    scene.send(HOOK, "3", &[]).await;

    assert_eq!(waiting.await.unwrap().unwrap().len(), 3);
}

#[tokio::test]
async fn waiting_in_vain_says_what_is_there() {
    let scene = Scene::open().await;
    scene.send(HOOK, "1", &[]).await;

    let error = scene.control.wait_for_within(HOOK, 2, Duration::from_millis(30)).await.unwrap_err();

    assert!(matches!(error, ControlError::TooFew { wanted: 2, found: 1, .. }), "{error}");
}

#[tokio::test]
async fn faults_answer_in_the_vendors_place_and_then_it_is_the_vendor_again() {
    let scene = Scene::open().await;
    let faults = [
        Fault::status(500).body("broken").header("x-why", "test"),
        Fault::status(200).body(json!({ "error": "invalid_code" })),
        Fault::queue_full(),
        Fault::too_many_requests(),
        Fault::too_many_requests().retry_after(7),
        Fault::closed(),
        Fault::status(302).header("location", "http://127.0.0.1:1/"),
    ];
    scene.control.fail_next(HOOK, faults).await.unwrap();

    let broken = scene.send(HOOK, "", &[]).await;
    assert_eq!((broken.status, broken.text.as_str(), broken.header("x-why")), (500, "broken", "test"));
    assert_eq!(scene.send(HOOK, "", &[]).await.json()["error"], "invalid_code");
    let full = scene.send(HOOK, "", &[]).await;
    assert_eq!((full.status, full.text.as_str()), (400, "Queue is full"));
    let many = scene.send(HOOK, "", &[]).await;
    assert_eq!((many.status, many.text.as_str(), many.header("retry-after")), (429, "Too many requests", ""));
    assert_eq!(scene.send(HOOK, "", &[]).await.header("retry-after"), "7");
    let gone = scene.send(HOOK, "", &[]).await;
    assert_eq!((gone.status, gone.text.as_str()), (410, ""));
    assert_eq!(scene.send(HOOK, "", &[]).await.status, 302);
    assert_eq!(scene.send(HOOK, "", &[]).await.text, "Accepted");

    let answered: Vec<_> =
        scene.control.requests(HOOK).await.unwrap().iter().map(|request| request.answered.unwrap()).collect();
    assert_eq!(answered, [500, 200, 400, 429, 429, 410, 302, 200]);
}

#[tokio::test]
async fn who_is_down_says_nothing_but_was_called() {
    let scene = Scene::open().await;
    scene.control.set_mode(HOOK, Mode::Down).await.unwrap();

    let error = scene.try_send(HOOK).await.unwrap_err();

    assert!(error.is_request(), "{error:?}");
    assert!(error.status().is_none());
    let requests = scene.control.requests(HOOK).await.unwrap();
    assert!(requests.iter().all(|request| request.outcome == Outcome::Cut));
    assert!(!requests.is_empty());

    scene.control.set_mode(HOOK, Mode::Up).await.unwrap();
    assert_eq!(scene.send(HOOK, "", &[]).await.status, 200);
}

#[tokio::test]
async fn who_is_slow_answers_late_and_notes_who_does_not_wait() {
    let scene = Scene::open().await;
    scene.control.set_mode(HOOK, Fault::slow(120)).await.unwrap();

    let start = Instant::now();
    assert_eq!(scene.send(HOOK, "", &[]).await.status, 200);
    assert!(start.elapsed() >= Duration::from_millis(120));

    scene.control.set_mode(HOOK, Fault::slow(60_000)).await.unwrap();
    let impatient = tokio::time::timeout(Duration::from_millis(50), scene.try_send(HOOK)).await;
    assert!(impatient.is_err());
    let left = async {
        loop {
            let requests = scene.control.requests(HOOK).await.unwrap();
            if requests.last().unwrap().outcome == Outcome::CallerLeft {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), left).await.unwrap();
}

#[tokio::test]
async fn a_share_of_requests_fails() {
    let scene = Scene::open().await;
    scene.control.rate(HOOK, 0.5, Fault::status(503)).await.unwrap();

    let mut failed = 0;
    for _ in 0..20 {
        failed += usize::from(scene.send(HOOK, "", &[]).await.status == 503);
    }

    assert_eq!(failed, 10);
    scene.control.heal(HOOK).await.unwrap();
    assert_eq!(scene.send(HOOK, "", &[]).await.status, 200);
}

#[tokio::test]
async fn faults_hold_for_the_authorization_servers_too() {
    let scene = Scene::open().await;
    let token = "/accounts.zoho.eu/oauth/v2/token";
    scene.control.fail_next(token, [Fault::status(503).times(2)]).await.unwrap();

    assert_eq!(scene.form(token, &[]).await.status, 503);
    assert_eq!(scene.form(token, &[]).await.status, 503);
    assert_eq!(scene.form(token, &[]).await.json()["error"], "invalid_client");
}

#[tokio::test]
async fn what_stands_can_be_read_and_reset() {
    let scene = Scene::open().await;
    scene.control.fail_next(HOOK, [Fault::down().times(2)]).await.unwrap();
    scene.control.set_mode("/hook.eu1.make.com/*", Mode::QueueFull).await.unwrap();
    scene.control.next_consent("zoho", Consent { deny: true, ..Consent::default() }).await.unwrap();

    let standing = scene.visit("/_control/faults", &[]).await.json();
    assert_eq!(
        standing,
        json!({ "faults": [
            { "path": HOOK, "next": [{ "down": true }, { "down": true }] },
            { "path": "/hook.eu1.make.com/*", "mode": { "queue_full": true } },
        ] })
    );
    let zoho = scene.visit("/_control/oauth/zoho", &[]).await.json();
    assert_eq!(zoho["next_consents"], json!([{ "deny": true }]));

    scene.control.reset().await.unwrap();
    assert_eq!(scene.visit("/_control/faults", &[]).await.json(), json!({ "faults": [] }));
    assert_eq!(scene.visit("/_control/oauth/zoho", &[]).await.json()["next_consents"], json!([]));
}

#[tokio::test]
async fn the_next_consent_can_be_ordered_beforehand() {
    let scene = Scene::open().await;
    scene.control.next_consent("hubspot", Consent { deny: true, ..Consent::default() }).await.unwrap();
    let ask = [
        ("client_id", "crossdock-hubspot"),
        ("redirect_uri", super::testing::BACK),
        (
            "scope",
            "oauth crm.objects.contacts.read crm.objects.contacts.write crm.objects.companies.read crm.objects.companies.write crm.objects.deals.read crm.objects.deals.write crm.objects.owners.read crm.schemas.contacts.read crm.schemas.companies.read crm.schemas.deals.read",
        ),
    ];

    let first = scene.visit("/app.hubspot.com/oauth/authorize", &ask).await.callback();
    let second = scene.visit("/app.hubspot.com/oauth/authorize", &ask).await.callback();

    assert_eq!(first["error"], "access_denied");
    assert!(second.contains_key("code"));
}

#[tokio::test]
async fn a_code_is_nothing_in_the_hands_of_another_app() {
    let scene = Scene::open().await;
    let order =
        OauthOrder { apps: [("other-app".to_owned(), "other-secret".to_owned())].into(), ..OauthOrder::default() };
    scene.control.oauth("zoho", &order).await.unwrap();
    let ask = [
        ("response_type", "code"),
        ("client_id", "other-app"),
        ("redirect_uri", super::testing::BACK),
        ("scope", "ZohoCRM.org.READ"),
    ];
    let code = scene.visit("/accounts.zoho.com/oauth/v2/auth", &ask).await.callback()["code"].clone();
    let form = |id, secret| {
        [
            ("grant_type", "authorization_code"),
            ("client_id", id),
            ("client_secret", secret),
            ("redirect_uri", super::testing::BACK),
            ("code", code.as_str()),
        ]
    };
    let token = "/accounts.zoho.eu/oauth/v2/token";

    let stolen = scene.form(token, &form("crossdock-zoho", "standin-secret-zoho")).await;
    let owned = scene.form(token, &form("other-app", "other-secret")).await;

    assert_eq!(stolen.json(), json!({ "error": "invalid_code" }));
    assert!(owned.json()["access_token"].is_string());
}

#[tokio::test]
async fn orders_that_make_no_sense_are_refused_with_a_reason() {
    let scene = Scene::open().await;
    let refused = [
        ("/_control/faults", "{"),
        ("/_control/faults", r#"{"path":"/a","next":[{"stauts":500}]}"#),
        ("/_control/faults", r#"{"path":"/a"}"#),
        ("/_control/oauth/zoho", r#"{"next":{}}"#),
        ("/_control/oauth/oracle", "{}"),
    ];

    for (path, body) in refused {
        let reply = scene.send(path, body, &[]).await;
        assert_eq!(reply.status, 400, "{path} {body}");
        assert!(reply.json()["error"].is_string());
    }
    assert_eq!(scene.visit("/_control/nothing", &[]).await.status, 404);
}

#[tokio::test]
async fn the_control_interface_describes_itself_and_is_not_recorded() {
    let scene = Scene::open().await;

    for path in ["/_control", "/_control/"] {
        let described = scene.visit(path, &[]).await.json();
        assert_eq!(described["name"], "crossdock stand-in");
    }

    assert!(scene.control.requests("*").await.unwrap().is_empty());
}

#[tokio::test]
async fn hosts_that_nobody_plays_are_not_found() {
    let scene = Scene::open().await;

    for path in ["/", "/example.com/a", "/accounts.zoho.evil.example/oauth/v2/token", "/zohoapis.com/crm/v8/org"] {
        assert_eq!(scene.send(path, "", &[]).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn who_is_not_there_is_an_error_and_no_panic() {
    let nobody = Control::at("http://127.0.0.1:1");

    let error = nobody.requests("*").await.unwrap_err();

    assert!(matches!(error, ControlError::Unreachable(_)));
}

#[tokio::test]
async fn many_at_once_lose_nothing() {
    let scene = Arc::new(Scene::open().await);
    scene.control.set_mode(HOOK, Fault::slow(20)).await.unwrap();

    let mut sent = JoinSet::new();
    for _ in 0..200 {
        let scene = scene.clone();
        sent.spawn(async move { scene.send(HOOK, "{}", &[]).await.status });
    }

    assert!(sent.join_all().await.iter().all(|status| *status == 200));
    assert_eq!(scene.control.wait_for(HOOK, 200).await.unwrap().len(), 200);
}
