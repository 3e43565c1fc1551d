//! Who gets in.

use reqwest::Method;
use serde_json::json;
use shared::id::{AutomationId, DeliveryId, EndpointId};

use crate::world::{SIGN_INS, World};

/// Every route for people, with what it takes to reach it.
fn routes() -> Vec<(Method, String)> {
    let functions = tests::template::functions(&tests::template::read());
    functions
        .values()
        .flat_map(|function| &function.routes)
        .filter(|(.., people)| *people)
        .map(|(method, path, _)| {
            let id = match path {
                path if path.contains("deliveries") => DeliveryId::new().to_string(),
                path if path.contains("endpoints") => EndpointId::new().to_string(),
                _ => AutomationId::new().to_string(),
            };
            (method.parse().unwrap(), path.replace("{id}", &id))
        })
        .collect()
}

#[tokio::test]
async fn no_route_for_people_opens_without_a_good_token() {
    let world = World::new("tokens").await;
    let good = world.token("owner").await;
    let parts: Vec<&str> = good.split('.').collect();
    let (unsigned, changed) =
        (format!("eyJhbGciOiJub25lIn0.{}.", parts[1]), format!("{}.{}x.{}", parts[0], parts[1], parts[2]));

    for (method, path) in routes() {
        for bad in ["", "nonsense", unsigned.as_str(), changed.as_str(), world.api_key.as_str()] {
            let answer = world.send(world.request(method.clone(), &path).bearer_auth(bad).json(&json!({}))).await;
            assert_eq!(answer.status, 401, "{method} {path}: {}", answer.body);
        }
    }
}

#[tokio::test]
async fn a_token_of_another_pool_or_an_expired_one_opens_nothing() {
    use aws_sdk_cognitoidentityprovider::{
        Client,
        types::{AuthFlowType, ExplicitAuthFlowsType, TimeUnitsType, TokenValidityUnitsType},
    };
    let world = World::new("pools").await;
    let cognito = Client::new(&world.stack.sdk());
    let pool = cognito.create_user_pool().pool_name("elsewhere").send().await.unwrap().user_pool.unwrap();
    let id = pool.id().unwrap();
    let client = cognito
        .create_user_pool_client()
        .user_pool_id(id)
        .client_name("elsewhere")
        .explicit_auth_flows(ExplicitAuthFlowsType::AllowUserPasswordAuth)
        .send()
        .await
        .unwrap();
    let client = client.user_pool_client().unwrap().client_id().unwrap().to_owned();
    cognito.admin_create_user().user_pool_id(id).username("eve").send().await.unwrap();
    cognito
        .admin_set_user_password()
        .user_pool_id(id)
        .username("eve")
        .password("Crossdock-1")
        .permanent(true)
        .send()
        .await
        .unwrap();
    let sign_in = cognito.initiate_auth().client_id(&client).auth_flow(AuthFlowType::UserPasswordAuth);
    let tokens =
        sign_in.auth_parameters("USERNAME", "eve").auth_parameters("PASSWORD", "Crossdock-1").send().await.unwrap();
    let foreign = tokens.authentication_result().unwrap().id_token().unwrap().to_owned();
    assert_eq!(world.get("/api/v1/deliveries", &foreign).await.status, 401);

    let (pool, app) = (&world.stack.outputs["UserPoolId"], &world.stack.outputs["UserPoolClientId"]);
    let tokens_last = |seconds: i32| {
        let units = TokenValidityUnitsType::builder().id_token(TimeUnitsType::Seconds).build();
        let update = cognito.update_user_pool_client().user_pool_id(pool).client_id(app).id_token_validity(seconds);
        update.token_validity_units(units).explicit_auth_flows(ExplicitAuthFlowsType::AllowUserPasswordAuth).send()
    };
    let expired = {
        let _nobody_else_signs_in = SIGN_INS.write().await;
        tokens_last(1).await.unwrap();
        let token = world.sign_in("owner").await;
        tokens_last(3_600).await.unwrap();
        token
    };
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    assert_eq!(world.get("/api/v1/deliveries", &expired).await.status, 401);
}

#[tokio::test]
async fn another_tenants_ids_look_like_missing_ones() {
    let (ours, theirs) = (World::new("ours").await, World::new("theirs").await);
    let owner = ours.token("owner").await;
    let stranger = theirs.token("owner").await;
    let (endpoint, _) = ours.endpoint(&owner).await;
    ours.book("b1").await;
    let delivery = ours.settled(&owner, 1).await[0]["id"].as_str().unwrap().to_owned();

    for (method, path) in [
        (Method::GET, format!("/api/v1/deliveries/{delivery}")),
        (Method::POST, format!("/api/v1/deliveries/{delivery}/retry")),
        (Method::POST, format!("/api/v1/endpoints/{endpoint}/enable")),
    ] {
        let ask =
            |path: String| theirs.send(theirs.request(method.clone(), &path).bearer_auth(&stranger).json(&json!({})));
        let foreign = ask(path.clone()).await;
        let missing = ask(path
            .replace(&delivery, &DeliveryId::new().to_string())
            .replace(&endpoint, &EndpointId::new().to_string()))
        .await;
        assert_eq!((foreign.status, missing.status), (404, 404), "{path}");
        assert_eq!(foreign.body["detail"], missing.body["detail"]);
    }
}

#[tokio::test]
async fn a_role_opens_what_it_may() {
    let world = World::new("roles").await;
    let (agent, supervisor) = (world.token("agent").await, world.token("supervisor").await);

    assert_eq!(world.get("/api/v1/deliveries", &agent).await.status, 403);
    assert_eq!(world.get("/api/v1/deliveries", &supervisor).await.status, 200);
    let body = json!({ "name": "x", "url": "https://hook.eu1.make.com/x" });
    assert_eq!(world.post("/api/v1/endpoints", &supervisor, &body).await.status, 403);
    assert_eq!(world.get("/api/dashboard/kpi", &agent).await.status, 200);
}

#[tokio::test]
async fn an_answer_says_where_it_belongs() {
    let world = World::new("headers").await;
    let owner = world.token("owner").await;
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    let answer = world
        .send(world.request(Method::GET, "/api/v1/deliveries?limit=0").bearer_auth(&owner).header("traceparent", trace))
        .await;

    assert_eq!(answer.status, 400);
    assert_eq!(answer.headers["content-type"], "application/problem+json");
    assert_eq!(answer.body["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(answer.body["errors"][0]["pointer"], "?limit");
    for name in ["ratelimit", "ratelimit-policy", "traceparent", "x-content-type-options"] {
        assert!(answer.headers.contains_key(name), "{name}: {:?}", answer.headers);
    }
    let preflight = world.request(Method::OPTIONS, "/api/v1/deliveries").header("origin", "http://localhost:3000");
    let preflight = world.send(preflight.header("access-control-request-method", "GET")).await;
    assert_eq!(preflight.headers["access-control-allow-origin"], "http://localhost:3000");
}

#[tokio::test]
async fn the_api_describes_itself() {
    let world = World::new("document").await;
    let answer = world.send(world.request(Method::GET, "/api/openapi.json")).await;
    assert_eq!((answer.status, &answer.body["openapi"]), (200, &json!("3.1.0")));
    let tag = answer.headers["etag"].to_str().unwrap().to_owned();
    let again = world.send(world.request(Method::GET, "/api/openapi.json").header("if-none-match", tag)).await;
    assert_eq!(again.status, 304);
}
