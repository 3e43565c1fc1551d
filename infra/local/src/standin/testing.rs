//! A stand-in of one's own and a browser that does not follow redirects.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderMap, Method};
use reqwest::{RequestBuilder, redirect::Policy};
use serde_json::Value;
use url::Url;

use super::{Control, call::Call, oauth::challenge_of};

pub(super) const BACK: &str = "https://app.example/oauth/callback";
pub(super) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// A request that comes over no wire.
pub(super) fn call(method: &str, path: &str, body: &str) -> Call {
    Call::new(
        Method::from_bytes(method.as_bytes()).unwrap(),
        &path.parse().unwrap(),
        HeaderMap::new(),
        Bytes::from(body.to_owned()),
    )
}

pub(super) struct Scene {
    pub(super) control: Control,
    http: reqwest::Client,
}

pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) text: String,
    headers: HeaderMap,
}

impl Reply {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("{} {}", self.status, self.text))
    }

    /// The fields that the browser is sent back with.
    pub(super) fn callback(&self) -> BTreeMap<String, String> {
        assert_eq!(self.status, 302, "{}", self.text);
        let location = Url::parse(self.header("location")).unwrap();
        assert!(location.as_str().starts_with(BACK), "{location}");
        location.query_pairs().into_owned().collect()
    }
}

impl Scene {
    pub(super) async fn open() -> Self {
        Self {
            control: super::spawn().await.unwrap(),
            http: reqwest::Client::builder().redirect(Policy::none()).no_proxy().build().unwrap(),
        }
    }

    pub(super) async fn visit(&self, path: &str, query: &[(&str, &str)]) -> Reply {
        self.done(self.http.get(self.control.url(path)).query(query)).await
    }

    /// Reads with these headers; the query goes as it is.
    pub(super) async fn ask(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        let request = self.http.get(self.control.url(path));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        self.done(request).await
    }

    pub(super) async fn send(&self, path: &str, body: &str, headers: &[(&str, &str)]) -> Reply {
        let request = headers
            .iter()
            .fold(self.http.post(self.control.url(path)).body(body.to_owned()), |request, (name, value)| {
                request.header(*name, *value)
            });
        self.done(request).await
    }

    pub(super) async fn form(&self, path: &str, fields: &[(&str, &str)]) -> Reply {
        self.done(self.http.post(self.control.url(path)).form(fields)).await
    }

    pub(super) async fn get(&self, path: &str, authorization: &str) -> Reply {
        let request = self.http.get(self.control.url(path)).header("authorization", authorization);
        self.done(request).await
    }

    /// Sends a request that may come to nothing.
    pub(super) async fn try_send(&self, path: &str) -> reqwest::Result<reqwest::Response> {
        self.http.post(self.control.url(path)).send().await
    }

    async fn done(&self, request: RequestBuilder) -> Reply {
        let response = request.send().await.unwrap();
        Reply {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text: response.text().await.unwrap(),
        }
    }
}

/// These fields, with some replaced or added; an empty value leaves a field out.
pub(super) fn with<'a>(fields: &[(&'a str, &'a str)], changes: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    fields
        .iter()
        .filter(|(name, _)| !changes.iter().any(|(changed, _)| changed == name))
        .chain(changes)
        .filter(|(_, value)| !value.is_empty())
        .copied()
        .collect()
}

pub(super) fn s256() -> String {
    challenge_of(VERIFIER)
}
