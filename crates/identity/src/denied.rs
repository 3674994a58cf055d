//! Refusals of tokens and of actions.

/// A token is rejected, or missing. The text shows nothing of its content.
#[derive(Debug, Clone, Copy, thiserror::Error, PartialEq, Eq)]
pub enum Denied {
    #[error("there is no token; send one as described in docs/identity.md")]
    Missing,
    #[error("the token is longer than {} bytes", super::Token::MAX)]
    TooLong,
    #[error("the token is not a signed JWT")]
    Malformed,
    #[error("the token is signed with an algorithm that no configured key has")]
    Algorithm,
    #[error("the token is signed with an unknown key")]
    Key,
    #[error("the token's signature is wrong")]
    Signature,
    #[error("the token has expired; get a new one")]
    Expired,
    #[error("the token is not valid yet; check the clocks")]
    Early,
    #[error("the token is meant for another audience")]
    Audience,
    #[error("the token is from another issuer")]
    Issuer,
    #[error("a claim of the token is missing or has the wrong type")]
    Claims,
    #[error("this is a refresh token; send the access token")]
    Renewal,
    #[error("the keys could not be fetched yet; try again later")]
    Unavailable,
}

impl Denied {
    /// Whether the token cannot come from the issuer. One with an unknown key can: tokens may come
    /// before their keys are known.
    pub(crate) fn is_forged(self) -> bool {
        match self {
            Self::TooLong | Self::Malformed | Self::Algorithm | Self::Signature => true,
            Self::Missing
            | Self::Key
            | Self::Expired
            | Self::Early
            | Self::Audience
            | Self::Issuer
            | Self::Claims
            | Self::Renewal
            | Self::Unavailable => false,
        }
    }

    /// Label for metrics.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::TooLong => "too_long",
            Self::Malformed => "malformed",
            Self::Algorithm => "algorithm",
            Self::Key => "key",
            Self::Signature => "signature",
            Self::Expired => "expired",
            Self::Early => "early",
            Self::Audience => "audience",
            Self::Issuer => "issuer",
            Self::Claims => "claims",
            Self::Renewal => "renewal",
            Self::Unavailable => "unavailable",
        }
    }
}

/// The principal has no grant. The same whether the topic exists or not.
#[derive(Debug, Clone, Copy, thiserror::Error, PartialEq, Eq)]
#[error("not allowed with this token; get one that grants it")]
pub struct NotAllowed;
