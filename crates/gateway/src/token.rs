//! `quadrille token`: makes a token for trials.
use std::time::Duration;

use quadrille_core::{now, user_topic};
use quadrille_identity::{Issue, Secret};

use crate::{
    cli::TokenArgs,
    config::{self, Config, Sources},
};

/// Upper bound on the lifetime of a token.
const MAX_TTL: Duration = Duration::from_hours(10 * 365 * 24);

/// Signs the token; a newline follows it.
pub(crate) fn make(
    asked: TokenArgs,
    config: &Config,
    sources: &Sources,
) -> Result<String, config::Error> {
    let jwt = &config.auth.jwt;
    let min = Secret::MIN;
    let Some(secret) = jwt.secrets().next() else {
        let expected = format!("expected a secret of at least {min} bytes to sign the token with");
        return Err(sources.invalid("auth.jwt.secret", expected));
    };
    let TokenArgs { user, channels, rooms, topics, ttl, scope } = asked;
    let option = |name: &str, expected: &str| config::Error::of_option(name, expected);
    if user_topic(&user).is_err() {
        return Err(option(
            "--user",
            "expected a name without control characters, at most 250 bytes",
        ));
    }
    if ttl < Duration::from_secs(1) || ttl > MAX_TTL {
        return Err(option("--ttl", "expected a duration from \"1s\" to \"10years\""));
    }
    let iat = now() / 1000;
    let issue = Issue {
        sub: user,
        channels,
        rooms,
        topics,
        scope: scope.join(" "),
        aud: jwt.audience.first().cloned(),
        iss: jwt.issuer.first().cloned(),
        iat,
        exp: iat + ttl.as_secs(),
    };
    Ok(issue.sign(secret) + "\n")
}
