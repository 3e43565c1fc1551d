//! A request as a vendor sees it, and what a vendor answers.

use axum::{
    body::{Body, to_bytes},
    extract::Request,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, Uri, header};
use serde_json::Value;
use url::{Url, form_urlencoded};

/// More than any vendor takes; what is larger is neither recorded nor played.
pub(super) const LARGEST_BODY: usize = 16 << 20;

/// One request, read to its end.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    /// As it came: `/hook.eu1.make.com/abc`.
    pub(super) whole_path: String,
    /// The vendor's host, which is the path's first segment.
    pub(super) host: String,
    /// The path as the vendor sees it: `/abc`.
    pub(super) path: String,
    pub(super) raw_query: String,
    pub(super) query: Fields,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Call {
    pub(super) async fn read(request: Request) -> Result<Call, Answer> {
        let (head, body) = request.into_parts();
        let body = to_bytes(body, LARGEST_BODY)
            .await
            .map_err(|_| Answer::text(StatusCode::PAYLOAD_TOO_LARGE, "The stand-in reads bodies of up to 16 MiB"))?;
        Ok(Self::new(head.method, &head.uri, head.headers, body))
    }

    pub(super) fn new(method: Method, uri: &Uri, headers: HeaderMap, body: Bytes) -> Call {
        let whole_path = uri.path().to_owned();
        let inner = whole_path.trim_start_matches('/');
        let (host, path) = inner.split_once('/').unwrap_or((inner, ""));
        let raw_query = uri.query().unwrap_or_default().to_owned();
        Call {
            method,
            host: host.to_ascii_lowercase(),
            path: format!("/{path}"),
            query: Fields::parse(raw_query.as_bytes()),
            raw_query,
            headers,
            body,
            whole_path,
        }
    }

    /// Method and path, to be matched against.
    pub(super) fn target(&self) -> (&str, &str) {
        (self.method.as_str(), &self.path)
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The fields of a form body; none if the body does not call itself a form.
    pub(super) fn form(&self) -> Fields {
        let is_form = self
            .header("content-type")
            .and_then(|kind| kind.split(';').next())
            .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded"));
        if is_form { Fields::parse(&self.body) } else { Fields::default() }
    }

    /// The credential after `scheme` in the `Authorization` header. The scheme's case does not matter.
    pub(super) fn credential(&self, scheme: &str) -> Option<&str> {
        let (given, credential) = self.header("authorization")?.split_once(' ')?;
        given.eq_ignore_ascii_case(scheme).then(|| credential.trim())
    }
}

/// Named values of a query or a form. An empty value counts as absent.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    fn parse(bytes: &[u8]) -> Self {
        Self(form_urlencoded::parse(bytes).into_owned().collect())
    }

    pub(super) fn find(&self, name: &str) -> Option<&str> {
        self.iter().find_map(|(key, value)| (key == name && !value.is_empty()).then_some(value))
    }

    /// For fields whose absence and whose wrongness are the same to a vendor.
    pub(super) fn text(&self, name: &str) -> &str {
        self.find(name).unwrap_or_default()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

/// What a vendor answers.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    headers: Vec<(String, String)>,
    body: Bytes,
}

impl Answer {
    pub(super) fn empty(status: StatusCode) -> Self {
        Self { status, headers: vec![], body: Bytes::new() }
    }

    pub(super) fn text(status: StatusCode, text: impl Into<String>) -> Self {
        Self::empty(status).header("content-type", "text/plain; charset=utf-8").body(text.into())
    }

    pub(super) fn json(status: StatusCode, json: &Value) -> Self {
        Self::empty(status).header("content-type", "application/json;charset=UTF-8").body(json.to_string())
    }

    /// What a person sees whom the vendor does not send back.
    pub(super) fn page(status: StatusCode, title: &str, detail: &str) -> Self {
        let [title, detail] = [title, detail].map(escaped);
        Self::empty(status)
            .header("content-type", "text/html; charset=utf-8")
            .body(format!("<!doctype html><title>{title}</title><h1>{title}</h1><p>{detail}</p>\n"))
    }

    /// Sends the browser to `uri` with these fields added to its query.
    pub(super) fn back_to(uri: &Url, fields: &[(&str, Option<&str>)]) -> Self {
        let mut uri = uri.clone();
        uri.query_pairs_mut().extend_pairs(fields.iter().filter_map(|(name, value)| value.map(|value| (name, value))));
        Self::empty(StatusCode::FOUND).header("location", uri.as_str())
    }

    pub(super) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.headers.push((name.into(), value.into()));
        self
    }

    pub(super) fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }
}

#[cfg(test)]
impl Answer {
    pub(super) fn find_header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|(known, value)| (known == name).then_some(value.as_str()))
    }

    pub(super) fn text_body(&self) -> String {
        String::from_utf8(self.body.to_vec()).unwrap()
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        for (name, value) in self.headers {
            if let (Ok(name), Ok(value)) = (header::HeaderName::try_from(name), header::HeaderValue::try_from(value)) {
                response.headers_mut().append(name, value);
            }
        }
        response
    }
}

/// Lets a vendor's steps leave early with `?`, whichever way they end.
pub(super) fn either(answer: Result<Answer, Answer>) -> Answer {
    match answer {
        Ok(answer) | Err(answer) => answer,
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
