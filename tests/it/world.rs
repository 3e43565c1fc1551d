//! A tenant of one's own on the shared stack, its people and its key.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use local::{
    seed::{People, User},
    standin::Control,
    testing::{TestStack, stack},
};
use reqwest::{Client, Method, RequestBuilder, redirect};
use serde_json::{Value, json};

/// How many tests are at work: the look through the logs waits for them.
pub static AT_WORK: AtomicUsize = AtomicUsize::new(0);
/// Held while somebody signs in, so that a test may change for a moment how long tokens last.
pub static SIGN_INS: tokio::sync::RwLock<()> = tokio::sync::RwLock::const_new(());
static NUMBER: AtomicU64 = AtomicU64::new(0);

pub struct World {
    pub stack: &'static TestStack,
    pub receiver: Control,
    pub http: Client,
    pub tenant: String,
    pub api_key: String,
    pub clients: Vec<Value>,
    /// A name that no other test has.
    pub name: String,
    people: People,
}

impl Drop for World {
    fn drop(&mut self) {
        AT_WORK.fetch_sub(1, Ordering::SeqCst);
    }
}

pub struct Answer {
    pub status: u16,
    pub body: Value,
    pub headers: reqwest::header::HeaderMap,
}

impl World {
    pub async fn new(test: &str) -> Self {
        AT_WORK.fetch_add(1, Ordering::SeqCst);
        let stack = stack().await;
        let clients =
            json!([{ "slug": "harbour-inn", "name": "Harbour Inn" }, { "slug": "old-mill", "name": "Old Mill" }]);
        let event = json!({ "name": test, "time_zone": "Europe/Lisbon", "clients": clients });
        let begun = stack.invoke("TenantCreate", &event).await.expect("a tenant begins");
        let http = Client::builder().redirect(redirect::Policy::none()).no_proxy().build().expect("a client");
        Self {
            receiver: Control::at(&stack.receiver_url),
            http,
            tenant: begun["tenant_id"].as_str().expect("its id").into(),
            api_key: begun["api_key"].as_str().expect("its key").into(),
            clients: begun["clients"].as_array().expect("its clients").clone(),
            name: format!("{test}-{}", NUMBER.fetch_add(1, Ordering::SeqCst)),
            people: People::new(&stack.sdk(), &stack.deployed()).expect("the user pool"),
            stack,
        }
    }

    /// Somebody with that role, signed in.
    pub async fn token(&self, role: &str) -> String {
        let _others_may_too = SIGN_INS.read().await;
        self.sign_in(role).await
    }

    /// Somebody with that role who is limited to a client.
    pub async fn of_client(&self, role: &str, client: &str) -> String {
        let _others_may_too = SIGN_INS.read().await;
        let user = self.person(role).await;
        self.stack.token_with(&user, json!({ "custom:client": client })).await.expect("a token")
    }

    /// The same as [`Self::token`], for whoever holds [`SIGN_INS`].
    pub async fn sign_in(&self, role: &str) -> String {
        self.person(role).await.id_token
    }

    async fn person(&self, role: &str) -> User {
        let mut user = User {
            role: role.into(),
            team: Some("front-desk".into()),
            email: format!("{role}-{}@{}.example", NUMBER.fetch_add(1, Ordering::SeqCst), self.name),
            password: "Crossdock-test-1".into(),
            id_token: String::new(),
        };
        self.people.add(&user, &self.tenant).await.expect("a person is added");
        user.id_token = self.people.sign_in(&user).await.expect("the person signs in");
        user
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.stack.api_url))
    }

    pub async fn get(&self, path: &str, token: &str) -> Answer {
        self.send(self.request(Method::GET, path).bearer_auth(token)).await
    }

    pub async fn post(&self, path: &str, token: &str, body: &Value) -> Answer {
        self.send(self.request(Method::POST, path).bearer_auth(token).json(body)).await
    }

    pub async fn send(&self, request: RequestBuilder) -> Answer {
        let answer = request.send().await.expect("the API answers");
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let text = answer.text().await.expect("a whole answer");
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Answer { status, body, headers }
    }

    /// The path at the stand-in where this test's Make.com webhook listens.
    pub fn hook(&self) -> String {
        format!("/hook.eu1.make.com/{}", self.name)
    }

    /// An endpoint there; its id and its signing secret.
    pub async fn endpoint(&self, owner: &str) -> (String, String) {
        let body = json!({ "name": "Make", "url": self.receiver.url(&self.hook()) });
        let made = self.post("/api/v1/endpoints", owner, &body).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        (text(&made.body["data"]["endpoint"]["id"]), text(&made.body["data"]["signing_secret"]))
    }

    pub async fn book(&self, id: &str) -> Answer {
        self.post("/api/webhooks/booking-events", &self.api_key, &booking(id)).await
    }

    /// The deliveries of the tenant, once all have left `pending`, at most half a minute from now.
    pub async fn settled(&self, token: &str, count: usize) -> Vec<Value> {
        for _ in 0..150 {
            let listed = self.get("/api/v1/deliveries?limit=100", token).await;
            assert_eq!(listed.status, 200, "{}", listed.body);
            let deliveries = listed.body["data"]["deliveries"].as_array().expect("a list").clone();
            if deliveries.len() >= count && deliveries.iter().all(|delivery| delivery["state"] != "pending") {
                return deliveries;
            }
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
        let listed = self.get("/api/v1/deliveries?limit=100", token).await;
        panic!("{count} deliveries did not settle: {}", listed.body);
    }
}

pub fn booking(id: &str) -> Value {
    json!({
        "type": "UPDATE", "table": "bookings", "schema": "public",
        "record": { "id": id, "booking_number": "BK-1", "status": "confirmed", "updated_at": "2026-11-21T10:00:00+00:00" },
        "old_record": { "id": id, "booking_number": "BK-1", "status": "pending", "updated_at": "2026-11-20T10:00:00+00:00" },
    })
}
