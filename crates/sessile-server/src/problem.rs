//! The daemon's own errors, as `application/problem+json` (RFC 9457).
//!
//! Each kind is a row of one table: its name, its status and what it means. What the library's
//! errors become is in `faults`.

use std::time::Duration;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

/// A refusal or failure of the daemon itself.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    kind: Kind,
    detail: String,
    retry_after: Option<Duration>,
}

/// What went wrong, for programs that branch on it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    BadRequest,
    Busy,
    Closing,
    Elsewhere,
    Forbidden,
    InPool,
    Internal,
    LeaseEnded,
    LoginFailed,
    LoginRefused,
    MethodNotAllowed,
    Misdirected,
    NoSession,
    NotFound,
    NotLoggedIn,
    NotReplayable,
    PersonNeeded,
    SessionClosed,
    SiteTimeOut,
    SiteUnreachable,
    Store,
    TooLarge,
    Unauthorized,
    UnknownLease,
    UnknownPool,
    UnknownSession,
    UnsupportedMediaType,
    WrongMoment,
}

impl Kind {
    /// Its name at the end of `type`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::BadRequest => "bad-request",
            Self::Busy => "busy",
            Self::Closing => "closing",
            Self::Elsewhere => "elsewhere",
            Self::Forbidden => "forbidden",
            Self::InPool => "in-pool",
            Self::Internal => "internal",
            Self::LeaseEnded => "lease-ended",
            Self::LoginFailed => "login-failed",
            Self::LoginRefused => "login-refused",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::Misdirected => "misdirected",
            Self::NoSession => "no-session",
            Self::NotFound => "not-found",
            Self::NotLoggedIn => "not-logged-in",
            Self::NotReplayable => "not-replayable",
            Self::PersonNeeded => "person-needed",
            Self::SessionClosed => "session-closed",
            Self::SiteTimeOut => "site-time-out",
            Self::SiteUnreachable => "site-unreachable",
            Self::Store => "store",
            Self::TooLarge => "too-large",
            Self::Unauthorized => "unauthorized",
            Self::UnknownLease => "unknown-lease",
            Self::UnknownPool => "unknown-pool",
            Self::UnknownSession => "unknown-session",
            Self::UnsupportedMediaType => "unsupported-media-type",
            Self::WrongMoment => "wrong-moment",
        }
    }

    const fn status(self) -> StatusCode {
        match self {
            Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::Busy | Self::Closing | Self::Elsewhere | Self::NoSession | Self::Store => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::LeaseEnded | Self::SessionClosed => StatusCode::GONE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::LoginFailed | Self::SiteUnreachable => StatusCode::BAD_GATEWAY,
            Self::InPool
            | Self::LoginRefused
            | Self::NotLoggedIn
            | Self::NotReplayable
            | Self::PersonNeeded
            | Self::WrongMoment => StatusCode::CONFLICT,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            Self::NotFound | Self::UnknownLease | Self::UnknownPool | Self::UnknownSession => {
                StatusCode::NOT_FOUND
            }
            Self::SiteTimeOut => StatusCode::GATEWAY_TIMEOUT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        }
    }

    /// What it means.
    const fn title(self) -> &'static str {
        match self {
            Self::BadRequest => "The request makes no sense",
            Self::Busy => "Every session is in use",
            Self::Closing => "The daemon is stopping",
            Self::Elsewhere => "Another process serves it",
            Self::Forbidden => "The token's scope doesn't allow it",
            Self::InPool => "The session belongs to a pool",
            Self::Internal => "A fault of the daemon",
            Self::LeaseEnded => "The lease has ended",
            Self::LoginFailed => "The login could not be carried out",
            Self::LoginRefused => "The site refused the login",
            Self::MethodNotAllowed => "Not with this method",
            Self::Misdirected => "Not addressed to this daemon",
            Self::NoSession => "No session is alive",
            Self::NotFound => "There is nothing at this path",
            Self::NotLoggedIn => "The session isn't logged in",
            Self::NotReplayable => "The request's body is gone",
            Self::PersonNeeded => "A person is needed",
            Self::SessionClosed => "The session was closed meanwhile",
            Self::SiteTimeOut => "The site took too long",
            Self::SiteUnreachable => "The site gave no answer",
            Self::Store => "The store is unavailable",
            Self::TooLarge => "The body is too large",
            Self::Unauthorized => "A token is needed",
            Self::UnknownLease => "There is no such lease",
            Self::UnknownPool => "There is no such pool",
            Self::UnknownSession => "There is no such session",
            Self::UnsupportedMediaType => "Not a body of this type",
            Self::WrongMoment => "Nothing waits for this",
        }
    }
}

/// A problem, as RFC 9457 writes it.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct Shown {
    /// Which kind: `urn:sessile:problem:` and a name that stays.
    #[serde(rename = "type")]
    #[schema(example = "urn:sessile:problem:unknown-session")]
    kind: String,
    /// What the kind means.
    title: &'static str,
    /// The status, as in the response's head.
    status: u16,
    /// What happened this time.
    detail: String,
}

impl Problem {
    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            retry_after: None,
        }
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// What happened, in words.
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// When it may be worth asking again.
    pub(crate) fn retry_after(mut self, wait: Option<Duration>) -> Self {
        self.retry_after = wait;
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.kind.status();
        let shown = Shown {
            kind: format!("urn:sessile:problem:{}", self.kind.name()),
            title: self.kind.title(),
            status: status.as_u16(),
            detail: self.detail,
        };
        let mut response = (status, Json(shown)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(wait) = self.retry_after {
            let seconds = wait.as_millis().div_ceil(1000).max(1);
            let seconds = u64::try_from(seconds).unwrap_or(u64::MAX);
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if self.kind == Kind::Unauthorized {
            headers.insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"sessile\""),
            );
        }
        response.extensions_mut().insert(self.kind);
        response
    }
}
