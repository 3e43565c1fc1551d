//! Live channels, as a client meets them: the door, the replay, the stream, and the same numbers over HTTP.

use std::time::{Duration, Instant};

use futures::{SinkExt, StreamExt, future::join_all};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Error, Message, client::IntoClientRequest},
};

use crate::world::{World, booking};

/// A connection to the WebSocket API.
struct Live(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Live {
    /// Opens one, or the status that refused it.
    async fn open(world: &World, token: &str) -> Result<Self, u16> {
        Self::at(format!("{}?token={token}", world.stack.ws_url.as_ref().unwrap()), None).await
    }

    async fn at(url: String, bearer: Option<&str>) -> Result<Self, u16> {
        let mut request = url.into_client_request().unwrap();
        if let Some(token) = bearer {
            request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        }
        match connect_async(request).await {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(Error::Http(refusal)) => Err(refusal.status().as_u16()),
            Err(other) => panic!("no connection: {other}"),
        }
    }

    async fn say(&mut self, what: Value) {
        self.0.send(Message::text(what.to_string())).await.unwrap();
    }

    /// What is said next.
    async fn hear(&mut self) -> Value {
        let said = tokio::time::timeout(Duration::from_secs(20), self.0.next()).await.expect("it says something");
        serde_json::from_str(said.expect("it is open").expect("a whole message").to_text().unwrap()).unwrap()
    }

    async fn ask(&mut self, what: Value) -> Value {
        self.say(what).await;
        self.hear().await
    }

    async fn subscribe(&mut self, channel: &str, since: u64) -> Value {
        self.ask(json!({ "action": "subscribe", "channel": channel, "since": since })).await
    }

    /// The numbers of the next so many events.
    async fn numbers(&mut self, many: usize) -> Vec<u64> {
        let mut numbers = Vec::new();
        while numbers.len() < many {
            let said = self.hear().await;
            assert_eq!(said["type"], "event", "{said}");
            numbers.push(said["number"].as_u64().unwrap());
        }
        numbers
    }
}

/// A version of a booking that no other call makes.
async fn change(world: &World, id: &str, version: u64) {
    let mut row = booking(id);
    row["record"]["updated_at"] = json!(format!("2026-11-21T10:00:00.{version:06}+00:00"));
    row["record"]["client_id"] = json!("c1");
    let accepted = world.post("/api/webhooks/booking-events", &world.api_key, &row).await;
    assert_eq!(accepted.status, 202, "{}", accepted.body);
}

#[tokio::test]
async fn a_client_gets_what_it_missed_and_then_what_happens() {
    let world = World::new("live").await;
    let owner = world.token("owner").await;
    world.endpoint(&owner).await;
    change(&world, "b1", 1).await;
    change(&world, "b1", 2).await;
    let delivered = world.receiver.wait_for(&world.hook(), 2).await.unwrap();
    let mut live = Live::open(&world, &owner).await.unwrap();

    let subscribed = live.subscribe("booking:b1", 0).await;
    assert_eq!((&subscribed["type"], &subscribed["since"]), (&json!("subscribed"), &json!(0)), "{subscribed}");
    let first = live.hear().await;
    assert_eq!((&first["number"], &first["channel"]), (&json!(1), &json!("booking:b1")));
    let webhook = delivered.iter().map(|sent| serde_json::from_str::<Value>(sent.body.as_ref().unwrap()).unwrap());
    let webhook = webhook.into_iter().find(|body| body["event_id"] == first["event"]["event_id"]).unwrap();
    assert_eq!(webhook["booking_event"], first["event"]["booking_event"]);
    assert_eq!(live.numbers(1).await, [2]);

    let begun = Instant::now();
    change(&world, "b1", 3).await;
    assert_eq!(live.numbers(1).await, [3]);
    println!("accepted to seen by a live client: {} ms", begun.elapsed().as_millis());

    let pong = live.ask(json!({ "action": "ping" })).await;
    assert_eq!((&pong["type"], &pong["heads"]), (&json!("pong"), &json!({ "booking:b1": 3 })));
    let history = world.get("/api/v1/bookings/b1/events?since=0", &owner).await;
    assert_eq!(history.status, 200, "{}", history.body);
    let events = history.body["data"]["events"].as_array().unwrap();
    assert_eq!(events.iter().map(|event| event["number"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(events[0]["event"]["event_id"], first["event"]["event_id"]);
    for path in ["/api/v1/users/c1/booking-events", "/api/v1/providers/p1/booking-events"] {
        let status = world.get(path, &owner).await.status;
        assert_eq!(status, if path.contains("users") { 200 } else { 404 }, "{path}");
    }

    let error = live.ask(json!({ "action": "dance" })).await;
    assert_eq!((&error["type"], &error["code"]), (&json!("error"), &json!("invalid")));
    let unsubscribed = live.ask(json!({ "action": "unsubscribe", "channel": "booking:b1" })).await;
    assert_eq!(unsubscribed["type"], "unsubscribed");

    let log = std::fs::read_to_string(world.stack.functions_log()).unwrap();
    assert!(!log.contains(owner.split('.').next_back().unwrap()), "no token stands in a log");
}

#[tokio::test]
async fn a_replay_while_events_arrive_has_no_gap_and_no_double() {
    let world = World::new("live-replay").await;
    let owner = world.token("owner").await;
    for version in 0..10 {
        change(&world, "b1", version).await;
    }
    let mut lives = join_all((0..3).map(|_| Live::open(&world, &owner))).await.into_iter().map(Result::unwrap);
    let mut lives: Vec<Live> = lives.by_ref().collect();

    let arriving = async {
        for version in 10..40 {
            change(&world, "b1", version).await;
        }
    };
    let following = join_all(lives.iter_mut().enumerate().map(async |(n, live)| {
        tokio::time::sleep(Duration::from_millis(150 * n as u64)).await;
        assert_eq!(live.subscribe("tenant", 0).await["type"], "subscribed");
        live.numbers(40).await
    }));
    let (_, heard) = futures::join!(arriving, following);

    for numbers in heard {
        assert_eq!(numbers, (1..=40).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn whoever_has_no_good_token_is_refused_before_the_upgrade() {
    let world = World::new("live-door").await;
    let owner = world.token("owner").await;
    let ws_url = world.stack.ws_url.clone().unwrap();
    let mut forged: Vec<&str> = owner.split('.').collect();
    forged[2] = "c2lnbmVkIGJ5IG5vYm9keQ";
    let unsigned = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
    for bad in ["", "nonsense", &forged.join("."), &format!("{unsigned}.{}.", forged[1])] {
        assert_eq!(Live::open(&world, bad).await.err(), Some(403), "{bad}");
    }
    assert_eq!(Live::at(ws_url.clone(), None).await.err(), Some(403));
    assert_eq!(Live::at(ws_url.clone(), Some(&world.api_key)).await.err(), Some(403));

    let mut live = Live::at(ws_url, Some(&owner)).await.unwrap();
    assert_eq!(live.ask(json!({ "action": "ping" })).await["type"], "pong");
}

#[tokio::test]
async fn an_agent_follows_its_own_and_nothing_else() {
    let world = World::new("live-agent").await;
    let agent = world.token("agent").await;
    change(&world, "b1", 1).await;
    let mut live = Live::open(&world, &agent).await.unwrap();
    for channel in ["tenant", "booking:b1", "user:c1"] {
        let answer = live.subscribe(channel, 0).await;
        assert_eq!((&answer["type"], &answer["code"]), (&json!("error"), &json!("forbidden")), "{channel}");
    }
    let subject = subject(&agent);
    assert_eq!(live.subscribe(&format!("user:{subject}"), 0).await["type"], "subscribed");
    let mut own = booking("b2");
    own["record"]["client_id"] = json!(subject);
    world.post("/api/webhooks/booking-events", &world.api_key, &own).await;
    assert_eq!(live.numbers(1).await, [1]);
    assert_eq!(live.subscribe("booking:b2", 1).await["type"], "subscribed");
    assert_eq!(world.get("/api/v1/bookings/b2/events", &agent).await.status, 200);
    assert_eq!(world.get("/api/v1/bookings/b1/events", &agent).await.status, 404);
}

/// Whose token it is.
fn subject(token: &str) -> String {
    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
    let claims = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice::<Value>(&claims).unwrap()["sub"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_person_has_ten_connections_and_one_that_ends_makes_room() {
    let world = World::new("live-ten").await;
    let owner = world.token("owner").await;
    let mut open: Vec<Live> = Vec::new();
    for _ in 0..10 {
        open.push(Live::open(&world, &owner).await.unwrap());
    }
    // API Gateway answers 429, as the function does; the emulator makes 403 of every refusal.
    assert!(matches!(Live::open(&world, &owner).await.err(), Some(403 | 429)));

    let mut ended = open.remove(0);
    ended.0.close(None).await.unwrap();
    for _ in 0..50 {
        if let Ok(mut live) = Live::open(&world, &owner).await {
            assert_eq!(live.ask(json!({ "action": "ping" })).await["type"], "pong");
            return;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("no room was made");
}
