use std::time::Duration;

use crm::browser::Unknown;
use insta::assert_snapshot;
use jiff::{SignedDuration, Timestamp};
use local::standin::{Fault, Mode};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use shared::{
    connection::{Connection, Provider},
    http::Reply,
    secrets::{Platform, Vault},
    testing::nobody,
};

use crate::stage::{Returned, Stage, text};

async fn back(stage: &Stage, provider: &str, back: &Returned) -> Reply {
    stage.callback(stage.returning(provider, back)).await
}

/// A page that says this, under this status; and nothing is connected.
async fn came_to_nothing(stage: &Stage, reply: &Reply, status: u16, says: &str) {
    let page = text(reply);
    assert_eq!(reply.status, status, "{page}");
    assert!(page.contains(says), "{page}");
    assert!(reply.headers["content-type"].to_str().unwrap().starts_with("text/html"));
    assert_eq!(reply.headers["referrer-policy"], "no-referrer");
    for provider in Provider::ALL {
        assert!(stage.connection(provider).await.is_none(), "{page}");
    }
}

fn facts(connection: &Connection) -> String {
    let account = &connection.account;
    let part = |text: &Option<String>| text.clone().unwrap_or("-".into());
    format!(
        "{} | {} | {} | {} | {}",
        connection.login_host,
        connection.api_base,
        part(&account.name),
        part(&account.email),
        part(&account.company)
    )
}

// ── it works ─────────────────────────────────────────────────────────────

#[tokio::test]
async fn each_vendor_is_connected_with_its_account() {
    let stage = Stage::set().await;

    assert_snapshot!(facts(&stage.connect(Provider::Zoho).await), @"accounts.zoho.eu | https://www.zohoapis.eu | Ada Brightline | ada@brightline.example | Brightline GmbH");
    assert_snapshot!(facts(&stage.connect(Provider::Salesforce).await), @"login.salesforce.com | https://brightline.my.salesforce.com | Ada Brightline | ada@brightline.example | Brightline GmbH");
    assert_snapshot!(facts(&stage.connect(Provider::HubSpot).await), @"api.hubapi.com | https://api.hubapi.com | brightline.example | ada@brightline.example | brightline.example");
    assert_snapshot!(facts(&stage.connect(Provider::Dynamics).await), @"login.microsoftonline.com | https://brightline.crm4.dynamics.com | Ada Brightline | ada@brightline.example | Brightline GmbH");
}

#[tokio::test]
async fn tokens_are_sealed_for_their_place_and_end_when_the_vendor_says() {
    let stage = Stage::set().await;
    let keyring = stage.vault.keyring().await.unwrap();
    for (provider, begins, life) in [
        (Provider::Zoho, "1000.", Some(3600..=3600)),
        (Provider::Salesforce, "5Aep861", None),
        (Provider::HubSpot, "na1-", Some(1800..=1800)),
        (Provider::Dynamics, "1.A", Some(3600..=5400)),
    ] {
        let connection = stage.connect(provider).await;
        let (tenant, owner) = (stage.tenant.to_string(), connection.id.to_string());

        let token =
            keyring.open(Connection::place(&tenant, &owner, "refresh_token"), &connection.refresh_token).unwrap();

        assert!(token.expose_secret().starts_with(begins), "{provider}");
        assert!(keyring.open(Connection::place(&tenant, &owner, "access_token"), &connection.refresh_token).is_err());
        assert!(!serde_json::to_string(&connection).unwrap().contains(token.expose_secret()));
        let lives = connection.access_expires_at.map(|end| end.duration_since(connection.connected_at).as_secs());
        match (lives, life) {
            (None, None) => {}
            (Some(lives), Some(life)) => assert!(life.contains(&lives), "{provider}: {lives}"),
            odd => panic!("{provider}: {odd:?}"),
        }
    }
}

#[tokio::test]
async fn zoho_accounts_of_every_data_centre_are_followed_home() {
    let stage = Stage::set().await;
    for (region, api) in [
        ("us", "https://www.zohoapis.com"),
        ("eu", "https://www.zohoapis.eu"),
        ("in", "https://www.zohoapis.in"),
        ("au", "https://www.zohoapis.com.au"),
        ("jp", "https://www.zohoapis.jp"),
        ("ca", "https://www.zohoapis.ca"),
        ("sa", "https://www.zohoapis.sa"),
        ("cn", "https://www.zohoapis.com.cn"),
    ] {
        let connection = stage.connect_saying(Provider::Zoho, &format!("&standin_location={region}")).await;
        assert_eq!(connection.api_base, api);
    }
}

#[tokio::test]
async fn an_environment_that_was_named_is_taken() {
    let stage = Stage::set().await;
    let wanted = json!({ "provider": "dynamics", "environment_url": "https://acme.crm.dynamics.com" });
    let returned = stage.sign_in(wanted).await;

    back(&stage, "dynamics", &returned).await;

    let connection = stage.connection(Provider::Dynamics).await.unwrap();
    assert_eq!(connection.api_base, "https://acme.crm.dynamics.com");
    assert_eq!(connection.scopes, ["https://acme.crm.dynamics.com/user_impersonation"]);
}

#[tokio::test]
async fn the_same_account_stays_the_same_connection() {
    let stage = Stage::set().await;
    let first = stage.connect(Provider::Zoho).await;

    let second = stage.connect(Provider::Zoho).await;

    assert_eq!(first.id, second.id);
    assert!(second.version > first.version);
    assert_ne!(first.refresh_token, second.refresh_token);
    let revoked = stage.vendors.requests("/accounts.zoho.eu/oauth/v2/token/revoke").await.unwrap();
    assert!(revoked.is_empty(), "the new token may be the old one");
}

#[tokio::test]
async fn another_account_takes_its_place_and_the_old_one_is_revoked() {
    let stage = Stage::set().await;
    let first = stage.connect(Provider::Zoho).await;

    let second = stage.connect_saying(Provider::Zoho, "&standin_company=Harbour%20Ltd").await;

    assert_ne!((first.id, &first.account.external_id), (second.id, &second.account.external_id));
    let revoked = stage.vendors.requests("/accounts.zoho.eu/oauth/v2/token/revoke").await.unwrap();
    assert_eq!(revoked.len(), 1);
}

#[tokio::test]
async fn what_a_vendor_says_is_not_html() {
    let stage = Stage::set().await;
    let orders = "&standin_name=%3Cscript%3Ealert(1)%3C/script%3E&standin_company=A%26B%20%22%3E";
    let returned = stage.sign_in_saying(json!({ "provider": "zoho" }), orders).await;

    let page = text(&back(&stage, "zoho", &returned).await);

    assert!(page.contains("A&amp;B &quot;&gt;: &lt;script&gt;alert(1)&lt;/script&gt;"), "{page}");
    assert!(!page.contains("<script"), "{page}");
}

#[tokio::test]
async fn a_sign_in_costs_what_the_readme_says() {
    let stage = Stage::set().await;
    stage.units.take();
    let returned = stage.sign_in(json!({ "provider": "hubspot" })).await;
    // The tenant's rate limit is drawn on, and the sign-in stored.
    let (written, read) = stage.units.take();
    assert!(written <= 3.0 && read <= 1.0, "{written} WCU, {read} RCU");

    back(&stage, "hubspot", &returned).await;

    let (written, read) = stage.units.take();
    assert!(written <= 4.0 && read <= 2.0, "{written} WCU, {read} RCU");
}

// ── the state ────────────────────────────────────────────────────────────

#[tokio::test]
async fn a_state_is_good_once() {
    let stage = Stage::set().await;
    let returned = stage.sign_in(json!({ "provider": "hubspot" })).await;
    assert_eq!(back(&stage, "hubspot", &returned).await.status, 200);

    let again = back(&stage, "hubspot", &returned).await;

    assert_eq!(again.status, 410);
    assert!(text(&again).contains("reloaded"), "{}", text(&again));
    assert!(stage.connection(Provider::HubSpot).await.is_some(), "and the reload does no harm");
}

#[tokio::test]
async fn of_five_at_once_one_gets_through() {
    let stage = Stage::set().await;
    let returned = stage.sign_in(json!({ "provider": "hubspot" })).await;
    let one = || back(&stage, "hubspot", &returned);

    let all = tokio::join!(one(), one(), one(), one(), one());

    let mut statuses = [all.0, all.1, all.2, all.3, all.4].map(|reply| reply.status.as_u16());
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 410, 410, 410, 410]);
    let exchanged = stage.vendors.requests("/api.hubapi.com/oauth/2026-03/token").await.unwrap();
    assert_eq!(exchanged.len(), 1);
}

#[tokio::test]
async fn a_state_is_good_for_ten_minutes() {
    let stage = Stage::set().await;
    let returned = stage.sign_in(json!({ "provider": "hubspot" })).await;
    let late = Timestamp::now() + SignedDuration::from_mins(10);

    let reply = stage.callback(stage.returning("hubspot", &returned).at(late)).await;

    came_to_nothing(&stage, &reply, 410, "has expired").await;
    let soon = late - SignedDuration::from_secs(5);
    assert_eq!(stage.callback(stage.returning("hubspot", &returned).at(soon)).await.status, 200);
}

#[tokio::test]
async fn a_state_is_good_for_its_crm_alone() {
    let stage = Stage::set().await;
    let returned = stage.sign_in(json!({ "provider": "hubspot" })).await;

    let reply = back(&stage, "zoho", &returned).await;

    came_to_nothing(&stage, &reply, 400, "another CRM").await;
    let asked = stage.vendors.requests("/accounts.zoho.com/*").await.unwrap();
    assert!(asked.is_empty(), "a code of one vendor is not shown to another");
}

#[tokio::test]
async fn a_state_is_good_in_its_browser_alone() {
    let stage = Stage::set().await;
    let theirs = stage.sign_in(json!({ "provider": "hubspot" })).await;
    let mine = stage.sign_in(json!({ "provider": "hubspot" })).await;
    let mixed = Returned { cookie: theirs.cookie, query: mine.query };

    let reply = back(&stage, "hubspot", &mixed).await;

    came_to_nothing(&stage, &reply, 403, "another browser").await;
    let confirmed = back(&stage, "hubspot", &mixed.with("confirmed", "yes")).await;
    came_to_nothing(&stage, &confirmed, 403, "another browser").await;
}

#[tokio::test]
async fn a_browser_that_nobody_knows_is_asked_by_the_companys_name() {
    let stage = Stage::set().await;
    let returned = stage.sign_in(json!({ "provider": "hubspot" })).await.elsewhere();

    let question = back(&stage, "hubspot", &returned).await;

    came_to_nothing(&stage, &question, 200, "Connect HubSpot to Marina &lt;Lisbon&gt;?").await;
    let code = returned.field("code").unwrap();
    assert!(text(&question).contains(&format!("name=\"code\" value=\"{code}\"")), "the form brings it all back");
    let reply = back(&stage, "hubspot", &returned.with("confirmed", "yes")).await;
    assert_eq!(reply.status, 200);
    assert!(stage.connection(Provider::HubSpot).await.is_some());
}

#[tokio::test]
async fn a_deployment_may_admit_unknown_browsers() {
    let mut stage = Stage::set().await;
    stage.unknown_browser = Unknown::read("admit");
    let returned = stage.sign_in(json!({ "provider": "hubspot" })).await.elsewhere();

    back(&stage, "hubspot", &returned).await;

    assert!(stage.connection(Provider::HubSpot).await.is_some());
    assert_eq!(Unknown::read(""), Unknown::Ask);
}

#[tokio::test]
async fn what_is_no_state_is_answered_with_a_page() {
    let stage = Stage::set().await;
    let returned = stage.sign_in(json!({ "provider": "zoho" })).await;
    let good = returned.field("state").unwrap();
    let foreign = crm::state::State::new(shared::id::TenantId::new()).text;

    for query in [
        String::new(),
        "code=1".into(),
        "state=".into(),
        "state=x&code=1".into(),
        format!("state={foreign}&code=1"),
        format!("state={}&code=1", crm::state::State::new(stage.tenant).text),
        format!("state={good}"),
        format!("state={good}&code="),
        format!("state={good}%00&code=1"),
        "state=%ff%fe&code=%ff".into(),
        "&&&=&=".into(),
        format!("state={}&code=1", "x".repeat(20_000)),
    ] {
        let reply = stage.callback(nobody().with_part("provider", "zoho").with_query(&query)).await;
        came_to_nothing(&stage, &reply, 400, "not complete").await;
    }
    for provider in ["pipedrive", "", "ZOHO", "../zoho"] {
        let reply = stage.callback(nobody().with_part("provider", provider).with_query(&returned.query)).await;
        came_to_nothing(&stage, &reply, 400, "not complete").await;
    }
    assert_eq!(back(&stage, "zoho", &returned).await.status, 200, "none of this has used it up");
}

// ── the person, the vendor, the weather ──────────────────────────────────

#[tokio::test]
async fn a_person_may_decline_at_every_vendor() {
    let stage = Stage::set().await;
    for provider in Provider::ALL {
        let returned = stage.sign_in_saying(json!({ "provider": provider }), "&standin_deny=true").await;

        let reply = back(&stage, provider.id(), &returned).await;

        came_to_nothing(&stage, &reply, 403, &format!("You declined at {}", provider.name())).await;
        assert_eq!(back(&stage, provider.id(), &returned).await.status, 410, "that used it up");
    }
}

#[tokio::test]
async fn an_error_of_the_vendor_is_told_in_its_word_and_no_more() {
    let stage = Stage::set().await;
    let returned = stage.sign_in_saying(json!({ "provider": "salesforce" }), "&standin_error=server_error").await;
    came_to_nothing(&stage, &back(&stage, "salesforce", &returned).await, 502, "It says: server_error.").await;

    let returned = stage.sign_in_saying(json!({ "provider": "salesforce" }), "&standin_error=x").await;
    let returned = returned.with("error", "<b>call +1 555 0100 now</b>");
    came_to_nothing(&stage, &back(&stage, "salesforce", &returned).await, 502, "It says: unreadable.").await;
}

#[tokio::test]
async fn a_code_that_has_expired_is_refused_by_every_vendor() {
    let stage = Stage::set().await;
    for provider in Provider::ALL {
        let returned = stage.sign_in_saying(json!({ "provider": provider }), "&standin_expired_code=true").await;

        let reply = back(&stage, provider.id(), &returned).await;

        came_to_nothing(&stage, &reply, 400, "did not accept").await;
    }
}

#[tokio::test]
async fn a_vendor_in_trouble_is_named() {
    let stage = Stage::set().await;
    let token = "/api.hubapi.com/oauth/2026-03/token";
    for (fault, status, says) in [
        (Fault::down(), 502, "HubSpot does not answer as it should"),
        (Fault::status(500).body("oops"), 502, "HubSpot does not answer as it should"),
        (Fault::status(200).body("<html>maintenance</html>"), 502, "HubSpot does not answer as it should"),
        (Fault::status(302).header("location", "https://evil.example"), 502, "HubSpot does not answer as it should"),
        (Fault::status(200).body(json!({ "access_token": 7 })), 502, "HubSpot does not answer as it should"),
        (Fault::status(429), 503, "HubSpot is busy"),
        (Fault::status(400).body(json!({ "error": "invalid_client" })), 502, "not set up correctly"),
    ] {
        let returned = stage.sign_in(json!({ "provider": "hubspot" })).await;
        stage.vendors.fail_next(token, [fault]).await.unwrap();

        let reply = back(&stage, "hubspot", &returned).await;

        came_to_nothing(&stage, &reply, status, says).await;
    }
    stage.connect(Provider::HubSpot).await;
}

#[tokio::test]
async fn our_own_secret_being_wrong_is_not_the_persons_fault() {
    let mut stage = Stage::set().await;
    let platform = stage.vault.platform().await.unwrap();
    let mut apps = platform.oauth.clone();
    for app in apps.values_mut() {
        app.client_secret = "wrong".into();
    }
    stage.vault = Vault::given(Platform { oauth: apps, ..(*platform).clone() });
    for provider in Provider::ALL {
        let returned = stage.sign_in(json!({ "provider": provider })).await;

        let reply = back(&stage, provider.id(), &returned).await;

        came_to_nothing(&stage, &reply, 502, "not set up correctly").await;
    }
}

#[tokio::test]
async fn without_a_refresh_token_nothing_is_connected() {
    let stage = Stage::set().await;
    for (provider, without) in [("salesforce", "refresh_token"), ("dynamics", "offline_access")] {
        let returned =
            stage.sign_in_saying(json!({ "provider": provider }), &format!("&standin_without={without}")).await;

        let reply = back(&stage, provider, &returned).await;

        came_to_nothing(&stage, &reply, 400, "lasting access").await;
    }
}

#[tokio::test]
async fn an_account_that_may_not_be_read_is_given_back() {
    let stage = Stage::set().await;
    let returned = stage.sign_in_saying(json!({ "provider": "zoho" }), "&standin_without=ZohoCRM.org.READ").await;

    let reply = back(&stage, "zoho", &returned).await;

    came_to_nothing(&stage, &reply, 502, "could not be read").await;
    let revoked = stage.vendors.requests("/accounts.zoho.eu/oauth/v2/token/revoke").await.unwrap();
    assert_eq!(revoked.len(), 1);
}

#[tokio::test]
async fn killed_behind_the_state_nothing_is_stored_and_one_begins_again() {
    let stage = Stage::set().await;
    let returned = stage.sign_in(json!({ "provider": "hubspot" })).await;
    let token = "/api.hubapi.com/oauth/2026-03/token";
    stage.vendors.fail_next(token, [Fault::slow(5_000)]).await.unwrap();

    let killed = tokio::select! {
        _ = back(&stage, "hubspot", &returned) => false,
        _ = stage.vendors.wait_for(token, 1) => true,
    };

    assert!(killed);
    came_to_nothing(&stage, &back(&stage, "hubspot", &returned).await, 410, "over already").await;
    stage.connect(Provider::HubSpot).await;
}

#[tokio::test]
async fn a_vendor_that_hangs_is_given_up_before_the_api_gives_up() {
    let stage = Stage::set().await;
    let returned = stage.sign_in(json!({ "provider": "hubspot" })).await;
    stage.vendors.set_mode("/api.hubapi.com/*", Fault::slow(20_000)).await.unwrap();
    let began = std::time::Instant::now();

    let reply = back(&stage, "hubspot", &returned).await;

    came_to_nothing(&stage, &reply, 502, "does not answer").await;
    assert!(began.elapsed() < Duration::from_secs(12));
}

// ── answers that lie ─────────────────────────────────────────────────────

#[tokio::test]
async fn our_secret_goes_to_zoho_alone() {
    let stage = Stage::set().await;
    for evil in [
        "https://evil.example",
        "https://accounts.zoho.eu.evil.example",
        "http://accounts.zoho.eu",
        "https://www.zohoapis.eu",
    ] {
        let returned = stage.sign_in(json!({ "provider": "zoho" })).await.with("accounts-server", evil);
        stage.vendors.forget("*").await.unwrap();

        let reply = back(&stage, "zoho", &returned).await;

        came_to_nothing(&stage, &reply, 502, "could not be trusted").await;
        assert!(stage.vendors.requests("*").await.unwrap().is_empty(), "{evil}");
    }
}

#[tokio::test]
async fn a_salesforce_answer_that_is_not_signed_is_not_believed() {
    let stage = Stage::set().await;
    let honest = json!({
        "access_token": "00D!x", "refresh_token": "5Aep861x", "instance_url": "https://acme.my.salesforce.com", "token_type": "Bearer",
        "id": "https://login.salesforce.com/id/00D5g000004XyZaEAK/0055g00000ABCdeAAH", "issued_at": "1763640000123",
        "signature": "AAAAinZir53Yex7nE0TD+zMpvIWYGb/bdJh6XfOH6EQ=", "scope": "api id refresh_token",
    });
    let changed = |field: &str, value: Value| {
        let mut reply = honest.clone();
        reply[field] = value;
        reply
    };
    for lie in [
        honest.clone(),
        changed("signature", Value::Null),
        changed("signature", "no base64".into()),
        changed("instance_url", "https://evil.example".into()),
        changed("instance_url", "https://acme.my.salesforce.com.evil.example".into()),
        changed("instance_url", "https://169.254.169.254".into()),
    ] {
        let returned = stage.sign_in(json!({ "provider": "salesforce" })).await;
        let token = "/login.salesforce.com/services/oauth2/token";
        stage.vendors.fail_next(token, [Fault::status(200).body(lie.clone())]).await.unwrap();
        stage.vendors.forget("*").await.unwrap();

        let reply = back(&stage, "salesforce", &returned).await;

        came_to_nothing(&stage, &reply, 502, "could not be trusted").await;
        for asked in stage.vendors.requests("*").await.unwrap() {
            assert!(asked.path.starts_with("/login.salesforce.com/"), "{lie}: {}", asked.path);
        }
    }
}

#[tokio::test]
async fn a_zoho_api_elsewhere_gets_no_token() {
    let stage = Stage::set().await;
    for domain in ["https://evil.example", "https://www.zohoapis.com", "http://www.zohoapis.eu"] {
        let returned = stage.sign_in(json!({ "provider": "zoho" })).await;
        let lie =
            json!({ "access_token": "1000.a", "refresh_token": "1000.b", "api_domain": domain, "expires_in": 3600 });
        let token = "/accounts.zoho.eu/oauth/v2/token";
        stage.vendors.fail_next(token, [Fault::status(200).body(lie)]).await.unwrap();
        stage.vendors.forget("*").await.unwrap();

        let reply = back(&stage, "zoho", &returned).await;

        came_to_nothing(&stage, &reply, 502, "could not be trusted").await;
        for asked in stage.vendors.requests("*").await.unwrap() {
            assert!(asked.path.starts_with("/accounts.zoho.eu/"), "{domain}: {}", asked.path);
        }
    }
}

// ── several environments, or none ────────────────────────────────────────

#[tokio::test]
async fn among_several_environments_the_person_chooses() {
    let stage = Stage::set().await;
    let list = "/globaldisco.crm.dynamics.com/api/discovery/v2.0/Instances";
    let found = |all: Value| Fault::status(200).body(json!({ "value": all }));
    let two = json!([
        { "FriendlyName": "Sales <EU>", "Url": "https://sales.crm4.dynamics.com/" },
        { "FriendlyName": "Sales US", "Url": "https://sales.crm.dynamics.com/" },
    ]);
    let evil = json!([{ "FriendlyName": "Evil", "Url": "https://evil.example/" }]);
    stage.vendors.fail_next(list, [found(two), found(evil), found(json!([]))]).await.unwrap();

    for (status, says) in [
        (400, "Sales &lt;EU&gt;: https://sales.crm4.dynamics.com"),
        (400, "You have no Dynamics 365 environment"),
        (400, "You have no Dynamics 365 environment"),
    ] {
        let returned = stage.sign_in(json!({ "provider": "dynamics" })).await;
        came_to_nothing(&stage, &back(&stage, "dynamics", &returned).await, status, says).await;
    }
}

#[tokio::test]
async fn a_role_that_is_missing_in_dynamics_is_told() {
    let stage = Stage::set().await;
    stage.vendors.set_mode("/brightline.crm4.dynamics.com/*", Fault::status(403)).await.unwrap();
    let returned = stage.sign_in(json!({ "provider": "dynamics" })).await;

    let reply = back(&stage, "dynamics", &returned).await;

    came_to_nothing(&stage, &reply, 502, "You may lack a role").await;
    stage.vendors.set_mode("/brightline.crm4.dynamics.com/*", Mode::Up).await.unwrap();
    stage.connect(Provider::Dynamics).await;
}
