//! The comments on every key, and the default configuration that carries them.

/// What is said about each section and key. `*` stands for every name in its place; it is told
/// once, at the first.
const COMMENTS: &[(&str, &str)] = &[
    ("server", "Listeners, and how the process ends."),
    ("server.listen", "Addresses to listen on, IP:PORT; port 0 takes a free one."),
    (
        "server.origins",
        "Web pages that may connect, besides those of this machine: \"https://chat.example.com\", or \"*\" for all.",
    ),
    (
        "server.header_timeout",
        "How long a client may take to send the head of a request, or stay idle between two.",
    ),
    (
        "server.drain_delay",
        "After SIGTERM: how long to go on serving while /readyz says 503, so that balancers notice.",
    ),
    (
        "server.drain_window",
        "Then: over what time the connections are closed, so that clients do not come back all at once.",
    ),
    (
        "server.grace",
        "Then: how long to wait for what is left; after that the process ends with exit code 2.",
    ),
    ("auth", "Who is let in."),
    ("auth.mode", "\"open\": everybody is, and is believed to be whoever they say."),
    ("auth.allow_open", "Allows mode \"open\" on addresses that other machines can reach."),
    ("limits", "What the process takes on at most."),
    ("limits.connections", "Connections of every protocol together; each needs an open file."),
    (
        "limits.connections_per_ip",
        "Connections from one address; 0 is no limit. Leave it at 0 behind a proxy.",
    ),
    (
        "limits.topics",
        "Topics held at once; one more takes the place of the longest idle one, or is refused.",
    ),
    (
        "limits.log_bytes",
        "Bytes held in the logs of all topics together; above it a log keeps only its newest record.",
    ),
    (
        "topics.*",
        "How topics remember, by the namespace their name begins with: chan (broker channels), chat, room, user.",
    ),
    ("topics.*.events", "Records that a log holds."),
    (
        "topics.*.bytes",
        "Bytes that a log holds, counting about 300 for each record besides its content.",
    ),
    ("topics.*.keep", "How long a log stays after its last use, once nobody is subscribed."),
    (
        "topics.*.on_slow",
        "For a subscriber that falls behind: \"skip\" (it is told how many it lost), \"coalesce\" (the newest of each key), or \"disconnect\".",
    ),
    (
        "topics.*.patience",
        "How long a publisher waits for subscribers that are about to lose records; \"0s\" never waits.",
    ),
    ("topics.*.presence", "Whether clients can ask who is subscribed."),
    ("broker", "Channels over a raw WebSocket."),
    ("broker.path", "Where the WebSocket is."),
    ("broker.max_channels", "Subscriptions of one connection."),
    ("broker.max_channel_length", "Bytes of a channel's name, at most 240."),
    ("broker.max_message_size", "Bytes of one message from a client."),
    ("broker.publishes_per_second", "Publications of one connection; 0 is no limit."),
    ("broker.ping_interval", "How often to ping a client; \"0s\" is never."),
    ("broker.ping_timeout", "How long after a ping a silent client is closed with 3012."),
    (
        "broker.write_timeout",
        "How long a client may take no data before it is closed with 3008; \"0s\" is for ever.",
    ),
    ("log", "What is written to standard error."),
    (
        "log.level",
        "off, error, warn, info, debug or trace; for one module, as in \"info,quadrille_core=debug\".",
    ),
    ("log.format", "\"pretty\" or \"json\"."),
];

const HEAD: &str = "\
# Every key of Quadrille with its default. Made by `quadrille print-config --default`.
# A variable overrides a key: QUADRILLE_LIMITS__TOPICS=5000, QUADRILLE_SERVER__LISTEN='[\"127.0.0.1:9000\"]'.
";

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
        if let Some((key, comment)) = COMMENTS.iter().find(|(it, _)| *it == key)
            && !told.contains(key)
        {
            told.push(*key);
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
        let told: Vec<_> = COMMENTS.iter().map(|(key, _)| (*key).to_owned()).collect();
        assert_eq!(told.iter().cloned().collect::<BTreeSet<_>>(), expected);
        assert_eq!(told.len(), expected.len());
    }

    #[test]
    fn the_committed_configuration_is_the_reference() {
        let committed = include_str!("../../../../config/quadrille.toml");
        assert_eq!(committed, Config::reference(), "run `quadrille print-config --default`");
    }
}
