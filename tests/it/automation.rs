//! Endpoint 3: automations and the webhook that runs them.

use reqwest::Method;
use secrecy::SecretString;
use serde_json::{Value, json};
use shared::sign;

use crate::world::{Answer, World};

struct Made {
    id: String,
    path: String,
    secret: String,
}

async fn make(world: &World, owner: &str) -> Made {
    let body = json!({ "templateId": "lead-to-crm", "makeWebhookUrl": world.receiver.url(&world.hook()) });
    let made = world.post("/api/v1/automation", owner, &body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let url = text(&made.body["data"]["webhookUrl"]);
    assert!(url.starts_with(&world.stack.api_url), "{url}");
    Made {
        id: text(&made.body["data"]["automation"]["id"]),
        path: url[world.stack.api_url.len()..].to_owned(),
        secret: text(&made.body["data"]["webhookSecret"]),
    }
}

async fn run(world: &World, made: &Made, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut request =
        world.request(Method::POST, &made.path).header("content-type", "application/json").body(body.to_owned());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    world.send(request).await
}

#[tokio::test]
async fn an_execution_is_taken_counted_and_forwarded() {
    let world = World::new("automation").await;
    let owner = world.token("owner").await;
    let templates = world.get("/api/v1/automation/templates", &owner).await;
    assert_eq!(templates.body["data"].as_array().map(Vec::len), Some(6), "{}", templates.body);
    let made = make(&world, &owner).await;
    let lead = json!({ "lead": { "id": "l1", "value": 12 } }).to_string();

    assert_eq!(run(&world, &made, &[("x-webhook-secret", &made.secret)], &lead).await.status, 409, "not active yet");
    let activated = world.post(&format!("/api/v1/automation/{}/activate", made.id), &owner, &json!({})).await;
    assert_eq!(activated.status, 200, "{}", activated.body);

    let by_secret = run(&world, &made, &[("x-webhook-secret", &made.secret)], &lead).await;
    assert_eq!(by_secret.status, 202, "{}", by_secret.body);
    let secret = SecretString::from(made.secret.clone());
    let signed = sign::headers(&[&secret], "msg_1", jiff::Timestamp::now(), lead.as_bytes()).unwrap();
    let signed: Vec<(&str, &str)> =
        signed.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
    let by_signature = run(&world, &made, &signed, &lead).await;
    assert_eq!(by_signature.status, 202, "{}", by_signature.body);
    assert_eq!(run(&world, &made, &signed, &lead).await.body["data"]["duplicate"], true);

    let sent = world.receiver.wait_for(&world.hook(), 2).await.unwrap();
    let payload: Value = serde_json::from_str(sent[0].body.as_ref().unwrap()).unwrap();
    assert_eq!(payload["data"]["lead"]["id"], "l1");
    assert!(sent[0].headers.contains_key("webhook-signature"));
    let stats = world.get("/api/v1/automation/stats", &owner).await;
    assert_eq!(stats.body["data"]["totalExecutions"], 2, "{}", stats.body);
}

#[tokio::test]
async fn proofs_that_do_not_hold_are_401_and_strangers_404() {
    let world = World::new("proofs").await;
    let owner = world.token("owner").await;
    let made = make(&world, &owner).await;
    world.post(&format!("/api/v1/automation/{}/activate", made.id), &owner, &json!({})).await;
    let now = jiff::Timestamp::now();
    let secret = SecretString::from(made.secret.clone());
    let headers = |body: &str, at: jiff::Timestamp| {
        let signed = sign::headers(&[&secret], "msg_2", at, body.as_bytes()).unwrap();
        signed.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect::<Vec<_>>()
    };
    let old = jiff::Timestamp::from_second(now.as_second() - 400).unwrap();
    for proof in [
        vec![],
        vec![("x-webhook-secret".to_owned(), "wrong".to_owned())],
        headers("{\"other\":1}", now),
        headers("{}", old),
    ] {
        let proof: Vec<(&str, &str)> = proof.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(run(&world, &made, &proof, "{}").await.status, 401, "{proof:?}");
    }
    let unknown = Made { path: made.path.replace(&made.id, &shared::id::AutomationId::new().to_string()), ..made };
    assert_eq!(run(&world, &unknown, &[("x-webhook-secret", &unknown.secret)], "{}").await.status, 404);
}

#[tokio::test]
async fn the_secret_before_holds_inside_its_overlap_and_not_after() {
    let world = World::new("rotation").await;
    let owner = world.token("owner").await;
    let made = make(&world, &owner).await;
    let path = format!("/api/v1/automation/{}", made.id);
    world.post(&format!("{path}/activate"), &owner, &json!({})).await;

    let rotated = world.post(&format!("{path}/rotate-secret"), &owner, &json!({ "overlap_hours": 1 })).await;
    assert_eq!(rotated.status, 200, "{}", rotated.body);
    let new = rotated.body["data"]["webhookSecret"].as_str().unwrap().to_owned();
    for secret in [&made.secret, &new] {
        assert_eq!(run(&world, &made, &[("x-webhook-secret", secret)], "{}").await.status, 202);
    }
    let ended = world.post(&format!("{path}/rotate-secret"), &owner, &json!({ "overlap_hours": 0 })).await;
    assert_eq!(ended.status, 200, "{}", ended.body);
    assert_eq!(run(&world, &made, &[("x-webhook-secret", &new)], "{}").await.status, 401);
}
