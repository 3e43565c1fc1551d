//! What the run plays on: a stack of its own, with a tenant, its people and its endpoints.

use std::time::Duration;

use local::{
    error::Error as StackError,
    paths::Home,
    progress::Progress,
    seed::{People, User},
    stack::{Description, Options, Ports, Stack},
};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use shared::{
    id::{EndpointId, TenantId},
    table::Table,
};

use crate::{Result, receiver::Receiver};

/// The queue hides a message from others for so long after it was given to a worker, here: six times as long when
/// deployed. The least that a function with a time-out of 45 seconds may have.
pub const HIDDEN_S: u32 = 45;

/// The endpoints, and what each of them wants: every change goes to one of them, deletions to two.
pub const ENDPOINTS: [(&str, &[&str]); 5] = [
    ("updates", &["booking.updated"]),
    ("notices", &["booking_event.created"]),
    ("changes", &["booking_event.updated"]),
    ("lives", &["booking.created", "booking.deleted"]),
    ("archive", &["booking.deleted"]),
];

/// The stack, and whose it is in this run.
pub struct Stage {
    /// What is where.
    pub stack: Description,
    /// The table, under the administrator's credentials.
    pub table: Table,
    /// The tenant.
    pub tenant: TenantId,
    /// The key of its database's webhooks.
    pub api_key: String,
    /// Its endpoints: name and id.
    pub endpoints: Vec<(&'static str, EndpointId)>,
    /// For the API.
    pub http: Client,
    owner: User,
    people: People,
    running: Stack,
}

/// What the API answered.
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body, null where it is no JSON.
    pub body: Value,
}

impl Stage {
    /// Starts the stack, whose functions may reach that receiver, and begins the tenant.
    pub async fn set(receiver: &Receiver) -> Result<Self> {
        let home = Home::take_any("chaos")?;
        home.clear()?;
        let options = Options {
            home,
            ports: Ports::Free,
            keep: false,
            announce: false,
            furnish: false,
            parameters: vec![("EgressAllow", receiver.origin.clone())],
        };
        let running = Stack::start(options, &Progress::new()).await?;
        let stack = running.description().clone();
        let begun = stack.invoke("TenantCreate", &json!({ "name": "Chaos", "time_zone": "Europe/Lisbon" })).await?;
        let text = |name: &str| begun[name].as_str().ok_or_else(|| format!("a tenant without {name}: {begun}"));
        let sdk = stack.sdk();
        let people = People::new(&sdk, &stack.deployed())?;
        let owner = User {
            role: "owner".into(),
            team: None,
            email: "owner@chaos.example".into(),
            password: "Crossdock-chaos-1".into(),
            id_token: String::new(),
        };
        people.add(&owner, text("tenant_id")?).await?;
        let mut stage = Self {
            table: Table::new(aws_sdk_dynamodb::Client::new(&sdk), &stack.table_name),
            tenant: text("tenant_id")?.parse()?,
            api_key: text("api_key")?.to_owned(),
            endpoints: Vec::new(),
            http: Client::builder().no_proxy().timeout(Duration::from_secs(30)).build()?,
            owner,
            people,
            running,
            stack,
        };
        stage.hasten().await?;
        stage.open(receiver).await?;
        Ok(stage)
    }

    /// A killed worker's message comes back sooner than when deployed.
    async fn hasten(&self) -> Result<()> {
        let hidden = aws_sdk_sqs::types::QueueAttributeName::VisibilityTimeout;
        let queue = self.output("DeliveryQueueUrl")?;
        let change = self.sqs().set_queue_attributes().queue_url(queue).attributes(hidden, HIDDEN_S.to_string());
        change.send().await?;
        Ok(())
    }

    async fn open(&mut self, receiver: &Receiver) -> Result<()> {
        let token = self.token().await?;
        for (name, types) in ENDPOINTS {
            let body = json!({ "name": name, "url": receiver.hook(name), "event_types": types });
            let made = self.call(Method::POST, "/api/v1/endpoints", &token, Some(&body)).await?;
            let (endpoint, secret) = (&made.body["data"]["endpoint"]["id"], &made.body["data"]["signing_secret"]);
            let (Some(endpoint), Some(secret)) = (endpoint.as_str(), secret.as_str()) else {
                return Err(format!("no endpoint {name}: {} {}", made.status, made.body).into());
            };
            receiver.expect_signed(name, secret);
            self.endpoints.push((name, endpoint.parse()?));
        }
        Ok(())
    }

    /// The id of an endpoint.
    pub fn endpoint(&self, name: &str) -> Result<EndpointId> {
        let found = self.endpoints.iter().find(|(known, _)| *known == name);
        found.map(|(_, id)| *id).ok_or_else(|| format!("no endpoint is called {name}").into())
    }

    /// An output of the stack.
    pub fn output(&self, name: &str) -> Result<&str> {
        self.stack.outputs.get(name).map(String::as_str).ok_or_else(|| format!("the stack has no output {name}").into())
    }

    /// Whether no message of the deliveries' queue waits for a worker.
    pub async fn queue_is_empty(&self) -> Result<bool> {
        let waiting = aws_sdk_sqs::types::QueueAttributeName::ApproximateNumberOfMessages;
        let queue = self.output("DeliveryQueueUrl")?;
        let told = self.sqs().get_queue_attributes().queue_url(queue).attribute_names(waiting.clone()).send().await?;
        Ok(told.attributes().and_then(|all| all.get(&waiting)).is_some_and(|n| n == "0"))
    }

    /// The queues, under the administrator's credentials.
    pub fn sqs(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(&self.stack.sdk())
    }

    /// A fresh token of the owner.
    pub async fn token(&self) -> Result<String> {
        Ok(self.people.sign_in(&self.owner).await?)
    }

    /// A request to the API.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.stack.api_url))
    }

    /// One call by somebody with that token or key.
    pub async fn call(&self, method: Method, path: &str, token: &str, body: Option<&Value>) -> Result<Answer> {
        let request = self.request(method, path).bearer_auth(token);
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        Ok(Answer { status, body: serde_json::from_str(&answer.text().await?).unwrap_or_default() })
    }

    /// The same, after a moment where it comes too fast.
    pub async fn call_slowly(&self, method: Method, path: &str, token: &str, body: Option<&Value>) -> Result<Answer> {
        loop {
            let answer = self.call(method.clone(), path, token, body).await?;
            if answer.status != 429 {
                return Ok(answer);
            }
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
    }

    /// The functions that read the table's stream, as far as they are deployed.
    pub fn stream_readers(&self) -> impl Iterator<Item = &str> {
        const READERS: [&str; 2] = ["delivery-route", "live-follow"];
        READERS.into_iter().filter(|binary| self.stack.binaries.values().any(|known| known == binary))
    }

    /// Ends the stack.
    pub async fn strike(self) -> Result<(), StackError> {
        self.running.stop().await
    }
}
