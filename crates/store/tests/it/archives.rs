//! Chats on their way out of the store and back into it, and files to be downloaded.
use quadrille_store::{
    ChatFile, ChatStatus, MessageType, NewChatMessage, Page, Place, RunStatus, StepKind, StepStatus,
};

use crate::{
    bed::{Bed, each},
    workers::TWO,
};

#[tokio::test]
async fn downloads_have_names_of_their_own_until_they_are_forgotten() {
    each(async |bed| {
        let owners = [(None, "k1"), (Some("ann"), "k2"), (Some("bob"), "k3"), (Some("ann"), "k4")];
        let mut names = Vec::new();
        for (owner, key) in owners {
            names.push(bed.store.add_download("a.csv", owner, key, 2).await.unwrap());
        }
        // What others have makes no difference.
        assert_eq!(names, ["a.csv", "a.csv", "a.csv", "a_2.csv"]);
        let found = bed.store.download("a.csv", Some("ann"), false).await.unwrap().unwrap();
        assert_eq!((found.user_id.as_deref(), &*found.key, found.size), (Some("ann"), "k2", 2));
        let others = [("a_2.csv", Some("bob"), false), ("a.csv", None, false)];
        for (name, user, any) in others {
            assert_eq!(bed.store.download(name, user, any).await.unwrap(), None);
        }
        let any = bed.store.download("a_2.csv", None, true).await.unwrap().unwrap();
        assert_eq!(any.key, "k4");
        assert_eq!(bed.store.forget_downloads(found.created_at - 60_000).await.unwrap(), [""; 0]);
        let mut keys = bed.store.forget_downloads(any.created_at + 1).await.unwrap();
        keys.sort_unstable();
        assert_eq!(keys, ["k1", "k2", "k3", "k4"]);
        assert_eq!(bed.store.download("a.csv", None, true).await.unwrap(), None);
        // However many there are, the next one is not slower.
        let mut names = std::collections::HashSet::new();
        for n in 1..=6 {
            let name = bed.store.add_download("a.csv", None, &format!("n{n}"), 1).await.unwrap();
            let mark = name.strip_prefix("a").and_then(|name| name.strip_suffix(".csv")).unwrap();
            let length = match n {
                1 => 0,
                2 | 3 => 2,
                _ => 33,
            };
            assert_eq!(mark.len(), length, "{name}");
            names.insert(name);
        }
        assert_eq!(names.len(), 6);
    })
    .await;
}

#[tokio::test]
async fn a_copy_of_the_file_is_complete() {
    let bed = Bed::sqlite(|_| {}).await;
    bed.chat("a", None).await;
    let copy = std::path::Path::new(bed.path().unwrap()).with_file_name("copy").join("a.db");
    bed.store.back_up(&copy).await.unwrap();
    let again = bed.store.back_up(&copy).await;
    assert!(again.is_err(), "what is there is not written over");
    let url = format!("sqlite://{}", copy.display());
    let config = quadrille_store::Config { url, ..bed.config.clone() };
    let store = quadrille_store::Store::open(&config).await.unwrap();
    assert_eq!(store.chats(None, None, Page { limit: 9, offset: 0 }).await.unwrap().len(), 1);
    // Those who read cannot write.
    bed.chat("b", None).await;
}

#[tokio::test]
async fn a_whole_chat_is_restored_once_and_its_open_runs_are_interrupted() {
    each(async |bed| {
        bed.chat("a", Some("ann")).await;
        let said =
            NewChatMessage { kind: MessageType::User, content: "go", metadata: r#"{"n":1}"# };
        bed.store.add_chat_messages("a", None, &[said]).await.unwrap();
        bed.store.set_dialogue("a", r#"{"state":"idle"}"#).await.unwrap();
        bed.file("a", Place::Uploads, "d.csv", "k1").await;
        bed.begin("a", "done", &[StepKind::Internal]).await.unwrap();
        let claimed = bed.claim().await.unwrap();
        bed.work(&claimed, Some("k2")).await.unwrap();
        bed.store.end_run(&claimed, RunStatus::Completed, None, None).await.unwrap();
        bed.begin("a", "open", TWO).await.unwrap();
        let claimed = bed.claim().await.unwrap();
        bed.work(&claimed, Some("k3")).await.unwrap();
        assert_eq!(bed.store.whole_chat("nobody").await.unwrap(), None);
        let whole = bed.store.whole_chat("a").await.unwrap().unwrap();
        assert_eq!((whole.messages.len(), whole.files.len(), whole.runs.len()), (1, 3, 2));
        let size = bed.store.size_of_chat("a").await.unwrap();
        assert!((1000..5000).contains(&size), "{size}");
        assert!(!bed.store.restore_chat(&whole).await.unwrap());
        // Of names that are the same, each gets another number.
        let mut same = quadrille_store::WholeChat { runs: Vec::new(), ..whole.clone() };
        same.chat.id = "same".to_owned();
        same.messages.clear();
        same.files = vec![whole.files[0].clone(); 3];
        for (n, file) in same.files.iter_mut().enumerate() {
            file.key = format!("s{n}");
        }
        assert!(bed.store.restore_chat(&same).await.unwrap());
        let files = bed.store.chat_files("same").await.unwrap();
        let given: Vec<_> = files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(given, ["d.csv", "d_2.csv", "d_3.csv"]);
        // Of another chat that has an id in common with it, nothing is kept.
        let mut other = whole.clone();
        other.chat.id = "b".to_owned();
        assert!(!bed.store.restore_chat(&other).await.unwrap());
        assert_eq!(bed.store.chat("b").await.unwrap(), None);

        bed.store.delete_chat("a").await.unwrap().unwrap();
        assert!(bed.store.restore_chat(&whole).await.unwrap());
        let again = bed.store.whole_chat("a").await.unwrap().unwrap();
        assert_eq!(again.chat, quadrille_store::Chat { status: ChatStatus::Failed, ..whole.chat });
        assert_eq!(again.messages, whole.messages);
        let names = |files: &[ChatFile]| {
            let names = files
                .iter()
                .map(|file| (file.place, file.name.clone(), file.key.clone(), file.size));
            names.collect::<Vec<_>>()
        };
        assert_eq!(names(&again.files), names(&whole.files));
        let [(done, first), (open, second)] = &again.runs[..] else { panic!("{again:?}") };
        assert_eq!(*done, whole.runs[0].0);
        assert_eq!(first[0].output, Some(again.files[1].id));
        assert_eq!((open.status, open.next), (RunStatus::Interrupted, 1));
        assert!(open.ended_at.is_some());
        let statuses = [second[0].status, second[1].status];
        assert_eq!(statuses, [StepStatus::Completed, StepStatus::Skipped]);
        assert_eq!(second[1].input, Some(again.files[2].id));
        // It goes on where it was.
        bed.retry("open").await.unwrap().unwrap();
        let claimed = bed.claim().await.unwrap();
        assert_eq!(bed.work(&claimed, None).await.unwrap().next, 2);
    })
    .await;
}
