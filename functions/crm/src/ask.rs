//! Asking a vendor: who asks, as which app, and what an answer is worth.

use std::time::Duration;

use http::Method;
use reqwest::RequestBuilder;
use secrecy::ExposeSecret;
use serde_json::Value;
use shared::{
    Result,
    egress::{Egress, Silence},
    secrets::OAuthApp,
};

use crate::{failure::Failure, vendor::Vendor};

/// A person waits in front of a blank page, and the API gives up after 30 s.
const PATIENCE: Duration = Duration::from_secs(8);

/// The way to one vendor's authorization server, as our app there.
pub struct Door<'a> {
    /// How it is spoken to.
    pub vendor: &'static Vendor,
    /// The host that hands out tokens to this tenant.
    pub login_host: String,
    /// Our app there.
    pub app: &'a OAuthApp,
    /// The way out.
    pub egress: &'a Egress,
}

/// What a vendor answered. Not for printing: tokens are in it.
pub struct Told {
    /// Its status.
    pub status: u16,
    /// Its body.
    pub json: Value,
}

impl Door<'_> {
    /// A request to a host of the vendor.
    pub fn request(&self, method: Method, host: &str, path: &str) -> Result<RequestBuilder> {
        self.egress.vendor(method, host, path)
    }

    /// Posts a form to the login host, with what says which app we are where that is wanted.
    pub async fn post(&self, path: &str, form: &[(&str, &str)], as_client: bool) -> Result<Told, Failure> {
        let client =
            [("client_id", self.app.client_id.as_str()), ("client_secret", self.app.client_secret.expose_secret())];
        let all: Vec<_> = form.iter().copied().chain(client.into_iter().filter(|_| as_client)).collect();
        let request = self.request(Method::POST, &self.login_host, path)?.form(&all);
        self.send(request).await
    }

    /// Sends it. An answer that says the vendor is in trouble is none.
    pub async fn send(&self, request: RequestBuilder) -> Result<Told, Failure> {
        let request = request.header(http::header::ACCEPT, "application/json").timeout(PATIENCE);
        let answered = self.egress.ask(request).await.map_err(|silence| match silence {
            Silence::Refused => Failure::Untrusted("a host that is not on the public internet"),
            Silence::Network | Silence::NoEndpoint => Failure::Down("no connection"),
            Silence::Timeout => Failure::Down("no answer in time"),
        })?;
        match answered.status {
            429 => Err(Failure::Busy),
            500.. => Err(Failure::Down("an error of its own")),
            status => Ok(Told { status, json: serde_json::from_str(&answered.body).unwrap_or_default() }),
        }
    }
}

/// Revokes a refresh token. Whether the vendor says that it is done; a vendor without such an endpoint never does.
pub async fn revoke(door: &Door<'_>, refresh_token: &secrecy::SecretString) -> Result<bool, Failure> {
    let Some(revoke) = &door.vendor.revoke else {
        return Ok(false);
    };
    let mut form = vec![("token", refresh_token.expose_secret())];
    if revoke.as_client {
        form.push(("token_type_hint", "refresh_token"));
    }
    let told = door.post(revoke.path, &form, revoke.as_client).await?;
    // Zoho says what went wrong under 200.
    Ok(told.status < 300 && told.json.get("error").is_none())
}
