//! Messages in order, and the title that the first one gives.
use quadrille_store::{Access, AddError, Message, NewMessage, Page, Sender};

use crate::bed::{Bed, each, message};

#[tokio::test]
async fn a_message_is_read_as_it_was_added() {
    each(async |bed| {
        let id = bed.conversation("ann").await.id;
        let new = NewMessage {
            metadata: Some(r#"{"temp_id": "ü"}"#),
            ..message(id, "bob", "grüße 日本 \u{1f600}\n\t'\"; DROP TABLE messages; --")
        };
        let added = bed.store.add_message(new).await.unwrap();
        let expected = Message {
            id: added.message.id,
            conversation_id: id,
            user_id: Some("bob".into()),
            sender: Sender::User,
            content: new.content.into(),
            metadata: new.metadata.map(Into::into),
            files: Vec::new(),
            created_at: added.message.created_at,
        };
        assert_eq!((added.is_new, added.turn), (true, None));
        assert_eq!(added.message, expected);
        assert_eq!(bed.store.message(expected.id).await.unwrap().as_ref(), Some(&expected));
        assert_eq!(bed.store.messages(id, None, 9).await.unwrap(), [expected]);
    })
    .await;
}

#[tokio::test]
async fn what_no_database_takes_is_replaced_on_both() {
    each(async |bed| {
        let id = bed.conversation("a\0n").await.id;
        bed.store.put_user("a\0n", Some("An\0n")).await.unwrap();
        assert_eq!(bed.store.user_name("a\0n").await.unwrap().as_deref(), Some("An\u{fffd}n"));
        let new = NewMessage { key: Some("k\0"), ..message(id, "a\0n", "one\0two") };
        assert!(bed.store.add_message(new).await.unwrap().is_new);
        assert!(!bed.store.add_message(new).await.unwrap().is_new);
        assert_eq!(bed.contents(id).await, ["one\u{fffd}two"]);
    })
    .await;
}

#[tokio::test]
async fn nothing_is_added_to_a_conversation_that_is_not_there() {
    each(async |bed| {
        let added = bed.store.add_message(message(4711, "ann", "hello")).await;
        assert!(matches!(added, Err(AddError::NoConversation)), "{added:?}");
        assert_eq!(bed.store.messages(4711, None, 9).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn pages_go_back_in_time_and_each_is_in_order() {
    each(async |bed| {
        let id = bed.conversation("ann").await.id;
        let other = bed.conversation("ann").await.id;
        let mut ids = Vec::new();
        for n in 0..5 {
            ids.push(bed.say(id, "ann", &n.to_string()).await.message.id);
            bed.say(other, "ann", "elsewhere").await;
        }
        let page = async |before, limit| {
            let page = bed.store.messages(id, before, limit).await.unwrap();
            page.into_iter().map(|message| message.content).collect::<Vec<_>>()
        };
        assert_eq!(page(None, 2).await, ["3", "4"]);
        assert_eq!(page(Some(ids[3]), 2).await, ["1", "2"]);
        assert_eq!(page(Some(ids[1]), 2).await, ["0"]);
        assert_eq!(page(Some(ids[0]), 2).await, Vec::<String>::new());
        assert_eq!(page(None, 0).await, Vec::<String>::new());
        assert_eq!(page(None, u32::MAX).await.len(), 5);
    })
    .await;
}

async fn title(bed: &Bed, id: i64) -> String {
    bed.store.conversation(id, Access::Granted).await.unwrap().unwrap().title
}

#[tokio::test]
async fn the_first_message_of_a_user_names_the_conversation() {
    each(async |bed| {
        let id = bed.conversation("ann").await.id;
        let greeting =
            NewMessage { sender: Sender::Assistant, ..message(id, "ann", "How can I help?") };
        let cases = [
            (greeting, None, "New Conversation"),
            (message(id, "ann", "  \n"), None, "New Conversation"),
        ];
        for (new, given, expected) in cases {
            assert_eq!(bed.store.add_message(new).await.unwrap().title.as_deref(), given);
            assert_eq!(title(bed, id).await, expected);
        }
        // A blank one was the first one.
        assert_eq!(bed.say(id, "ann", "hello").await.title, None);

        let id = bed.conversation("ann").await.id;
        let exact = "ü".repeat(60);
        assert_eq!(bed.say(id, "ann", &exact).await.title.as_ref(), Some(&exact));
        assert_eq!(bed.say(id, "ann", "more").await.title, None);
        assert_eq!(title(bed, id).await, exact);

        let id = bed.conversation("ann").await.id;
        let cut = format!("{exact}...");
        assert_eq!(bed.say(id, "ann", &format!("{exact}x")).await.title, Some(cut.clone()));
        assert_eq!(title(bed, id).await, cut);

        let named = bed.store.create_conversation("ann", Some("Plans")).await.unwrap().id;
        assert_eq!(bed.say(named, "ann", "hello").await.title, None);
        assert_eq!(title(bed, named).await, "Plans");
    })
    .await;
}

#[tokio::test]
async fn a_message_makes_its_conversation_the_last_changed() {
    each(async |bed| {
        let id = bed.conversation("ann").await.id;
        bed.execute("UPDATE conversations SET updated_at = 1").await;
        let added = bed.say(id, "ann", "hello").await.message;
        let changed = bed.store.conversation(id, Access::Granted).await.unwrap().unwrap();
        assert_eq!(changed.updated_at, added.created_at);
    })
    .await;
}

/// A message of 300 KB whose text begins with its number.
fn large(n: usize) -> String {
    format!("{n} {}", "word ".repeat(60_000))
}

fn numbers(messages: &[Message]) -> Vec<usize> {
    let number = |message: &Message| message.content.split(' ').next().unwrap().parse().unwrap();
    messages.iter().map(number).collect()
}

#[tokio::test]
async fn a_page_has_a_bound_in_bytes_and_the_pages_together_are_everything() {
    each(async |bed| {
        let id = bed.conversation("ann").await.id;
        for n in 0..20 {
            bed.say(id, "ann", &large(n)).await;
        }
        let (mut before, mut all, mut pages) = (None, Vec::new(), 0);
        loop {
            let page = bed.store.messages(id, before, 1000).await.unwrap();
            let bytes: usize = page.iter().map(|message| message.content.len()).sum();
            assert!(bytes <= Page::BYTES, "{bytes}");
            let Some(oldest) = page.first() else { break };
            let more = bed.store.has_messages_before(id, oldest.id).await.unwrap();
            assert_eq!(more, oldest.content != large(0));
            before = Some(oldest.id);
            all.splice(0..0, numbers(&page));
            pages += 1;
        }
        // Six of 300 KB are less than 2 MiB, and seven are more.
        assert_eq!((all, pages), ((0..20).collect(), 4));
        // One that is larger alone is given nevertheless.
        let huge = "x".repeat(Page::BYTES + 1);
        bed.say(id, "ann", &huge).await;
        let page = bed.store.messages(id, None, 1000).await.unwrap();
        assert!(page.len() == 1 && page[0].content == huge);
    })
    .await;
}

#[tokio::test]
async fn what_is_found_has_a_bound_in_bytes_and_says_that_there_is_more() {
    each(async |bed| {
        let id = bed.conversation("ann").await.id;
        for n in 0..10 {
            bed.say(id, "ann", &large(n)).await;
        }
        let (mut offset, mut all) = (0, Vec::new());
        loop {
            let page = Page { limit: 1000, offset };
            let found = bed.store.search("ann", "word", page).await.unwrap();
            assert!(found.messages.len() <= 6);
            all.extend(numbers(&found.messages));
            offset += u32::try_from(found.messages.len()).unwrap();
            if !found.has_more {
                break;
            }
        }
        assert_eq!(all, (0..10).rev().collect::<Vec<_>>());
        // The same where the number of them ends the page.
        let some = async |limit| {
            let page = Page { limit, offset: 7 };
            let found = bed.store.search("ann", "word", page).await.unwrap();
            (numbers(&found.messages), found.has_more)
        };
        assert_eq!(some(2).await, (vec![2, 1], true));
        assert_eq!(some(3).await, (vec![2, 1, 0], false));
    })
    .await;
}
