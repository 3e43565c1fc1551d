use insta::assert_json_snapshot;
use serde_json::Value;
use shared::{
    connection::Provider,
    gate::Role,
    testing::{nobody, person, person_with, stranger, told},
};

use crate::stage::Stage;

async fn shown(stage: &Stage, query: &str) -> (u16, Value) {
    told(stage.show(person(stage.tenant, Role::Agent).with_query(query)).await)
}

#[tokio::test]
async fn a_connection_has_the_form_of_the_documents() {
    let stage = Stage::set().await;
    stage.connect(Provider::Zoho).await;

    let (status, mut body) = shown(&stage, "").await;

    assert_eq!(status, 200);
    let listed = body["data"].as_object_mut().unwrap().remove("connections").unwrap();
    assert_eq!(listed, Value::Array(vec![body["data"].clone()]));
    assert_json_snapshot!(body, {
        ".data._id" => "[con]", ".data.connectedAt" => "[time]", ".data.tokens.tokenExpiry" => "[time]", ".data.etag" => "[etag]",
        ".data.scopes" => "[scopes]",
    }, @r#"
    {
      "data": {
        "_id": "[con]",
        "accountInfo": {
          "accountEmail": "ada@brightline.example",
          "accountName": "Ada Brightline",
          "companyName": "Brightline GmbH",
          "externalId": "30170806"
        },
        "connectedAt": "[time]",
        "etag": "[etag]",
        "name": "Zoho",
        "provider": "zoho",
        "scopes": "[scopes]",
        "status": "active",
        "tokens": {
          "hasAccessToken": true,
          "hasRefreshToken": true,
          "tokenExpiry": "[time]"
        }
      },
      "success": true
    }
    "#);
}

#[tokio::test]
async fn one_of_several_is_chosen_by_name_or_is_the_newest() {
    let stage = Stage::set().await;
    stage.connect(Provider::HubSpot).await;
    stage.connect(Provider::Salesforce).await;

    assert_eq!(shown(&stage, "").await.1["data"]["provider"], "salesforce");
    let (_, body) = shown(&stage, "provider=hubspot").await;
    assert_eq!(body["data"]["provider"], "hubspot");
    let listed: Vec<_> = body["data"]["connections"].as_array().unwrap().iter().map(|one| &one["provider"]).collect();
    assert_eq!(listed, ["salesforce", "hubspot"]);
    assert_eq!(shown(&stage, "provider=zoho").await.0, 404);
}

#[tokio::test]
async fn tokens_and_what_seals_them_are_never_shown() {
    let stage = Stage::set().await;
    let connection = stage.connect(Provider::Salesforce).await;

    let (_, body) = shown(&stage, "").await;

    let sealed = serde_json::to_value(&connection.refresh_token).unwrap();
    assert!(!body.to_string().contains(sealed.as_str().unwrap()), "{body}");
    assert_eq!(body["data"]["tokens"]["tokenExpiry"], Value::Null, "Salesforce does not say");
}

#[tokio::test]
async fn a_stranger_learns_nothing() {
    let stage = Stage::set().await;
    stage.connect(Provider::Zoho).await;
    let limited = [("client", "cli_06dabr1bg1x010000000000008")];

    assert_eq!(told(stage.show(stranger()).await).0, 404);
    assert_eq!(told(stage.show(nobody()).await).0, 401);
    assert_eq!(told(stage.show(person_with(stage.tenant, Role::Owner, &limited)).await).0, 403);
}

#[tokio::test]
async fn nonsense_is_the_callers_fault() {
    let stage = Stage::set().await;
    for query in ["provider=pipedrive", "provider=", "provider=ZOHO", "id=7", "provider=zoho&x=1", "provider=%00"] {
        assert_eq!(shown(&stage, query).await.0, 400, "{query}");
    }
    assert_eq!(shown(&stage, "").await.0, 404, "nothing is connected");
}
