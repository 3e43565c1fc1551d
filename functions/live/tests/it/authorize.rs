//! The door: only a token that is certain opens it. Keys are made here, and served as an issuer serves them.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use data_encoding::BASE64URL_NOPAD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use live::authorize::{self, Knock};
use rcgen::{KeyPair, PKCS_RSA_SHA256, RsaKeySize, SigningKey};
use serde_json::{Value, json};
use sha2::Sha256;
use shared::{Error, id::TenantId, jwt::Issuer};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// One pair for all tests: a second takes as long as all of them.
static KEYS: std::sync::LazyLock<[KeyPair; 2]> = std::sync::LazyLock::new(|| {
    [(), ()].map(|()| KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap())
});

const ISSUER: &str = "https://issuer.example/pool";

fn encoded(value: &Value) -> String {
    BASE64URL_NOPAD.encode(value.to_string().as_bytes())
}

/// The public key as a set of keys names it. `public_key_raw` is the DER of two integers (RFC 8017, A.1.1).
fn jwk(key: &KeyPair, kid: &str) -> Value {
    let der = key.public_key_raw();
    let mut at = 0;
    let mut header = || {
        let first = der[at + 1];
        at += 2;
        match first {
            0x81 => {
                at += 1;
                usize::from(der[at - 1])
            }
            0x82 => {
                at += 2;
                usize::from(der[at - 2]) << 8 | usize::from(der[at - 1])
            }
            short => usize::from(short),
        }
    };
    header();
    let length = header();
    let begin = at;
    let modulus = &der[begin..begin + length];
    let exponent = &der[begin + length + 2..];
    let modulus = modulus.strip_prefix(&[0]).unwrap_or(modulus);
    json!({
        "kty": "RSA", "kid": kid, "alg": "RS256", "use": "sig",
        "n": BASE64URL_NOPAD.encode(modulus), "e": BASE64URL_NOPAD.encode(exponent),
    })
}

/// An issuer at a socket: its set of keys, and how often it was asked.
struct Served {
    url: String,
    keys: Arc<Mutex<Option<Value>>>,
    asked: Arc<AtomicUsize>,
}

impl Served {
    async fn new(keys: Value) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let served =
            Self { url: format!("{base}/keys"), keys: Arc::new(Mutex::new(Some(keys))), asked: Arc::default() };
        let (keys, asked) = (served.keys.clone(), served.asked.clone());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = [0; 4096];
                let _ = stream.read(&mut head).await;
                asked.fetch_add(1, Ordering::SeqCst);
                let body = keys.lock().unwrap().as_ref().map(ToString::to_string);
                let answer = match body {
                    Some(body) => {
                        format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
                    }
                    None => "HTTP/1.1 503 Down\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".into(),
                };
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        served
    }

    fn issuer(&self) -> Issuer {
        Issuer::new(ISSUER, "client-1", &self.url)
    }
}

async fn served() -> Served {
    let elliptic = json!({ "kty": "EC", "kid": "e1", "crv": "P-256", "x": "AA", "y": "AA" });
    Served::new(json!({ "keys": [elliptic, { "kty": "new" }, jwk(&KEYS[0], "k1")] })).await
}

/// The claims of somebody's id token.
fn claims(now: Timestamp) -> Value {
    json!({
        "iss": ISSUER, "aud": "client-1", "token_use": "id", "sub": "user-1",
        "iat": now.as_second() - 60, "exp": now.as_second() + 3_000,
        "custom:tenant": TenantId::from_bytes([7; 16]), "custom:role": "agent",
    })
}

fn with(now: Timestamp, name: &str, value: Value) -> Value {
    let mut claims = claims(now);
    claims[name] = value;
    claims
}

fn without(now: Timestamp, name: &str) -> Value {
    let mut claims = claims(now);
    claims.as_object_mut().unwrap().remove(name);
    claims
}

fn signed_by(key: &KeyPair, header: &Value, claims: &Value) -> String {
    let text = format!("{}.{}", encoded(header), encoded(claims));
    let signature = key.sign(text.as_bytes()).unwrap();
    format!("{text}.{}", BASE64URL_NOPAD.encode(&signature))
}

fn signed(claims: &Value) -> String {
    signed_by(&KEYS[0], &json!({ "alg": "RS256", "kid": "k1", "typ": "JWT" }), claims)
}

fn knock(token: &str) -> Knock {
    serde_json::from_value(json!({
        "type": "REQUEST", "methodArn": "arn:aws:execute-api:eu-central-1:1:api/live/$connect",
        "headers": { "Host": "x" }, "queryStringParameters": { "token": token },
        "requestContext": { "connectionId": "c1" },
    }))
    .unwrap()
}

async fn admitted(issuer: &Issuer, token: &str, now: Timestamp) -> bool {
    authorize::at(issuer, &knock(token), now).await.unwrap().admits()
}

#[tokio::test]
async fn a_good_token_opens_the_door_and_says_who_it_is() {
    let (served, now) = (served().await, Timestamp::now());
    let issuer = served.issuer();

    let verdict = authorize::at(&issuer, &knock(&signed(&claims(now))), now).await.unwrap();

    let verdict = serde_json::to_value(verdict).unwrap();
    assert_eq!(verdict["principalId"], "user-1");
    assert_eq!(
        verdict["context"],
        json!({
            "tenant": TenantId::from_bytes([7; 16]), "role": "agent", "sub": "user-1",
            "exp": (now.as_second() + 3_000).to_string(),
        }),
        "with the end of the token"
    );
    let statement = &verdict["policyDocument"]["Statement"][0];
    assert_eq!(
        (&statement["Effect"], &statement["Resource"]),
        (&json!("Allow"), &json!("arn:aws:execute-api:eu-central-1:1:api/live/$connect"))
    );

    let mut access = without(now, "aud");
    access["client_id"] = json!("client-1");
    access["token_use"] = json!("access");
    assert!(admitted(&issuer, &signed(&access), now).await, "client_id counts where there is no aud");
    assert!(admitted(&issuer, &signed(&with(now, "aud", json!(["other", "client-1"]))), now).await);
    assert!(admitted(&issuer, &signed(&with(now, "nbf", json!(now.as_second() + 30))), now).await, "clocks differ");
    assert_eq!(served.asked.load(Ordering::SeqCst), 1, "the keys are read once");
}

#[tokio::test]
async fn clients_that_can_set_a_header_send_the_token_there() {
    let (served, now) = (served().await, Timestamp::now());
    let issuer = served.issuer();
    let token = signed(&claims(now));
    for (header, value, admitted) in [
        ("Authorization", format!("Bearer {token}"), true),
        ("authorization", format!("bearer  {token}"), true),
        ("Authorization", token.clone(), false),
        ("Authorization", format!("Basic {token}"), false),
        ("x-token", format!("Bearer {token}"), false),
    ] {
        let knock: Knock = serde_json::from_value(json!({ "methodArn": "arn", "headers": { header: value } })).unwrap();
        assert_eq!(authorize::at(&issuer, &knock, now).await.unwrap().admits(), admitted, "{header}");
    }
    let nothing: Knock = serde_json::from_value(json!({ "methodArn": "arn", "headers": null })).unwrap();
    assert!(!authorize::at(&issuer, &nothing, now).await.unwrap().admits());
}

#[tokio::test]
async fn a_token_that_is_not_certain_is_refused() {
    let (served, now) = (served().await, Timestamp::now());
    let issuer = served.issuer();
    let good = claims(now);
    let seconds = now.as_second();
    let header = json!({ "alg": "RS256", "kid": "k1" });

    // What is signed well and says the wrong thing.
    for (fault, claims) in [
        ("another issuer", with(now, "iss", json!("https://issuer.example/other"))),
        ("no issuer", without(now, "iss")),
        ("another audience", with(now, "aud", json!("client-2"))),
        ("several other audiences", with(now, "aud", json!(["client-2"]))),
        ("no audience", without(now, "aud")),
        ("an audience that is no text", with(now, "aud", json!({ "client-1": true }))),
        ("expired", with(now, "exp", json!(seconds))),
        ("no end", without(now, "exp")),
        ("an end that is no number", with(now, "exp", json!("never"))),
        ("not yet", with(now, "nbf", json!(seconds + 120))),
        ("issued tomorrow", with(now, "iat", json!(seconds + 86_400))),
        ("for a refresh", with(now, "token_use", json!("refresh"))),
        ("no tenant", without(now, "custom:tenant")),
        ("no tenant's id", with(now, "custom:tenant", json!("ten_x"))),
        ("no role", without(now, "custom:role")),
        ("an unheard-of role", with(now, "custom:role", json!("emperor"))),
        ("nobody", without(now, "sub")),
        ("limited to one client", with(now, "custom:client", json!(shared::id::ClientId::new()))),
        ("limited to no client's id", with(now, "custom:client", json!("x"))),
    ] {
        assert!(!admitted(&issuer, &signed(&claims), now).await, "{fault}");
    }
    // The other claim may not stand in where `aud` names somebody else.
    let mut mixed = with(now, "aud", json!("client-2"));
    mixed["client_id"] = json!("client-1");
    assert!(!admitted(&issuer, &signed(&mixed), now).await);

    // What says the right thing and is not signed well.
    let n = jwk(&KEYS[0], "k1")["n"].as_str().unwrap().to_owned();
    let by_public_key = |secret: &[u8], alg: &str| {
        let text = format!("{}.{}", encoded(&json!({ "alg": alg, "kid": "k1" })), encoded(&good));
        let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
        mac.update(text.as_bytes());
        format!("{text}.{}", BASE64URL_NOPAD.encode(&mac.finalize().into_bytes()))
    };
    let whole = signed(&good);
    let parts: Vec<&str> = whole.split('.').collect();
    let raised = encoded(&with(now, "custom:role", json!("owner")));
    for (fault, token) in [
        ("alg none", format!("{}.{}.", encoded(&json!({ "alg": "none", "kid": "k1" })), encoded(&good))),
        ("alg None, signed", signed_by(&KEYS[0], &json!({ "alg": "None", "kid": "k1" }), &good)),
        ("HS256 by the public key", by_public_key(n.as_bytes(), "HS256")),
        ("HS256 by the DER of the public key", by_public_key(KEYS[0].public_key_raw(), "HS256")),
        ("RS512 by name", signed_by(&KEYS[0], &json!({ "alg": "RS512", "kid": "k1" }), &good)),
        ("PS256 by name", signed_by(&KEYS[0], &json!({ "alg": "PS256", "kid": "k1" }), &good)),
        ("another key under the same name", signed_by(&KEYS[1], &header, &good)),
        ("an unknown key", signed_by(&KEYS[0], &json!({ "alg": "RS256", "kid": "k9" }), &good)),
        ("an elliptic key", signed_by(&KEYS[0], &json!({ "alg": "RS256", "kid": "e1" }), &good)),
        ("no key named", signed_by(&KEYS[0], &json!({ "alg": "RS256" }), &good)),
        (
            "a key that it brings along",
            signed_by(&KEYS[1], &json!({ "alg": "RS256", "kid": "k2", "jwk": jwk(&KEYS[1], "k2") }), &good),
        ),
        ("changed claims", format!("{}.{raised}.{}", parts[0], parts[2])),
        ("no signature", format!("{}.{}.", parts[0], parts[1])),
        ("two parts", format!("{}.{}", parts[0], parts[1])),
        ("nothing", String::new()),
        ("nonsense", "nonsense".into()),
        ("very long nonsense", "x".repeat(100_000)),
    ] {
        assert!(!admitted(&issuer, &token, now).await, "{fault}");
    }
    assert!(admitted(&issuer, &whole, now).await, "the good one still counts");
}

#[tokio::test]
async fn a_new_key_is_found_and_tokens_cannot_make_us_ask_all_the_time() {
    let (served, now) = (served().await, Timestamp::now());
    let issuer = served.issuer();
    let by_new = signed_by(&KEYS[1], &json!({ "alg": "RS256", "kid": "k2" }), &claims(now));
    assert!(!admitted(&issuer, &by_new, now).await);
    *served.keys.lock().unwrap() = Some(json!({ "keys": [jwk(&KEYS[0], "k1"), jwk(&KEYS[1], "k2")] }));

    for n in 0..20 {
        let unknown = signed_by(&KEYS[1], &json!({ "alg": "RS256", "kid": format!("x{n}") }), &claims(now));
        assert!(!admitted(&issuer, &unknown, now).await);
    }
    assert_eq!(served.asked.load(Ordering::SeqCst), 1, "asked once in a minute");

    let later = now + SignedDuration::from_secs(61);
    assert!(admitted(&issuer, &by_new, later).await, "the new key is found");
    assert_eq!(served.asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn while_the_keys_cannot_be_read_nobody_comes_in() {
    let (served, now) = (served().await, Timestamp::now());
    let issuer = served.issuer();
    let token = signed(&claims(now + SignedDuration::from_hours(3)));
    let good = served.keys.lock().unwrap().take();
    let ask = async |at: Timestamp| {
        let mut claims = claims(at);
        claims["exp"] = json!(at.as_second() + 60);
        authorize::at(&issuer, &knock(&signed(&claims)), at).await.map(|verdict| verdict.admits())
    };

    assert!(matches!(ask(now).await, Err(Error::Unavailable { .. })));
    assert!(matches!(ask(now).await, Err(Error::Unavailable { .. })));
    assert_eq!(served.asked.load(Ordering::SeqCst), 1, "an issuer that is down is not stormed");
    *served.keys.lock().unwrap() = good;
    assert!(ask(now + SignedDuration::from_secs(5)).await.unwrap());

    // Keys of two hours ago are not believed.
    *served.keys.lock().unwrap() = None;
    assert!(ask(now + SignedDuration::from_mins(119)).await.unwrap());
    assert!(ask(now + SignedDuration::from_mins(121)).await.is_err());
    drop(token);
}

#[tokio::test]
async fn where_the_keys_are_not_told_the_issuer_is_asked() {
    let served = served().await;
    let base = served.url.trim_end_matches("/keys").to_owned();
    let now = Timestamp::now();
    // Its discovery document names no keys; they are where they usually are.
    let issuer = Issuer::new(&base, "client-1", "");
    assert!(admitted(&issuer, &signed(&with(now, "iss", json!(base))), now).await);

    let elsewhere = Served::new(json!({ "jwks_uri": "http://127.0.0.1:9/keys", "keys": [] })).await;
    let base = elsewhere.url.trim_end_matches("/keys").to_owned();
    let issuer = Issuer::new(&base, "client-1", "");
    let outcome = authorize::at(&issuer, &knock(&signed(&with(now, "iss", json!(base)))), now).await;
    assert!(matches!(outcome, Err(Error::Unavailable { .. })), "keys without TLS are not read");
}
