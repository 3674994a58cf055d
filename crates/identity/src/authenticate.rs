//! Authentication of requests and connections, and its charges.
use std::net::IpAddr;

use crate::{Authority, Denied, Exceeded, Payer, Principal, Quotas, Rate, Token};

/// A client was not authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAuthenticated {
    #[error(transparent)]
    Exceeded(#[from] Exceeded),
    #[error(transparent)]
    Denied(#[from] Denied),
}

/// A connection does not continue with a new token; everything stays as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotRefreshed {
    #[error(transparent)]
    Exceeded(#[from] Exceeded),
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error("the token belongs to another user; open another connection for it")]
    AnotherUser,
}

impl From<NotAuthenticated> for NotRefreshed {
    fn from(err: NotAuthenticated) -> Self {
        match err {
            NotAuthenticated::Exceeded(err) => Self::Exceeded(err),
            NotAuthenticated::Denied(err) => Self::Denied(err),
        }
    }
}

/// Authenticates the client at `peer`, and charges `rate`, if any, to its user, or to its address
/// if the token is missing or rejected. A forged token is charged to where it came from, too; while
/// that has shown too many of them, none is checked.
pub async fn authenticate(
    authority: &Authority,
    quotas: &Quotas,
    token: Option<&Token>,
    peer: IpAddr,
    rate: Option<Rate>,
) -> Result<Principal, NotAuthenticated> {
    let blamed = token.map_or_else(|| peer.into(), |token| token.blamed(peer));
    if token.is_some() {
        quotas.may_show_token(&blamed)?;
    }
    let known = authority.identify(token).await;
    if let Some(rate) = rate {
        let user = known.as_ref().ok().and_then(|principal| principal.user.as_ref());
        quotas.take(rate, &Payer::new(user, peer))?;
    }
    Ok(known.inspect_err(|err| quotas.token_refused(&blamed, *err))?)
}

/// Authenticates the client `before` at `peer` once more, by a new token. A connection stays with
/// its user, as others have been told that it is theirs.
pub async fn refresh(
    authority: &Authority,
    quotas: &Quotas,
    token: &Token,
    before: &Principal,
    peer: IpAddr,
) -> Result<Principal, NotRefreshed> {
    let principal = authenticate(authority, quotas, Some(token), peer, None).await?;
    if principal.user == before.user { Ok(principal) } else { Err(NotRefreshed::AnotherUser) }
}

#[cfg(test)]
mod tests {
    use super::*;

    use quadrille_core::Limits;

    use crate::{AuthSettings, Issue, Mode, Secret};

    const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn secret(letter: char) -> Secret {
        letter.to_string().repeat(32).into()
    }

    fn token(user: &str, secret: &Secret) -> Token {
        let exp = quadrille_core::now() / 1000 + 60;
        let issue = Issue { sub: user.to_owned(), exp, ..Issue::default() };
        Token::from(&*issue.sign(secret))
    }

    fn setup() -> (Authority, Quotas) {
        let (mode, secrets) = (Mode::Jwt, vec![secret('a')]);
        let settings = AuthSettings { mode, secrets, ..AuthSettings::default() };
        let limits =
            Limits { requests_per_second: 1, bad_tokens_per_minute: 2, ..Limits::default() };
        (Authority::new(&settings).unwrap(), Quotas::new(&limits))
    }

    fn exceeded(err: &NotAuthenticated) -> Option<Rate> {
        match err {
            NotAuthenticated::Exceeded(err) => Some(err.rate),
            NotAuthenticated::Denied(_) => None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_is_charged_to_its_user_or_else_to_its_address() {
        let (authority, quotas) = setup();
        let request = async |token: Option<&Token>| {
            authenticate(&authority, &quotas, token, HOME, Some(Rate::Requests)).await
        };
        for user in ["ann", "bob"] {
            let token = token(user, &secret('a'));
            let principal = request(Some(&token)).await.unwrap();
            assert_eq!(principal.user.as_deref(), Some(user));
            assert_eq!(exceeded(&request(Some(&token)).await.unwrap_err()), Some(Rate::Requests));
        }
        assert_eq!(request(None).await.unwrap_err(), Denied::Missing.into());
        let forged = token("ann", &secret('b'));
        for token in [None, Some(&forged)] {
            assert_eq!(exceeded(&request(token).await.unwrap_err()), Some(Rate::Requests));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_has_shown_too_many_forged_tokens_shows_no_other() {
        let (authority, quotas) = setup();
        let good = token("ann", &secret('a'));
        let ann = authenticate(&authority, &quotas, Some(&good), HOME, None).await.unwrap();
        let show = async |user: &str, letter: char, peer: IpAddr| {
            let token = token(user, &secret(letter));
            refresh(&authority, &quotas, &token, &ann, peer).await.map(drop)
        };
        assert_eq!(show("bob", 'a', HOME).await, Err(NotRefreshed::AnotherUser));
        for _ in 0..2 {
            assert_eq!(show("ann", 'b', HOME).await, Err(Denied::Signature.into()));
        }
        for letter in ['a', 'b'] {
            let refused = show("ann", letter, HOME).await;
            assert!(
                matches!(refused, Err(NotRefreshed::Exceeded(err)) if err.rate == Rate::BadTokens)
            );
        }
        assert_eq!(show("ann", 'a', [10, 0, 0, 1].into()).await, Ok(()));
    }
}
