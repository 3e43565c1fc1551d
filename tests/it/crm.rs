//! Endpoint 2: connecting CRMs by OAuth.

use reqwest::{Method, header};
use serde_json::{Value, json};

use crate::world::{Answer, World};

/// Begins a sign-in and follows the browser to where the CRM sends it back.
async fn consent(world: &World, owner: &str, provider: &str, consent: &str) -> (String, Option<String>) {
    let mut body = json!({ "provider": provider });
    if provider == "dynamics" {
        body["environment_url"] = json!("https://acme.crm4.dynamics.com");
    }
    let begun = world.post("/api/v1/crm-integration/oauth/init", owner, &body).await;
    assert_eq!(begun.status, 200, "{provider}: {}", begun.body);
    assert_eq!(begun.body["data"]["provider"], provider);
    let cookie = begun
        .headers
        .get(header::SET_COOKIE)
        .and_then(|cookie| cookie.to_str().ok()?.split(';').next().map(Into::into));
    let url = format!("{}{consent}", begun.body["data"]["authUrl"].as_str().unwrap());
    let sent_back = world.http.get(url).send().await.unwrap();
    assert_eq!(sent_back.status(), 302, "{provider}: {}", sent_back.text().await.unwrap());
    (sent_back.headers()[header::LOCATION].to_str().unwrap().to_owned(), cookie)
}

async fn back(world: &World, location: &str, cookie: Option<&str>) -> Answer {
    let request = world.http.request(Method::GET, location);
    world
        .send(match cookie {
            Some(cookie) => request.header(header::COOKIE, cookie),
            None => request,
        })
        .await
}

#[tokio::test]
async fn all_four_are_connected_shown_and_disconnected() {
    let world = World::new("crm").await;
    let owner = world.token("owner").await;
    let providers = world.get("/api/v1/crm-integration/providers", &owner).await;
    let configured =
        providers.body["data"].as_array().unwrap().iter().filter(|provider| provider["configured"] == true).count();
    assert_eq!(configured, 4, "{}", providers.body);

    for provider in ["zoho", "salesforce", "hubspot", "dynamics"] {
        let (location, cookie) = consent(&world, &owner, provider, "").await;
        let page = back(&world, &location, cookie.as_deref()).await;
        assert_eq!(page.status, 200, "{provider}: {}", page.body);
        assert!(page.headers["content-type"].to_str().unwrap().starts_with("text/html"));

        let shown = world.get(&format!("/api/v1/crm-integration?provider={provider}"), &owner).await;
        let data = &shown.body["data"];
        assert_eq!((&data["provider"], &data["status"]), (&json!(provider), &json!("active")), "{}", shown.body);
        assert!(data["accountInfo"]["accountEmail"].as_str().unwrap().contains('@'), "{}", shown.body);
        assert_eq!(data["tokens"]["hasRefreshToken"], true);

        let again = back(&world, &location, cookie.as_deref()).await;
        assert!((400..500).contains(&again.status), "{provider}: a state is used once, not {}", again.status);

        let gone = world
            .send(
                world
                    .request(Method::DELETE, &format!("/api/v1/crm-integration?provider={provider}"))
                    .bearer_auth(&owner),
            )
            .await;
        assert_eq!(gone.status, 200, "{provider}: {}", gone.body);
    }
    assert_eq!(world.get("/api/v1/crm-integration", &owner).await.status, 404);
}

#[tokio::test]
async fn a_person_who_says_no_gets_a_clear_page_and_nothing_is_stored() {
    let world = World::new("denied").await;
    let owner = world.token("owner").await;
    for provider in ["zoho", "salesforce", "hubspot", "dynamics"] {
        let (location, cookie) = consent(&world, &owner, provider, "&standin_deny=true").await;
        let page = back(&world, &location, cookie.as_deref()).await;
        assert!((400..500).contains(&page.status), "{provider}: {}", page.status);
        assert!(page.body.as_str().unwrap().contains("<html"), "{provider}");
    }
    assert_eq!(world.get("/api/v1/crm-integration", &owner).await.status, 404);
}

#[tokio::test]
async fn a_state_that_nobody_began_is_refused() {
    let world = World::new("states").await;
    for state in ["", "nonsense", "cds_00000000000000000000000000", "%00"] {
        let page = world
            .send(
                world
                    .request(Method::GET, &format!("/api/v1/crm-integration/oauth/callback/zoho?code=x&state={state}")),
            )
            .await;
        assert!((400..500).contains(&page.status), "{state}: {}", page.status);
    }
    let page =
        world.send(world.request(Method::GET, "/api/v1/crm-integration/oauth/callback/nobody?code=x&state=y")).await;
    assert!((400..500).contains(&page.status));
    assert!(matches!(page.body, Value::String(_)), "a page, for a browser came");
}
