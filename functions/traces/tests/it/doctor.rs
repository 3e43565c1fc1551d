use data_encoding::{BASE64, HEXLOWER};
use http::HeaderMap;
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use shared::{
    endpoint::Previous,
    gate::Role,
    http::Call,
    id::{DeliveryId, EndpointId},
    key,
    secrets::webhook_secret,
    sign,
    testing::{Units, nobody, person, person_with, stranger, table, told, vault},
};
use traces::doctor::{self, Deps};

use crate::{HOOK, World, doctor_of_automations::automation, pointers, world::PUBLIC_URL};

pub fn deps(world: &World) -> Deps {
    Deps {
        gate: world.gate(),
        table: world.table.clone(),
        vault: vault(),
        stage: "test".into(),
        public_url: PUBLIC_URL.into(),
    }
}

pub async fn ask(world: &World, call: Call, request: &Value) -> (u16, Value) {
    told(doctor::handle(&deps(world), call.posting(request)).await)
}

/// What the doctor says: a verdict that fits its findings, each with advice, and nothing that it must not say.
pub async fn diagnosed(world: &World, request: &Value, secrets: &[&str]) -> Value {
    let (status, answer) = ask(world, world.supervisor(), request).await;
    assert_eq!(status, 200, "{answer}");
    let text = answer.to_string();
    for secret in secrets {
        assert!(!text.contains(secret.trim_start_matches("whsec_")), "{text}");
    }
    for long in text.split(|c: char| !(c.is_ascii_alphanumeric() || "+/=".contains(c))) {
        assert!(long.len() < 43 || BASE64.decode(long.as_bytes()).is_err(), "no signature: {long}");
    }
    let diagnosis = &answer["data"];
    let ok = names(diagnosis).contains(&"ok");
    assert_eq!(diagnosis["verdict"], if ok { "ok" } else { "ill" });
    for finding in diagnosis["findings"].as_array().unwrap() {
        assert!(finding["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{finding}");
        assert!(finding["advice"].as_str().is_some_and(|advice| advice.ends_with('.')), "{finding}");
    }
    diagnosis.clone()
}

pub fn names(diagnosis: &Value) -> Vec<&str> {
    diagnosis["findings"].as_array().unwrap().iter().map(|finding| finding["name"].as_str().unwrap()).collect()
}

/// The detail of the first finding.
pub fn detail(diagnosis: &Value) -> &str {
    diagnosis["findings"][0]["detail"].as_str().unwrap()
}

/// Signs as Standard Webhooks says.
pub fn signed(secret: &str, id: &str, at: Timestamp, body: &str) -> Value {
    as_json(&sign::headers(&[&SecretString::from(secret)], id, at, body.as_bytes()).unwrap())
}

fn as_json(headers: &HeaderMap) -> Value {
    headers.iter().map(|(name, value)| (name.to_string(), json!(value.to_str().unwrap()))).collect()
}

/// An endpoint with a given secret, and perhaps one before it.
async fn with_secrets(world: &World, secret: &str, previous: Option<(&str, Timestamp)>) -> EndpointId {
    let (id, _) = world.endpoint("Vector", HOOK).await;
    let keyring = vault().keyring().await.unwrap();
    let place = [&world.tenant.to_string(), &id.to_string(), "secret"];
    let seal = |secret: &str| keyring.seal(place, &secret.into()).unwrap();
    let previous = previous.map(|(secret, until)| Previous { secret: seal(secret), until });
    let change = world.table.change(key::endpoint(world.tenant, id)).set("secret", seal(secret));
    change.set_or_remove("previous", previous).send().await.unwrap();
    id
}

/// A delivery as its receiver got it.
async fn delivered(world: &mut World) -> (String, Value) {
    let (endpoint, secret) = world.endpoint("Make", HOOK).await;
    world.accept("b1").await;
    world.work().await;
    let received = world.received().await;
    let request = json!({
        "endpoint_id": endpoint, "headers": received.headers, "body": received.body, "received_at": world.now,
    });
    (secret, request)
}

/// The same request with another body.
fn with_body(request: &Value, body: impl Into<String>) -> Value {
    let mut request = request.clone();
    request["body"] = json!(body.into());
    request
}

#[tokio::test]
async fn the_vectors_of_the_specification_hold() {
    let world = World::new().await;
    for (secret, id, time, body, signature) in [
        (
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            r#"{"test": 2432232314}"#,
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        ),
        (
            "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
            "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
            1_649_367_553,
            r#"{"email":"test@example.com","username":"test_user"}"#,
            "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
        ),
    ] {
        let endpoint = with_secrets(&world, secret, None).await;
        let request = json!({
            "endpoint_id": endpoint,
            "headers": { "Webhook-Id": id, "WEBHOOK-TIMESTAMP": time, "webhook-signature": signature },
            "body": body,
            "received_at": Timestamp::from_second(time).unwrap(),
        });

        let good = diagnosed(&world, &request, &[secret]).await;
        assert_eq!(names(&good), ["ok"], "{good}");
        assert!(detail(&good).contains(&format!("the endpoint \"Vector\" ({endpoint})")), "{good}");

        let mut in_base64 = request.clone();
        in_base64.as_object_mut().unwrap().remove("body");
        in_base64["body_base64"] = json!(BASE64.encode(body.as_bytes()));
        assert_eq!(names(&diagnosed(&world, &in_base64, &[secret]).await), ["ok"]);

        let spaced = with_body(&request, body.replace(':', " : "));
        assert_eq!(names(&diagnosed(&world, &spaced, &[secret]).await), ["body_rewritten"]);

        // The specification's own bad cases: a cut signature, a wrong version, the right one among wrong ones.
        for (signatures, expected) in [
            (signature[..20].to_owned(), vec!["header_malformed"]),
            (signature.replace("v1,", "v2,"), vec!["algorithm"]),
            (signature.replace("v1,", "v1a,"), vec!["algorithm"]),
            (format!("v1,{} v2,x v1a,x {signature}", BASE64.encode(&[1; 32])), vec!["ok"]),
        ] {
            let mut request = request.clone();
            request["headers"]["webhook-signature"] = json!(signatures);
            assert_eq!(names(&diagnosed(&world, &request, &[secret]).await), expected, "{signatures}");
        }
    }
}

#[tokio::test]
async fn what_we_have_sent_is_well() {
    let mut world = World::new().await;
    let (secret, request) = delivered(&mut world).await;
    let well = diagnosed(&world, &request, &[&secret]).await;
    assert_eq!(names(&well), ["ok"]);
    assert!(detail(&well).contains(&shared::secrets::fingerprint(&secret.into())), "{well}");
}

#[tokio::test]
async fn a_header_that_is_missing_or_has_another_name_is_named() {
    let mut world = World::new().await;
    let (secret, request) = delivered(&mut world).await;
    for (header, other) in
        [("webhook-id", "svix-id"), ("webhook-timestamp", "x-webhook-timestamp"), ("webhook-signature", "x-signature")]
    {
        let mut renamed = request.clone();
        let headers = renamed["headers"].as_object_mut().unwrap();
        let value = headers.remove(header).unwrap();
        headers.insert(other.to_uppercase(), value);

        let diagnosis = diagnosed(&world, &renamed, &[&secret]).await;
        assert_eq!(names(&diagnosis), ["header_missing"], "all else holds: {diagnosis}");
        assert_eq!(detail(&diagnosis), format!("{header} is not there, but {other} is"));
    }
    let mut bare = request.clone();
    bare["headers"] = json!({ "content-type": "application/json" });
    let diagnosis = diagnosed(&world, &bare, &[&secret]).await;
    assert_eq!(names(&diagnosis), ["header_missing"; 3]);
    assert_eq!(detail(&diagnosis), "webhook-id is not there");
}

#[tokio::test]
async fn a_header_that_is_not_of_its_form_is_named() {
    let mut world = World::new().await;
    let (secret, request) = delivered(&mut world).await;
    let at = world.now;
    for (header, value) in [
        ("webhook-timestamp", json!(at.to_string())),
        ("webhook-signature", json!(request["headers"]["webhook-signature"].as_str().unwrap().replace('=', ""))),
        ("webhook-signature", json!("")),
    ] {
        let mut request = request.clone();
        request["headers"][header] = value.clone();
        let diagnosis = diagnosed(&world, &request, &[&secret]).await;
        assert!(names(&diagnosis).iter().all(|name| ["header_malformed", "algorithm", "other_secret"].contains(name)));
        assert!(detail(&diagnosis).starts_with(header), "{value}: {diagnosis}");
    }
    // Signed over milliseconds: the one fault is the header's.
    let decoded = BASE64.decode(secret.trim_start_matches("whsec_").as_bytes()).unwrap();
    let mac = hmac_sha256(&decoded, format!("msg_1.{}.{{}}", at.as_millisecond()).as_bytes());
    let request = json!({
        "endpoint_id": request["endpoint_id"], "body": "{}", "received_at": at,
        "headers": {
            "webhook-id": "msg_1", "webhook-timestamp": at.as_millisecond(),
            "webhook-signature": format!("v1,{}", BASE64.encode(&mac)),
        },
    });
    let diagnosis = diagnosed(&world, &request, &[&secret]).await;
    assert_eq!(names(&diagnosis), ["header_malformed"]);
    assert!(detail(&diagnosis).contains("milliseconds"));
}

#[tokio::test]
async fn the_clock_is_told_with_its_direction() {
    let mut world = World::new().await;
    let (secret, request) = delivered(&mut world).await;
    let signed_at = world.now;
    for (came, expected) in [
        (300, None),
        (301, Some("301 seconds before it was received")),
        (-300, None),
        (-301, Some("301 seconds after it was received")),
        (-86_400, Some("86400 seconds after it was received")),
    ] {
        let mut request = request.clone();
        request["received_at"] = json!(signed_at + SignedDuration::from_secs(came));
        let diagnosis = diagnosed(&world, &request, &[&secret]).await;
        match expected {
            None => assert_eq!(names(&diagnosis), ["ok"]),
            Some(expected) => {
                assert_eq!(names(&diagnosis), ["clock"]);
                assert!(detail(&diagnosis).contains(expected), "{diagnosis}");
            }
        }
    }
    let mut undated = request.clone();
    undated.as_object_mut().unwrap().remove("received_at");
    world.now += SignedDuration::from_hours(1);
    let diagnosis = diagnosed(&world, &undated, &[&secret]).await;
    assert_eq!(names(&diagnosis), ["clock"]);
    assert!(
        diagnosis["findings"][0]["advice"].as_str().unwrap().contains("received_at"),
        "it was perhaps pasted later"
    );
}

#[tokio::test]
async fn each_wrong_way_of_signing_is_named() {
    let world = World::new().await;
    let (endpoint, secret) = world.endpoint("Make", HOOK).await;
    let (id, at, body) = ("msg_1", world.now, "{\"a\":1}");
    let time = at.as_second();
    let all = format!("{id}.{time}.{body}");
    let behind = secret.trim_start_matches("whsec_");
    let decoded = BASE64.decode(behind.as_bytes()).unwrap();
    let mac = |key: &[u8], content: &str| hmac_sha256(key, content.as_bytes());
    let v1 = |mac: Vec<u8>| format!("v1,{}", BASE64.encode(&mac));
    for (says, signature) in [
        ("is written in hexadecimal", format!("v1,{}", HEXLOWER.encode(&mac(&decoded, &all)))),
        ("lacks `v1,`", BASE64.encode(&mac(&decoded, &all))),
        ("is written in hexadecimal", format!("sha256={}", HEXLOWER.encode(&mac(&decoded, &all)))),
        ("the body alone was signed", v1(mac(&decoded, body))),
        ("without webhook-id", v1(mac(&decoded, &format!("{time}.{body}")))),
        ("without webhook-timestamp", v1(mac(&decoded, &format!("{id}.{body}")))),
        ("whsec_ included", v1(mac(secret.as_bytes(), &all))),
        ("the text behind whsec_", v1(mac(behind.as_bytes(), &all))),
        ("whsec_ included", HEXLOWER.encode(&mac(secret.as_bytes(), body))),
        ("the body alone was signed", HEXLOWER.encode(&mac(secret.as_bytes(), body))),
        ("is written in hexadecimal", HEXLOWER.encode(&mac(secret.as_bytes(), body))),
        ("Ed25519", format!("v1a,{}", BASE64.encode(&[1; 64]))),
    ] {
        let request = json!({
            "endpoint_id": endpoint, "body": body, "received_at": at,
            "headers": { "webhook-id": id, "webhook-timestamp": time, "webhook-signature": signature },
        });
        let diagnosis = diagnosed(&world, &request, &[&secret]).await;
        assert_eq!(names(&diagnosis), ["algorithm"], "{says}: {diagnosis}");
        assert!(detail(&diagnosis).contains(says), "{says}: {diagnosis}");
    }
    // Wrong in two ways, and written anew on its way.
    let request = json!({
        "endpoint_id": endpoint, "body": "{ \"a\": 1 }\n", "received_at": at,
        "headers": { "webhook-id": id, "webhook-timestamp": time, "webhook-signature": v1(mac(secret.as_bytes(), &all)) },
    });
    assert_eq!(names(&diagnosed(&world, &request, &[&secret]).await), ["algorithm", "body_rewritten"]);
    // Of the wrong form, and nobody's.
    let request = json!({
        "endpoint_id": endpoint, "body": body, "received_at": at,
        "headers": { "webhook-id": id, "webhook-timestamp": time, "webhook-signature": HEXLOWER.encode(&[1; 32]) },
    });
    assert_eq!(names(&diagnosed(&world, &request, &[&secret]).await), ["algorithm", "unknown"]);
}

/// HMAC-SHA256 (RFC 2104), for the ways in which our own code does not sign.
fn hmac_sha256(key: &[u8], content: &[u8]) -> Vec<u8> {
    use sha2::{Digest, Sha256};
    let mut block = [0; 64];
    if key.len() > block.len() {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let pad = |with: u8| block.map(|byte| byte ^ with);
    let inner = Sha256::new_with_prefix(pad(0x36)).chain_update(content).finalize();
    Sha256::new_with_prefix(pad(0x5c)).chain_update(inner).finalize().to_vec()
}

#[tokio::test]
async fn the_previous_secret_is_told_with_its_end() {
    let world = World::new().await;
    let (old, new) = (webhook_secret(), webhook_secret());
    let (old, new) = (old.expose_secret(), new.expose_secret());
    let until = world.now + SignedDuration::from_hours(2);
    let endpoint = with_secrets(&world, new, Some((old, until))).await;

    let request = |secret: &str, at: Timestamp| json!({ "endpoint_id": endpoint, "headers": signed(secret, "msg_1", at, "{}"), "body": "{}", "received_at": at });
    let good = diagnosed(&world, &request(old, world.now), &[old, new]).await;
    assert_eq!(names(&good), ["ok", "previous_secret"]);
    assert!(good["findings"][1]["detail"].as_str().unwrap().ends_with(&format!("still good until {until}")), "{good}");
    let ended = diagnosed(&world, &request(old, until), &[old, new]).await;
    assert_eq!(names(&ended), ["previous_secret"]);
    assert!(detail(&ended).ends_with(&format!("ended at {until}")), "{ended}");
    assert_eq!(names(&diagnosed(&world, &request(new, until), &[old, new]).await), ["ok"]);

    // During the overlap every delivery carries both.
    let both = as_json(&sign::headers(&[&new.into(), &old.into()], "msg_1", world.now, b"{}").unwrap());
    let request = json!({ "endpoint_id": endpoint, "headers": both, "body": "{}", "received_at": world.now });
    assert_eq!(names(&diagnosed(&world, &request, &[old, new]).await), ["ok"]);
}

#[tokio::test]
async fn the_endpoint_whose_secret_has_signed_is_named() {
    let world = World::new().await;
    let (ours, secret) = world.endpoint("Make", HOOK).await;
    let (other, others_secret) = world.endpoint("Archive", "/hook.eu1.make.com/archive").await;
    let request = |secret: &str| json!({ "endpoint_id": ours, "headers": signed(secret, "msg_1", world.now, "{}"), "body": "{}", "received_at": world.now });

    let diagnosis = diagnosed(&world, &request(&others_secret), &[&secret, &others_secret]).await;
    assert_eq!(names(&diagnosis), ["other_secret"]);
    assert!(detail(&diagnosis).ends_with(&format!("the secret of the endpoint \"Archive\" ({other})")), "{diagnosis}");

    // One whose secret does not open is passed over.
    let keyring = vault().keyring().await.unwrap();
    let misplaced = keyring.seal(["elsewhere", "end", "secret"], &webhook_secret()).unwrap();
    world.table.change(key::endpoint(world.tenant, other)).set("secret", misplaced).send().await.unwrap();
    let diagnosis = diagnosed(&world, &request(&others_secret), &[&secret, &others_secret]).await;
    assert_eq!(names(&diagnosis), ["unknown"]);

    // Another tenant's endpoint is nobody's here.
    let elsewhere = World::on(world.table.clone()).await;
    let (_, theirs) = elsewhere.endpoint("Theirs", HOOK).await;
    let diagnosis = diagnosed(&world, &request(&theirs), &[&secret, &others_secret, &theirs]).await;
    assert_eq!(names(&diagnosis), ["unknown"]);
    assert!(!diagnosis.to_string().contains("Theirs"));
}

#[tokio::test]
async fn a_body_that_was_written_anew_is_told_from_one_that_was_changed() {
    let mut world = World::new().await;
    let (secret, request) = delivered(&mut world).await;
    let body = request["body"].as_str().unwrap().to_owned();
    let value: Value = serde_json::from_str(&body).unwrap();

    let pretty = serde_json::to_string_pretty(&value).unwrap();
    for (rewritten, says) in [
        (pretty.clone(), "what was"),
        (pretty.replace('\n', "\r\n"), "what was"),
        (format!("{body}\n"), "without the white space around it"),
        (format!("\u{feff}{body}"), "without"),
        // A number written otherwise is in no form that is tried: only the body that was sent tells.
        (body.replace("120.5", "120.50"), "the body says what was sent, in other bytes"),
        (body.replace("120.5", "1205e-1"), "the body says what was sent, in other bytes"),
    ] {
        let diagnosis = diagnosed(&world, &with_body(&request, rewritten), &[&secret]).await;
        assert_eq!(names(&diagnosis), ["body_rewritten"], "{says}");
        assert!(detail(&diagnosis).contains(says), "{says}: {diagnosis}");
    }

    let changed = body.replace("\"confirmed\"", "\"cancelled\"").replace("120.5", "120.4");
    let diagnosis = diagnosed(&world, &with_body(&request, changed), &[&secret]).await;
    assert_eq!(names(&diagnosis), ["body_changed"]);
    let at: Vec<_> =
        diagnosis["findings"][0]["pointers"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(
        at,
        [
            "/booking_details/status",
            "/booking_details/total_price",
            "/booking_event/status",
            "/booking_event/total_price"
        ]
    );
    for value in ["confirmed", "cancelled", "120"] {
        assert!(!diagnosis.to_string().contains(value), "no value is told: {diagnosis}");
    }
    for nonsense in ["", "a=1", "[", "null"] {
        let diagnosis = diagnosed(&world, &with_body(&request, nonsense), &[&secret]).await;
        assert_eq!(names(&diagnosis), ["body_changed"], "{nonsense}");
        assert_eq!(diagnosis["findings"][0]["pointers"], json!([""]));
    }
}

#[tokio::test]
async fn numbers_that_lost_digits_are_told_as_that() {
    let mut world = World::new().await;
    let (endpoint, secret) = world.endpoint("Make", HOOK).await;
    let mut event = world.booking("b1", shared::trace::TraceId::new());
    if let shared::event::Content::Booking { record, .. } = &mut event.content {
        *record = Some(r#"{"id":"b1","price":12345678901234567890.1,"note":"\u00e9"}"#.into());
    }
    world.number(&event).await;
    world.route(&event).await;
    world.work().await;
    let received = world.received().await;
    let body = received.body.clone().unwrap();
    let request = |body: String| json!({ "endpoint_id": endpoint, "headers": received.headers, "body": body, "received_at": world.now });
    assert_eq!(names(&diagnosed(&world, &request(body.clone()), &[&secret]).await), ["ok"]);

    let rounded = body.replace("12345678901234567890.1", "12345678901234567000").replace("\\u00e9", "é");
    let diagnosis = diagnosed(&world, &request(rounded), &[&secret]).await;

    assert_eq!(names(&diagnosis), ["body_changed"]);
    let finding = &diagnosis["findings"][0];
    assert_eq!(finding["pointers"], json!(["/booking_details/price", "/booking_event/price"]));
    assert!(finding["advice"].as_str().unwrap().contains("floating-point"), "{finding}");
}

#[tokio::test]
async fn what_is_known_around_an_event_may_have_changed_since() {
    let mut world = World::new().await;
    let (endpoint, secret) = world.endpoint("Make", HOOK).await;
    let mut event = world.booking("e1", shared::trace::TraceId::new());
    if let shared::event::Content::Booking { table, record, .. } = &mut event.content {
        "booking_events".clone_into(table);
        *record = Some(r#"{"id":"e1","booking_id":"b1","event_type":"x"}"#.into());
    }
    let booking = world.booking("b1", shared::trace::TraceId::new());
    shared::booking::keep(&world.table, &booking).await.unwrap();
    world.number(&event).await;
    world.route(&event).await;
    world.work().await;
    let received = world.received().await;
    let body = received.body.clone().unwrap();
    assert!(body.contains("\"status\":\"confirmed\""), "{}", body);
    let mut later = world.booking("b1", shared::trace::TraceId::new());
    later.accepted_at += SignedDuration::from_secs(60);
    if let shared::event::Content::Booking { record, .. } = &mut later.content {
        *record = Some(r#"{"id":"b1","status":"over"}"#.into());
    }
    shared::booking::keep(&world.table, &later).await.unwrap();
    let request = |headers: Value, body: String| json!({ "endpoint_id": endpoint, "headers": headers, "body": body, "received_at": world.now });
    let as_received = json!(received.headers);

    // What was signed is found by what the body that came says there.
    let otherwise = body.replace("\"event_type\":\"x\"", "\"event_type\":\"y\"");
    let diagnosis = diagnosed(&world, &request(as_received.clone(), otherwise.clone()), &[&secret]).await;
    assert_eq!(names(&diagnosis), ["body_changed"], "{diagnosis}");
    assert_eq!(diagnosis["findings"][0]["pointers"], json!(["/booking_event/event_type", "/event_type"]));

    // Signed by nobody: that the booking is another now is nobody's fault.
    let id = world.delivery().await.id.to_string();
    let nobodys = |body: &str| signed(webhook_secret().expose_secret(), &id, world.now, body);
    let same = diagnosed(&world, &request(nobodys(&body), body.clone()), &[&secret]).await;
    assert_eq!(names(&same), ["unknown"]);
    let changed = diagnosed(&world, &request(nobodys(&otherwise), otherwise), &[&secret]).await;
    assert_eq!(names(&changed), ["body_changed"]);
    assert_eq!(changed["findings"][0]["pointers"], json!(["/booking_event/event_type", "/event_type"]));
}

#[tokio::test]
async fn a_delivery_that_nobodys_secret_has_signed_is_held_against_what_was_sent() {
    let mut world = World::new().await;
    let (secret, mut request) = delivered(&mut world).await;
    let id = world.delivery().await.id.to_string();
    let body = request["body"].as_str().unwrap().to_owned();
    request["headers"] = signed(webhook_secret().expose_secret(), &id, world.now, &body);

    for (came, expected) in [
        (body.clone(), vec!["other_secret"]),
        (body.replace("120.5", "120.50"), vec!["body_rewritten", "other_secret"]),
        (body.replace("\"live\"", "\"dead\""), vec!["body_changed", "other_secret"]),
    ] {
        let diagnosis = diagnosed(&world, &with_body(&request, came), &[&secret]).await;
        assert_eq!(names(&diagnosis), expected, "{diagnosis}");
    }
    // Under an id that is not ours nothing is known of the body.
    request["headers"] = signed(webhook_secret().expose_secret(), &DeliveryId::new().to_string(), world.now, &body);
    assert_eq!(names(&diagnosed(&world, &request, &[&secret]).await), ["unknown"]);
}

#[tokio::test]
async fn several_things_are_told_at_once() {
    let world = World::new().await;
    let (endpoint, secret) = world.endpoint("Make", HOOK).await;
    let (_, others_secret) = world.endpoint("Archive", "/hook.eu1.make.com/archive").await;
    let mut headers = signed(&others_secret, "msg_1", world.now, "{}");
    let headers = headers.as_object_mut().unwrap();
    let id = headers.remove("webhook-id").unwrap();
    headers.insert("svix-id".into(), id);
    let request = json!({
        "endpoint_id": endpoint, "headers": headers, "body": "{}",
        "received_at": world.now + SignedDuration::from_hours(1),
    });

    let diagnosis = diagnosed(&world, &request, &[&secret, &others_secret]).await;

    assert_eq!(names(&diagnosis), ["header_missing", "clock", "other_secret"]);
}

#[tokio::test]
async fn what_is_asked_twice_under_one_key_is_answered_once() {
    let mut world = World::new().await;
    let (secret, request) = delivered(&mut world).await;
    let named = || world.supervisor().with_header("idempotency-key", "k");
    let first = ask(&world, named(), &request).await;
    assert_eq!(first.0, 200);
    assert_eq!(ask(&world, named(), &request).await, first);
    assert_eq!(ask(&world, named(), &with_body(&request, "{}")).await.0, 422);
    assert!(!first.1.to_string().contains(&secret));
}

#[tokio::test]
async fn everything_wrong_with_the_question_is_told_at_once() {
    let world = World::new().await;
    let asked = async |request: Value| {
        let (status, problem) = ask(&world, world.supervisor(), &request).await;
        (status, pointers(&problem).into_iter().map(ToOwned::to_owned).collect::<Vec<_>>())
    };
    let all = json!({
        "endpoint_id": "x", "automation_id": 7, "headers": { "webhook-id": [] }, "body_base64": "!", "received_at": "soon",
        "secret": "whsec_x",
    });
    let faults = ["/endpoint_id", "/automation_id", "/headers", "/body_base64", "/received_at", "/secret"];
    assert_eq!(asked(all).await, (400, faults.map(ToOwned::to_owned).into()));
    for (request, fault) in [
        (json!({ "endpoint_id": EndpointId::new(), "headers": {} }), "/body"),
        (json!({ "headers": {}, "body": "" }), "/endpoint_id"),
        (json!({ "endpoint_id": EndpointId::new(), "body": "" }), "/headers"),
        (json!({ "endpoint_id": EndpointId::new(), "headers": {}, "body": "", "body_base64": "" }), "/body_base64"),
        (
            json!({ "endpoint_id": EndpointId::new(), "automation_id": shared::id::AutomationId::new(), "headers": {}, "body": "" }),
            "/automation_id",
        ),
    ] {
        assert_eq!(asked(request).await, (400, vec![fault.to_owned()]));
    }
    let many: serde_json::Map<String, Value> = (0..101).map(|n| (format!("h{n}"), json!("x"))).collect();
    let many = json!({ "endpoint_id": EndpointId::new(), "headers": many, "body": "" });
    assert_eq!(asked(many).await, (400, vec!["/headers".to_owned()]));
    for body in ["", "[]", "null", "{"] {
        let call = world.supervisor().posting_bytes(body);
        assert_eq!(told(doctor::handle(&deps(&world), call).await).0, 400, "{body:?}");
    }
}

#[tokio::test]
async fn a_body_of_256_kib_is_taken_in_either_way_and_no_more() {
    let world = World::new().await;
    let (endpoint, secret) = world.endpoint("Make", HOOK).await;
    for (length, expected) in [(256 * 1024, 200), (256 * 1024 + 1, 413), (400 * 1024, 413)] {
        let body = "x".repeat(length);
        let headers = signed(&secret, "msg_1", world.now, &body);
        let as_text = json!({ "endpoint_id": endpoint, "headers": headers, "body": body });
        let encoded = BASE64.encode(body.as_bytes());
        let in_base64 = json!({ "endpoint_id": endpoint, "headers": headers, "body_base64": encoded });
        for request in [as_text, in_base64] {
            let (status, answer) = ask(&world, world.supervisor(), &request).await;
            assert_eq!(status, expected);
            assert!(expected != 200 || answer["data"]["verdict"] == "ok", "{answer}");
        }
    }
}

#[tokio::test]
async fn whatever_is_sent_is_answered_in_time() {
    let world = World::new().await;
    let (endpoint, secret) = world.endpoint("Make", HOOK).await;
    for n in 0..19 {
        world.endpoint(&format!("Other {n}"), HOOK).await;
    }
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let wide = format!("[{}0]", "0,\n".repeat(80_000));
    let nested = format!("{}{}", "{\"a\":[".repeat(60), "]}".repeat(60));
    let many = format!("[{}0]", format!("{nested},").repeat(500));
    let odd = "{\"\\ud800\":\"\\".repeat(9_000);
    for body in [deep, wide, many, odd, "\u{0}".repeat(40_000)] {
        let nine = vec![format!("v1,{}", BASE64.encode(&[9; 32])); 9].join(" ");
        let request = json!({
            "endpoint_id": endpoint, "body": body, "received_at": world.now,
            "headers": { "webhook-id": "msg_1", "webhook-timestamp": world.now.as_second(), "webhook-signature": nine },
        });
        let began = std::time::Instant::now();
        let diagnosis = diagnosed(&world, &request, &[&secret]).await;
        assert_eq!(names(&diagnosis), ["header_malformed", "unknown"]);
        assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
    }
}

#[tokio::test]
async fn a_diagnosis_costs_a_few_reads() {
    let units = Units::default();
    let mut world = World::on(table().await.metered(units.meter())).await;
    let (_, request) = delivered(&mut world).await;
    let deps = deps(&world);
    let asked = async |request: &Value| {
        units.take();
        let (status, answer) = told(doctor::handle(&deps, world.supervisor().posting(request)).await);
        assert_eq!(status, 200, "{answer}");
        units.take()
    };
    // The first draws a block of the caller's limit.
    asked(&request).await;

    let (well, ill) = (asked(&request).await, asked(&with_body(&request, "{}")).await);

    assert_eq!(well, (0.0, 1.0), "the endpoint");
    assert_eq!(ill, (0.0, 4.0), "the delivery, its event, what is known around it, and the others");

    for n in 0..19 {
        world.endpoint(&format!("Other {n}"), HOOK).await;
        automation(&world, &format!("Other {n}")).await;
    }
    assert_eq!(asked(&with_body(&request, "{}")).await, (0.0, 6.0), "as many others as there are");
}

#[tokio::test]
async fn a_stranger_finds_nothing() {
    let mut world = World::new().await;
    let (_, mut request) = delivered(&mut world).await;
    let one_client = || person_with(world.tenant, Role::Owner, &[("client", "cli_06dabr1bg1x010000000000004")]);
    for (call, expected) in
        [(stranger(), 404), (nobody(), 401), (person(world.tenant, Role::Agent), 403), (one_client(), 403)]
    {
        assert_eq!(ask(&world, call, &request).await.0, expected);
    }
    // One's own endpoint does not open another's delivery.
    let elsewhere = World::on(world.table.clone()).await;
    let (theirs, _) = elsewhere.endpoint("Theirs", HOOK).await;
    request["endpoint_id"] = json!(theirs);
    let diagnosis = diagnosed(&elsewhere, &request, &[]).await;
    assert_eq!(names(&diagnosis), ["unknown"]);

    request["endpoint_id"] = json!(EndpointId::new());
    assert_eq!(ask(&world, world.supervisor(), &request).await.0, 404);
}
