//! What goes wrong outside and inside, and that nothing is lost by it.

use std::{fs, time::Duration};

use jiff::Timestamp;
use local::standin::{Fault, Mode};
use serde_json::{Value, json};

use crate::world::World;

#[tokio::test]
async fn a_receiver_in_trouble_gets_it_later() {
    let world = World::new("trouble").await;
    let owner = world.token("owner").await;
    world.endpoint(&owner).await;
    world.receiver.fail_next(&world.hook(), [Fault::status(500), Fault::down()]).await.unwrap();

    world.book("b1").await;
    world.book("b2").await;

    let deliveries = world.settled(&owner, 2).await;
    assert!(deliveries.iter().all(|delivery| delivery["state"] == "delivered"), "{deliveries:?}");
    let attempts: u64 = deliveries.iter().map(|delivery| delivery["attempts"].as_u64().unwrap()).sum();
    assert_eq!(attempts, 4);
}

#[tokio::test]
async fn an_overloaded_receiver_is_left_in_peace_for_a_minute() {
    for fault in [Fault::queue_full(), Fault::too_many_requests().retry_after(90), Fault::slow(16_000)] {
        let world = World::new("overloaded").await;
        let owner = world.token("owner").await;
        world.endpoint(&owner).await;
        let wait = if fault.retry_after.is_some() { 90 } else { 48 };
        world.receiver.fail_next(&world.hook(), [fault.clone()]).await.unwrap();

        world.book("b1").await;

        let delivery = first_tried(&world, &owner).await;
        assert_eq!(delivery["state"], "pending", "{fault:?}");
        let next: Timestamp = delivery["next_attempt_at"].as_str().unwrap().parse().unwrap();
        assert!(next.duration_since(Timestamp::now()).as_secs() >= wait - 25, "{fault:?}: {delivery}");
    }
}

async fn first_tried(world: &World, token: &str) -> Value {
    for _ in 0..150 {
        let listed = world.get("/api/v1/deliveries", token).await;
        let delivery = listed.body["data"]["deliveries"][0].clone();
        if delivery["attempts"].as_u64() > Some(0) {
            return delivery;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("the delivery was never tried");
}

#[tokio::test]
async fn a_closed_webhook_parks_what_is_due_until_a_person_opens_it() {
    let world = World::new("gone").await;
    let owner = world.token("owner").await;
    let (endpoint, _) = world.endpoint(&owner).await;
    world.receiver.set_mode(&world.hook(), Mode::Closed).await.unwrap();
    world.book("b1").await;
    world.settled(&owner, 1).await;
    world.book("b2").await;
    let parked = world.settled(&owner, 2).await;
    assert!(parked.iter().all(|delivery| delivery["state"] == "parked"), "{parked:?}");
    let health = world.get("/api/webhooks/booking-events", &world.api_key).await.body;
    assert_eq!(
        (&health["data"]["parked"], &health["data"]["errors"][0]["name"]),
        (&json!(2), &json!("endpoint_disabled"))
    );

    world.receiver.heal(&world.hook()).await.unwrap();
    let opened = world.post(&format!("/api/v1/endpoints/{endpoint}/enable"), &owner, &json!({})).await;
    assert_eq!(opened.status, 200, "{}", opened.body);

    world.receiver.wait_for(&world.hook(), 3).await.unwrap();
    let delivered = world.settled(&owner, 2).await;
    assert!(delivered.iter().all(|delivery| delivery["state"] == "delivered"), "{delivered:?}");
}

#[tokio::test]
async fn a_poison_message_does_not_take_its_batch_along() {
    let world = World::new("poison").await;
    let owner = world.token("owner").await;
    world.endpoint(&owner).await;
    let sqs = aws_sdk_sqs::Client::new(&world.stack.sdk());
    let queue = &world.stack.outputs["DeliveryQueueUrl"];
    for poison in ["not json", "{}", r#"{"job":"unheard"}"#] {
        sqs.send_message().queue_url(queue).message_body(poison).send().await.unwrap();
    }

    for n in 0..10 {
        world.book(&format!("b{n}")).await;
    }

    assert!(world.settled(&owner, 10).await.iter().all(|delivery| delivery["state"] == "delivered"));
}

#[tokio::test]
async fn a_record_of_the_stream_that_comes_twice_is_delivered_once() {
    let world = World::new("twice").await;
    let owner = world.token("owner").await;
    world.endpoint(&owner).await;
    let accepted = world.book("b1").await.body["data"].clone();
    world.settled(&owner, 1).await;
    let table = aws_sdk_dynamodb::Client::new(&world.stack.sdk());
    let pk = format!("{}#EVENT#{}", world.tenant, accepted["event_id"].as_str().unwrap());
    let attribute = aws_sdk_dynamodb::types::AttributeValue::S;
    let item = table
        .get_item()
        .table_name(&world.stack.table_name)
        .key("pk", attribute(pk))
        .key("sk", attribute("EVENT".into()));
    let item = item.send().await.unwrap().item.unwrap();
    let image: serde_json::Map<String, Value> = item.iter().map(|(name, value)| (name.clone(), plain(value))).collect();
    let record = json!({ "Records": [{
        "eventID": "1", "eventName": "INSERT", "eventVersion": "1.1", "eventSource": "aws:dynamodb", "awsRegion": "us-east-1",
        "eventSourceARN": "arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/s",
        "dynamodb": { "ApproximateCreationDateTime": 1, "Keys": {}, "NewImage": image, "SequenceNumber": "1", "SizeBytes": 1,
            "StreamViewType": "NEW_AND_OLD_IMAGES" },
    }] });

    for _ in 0..2 {
        world.stack.invoke("DeliveryRoute", &record).await.unwrap();
    }

    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(world.settled(&owner, 1).await.len(), 1);
    assert_eq!(world.receiver.requests(&world.hook()).await.unwrap().len(), 1);
}

fn plain(value: &aws_sdk_dynamodb::types::AttributeValue) -> Value {
    use aws_sdk_dynamodb::types::AttributeValue;
    match value {
        AttributeValue::S(text) => json!({ "S": text }),
        AttributeValue::N(number) => json!({ "N": number }),
        AttributeValue::Bool(truth) => json!({ "BOOL": truth }),
        AttributeValue::M(map) => {
            json!({ "M": map.iter().map(|(name, value)| (name.clone(), plain(value))).collect::<serde_json::Map<_, _>>() })
        }
        AttributeValue::L(list) => json!({ "L": list.iter().map(plain).collect::<Vec<_>>() }),
        _ => json!({ "NULL": true }),
    }
}

#[tokio::test]
async fn a_sender_killed_in_the_middle_loses_nothing() {
    let world = World::new("killed").await;
    let owner = world.token("owner").await;
    world.endpoint(&owner).await;
    // The queue hides a message for two minutes; here it may come back sooner.
    let sqs = aws_sdk_sqs::Client::new(&world.stack.sdk());
    let queue = &world.stack.outputs["DeliveryQueueUrl"];
    let hidden = aws_sdk_sqs::types::QueueAttributeName::VisibilityTimeout;
    sqs.set_queue_attributes().queue_url(queue).attributes(hidden, "20").send().await.unwrap();
    world.receiver.fail_next(&world.hook(), [Fault::slow(8_000)]).await.unwrap();
    world.book("b1").await;
    world.receiver.wait_for(&world.hook(), 1).await.unwrap();

    let killed = kill(&world, "delivery-send");
    assert!(killed > 0, "no sender was at work");

    let sent = world.receiver.wait_for_within(&world.hook(), 2, Duration::from_secs(60)).await.unwrap();
    assert_eq!(sent[0].headers["webhook-id"], sent[1].headers["webhook-id"], "the same delivery");
    let deliveries = world.settled(&owner, 1).await;
    assert_eq!(
        (deliveries.len(), &deliveries[0]["state"], &deliveries[0]["attempts"]),
        (1, &json!("delivered"), &json!(1))
    );
}

/// Kills every process of that function of this stack, by its id.
fn kill(world: &World, binary: &str) -> usize {
    let function = world.stack.function(binary).unwrap();
    let ours = |pid: &str| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let has = |wanted: String| environment.split(|byte| *byte == 0).any(|entry| entry == wanted.as_bytes());
        let command = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        command.contains("bootstrap")
            && has(format!("AWS_LAMBDA_FUNCTION_NAME={function}"))
            && has(format!("TABLE_NAME={}", world.stack.table_name))
    };
    let processes = fs::read_dir("/proc").unwrap();
    let names = processes.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let pids: Vec<String> = names.filter(|name| name.bytes().all(|c| c.is_ascii_digit()) && ours(name)).collect();
    for pid in &pids {
        std::process::Command::new("kill").args(["-KILL", pid]).status().unwrap();
    }
    pids.len()
}

#[tokio::test]
async fn a_schedule_that_fires_twice_at_once_is_one() {
    let world = World::new("schedules").await;
    let (sweep, fold) = (json!({}), json!({ "type": "hourly" }));
    let outcomes = tokio::join!(
        world.stack.invoke("DeliverySweep", &sweep),
        world.stack.invoke("DeliverySweep", &sweep),
        world.stack.invoke("MetricsAggregate", &fold),
        world.stack.invoke("MetricsAggregate", &fold),
    );
    outcomes.0.unwrap();
    outcomes.1.unwrap();
    outcomes.2.unwrap();
    outcomes.3.unwrap();
}
