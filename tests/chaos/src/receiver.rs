//! The receiver: takes deliveries at the socket, fails as the weather says, and remembers all of it.

use std::{
    collections::{BTreeMap, HashMap},
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::Duration,
};

use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::Value;
use shared::sign;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

use crate::{
    Result,
    dice::Dice,
    weather::{Fate, Weather},
};

/// Longer than any sender waits for an answer.
const SILENCE: Duration = Duration::from_secs(20);

/// What came in under one `webhook-id`.
#[derive(Clone, Debug, Default)]
pub struct Receipts {
    /// What became of each request, in their order.
    pub fates: Vec<Fate>,
    /// When it was taken for the first time.
    pub taken_at: Option<Timestamp>,
}

/// All that came in.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// By `webhook-id`.
    pub by_id: HashMap<String, Receipts>,
    /// Requests whose signature does not hold.
    pub unsigned: usize,
    /// Different bodies under one `webhook-id`.
    pub rewritten: usize,
    /// A digest of the first body under each `webhook-id`.
    pub bodies: HashMap<String, u64>,
}

impl Seen {
    /// How many requests met which fate.
    pub fn fates(&self) -> BTreeMap<Fate, usize> {
        let mut counted = BTreeMap::new();
        for fate in self.by_id.values().flat_map(|receipts| &receipts.fates) {
            *counted.entry(*fate).or_default() += 1;
        }
        counted
    }

    /// How many ids were taken, and how many requests brought one that had been taken before.
    pub fn taken(&self) -> (usize, usize) {
        let times = |receipts: &Receipts| receipts.fates.iter().filter(|fate| fate.is_taken()).count();
        let all: Vec<usize> = self.by_id.values().map(times).filter(|times| *times > 0).collect();
        (all.len(), all.iter().map(|times| times - 1).sum())
    }
}

/// The receiver, as the run sees it. Cheap to clone.
#[derive(Clone)]
pub struct Receiver {
    /// `http://127.0.0.1:…`
    pub origin: String,
    state: Arc<State>,
}

struct State {
    seed: u64,
    weather: RwLock<Weather>,
    seen: Mutex<Seen>,
    /// The signing secret of each endpoint.
    secrets: RwLock<HashMap<String, SecretString>>,
}

impl Receiver {
    /// Opens it on a port that the system chooses.
    pub async fn open(seed: u64) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let origin = format!("http://{}", listener.local_addr()?);
        let state =
            Arc::new(State { seed, weather: RwLock::default(), seen: Mutex::default(), secrets: RwLock::default() });
        let receiving = state.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = receiving.clone();
                // A connection that breaks is none of our trouble: the sender comes again.
                tokio::spawn(async move { state.serve(stream).await });
            }
        });
        Ok(Self { origin, state })
    }

    /// Where an endpoint of that name sends to.
    pub fn hook(&self, endpoint: &str) -> String {
        format!("{}/{endpoint}", self.origin)
    }

    /// What that endpoint signs with.
    pub fn expect_signed(&self, endpoint: &str, secret: &str) {
        let mut secrets = self.state.secrets.write().unwrap_or_else(PoisonError::into_inner);
        secrets.insert(endpoint.to_owned(), SecretString::from(secret));
    }

    /// Changes the weather.
    pub fn set(&self, change: impl FnOnce(&mut Weather)) {
        change(&mut self.state.weather.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// All that came in so far.
    pub fn seen(&self) -> Seen {
        self.state.seen().clone()
    }

    /// How many deliveries were taken so far.
    pub fn taken(&self) -> usize {
        self.state.seen().by_id.values().filter(|receipts| receipts.taken_at.is_some()).count()
    }
}

struct Request {
    endpoint: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl State {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn serve(&self, stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut stream = BufReader::new(stream);
        while let Some(request) = read(&mut stream).await? {
            let answer = match self.take(&request) {
                Fate::Taken => "200 OK\r\nContent-Length: 8\r\n\r\nAccepted",
                Fate::Broken => "500 Internal Server Error\r\nContent-Length: 0\r\n\r\n",
                Fate::TooMany => "429 Too Many Requests\r\nContent-Length: 0\r\n\r\n",
                Fate::Closed => "410 Gone\r\nContent-Length: 0\r\n\r\n",
                Fate::AnswerLost | Fate::Cut | Fate::Down => return Ok(()),
                Fate::Silent => {
                    tokio::time::sleep(SILENCE).await;
                    return Ok(());
                }
            };
            stream.write_all(format!("HTTP/1.1 {answer}").as_bytes()).await?;
        }
        Ok(())
    }

    /// Decides what becomes of a request and remembers it.
    fn take(&self, request: &Request) -> Fate {
        let now = Timestamp::now();
        let id = request.headers.get("webhook-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
        let signed = match self.secrets.read().unwrap_or_else(PoisonError::into_inner).get(&request.endpoint) {
            Some(secret) => sign::verify(std::slice::from_ref(secret), &request.headers, now, &request.body).is_ok(),
            None => false,
        };
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let change = sequence(&body).unwrap_or_default();
        let digest = Dice::of_bytes(&request.body);

        let mut seen = self.seen();
        let tries = seen.by_id.get(id).map_or(0, |receipts| receipts.fates.len());
        let weather = self.weather.read().unwrap_or_else(PoisonError::into_inner);
        let fate = weather.fate(self.seed, &request.endpoint, change, tries);
        seen.unsigned += usize::from(!signed);
        let same = *seen.bodies.entry(id.to_owned()).or_insert(digest) == digest;
        seen.rewritten += usize::from(!same);
        let receipts = seen.by_id.entry(id.to_owned()).or_default();
        receipts.fates.push(fate);
        if fate.is_taken() {
            receipts.taken_at.get_or_insert(now);
        }
        fate
    }
}

/// Which change of the day a delivery is about.
fn sequence(body: &Value) -> Option<usize> {
    let data = body.get("data").filter(|data| data.is_object()).unwrap_or(body);
    let row = |name: &str| data.get(name)?.get("sequence")?.as_u64();
    row("booking_event").or_else(|| row("old_record")).and_then(|n| usize::try_from(n).ok())
}

/// One HTTP/1.1 request with its whole body; nothing where the other side has closed.
async fn read(stream: &mut BufReader<TcpStream>) -> io::Result<Option<Request>> {
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        return Ok(None);
    }
    let endpoint = line.split(' ').nth(1).unwrap_or_default().trim_start_matches('/').to_owned();
    let mut headers = HeaderMap::new();
    loop {
        line.clear();
        stream.read_line(&mut line).await?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value.trim())) {
            headers.insert(name, value);
        }
    }
    let length = headers.get("content-length").and_then(|length| length.to_str().ok()?.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(Some(Request { endpoint, headers, body }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    async fn post(receiver: &Receiver, id: &str, n: usize) -> Option<u16> {
        let body = json!({ "booking_event": { "sequence": n } }).to_string();
        let secret = SecretString::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let headers = sign::headers(&[&secret], id, Timestamp::now(), body.as_bytes()).unwrap();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        http.post(receiver.hook("updates")).headers(headers).body(body).send().await.ok().map(|it| it.status().as_u16())
    }

    async fn receiver() -> Receiver {
        let receiver = Receiver::open(1).await.unwrap();
        receiver.expect_signed("updates", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        receiver
    }

    #[tokio::test]
    async fn what_is_taken_is_remembered_with_its_repetitions() {
        let receiver = receiver().await;
        for id in ["a", "b", "a"] {
            assert_eq!(post(&receiver, id, 1).await, Some(200));
        }
        let seen = receiver.seen();
        assert_eq!((seen.taken(), seen.unsigned, seen.rewritten), ((2, 1), 0, 0));
    }

    #[tokio::test]
    async fn a_body_that_changes_and_a_signature_of_nobody_are_noticed() {
        let receiver = receiver().await;
        post(&receiver, "a", 1).await;
        post(&receiver, "a", 2).await;
        receiver.expect_signed("updates", "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
        post(&receiver, "b", 1).await;
        let seen = receiver.seen();
        assert_eq!((seen.rewritten, seen.unsigned), (1, 1));
    }

    #[tokio::test]
    async fn who_is_down_answers_nobody() {
        let receiver = receiver().await;
        receiver.set(|weather| weather.down = true);
        assert_eq!(post(&receiver, "a", 1).await, None);
        receiver.set(|weather| weather.down = false);
        assert_eq!(post(&receiver, "a", 1).await, Some(200));
        assert_eq!(receiver.seen().fates(), BTreeMap::from([(Fate::Taken, 1), (Fate::Down, 1)]));
    }

    #[tokio::test]
    async fn an_answer_that_is_lost_was_taken_all_the_same() {
        let receiver = receiver().await;
        receiver.set(|weather| weather.fails = 1.0);
        let weather = Weather { fails: 1.0, ..Weather::default() };
        let lost = (0..1_000).find(|n| weather.fate(1, "updates", *n, 0) == Fate::AnswerLost).unwrap();
        assert_eq!(post(&receiver, "a", lost).await, None);
        assert_eq!(receiver.taken(), 1);
    }
}
