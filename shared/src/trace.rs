//! The trace id that begins at the door and reaches the delivery, Make's callback and the CRM write.

use std::fmt;

use http::HeaderMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A W3C trace id: 16 bytes, not all zero, written as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TraceId(u128);

impl TraceId {
    /// A new one. From the thread's generator: a UUID would ask the kernel each time.
    #[expect(clippy::new_without_default, reason = "a default trace would tie strangers together")]
    pub fn new() -> Self {
        Self(rand::random::<u128>() | 1)
    }

    /// The caller's, from `traceparent` (W3C Trace Context, version 00), or a new one.
    pub fn from_headers(headers: &HeaderMap) -> Self {
        headers
            .get("traceparent")
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split('-').nth(1))
            .and_then(Self::parse)
            .unwrap_or_else(Self::new)
    }

    fn parse(text: &str) -> Option<Self> {
        let digits = text.len() == 32 && text.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
        digits.then(|| u128::from_str_radix(text, 16).ok()).flatten().filter(|id| *id != 0).map(Self)
    }

    /// The header that hands it on.
    pub fn traceparent(&self) -> String {
        let span = rand::random::<u64>() | 1;
        format!("00-{self}-{span:016x}-01")
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for TraceId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The text is not a trace id.
#[derive(Debug, thiserror::Error)]
#[error("not a trace id: 32 hexadecimal digits")]
pub struct NotATrace;

impl std::str::FromStr for TraceId {
    type Err = NotATrace;

    fn from_str(text: &str) -> Result<Self, NotATrace> {
        Self::parse(text).ok_or(NotATrace)
    }
}

impl<'de> Deserialize<'de> for TraceId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not a trace id"))
    }
}

impl utoipa::PartialSchema for TraceId {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .pattern(Some("^[0-9a-f]{32}$"))
            .into()
    }
}

impl utoipa::ToSchema for TraceId {}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(value: &str) -> TraceId {
        TraceId::from_headers(&HeaderMap::from_iter([(
            http::HeaderName::from_static("traceparent"),
            http::HeaderValue::from_str(value).unwrap(),
        )]))
    }

    #[test]
    fn a_callers_trace_goes_on() {
        let trace = with("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
        assert_eq!(trace.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
    }

    #[test]
    fn a_broken_trace_is_replaced() {
        for broken in
            ["", "00-00000000000000000000000000000000-00f067aa0ba902b7-01", "00-+bf92f3577b34da6a3ce929d0e0e4736-x-01"]
        {
            assert_eq!(with(broken).to_string().len(), 32);
            assert_ne!(with(broken).0, 0);
        }
    }
}
