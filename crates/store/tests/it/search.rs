//! Search finds words, in what a user may see, and takes nothing for syntax.
use quadrille_store::Page;

use crate::bed::{ALL, Bed, each};

async fn found(bed: &Bed, query: &str) -> Vec<String> {
    let found = bed.store.search("ann", query, ALL).await;
    found
        .unwrap_or_else(|err| panic!("{query:?}: {err:?}"))
        .messages
        .into_iter()
        .map(|message| message.content)
        .collect()
}

#[tokio::test]
async fn every_word_has_to_be_there_whatever_is_between_them() {
    each(async |bed| {
        let id = bed.conversation("ann").await.id;
        let said = [
            "The quick brown fox",
            "a brown dog, quick!",
            "mail me: fox@example.com or https://example.com/a-b_c?d=1",
            "Grüße aus Köln, 日本 \u{1f600}",
            "it's NOT \"quoted\" AND (not) a* b",
        ];
        for content in said {
            bed.say(id, "ann", content).await;
        }
        let cases: [(&str, &[usize]); 17] = [
            ("quick", &[1, 0]),
            ("QUICK brown", &[1, 0]),
            ("fox", &[2, 0]),
            ("quick fox", &[0]),
            ("example", &[2]),
            ("example.com", &[2]),
            ("b c d 1", &[2]),
            ("grüße KÖLN", &[3]),
            ("日本", &[3]),
            ("quic", &[]),
            ("\"quick brown\"", &[1, 0]),
            ("quick OR nothing", &[]),
            ("not", &[4]),
            ("it's", &[4]),
            ("a* AND b", &[4]),
            ("", &[]),
            (" ... ", &[]),
        ];
        for (query, expected) in cases {
            let expected: Vec<_> = expected.iter().map(|n| said[*n]).collect();
            assert_eq!(found(bed, query).await, expected, "{query}");
        }
    })
    .await;
}

#[tokio::test]
async fn nothing_in_a_query_is_syntax() {
    each(async |bed| {
        let id = bed.conversation("ann").await.id;
        bed.say(id, "ann", "hello world").await;
        let hostile = [
            "\"",
            "'",
            "\"hello",
            "hello\"",
            "hello*",
            "hel*",
            "^hello",
            "content:hello",
            "-hello",
            "hello & world",
            "hello | x",
            "!hello",
            "hello <-> world",
            "hello:*",
            "(hello",
            "hello)",
            "NEAR(hello world, 2)",
            "hello NOT world",
            "{content}: hello",
            "hello + world",
            "\\",
            "hello\\",
            "'; DROP TABLE messages; --",
            "%",
            "_",
            "hello\0world",
            "\u{1f600}",
            "hello \u{1f600}",
            "\u{301}",
            "$1",
            "?1",
            "\u{ff02}hello\u{ff02}",
            "\u{201c}hello\u{201d}",
        ];
        for query in hostile {
            found(bed, query).await;
        }
        assert_eq!(found(bed, "hello\0world").await, ["hello world"]);
        assert_eq!(found(bed, "(hello").await, ["hello world"]);
        assert_eq!(found(bed, &"hello ".repeat(10_000)).await, ["hello world"]);
        assert_eq!(found(bed, &"x".repeat(1_000_000)).await, Vec::<String>::new());
        assert_eq!(found(bed, "hello").await, ["hello world"]);
    })
    .await;
}

#[tokio::test]
async fn search_follows_what_is_changed_and_deleted() {
    each(async |bed| {
        let id = bed.conversation("ann").await.id;
        bed.say(id, "ann", "old words").await;
        bed.say(id, "ann", "other words").await;
        bed.execute("UPDATE messages SET content = 'new words' WHERE content = 'old words'").await;
        assert_eq!(found(bed, "old").await, Vec::<String>::new());
        assert_eq!(found(bed, "new").await, ["new words"]);
        bed.execute("DELETE FROM messages WHERE content = 'other words'").await;
        assert_eq!(found(bed, "words").await, ["new words"]);
        bed.store.delete_conversation(id, "ann").await.unwrap();
        assert_eq!(found(bed, "words").await, Vec::<String>::new());
    })
    .await;
}

#[tokio::test]
async fn the_newest_is_found_first_and_a_page_is_a_part() {
    each(async |bed| {
        let id = bed.conversation("ann").await.id;
        for n in 0..5 {
            bed.say(id, "ann", &format!("word {n}")).await;
        }
        let page = Page { limit: 2, offset: 1 };
        let found = bed.store.search("ann", "word", page).await.unwrap().messages;
        let found: Vec<_> = found.iter().map(|message| &*message.content).collect();
        assert_eq!(found, ["word 3", "word 2"]);
    })
    .await;
}

#[tokio::test]
async fn a_long_message_is_stored_and_its_beginning_is_found() {
    each(async |bed| {
        let id = bed.conversation("ann").await.id;
        let words: Vec<_> = (0..300_000).map(|n| format!("w{n}")).collect();
        let long = format!("beginning {} {}", "x".repeat(5000), words.join(" "));
        bed.say(id, "ann", &long).await;
        let found = found(bed, "beginning w1 w2").await;
        assert_eq!(found.iter().map(String::len).collect::<Vec<_>>(), [long.len()]);
    })
    .await;
}
