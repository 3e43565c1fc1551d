//! A call and its answer, in our words. Only this file and `boot` know what API Gateway hands over.

use std::{
    borrow::Cow,
    collections::HashMap,
    str::FromStr,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use jiff::Timestamp;
use lambda_http::{Body, Request, RequestExt, request::RequestContext};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    error::{Error, Fault, Result},
    limit::Standing,
    trace::TraceId,
};

/// So many faults are told: an answer has its limits, too.
const MOST_FAULTS: usize = 100;

/// The largest body that any route takes, unless it says otherwise.
pub const BODY_LIMIT: usize = 256 * 1024;

/// One HTTP request.
pub struct Call {
    /// The verb.
    pub method: Method,
    /// The path as called, without the stage.
    pub path: String,
    /// When it arrived.
    pub now: Timestamp,
    /// What ties together everything that it causes.
    pub trace: TraceId,
    headers: HeaderMap,
    parts: HashMap<String, String>,
    query: String,
    claims: HashMap<String, String>,
    domain: Option<String>,
    body: Bytes,
    standing: Arc<OnceLock<Standing>>,
}

impl Call {
    /// A call made by hand: for tests.
    #[cfg(feature = "testing")]
    pub(crate) fn by_hand(claims: HashMap<String, String>, headers: HeaderMap) -> Self {
        Self {
            method: Method::GET,
            path: "/".into(),
            now: Timestamp::now(),
            trace: TraceId::new(),
            headers,
            parts: HashMap::new(),
            query: String::new(),
            claims,
            domain: Some("api.example.com".into()),
            body: Bytes::new(),
            standing: Arc::default(),
        }
    }

    #[cfg(feature = "testing")]
    pub(crate) fn headers_mut(&mut self) -> &mut HeaderMap {
        &mut self.headers
    }

    #[cfg(feature = "testing")]
    pub(crate) fn set_part(&mut self, name: &str, value: String) {
        self.parts.insert(name.into(), value);
    }

    #[cfg(feature = "testing")]
    pub(crate) fn set_query(&mut self, query: &str) {
        self.query = query.into();
    }

    #[cfg(feature = "testing")]
    pub(crate) fn set_body(&mut self, body: Bytes) {
        self.body = body;
    }

    /// All headers, for a signature over some of them.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The header, where it is there once and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The header that says on what terms the call is made: one that cannot be read is not taken for missing.
    pub fn term(&self, name: &'static str) -> Result<Option<&str>> {
        match self.headers.get(name) {
            Some(value) => value.to_str().map(Some).map_err(|_| Error::invalid(name, "must be ASCII")),
            None => Ok(None),
        }
    }

    /// The versions of a configuration that the caller has read, from `If-Match`; an error where it names none.
    pub fn seen(&self) -> Result<Seen<'_>> {
        self.term("if-match")?.map(Seen).ok_or(Error::VersionNeeded)
    }

    /// The token of `Authorization: Bearer …`.
    pub fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.header("authorization")?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
    }

    /// A claim of the token that API Gateway has checked.
    pub fn claim(&self, name: &str) -> Option<&str> {
        self.claims.get(name).map(String::as_str)
    }

    /// A part of the path. What can not be one is answered like what does not exist.
    pub fn part<T: FromStr>(&self, name: &str, kind: &'static str) -> Result<T> {
        self.parts.get(name).and_then(|text| text.parse().ok()).ok_or(Error::NotFound { kind })
    }

    /// The query string as it came.
    pub fn query_string(&self) -> &str {
        &self.query
    }

    /// A parameter of the query string.
    pub fn query(&self, name: &str) -> Option<Cow<'_, str>> {
        url::form_urlencoded::parse(self.query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// The parameters of the query string, to be read like a body.
    pub fn parameters(&self) -> Fields {
        let given = url::form_urlencoded::parse(self.query.as_bytes())
            .map(|(name, value)| (name.into_owned(), Value::String(value.into_owned())))
            .collect();
        Fields::new(given, "?")
    }

    /// The bytes of the body, untouched.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The body as JSON, up to `limit` bytes.
    pub fn value(&self, limit: usize) -> Result<Value> {
        if self.body.len() > limit {
            return Err(Error::TooLarge { limit });
        }
        serde_json::from_slice(&self.body).map_err(|error| Error::invalid("", format!("the body is not JSON: {error}")))
    }

    /// The body as a JSON object whose fields are read one by one.
    pub fn fields(&self) -> Result<Fields> {
        match self.value(BODY_LIMIT)? {
            Value::Object(object) => Ok(Fields::new(object, "")),
            _ => Err(Error::invalid("", "the body is not a JSON object")),
        }
    }

    /// The address under which the outside reaches us, without a slash at its end.
    pub fn public_url(&self, configured: &str) -> String {
        match &self.domain {
            _ if !configured.is_empty() => configured.trim_end_matches('/').into(),
            Some(domain) => format!("https://{domain}"),
            None => String::new(),
        }
    }

    /// Tells the caller how much of its limit is left.
    pub(crate) fn stand(&self, standing: Standing) {
        let _ = self.standing.set(standing);
    }

    /// Where it will be told, for when the call is gone.
    pub(crate) fn standing(&self) -> Arc<OnceLock<Standing>> {
        self.standing.clone()
    }
}

impl From<Request> for Call {
    fn from(request: Request) -> Self {
        let parts = request
            .path_parameters_ref()
            .map(|all| all.iter().map(|(name, value)| (name.into(), value.into())).collect())
            .unwrap_or_default();
        let (claims, domain) = match request.request_context_ref() {
            Some(RequestContext::ApiGatewayV2(context)) => (
                context
                    .authorizer
                    .as_ref()
                    .and_then(|authorizer| authorizer.jwt.as_ref())
                    .map(|jwt| jwt.claims.clone())
                    .unwrap_or_default(),
                context.domain_name.clone(),
            ),
            _ => Default::default(),
        };
        let path = request.raw_http_path().to_owned();
        let (head, body) = request.into_parts();
        Self {
            method: head.method,
            path,
            now: Timestamp::now(),
            trace: TraceId::from_headers(&head.headers),
            query: head.uri.query().unwrap_or_default().into(),
            headers: head.headers,
            parts,
            claims,
            domain,
            body: match body {
                Body::Text(text) => text.into(),
                Body::Binary(bytes) => bytes.into(),
                _ => Bytes::new(),
            },
            standing: Arc::default(),
        }
    }
}

/// The versions of a configuration that a caller has read.
pub struct Seen<'c>(&'c str);

impl Seen<'_> {
    /// An error unless the present version is one of them. `*` is any, and what a proxy has made weak still counts.
    pub fn includes(&self, etag: &str) -> Result<()> {
        let named = |one: &str| one == "*" || one.trim_start_matches("W/") == etag;
        if self.0.split(',').map(str::trim).any(named) { Ok(()) } else { Err(Error::Stale) }
    }
}

/// The fields of an object, read one by one, so that all that is wrong with them is told at once.
pub struct Fields {
    left: serde_json::Map<String, Value>,
    at: String,
    faults: Vec<Fault>,
}

impl Fields {
    /// The fields of an object found at a JSON pointer.
    pub fn new(object: serde_json::Map<String, Value>, at: impl Into<String>) -> Self {
        Self { left: object, at: at.into(), faults: Vec::new() }
    }

    /// A field that has to be there.
    pub fn required<T: DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        match self.left.remove(name) {
            Some(value) => self.read(name, value),
            None => {
                self.fault(name, "is missing");
                None
            }
        }
    }

    /// A field that may be missing or null.
    pub fn optional<T: DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        match self.left.remove(name) {
            None | Some(Value::Null) => None,
            Some(value) => self.read(name, value),
        }
    }

    /// A field of a change: nothing where it is missing, `Some(None)` where it is null.
    pub fn change<T: DeserializeOwned>(&mut self, name: &str) -> Option<Option<T>> {
        match self.left.remove(name)? {
            Value::Null => Some(None),
            value => self.read(name, value).map(Some),
        }
    }

    /// A field that counts as `otherwise` where it is missing.
    pub fn or<T: DeserializeOwned>(&mut self, name: &str, otherwise: T) -> Option<T> {
        match self.left.remove(name) {
            None | Some(Value::Null) => Some(otherwise),
            Some(value) => self.read(name, value),
        }
    }

    /// A field given as text, as parameters of a query string are.
    pub fn parsed<T: FromStr<Err: std::fmt::Display>>(&mut self, name: &str) -> Option<T> {
        let text: String = self.optional(name)?;
        match text.parse() {
            Ok(value) => Some(value),
            Err(why) => {
                self.fault(name, format!("is not valid: {why}"));
                None
            }
        }
    }

    fn read<T: DeserializeOwned>(&mut self, name: &str, value: Value) -> Option<T> {
        match serde_json::from_value(value) {
            Ok(value) => Some(value),
            Err(why) => {
                self.fault(name, format!("is not valid: {why}"));
                None
            }
        }
    }

    /// Notes a fault at a field.
    pub fn fault(&mut self, name: &str, detail: impl Into<String>) {
        let pointer = match self.at.as_str() {
            "?" => format!("?{name}"),
            at => format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")),
        };
        self.faults.push(Fault::at(pointer, detail));
    }

    /// Whether anything was wrong so far.
    pub fn is_faultless(&self) -> bool {
        self.faults.is_empty()
    }

    /// What the fields make, if nothing was wrong with any and none is left over.
    pub fn build<T>(self, make: impl FnOnce() -> Option<T>) -> Result<T> {
        let (made, faults) = self.finish(make);
        made.ok_or(Error::Invalid(faults))
    }

    /// What the fields make, or all that is wrong with them: for lists that are checked as a whole.
    pub fn finish<T>(mut self, make: impl FnOnce() -> Option<T>) -> (Option<T>, Vec<Fault>) {
        for name in self.left.keys().cloned().collect::<Vec<_>>() {
            self.fault(&name, "is not a field that is known here");
        }
        match self.faults.is_empty().then(make).flatten() {
            Some(made) => (Some(made), Vec::new()),
            None => (None, self.faults),
        }
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// Its headers, besides those that every answer has.
    pub headers: HeaderMap,
    /// Its body, already written.
    pub body: Bytes,
}

/// The form of every success.
#[derive(Serialize)]
struct Success<'a, T> {
    success: bool,
    data: &'a T,
}

impl Reply {
    /// 200 with `{"success": true, "data": …}`.
    pub fn ok(data: impl Serialize) -> Self {
        Self::with(StatusCode::OK, &Success { success: true, data: &data })
    }

    /// 201, likewise.
    pub fn created(data: impl Serialize) -> Self {
        Self::with(StatusCode::CREATED, &Success { success: true, data: &data })
    }

    /// 202, likewise: it is stored, the rest follows.
    pub fn accepted(data: impl Serialize) -> Self {
        Self::with(StatusCode::ACCEPTED, &Success { success: true, data: &data })
    }

    /// 200 with exactly this body, for documents whose form is given from outside.
    pub fn plain(body: impl Serialize) -> Self {
        Self::with(StatusCode::OK, &body)
    }

    /// A page for a person's browser. Nothing on it may run or be framed.
    pub fn page(status: StatusCode, html: String) -> Self {
        Self {
            status,
            headers: HeaderMap::from_iter([
                (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
                (
                    header::CONTENT_SECURITY_POLICY,
                    HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
                ),
                (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
                (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
            ]),
            body: html.into(),
        }
    }

    /// 200 with comma-separated values (RFC 4180), for a person to keep under this name.
    pub fn csv(name: &str, lines: Vec<u8>) -> Self {
        let reply = Self {
            status: StatusCode::OK,
            headers: HeaderMap::from_iter([(
                header::CONTENT_TYPE,
                HeaderValue::from_static("text/csv; charset=utf-8; header=present"),
            )]),
            body: lines.into(),
        };
        reply.header(header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\""))
    }

    fn with(status: StatusCode, body: &impl Serialize) -> Self {
        match serde_json::to_vec(body) {
            Ok(body) => Self {
                status,
                headers: HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))]),
                body: body.into(),
            },
            Err(cause) => Self::from(&Error::internal("an answer does not serialize", cause)),
        }
    }

    /// With one more header.
    pub fn header(mut self, name: HeaderName, value: impl AsRef<str>) -> Self {
        if let Ok(value) = HeaderValue::from_str(value.as_ref()) {
            self.headers.insert(name, value);
        }
        self
    }

    /// With an entity tag; 304 where the caller has this very answer already.
    pub fn tagged(self, call: &Call) -> Self {
        let digest = Sha256::digest(&self.body);
        let tag = format!("\"{}\"", &crate::id::BASE32.encode(&digest)[..26]);
        let known = call
            .header("if-none-match")
            .is_some_and(|tags| tags.split(',').any(|known| known.trim().trim_start_matches("W/") == tag));
        let mut reply = self.header(header::ETAG, tag);
        if known {
            reply.status = StatusCode::NOT_MODIFIED;
            reply.headers.remove(header::CONTENT_TYPE);
            reply.body = Bytes::new();
        }
        reply
    }

    /// The body as JSON: for tests.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The answer to an error, not yet knowing its trace.
    fn problem(error: &Error, trace: Option<TraceId>) -> Self {
        let (status, word, title) = error.answer();
        let mut body = json!({
            "success": false,
            "type": format!("urn:crossdock:problem:{word}"),
            "title": title,
            "status": status.as_u16(),
            "detail": error.public(),
        });
        if let Error::Invalid(faults) = error {
            body["errors"] = json!(faults.iter().take(MOST_FAULTS).collect::<Vec<_>>());
            if faults.len() > MOST_FAULTS {
                body["detail"] =
                    json!(format!("{}; the first {MOST_FAULTS} of {} faults", error.public(), faults.len()));
            }
        }
        if let Some(trace) = trace {
            body["trace_id"] = json!(trace);
        }
        let mut headers =
            HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"))]);
        match error {
            Error::Unauthenticated(_) => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Error::TooMany { retry_after } => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(*retry_after));
            }
            Error::Unavailable { .. } | Error::Upstream { .. } => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(5));
            }
            _ => {}
        }
        Self { status, headers, body: body.to_string().into() }
    }
}

impl From<&Error> for Reply {
    fn from(error: &Error) -> Self {
        Self::problem(error, None)
    }
}

/// The answer that leaves: with its trace, its limit and the headers that every answer has.
pub(crate) fn answer(
    call_trace: TraceId,
    standing: Option<&Standing>,
    outcome: Result<Reply>,
) -> lambda_http::Response<Body> {
    let reply = outcome.unwrap_or_else(|error| {
        if error.answer().0.is_server_error() {
            tracing::error!(error = ?error, "request failed: {error}");
        }
        Reply::problem(&error, Some(call_trace))
    });
    let mut response = lambda_http::Response::new(match std::str::from_utf8(&reply.body) {
        Ok(text) => Body::from(text),
        Err(_) => Body::from(reply.body.to_vec()),
    });
    *response.status_mut() = reply.status;
    let headers = response.headers_mut();
    headers.extend(reply.headers);
    headers.insert(HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if let Ok(value) = HeaderValue::from_str(&call_trace.traceparent()) {
        headers.insert(HeaderName::from_static("traceparent"), value);
    }
    if let Some(standing) = standing {
        standing.write(headers);
    }
    response
}
