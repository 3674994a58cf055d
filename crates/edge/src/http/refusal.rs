//! Refusals of core and identity as problem documents.
use std::time::Duration;

use http::StatusCode;
use quadrille_core::Refused;
use quadrille_identity::{Denied, Exceeded, Rate};

use super::Problem;

impl From<Refused> for Problem {
    fn from(why: Refused) -> Self {
        let detail = match why {
            Refused::Share => "close some, or try again after the time in Retry-After",
            Refused::Strangers => "show a token, or try again after the time in Retry-After",
            Refused::Full | Refused::Address | Refused::Draining => {
                "try again after the time in Retry-After"
            }
        };
        let (status, kind, title) = match why {
            Refused::Full => {
                (StatusCode::SERVICE_UNAVAILABLE, "/problems/server-full", "the server is full")
            }
            Refused::Address => (
                StatusCode::TOO_MANY_REQUESTS,
                "/problems/too-many-connections",
                "too many connections from this address",
            ),
            Refused::Share => (
                StatusCode::TOO_MANY_REQUESTS,
                "/problems/too-many-connections",
                "this user has too many connections",
            ),
            Refused::Strangers => (
                StatusCode::SERVICE_UNAVAILABLE,
                "/problems/server-full",
                "too many clients without a token",
            ),
            Refused::Draining => (
                StatusCode::SERVICE_UNAVAILABLE,
                "/problems/draining",
                "the server is shutting down",
            ),
        };
        Self::new(status, kind, title).detail(detail).retry_after(Duration::from_secs(5))
    }
}

impl From<Denied> for Problem {
    fn from(why: Denied) -> Self {
        let (status, kind, title) = match why {
            Denied::Missing => (StatusCode::UNAUTHORIZED, "/problems/no-token", "sign-in needed"),
            Denied::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "/problems/no-keys",
                "tokens cannot be checked just now",
            ),
            _ => (StatusCode::UNAUTHORIZED, "/problems/bad-token", "the token is not accepted"),
        };
        let problem = Self::new(status, kind, title).detail(why.to_string());
        match why {
            Denied::Unavailable => problem.retry_after(Duration::from_secs(5)),
            _ => problem,
        }
    }
}

impl From<Exceeded> for Problem {
    fn from(why: Exceeded) -> Self {
        let kind = match why.rate {
            // What a frame is to a WebSocket is a request to HTTP.
            Rate::Requests | Rate::Frames => "/problems/too-many-requests",
            Rate::Publishes => "/problems/rate-limited",
            Rate::BadTokens => "/problems/too-many-bad-tokens",
        };
        Self::new(StatusCode::TOO_MANY_REQUESTS, kind, why.rate.excess())
            .detail(why.to_string())
            .retry_after(why.retry_after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_at_its_share_is_told_when_to_try_again() {
        let problem = Problem::from(Refused::Share);
        assert_eq!((problem.status, problem.retry_after), (429, Some(Duration::from_secs(5))));
    }
}
