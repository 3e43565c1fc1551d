use std::collections::BTreeMap;

use crm::state::State;
use insta::{assert_json_snapshot, assert_snapshot};
use serde_json::{Value, json};
use shared::{
    gate::Role,
    http::Call,
    key,
    secrets::{Platform, Vault},
    testing::{nobody, person, person_with, told},
};
use url::Url;

use crate::stage::Stage;

async fn auth_url(stage: &Stage, wanted: Value) -> Url {
    let (status, body) = told(stage.begin(stage.owner().posting(&wanted)).await);
    assert_eq!(status, 200, "{body}");
    Url::parse(body["data"]["authUrl"].as_str().unwrap()).unwrap()
}

/// The page without the stand-in's own address, and its parameters.
fn parts(url: &Url) -> (String, BTreeMap<String, String>) {
    (format!("https:/{}", url.path()), url.query_pairs().into_owned().collect())
}

#[tokio::test]
async fn the_answer_has_the_form_of_the_documents() {
    let stage = Stage::set().await;

    let (status, body) = told(stage.begin(stage.owner().posting(&json!({ "provider": "zoho" }))).await);

    assert_eq!(status, 200);
    assert_json_snapshot!(body, { ".data.authUrl" => "[url]", ".data.state" => "[state]" }, @r#"
    {
      "data": {
        "authUrl": "[url]",
        "provider": "zoho",
        "state": "[state]"
      },
      "success": true
    }
    "#);
}

#[tokio::test]
async fn zoho_is_asked_for_offline_access_again_and_again() {
    let stage = Stage::set().await;

    let (page, query) = parts(&auth_url(&stage, json!({ "provider": "zoho" })).await);

    assert_snapshot!(page, @"https://accounts.zoho.com/oauth/v2/auth");
    assert_json_snapshot!(query, { ".state" => "[state]" }, @r#"
    {
      "access_type": "offline",
      "client_id": "crossdock-zoho",
      "prompt": "consent",
      "redirect_uri": "https://api.example.com/api/v1/crm-integration/oauth/callback/zoho",
      "response_type": "code",
      "scope": "ZohoCRM.modules.ALL,ZohoCRM.settings.ALL,ZohoCRM.users.READ,ZohoCRM.org.READ,ZohoCRM.notifications.ALL,ZohoCRM.bulk.ALL,ZohoCRM.coql.READ",
      "state": "[state]"
    }
    "#);
}

#[tokio::test]
async fn salesforce_is_asked_with_a_challenge() {
    let stage = Stage::set().await;

    let (page, query) = parts(&auth_url(&stage, json!({ "provider": "salesforce" })).await);

    assert_snapshot!(page, @"https://login.salesforce.com/services/oauth2/authorize");
    assert_json_snapshot!(query, { ".state" => "[state]", ".code_challenge" => "[s256]" }, @r#"
    {
      "client_id": "crossdock-salesforce",
      "code_challenge": "[s256]",
      "code_challenge_method": "S256",
      "redirect_uri": "https://api.example.com/api/v1/crm-integration/oauth/callback/salesforce",
      "response_type": "code",
      "scope": "api refresh_token id",
      "state": "[state]"
    }
    "#);
}

#[tokio::test]
async fn hubspot_is_asked_for_exactly_what_the_app_declares() {
    let stage = Stage::set().await;

    let (page, query) = parts(&auth_url(&stage, json!({ "provider": "hubspot" })).await);

    assert_snapshot!(page, @"https://app.hubspot.com/oauth/authorize");
    assert_json_snapshot!(query, { ".state" => "[state]", ".code_challenge" => "[s256]" }, @r#"
    {
      "client_id": "crossdock-hubspot",
      "code_challenge": "[s256]",
      "code_challenge_method": "S256",
      "optional_scope": "crm.objects.leads.read crm.objects.leads.write",
      "redirect_uri": "https://api.example.com/api/v1/crm-integration/oauth/callback/hubspot",
      "scope": "oauth crm.objects.contacts.read crm.objects.contacts.write crm.objects.companies.read crm.objects.companies.write crm.objects.deals.read crm.objects.deals.write crm.objects.owners.read crm.schemas.contacts.read crm.schemas.companies.read crm.schemas.deals.read",
      "state": "[state]"
    }
    "#);
}

#[tokio::test]
async fn dynamics_is_asked_for_one_environment() {
    let stage = Stage::set().await;

    let wanted = json!({ "provider": "dynamics", "environment_url": "https://acme.crm4.dynamics.com/" });
    let url = auth_url(&stage, wanted).await;
    let (page, query) = parts(&url);

    assert_snapshot!(page, @"https://login.microsoftonline.com/organizations/oauth2/v2.0/authorize");
    assert_json_snapshot!(query, { ".state" => "[state]", ".code_challenge" => "[s256]" }, @r#"
    {
      "client_id": "crossdock-dynamics",
      "code_challenge": "[s256]",
      "code_challenge_method": "S256",
      "prompt": "select_account",
      "redirect_uri": "https://api.example.com/api/v1/crm-integration/oauth/callback/dynamics",
      "response_mode": "query",
      "response_type": "code",
      "scope": "https://acme.crm4.dynamics.com/user_impersonation offline_access openid profile email",
      "state": "[state]"
    }
    "#);
    assert!(!url.query().unwrap().contains('+'), "spaces are %20");
}

#[tokio::test]
async fn one_may_begin_at_a_host_of_ones_own() {
    let stage = Stage::set().await;
    for (wanted, host) in [
        (json!({ "provider": "zoho", "region": "ca" }), "accounts.zohocloud.ca"),
        (json!({ "provider": "salesforce", "login_host": "test.salesforce.com" }), "test.salesforce.com"),
        (json!({ "provider": "salesforce", "login_host": "acme.my.salesforce.com" }), "acme.my.salesforce.com"),
    ] {
        let url = auth_url(&stage, wanted).await;
        assert!(url.path().starts_with(&format!("/{host}/")), "{url}");
    }
}

#[tokio::test]
async fn neither_state_nor_nonce_nor_verifier_is_stored_as_it_is() {
    let stage = Stage::set().await;
    let reply = stage.begin(stage.owner().posting(&json!({ "provider": "hubspot" }))).await.unwrap();
    let text = reply.json()["data"]["state"].as_str().unwrap().to_owned();
    let state = State::read(&text).unwrap();
    let cookie = reply.headers["set-cookie"].to_str().unwrap().to_owned();

    let row = stage.table.get(key::sign_in(stage.tenant, &state.hash())).await.unwrap();

    let stored = serde_json::to_string(&row).unwrap();
    let nonce = cookie.split(['=', ';']).nth(1).unwrap();
    assert!(!stored.contains(&text[30..]) && !stored.contains(nonce), "{stored}");
    assert!(stored.contains("\"verifier\":\"k1."), "{stored}");
    assert!(
        cookie.starts_with("__Host-") && cookie.ends_with("; Path=/; Max-Age=600; HttpOnly; Secure; SameSite=Lax"),
        "{cookie}"
    );
    assert_eq!(row.person, "user-owner");
}

#[tokio::test]
async fn the_same_request_gets_the_same_state() {
    let stage = Stage::set().await;
    let call = || stage.owner().with_header("idempotency-key", "k").posting(&json!({ "provider": "zoho" }));

    let first = told(stage.begin(call()).await);

    assert_eq!(told(stage.begin(call()).await), first);
    let other = stage.owner().with_header("idempotency-key", "k").posting(&json!({ "provider": "hubspot" }));
    assert_eq!(told(stage.begin(other).await).0, 422);
}

#[tokio::test]
async fn a_crm_without_an_app_is_not_begun() {
    let mut stage = Stage::set().await;
    let platform = stage.vault.platform().await.unwrap();
    let mut apps = platform.oauth.clone();
    apps.remove("zoho");
    apps.get_mut("hubspot").unwrap().client_id.clear();
    stage.vault = Vault::given(Platform { oauth: apps, ..(*platform).clone() });

    for provider in ["zoho", "hubspot"] {
        let (status, body) = told(stage.begin(stage.owner().posting(&json!({ "provider": provider }))).await);
        assert_eq!(status, 409, "{body}");
    }
}

#[tokio::test]
async fn only_an_owner_of_the_whole_company_begins() {
    let stage = Stage::set().await;
    let body = json!({ "provider": "zoho" });
    let limited = [("client", "cli_06dabr1bg1x010000000000008")];

    for (call, status) in [
        (nobody(), 401),
        (person(stage.tenant, Role::Agent), 403),
        (person(stage.tenant, Role::Supervisor), 403),
        (person_with(stage.tenant, Role::Owner, &limited), 403),
    ] {
        assert_eq!(told(stage.begin(call.posting(&body)).await).0, status);
    }
}

#[tokio::test]
async fn a_stranger_begins_for_its_own_tenant_alone() {
    let stage = Stage::set().await;

    let (_, body) = told(stage.begin(shared::testing::stranger().posting(&json!({ "provider": "zoho" }))).await);

    let state = State::read(body["data"]["state"].as_str().unwrap()).unwrap();
    assert_ne!(state.tenant, stage.tenant);
    assert!(stage.table.find(key::sign_in(stage.tenant, &state.hash())).await.unwrap().is_none());
}

#[tokio::test]
async fn nonsense_is_the_callers_fault() {
    let stage = Stage::set().await;
    let post = |bytes: &str| -> Call { stage.owner().posting_bytes(bytes.to_owned()) };

    for body in [
        "",
        "x",
        "null",
        "[]",
        "{}",
        r#"{"provider":null}"#,
        r#"{"provider":7}"#,
        r#"{"provider":"Zoho"}"#,
        r#"{"provider":"zoho","region":7}"#,
        r#"{"provider":"zoho","redirect_uri":"https://evil.example"}"#,
        r#"{"provider":"salesforce","login_host":"acme.lightning.force.com"}"#,
        r#"{"provider":"dynamics","environment_url":"https://evil.example"}"#,
    ] {
        let (status, answer) = told(stage.begin(post(body)).await);
        assert_eq!(status, 400, "{body}: {answer}");
    }
    assert_eq!(told(stage.begin(post(&"x".repeat(1 << 20))).await).0, 413);
    let nulls = json!({ "provider": "zoho", "region": null });
    assert_eq!(told(stage.begin(stage.owner().posting(&nulls)).await).0, 200);
}
