//! Comments on the keys of the default configuration.

/// `KEY: comment`, for each section and key. `*` stands for any name; its comment is shown at the first
/// only.
const COMMENTS: &str = r#"
server: Listeners, and shutdown.
server.listen: Addresses: IP:PORT, "https://IP:PORT", "unix:/PATH"; port 0 takes a free one.
server.origins: Other origins whose pages may connect: "https://chat.example.com", "https://*.example.com"; "*" is all.
server.hosts: Accepted Host names, besides localhost and those in origins.
server.trusted_proxies: Proxies whose X-Forwarded-For, -Proto, -Prefix are trusted: ["10.0.0.0/8", "unix"].
server.public_url: Public base URL, for URLs in responses; "" takes the Host of the client.
server.base_path: Path below which a proxy serves the gateway, such as "/assistant"; "" is none.
server.header_timeout: Time for the TLS handshake, and for the head of a request.
server.idle_timeout: Idle time between two requests of a connection; longer than that of balancers.
server.drain_delay: After SIGTERM, time to serve on while /readyz is 503, for balancers to notice.
server.drain_window: Then the time over which connections are closed, so that clients do not reconnect all at once.
server.grace: Then the time to wait for the rest, before the process ends with exit code 2.
server.tls: Certificate for https:// addresses; read again at SIGHUP.
server.tls.certificate: PEM file of the certificate and its chain.
server.tls.key: PEM file of the private key.
auth: Authentication.
auth.mode: "open": all clients, with the user that they claim. "jwt": clients with a valid token.
auth.allow_open: Allows mode "open" on addresses that other machines can reach.
auth.jwt: Keys and rules for tokens; see docs/identity.md.
auth.jwt.secret: HS256 secret of at least 32 bytes; better set by QUADRILLE_AUTH__JWT__SECRET.
auth.jwt.secrets: More secrets that verify, for the time of a rotation.
auth.jwt.jwks: JWK set, as path or http(s) URL; read every 15 minutes and when needed.
auth.jwt.audience: Accepted values of "aud"; none disables the check.
auth.jwt.issuer: Accepted values of "iss"; none disables the check.
auth.jwt.leeway: Accepted clock skew between the issuer and the gateway.
auth.jwt.expired_connections: "close" ends a connection when its token expires, "keep" checks only at its start.
auth.jwt.allow_short_secret: Allows a secret of less than 32 bytes, which can be found by brute force.
auth.jwt.keys: Public keys: [{ file = "id.pem", algorithm = "RS256", kid = "1" }], kid optional.
limits: Limits of the process.
limits.connections: Sessions of all protocols together; each needs an open file.
limits.connections_per_ip: Sessions from one address (IPv6: a /64), and HTTP connections; 0 is no limit.
limits.http_connections: HTTP connections that are no sessions: requests, idle ones, handshakes; then 503.
limits.topics: Topics held at once; one more evicts the longest idle one, or is refused.
limits.input_bytes: Bytes of bodies and messages being received, of all clients together.
limits.output_bytes: Bytes that clients have not read, beyond 72 KiB of each; then 3008 or 503.
limits.log_bytes: Bytes of all logs together; above it, a log keeps only its newest record.
limits.user_share: Share of each pool that one signed-in user may hold; see docs/operations.md.
limits.address_share: The same for one address in open mode; 0 is no limit.
limits.stranger_share: The same for all clients together without a token where one is needed.
limits.requests_per_second: HTTP requests of one user or address; 0 is no limit.
limits.publishes_per_second: Records published by one user or address; 0 is no limit.
limits.frames_per_second: WebSocket messages of one user or address; 0 is no limit.
limits.bad_tokens_per_minute: Forged tokens from one address; 0 is no limit, as behind a proxy.
topics.*: Logs of topics, by namespace: chan (channels of the broker), chat, room, user.
topics.*.events: Records in a log.
topics.*.bytes: Bytes in a log, with about 300 for each record besides its content.
topics.*.keep: Time for which an unused log without subscribers is kept.
topics.*.on_slow: Slow readers: "skip" the oldest, "coalesce" to the newest by key, "disconnect".
topics.*.patience: Time for which a publisher waits for readers about to lose records; "0s" never waits.
topics.*.presence: Whether clients can ask who is subscribed.
agents: Agents, and the limits of their turns; see docs/agents.md.
agents.default: Agent for questions that name none.
agents.max_running: Turns that run at once; more wait. One user has limits.user_share of these and those that follow.
agents.max_queued: Turns that wait in one topic behind the one that runs; one more is refused.
agents.max_waiting: Turns that wait in all topics together; one more is refused.
agents.queue_timeout: Time for which a turn may wait before it fails.
agents.keep: Time after its end for which a turn is held in memory, for readers that resume it.
agents.kept_bytes: Bytes of all turns kept so; above it, the oldest are dropped.
agents.orphans: Turns without watchers: "finish" or "cancel" them.
agents.orphan_grace: Time without watchers before a turn is cancelled.
agents.*: One table for each agent.
agents.*.kind: "cheshire-cat", "agui", "openai", "http", or "echo", which is embedded.
agents.*.connect_timeout: Time to connect to the upstream.
agents.*.first_token_timeout: Time to the first part of a reply.
agents.*.token_timeout: Time to each further part.
agents.*.total_timeout: Time for a whole reply.
agents.*.max_reply: Bytes of a reply; a longer one fails.
relay: One question over HTTP, one reply.
relay.max_body_size: Bytes of the body of a question.
rooms: Conversations and named rooms over Socket.IO; see docs/protocol/rooms.md.
rooms.guests: Clients without a token: "open" allows them in mode "open", "always", "never".
rooms.max_rooms: Rooms and topics of one connection.
rooms.max_message_size: Bytes of one message from a client, and of one polling body.
rooms.connect_timeout: Time for a connection to send CONNECT.
rooms.ping_interval: Time between pings.
rooms.ping_timeout: Time after a ping before a silent client is closed.
rooms.write_timeout: Time for which a client may read nothing before 3008; "0s" is no limit.
rooms.recovery: Time for which a lost connection can be recovered; "0s" is off. Events get an offset as one more argument, for which handlers in Python need a parameter.
workflows: Spreadsheet jobs of many steps; see docs/protocol/workflows.md.
workflows.enabled: Whether workflows are served.
workflows.max_connections: WebSockets that watch chats; 0 is limits.connections.
workflows.max_message_size: Bytes of one message from a client.
workflows.ping_interval: Time between pings; "0s" is never.
workflows.ping_timeout: Time after a ping before a silent client is closed with 3012.
workflows.write_timeout: Time for which a client may read nothing before 3008; "0s" is no limit.
workflows.workers: Runs at once; 0 is one per core.
workflows.max_waiting: Runs, and direct requests, that may wait; one more is refused with 503. One user has limits.user_share of it.
workflows.max_steps: Steps of one run.
workflows.lease: Time for which a run belongs to a silent worker; after a crash it resumes that much later.
workflows.max_attempts: Attempts of a step before its run fails.
workflows.scratch: Working folder.
workflows.backup_original: Whether normalisation also keeps the original columns.
workflows.agent: Agent for messages that the bot does not understand; "" is none.
workflows.keep_downloads: Time for which archives can be downloaded.
broker: Channels over a raw WebSocket.
broker.path: Path of the WebSocket.
broker.max_channels: Subscriptions of one connection.
broker.max_channel_length: Bytes of a channel's name, at most 240.
broker.max_message_size: Bytes of one message from a client.
broker.ping_interval: Time between pings; "0s" is never.
broker.ping_timeout: Time after a ping before a silent client is closed with 3012.
broker.write_timeout: Time for which a client may read nothing before 3008; "0s" is no limit.
store: Database of conversations, messages and turns; see docs/operations.md.
store.url: "sqlite://PATH", or "postgres://USER:PASSWORD@HOST/DATABASE", better set by QUADRILLE_STORE__URL.
store.max_connections: Read connections; with PostgreSQL, all of them.
store.busy_timeout: Time to wait for a lock or a connection before the client is shown to retry.
store.auto_migrate: Whether a start migrates an old schema; otherwise run `quadrille migrate`.
store.keep_keys: Time for which idempotency keys of questions, messages and runs are remembered.
turns: Questions and replies in the store.
turns.keep: Time after its end for which a turn outside of conversations is stored.
files: Uploaded files.
files.url: "file://PATH", or a bucket: s3://, gs://, az://.
files.max_upload_size: Bytes of one file.
files.link_ttl: Time for which a link opens a file without a token, from "1m" to "7d".
log: Log on standard error.
log.level: off, error, warn, info, debug or trace; more for a module: "info,quadrille_core=debug".
log.format: "pretty" or "json".
otel: Traces, in builds with the feature otel.
otel.endpoint: Collector for OTLP over HTTP, such as http://127.0.0.1:4318; "" is none.
"#;

const HEAD: &str = "\
# Every key of Quadrille with its default. Made by `quadrille print-config --default`.
# A variable overrides a key: QUADRILLE_LIMITS__TOPICS=5000, a list is JSON:
# QUADRILLE_SERVER__LISTEN='[\"127.0.0.1:9000\"]'.
";

fn comments() -> impl Iterator<Item = (&'static str, &'static str)> {
    COMMENTS.lines().filter_map(|line| line.split_once(": "))
}

/// Adds the comments to `toml`, a serialised configuration.
pub(super) fn annotate(toml: &str) -> String {
    let mut out = HEAD.to_owned();
    let mut section = "";
    let mut shown = Vec::new();
    for line in toml.lines() {
        let key = match line.strip_prefix('[') {
            Some(header) => {
                section = header.trim_end_matches(']');
                out.push('\n');
                section.to_owned()
            }
            None => match line.split_once(" = ") {
                Some((name, _)) => format!("{section}.{name}"),
                None => continue,
            },
        };
        let key = pattern(&key);
        if let Some((key, comment)) = comments().find(|(pattern, _)| *pattern == key)
            && !shown.contains(&key)
        {
            shown.push(key);
            out.extend(["# ", comment, "\n"]);
        }
        out.extend([line, "\n"]);
    }
    out
}

/// Key in the form of [`COMMENTS`].
fn pattern(key: &str) -> String {
    let mut parts: Vec<_> = key.split('.').collect();
    match parts.as_mut_slice() {
        ["topics", name, ..] | ["agents", name, _] => *name = "*",
        // The tables of agents are among the keys of the section.
        ["agents", name] if comments().all(|(shown, _)| shown != key) => *name = "*",
        _ => {}
    }
    parts.join(".")
}

#[cfg(test)]
#[cfg(feature = "broker")]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::config::Config;

    fn keys(table: &toml::Table, path: &str, into: &mut BTreeSet<String>) {
        for (name, value) in table {
            let key = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            if let Some(table) = value.as_table() {
                keys(table, &key, into);
            }
            into.insert(pattern(&key));
        }
    }

    #[test]
    fn there_is_one_comment_for_every_key_and_no_other() {
        let mut expected = BTreeSet::new();
        keys(&Config::default().to_toml().parse().unwrap(), "", &mut expected);
        // TOML does not write a header for a table of tables.
        expected.remove("topics");
        let is_here = |key: &&str| cfg!(feature = "otel") || !key.starts_with("otel");
        let shown = comments().map(|(key, _)| key).filter(is_here);
        let shown: Vec<_> = shown.map(str::to_owned).collect();
        assert_eq!(shown.iter().cloned().collect::<BTreeSet<_>>(), expected);
        assert_eq!(shown.len(), expected.len());
    }

    #[test]
    #[cfg(not(feature = "otel"))]
    fn the_committed_configuration_is_the_reference() {
        let committed = include_str!("../../../../config/quadrille.toml");
        assert_eq!(committed, Config::reference(), "run `quadrille print-config --default`");
    }
}
