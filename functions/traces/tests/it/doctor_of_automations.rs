use jiff::SignedDuration;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use shared::{
    automation::Automation,
    endpoint::{self, Endpoint, Plan, Previous},
    id::AutomationId,
    secrets::{fingerprint, webhook_secret},
    testing::vault,
};

use crate::{
    HOOK, World,
    doctor::{ask, detail, diagnosed, names, signed},
};

pub struct Made {
    id: AutomationId,
    secret: SecretString,
    previous: SecretString,
    forward: SecretString,
}

/// An automation with a secret, one before it that holds for two hours more, and an endpoint that it forwards to.
pub async fn automation(world: &World, name: &str) -> Made {
    let keyring = vault().keyring().await.unwrap();
    let (id, secret, previous) = (AutomationId::new(), webhook_secret(), webhook_secret());
    let plan = Plan {
        id: endpoint::target(),
        name: format!("{name} forwards"),
        host: "hook.eu1.make.com".into(),
        url: "https://hook.eu1.make.com/x".into(),
        make_key: None,
        event_types: Vec::new(),
    };
    let (target, forward) = Endpoint::new(&keyring, world.tenant, plan, world.now).unwrap();
    let seal = |secret: &SecretString| Automation::seal(&keyring, world.tenant, id, secret).unwrap();
    let row = Automation {
        tenant: world.tenant,
        id,
        template: "lead-to-crm".into(),
        template_version: 1,
        name: name.into(),
        active: true,
        make_scenario: None,
        endpoint: Some(target.id),
        host: Some(target.host.clone()),
        secret: seal(&secret),
        fingerprint: fingerprint(&secret),
        previous: Some(Previous { secret: seal(&previous), until: world.now + SignedDuration::from_hours(2) }),
        created_at: world.now,
        switched_at: None,
    };
    world.table.put(&target).await.unwrap();
    world.table.put(&row).await.unwrap();
    Made { id, secret, previous, forward }
}

#[tokio::test]
async fn what_is_sent_to_an_automation_is_held_against_its_secrets() {
    let world = World::new().await;
    let ours = automation(&world, "Leads").await;
    let other = automation(&world, "Reviews").await;
    let (_, endpoints_secret) = world.endpoint("Make", HOOK).await;
    let all = [&ours.secret, &ours.previous, &ours.forward, &other.secret].map(ExposeSecret::expose_secret);
    for (secret, expected, says) in [
        (ours.secret.expose_secret(), vec!["ok"], "the automation \"Leads\""),
        (ours.previous.expose_secret(), vec!["ok", "previous_secret"], "holds"),
        (ours.forward.expose_secret(), vec!["other_secret"], "the secret of the endpoint \"Leads forwards\""),
        (other.secret.expose_secret(), vec!["other_secret"], "the secret of the automation \"Reviews\""),
        (other.previous.expose_secret(), vec!["other_secret"], "the previous secret of the automation \"Reviews\""),
        (endpoints_secret.as_str(), vec!["other_secret"], "the secret of the endpoint \"Make\""),
    ] {
        let request = json!({
            "automation_id": ours.id, "headers": signed(secret, "run-1", world.now, "{}"), "body": "{}",
            "received_at": world.now,
        });
        let diagnosis = diagnosed(&world, &request, &all).await;
        assert_eq!(names(&diagnosis), expected);
        assert!(detail(&diagnosis).contains(says), "{says}: {diagnosis}");
    }
}

#[tokio::test]
async fn the_secret_itself_is_proof_too() {
    let world = World::new().await;
    let ours = automation(&world, "Leads").await;
    let other = automation(&world, "Reviews").await;
    let headers = |secret: &str| json!({ "X-Webhook-Secret": secret });
    let (good, later) = (world.now, world.now + SignedDuration::from_hours(3));
    for (secret, at, expected) in [
        (ours.secret.expose_secret(), later, vec!["ok"]),
        (ours.previous.expose_secret(), good, vec!["ok", "previous_secret"]),
        (ours.previous.expose_secret(), later, vec!["previous_secret"]),
        (other.secret.expose_secret(), good, vec!["other_secret"]),
        ("whsec_nobodys", good, vec!["other_secret"]),
    ] {
        let request = json!({ "automation_id": ours.id, "headers": headers(secret), "body": "{}", "received_at": at });
        let diagnosis = diagnosed(&world, &request, &[secret]).await;
        assert_eq!(names(&diagnosis), expected, "{diagnosis}");
    }
    let request = json!({ "automation_id": ours.id, "headers": headers(other.secret.expose_secret()), "body": "{}" });
    assert!(detail(&diagnosed(&world, &request, &[]).await).contains("\"Reviews\""));

    // Every proof that is given has to hold.
    let both = |by: &SecretString, secret: &SecretString| {
        let mut headers = signed(by.expose_secret(), "run-1", world.now, "{}");
        headers["x-webhook-secret"] = json!(secret.expose_secret());
        json!({ "automation_id": ours.id, "headers": headers, "body": "{}", "received_at": world.now })
    };
    let nobodys = webhook_secret();
    for (request, expected) in [
        (both(&ours.secret, &ours.secret), vec!["ok"]),
        (both(&nobodys, &ours.secret), vec!["unknown"]),
        (both(&ours.secret, &nobodys), vec!["other_secret"]),
    ] {
        assert_eq!(names(&diagnosed(&world, &request, &[ours.secret.expose_secret()]).await), expected);
    }
    // Of an endpoint it is no proof.
    let (endpoint, secret) = world.endpoint("Make", HOOK).await;
    let request = json!({ "endpoint_id": endpoint, "headers": headers(&secret), "body": "{}" });
    assert_eq!(names(&diagnosed(&world, &request, &[&secret]).await), ["header_missing"; 3]);
}

#[tokio::test]
async fn an_automation_of_another_tenant_is_none() {
    let world = World::new().await;
    let theirs = World::on(world.table.clone()).await;
    let automation = automation(&theirs, "Leads").await;
    let request = json!({ "automation_id": automation.id, "headers": {}, "body": "{}" });
    assert_eq!(ask(&world, world.supervisor(), &request).await.0, 404);
}
