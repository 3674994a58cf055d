//! Refusals of core and identity as problem documents.
use std::time::Duration;

use http::StatusCode;
use quadrille_core::NotAdmitted;
use quadrille_identity::{Denied, Exceeded, Rate};

use super::Problem;

/// Value of `Retry-After` where the wait is unknown.
const RETRY_AFTER: Duration = Duration::from_secs(5);

impl From<NotAdmitted> for Problem {
    fn from(err: NotAdmitted) -> Self {
        let detail = match err {
            NotAdmitted::Share => "close some, or try again after the time in Retry-After",
            NotAdmitted::Strangers => "show a token, or try again after the time in Retry-After",
            NotAdmitted::Full | NotAdmitted::Address | NotAdmitted::Draining => {
                "try again after the time in Retry-After"
            }
        };
        let (status, kind, title) = match err {
            NotAdmitted::Full => {
                (StatusCode::SERVICE_UNAVAILABLE, "/problems/server-full", "the server is full")
            }
            NotAdmitted::Address => (
                StatusCode::TOO_MANY_REQUESTS,
                "/problems/too-many-connections",
                "too many connections from this address",
            ),
            NotAdmitted::Share => (
                StatusCode::TOO_MANY_REQUESTS,
                "/problems/too-many-connections",
                "this user has too many connections",
            ),
            NotAdmitted::Strangers => (
                StatusCode::SERVICE_UNAVAILABLE,
                "/problems/server-full",
                "too many clients without a token",
            ),
            NotAdmitted::Draining => (
                StatusCode::SERVICE_UNAVAILABLE,
                "/problems/draining",
                "the server is shutting down",
            ),
        };
        Self::new(status, kind, title).detail(detail).retry_after(RETRY_AFTER)
    }
}

impl From<Denied> for Problem {
    fn from(err: Denied) -> Self {
        let (status, kind, title) = match err {
            Denied::Missing => (StatusCode::UNAUTHORIZED, "/problems/no-token", "sign-in needed"),
            Denied::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "/problems/no-keys",
                "tokens cannot be checked now",
            ),
            _ => (StatusCode::UNAUTHORIZED, "/problems/bad-token", "the token is not accepted"),
        };
        let problem = Self::new(status, kind, title).detail(err.to_string());
        match err {
            Denied::Unavailable => problem.retry_after(RETRY_AFTER),
            _ => problem,
        }
    }
}

impl From<Exceeded> for Problem {
    fn from(err: Exceeded) -> Self {
        let kind = match err.rate {
            // What a frame is to a WebSocket is a request to HTTP.
            Rate::Requests | Rate::Frames => "/problems/too-many-requests",
            Rate::Publishes => "/problems/rate-limited",
            Rate::BadTokens => "/problems/too-many-bad-tokens",
        };
        Self::new(StatusCode::TOO_MANY_REQUESTS, kind, err.rate.excess())
            .detail(err.to_string())
            .retry_after(err.retry_after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_at_its_share_is_told_when_to_try_again() {
        let problem = Problem::from(NotAdmitted::Share);
        assert_eq!((problem.status, problem.retry_after), (429, Some(RETRY_AFTER)));
    }
}
