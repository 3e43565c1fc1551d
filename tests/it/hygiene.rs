//! Nothing secret or personal in a log line, whatever the other tests did.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::world::{AT_WORK, World};

#[tokio::test]
async fn no_secret_token_or_address_is_ever_logged() {
    let world = World::new("hygiene").await;
    let owner = world.token("owner").await;
    let (_, signing) = world.endpoint(&owner).await;
    let made = world.post("/api/v1/automation", &owner, &json!({ "templateId": "lead-to-crm" })).await;
    let secret = made.body["data"]["webhookSecret"].as_str().unwrap().to_owned();
    let personal = json!({
        "type": "INSERT", "table": "bookings", "old_record": null,
        "record": { "id": "p1", "client_info": { "name": "Ada Lovelace-Hygiene", "email": "ada@hygiene.example" } },
    });
    world.post("/api/webhooks/booking-events", &world.api_key, &personal).await;
    world.settled(&owner, 1).await;
    everybody_else_is_done().await;

    let log = std::fs::read_to_string(world.stack.functions_log()).unwrap();

    assert!(log.len() > 1_000, "the functions logged something");
    let jwt = owner.split('.').next_back().unwrap();
    let hook = world.hook();
    for hidden in [signing.as_str(), &secret, &world.api_key, jwt, "Ada Lovelace-Hygiene", "ada@hygiene.example", &hook]
    {
        assert!(!log.contains(hidden), "the log shows {hidden}");
    }
    // What every test has, by its form.
    for form in [
        "whsec_",
        "cdk_0",
        "standin-secret-",
        "Zoho-oauthtoken",
        "x-make-apikey",
        ".example\"",
        "refresh_token",
        "code_verifier",
    ] {
        let line = log.lines().find(|line| line.contains(form)).unwrap_or_default();
        assert!(line.is_empty(), "the log shows {form}: {line}");
    }
}

/// No test but this one has been at work for a while.
async fn everybody_else_is_done() {
    let mut quiet = Instant::now();
    let begun = Instant::now();
    while quiet.elapsed() < Duration::from_secs(3) && begun.elapsed() < Duration::from_secs(240) {
        if AT_WORK.load(Ordering::SeqCst) > 1 {
            quiet = Instant::now();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
