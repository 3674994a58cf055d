//! The rules that tokens are checked against.
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use jsonwebtoken::{Header, Validation, errors::ErrorKind};
use quadrille_core::{json::Object, user_topic};
use tokio::time::Instant;

use crate::{
    Algorithm, Denied, Principal, Secret, Token,
    claims::Claims,
    grants::Grants,
    jwks::Jwks,
    key::VerifyingKey,
    settings::{AuthSettings, Expired},
};

/// Upper bound on the name of a key, in bytes.
const MAX_KID: usize = 256;

/// Upper bound on a token's remaining lifetime, in seconds; larger values may overflow `Instant`.
const MAX_REMAINING: f64 = 10.0 * 365.0 * 24.0 * 3600.0;

/// Keys and bounds of one configuration.
pub(super) struct Rules {
    /// Other keys are derived from these.
    pub(super) secrets: Vec<Secret>,
    pub(super) keys: Vec<VerifyingKey>,
    pub(super) jwks: Option<Arc<Jwks>>,
    /// One for each of [`Algorithm::ALL`].
    validations: [Validation; 4],
    leeway: Duration,
    expired: Expired,
}

// === impl Rules ===

impl Rules {
    pub(super) fn new(
        settings: &AuthSettings,
        keys: Vec<VerifyingKey>,
        jwks: Option<Arc<Jwks>>,
    ) -> Self {
        let validations = Algorithm::ALL.map(|algorithm| settings.validation(algorithm));
        let AuthSettings { leeway, expired, .. } = *settings;
        Self { secrets: settings.secrets.clone(), keys, jwks, validations, leeway, expired }
    }

    pub(super) fn verify(&self, token: &Token) -> Result<Principal, Denied> {
        let header = header(token)?;
        let algorithm = Algorithm::of(header.alg).ok_or(Denied::Algorithm)?;
        let Self { keys, jwks, validations, .. } = self;
        let fetched = jwks.as_ref().map(|jwks| jwks.keys()).unwrap_or_default();
        let named = keys.iter().chain(fetched.iter()).filter(|key| key.kid == header.kid);
        let validation = &validations[algorithm as usize];
        let mut err = if jwks.as_ref().is_some_and(|jwks| !jwks.is_known()) {
            Denied::Unavailable
        } else {
            Denied::Key
        };
        for key in named {
            if key.algorithm != algorithm {
                err = Denied::Algorithm;
                continue;
            }
            match jsonwebtoken::decode::<Object<Claims>>(token.expose(), &key.verifies, validation)
            {
                Ok(token) => return self.principal(token.claims.0),
                Err(wrong) => err = denied(wrong.kind()),
            }
            // Only a wrong signature may be right with another key.
            if err != Denied::Signature {
                break;
            }
        }
        Err(err)
    }

    fn principal(&self, claims: Claims) -> Result<Principal, Denied> {
        if claims.is_for_renewal() {
            return Err(Denied::Renewal);
        }
        let grants = Arc::new(Grants::of(&claims));
        let name = claims.shown_name().map(Arc::from);
        let user = claims.sub.map(String::from);
        if user.as_ref().is_some_and(|user| user_topic(user).is_err()) {
            return Err(Denied::Claims);
        }
        let expires = match self.expired {
            Expired::Close => Some(Instant::now() + self.remaining(claims.exp)),
            Expired::Keep => None,
        };
        Ok(Principal { user: user.map(Into::into), name, is_guest: false, grants, expires })
    }

    /// Time until the token stops being accepted: `exp`, or `exp + leeway` once `exp` has passed.
    fn remaining(&self, exp: f64) -> Duration {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let left = exp - since.as_secs_f64();
        let left = if left > 0.0 { left } else { left + self.leeway.as_secs_f64() };
        Duration::from_secs_f64(left.clamp(0.0, MAX_REMAINING))
    }
}

/// Reads the header of `token`, which is not verified yet.
pub(super) fn header(token: &Token) -> Result<Header, Denied> {
    let text = token.expose();
    if text.len() > Token::MAX {
        return Err(Denied::TooLong);
    }
    let header = jsonwebtoken::decode_header(text).map_err(|_| Denied::Malformed)?;
    let long = header.kid.as_ref().is_some_and(|kid| kid.len() > MAX_KID);
    // No extension that a token marks as critical is known here (RFC 7515, 4.1.11).
    if long || header.crit.is_some() {
        return Err(Denied::Malformed);
    }
    Ok(header)
}

fn denied(kind: &ErrorKind) -> Denied {
    match kind {
        ErrorKind::InvalidSignature => Denied::Signature,
        ErrorKind::ExpiredSignature => Denied::Expired,
        ErrorKind::ImmatureSignature => Denied::Early,
        ErrorKind::InvalidAudience => Denied::Audience,
        ErrorKind::InvalidIssuer => Denied::Issuer,
        ErrorKind::InvalidAlgorithm => Denied::Algorithm,
        ErrorKind::MissingRequiredClaim(_)
        | ErrorKind::InvalidClaimFormat(_)
        | ErrorKind::Json(_) => Denied::Claims,
        _ => Denied::Malformed,
    }
}
