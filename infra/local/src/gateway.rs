//! The one shim: the emulator ignores the OpenAPI body that SAM writes for an HTTP API, so what
//! AWS makes of that body (authorizers, integrations, routes, CORS) is made through the API here.

use std::collections::BTreeMap;

use aws_sdk_apigatewayv2::{
    Client,
    types::{AuthorizationType, AuthorizerType, Cors, IntegrationType, JwtConfiguration},
};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{
    error::{Context, Error, Result},
    intrinsics::Scope,
};

/// What the body of one API asks for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Plan {
    authorizers: BTreeMap<String, Jwt>,
    routes: Vec<Route>,
    cors: Option<CorsRules>,
}

#[derive(Debug, PartialEq, Eq)]
struct Jwt {
    identity_source: String,
    issuer: String,
    audience: Vec<String>,
}

#[derive(Debug, PartialEq, Eq)]
struct Route {
    key: String,
    target: Target,
    /// The authorizer's name and the scopes wanted.
    authorizer: Option<(String, Vec<String>)>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Target {
    uri: String,
    payload: String,
    timeout_ms: Option<i32>,
}

#[derive(Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
struct CorsRules {
    #[serde(deserialize_with = "one_or_many")]
    allow_origins: Vec<String>,
    #[serde(deserialize_with = "one_or_many")]
    allow_methods: Vec<String>,
    #[serde(deserialize_with = "one_or_many")]
    allow_headers: Vec<String>,
    #[serde(deserialize_with = "one_or_many")]
    expose_headers: Vec<String>,
    max_age: Option<i32>,
    allow_credentials: Option<bool>,
}

/// A list parameter arrives as one string with commas.
fn one_or_many<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMany {
        One(String),
        Many(Vec<String>),
    }
    Ok(match OneOrMany::deserialize(from)? {
        OneOrMany::One(text) => split(&text),
        OneOrMany::Many(list) => list,
    })
}

fn split(list: &str) -> Vec<String> {
    list.split(',').map(|part| part.trim().to_owned()).collect()
}

/// Makes every HTTP API of a processed template answer as its body says;
/// where it has CORS rules, `origins` (with commas between them) are the allowed ones.
pub async fn apply(client: &Client, template: &Value, scope: &Scope, origins: Option<&str>) -> Result<()> {
    let resources = template["Resources"].as_object();
    for (logical_id, resource) in resources.into_iter().flatten() {
        let body = &resource["Properties"]["Body"];
        if resource["Type"] != "AWS::ApiGatewayV2::Api" || body.is_null() {
            continue;
        }
        let api = scope
            .resources
            .get(logical_id)
            .ok_or_else(|| Error::new(format!("the API {logical_id} is not deployed")))?;
        let mut plan =
            plan(&scope.resolve(body)?).map_err(|error| Error::new(format!("the API {logical_id}: {error}")))?;
        if let (Some(cors), Some(origins)) = (&mut plan.cors, origins) {
            cors.allow_origins = split(origins);
        }
        clear(client, &api.physical_id).await?;
        make(client, &api.physical_id, plan).await?;
    }
    Ok(())
}

fn plan(body: &Value) -> Result<Plan> {
    let mut plan = Plan::default();
    let schemes = body["components"]["securitySchemes"].as_object();
    for (name, scheme) in schemes.into_iter().flatten() {
        if let Some(jwt) = jwt(&scheme["x-amazon-apigateway-authorizer"]) {
            plan.authorizers.insert(name.clone(), jwt);
        }
    }
    let paths = body["paths"].as_object();
    for (path, methods) in paths.into_iter().flatten() {
        for (method, operation) in methods.as_object().into_iter().flatten() {
            let integration = &operation["x-amazon-apigateway-integration"];
            if integration.is_object() {
                plan.routes.push(Route {
                    key: route_key(path, method),
                    target: target(integration)
                        .ok_or_else(|| Error::new(format!("{method} {path} has no integration we can make")))?,
                    authorizer: authorizer(operation, &plan.authorizers)?,
                });
            }
        }
    }
    let cors = &body["x-amazon-apigateway-cors"];
    if !cors.is_null() {
        plan.cors = Some(cors_rules(cors)?);
    }
    Ok(plan)
}

fn cors_rules(cors: &Value) -> Result<CorsRules> {
    if !cors.is_object() {
        return Err(Error::new("CORS is no set of rules").next(
            "SAM loses the rules beside an AllowOrigins that is an intrinsic function: put one around all of CorsConfiguration.",
        ));
    }
    CorsRules::deserialize(cors).context("CORS")
}

fn jwt(authorizer: &Value) -> Option<Jwt> {
    let configuration = &authorizer["jwtConfiguration"];
    let audience = match &configuration["audience"] {
        Value::String(one) => vec![one.clone()],
        Value::Array(many) => many.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect(),
        _ => Vec::new(),
    };
    Some(Jwt {
        identity_source: authorizer["identitySource"].as_str()?.to_owned(),
        issuer: configuration["issuer"].as_str()?.to_owned(),
        audience,
    })
}

fn route_key(path: &str, method: &str) -> String {
    match (path, method) {
        ("/$default", _) | ("$default", _) => "$default".to_owned(),
        (path, "x-amazon-apigateway-any-method") => format!("ANY {path}"),
        (path, method) => format!("{} {path}", method.to_uppercase()),
    }
}

fn target(integration: &Value) -> Option<Target> {
    Some(Target {
        uri: integration["uri"].as_str()?.to_owned(),
        payload: integration["payloadFormatVersion"].as_str().unwrap_or("2.0").to_owned(),
        timeout_ms: integration["timeoutInMillis"].as_i64().and_then(|time| time.try_into().ok()),
    })
}

/// An operation whose authorizer we cannot make must not become an open door.
fn authorizer(operation: &Value, known: &BTreeMap<String, Jwt>) -> Result<Option<(String, Vec<String>)>> {
    let wanted: Option<&Map<String, Value>> =
        operation["security"].as_array().and_then(|alternatives| alternatives.first()).and_then(Value::as_object);
    let Some((name, scopes)) = wanted.and_then(|wanted| wanted.iter().next()) else {
        return Ok(None);
    };
    // SAM's way to except a route from the default authorizer.
    if name == "NONE" {
        return Ok(None);
    }
    if !known.contains_key(name) {
        return Err(Error::new(format!("{name} is not a JWT authorizer")));
    }
    let scopes = scopes
        .as_array()
        .map_or_else(Vec::new, |scopes| scopes.iter().filter_map(|scope| scope.as_str().map(str::to_owned)).collect());
    Ok(Some((name.clone(), scopes)))
}

async fn clear(client: &Client, api: &str) -> Result<()> {
    const WHAT: &str = "cannot clear the HTTP API";
    let routes = client.get_routes().api_id(api).send().await.context(WHAT)?;
    for id in routes.items().iter().filter_map(|route| route.route_id()) {
        let delete = client.delete_route().api_id(api).route_id(id);
        delete.send().await.context(WHAT)?;
    }
    let integrations = client.get_integrations().api_id(api);
    let integrations = integrations.send().await.context(WHAT)?;
    let ids = integrations.items().iter();
    for id in ids.filter_map(|integration| integration.integration_id()) {
        let delete = client.delete_integration().api_id(api).integration_id(id);
        delete.send().await.context(WHAT)?;
    }
    let authorizers = client.get_authorizers().api_id(api);
    let authorizers = authorizers.send().await.context(WHAT)?;
    let ids = authorizers.items().iter();
    for id in ids.filter_map(|authorizer| authorizer.authorizer_id()) {
        let delete = client.delete_authorizer().api_id(api).authorizer_id(id);
        delete.send().await.context(WHAT)?;
    }
    Ok(())
}

async fn make(client: &Client, api: &str, plan: Plan) -> Result<()> {
    let mut authorizers = BTreeMap::new();
    for (name, jwt) in plan.authorizers {
        let made = client
            .create_authorizer()
            .api_id(api)
            .name(&name)
            .authorizer_type(AuthorizerType::Jwt)
            .identity_source(jwt.identity_source)
            .jwt_configuration(JwtConfiguration::builder().issuer(jwt.issuer).set_audience(Some(jwt.audience)).build())
            .send()
            .await
            .context(format!("cannot make the authorizer {name}"))?;
        authorizers.insert(name, made.authorizer_id().unwrap_or_default().to_owned());
    }

    let mut integrations: BTreeMap<Target, String> = BTreeMap::new();
    for route in plan.routes {
        let integration = match integrations.get(&route.target) {
            Some(made) => made.clone(),
            None => {
                let made = make_integration(client, api, &route.target).await?;
                integrations.insert(route.target.clone(), made.clone());
                made
            }
        };
        let mut create =
            client.create_route().api_id(api).route_key(&route.key).target(format!("integrations/{integration}"));
        if let Some((name, scopes)) = route.authorizer {
            create = create
                .authorization_type(AuthorizationType::Jwt)
                .set_authorizer_id(authorizers.get(&name).cloned())
                .set_authorization_scopes((!scopes.is_empty()).then_some(scopes));
        }
        create.send().await.context(format!("cannot make the route {}", route.key))?;
    }

    if let Some(rules) = plan.cors {
        let cors = Cors::builder()
            .set_allow_origins(Some(rules.allow_origins))
            .set_allow_methods(Some(rules.allow_methods))
            .set_allow_headers(Some(rules.allow_headers))
            .set_expose_headers(Some(rules.expose_headers))
            .set_max_age(rules.max_age)
            .set_allow_credentials(rules.allow_credentials)
            .build();
        let update = client.update_api().api_id(api).cors_configuration(cors);
        update.send().await.context("cannot set CORS")?;
    }
    Ok(())
}

async fn make_integration(client: &Client, api: &str, target: &Target) -> Result<String> {
    let made = client
        .create_integration()
        .api_id(api)
        .integration_type(IntegrationType::AwsProxy)
        .integration_method("POST")
        .integration_uri(&target.uri)
        .payload_format_version(&target.payload)
        .set_timeout_in_millis(target.timeout_ms)
        .send()
        .await
        .context("cannot make an integration")?;
    Ok(made.integration_id().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn body() -> Value {
        let operation = |uri: &str| json!({"x-amazon-apigateway-integration": {"type": "aws_proxy", "uri": uri, "payloadFormatVersion": "2.0"}});
        let mut closed = operation("closed");
        closed["security"] = json!([{"People": ["read"]}]);
        let mut excepted = operation("excepted");
        excepted["security"] = json!([{"NONE": []}]);
        json!({
            "paths": {
                "/open": {"get": operation("open"), "x-amazon-apigateway-any-method": operation("any")},
                "/closed": {"post": closed},
                "/excepted": {"get": excepted},
                "/docs": {"get": {"responses": {}}},
            },
            "components": {"securitySchemes": {"People": {"x-amazon-apigateway-authorizer": {
                "type": "jwt",
                "identitySource": "$request.header.Authorization",
                "jwtConfiguration": {"issuer": "https://issuer", "audience": ["client"]},
            }}}},
            "x-amazon-apigateway-cors": {"allowOrigins": "http://a, http://b", "allowMethods": ["GET"]},
        })
    }

    #[test]
    fn a_body_becomes_routes_with_their_authorizers() {
        let plan = plan(&body()).unwrap();

        let routes: Vec<_> = plan
            .routes
            .iter()
            .map(|route| (route.key.as_str(), route.target.uri.as_str(), route.authorizer.as_ref()))
            .collect();
        let people = ("People".to_owned(), vec!["read".to_owned()]);
        assert_eq!(
            routes,
            [
                ("POST /closed", "closed", Some(&people)),
                ("GET /excepted", "excepted", None),
                ("GET /open", "open", None),
                ("ANY /open", "any", None),
            ]
        );
        assert_eq!(plan.authorizers["People"].audience, ["client"]);
        assert_eq!(plan.cors.unwrap().allow_origins, ["http://a", "http://b"]);
    }

    #[test]
    fn cors_rules_that_sam_lost_are_an_error() {
        let mut body = body();
        body["x-amazon-apigateway-cors"] = json!(["http://a"]);

        assert!(plan(&body).unwrap_err().to_string().contains("CORS"));
    }

    #[test]
    fn a_route_whose_authorizer_is_unknown_is_refused_and_not_left_open() {
        let mut body = body();
        body["components"] = json!({});

        assert!(plan(&body).unwrap_err().to_string().contains("People"));
    }
}
