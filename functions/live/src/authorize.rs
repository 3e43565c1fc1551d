//! The door of the WebSocket API: who may open a connection. Asked before the upgrade.

use std::{collections::HashMap, sync::Arc};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::{Error, Result, gate::Person, jwt::Issuer};

/// What API Gateway asks.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Knock {
    method_arn: String,
    headers: Option<HashMap<String, Value>>,
    query_string_parameters: Option<HashMap<String, Value>>,
    request_context: Option<Context>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Context {
    connection_id: String,
}

impl Knock {
    /// The connection that is to come about.
    fn connection(&self) -> &str {
        self.request_context.as_ref().map_or("", |context| &context.connection_id)
    }

    /// The token: browsers, which cannot set a header, send it as `?token=`.
    fn token(&self) -> Option<&str> {
        let asked = self.query_string_parameters.as_ref().and_then(|all| all.get("token")?.as_str());
        asked.filter(|token| !token.is_empty()).or_else(|| {
            let headers = self.headers.as_ref()?;
            let (_, value) = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("authorization"))?;
            let (scheme, token) = value.as_str()?.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
        })
    }
}

/// What it is answered.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    principal_id: String,
    policy_document: Value,
    /// Comes back with every message of the connection.
    context: Value,
}

impl Verdict {
    /// Whether it lets the caller in.
    pub fn admits(&self) -> bool {
        self.policy_document["Statement"][0]["Effect"] == "Allow"
    }

    fn new(effect: &str, arn: &str, principal: &str, context: Value) -> Self {
        Self {
            principal_id: principal.into(),
            policy_document: json!({
                "Version": "2012-10-17",
                "Statement": [{ "Action": "execute-api:Invoke", "Effect": effect, "Resource": arn }],
            }),
            context,
        }
    }
}

/// A token that is not certain is refused with 403. While the issuer's keys cannot be read nobody comes in (500).
pub async fn handle(issuer: &Arc<Issuer>, knock: Knock) -> Result<Verdict> {
    at(issuer, &knock, Timestamp::now()).await
}

/// The same at a given time.
pub async fn at(issuer: &Issuer, knock: &Knock, now: Timestamp) -> Result<Verdict> {
    match person(issuer, knock, now).await {
        Ok((Person { tenant, role, subject, .. }, until)) => {
            // A context holds texts, numbers and booleans: the end is seconds, as in the token.
            let context =
                json!({ "tenant": tenant, "role": role, "sub": subject, "exp": until.as_second().to_string() });
            Ok(Verdict::new("Allow", &knock.method_arn, &subject, context))
        }
        Err(why @ (Error::Unauthenticated(_) | Error::Forbidden(_))) => {
            tracing::info!(connection = knock.connection(), "a connection was refused: {why}");
            Ok(Verdict::new("Deny", &knock.method_arn, "nobody", json!({})))
        }
        Err(error) => Err(error),
    }
}

/// Who knocks, and until when its token counts.
async fn person(issuer: &Issuer, knock: &Knock, now: Timestamp) -> Result<(Person, Timestamp)> {
    let token = knock.token().ok_or(Error::Unauthenticated("there is no token"))?;
    let (person, until) = issuer.person(token, now).await?;
    Ok((person.of_whole_tenant()?, until))
}
