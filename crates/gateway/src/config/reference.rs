//! The comments on every key, and the default configuration that carries them.

/// `KEY: comment`, for each section and key. `*` stands for every name in its place; it is told
/// once, at the first.
const COMMENTS: &str = r#"
server: Listeners, and how the process ends.
server.listen: Addresses to listen on, IP:PORT; port 0 takes a free one.
server.origins: Other pages that may connect, such as "https://chat.example.com"; "*" is all.
server.header_timeout: How long a request's head may take to arrive, and a connection idle for one.
server.drain_delay: After SIGTERM, how long to serve on while /readyz says 503 to the balancers.
server.drain_window: Then over what time to close the connections: not all clients return at once.
server.grace: Then how long to wait for what is left, before the process ends with exit code 2.
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
auth.jwt.keys: Public keys: [{ file = "id.pem", algorithm = "RS256", kid = "1" }], kid optional.
limits: What the process takes on at most.
limits.connections: Connections of every protocol together; each needs an open file.
limits.connections_per_ip: Connections from one address; 0 is no limit, as needed behind a proxy.
limits.topics: Topics held at once; one more replaces the one idle longest, or is refused.
limits.log_bytes: Bytes of all logs together; above it, a log keeps only its newest record.
topics.*: How topics remember, by namespace: chan (the broker's channels), chat, room, user.
topics.*.events: Records that a log holds.
topics.*.bytes: Bytes that a log holds, with about 300 for each record besides its content.
topics.*.keep: How long a log stays after its last use, once nobody is subscribed.
topics.*.on_slow: Falling behind: "skip" the oldest, "coalesce" to the newest by key, "disconnect".
topics.*.patience: How long a publisher waits for those about to lose records; "0s" never waits.
topics.*.presence: Whether clients can ask who is subscribed.
broker: Channels over a raw WebSocket.
broker.path: Where the WebSocket is.
broker.max_channels: Subscriptions of one connection.
broker.max_channel_length: Bytes of a channel's name, at most 240.
broker.max_message_size: Bytes of one message from a client.
broker.publishes_per_second: Publications of one connection; 0 is no limit.
broker.ping_interval: How often to ping a client; "0s" is never.
broker.ping_timeout: How long after a ping a silent client is closed with 3012.
broker.write_timeout: How long a client may take no data before 3008; "0s" is for ever.
log: What is written to standard error.
log.level: off, error, warn, info, debug or trace; more for a module: "info,quadrille_core=debug".
log.format: "pretty" or "json".
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
        if let Some((key, comment)) = comments().find(|(it, _)| *it == key)
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
    if let ["topics", namespace, ..] = parts.as_mut_slice() {
        *namespace = "*";
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
        let told: Vec<_> = comments().map(|(key, _)| key.to_owned()).collect();
        assert_eq!(told.iter().cloned().collect::<BTreeSet<_>>(), expected);
        assert_eq!(told.len(), expected.len());
    }

    #[test]
    fn the_committed_configuration_is_the_reference() {
        let committed = include_str!("../../../../config/quadrille.toml");
        assert_eq!(committed, Config::reference(), "run `quadrille print-config --default`");
    }
}
