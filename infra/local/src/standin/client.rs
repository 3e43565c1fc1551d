//! The control interface, typed, for tests.

use std::{fmt::Write, time::Duration};

use http::StatusCode;
use reqwest::{RequestBuilder, Response};
use url::form_urlencoded;

mod make;
mod supabase;

use super::{
    control::Told,
    faults::{Fault, FaultOrder, Rate, Standing},
    oauth::{Consent, OauthOrder},
    record::Recorded,
};

const PATIENCE: Duration = Duration::from_secs(10);

/// Controls a stand-in. Paths are exact, or a prefix and `*`; the vendor's host comes first.
#[derive(Clone, Debug)]
pub struct Control {
    /// Where it is, for example `http://127.0.0.1:3002`.
    pub base: String,
    http: reqwest::Client,
}

/// Why an order was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The stand-in cannot be reached.
    #[error("the stand-in does not answer")]
    Unreachable(#[from] reqwest::Error),
    /// The order makes no sense.
    #[error("the stand-in refuses with {status}: {reason}")]
    Refused {
        /// Its answer's status.
        status: StatusCode,
        /// Its answer's body.
        reason: String,
    },
    /// The time is over.
    #[error("waited for {wanted} requests at {path}, and there are {found}")]
    TooFew {
        /// Where they should have come.
        path: String,
        /// How many.
        wanted: usize,
        /// How many came.
        found: usize,
    },
    /// The time is over.
    #[error("{pending} webhooks of the project {project} are still under way")]
    Unsettled {
        /// Whose.
        project: String,
        /// How many.
        pending: u64,
    },
}

type Result<T, E = ControlError> = std::result::Result<T, E>;

impl Control {
    /// Controls the stand-in at this address.
    pub fn at(base: impl Into<String>) -> Self {
        Self {
            base: base.into().trim_end_matches('/').to_owned(),
            // What is on this machine is never behind a proxy.
            http: reqwest::Client::builder().no_proxy().build().unwrap_or_default(),
        }
    }

    /// The address at which the stand-in plays `https://{host and path}`.
    pub fn url(&self, host_and_path: &str) -> String {
        format!("{}/{}", self.base, host_and_path.trim_start_matches('/'))
    }

    /// Lets the next requests of a path fail, one after the other.
    pub async fn fail_next(&self, path: &str, faults: impl IntoIterator<Item = Fault>) -> Result<()> {
        let mut order = order_at(path);
        order.next.extend(faults);
        self.order(&order).await
    }

    /// What a path does until told otherwise: a [`Mode`](super::Mode), or a fault that every request meets.
    pub async fn set_mode(&self, path: &str, mode: impl Into<Standing>) -> Result<()> {
        let mut order = order_at(path);
        order.mode = Some(mode.into());
        self.order(&order).await
    }

    /// Lets this share of a path's requests fail, from 0 to 1.
    pub async fn rate(&self, path: &str, share: f64, answer: Fault) -> Result<()> {
        let mut order = order_at(path);
        order.rate = Some(Rate { share, answer });
        self.order(&order).await
    }

    /// Removes all faults of a path.
    pub async fn heal(&self, path: &str) -> Result<()> {
        let url = self.control("faults", &[("path", path)]);
        done(self.http.delete(url)).await.map(drop)
    }

    /// What has come to a path so far, in order.
    pub async fn requests(&self, path: &str) -> Result<Vec<Recorded>> {
        let url = self.control("requests", &[("path", path)]);
        let told: Told = done(self.http.get(url)).await?.json().await?;
        Ok(told.found.requests)
    }

    /// Waits until that many requests have come to a path, ten seconds at most.
    pub async fn wait_for(&self, path: &str, at_least: usize) -> Result<Vec<Recorded>> {
        self.wait_for_within(path, at_least, PATIENCE).await
    }

    /// Waits until that many requests have come to a path, a minute at most.
    pub async fn wait_for_within(&self, path: &str, at_least: usize, longest: Duration) -> Result<Vec<Recorded>> {
        let [wanted, longest] = [at_least.to_string(), longest.as_millis().to_string()];
        let fields = [("path", path), ("at_least", &wanted), ("timeout_ms", &longest)];
        let url = self.control("requests", &fields);
        let told: Told = done(self.http.get(url)).await?.json().await?;
        if !told.enough {
            return Err(ControlError::TooFew { path: path.into(), wanted: at_least, found: told.found.requests.len() });
        }
        Ok(told.found.requests)
    }

    /// Forgets what has come to a path.
    pub async fn forget(&self, path: &str) -> Result<()> {
        let url = self.control("requests", &[("path", path)]);
        done(self.http.delete(url)).await.map(drop)
    }

    /// How the next consent at a vendor ends whose authorize URL says nothing itself.
    pub async fn next_consent(&self, vendor: &str, consent: Consent) -> Result<()> {
        let order = OauthOrder { next_consent: Some(consent), ..OauthOrder::default() };
        self.oauth(vendor, &order).await
    }

    /// Changes what a vendor's authorization server has handed out or accepts.
    pub async fn oauth(&self, vendor: &str, order: &OauthOrder) -> Result<()> {
        let url = self.control(&format!("oauth/{vendor}"), &[]);
        done(self.http.post(url).json(order)).await.map(drop)
    }

    /// Forgets faults, requests, all of Make and Supabase that was set up, and waiting consents. The CRMs' tokens stay
    /// in force.
    pub async fn reset(&self) -> Result<()> {
        let url = self.control("reset", &[]);
        done(self.http.post(url)).await.map(drop)
    }

    async fn order(&self, order: &FaultOrder) -> Result<()> {
        let url = self.control("faults", &[]);
        done(self.http.post(url).json(order)).await.map(drop)
    }

    fn control(&self, what: &str, fields: &[(&str, &str)]) -> String {
        let mut url = format!("{}/_control/{what}", self.base);
        if !fields.is_empty() {
            let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
            let _ = write!(url, "?{query}");
        }
        url
    }
}

fn order_at(path: &str) -> FaultOrder {
    FaultOrder { path: path.into(), next: vec![], rate: None, mode: None }
}

async fn done(request: RequestBuilder) -> Result<Response> {
    let response = request.send().await?;
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    Err(ControlError::Refused { status, reason: response.text().await? })
}
