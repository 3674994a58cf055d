//! The comments on every key, and the default configuration that carries them.

/// `KEY: comment`, for each section and key. `*` stands for every name in its place; it is told
/// once, at the first.
const COMMENTS: &str = r#"
server: Listeners, and how the process ends.
server.listen: Where to listen: IP:PORT, "https://IP:PORT", "unix:/PATH"; port 0 takes a free one.
server.origins: Other pages that may connect: "https://chat.example.com", "https://*.example.com"; "*" is all.
server.hosts: Names by which clients may ask, besides localhost and those in origins.
server.trusted_proxies: Whose X-Forwarded-For, -Proto, -Prefix are believed: ["10.0.0.0/8", "unix"].
server.public_url: The whole address that clients have of it, for those in answers; "" is theirs.
server.base_path: The path below which a proxy serves it, such as "/assistant"; "" is none.
server.header_timeout: How long TLS may take, and a request's head to arrive.
server.idle_timeout: How long a connection may be idle between two requests; longer than at balancers.
server.drain_delay: After SIGTERM, how long to serve on while /readyz says 503 to the balancers.
server.drain_window: Then over what time to close the connections: not all clients return at once.
server.grace: Then how long to wait for what is left, before the process ends with exit code 2.
server.tls: Who this server is, for https:// addresses; read again at SIGHUP.
server.tls.certificate: The certificate and those it depends on, a file in PEM.
server.tls.key: The key of the certificate, a file in PEM.
auth: Who is let in.
auth.mode: "open": everybody is, as whoever they say they are. "jwt": who has a good token.
auth.allow_open: Allows mode "open" on addresses that other machines can reach.
auth.jwt: What tokens are checked against; see docs/identity.md.
auth.jwt.secret: For HS256, at least 32 bytes; better given as QUADRILLE_AUTH__JWT__SECRET.
auth.jwt.secrets: More secrets that verify, for as long as a change of secrets takes.
auth.jwt.jwks: A JWK set, by path or by http(s) address; read every 15 minutes and when needed.
auth.jwt.audience: One of these must be in "aud"; none means that it is not checked.
auth.jwt.issuer: One of these must be "iss"; none means that it is not checked.
auth.jwt.leeway: How far the clocks may differ of who makes tokens and who checks them.
auth.jwt.expired_connections: "close" ends a connection with its token, "keep" looks at its beginning alone.
auth.jwt.allow_short_secret: Takes a secret of less than 32 bytes, which can be found by trying.
auth.jwt.keys: Public keys: [{ file = "id.pem", algorithm = "RS256", kid = "1" }], kid optional.
limits: What the process takes on at most.
limits.connections: Sessions of every protocol together; each needs an open file.
limits.connections_per_ip: Sessions from one address (IPv6: a /64), and HTTP connections; 0 is no limit.
limits.http_connections: HTTP connections besides: requests, idle ones, handshakes; then 503.
limits.topics: Topics held at once; one more replaces the one idle longest, or is refused.
limits.input_bytes: Bytes of bodies and messages that are being received, of all clients together.
limits.output_bytes: Bytes that clients have yet to take, beyond 72 KiB of each; then 3008 or 503.
limits.log_bytes: Bytes of all logs together; above it, a log keeps only its newest record.
limits.user_share: Part of every shared pool that one signed-in user may hold; see docs/operations.md.
limits.address_share: The same for one address where nobody signs in; 0 is no limit.
limits.stranger_share: The same for all clients together that have shown no token where one is needed.
limits.requests_per_second: Requests over HTTP of one user or address; 0 is no limit.
limits.publishes_per_second: Records that one user or address publishes; 0 is no limit.
limits.frames_per_second: Messages of one user or address on WebSockets; 0 is no limit.
limits.bad_tokens_per_minute: Forged tokens from one address; 0 is no limit, as behind a proxy.
topics.*: How topics remember, by namespace: chan (the broker's channels), chat, room, user.
topics.*.events: Records that a log holds.
topics.*.bytes: Bytes that a log holds, with about 300 for each record besides its content.
topics.*.keep: How long a log stays after its last use, once nobody is subscribed.
topics.*.on_slow: Falling behind: "skip" the oldest, "coalesce" to the newest by key, "disconnect".
topics.*.patience: How long a publisher waits for those about to lose records; "0s" never waits.
topics.*.presence: Whether clients can ask who is subscribed.
agents: Who answers questions, and how many at once; see docs/agents.md.
agents.default: The agent that answers when none is named.
agents.max_running: Turns that run at once; more wait. One user has limits.user_share of these and those that follow.
agents.max_queued: Turns that wait in one topic behind the one that runs; one more is refused.
agents.max_waiting: Turns that wait in all topics together; one more is refused.
agents.queue_timeout: How long a turn may wait before it fails.
agents.keep: How long a turn can be asked about, and its key joined, after its end.
agents.kept_bytes: Bytes of all turns that are kept so; above it, the oldest are forgotten.
agents.orphans: A turn that nobody watches or waits for: "finish" it, or "cancel" it.
agents.orphan_grace: How long nobody may watch before it is cancelled.
agents.*: One table for each agent.
agents.*.kind: "cheshire-cat", "agui", "openai", "http", or "echo", which is embedded.
agents.*.connect_timeout: How long the upstream may take to be connected to.
agents.*.first_token_timeout: How long the first part of a reply may take.
agents.*.token_timeout: How long each further part may take.
agents.*.total_timeout: How long a reply may take as a whole.
agents.*.max_reply: Bytes of a reply; a longer one fails.
relay: One question over HTTP, one reply.
relay.max_body_size: Bytes of one question's body.
rooms: Conversations and named rooms over Socket.IO; see docs/protocol/rooms.md.
rooms.guests: Who may connect without a token: "open", in mode "open" only; "always"; "never".
rooms.max_rooms: Rooms and topics of one connection.
rooms.max_message_size: Bytes of one message from a client, and of one body while it polls.
rooms.connect_timeout: How long a connection may take to say for whom it is.
rooms.ping_interval: How often to ping a client.
rooms.ping_timeout: How long after a ping a silent client is closed.
rooms.write_timeout: How long a client may take no data before 3008; "0s" is for ever.
rooms.recovery: How long a lost connection can be gone on with; "0s" is off. Events get an offset as one argument more, for which handlers in Python need a parameter.
workflows: Spreadsheet jobs of many steps; see docs/protocol/workflows.md.
workflows.enabled: Whether workflows are served.
workflows.max_connections: WebSockets that watch chats; 0 is as many as the server takes.
workflows.max_message_size: Bytes of one message from a client.
workflows.ping_interval: How often to ping a client; "0s" is never.
workflows.ping_timeout: How long after a ping a silent client is closed with 3012.
workflows.write_timeout: How long a client may take no data before 3008; "0s" is for ever.
workflows.workers: Runs that are done at once; 0 is one for each core.
workflows.max_waiting: Runs, and direct requests, that may wait; one more is refused with 503, and one user has limits.user_share of it.
workflows.max_steps: Steps of one run.
workflows.lease: How long a run is its worker's without a sign of life; after a crash it goes on that much later.
workflows.max_attempts: How often a step is begun before its run is given up.
workflows.scratch: Where files are worked on.
workflows.backup_original: Whether normalisation keeps the columns as they were, too.
workflows.agent: The agent that answers users of the bot where it does not understand them; "" is none.
workflows.keep_downloads: How long archives can be downloaded.
broker: Channels over a raw WebSocket.
broker.path: Where the WebSocket is.
broker.max_channels: Subscriptions of one connection.
broker.max_channel_length: Bytes of a channel's name, at most 240.
broker.max_message_size: Bytes of one message from a client.
broker.ping_interval: How often to ping a client; "0s" is never.
broker.ping_timeout: How long after a ping a silent client is closed with 3012.
broker.write_timeout: How long a client may take no data before 3008; "0s" is for ever.
store: Where conversations and messages are kept; see docs/operations.md.
store.url: "sqlite://PATH", or "postgres://USER:PASSWORD@HOST/DATABASE", better as QUADRILLE_STORE__URL.
store.max_connections: Connections that read; with PostgreSQL, all of them.
store.busy_timeout: How long to wait for a lock or a connection before the client is told to.
store.auto_migrate: Whether a start migrates an old schema; otherwise `quadrille migrate` does.
store.keep_keys: How long the idempotency key of a message or of a run is remembered.
files: Where uploaded files are kept.
files.url: "file://PATH", or a bucket: s3://, gs://, az://.
files.max_upload_size: Bytes of one file.
files.link_ttl: How long an address of a file opens it without a token, from "1m" to "7d".
log: What is written to standard error.
log.level: off, error, warn, info, debug or trace; more for a module: "info,quadrille_core=debug".
log.format: "pretty" or "json".
otel: Traces, in builds with the feature otel.
otel.endpoint: A collector that takes OTLP over HTTP, such as http://127.0.0.1:4318; "" is none.
"#;

const HEAD: &str = "\
# Every key of Quadrille with its default. Made by `quadrille print-config --default`.
# A variable overrides a key: QUADRILLE_LIMITS__TOPICS=5000, a list is JSON:
# QUADRILLE_SERVER__LISTEN='[\"127.0.0.1:9000\"]'.
";

fn comments() -> impl Iterator<Item = (&'static str, &'static str)> {
    COMMENTS.lines().filter_map(|line| line.split_once(": "))
}

/// `toml`, a serialised configuration, with the comments.
pub(super) fn annotate(toml: &str) -> String {
    let mut out = HEAD.to_owned();
    let mut section = "";
    let mut told = Vec::new();
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
            && !told.contains(&key)
        {
            told.push(key);
            out.extend(["# ", comment, "\n"]);
        }
        out.extend([line, "\n"]);
    }
    out
}

/// The key as [`COMMENTS`] has it.
fn pattern(key: &str) -> String {
    let mut parts: Vec<_> = key.split('.').collect();
    match parts.as_mut_slice() {
        ["topics", name, ..] | ["agents", name, _] => *name = "*",
        // The tables of agents are among the keys of the section.
        ["agents", name] if comments().all(|(told, _)| told != key) => *name = "*",
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
        let told = comments().map(|(key, _)| key).filter(is_here);
        let told: Vec<_> = told.map(str::to_owned).collect();
        assert_eq!(told.iter().cloned().collect::<BTreeSet<_>>(), expected);
        assert_eq!(told.len(), expected.len());
    }

    #[test]
    #[cfg(not(feature = "otel"))]
    fn the_committed_configuration_is_the_reference() {
        let committed = include_str!("../../../../config/quadrille.toml");
        assert_eq!(committed, Config::reference(), "run `quadrille print-config --default`");
    }
}
