//! Changes of the configuration without a restart: which keys apply at once, and which do not.
use std::collections::BTreeSet;

use super::Config;

/// Sections and keys that a reload applies; those of `auth.jwt` only if `auth.mode` is unchanged.
const RELOADED: [&str; 3] = ["auth.jwt.", "limits.", "log.level"];

/// Keys whose values differ, in order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    pub(crate) applied: Vec<String>,
    /// Keys that need a restart.
    pub(crate) pending: Vec<String>,
}

impl Config {
    /// Compares this configuration to `wanted`, for a reload.
    pub(crate) fn changes(&self, wanted: &Self) -> Changes {
        let mut keys = BTreeSet::new();
        differ(&self.table(), &wanted.table(), "", &mut keys);
        let (old, new) = (&self.auth.jwt, &wanted.auth.jwt);
        // Serialised secrets all look the same.
        let secrets = [
            ("auth.jwt.secret", old.secret != new.secret),
            ("auth.jwt.secrets", old.secrets != new.secrets),
            #[cfg(any(feature = "relay", feature = "rooms", feature = "workflows"))]
            ("store.url", self.store.url != wanted.store.url),
        ];
        keys.extend(secrets.iter().filter(|(_, differ)| *differ).map(|(key, _)| (*key).to_owned()));
        let same_mode = self.auth.mode == wanted.auth.mode;
        let (applied, pending) = keys.into_iter().partition(|key| {
            let reloaded = RELOADED.iter().any(|prefix| key.starts_with(prefix));
            reloaded && (same_mode || !key.starts_with("auth."))
        });
        Changes { applied, pending }
    }

    /// Takes the values of `wanted` that a reload applies.
    pub(crate) fn apply(&mut self, wanted: Self) {
        if self.auth.mode == wanted.auth.mode {
            self.auth.jwt = wanted.auth.jwt;
        }
        self.limits = wanted.limits;
        self.log.level = wanted.log.level;
    }

    fn table(&self) -> toml::Table {
        toml::Table::try_from(self).expect("every value was read from TOML or has a place")
    }
}

/// Collects the keys whose values differ.
fn differ(old: &toml::Table, new: &toml::Table, path: &str, into: &mut BTreeSet<String>) {
    let names: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    for name in names {
        let key = format!("{path}{name}");
        match (old.get(name), new.get(name)) {
            (Some(toml::Value::Table(old)), Some(toml::Value::Table(new))) => {
                differ(old, new, &format!("{key}."), into);
            }
            (old, new) if old != new => {
                into.insert(key);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use quadrille_identity::Mode;

    use super::*;

    fn changes(change: impl FnOnce(&mut Config)) -> [String; 2] {
        let old = Config::default();
        let mut new = old.clone();
        change(&mut new);
        let Changes { applied, pending } = old.changes(&new);
        [applied.join(" "), pending.join(" ")]
    }

    #[test]
    #[cfg(any(feature = "relay", feature = "rooms", feature = "workflows"))]
    fn another_password_of_the_database_waits_for_a_restart() {
        let mut old = Config::default();
        old.store.url = "postgres://u:old@h/d".to_owned();
        let mut new = old.clone();
        new.store.url = "postgres://u:new@h/d".to_owned();
        let pending = vec!["store.url".to_owned()];
        assert_eq!(old.changes(&new), Changes { applied: Vec::new(), pending });
    }

    #[test]
    fn what_is_applied_and_what_waits_for_a_restart_is_told_by_key() {
        let told = changes(|config| {
            config.limits.topics = 1;
            config.auth.jwt.secret = "x".repeat(32).into();
            config.auth.jwt.leeway = Duration::ZERO;
            config.log.level = "warn".into();
            config.server.listen.clear();
            config.topics.0.get_mut("chan").unwrap().events = 1;
        });
        let applied = "auth.jwt.leeway auth.jwt.secret limits.topics log.level";
        assert_eq!(told, [applied, "server.listen topics.chan.events"]);
        let told = changes(|config| {
            config.auth.mode = Mode::Jwt;
            config.auth.jwt.secret = "x".repeat(32).into();
        });
        assert_eq!(told, ["", "auth.jwt.secret auth.mode"]);
    }

    #[test]
    fn one_secret_for_another_is_a_change() {
        let mut old = Config::default();
        old.auth.jwt.secret = "x".repeat(32).into();
        let mut new = old.clone();
        new.auth.jwt.secret = "y".repeat(32).into();
        assert_eq!(old.changes(&new).applied, ["auth.jwt.secret"]);
        old.apply(new.clone());
        assert_eq!(old.changes(&new), Changes::default());
    }
}
