//! Checks tokens, and decides what their bearers may do.
use std::{
    fmt, fs,
    net::IpAddr,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, SystemTime},
};

use jsonwebtoken::{Header, Validation, errors::ErrorKind};
use quadrille_core::{Holder, Life, Topic, json::Object, telemetry, user_topic};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{
    Action, Algorithm, Denied, NotAllowed, Principal, Secret, Token, claims::Claims,
    grants::Grants, jwks::Jwks, key::Key,
};

/// Who is let in, and as whom.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Everybody, as whoever they say they are. A token is checked if there are keys.
    #[default]
    Open,
    /// Who has a good token.
    Jwt,
}

/// What becomes of a connection whose token ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expired {
    /// It is closed, unless a new token comes before.
    #[default]
    Close,
    /// It stays: a token is looked at when a connection begins, and at each request over HTTP.
    Keep,
}

impl Mode {
    /// The client that a connection from `peer` counts as before it has shown a token.
    pub fn newcomer(self, peer: IpAddr) -> Holder {
        match self {
            Self::Open => Holder::guest(peer),
            Self::Jwt => Holder::stranger(peer),
        }
    }
}

/// What tokens are checked against.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    pub mode: Mode,
    /// For HS256. All of them verify.
    pub secrets: Vec<Secret>,
    pub keys: Vec<PublicKey>,
    /// A JWK set, by path or address.
    pub jwks: Option<String>,
    /// One of them is needed, if there are any.
    pub audience: Vec<String>,
    /// One of them is needed, if there are any.
    pub issuer: Vec<String>,
    /// How far clocks may differ.
    pub leeway: Duration,
    pub expired: Expired,
    /// Takes secrets that are shorter than [`Secret::MIN`].
    pub short_secrets: bool,
}

/// A public key in a PEM file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublicKey {
    pub file: String,
    pub algorithm: Algorithm,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
}

/// A setting of `auth.jwt` that cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{key}: {expected}")]
pub struct BadSettings {
    key: String,
    expected: String,
}

/// The longest name of a key, in bytes.
const KID_MAX: usize = 256;

/// No connection lives that long; a moment later than this cannot always be told.
const FOREVER: f64 = 10.0 * 365.0 * 24.0 * 3600.0;

/// Decides who somebody is and what they may do. Cloning shares it.
#[derive(Clone)]
pub struct Authority(Arc<Inner>);

struct Inner {
    mode: Mode,
    everything: Arc<Grants>,
    rules: RwLock<Arc<Rules>>,
}

/// What tokens are checked against now.
struct Rules {
    /// What other keys are derived from.
    secrets: Vec<Secret>,
    keys: Vec<Key>,
    jwks: Option<Arc<Jwks>>,
    /// One for each of [`Algorithm::ALL`].
    validations: [Validation; 4],
    leeway: Duration,
    expired: Expired,
}

// === impl Settings ===

impl Settings {
    /// Whether there is anything to check a token with.
    pub fn has_keys(&self) -> bool {
        !self.secrets.is_empty() || !self.keys.is_empty() || self.jwks.is_some()
    }

    /// Those of the configuration; a mode that needs some has to have some.
    fn keys(&self) -> Result<Vec<Key>, BadSettings> {
        if self.mode == Mode::Jwt && !self.has_keys() {
            let min = Secret::MIN;
            return bad(
                "secret",
                format!(
                    "expected a secret of at least {min} bytes, or auth.jwt.keys, or \
                     auth.jwt.jwks, because auth.mode is \"jwt\""
                ),
            );
        }
        let mut keys = Vec::new();
        for secret in &self.secrets {
            if secret.is_pem() {
                return bad("secret", "expected a secret, found a key file; see auth.jwt.keys");
            }
            if secret.is_short() && !self.short_secrets {
                return bad("secret", secret.too_short());
            }
            keys.push(Key::secret(secret));
        }
        for PublicKey { file, algorithm, kid } in &self.keys {
            if algorithm.is_symmetric() {
                return bad(
                    "keys",
                    "expected RS256, ES256 or EdDSA; see auth.jwt.secret for HS256",
                );
            }
            let pem = match fs::read(file) {
                Ok(pem) => pem,
                Err(why) => return bad("keys", format!("cannot read {file}: {why}")),
            };
            let Some(key) = Key::pem(&pem, *algorithm, kid.clone()) else {
                let name = algorithm.named();
                return bad("keys", format!("expected a public key for {name:?} as PEM in {file}"));
            };
            keys.push(key);
        }
        Ok(keys)
    }

    fn validation(&self, algorithm: Algorithm) -> Validation {
        let mut validation = Validation::new(algorithm.named());
        let mut required = vec!["exp"];
        validation.leeway = self.leeway.as_secs();
        validation.validate_nbf = true;
        validation.validate_aud = !self.audience.is_empty();
        if !self.audience.is_empty() {
            required.push("aud");
            validation.set_audience(&self.audience);
        }
        if !self.issuer.is_empty() {
            required.push("iss");
            validation.set_issuer(&self.issuer);
        }
        validation.set_required_spec_claims(&required);
        validation
    }
}

fn bad<T>(name: &str, expected: impl fmt::Display) -> Result<T, BadSettings> {
    Err(BadSettings { key: format!("auth.jwt.{name}"), expected: expected.to_string() })
}

// === impl BadSettings ===

impl BadSettings {
    /// The key of the configuration.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The expectation that the value does not meet.
    pub fn expected(&self) -> &str {
        &self.expected
    }
}

// === impl Authority ===

impl Authority {
    pub fn new(settings: &Settings) -> Result<Self, BadSettings> {
        let keys = settings.keys()?;
        let jwks = match settings.jwks.as_deref().map(Jwks::open).transpose() {
            Ok(jwks) => jwks.map(Arc::new),
            Err(why) => return bad("jwks", why),
        };
        Ok(Self(Arc::new(Inner {
            mode: settings.mode,
            everything: Arc::new(Grants::everything()),
            rules: RwLock::new(Arc::new(Rules::new(settings, keys, jwks))),
        })))
    }

    /// Keep the keys fresh that somebody else keeps.
    pub fn start(&self, life: &Life) {
        if let Some(jwks) = &self.rules().jwks {
            life.spawn("jwks", Arc::clone(jwks).run(life.clone()));
        }
    }

    /// Check tokens against `settings` from now on; on an error, everything stays as it was. Who was
    /// let in stays so until its token ends. Key files are read again, and so is a JWK set; one at
    /// another address than before has to be good within five seconds. The mode stays what it was,
    /// whatever `settings` say. Not to be called twice at once.
    pub async fn reload(&self, settings: Settings, life: &Life) -> Result<(), BadSettings> {
        let settings = Settings { mode: self.0.mode, ..settings };
        let (settings, keys) = tokio::task::spawn_blocking(move || {
            let keys = settings.keys();
            (settings, keys)
        })
        .await
        .or_else(|why| bad("keys", format!("cannot read the files: {why}")))?;
        let keys = keys?;
        let old = self.rules().jwks.clone();
        let (jwks, is_new) = match (settings.jwks.as_deref(), &old) {
            (None, _) => (None, false),
            (Some(place), Some(old)) if old.is_at(place) => {
                old.again().await.or_else(|why| bad("jwks", why))?;
                (Some(Arc::clone(old)), false)
            }
            (Some(place), _) => {
                let new = Jwks::open(place).or_else(|why| bad("jwks", why))?;
                new.fetch().await.or_else(|why| bad("jwks", why))?;
                (Some(Arc::new(new)), true)
            }
        };
        if let Some(old) = old.filter(|_| is_new || jwks.is_none()) {
            old.retire();
        }
        let rules = Arc::new(Rules::new(&settings, keys, jwks));
        *self.0.rules.write().unwrap_or_else(PoisonError::into_inner) = rules;
        if is_new {
            self.start(life);
        }
        Ok(())
    }

    fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.0.rules.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn mode(&self) -> Mode {
        self.0.mode
    }

    /// Give `derive` each secret that verifies tokens now, in their order. To be asked at each use: a
    /// key that is kept would outlive a secret that [`Self::reload`] took out.
    pub fn derived<T>(&self, derive: impl Fn(&Secret) -> T) -> Vec<T> {
        self.rules().secrets.iter().map(derive).collect()
    }

    /// Who it is that shows `token`. Waits only for a key that is not known yet.
    pub async fn identify(&self, token: Option<&Token>) -> Result<Principal, Denied> {
        if token.is_some_and(|token| self.misses_key_of(token)) {
            self.renew().await;
        }
        self.recognise(token)
    }

    /// [`Self::identify`] with the keys that are known now.
    pub fn recognise(&self, token: Option<&Token>) -> Result<Principal, Denied> {
        let Inner { mode, everything, .. } = &*self.0;
        let rules = self.rules();
        let known = match (mode, token) {
            (Mode::Jwt, Some(token)) => rules.verify(token),
            (Mode::Jwt, None) => Err(Denied::Missing),
            (Mode::Open, Some(token)) if !rules.keys.is_empty() || rules.jwks.is_some() => {
                rules.verify(token).map(|who| Principal { grants: Arc::clone(everything), ..who })
            }
            (Mode::Open, _) => {
                Ok(Principal { grants: Arc::clone(everything), ..Principal::guest() })
            }
        };
        known.inspect_err(|why| telemetry::token_refused(why.reason()))
    }

    /// Whether [`Self::renew`] may bring the key that `token` is signed with.
    pub fn misses_key_of(&self, token: &Token) -> bool {
        let rules = self.rules();
        let Some(jwks) = &rules.jwks else { return false };
        let Ok(header) = header(token) else { return false };
        let fetched = jwks.keys();
        let mut known = rules.keys.iter().chain(fetched.iter());
        let fetchable = Algorithm::of(header.alg).is_some_and(|it| !it.is_symmetric());
        fetchable && header.kid.is_some() && !known.any(|it| it.kid == header.kid)
    }

    /// Look for new keys, if that was not done just now.
    pub async fn renew(&self) {
        if let Some(jwks) = &self.rules().jwks {
            jwks.renew().await;
        }
    }

    /// Whether `who` may do `action` to `topic`. Says nothing of whether there is such a topic.
    pub fn allow(&self, who: &Principal, action: Action, topic: &Topic) -> Result<(), NotAllowed> {
        if who.allows(action, topic) { Ok(()) } else { Err(NotAllowed) }
    }
}

// === impl Rules ===

impl Rules {
    fn new(settings: &Settings, keys: Vec<Key>, jwks: Option<Arc<Jwks>>) -> Self {
        let validations = Algorithm::ALL.map(|it| settings.validation(it));
        let Settings { leeway, expired, .. } = *settings;
        Self { secrets: settings.secrets.clone(), keys, jwks, validations, leeway, expired }
    }

    fn verify(&self, token: &Token) -> Result<Principal, Denied> {
        let header = header(token)?;
        let algorithm = Algorithm::of(header.alg).ok_or(Denied::Algorithm)?;
        let Self { keys, jwks, validations, .. } = self;
        let fetched = jwks.as_ref().map(|jwks| jwks.keys()).unwrap_or_default();
        let named = keys.iter().chain(fetched.iter()).filter(|it| it.kid == header.kid);
        let validation = &validations[algorithm as usize];
        let mut why = if jwks.as_ref().is_some_and(|it| !it.is_known()) {
            Denied::Unavailable
        } else {
            Denied::Key
        };
        for key in named {
            if key.algorithm != algorithm {
                why = Denied::Algorithm;
                continue;
            }
            match jsonwebtoken::decode::<Object<Claims>>(token.expose(), &key.verifies, validation)
            {
                Ok(token) => return self.principal(token.claims.0),
                Err(wrong) => why = denied(wrong.kind()),
            }
            // Only a wrong signature may be right with another key.
            if why != Denied::Signature {
                break;
            }
        }
        Err(why)
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

    /// How long a token is good that ends at `exp`: until then, or if that is over and forgiven,
    /// until it is not forgiven any more.
    fn remaining(&self, exp: f64) -> Duration {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let left = exp - since.as_secs_f64();
        let left = if left > 0.0 { left } else { left + self.leeway.as_secs_f64() };
        Duration::from_secs_f64(left.clamp(0.0, FOREVER))
    }
}

impl Default for Authority {
    /// Everybody may do everything, and nobody is known.
    fn default() -> Self {
        Self::new(&Settings::default()).expect("nothing is configured that could be wrong")
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("mode", &self.0.mode).finish_non_exhaustive()
    }
}

/// What `token` says of itself, which is not to be believed yet.
fn header(token: &Token) -> Result<Header, Denied> {
    let text = token.expose();
    if text.len() > Token::MAX {
        return Err(Denied::TooLong);
    }
    let header = jsonwebtoken::decode_header(text).map_err(|_| Denied::Malformed)?;
    let long = header.kid.as_ref().is_some_and(|kid| kid.len() > KID_MAX);
    // Of what a token says must be understood, nothing is (RFC 7515, 4.1.11).
    if long || header.crit.is_some() {
        return Err(Denied::Malformed);
    }
    Ok(header)
}

fn denied(why: &ErrorKind) -> Denied {
    match why {
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
