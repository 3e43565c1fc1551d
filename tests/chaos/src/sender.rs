//! The database: posts every change until it is answered 202, and some of them twice.

use std::{
    collections::HashMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use aws_sdk_dynamodb::types::AttributeValue;
use futures::{StreamExt, stream};
use reqwest::Method;
use serde_json::{Map, Value, json};
use shared::{delivery::Delivery, id::EventId};

use crate::{Result, business::Change, dice::Dice, evidence::Accepted, stage::Stage};

/// So many changes are posted twice at the same moment.
const POSTED_TWICE: f64 = 0.05;
/// Of so many the stream's record comes again.
const RECORDED_TWICE: f64 = 0.02;
/// A change that is not taken is posted again after this, longer each time.
const AGAIN: Duration = Duration::from_millis(250);
/// So often; then the door is broken.
const MOST_TRIES: u32 = 40;

/// What was sent, and what came back.
#[derive(Default)]
pub struct Sent {
    accepted: Mutex<Vec<Accepted>>,
    events: Mutex<HashMap<EventId, usize>>,
    /// Posts that were not answered 202.
    pub refused: AtomicUsize,
    /// Posts of a change that had been posted before, on purpose.
    pub posted_twice: AtomicUsize,
    /// Records of the stream that were handed over again, on purpose.
    pub recorded_twice: AtomicUsize,
    /// Messages of the queue that were sent again, on purpose.
    pub queued_twice: AtomicUsize,
    /// Changes that were stored although their first answer was lost.
    pub answers_lost: AtomicUsize,
    /// Duplicates that were told another event than the first.
    pub mistaken: AtomicUsize,
}

impl Sent {
    /// Every change that was answered 202, in the order of the day.
    pub fn accepted(&self) -> Vec<Accepted> {
        let mut accepted = self.accepted.lock().unwrap_or_else(PoisonError::into_inner).clone();
        accepted.sort_by_key(|accepted| accepted.change.n);
        accepted
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.accepted.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// How far what is accepted may be ahead of what is settled.
pub struct Pace {
    /// Deliveries that were not settled, and events without theirs, when somebody last looked.
    behind: AtomicUsize,
    /// Changes that were accepted then.
    accepted: AtomicUsize,
    most: usize,
}

impl Pace {
    /// At most so far.
    pub fn new(most: usize) -> Self {
        Self { behind: AtomicUsize::default(), accepted: AtomicUsize::default(), most }
    }

    /// So many are not settled, with so many changes accepted.
    pub fn look(&self, behind: usize, accepted: usize) {
        self.behind.store(behind, Ordering::Relaxed);
        self.accepted.store(accepted, Ordering::Relaxed);
    }

    async fn wait(&self, sent: &Sent) {
        let since = || sent.count().saturating_sub(self.accepted.load(Ordering::Relaxed));
        while self.behind.load(Ordering::Relaxed) + since() >= self.most {
            tokio::time::sleep(AGAIN).await;
        }
    }
}

/// Posts these changes, so many at the same time, at a pace.
pub async fn post_all(
    stage: &Stage,
    sent: &Sent,
    changes: &[Change],
    (at_once, pace): (usize, &Pace),
    chaos: u64,
) -> Result<()> {
    let post = |change| async move {
        pace.wait(sent).await;
        post(stage, sent, change, Some(chaos)).await
    };
    let outcomes = stream::iter(changes).map(post).buffer_unordered(at_once);
    let outcomes: Vec<Result<()>> = outcomes.collect().await;
    outcomes.into_iter().collect()
}

/// Posts one change until it is taken; with chaos, some of them twice.
pub async fn post(stage: &Stage, sent: &Sent, change: &Change, chaos: Option<u64>) -> Result<()> {
    let mut dice = Dice::of(chaos.unwrap_or_default(), &[4, change.n as u64]);
    if chaos.is_none() || !dice.comes(POSTED_TWICE) {
        insist(stage, sent, change).await?;
    } else {
        sent.posted_twice.fetch_add(1, Ordering::Relaxed);
        let (one, other) = tokio::join!(insist(stage, sent, change), insist(stage, sent, change));
        one?;
        other?;
    }
    if chaos.is_some() && dice.comes(RECORDED_TWICE) {
        let event = sent
            .accepted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .rev()
            .find_map(|accepted| (accepted.change.n == change.n).then_some(accepted.event));
        if let Some(event) = event {
            record_again(stage, event).await?;
            sent.recorded_twice.fetch_add(1, Ordering::Relaxed);
        }
    }
    Ok(())
}

async fn insist(stage: &Stage, sent: &Sent, change: &Change) -> Result<()> {
    for tries in 1..=MOST_TRIES {
        let post = stage.call(Method::POST, "/api/webhooks/booking-events", &stage.api_key, Some(&change.body)).await;
        let refused = match post {
            Ok(answer) if answer.status == 202 => {
                let data = &answer.body["data"];
                let event = data["event_id"].as_str().unwrap_or_default().parse()?;
                take(sent, change, event, data["duplicate"] == true && tries > 1);
                return Ok(());
            }
            Ok(answer) if answer.status < 500 && answer.status != 429 => {
                return Err(format!("change {} is refused: {} {}", change.n, answer.status, answer.body).into());
            }
            Ok(answer) => format!("{} {}", answer.status, answer.body),
            Err(error) => error.to_string(),
        };
        sent.refused.fetch_add(1, Ordering::Relaxed);
        if tries == MOST_TRIES {
            return Err(format!("change {} was never taken: {refused}", change.n).into());
        }
        tokio::time::sleep(AGAIN * tries.min(8)).await;
    }
    Ok(())
}

fn take(sent: &Sent, change: &Change, event: EventId, was_stored: bool) {
    sent.answers_lost.fetch_add(usize::from(was_stored), Ordering::Relaxed);
    let mut events = sent.events.lock().unwrap_or_else(PoisonError::into_inner);
    match events.insert(event, change.n) {
        None => {
            let mut accepted = sent.accepted.lock().unwrap_or_else(PoisonError::into_inner);
            accepted.push(Accepted { change: change.clone(), event });
        }
        Some(n) if n == change.n => {}
        Some(_) => {
            sent.mistaken.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Hands the stream's record of an event to its readers once more.
async fn record_again(stage: &Stage, event: EventId) -> Result<()> {
    let table = aws_sdk_dynamodb::Client::new(&stage.stack.sdk());
    let (pk, sk) = (format!("{}#EVENT#{event}", stage.tenant), "EVENT".to_owned());
    let get = table.get_item().table_name(&stage.stack.table_name).consistent_read(true);
    let found = get.key("pk", AttributeValue::S(pk)).key("sk", AttributeValue::S(sk)).send().await?;
    let image: Map<String, Value> =
        found.item.iter().flatten().map(|(name, value)| (name.clone(), plain(value))).collect();
    let record = json!({ "Records": [{
        "eventID": "1", "eventName": "INSERT", "eventVersion": "1.1", "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1", "eventSourceARN": "arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/s",
        "dynamodb": { "ApproximateCreationDateTime": 1, "Keys": {}, "NewImage": image, "SequenceNumber": "1",
            "SizeBytes": 1, "StreamViewType": "NEW_AND_OLD_IMAGES" },
    }] });
    for reader in stage.stream_readers() {
        // It may be killed meanwhile like any other: the stream itself has brought the record already.
        let _ = stage.stack.invoke(reader, &record).await;
    }
    Ok(())
}

fn plain(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => json!({ "S": text }),
        AttributeValue::N(number) => json!({ "N": number }),
        AttributeValue::Bool(truth) => json!({ "BOOL": truth }),
        AttributeValue::L(list) => json!({ "L": list.iter().map(plain).collect::<Vec<_>>() }),
        AttributeValue::M(map) => {
            let map: Map<String, Value> = map.iter().map(|(name, value)| (name.clone(), plain(value))).collect();
            json!({ "M": map })
        }
        _ => json!({ "NULL": true }),
    }
}

/// Sends the messages of these deliveries once more.
pub async fn queue_again(stage: &Stage, sent: &Sent, deliveries: &[&Delivery]) -> Result<()> {
    let (sqs, queue) = (stage.sqs(), stage.output("DeliveryQueueUrl")?);
    for delivery in deliveries {
        let message = serde_json::to_string(&delivery.job())?;
        sqs.send_message().queue_url(queue).message_body(message).send().await?;
        sent.queued_twice.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}
