//! Checks tokens, and decides about permissions.
use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use quadrille_core::{Life, Topic, telemetry};

use crate::{
    Action, Algorithm, Denied, NotAllowed, Principal, Secret, Token,
    grants::Grants,
    jwks::Jwks,
    rules::{self, Rules},
    settings::{AuthSettings, BadSettings, Mode, bad},
};

/// Authenticates clients and decides about their permissions. Cloning shares it.
#[derive(Clone)]
pub struct Authority(Arc<Inner>);

struct Inner {
    mode: Mode,
    everything: Arc<Grants>,
    rules: RwLock<Arc<Rules>>,
}

// === impl Authority ===

impl Authority {
    pub fn new(settings: &AuthSettings) -> Result<Self, BadSettings> {
        let keys = settings.keys()?;
        let jwks = match settings.jwks.as_deref().map(Jwks::open).transpose() {
            Ok(jwks) => jwks.map(Arc::new),
            Err(err) => return bad("jwks", err),
        };
        Ok(Self(Arc::new(Inner {
            mode: settings.mode,
            everything: Arc::new(Grants::everything()),
            rules: RwLock::new(Arc::new(Rules::new(settings, keys, jwks))),
        })))
    }

    /// Keeps the JWK set fresh until the process stops.
    pub fn start(&self, life: &Life) {
        if let Some(jwks) = &self.rules().jwks {
            life.spawn("jwks", Arc::clone(jwks).run(life.clone()));
        }
    }

    /// Checks tokens against `settings` from now on; on an error, everything stays as it was.
    /// Connections stay until their token expires. Key files are read again, and so is a JWK set; one
    /// at another address than before has to be valid within five seconds. The mode stays, whatever
    /// `settings` say. Must not be called twice at once.
    pub async fn reload(&self, settings: AuthSettings, life: &Life) -> Result<(), BadSettings> {
        let settings = AuthSettings { mode: self.0.mode, ..settings };
        let (settings, keys) = tokio::task::spawn_blocking(move || {
            let keys = settings.keys();
            (settings, keys)
        })
        .await
        .or_else(|err| bad("keys", format!("cannot read the files: {err}")))?;
        let keys = keys?;
        let old = self.rules().jwks.clone();
        let (jwks, is_new) = match (settings.jwks.as_deref(), &old) {
            (None, _) => (None, false),
            (Some(place), Some(old)) if old.is_at(place) => {
                old.again().await.or_else(|err| bad("jwks", err))?;
                (Some(Arc::clone(old)), false)
            }
            (Some(place), _) => {
                let new = Jwks::open(place).or_else(|err| bad("jwks", err))?;
                new.fetch().await.or_else(|err| bad("jwks", err))?;
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

    /// Passes each secret that verifies tokens now to `derive`, in their order. Call it at each use: a
    /// key that is kept would outlive a secret that [`Self::reload`] removed.
    pub fn derived<T>(&self, derive: impl Fn(&Secret) -> T) -> Vec<T> {
        self.rules().secrets.iter().map(derive).collect()
    }

    /// Authenticates the client that shows `token`. Waits only for a key that is not known yet.
    pub async fn identify(&self, token: Option<&Token>) -> Result<Principal, Denied> {
        if token.is_some_and(|token| self.needs_unknown_key(token)) {
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
                let grants = Arc::clone(everything);
                rules.verify(token).map(|principal| Principal { grants, ..principal })
            }
            (Mode::Open, _) => {
                Ok(Principal { grants: Arc::clone(everything), ..Principal::guest() })
            }
        };
        known.inspect_err(|err| telemetry::token_refused(err.reason()))
    }

    /// Whether [`Self::renew`] may bring the key that `token` is signed with.
    pub fn needs_unknown_key(&self, token: &Token) -> bool {
        let rules = self.rules();
        let Some(jwks) = &rules.jwks else { return false };
        let Ok(header) = rules::header(token) else { return false };
        let fetched = jwks.keys();
        let mut known = rules.keys.iter().chain(fetched.iter());
        let fetchable =
            Algorithm::of(header.alg).is_some_and(|algorithm| !algorithm.is_symmetric());
        fetchable && header.kid.is_some() && !known.any(|key| key.kid == header.kid)
    }

    /// Reads the JWK set again, unless that was done within the last half minute.
    pub async fn renew(&self) {
        if let Some(jwks) = &self.rules().jwks {
            jwks.renew().await;
        }
    }

    /// Checks that `principal` may do `action` to `topic`, whether that exists or not.
    pub fn allow(
        &self,
        principal: &Principal,
        action: Action,
        topic: &Topic,
    ) -> Result<(), NotAllowed> {
        if principal.allows(action, topic) { Ok(()) } else { Err(NotAllowed) }
    }
}

impl Default for Authority {
    /// Allows everything to every client, and knows no user.
    fn default() -> Self {
        Self::new(&AuthSettings::default()).expect("nothing is configured that could be wrong")
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("mode", &self.0.mode).finish_non_exhaustive()
    }
}
