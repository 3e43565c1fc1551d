//! What can go wrong, and how much of it a caller may learn.

use std::borrow::Cow;

use http::StatusCode;
use serde::Serialize;

/// The result of nearly everything here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What lies behind an error. It is logged and never leaves the building.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// One thing that is wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Fault {
    /// JSON pointer (RFC 6901) into the body, or the name of a parameter or header.
    pub pointer: String,
    /// What is wrong there.
    pub detail: String,
}

impl Fault {
    /// A fault at a place.
    pub fn at(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), detail: detail.into() }
    }
}

/// Variants are cut by what the reader of the answer should do next.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Change the request; as it stands it can never work. All faults at once.
    #[error("the request is not valid")]
    Invalid(Vec<Fault>),
    /// Say who you are, in the way that this route asks for.
    #[error("{0}")]
    Unauthenticated(&'static str),
    /// Ask somebody with another role or a key with another scope.
    #[error("{0}")]
    Forbidden(&'static str),
    /// Absent, or none of your business. The two must look alike.
    #[error("there is no such {kind}")]
    NotFound {
        /// What was looked for.
        kind: &'static str,
    },
    /// Look again first: it clashes with what is stored now.
    #[error("{0}")]
    Conflict(Cow<'static, str>),
    /// Read it again: it has changed since the version named in `If-Match`.
    #[error("it has changed since the version that you named")]
    Stale,
    /// Read it first, and say in `If-Match` which version you have read.
    #[error("name the version that you have read: its `ETag`, as `If-Match`")]
    VersionNeeded,
    /// The same `Idempotency-Key` came with another body: use a new key.
    #[error("this Idempotency-Key was used with another body")]
    KeyReused,
    /// Send less.
    #[error("the body is larger than {limit} bytes")]
    TooLarge {
        /// The most that is taken.
        limit: usize,
    },
    /// Slow down.
    #[error("too many requests")]
    TooMany {
        /// Seconds to wait.
        retry_after: u64,
    },
    /// Something beyond us answered in a way that we cannot use.
    #[error("{what}")]
    Upstream {
        /// What a caller may know of it.
        what: Cow<'static, str>,
        /// What we know.
        #[source]
        cause: Cause,
    },
    /// Try again later: something we depend on is down or busy.
    #[error("{what} is unavailable")]
    Unavailable {
        /// What is.
        what: &'static str,
        /// Why.
        #[source]
        cause: Cause,
    },
    /// Call us: a bug, or a row that we cannot read.
    #[error("{what}")]
    Internal {
        /// What went wrong.
        what: &'static str,
        /// Why.
        #[source]
        cause: Cause,
    },
}

impl Error {
    /// A request with exactly one fault.
    pub fn invalid(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Invalid(vec![Fault::at(pointer, detail)])
    }

    /// A clash with what is stored.
    pub fn conflict(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::Conflict(detail.into())
    }

    /// A bug or an unreadable row.
    pub fn internal(what: &'static str, cause: impl Into<Cause>) -> Self {
        Self::Internal { what, cause: cause.into() }
    }

    /// Bad weather.
    pub fn unavailable(what: &'static str, cause: impl Into<Cause>) -> Self {
        Self::Unavailable { what, cause: cause.into() }
    }

    /// Status, the word that clients match on, and its title.
    pub fn answer(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Invalid(_) => (StatusCode::BAD_REQUEST, "invalid-request", "The request is not valid"),
            Self::Unauthenticated(_) => (StatusCode::UNAUTHORIZED, "unauthenticated", "Who are you?"),
            Self::Forbidden(_) => (StatusCode::FORBIDDEN, "forbidden", "Not allowed"),
            Self::NotFound { .. } => (StatusCode::NOT_FOUND, "not-found", "Not found"),
            Self::Conflict(_) => (StatusCode::CONFLICT, "conflict", "Conflict"),
            Self::Stale => (StatusCode::PRECONDITION_FAILED, "stale", "Changed in the meantime"),
            Self::VersionNeeded => (StatusCode::PRECONDITION_REQUIRED, "version-needed", "Which version?"),
            Self::KeyReused => (StatusCode::UNPROCESSABLE_ENTITY, "idempotency-key-reused", "Idempotency-Key reused"),
            Self::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "too-large", "Body too large"),
            Self::TooMany { .. } => (StatusCode::TOO_MANY_REQUESTS, "too-many-requests", "Too many requests"),
            Self::Upstream { .. } => (StatusCode::BAD_GATEWAY, "upstream", "An outside service failed"),
            Self::Unavailable { .. } => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Try again later"),
            Self::Internal { .. } => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "Our mistake"),
        }
    }

    /// The message that leaves the building. Causes never do.
    pub fn public(&self) -> Cow<'static, str> {
        match self {
            Self::Unavailable { .. } => "please try again in a moment".into(),
            Self::Internal { .. } => "something went wrong on our side; the trace id finds it in our logs".into(),
            told => told.to_string().into(),
        }
    }

    /// Whether the same call may work later without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unavailable { .. } | Self::TooMany { .. } | Self::Upstream { .. } => true,
            Self::Invalid(_)
            | Self::Unauthenticated(_)
            | Self::Forbidden(_)
            | Self::NotFound { .. }
            | Self::Conflict(_)
            | Self::Stale
            | Self::VersionNeeded
            | Self::KeyReused
            | Self::TooLarge { .. }
            | Self::Internal { .. } => false,
        }
    }
}
