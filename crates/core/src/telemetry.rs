//! One function for each thing worth telling: the log line and the metric together, so that their
//! names cannot drift apart. No label carries a user, a topic or an id.
use std::{borrow::Cow, sync::LazyLock, time::Duration};

use metrics::{Counter, Gauge, counter, gauge};

use crate::{Close, Shares, Shortage, Throttle, session::NotAdmitted};

/// Characters of what others chose that a line of the log shows.
const SHOWN: usize = 100;

/// What hot paths count, looked up once. The recorder must be installed before the first use.
struct Hot {
    published: Counter,
    delivered: Counter,
    topics: Gauge,
    http: Gauge,
}

static HOT: LazyLock<Hot> = LazyLock::new(|| Hot {
    published: counter!("quadrille_records_published_total"),
    delivered: counter!("quadrille_records_delivered_total"),
    topics: gauge!("quadrille_topics"),
    http: gauge!("quadrille_http_connections"),
});

/// Names and helps of all metrics, for the exporter.
pub const METRICS: &[(&str, &str)] = &[
    ("quadrille_connections", "sessions open now, by protocol"),
    ("quadrille_http_connections", "HTTP connections open now that are no sessions"),
    ("quadrille_connections_total", "sessions opened, by protocol"),
    ("quadrille_connections_refused_total", "connections refused, by protocol and reason"),
    ("quadrille_connections_ended_total", "connections that the server ended, by close code"),
    ("quadrille_pool_used", "units held of a shared pool, by pool"),
    ("quadrille_pool_size", "units of a shared pool, by pool"),
    ("quadrille_pool_refusals_total", "times that a shared pool had nothing to give, by reason"),
    ("quadrille_rate_limited_total", "what a rate of section limits refused, by limit"),
    ("quadrille_http_refused_total", "requests answered with a problem document, by its type"),
    ("quadrille_records_published_total", "records appended to logs"),
    ("quadrille_records_delivered_total", "records handed to connections"),
    ("quadrille_records_missed_total", "records lost to slow or late readers, by cause"),
    ("quadrille_gaps_total", "gaps reported to readers, by cause"),
    ("quadrille_records_coalesced_total", "records left out for slow readers of coalescing topics"),
    ("quadrille_publisher_waits_total", "times a publisher waited for readers, by outcome"),
    ("quadrille_publications_refused_total", "publications refused, by reason"),
    ("quadrille_topics", "topics held now"),
    ("quadrille_topics_expired_total", "idle topics dropped"),
    ("quadrille_tokens_refused_total", "tokens that were not accepted, by reason"),
    ("quadrille_key_readings_total", "times that auth.jwt.jwks was read, by outcome"),
    ("quadrille_config_reloads_total", "times that SIGHUP had the configuration read, by outcome"),
    ("quadrille_client_errors_total", "frames that could not be used, by protocol and code"),
    ("quadrille_turns_running", "turns that an agent answers now"),
    ("quadrille_turns_waiting", "turns that wait for their start"),
    ("quadrille_turns_total", "turns that ended, by how, and by code if they failed"),
    ("quadrille_turns_refused_total", "questions that were not taken, by reason"),
    ("quadrille_task_panics_total", "tasks that panicked, by name"),
];

pub(crate) fn connected(protocol: &'static str) {
    gauge!("quadrille_connections", "protocol" => protocol).increment(1);
    counter!("quadrille_connections_total", "protocol" => protocol).increment(1);
}

pub(crate) fn disconnected(protocol: &'static str) {
    gauge!("quadrille_connections", "protocol" => protocol).decrement(1);
}

/// `loud`: an operator should know now, and was not told just before. Everybody who knocks can cause
/// one of these.
pub(crate) fn connection_refused(protocol: &'static str, why: NotAdmitted, loud: bool) {
    if loud {
        tracing::warn!(protocol, %why, "connections are refused; raise limits.connections");
    } else {
        tracing::debug!(protocol, %why, "connection refused");
    }
    count_refused(protocol, why);
}

fn count_refused(protocol: &'static str, why: NotAdmitted) {
    let reason = match why {
        NotAdmitted::Full => "full",
        NotAdmitted::Address => "address",
        NotAdmitted::Share => "share",
        NotAdmitted::Strangers => "strangers",
        NotAdmitted::Draining => "draining",
    };
    counter!("quadrille_connections_refused_total", "protocol" => protocol, "reason" => reason)
        .increment(1);
}

/// A shared pool had nothing for a holder.
pub(crate) fn pool_refused(pool: &'static str, shortage: Shortage) {
    tracing::debug!(pool, %shortage, "nothing left for a holder");
    let reason = match shortage {
        Shortage::Full => "full",
        Shortage::Share => "share",
        Shortage::Strangers => "strangers",
    };
    counter!("quadrille_pool_refusals_total", "pool" => pool, "reason" => reason).increment(1);
}

/// Sets the gauges of all pools, for a reading of the metrics.
#[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
pub fn pools(shares: &Shares) {
    for usage in shares.pools() {
        gauge!("quadrille_pool_used", "pool" => usage.name).set(usage.used as f64);
        gauge!("quadrille_pool_size", "pool" => usage.name).set(usage.size as f64);
    }
}

/// A user or an address has used up a rate.
pub fn rate_limited(limit: &'static str) {
    tracing::debug!(limit, "rate limited");
    counter!("quadrille_rate_limited_total", "limit" => limit).increment(1);
}

/// A request is answered with a problem document of the type `kind`.
pub fn http_refused(kind: Cow<'static, str>) {
    counter!("quadrille_http_refused_total", "type" => kind).increment(1);
}

/// A web page from elsewhere was refused. Any page can cause this as often as it likes, so it is
/// told once in ten seconds, with the origin of the first and how many there were since.
pub fn origin_refused(origin: &[u8]) {
    static TOLD: Throttle = Throttle::new(Duration::from_secs(10));
    let Some(others) = TOLD.pass() else { return };
    let origin: String = String::from_utf8_lossy(origin).chars().take(SHOWN).collect();
    let origin = origin.escape_default();
    tracing::info!(
        %origin,
        others,
        "a web page was refused; if it is yours, add its origin to server.origins"
    );
}

/// There is an HTTP connection more that is no session.
pub fn http_connection_opened() {
    HOT.http.increment(1);
}

/// There is one less.
pub fn http_connection_closed() {
    HOT.http.decrement(1);
}

/// A session that is open already may not go on as that of its client.
pub fn connection_kept_out(protocol: &'static str, why: NotAdmitted) {
    tracing::debug!(protocol, %why, "connection refused");
    count_refused(protocol, why);
}

/// An HTTP connection was refused before its first request.
pub fn http_connection_refused(why: NotAdmitted) {
    count_refused("http", why);
}

/// The server ends a connection, for a reason of its own.
pub fn connection_ended(protocol: &'static str, session: uuid::Uuid, why: &Close) {
    tracing::debug!(protocol, %session, code = why.code, reason = %why.reason, "connection ended");
    counter!("quadrille_connections_ended_total", "code" => why.code.to_string()).increment(1);
}

pub(crate) fn published() {
    HOT.published.increment(1);
}

/// Records were handed to a connection.
pub fn delivered(records: usize) {
    HOT.delivered.increment(records as u64);
}

/// A reader learns that records are gone.
pub(crate) fn gap(cause: &'static str, missed: Option<u64>) {
    counter!("quadrille_gaps_total", "cause" => cause).increment(1);
    if let Some(missed) = missed {
        counter!("quadrille_records_missed_total", "cause" => cause).increment(missed);
    }
}

pub(crate) fn coalesced(records: u64) {
    counter!("quadrille_records_coalesced_total").increment(records);
}

pub(crate) fn publisher_waited(in_vain: bool) {
    let outcome = if in_vain { "gave_up" } else { "caught_up" };
    counter!("quadrille_publisher_waits_total", "outcome" => outcome).increment(1);
}

pub(crate) fn publication_refused(reason: &'static str) {
    counter!("quadrille_publications_refused_total", "reason" => reason).increment(1);
}

pub(crate) fn topics(held: usize) {
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
    HOT.topics.set(held as f64);
}

pub(crate) fn topics_expired(count: usize) {
    counter!("quadrille_topics_expired_total").increment(count as u64);
}

/// Somebody showed a token that is not accepted, or none. Nothing of the token is told.
pub fn token_refused(reason: &'static str) {
    tracing::debug!(reason, "token refused");
    counter!("quadrille_tokens_refused_total", "reason" => reason).increment(1);
}

/// The keys that somebody else keeps were read: how many there are, or why they stay as they were.
/// If there never were any, nobody can sign in.
pub fn keys_read(read: Result<usize, &(dyn std::error::Error + 'static)>, known: bool) {
    let outcome = match read {
        Ok(keys) => {
            tracing::debug!(keys, "auth.jwt.jwks was read");
            "good"
        }
        Err(error) if known => {
            tracing::warn!(error, "cannot read auth.jwt.jwks; the keys stay as they were");
            "bad"
        }
        Err(error) => {
            tracing::error!(error, "cannot read auth.jwt.jwks; nobody can sign in with its keys");
            "bad"
        }
    };
    counter!("quadrille_key_readings_total", "outcome" => outcome).increment(1);
}

/// The configuration was read again: the keys that changed, or what is wrong with it.
pub fn config_reloaded(read: Result<&[String], &dyn std::error::Error>) {
    let outcome = match read {
        Ok(changed) => {
            let changed =
                if changed.is_empty() { "nothing".to_owned() } else { changed.join(", ") };
            tracing::info!(changed, "configuration reloaded");
            "good"
        }
        Err(why) => {
            tracing::error!(error = %why, "configuration not reloaded; everything stays as it was");
            "bad"
        }
    };
    counter!("quadrille_config_reloads_total", "outcome" => outcome).increment(1);
}

/// A client sent something that its protocol has no use for.
pub fn client_error(protocol: &'static str, session: uuid::Uuid, code: &'static str) {
    tracing::debug!(protocol, %session, code, "frame refused");
    counter!("quadrille_client_errors_total", "protocol" => protocol, "code" => code).increment(1);
}

pub(crate) fn task_panicked(name: &'static str) {
    tracing::error!(task = name, "a task panicked; this is a defect");
    counter!("quadrille_task_panics_total", "task" => name).increment(1);
}
