//! Log lines and metrics, one function for each event, so that their names cannot drift apart. No
//! label carries a user, a topic or an id.
use std::{borrow::Cow, error::Error, sync::LazyLock, time::Duration};

use metrics::{Counter, Gauge, counter, gauge};

use crate::{Close, Throttle};

/// Upper bound on the characters of a client's text in a line of the log.
const MAX_SHOWN: usize = 100;

/// Time between two lines of the log about pages that were refused.
const ORIGIN_LOG_INTERVAL: Duration = Duration::from_secs(10);

/// Metrics of hot paths, looked up once. The recorder must be installed before the first use.
struct HotMetrics {
    published: Counter,
    delivered: Counter,
    topics: Gauge,
    http: Gauge,
}

static HOT: LazyLock<HotMetrics> = LazyLock::new(|| HotMetrics {
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

/// A connection was refused.
pub(crate) fn connection_refused(protocol: &'static str, err: &dyn Error, reason: &'static str) {
    tracing::debug!(protocol, error = %err, "connection refused");
    count_refused(protocol, reason);
}

/// A connection was refused for want of a place. Any client can cause this: call it from time to
/// time, and [`connection_refused`] in between.
pub(crate) fn server_full(protocol: &'static str, err: &dyn Error, reason: &'static str) {
    tracing::warn!(protocol, error = %err, "connections are refused; raise limits.connections");
    count_refused(protocol, reason);
}

fn count_refused(protocol: &'static str, reason: &'static str) {
    counter!("quadrille_connections_refused_total", "protocol" => protocol, "reason" => reason)
        .increment(1);
}

/// A shared pool had nothing for a holder.
pub(crate) fn pool_refused(pool: &'static str, reason: &'static str) {
    tracing::debug!(pool, reason, "nothing left for a holder");
    counter!("quadrille_pool_refusals_total", "pool" => pool, "reason" => reason).increment(1);
}

/// Usage of one pool, or of several of one name.
#[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
pub(crate) fn pool_usage(pool: &'static str, used: usize, size: usize) {
    gauge!("quadrille_pool_used", "pool" => pool).set(used as f64);
    gauge!("quadrille_pool_size", "pool" => pool).set(size as f64);
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

/// A web page from elsewhere was refused. Any page can cause this as often as it likes, so the log
/// has one line in ten seconds, with the origin of the first and the number of refusals before.
pub fn origin_refused(origin: &[u8]) {
    static THROTTLE: Throttle = Throttle::new(ORIGIN_LOG_INTERVAL);
    let Some(others) = THROTTLE.pass() else { return };
    let origin: String = String::from_utf8_lossy(origin).chars().take(MAX_SHOWN).collect();
    let origin = origin.escape_default();
    tracing::info!(
        %origin,
        others,
        "a web page was refused; if it is yours, add its origin to server.origins"
    );
}

/// An HTTP connection was opened (sessions are counted separately).
pub fn http_connection_opened() {
    HOT.http.increment(1);
}

/// An HTTP connection was closed.
pub fn http_connection_closed() {
    HOT.http.decrement(1);
}

/// A session that is open already may not go on as that of its client.
pub fn connection_kept_out(protocol: &'static str, err: &dyn Error, reason: &'static str) {
    connection_refused(protocol, err, reason);
}

/// An HTTP connection was refused before its first request.
pub fn http_connection_refused(reason: &'static str) {
    count_refused("http", reason);
}

/// The server ends a connection, for a reason of its own.
pub fn connection_ended(protocol: &'static str, session: uuid::Uuid, close: &Close) {
    tracing::debug!(protocol, %session, code = close.code, reason = %close.reason, "connection ended");
    counter!("quadrille_connections_ended_total", "code" => close.code.to_string()).increment(1);
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

/// A token was rejected, or missing. Nothing of the token is logged.
pub fn token_refused(reason: &'static str) {
    tracing::debug!(reason, "token refused");
    counter!("quadrille_tokens_refused_total", "reason" => reason).increment(1);
}

/// A JWK set was read: its number of keys, or why the keys stay as they were. If there never were
/// any, clients cannot sign in with its keys.
pub fn keys_read(read: Result<usize, &(dyn Error + 'static)>, known: bool) {
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

/// The configuration was read again: the keys that changed, or the error.
pub fn config_reloaded(read: Result<&[String], &dyn Error>) {
    let outcome = match read {
        Ok(changed) => {
            let changed =
                if changed.is_empty() { "nothing".to_owned() } else { changed.join(", ") };
            tracing::info!(changed, "configuration reloaded");
            "good"
        }
        Err(err) => {
            tracing::error!(error = %err, "configuration not reloaded; everything stays as it was");
            "bad"
        }
    };
    counter!("quadrille_config_reloads_total", "outcome" => outcome).increment(1);
}

/// A client sent a frame that its protocol rejects.
pub fn client_error(protocol: &'static str, session: uuid::Uuid, code: &'static str) {
    tracing::debug!(protocol, %session, code, "frame refused");
    counter!("quadrille_client_errors_total", "protocol" => protocol, "code" => code).increment(1);
}

pub(crate) fn task_panicked(name: &'static str) {
    tracing::error!(task = name, "a task panicked; this is a defect");
    counter!("quadrille_task_panics_total", "task" => name).increment(1);
}
