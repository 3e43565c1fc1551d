use insta::assert_json_snapshot;
use shared::{
    connection::Provider,
    gate::Role,
    secrets::{Platform, Vault},
    testing::{nobody, person, stranger, told},
};

use crate::stage::Stage;

#[tokio::test]
async fn all_four_are_listed_with_what_they_are() {
    let mut stage = Stage::set().await;
    stage.connect(Provider::Zoho).await;
    let platform = stage.vault.platform().await.unwrap();
    let mut apps = platform.oauth.clone();
    apps.remove("dynamics");
    stage.vault = Vault::given(Platform { oauth: apps, ..(*platform).clone() });

    let (status, body) = told(stage.providers(person(stage.tenant, Role::Agent)).await);

    assert_eq!(status, 200);
    assert_json_snapshot!(body, @r#"
    {
      "data": [
        {
          "configured": true,
          "connected": true,
          "id": "zoho",
          "name": "Zoho"
        },
        {
          "configured": true,
          "connected": false,
          "id": "salesforce",
          "name": "Salesforce"
        },
        {
          "configured": true,
          "connected": false,
          "id": "hubspot",
          "name": "HubSpot"
        },
        {
          "configured": false,
          "connected": false,
          "id": "dynamics",
          "name": "Microsoft Dynamics 365"
        }
      ],
      "success": true
    }
    "#);
}

#[tokio::test]
async fn a_stranger_sees_its_own_connections_alone() {
    let stage = Stage::set().await;
    stage.connect(Provider::Zoho).await;

    let (_, body) = told(stage.providers(stranger()).await);

    assert!(body["data"].as_array().unwrap().iter().all(|provider| provider["connected"] == false), "{body}");
    assert_eq!(told(stage.providers(nobody()).await).0, 401);
}
