use automation::create;
use insta::assert_json_snapshot;
use secrecy::ExposeSecret;
use serde_json::json;
use shared::{
    automation::MOST,
    endpoint::Endpoint,
    gate::Role,
    id::EndpointId,
    key,
    testing::{nobody, person, person_with, stranger, told, vault},
};

use crate::{MAKE, World, forwarding, from_template, pointers};

#[tokio::test]
async fn the_answer_is_that_of_the_source_document() {
    let world = World::new().await;

    let made = world
        .made(json!({ "templateId": "lead-to-crm", "name": "Custom Automation Name", "makeScenarioId": "418339" }))
        .await;

    let id = made.id();
    assert!(id.starts_with("aut_"));
    assert_eq!(made.0["webhookUrl"], format!("https://api.example.com/api/v1/webhook/automation/{id}"));
    assert_eq!(made.0["automation"]["webhookUrl"], made.0["webhookUrl"]);
    let secret = made.secret();
    let steps = made.0["setupInstructions"].as_object().unwrap();
    assert_eq!(steps.keys().collect::<Vec<_>>(), ["step1", "step2", "step3", "step4", "step5"]);
    assert!(steps["step2"].as_str().unwrap().ends_with(made.0["webhookUrl"].as_str().unwrap()));
    assert_eq!(
        steps["step3"],
        format!("Add the webhook secret as a header: X-Webhook-Secret: {}", secret.expose_secret())
    );
    assert_json_snapshot!(made.0["automation"], {
        ".id" => "[aut]", ".webhookUrl" => "[url]", ".secretFingerprint" => "[print]", ".createdAt" => "[time]",
    }, @r#"
    {
      "createdAt": "[time]",
      "executions": {
        "failed": 0,
        "lastAt": null,
        "successful": 0,
        "total": 0
      },
      "forwardsTo": null,
      "id": "[aut]",
      "makeScenarioId": "418339",
      "name": "Custom Automation Name",
      "previousSecretUntil": null,
      "secretFingerprint": "[print]",
      "status": "inactive",
      "switchedAt": null,
      "templateId": "lead-to-crm",
      "templateVersion": 1,
      "webhookUrl": "[url]"
    }
    "#);
}

#[tokio::test]
async fn a_template_alone_is_enough() {
    let world = World::new().await;
    let made = world.made(from_template()).await;
    assert_eq!(made.0["automation"]["name"], "Sync New Leads to CRM");
    assert_eq!(made.0["signingSecret"], json!(null));
}

#[tokio::test]
async fn a_make_webhook_becomes_an_endpoint_that_is_only_sent_what_names_it() {
    let world = World::new().await;

    let made = world.made(forwarding()).await;

    let forward = &made.0["automation"]["forwardsTo"];
    assert_eq!(forward["host"], "hook.eu1.make.com");
    let id: EndpointId = forward["endpointId"].as_str().unwrap().parse().unwrap();
    let endpoint = world.table.get(key::endpoint(world.tenant, id)).await.unwrap();
    assert!(endpoint.event_types.is_empty() && !endpoint.wants("automation.executed"));
    let keyring = vault().keyring().await.unwrap();
    let (tenant, place) = (world.tenant.to_string(), id.to_string());
    let open = |field, sealed| {
        keyring.open(Endpoint::place(&tenant, &place, field), sealed).unwrap().expose_secret().to_owned()
    };
    assert_eq!(open("url", &endpoint.url), MAKE);
    assert_eq!(open("make_key", endpoint.make_key.as_ref().unwrap()), "make-key-1");
    assert_eq!(open("secret", &endpoint.secret), made.0["signingSecret"]);
}

#[tokio::test]
async fn neither_address_nor_secret_is_stored_in_the_clear() {
    let world = World::new().await;
    let made = world.made(forwarding()).await;
    let automation = world.table.list_all(&key::automations(world.tenant)).await.unwrap().remove(0);
    let endpoint = world.table.get(key::endpoint(world.tenant, automation.endpoint.unwrap())).await.unwrap();

    let stored =
        format!("{}{}", serde_json::to_string(&automation).unwrap(), serde_json::to_string(&endpoint).unwrap());

    for secret in [made.secret().expose_secret(), "make-key-1", "abcdefghijklmnop"] {
        assert!(!stored.contains(secret));
    }
}

#[tokio::test]
async fn all_faults_are_told_at_once() {
    let world = World::new().await;
    let body = json!({
        "templateId": "lead-to-mars", "name": " ", "makeScenarioId": {}, "makeWebhookUrl": "http://169.254.169.254/latest",
        "makeApiKey": "two words", "colour": "red",
    });

    let (status, answer) = told(create::handle(&world.create, world.owner().posting(&body)).await);

    assert_eq!(status, 400);
    let mut pointers = pointers(&answer);
    pointers.sort_unstable();
    assert_eq!(pointers, ["/colour", "/makeApiKey", "/makeScenarioId", "/makeWebhookUrl", "/name", "/templateId"]);
    assert!(world.table.list_all(&key::automations(world.tenant)).await.unwrap().is_empty());
}

#[tokio::test]
async fn nonsense_is_refused_and_never_our_mistake() {
    let world = World::new().await;
    for body in [
        "",
        "{",
        "[]",
        "null",
        "7",
        r#"{"templateId":null}"#,
        r#"{"templateId":7}"#,
        r#"{"templateId":"lead-to-crm","name":[]}"#,
        r#"{"templateId":"lead-to-crm","makeApiKey":"without-an-address"}"#,
        r#"{"templateId":"lead-to-crm","makeScenarioId":-1}"#,
    ] {
        let (status, answer) = told(create::handle(&world.create, world.owner().posting_bytes(body)).await);
        assert_eq!((status, &answer["success"]), (400, &json!(false)), "{body}: {answer}");
    }
    let large = format!(r#"{{"templateId":"{}"}}"#, "x".repeat(1_000_000));
    assert_eq!(told(create::handle(&world.create, world.owner().posting_bytes(large)).await).0, 413);
}

#[tokio::test]
async fn addresses_inside_are_refused() {
    let world = World::new().await;
    for url in [
        "http://hook.eu1.make.com/x",
        "https://localhost/x",
        "https://10.0.0.1/x",
        "https://hook.eu1.make.com:8443/x",
        "nonsense",
    ] {
        let body = json!({ "templateId": "lead-to-crm", "makeWebhookUrl": url });
        let (status, answer) = told(create::handle(&world.create, world.owner().posting(&body)).await);
        assert_eq!((status, pointers(&answer)), (400, vec!["/makeWebhookUrl"]), "{url}");
    }
}

#[tokio::test]
async fn the_same_request_again_makes_no_second_one_and_shows_the_same_secret() {
    let world = World::new().await;
    let call = || world.owner().posting(&from_template()).with_header("idempotency-key", "k-1");

    let first = told(create::handle(&world.create, call()).await);
    let second = told(create::handle(&world.create, call()).await);
    let other = told(create::handle(&world.create, call().posting(&json!({ "templateId": "enrich-lead" }))).await);

    assert_eq!(first, second);
    assert_eq!(first.0, 201);
    assert_eq!(other.0, 422);
    assert_eq!(world.table.list_all(&key::automations(world.tenant)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_tenant_has_so_many_and_no_more() {
    let world = World::new().await;
    world.made(from_template()).await;
    world.table.change(key::automation_tally(world.tenant)).set("total", MOST).send().await.unwrap();

    let (status, _) = told(create::handle(&world.create, world.owner().posting(&forwarding())).await);

    assert_eq!(status, 409);
    assert_eq!(world.table.list_all(&key::automations(world.tenant)).await.unwrap().len(), 1);
    assert!(world.table.list_all(&key::endpoints(world.tenant)).await.unwrap().is_empty());
}

#[tokio::test]
async fn only_an_owner_of_the_whole_tenant_may() {
    let world = World::new().await;
    let client = shared::id::ClientId::new().to_string();
    for (call, expected) in [
        (nobody(), 401),
        (person(world.tenant, Role::Agent), 403),
        (person(world.tenant, Role::Supervisor), 403),
        (person_with(world.tenant, Role::Owner, &[("client", &client)]), 403),
    ] {
        assert_eq!(told(create::handle(&world.create, call.posting(&from_template())).await).0, expected);
    }
}

#[tokio::test]
async fn a_stranger_makes_its_own_alone() {
    let world = World::new().await;
    told(create::handle(&world.create, stranger().posting(&from_template())).await);
    assert!(world.table.list_all(&key::automations(world.tenant)).await.unwrap().is_empty());
}
