use local::standin::{Fault, Mode};
use secrecy::ExposeSecret;
use serde_json::Value;
use shared::{
    connection::{Connection, Provider},
    gate::Role,
    testing::{nobody, person, person_with, stranger, told},
};

use crate::stage::Stage;

async fn ended(stage: &Stage, query: &str) -> (u16, Value) {
    told(stage.disconnect(stage.owner().with_query(query)).await)
}

#[tokio::test]
async fn each_vendor_is_told_and_our_copy_goes() {
    let stage = Stage::set().await;
    for (provider, revoked_at) in [
        (Provider::Zoho, Some("/accounts.zoho.eu/oauth/v2/token/revoke")),
        (Provider::Salesforce, Some("/login.salesforce.com/services/oauth2/revoke")),
        (Provider::HubSpot, Some("/api.hubapi.com/oauth/2026-03/token/revoke")),
        (Provider::Dynamics, None),
    ] {
        let connection = stage.connect(provider).await;
        let keyring = stage.vault.keyring().await.unwrap();
        let (tenant, owner) = (stage.tenant.to_string(), connection.id.to_string());
        let place = Connection::place(&tenant, &owner, "refresh_token");
        let token = keyring.open(place, &connection.refresh_token).unwrap();

        let (status, body) = ended(&stage, &format!("provider={provider}")).await;

        assert_eq!((status, &body["data"]["disconnected"]), (200, &Value::Bool(true)));
        assert_eq!(body["data"]["revoked"], revoked_at.is_some(), "{provider}");
        assert!(stage.connection(provider).await.is_none());
        if let Some(path) = revoked_at {
            let told = stage.vendors.requests(path).await.unwrap();
            let form: String = url::form_urlencoded::byte_serialize(token.expose_secret().as_bytes()).collect();
            assert!(told[0].body.as_deref().unwrap().contains(&form), "{provider}");
        }
    }
}

#[tokio::test]
async fn a_vendor_that_is_down_does_not_keep_our_copy_alive() {
    let stage = Stage::set().await;
    stage.connect(Provider::Zoho).await;
    stage.vendors.set_mode("/accounts.zoho.eu/*", Mode::Down).await.unwrap();

    let (status, body) = ended(&stage, "").await;

    assert_eq!((status, &body["data"]["revoked"]), (200, &Value::Bool(false)));
    assert!(stage.connection(Provider::Zoho).await.is_none());
}

#[tokio::test]
async fn what_zoho_says_under_200_is_heard() {
    let stage = Stage::set().await;
    stage.connect(Provider::Zoho).await;
    let refused = Fault::status(200).body(serde_json::json!({ "error": "invalid_token" }));
    stage.vendors.fail_next("/accounts.zoho.eu/oauth/v2/token/revoke", [refused]).await.unwrap();

    let (_, body) = ended(&stage, "").await;

    assert_eq!((&body["data"]["disconnected"], &body["data"]["revoked"]), (&Value::Bool(true), &Value::Bool(false)));
}

#[tokio::test]
async fn twice_is_as_good_as_once() {
    let stage = Stage::set().await;
    stage.connect(Provider::HubSpot).await;

    ended(&stage, "provider=hubspot").await;
    let (status, body) = ended(&stage, "provider=hubspot").await;

    assert_eq!((status, &body["data"]["disconnected"]), (200, &Value::Bool(false)));
    assert_eq!(ended(&stage, "").await.0, 200);
}

#[tokio::test]
async fn two_at_once_both_succeed() {
    let stage = Stage::set().await;
    stage.connect(Provider::HubSpot).await;

    let (one, other) = tokio::join!(ended(&stage, ""), ended(&stage, ""));

    assert_eq!((one.0, other.0), (200, 200));
}

#[tokio::test]
async fn one_of_several_has_to_be_named() {
    let stage = Stage::set().await;
    stage.connect(Provider::HubSpot).await;
    stage.connect(Provider::Zoho).await;

    assert_eq!(ended(&stage, "").await.0, 400);
    assert_eq!(ended(&stage, "provider=zoho").await.0, 200);
    assert!(stage.connection(Provider::HubSpot).await.is_some());
}

#[tokio::test]
async fn another_connection_than_the_one_seen_stays() {
    let stage = Stage::set().await;
    let seen = stage.connect(Provider::Zoho).await.etag();
    let now = stage.connect(Provider::Zoho).await.etag();
    let with = |tag: &str| stage.owner().with_header("if-match", tag);

    assert_eq!(told(stage.disconnect(with(&seen)).await).0, 412);
    assert!(stage.connection(Provider::Zoho).await.is_some());
    assert_eq!(told(stage.disconnect(with(&now)).await).0, 200);
    assert_eq!(told(stage.disconnect(with("*")).await).0, 412, "there is none any more");
}

#[tokio::test]
async fn a_stranger_ends_nothing() {
    let stage = Stage::set().await;
    stage.connect(Provider::Zoho).await;
    let limited = [("client", "cli_06dabr1bg1x010000000000008")];

    let (status, body) = told(stage.disconnect(stranger().with_query("provider=zoho")).await);

    assert_eq!((status, &body["data"]["disconnected"]), (200, &Value::Bool(false)), "as for one that is missing");
    assert_eq!(told(stage.disconnect(nobody()).await).0, 401);
    assert_eq!(told(stage.disconnect(person(stage.tenant, Role::Supervisor)).await).0, 403);
    assert_eq!(told(stage.disconnect(person_with(stage.tenant, Role::Owner, &limited)).await).0, 403);
    assert!(stage.connection(Provider::Zoho).await.is_some());
}

#[tokio::test]
async fn nonsense_is_the_callers_fault() {
    let stage = Stage::set().await;
    for query in ["provider=pipedrive", "provider=", "id=7", "provider=zoho&x=1"] {
        assert_eq!(ended(&stage, query).await.0, 400, "{query}");
    }
}
